//! `[reconciliation]`: when a day is reconciled with each partner.

use jiff::civil::Time;
use serde::{Deserialize, Deserializer, de::Error};

/// `[reconciliation]`: when a day is reconciled with each partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconciliationSection {
    /// The time at which a day closes, by London's clocks.
    #[serde(deserialize_with = "hours_and_minutes")]
    pub at: Time,
}

impl Default for ReconciliationSection {
    fn default() -> Self {
        Self { at: Time::constant(18, 0, 0, 0) }
    }
}

fn hours_and_minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom("at is a time of day as \"18:00\", in hours and minutes");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    if hours.len() != 2 || minutes.len() != 2 {
        return Err(wrong());
    }
    let (hours, minutes) = (hours.parse().or(Err(wrong()))?, minutes.parse().or(Err(wrong()))?);
    Time::new(hours, minutes, 0, 0).or(Err(wrong()))
}
