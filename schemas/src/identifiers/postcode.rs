//! Postcodes: the shape of BS 7666, and the fillers that stand in their place.

use std::fmt;

use super::IdentifierError;
use crate::personal::PersonalText;

/// A United Kingdom postcode in capitals with one space, for example `B91 3QB`.
///
/// The shape only: whether such a postcode was ever allotted is not known here.
#[derive(Clone, PartialEq, Eq)]
pub struct Postcode(PersonalText);

impl Postcode {
    /// Parses a postcode with or without its space, in any case.
    ///
    /// Fillers are refused as [`IdentifierError::Filler`]: any number of `X`, words such as
    /// `nope` and `nopostcode`, and the pseudo postcodes that begin with `ZZ99`.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let compact: Vec<char> =
            text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        let joined: String = compact.iter().collect();
        let all_x = !compact.is_empty() && compact.iter().all(|c| *c == 'X');
        if all_x || FILLERS.contains(&joined.as_str()) || joined.starts_with("ZZ99") {
            return Err(IdentifierError::Filler);
        }
        if !(5..=7).contains(&compact.len()) {
            return Err(IdentifierError::Length);
        }
        let (outward, inward) = compact.split_at(compact.len() - 3);
        if !(is_outward(outward) && is_inward(inward)) && joined != "GIR0AA" {
            return Err(IdentifierError::Characters);
        }
        let outward: String = outward.iter().collect();
        let inward: String = inward.iter().collect();
        Ok(Self(PersonalText::new(format!("{outward} {inward}"))))
    }

    /// The postcode. For the recipient's format only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Postcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postcode(hidden)")
    }
}

/// The area and district: `A9`, `A99`, `A9A`, `AA9`, `AA99` or `AA9A`, each with its own letters.
fn is_outward(chars: &[char]) -> bool {
    let first = |c: char| c.is_ascii_uppercase() && !"QVX".contains(c);
    let second = |c: char| c.is_ascii_uppercase() && !"IJZ".contains(c);
    let digit = |c: char| c.is_ascii_digit();
    match *chars {
        [a, n] => first(a) && digit(n),
        [a, n, c] if digit(n) => first(a) && (digit(c) || "ABCDEFGHJKPSTUW".contains(c)),
        [a, b, n] => first(a) && second(b) && digit(n),
        [a, b, n, c] => {
            first(a) && second(b) && digit(n) && (digit(c) || "ABEHMNPRVWXY".contains(c))
        }
        _ => false,
    }
}

/// The sector and unit: a digit and two letters, never `C I K M O V`.
fn is_inward(chars: &[char]) -> bool {
    let unit = |c: char| c.is_ascii_uppercase() && !"CIKMOV".contains(c);
    matches!(*chars, [n, a, b] if n.is_ascii_digit() && unit(a) && unit(b))
}

/// What people and systems write where there is no postcode, in capitals without spaces.
const FILLERS: [&str; 10] =
    ["NOPE", "NOPOSTCODE", "NONE", "NULL", "NA", "N/A", "#N/A", "UNKNOWN", "NOTKNOWN", "-1"];
