//! One cell to one value, or several: spreadsheet damage undone where the text is certain, refused
//! where it is not.
//!
//! Knows the mapping's null markers, dates, codes and separators. Never holds a value in a note.

use std::borrow::Cow;

use schemas::catalogue::{Catalogue, ValueKind};
use schemas::{Draft, Field, Issue, Place};

use super::{CellKind, RowPlace, TableCell};
use crate::mapping::{Column, DateCell, Formulas, Mapping};

/// Fills the draft of one row.
pub(super) struct RowReader<'a> {
    /// The mapping.
    pub(super) mapping: &'a Mapping,
    /// Where the row stands.
    pub(super) at: RowPlace,
    /// What the row says so far.
    pub(super) draft: Draft,
    /// What is said once for a column, where it is so first.
    pub(super) said: &'a mut Vec<Issue>,
}

impl RowReader<'_> {
    /// Reads the cell of a column; `index` counts from 0.
    pub(super) fn cell(&mut self, column: &Column, index: usize, cell: &TableCell<'_>) {
        let place = self.at.cell(index);
        let text = trimmed(&cell.text);
        if cell.formula {
            match self.mapping.formulas {
                Formulas::Refuse => return self.computed(column.field, &place, text),
                Formulas::Cached => {
                    self.once("formula-cached", column.field, &place, FORMULA_CACHED);
                }
            }
        }
        if self.mapping.is_null(text) {
            return;
        }
        match cell.kind {
            CellKind::Text => self.text(column, &place, &cell.text),
            CellKind::Number => self.number(column, &place, text),
            CellKind::LostDigits => {
                self.digits_lost(column.field, &place);
                self.draft.set(column.field, text, place);
            }
            CellKind::Date if column.date => self.sheet_date(column.field, &place, text),
            CellKind::Date => self.value(column, &place, text),
            CellKind::Flag => self.flag(column, &place, text),
            CellKind::Error => {
                self.refuse(
                    "cell-error",
                    column.field,
                    &place,
                    "holds an error of the spreadsheet instead of a value",
                    "correct it, or add the error to the mapping's null_markers",
                );
                self.draft.set(column.field, text, place);
            }
        }
    }

    fn text(&mut self, column: &Column, place: &Place, raw: &str) {
        let text = trimmed(raw);
        let field = column.field;
        if text.len() != raw.trim_matches([' ', '\t', '\r', '\n']).len() {
            self.warn("no-break-space", field, place, "had no-break spaces around it");
        }
        // Before trimming: a tab or carriage return in front is itself an attack.
        if raw.starts_with(['\t', '\r']) {
            return self.formula(field, place, text);
        }
        if let Some(inner) = armoured(text) {
            self.warn("excel-armour", field, place, "stood in spreadsheet armour");
            let inner = trimmed(inner);
            if self.mapping.is_null(inner) {
                return;
            }
            if starts_formula(inner) {
                return self.formula(field, place, inner);
            }
            return self.values(column, place, inner);
        }
        if let Some(inner) = guarded(text) {
            self.warn("excel-apostrophe", field, place, "began with a guarding apostrophe");
            return self.values(column, place, inner);
        }
        if starts_formula(text) && !is_telephone(text) {
            return self.formula(field, place, text);
        }
        let plain = without_no_break(text);
        if let Cow::Owned(_) = plain {
            self.warn("no-break-space", field, place, "had no-break spaces in it");
        }
        self.values(column, place, &plain);
    }

    /// A number in a workbook: its noughts in front, if it had any, are gone.
    fn number(&mut self, column: &Column, place: &Place, text: &str) {
        if column.date && !self.mapping.serial_dates {
            self.refuse(
                "date-serial",
                column.field,
                place,
                "is a number where a date should be",
                "format the column as dates, or set serial_dates in the mapping",
            );
            return self.draft.set(column.field, text, place.clone());
        }
        if is_identifier(column.field) {
            self.once(
                "number-cell",
                column.field,
                place,
                "holds numbers here and below; noughts in front of them are lost",
            );
        }
        self.values(column, place, text);
    }

    /// A date of a workbook needs no pattern; a time of day is dropped only if a pattern has one.
    fn sheet_date(&mut self, field: Field, place: &Place, text: &str) {
        match text.split_once(' ') {
            Some((day, _)) if self.mapping.times() => {
                self.draft.set(field, day, place.clone());
            }
            Some(_) => {
                self.refuse(
                    "date-impossible",
                    field,
                    place,
                    "has a time of day, and no form in the mapping does",
                    "correct it, or add a form with a time to the mapping's date_formats",
                );
                self.draft.set(field, text, place.clone());
            }
            None if self.mapping.is_placeholder(text) => {
                self.warn("date-placeholder", field, place, "held the source's no-date");
            }
            None => self.draft.set(field, text, place.clone()),
        }
    }

    fn flag(&mut self, column: &Column, place: &Place, text: &str) {
        if column.codes.is_some() {
            return self.value(column, place, text);
        }
        self.draft.set(column.field, text.to_ascii_lowercase(), place.clone());
    }

    fn values(&mut self, column: &Column, place: &Place, text: &str) {
        let Some(separator) = &column.split else { return self.value(column, place, text) };
        if text.split(separator.as_str()).count() > VALUES_MAX {
            return self.refuse(
                "values-too-many",
                column.field,
                place,
                "holds more than 100 values",
                "check the separator in the mapping; attach long lists as documents",
            );
        }
        for part in text.split(separator.as_str()) {
            let part = trimmed(part);
            if !self.mapping.is_null(part) {
                self.value(column, place, part);
            }
        }
    }

    fn value(&mut self, column: &Column, place: &Place, text: &str) {
        let field = column.field;
        if column.date {
            return self.date(field, place, text);
        }
        let value = match &column.codes {
            Some(codes) => codes.get(text),
            None => None,
        };
        if column.codes.is_some() && value.is_none() {
            self.refuse(
                "code-unmapped",
                field,
                place,
                "is not a code that the mapping knows",
                "correct it, or add the code to the mapping's code map",
            );
        }
        if is_identifier(field) && is_scientific(text) {
            self.digits_lost(field, place);
        }
        self.draft.set(field, value.map_or(text, String::as_str), place.clone());
    }

    fn date(&mut self, field: Field, place: &Place, text: &str) {
        match self.mapping.date(text) {
            DateCell::Date(date, midnight_dropped) => {
                if midnight_dropped {
                    let message =
                        "has a midnight time, which was dropped here and in the rows below";
                    self.once("midnight-time", field, place, message);
                }
                return self.draft.set(field, date, place.clone());
            }
            DateCell::Placeholder => {
                return self.warn("date-placeholder", field, place, "held the source's no-date");
            }
            DateCell::TwoDigitYear => self.refuse(
                "date-two-digit-year",
                field,
                place,
                "has a year of two digits",
                "export dates with four-digit years; the century is never guessed",
            ),
            DateCell::Serial => self.refuse(
                "date-serial",
                field,
                place,
                "is a spreadsheet's number for a day",
                "format the column as dates before exporting, or set serial_dates in the mapping",
            ),
            DateCell::Impossible => self.refuse(
                "date-impossible",
                field,
                place,
                "is not a date that exists, in a form that the mapping names",
                "correct it, or add the form to the mapping's date_formats",
            ),
        }
        self.draft.set(field, text, place.clone());
    }

    fn formula(&mut self, field: Field, place: &Place, text: &str) {
        self.refuse(
            "formula-cell",
            field,
            place,
            "begins like a spreadsheet formula",
            "remove the sign in front; formulas are never taken into a record",
        );
        self.draft.set(field, text, place.clone());
    }

    fn computed(&mut self, field: Field, place: &Place, text: &str) {
        self.refuse(
            "formula-cell",
            field,
            place,
            "is computed by a formula, and may be older than what it is computed from",
            "paste the column as values, or allow what was computed last in the mapping",
        );
        if !text.is_empty() {
            self.draft.set(field, text, place.clone());
        }
    }

    fn digits_lost(&mut self, field: Field, place: &Place) {
        self.refuse(
            "scientific-notation",
            field,
            place,
            "was turned into scientific notation by a spreadsheet; its digits are lost",
            "export again without opening the file in a spreadsheet",
        );
    }

    fn once(&mut self, rule: &str, field: Field, place: &Place, message: &str) {
        if self.said.iter().any(|issue| issue.rule == rule && issue.field == field.path()) {
            return;
        }
        let next = "nothing needs doing";
        self.said.push(Issue::warning(rule, Some(field), place.clone(), message, next));
    }

    fn refuse(&mut self, rule: &str, field: Field, place: &Place, message: &str, next: &str) {
        self.draft.notes.push(Issue::error(rule, Some(field), place.clone(), message, next));
    }

    fn warn(&mut self, rule: &str, field: Field, place: &Place, message: &str) {
        let next = "it was read without them; nothing needs doing if the export is right";
        self.draft.notes.push(Issue::warning(rule, Some(field), place.clone(), message, next));
    }
}

