//! Identifiers of the education world: learners (ULN) and establishments (URN).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::IdentifierError;
use crate::personal::PersonalText;

/// A unique learner number: ten digits whose last is a check digit.
#[derive(Clone, PartialEq, Eq)]
pub struct Uln(PersonalText);

impl Uln {
    /// Parses ten digits and checks the check digit: 10 less the remainder by 11 of the weighted
    /// sum of the first nine (weights 10 to 2); a remainder of nought is never issued.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim();
        if !text.chars().all(|c| c.is_ascii_digit()) {
            return Err(IdentifierError::Characters);
        }
        if text.len() != 10 {
            return Err(IdentifierError::Length);
        }
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
        if digits.iter().all(|digit| Some(digit) == digits.first()) {
            return Err(IdentifierError::Filler);
        }
        let sum: u32 = digits.iter().take(9).zip((2..=10).rev()).map(|(d, w)| d * w).sum();
        let remainder = sum % 11;
        if remainder == 0 || digits.last() != Some(&(10 - remainder)) {
            return Err(IdentifierError::CheckDigit);
        }
        Ok(Self(PersonalText::new(text)))
    }

    /// The ten digits. For matching and the recipient's format only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Uln {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uln(hidden)")
    }
}

/// The unique reference number of a school or setting: six digits, the first not nought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Urn(String);

impl Urn {
    /// Parses six digits; there is no check digit.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim();
        if !text.chars().all(|c| c.is_ascii_digit()) {
            return Err(IdentifierError::Characters);
        }
        if text.len() != 6 {
            return Err(IdentifierError::Length);
        }
        if text.starts_with('0') || text.chars().all(|c| text.starts_with(c)) {
            return Err(IdentifierError::Filler);
        }
        Ok(Self(text.to_owned()))
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Urn {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, IdentifierError> {
        Self::parse(&text)
    }
}

impl From<Urn> for String {
    fn from(urn: Urn) -> Self {
        urn.0
    }
}
