//! Text and bytes about a person: they cannot be printed by accident and are wiped when dropped.
//!
//! Neither type has `Display`; `Debug` shows only the length. Reading the content takes a call
//! whose name says so.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Text a person supplied or that is about a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PersonalText(#[schemars(with = "String")] ZeroizingString);

type ZeroizingString = Wiped<String>;

#[derive(Clone, PartialEq, Eq)]
struct Wiped<T: zeroize::Zeroize>(Zeroizing<T>);

impl Serialize for Wiped<String> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Wiped<String> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl PersonalText {
    /// Takes ownership of a text about a person.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Wiped(Zeroizing::new(text.into())))
    }

    /// The text itself. For writing into a recipient's format or sealing, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl fmt::Debug for PersonalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonalText({} bytes)", self.expose().len())
    }
}

/// The bytes of a document about a person.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalBytes(Zeroizing<Vec<u8>>);

impl PersonalBytes {
    /// Takes ownership of a document's bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. For writing into a recipient's format or sealing, and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are; safe to show.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for PersonalBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonalBytes({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests;