/// Whether a spreadsheet would take this text for a formula.
pub(crate) fn starts_formula(text: &str) -> bool {
    text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ])
}

/// Whether a guarding apostrophe would be read as one: see [`guarded`].
pub(crate) fn needs_guard(text: &str) -> bool {
    starts_formula(text) || guarded(text).is_some()
}

/// The text without white space around it, no-break spaces and characters of no width included.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// The text with plain spaces for the no-break ones inside it.
fn without_no_break(text: &str) -> Cow<'_, str> {
    const NO_BREAK: [char; 3] = ['\u{a0}', '\u{202f}', '\u{2007}'];
    if text.contains(NO_BREAK) { text.replace(NO_BREAK, " ").into() } else { text.into() }
}

/// The text behind a guarding apostrophe: `'0123`, `'=1`. A name such as `'t Hooft` keeps its own.
fn guarded(text: &str) -> Option<&str> {
    let behind = text.trim_start_matches('\'');
    let guards = starts_formula(behind) || behind.starts_with(|c: char| c.is_ascii_digit());
    text.strip_prefix('\'').filter(|_| guards)
}

/// The text of a cell without white space, armour or a guarding apostrophe around it.
pub(crate) fn plain(text: &str) -> &str {
    let text = trimmed(text);
    armoured(text).map(trimmed).or_else(|| guarded(text)).unwrap_or(text)
}

