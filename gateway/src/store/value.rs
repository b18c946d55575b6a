//! What is bound to a statement: integers, text and bytes, any of them absent.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// A value for a placeholder. The kind is known even when the value is absent: PostgreSQL asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

/// The values of a statement in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::value::Value::from($value)),*] };
}
pub(super) use values;

/// The name under which a state or type is stored: the one it is serialised with.
pub(super) fn name_of<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        // Only unit variants and text are passed here; a wrong name breaks a check constraint.
        Ok(_) | Err(_) => String::new(),
    }
}

/// The state or type of a stored name.
pub(super) fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// A count or place in the log as the databases hold it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

macro_rules! from {
    ($($kind:ty => $variant:ident, $convert:expr;)+) => {
        $(impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                let convert: fn($kind) -> _ = $convert;
                Self::$variant(Some(convert(value)))
            }
        }
        impl From<Option<$kind>> for Value {
            fn from(value: Option<$kind>) -> Self {
                let convert: fn($kind) -> _ = $convert;
                Self::$variant(value.map(convert))
            }
        })+
    };
}

from! {
    i64 => Int, |value| value;
    u64 => Int, whole;
    u32 => Int, i64::from;
    u16 => Int, i64::from;
    Timestamp => Int, |value| value.as_microsecond();
    String => Text, |value| value;
    &str => Text, str::to_owned;
    &OrganisationCode => Text, |value| value.as_str().to_owned();
    Date => Text, |value| value.to_string();
    Vec<u8> => Blob, |value| value;
    [u8; 32] => Blob, |value| value.to_vec();
    Uuid => Blob, |value| value.as_bytes().to_vec();
}
