//! Reading single fields: one value, its rule, its place.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{Check, TEXT_CHARS_MAX};
use crate::draft::{Field, Located};
use crate::identifiers::IdentifierError;
use crate::issue::{Issue, Place};
use crate::personal::PersonalText;

impl Check<'_> {
    pub(super) fn no_repeats(&mut self) {
        let mut seen = BTreeSet::new();
        let mut reported = BTreeSet::new();
        for (field, located) in &self.draft.fields {
            if !seen.insert(*field) && !field.repeats() && reported.insert(*field) {
                let place = located.place.clone();
                self.issues.push(Issue::error(
                    "field-repeated",
                    Some(*field),
                    place,
                    "is given more than once",
                    "give it once",
                ));
            }
        }
    }

    pub(super) fn place(&self, field: Field) -> Place {
        self.draft.first(field).map_or_else(|| self.draft.place.clone(), |l| l.place.clone())
    }

    pub(super) fn fault(
        &mut self,
        field: Field,
        place: &Place,
        rule: &str,
        message: &str,
        next: &str,
    ) {
        self.issues.push(Issue::error(rule, Some(field), place.clone(), message, next));
    }

    pub(super) fn warn(
        &mut self,
        field: Field,
        place: &Place,
        rule: &str,
        message: &str,
        next: &str,
    ) {
        self.issues.push(Issue::warning(rule, Some(field), place.clone(), message, next));
    }

    /// The first value of the field that is not blank, reporting that it is missing when none is.
    pub(super) fn present(&mut self, field: Field) -> Option<&Located> {
        let draft = self.draft;
        let found = draft.all(field).find(|located| !located.text.expose().trim().is_empty());
        let reported =
            || self.issues.iter().any(|i| i.rule == "missing" && i.field == field.path());
        if found.is_none() && !reported() {
            let place = self.place(field);
            self.fault(
                field,
                &place,
                "missing",
                "is required for this type of message and is missing",
                "send it",
            );
        }
        found
    }

    pub(super) fn optional<T>(
        &mut self,
        field: Field,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        let located = self.draft.first(field)?.clone();
        self.parsed(field, &located, parse)
    }

    pub(super) fn required<T>(
        &mut self,
        field: Field,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        self.present(field)?;
        self.optional(field, parse)
    }

    pub(super) fn list<T>(
        &mut self,
        field: Field,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Vec<T> {
        let draft = self.draft;
        draft.all(field).filter_map(|located| self.parsed(field, located, parse)).collect()
    }

    pub(super) fn parsed<T>(
        &mut self,
        field: Field,
        located: &Located,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        match parse(located.text.expose()) {
            Ok(value) => Some(value),
            Err(error) => {
                let rule = match error {
                    IdentifierError::Length => "identifier-length",
                    IdentifierError::Characters => "identifier-characters",
                    IdentifierError::CheckDigit => "identifier-check-digit",
                    IdentifierError::Filler => "identifier-filler",
                };
                self.fault(
                    field,
                    &located.place,
                    rule,
                    &error.to_string(),
                    "correct it at its source; identifiers are never guessed",
                );
                None
            }
        }
    }

    pub(super) fn text(&mut self, field: Field, chars_max: usize) -> Option<PersonalText> {
        let located = self.draft.first(field)?.clone();
        self.bounded(field, &located, chars_max)
    }

    pub(super) fn required_text(&mut self, field: Field, chars_max: usize) -> Option<PersonalText> {
        self.present(field)?;
        self.text(field, chars_max)
    }

    pub(super) fn texts(&mut self, field: Field) -> Vec<PersonalText> {
        let draft = self.draft;
        draft.all(field).filter_map(|l| self.bounded(field, l, TEXT_CHARS_MAX)).collect()
    }

    pub(super) fn bounded(
        &mut self,
        field: Field,
        located: &Located,
        max: usize,
    ) -> Option<PersonalText> {
        let text = located.text.expose();
        if text.trim().is_empty() {
            return None;
        }
        if text.chars().count() > max {
            self.fault(
                field,
                &located.place,
                "too-long",
                "is longer than this field may be",
                "shorten it, or attach it as a document",
            );
            return None;
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.fault(
                field,
                &located.place,
                "control-characters",
                "holds control characters",
                "remove them at the source; they are often a wrong encoding",
            );
            return None;
        }
        Some(located.text.clone())
    }

    /// A value of a closed code set, by its name in canonical JSON.
    pub(super) fn code<T: serde::de::DeserializeOwned>(&mut self, field: Field) -> Option<T> {
        let located = self.draft.first(field)?.clone();
        self.one_code(field, &located)
    }

    fn one_code<T: serde::de::DeserializeOwned>(
        &mut self,
        field: Field,
        located: &Located,
    ) -> Option<T> {
        let text = located.text.expose();
        let value = serde_json::Value::String(text.to_owned());
        let code = serde_json::from_value(value).ok();
        if code.is_none() {
            self.fault(
                field,
                &located.place,
                "code-unknown",
                "is not a code of the set for this field",
                "use a code of the set, or add it to the mapping's code map",
            );
        }
        code
    }

    /// Values of a closed code set, by their names in canonical JSON.
    pub(super) fn codes<T: serde::de::DeserializeOwned>(&mut self, field: Field) -> Vec<T> {
        let draft = self.draft;
        draft.all(field).filter_map(|located| self.one_code(field, located)).collect()
    }

    pub(super) fn flag(&mut self, field: Field) -> bool {
        let Some(located) = self.draft.first(field).cloned() else { return false };
        match located.text.expose() {
            "true" => true,
            "false" => false,
            _ => {
                self.fault(
                    field,
                    &located.place,
                    "not-true-or-false",
                    "is neither true nor false",
                    "map the source's codes to true and false",
                );
                false
            }
        }
    }

    /// An ISO date. Readers turn other ways of writing dates into this one, under configuration.
    pub(super) fn date(&mut self, field: Field) -> Option<Date> {
        let located = self.draft.first(field)?.clone();
        let text = located.text.expose();
        let date = (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten();
        let date = date.filter(|date| (1900..2200).contains(&date.year()));
        if date.is_none() {
            self.fault(
                field,
                &located.place,
                "date-impossible",
                "is not a date that exists, in the form agreed",
                "write yyyy-mm-dd, or set the mapping's date format",
            );
        }
        date
    }

    pub(super) fn required_date(&mut self, field: Field) -> Option<Date> {
        self.present(field)?;
        self.date(field)
    }

    /// A date that records what has happened cannot be in the future.
    pub(super) fn not_in_future(&mut self, field: Field, date: Option<Date>) {
        if date.is_some_and(|date| date > self.today) {
            let place = self.place(field);
            let next = "check the year and the order of day and month";
            self.fault(field, &place, "date-in-future", "is in the future", next);
        }
    }

    /// As above, where a clinician's slip of the pen should not stop the advice.
    pub(super) fn perhaps_in_future(&mut self, field: Field, date: Option<Date>) {
        if date.is_some_and(|date| date > self.today) {
            let place = self.place(field);
            let next = "check the year and the order of day and month";
            self.warn(field, &place, "date-in-future", "is in the future", next);
        }
    }
}