/// The text inside `="..."`, with which spreadsheets keep leading noughts.
fn armoured(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("=\"")?.strip_suffix('"')?;
    (!inner.contains('"')).then_some(inner)
}

/// Digits in international form: `+44 121 496 0000`.
fn is_telephone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else { return false };
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " ()-".contains(c))
}

/// `9.45E+09`: a number of which a spreadsheet kept only the first digits.
fn is_scientific(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else { return false };
    let number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let exponent = exponent.strip_prefix(['+', '-']);
    exponent.is_some_and(number) && digits.split('.').all(number)
}

const FORMULA_CACHED: &str =
    "is computed by formulas here and below; what they gave when the file was saved was taken";

/// The most values in one cell: more are a wrong separator, or an attack on what reads them next.
const VALUES_MAX: usize = 100;

/// Whether every digit of a field counts.
fn is_identifier(field: Field) -> bool {
    let name = field.path().strip_prefix("particulars.");
    let said = name.and_then(|name| Catalogue::built_in().field(name));
    let kinds = [ValueKind::Organisation, ValueKind::Reference, ValueKind::NhsNumber];
    said.map_or_else(|| IDENTIFIERS.contains(&field), |said| kinds.contains(&said.kind))
}

/// The fields whose every digit counts and that are not the catalogue's.
const IDENTIFIERS: [Field; 14] = [
    Field::ID,
    Field::SUPERSEDES,
    Field::SENDER,
    Field::RECIPIENT,
    Field::CASE,
    Field::LEG,
    Field::ACTING_USER,
    Field::NHS_NUMBER,
    Field::LA_PERSON_ID,
    Field::UPN,
    Field::REPLACES_LEG,
    Field::CONSENT_REFERENCE,
    Field::AUTHOR_REGISTRATION,
    Field::NOTICE_ABOUT,
];
