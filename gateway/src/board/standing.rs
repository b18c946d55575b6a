//! How a leg stands on a day: in time, excused, overdue, late, nil, or with somebody to act.
//!
//! One reckoning for the board of today and for the figures of a past month. Pure.

use jiff::civil::Date;
use serde::Serialize;

use crate::queue::{Leg, LegState};
use crate::store::LegSnapshot;

/// How a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// An answer is owed, and there is time.
    InTime,
    /// An answer is owed in time, and the service says that it will be late without excuse.
    LateForecast,
    /// An answer is owed; being late is excused until the new date (regulation 8(2)).
    Excused,
    /// An answer is owed, late, and nothing excuses it.
    Overdue,
    /// Advice was given, or found sufficient, in time.
    OnTime,
    /// It came after the statutory date, and that was excused.
    AnsweredExcused,
    /// It came late, and nothing excused that.
    AnsweredLate,
    /// A nil return: the leg is unmet.
    Nil,
    /// The service does not take it on.
    Rejected,
    /// Another organisation is to be asked.
    Redirected,
    /// The person objects.
    Objection,
    /// The request is held or stopped: it was not put to the service.
    Withheld,
}

impl Standing {
    /// What it means, in a sentence for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::InTime => "An answer is owed, and there is time.",
            Self::LateForecast => {
                "An answer is owed in time, and the service says it will be late; nothing excuses that."
            }
            Self::Excused => {
                "An answer is owed; being late is excused until the new date (regulation 8(2))."
            }
            Self::Overdue => "An answer is owed, its date has passed, and nothing excuses that.",
            Self::OnTime => "Advice was given, or found sufficient, in time.",
            Self::AnsweredExcused => "It came after the statutory date, and that was excused.",
            Self::AnsweredLate => "It came late, and nothing excused that.",
            Self::Nil => {
                "The service does not know the person: the leg is unmet, and the authority must still secure the advice."
            }
            Self::Rejected => "The service does not take it on.",
            Self::Redirected => "Another organisation is to be asked.",
            Self::Objection => "The person objects; people must decide.",
            Self::Withheld => "The request is held or stopped: it was not put to the service.",
        }
    }
}

/// Who must act on a leg that the clock no longer drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// A nil return: the authority must still secure the advice.
    LegUnmet,
    /// The person objects: people decide.
    Objection,
    /// The service refused: the authority asks another, or again.
    Rejected,
    /// Another organisation was named and has not been asked yet.
    AskElsewhere,
}

/// What the reckoning needs of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The state.
    pub state: LegState,
    /// The statutory date.
    pub statutory_due: Date,
    /// The new expected date of an exception that was shown.
    pub expected_on: Option<Date>,
    /// The date of a forecast.
    pub forecast_on: Option<Date>,
    /// When it was answered.
    pub answered_on: Option<Date>,
}

impl Facts {
    /// The statutory date, or the later one of an exception that was shown.
    pub fn date_that_counts(&self) -> Date {
        self.expected_on.map_or(self.statutory_due, |expected| expected.max(self.statutory_due))
    }

    /// How it stands on a day.
    pub fn standing(&self, on: Date) -> Standing {
        match self.state {
            LegState::Waiting | LegState::Accepted | LegState::Exception | LegState::Partial => {
                self.owed(on)
            }
            LegState::Answered | LegState::Sufficient => self.answered(),
            LegState::Nil => Standing::Nil,
            LegState::Rejected => Standing::Rejected,
            LegState::Redirected => Standing::Redirected,
            LegState::Objection => Standing::Objection,
            LegState::Withheld => Standing::Withheld,
        }
    }

    fn owed(&self, on: Date) -> Standing {
        if on > self.date_that_counts() {
            Standing::Overdue
        } else if on > self.statutory_due {
            Standing::Excused
        } else if self.forecast_on.is_some_and(|forecast| forecast > self.date_that_counts()) {
            Standing::LateForecast
        } else {
            Standing::InTime
        }
    }

    fn answered(&self) -> Standing {
        match self.answered_on {
            Some(answered) if answered > self.date_that_counts() => Standing::AnsweredLate,
            Some(answered) if answered > self.statutory_due => Standing::AnsweredExcused,
            Some(_) | None => Standing::OnTime,
        }
    }
}

impl From<&Leg> for Facts {
    fn from(leg: &Leg) -> Self {
        Self {
            state: leg.state,
            statutory_due: leg.statutory_due,
            expected_on: leg.expected_on,
            forecast_on: leg.forecast_on,
            answered_on: leg.answered_on,
        }
    }
}

impl From<&LegSnapshot> for Facts {
    fn from(leg: &LegSnapshot) -> Self {
        Self {
            state: leg.state,
            statutory_due: leg.statutory_due,
            expected_on: leg.expected_on,
            forecast_on: leg.forecast_on,
            answered_on: leg.answered_on,
        }
    }
}

/// Who must act on a leg, if the clock does not say so.
pub(super) fn attention(leg: &Leg) -> Option<Attention> {
    match leg.state {
        LegState::Nil => Some(Attention::LegUnmet),
        LegState::Objection => Some(Attention::Objection),
        LegState::Rejected => Some(Attention::Rejected),
        LegState::Redirected if leg.replaced_by.is_none() => Some(Attention::AskElsewhere),
        LegState::Redirected
        | LegState::Waiting
        | LegState::Accepted
        | LegState::Exception
        | LegState::Partial
        | LegState::Answered
        | LegState::Sufficient
        | LegState::Withheld => None,
    }
}

#[cfg(test)]
mod tests;
