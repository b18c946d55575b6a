//! What a message says by the names that the catalogue gives its type.
//!
//! Owns the values and their reading as dates, flags and codes. Which names a type has, what kind
//! each is and to which class of data it belongs stands in the [`catalogue`](crate::catalogue).

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, DataClass};
use crate::personal::PersonalText;

/// One value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Particular {
    /// Yes or no.
    Flag(bool),
    /// A text, date, code, number or identifier.
    Text(PersonalText),
    /// Several texts.
    Texts(Vec<PersonalText>),
}

/// The values of a message, by name.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Particulars(BTreeMap<String, Particular>);

impl Particulars {
    /// Values that were checked, by name.
    pub(crate) fn new(values: BTreeMap<String, Particular>) -> Self {
        Self(values)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Particular> {
        self.0.get(name)
    }

    /// Every value with its name, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Particular)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text, code, number or identifier.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Particular::Text(text) => Some(text.expose()),
            Particular::Flag(_) | Particular::Texts(_) => None,
        }
    }

    /// A date.
    pub fn date(&self, name: &str) -> Option<Date> {
        self.text(name)?.parse().ok()
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Particular::Flag(flag) => Some(*flag),
            Particular::Text(_) | Particular::Texts(_) => None,
        }
    }

    /// The texts of a list; a single text is a list of one.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Particular::Texts(texts)) => texts.iter().map(PersonalText::expose).collect(),
            Some(Particular::Text(text)) => vec![text.expose()],
            Some(Particular::Flag(_)) | None => Vec::new(),
        }
    }

    /// Whether anything of a class of data stands here.
    pub(super) fn holds(&self, class: DataClass) -> bool {
        self.0.keys().any(|name| class_of(name) == Some(class))
    }

    /// Drops what belongs to a class, except what the type cannot do without.
    pub(super) fn drop_class(&mut self, class: DataClass, needed: &[String]) {
        self.0.retain(|name, _| class_of(name) != Some(class) || needed.contains(name));
    }
}

fn class_of(name: &str) -> Option<DataClass> {
    Catalogue::built_in().field(name).and_then(|field| field.class)
}
