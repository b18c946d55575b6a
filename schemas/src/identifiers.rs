//! Identifiers: parse or refuse.
//!
//! Every identifier is a type of its own, made only by parsing, so that one kind cannot be passed
//! for another. Identifiers of people have no `Display` and hide in `Debug`; identifiers of
//! organisations, services and our own records may be shown. Errors name the rule, never the
//! value. Algorithms and vectors: NHS Data Dictionary (NHS number), DfE UPN guide (UPN).

mod postcode;
mod schools;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::personal::PersonalText;

pub use postcode::Postcode;
pub use schools::{Uln, Urn};

/// Why a text is not an identifier of the kind asked for. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentifierError {
    /// It has the wrong number of characters.
    #[error("has the wrong length")]
    Length,
    /// It has characters that the identifier never has.
    #[error("has characters that do not belong in it")]
    Characters,
    /// Its check digit or check letter does not agree with the rest.
    #[error("fails its check digit")]
    CheckDigit,
    /// It is a well-known filler, such as ten equal digits.
    #[error("is a filler, not an identifier")]
    Filler,
}

/// An NHS number: ten digits whose last is a modulus 11 check digit.
///
/// Accepts spaces, hyphens and no-break spaces between digits. A number that passes is well
/// formed, not traced: nothing is ever matched on it alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NhsNumber(#[schemars(with = "String", regex(pattern = r"^[0-9]{10}$"))] PersonalText);

impl NhsNumber {
    /// Parses ten digits, with or without separators, and checks the check digit.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let mut digits = Vec::with_capacity(10);
        for c in text.trim().chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '\u{a0}' | '\u{2011}' => {}
                _ => return Err(IdentifierError::Characters),
            }
        }
        if digits.len() != 10 {
            return Err(IdentifierError::Length);
        }
        if digits.iter().all(|d| Some(d) == digits.first()) {
            return Err(IdentifierError::Filler);
        }
        let values = digits.iter().filter_map(|d| d.to_digit(10));
        let sum: u32 = values.clone().take(9).zip((2..=10).rev()).map(|(d, w)| d * w).sum();
        let check = match 11 - sum % 11 {
            11 => 0,
            10 => return Err(IdentifierError::CheckDigit),
            other => other,
        };
        if values.clone().next_back() != Some(check) {
            return Err(IdentifierError::CheckDigit);
        }
        Ok(Self(PersonalText::new(digits.into_iter().collect::<String>())))
    }

    /// The ten digits without separators. For matching keys and the recipient's format only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether the number is in the range 999 000 0000 to 999 999 9999, reserved for tests.
    pub fn is_reserved_for_tests(&self) -> bool {
        self.expose().starts_with("999")
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsNumber(hidden)")
    }
}

/// A unique pupil number: a check letter, eleven digits, and a digit or (temporary) a letter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Upn(#[schemars(with = "String")] PersonalText);

impl Upn {
    /// Parses the shape only; see [`Upn::check_letter_agrees`] for the letter, which in practice
    /// is often wrong and is therefore a warning, not a refusal.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim().to_ascii_uppercase();
        if text.chars().count() != 13 {
            return Err(IdentifierError::Length);
        }
        let shape = text.chars().enumerate().all(|(i, c)| match i {
            0 => UPN_LETTERS.contains(c),
            12 => c.is_ascii_digit() || UPN_LETTERS.contains(c),
            _ => c.is_ascii_digit(),
        });
        if !shape {
            return Err(IdentifierError::Characters);
        }
        Ok(Self(PersonalText::new(text)))
    }

    /// Whether the check letter agrees with the other twelve characters (modulus 23).
    pub fn check_letter_agrees(&self) -> bool {
        let sum: usize = self
            .expose()
            .chars()
            .zip(1usize..)
            .skip(1)
            .filter_map(|(c, position)| {
                let digit = c.to_digit(10).and_then(|d| usize::try_from(d).ok());
                digit.or_else(|| UPN_LETTERS.find(c)).map(|value| value * position)
            })
            .sum();
        self.expose().chars().next() == UPN_LETTERS.chars().nth(sum % 23)
    }

    /// The thirteen characters.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upn(hidden)")
    }
}

/// An organisation: an ODS code (`RRK`, `QHL`) or a DfE local authority number (`334`).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Z0-9]{3,6}$"))]
pub struct OrganisationCode(String);

impl OrganisationCode {
    /// Parses three to six letters and digits; letters are made capitals.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        plain_code(text, 3, 6, "").map(Self)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A service that gives advice, by its code in the routing table: `SALT`, `OT`, `PAEDIATRICS`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Z0-9-]{2,24}$"))]
pub struct ServiceCode(String);

impl ServiceCode {
    /// Parses two to twenty-four letters, digits and hyphens; letters are made capitals.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        plain_code(text, 2, 24, "-").map(Self)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sender's own reference for a message; unique for that sender.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MessageId(#[schemars(with = "String", length(min = 1, max = 64))] PersonalText);

impl MessageId {
    /// Parses one to sixty-four letters, digits and `- _ . : /`.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        reference(text).map(|text| Self(PersonalText::new(text)))
    }

    /// The reference. Case systems build references out of anything, so it is kept from logs.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(hidden)")
    }
}

/// The local authority's own reference for a case.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CaseReference(#[schemars(with = "String", length(min = 1, max = 64))] PersonalText);

impl CaseReference {
    /// Parses one to sixty-four letters, digits and `- _ . : /`.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        reference(text).map(|text| Self(PersonalText::new(text)))
    }

    /// The reference, for its own authority and the services asked, and nobody else.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for CaseReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaseReference(hidden)")
    }
}

/// One record the gateway holds. Random; says nothing about the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub Uuid);

/// One service's part of a request for advice: what an answer refers to. Random.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct LegId(#[schemars(with = "String", extend("format" = "uuid"))] pub Uuid);

impl LegId {
    /// Parses the hyphenated form of the identifier.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        Uuid::try_parse(text.trim()).map(Self).or(Err(IdentifierError::Characters))
    }
}

impl fmt::Display for OrganisationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ServiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for OrganisationCode {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, IdentifierError> {
        Self::parse(&text)
    }
}

impl From<OrganisationCode> for String {
    fn from(code: OrganisationCode) -> Self {
        code.0
    }
}

impl TryFrom<String> for ServiceCode {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, IdentifierError> {
        Self::parse(&text)
    }
}

impl From<ServiceCode> for String {
    fn from(code: ServiceCode) -> Self {
        code.0
    }
}

fn plain_code(text: &str, min: usize, max: usize, also: &str) -> Result<String, IdentifierError> {
    let text = text.trim().to_ascii_uppercase();
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c)) {
        return Err(IdentifierError::Characters);
    }
    if !(min..=max).contains(&text.len()) {
        return Err(IdentifierError::Length);
    }
    Ok(text)
}

fn reference(text: &str) -> Result<String, IdentifierError> {
    let text = text.trim();
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c)) {
        return Err(IdentifierError::Characters);
    }
    if !(1..=64).contains(&text.len()) {
        return Err(IdentifierError::Length);
    }
    Ok(text.to_owned())
}

const UPN_LETTERS: &str = "ABCDEFGHJKLMNPQRTUVWXYZ";

#[cfg(test)]
mod tests;
