//! What a statement says: its lines, and the totals they add up to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::pipeline::{RECALLED, SUPERSEDED};
use crate::queue::{DeliveryState, LegState, SubmissionId};
use crate::store::{
    Parcelled, ParcelledTo, Refused, Span, StatementId, StoreError, StoredDifference,
};

/// A day with a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The gateway, by the origin of its log.
    pub iss: String,
    /// The partner.
    pub aud: OrganisationCode,
    /// When it was made, in seconds since 1970 UTC.
    pub iat: i64,
    /// The civil day on which it closes.
    pub day: Date,
    /// From 1; a day that is computed anew is another version.
    pub version: u32,
    /// When the day closed.
    pub closed_at: Timestamp,
    /// When it was made; states are as they were then.
    pub made_at: Timestamp,
    /// The first entry of the log that it covers.
    pub from_entry: u64,
    /// The entry after the last that it covers.
    pub until_entry: u64,
    /// Every item on one line.
    pub lines: Vec<Line>,
    /// What the lines add up to.
    pub totals: Totals,
    /// The deliveries that wait here for the partner.
    pub held_for_you: Vec<Uuid>,
    /// Differences that nobody has explained, and those explained since the last statement.
    pub differences: Vec<Open>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The delivery; the record when it goes to nobody; or the quarantined item.
    pub item: Uuid,
    /// Who sent it to whom, and whether it is of this day.
    pub direction: Direction,
    /// Where it stands.
    pub state: LineState,
    /// What kind of message; none for what could not be accepted.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<MessageType>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<RecordId>,
    /// The submission it came in, for the sender.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub submission: Option<SubmissionId>,
    /// The other organisation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub with: Option<OrganisationCode>,
    /// The service asked, for requests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceCode>,
    /// The rules behind the state.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rules: Vec<String>,
    /// When it was accepted, or not.
    pub at: Timestamp,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opened_at: Option<Timestamp>,
    /// When its recipient acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged_at: Option<Timestamp>,
    /// Where its leg stands, for requests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leg: Option<LegState>,
}

/// Who sent an item to whom, and whether it is of this day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Sent by the partner on this day.
    FromYou,
    /// Sent to the partner on this day.
    ToYou,
    /// Sent by the partner before, and not settled then.
    FromYouBefore,
    /// Sent to the partner before, and not settled then.
    ToYouBefore,
}

/// Where an item stands. Every item is in exactly one of these states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineState {
    /// Received, and for nobody else: recorded.
    Received,
    /// Waits for its recipient, or for the next attempt.
    Queued,
    /// Waits for a person's decision.
    Held,
    /// Opened: collected, or taken by the recipient's endpoint.
    Opened,
    /// The recipient took it on.
    Acknowledged,
    /// The recipient refused it.
    Rejected,
    /// A request that was answered.
    Answered,
    /// Stopped before it was opened: the authority for it does not hold.
    Withdrawn,
    /// Its sender took it back.
    Recalled,
    /// A newer message took its place before it was opened.
    Superseded,
    /// It did not arrive, and is not tried again.
    Failed,
    /// It may or may not have arrived.
    Unknown,
    /// Kept in quarantine with its reasons.
    Quarantined,
    /// The submission as a whole was refused; kept in quarantine with its reasons.
    Refused,
    /// Waited for the scanner and was taken up again; what it became has a line of its own.
    Retaken,
}

/// What the lines add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// How many lines there are.
    pub lines: u64,
    /// How many of each direction, by state.
    pub of: BTreeMap<Direction, BTreeMap<LineState, u64>>,
}

/// A difference as a statement carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Its id.
    pub difference: Uuid,
    /// The day it was raised about.
    pub day: Date,
    /// The item.
    pub item: Uuid,
    /// What the partner said, by code.
    pub code: String,
    /// When the partner said so.
    pub raised_at: Timestamp,
    /// How it was explained, by code; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub explanation: Option<String>,
    /// When it was explained.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub explained_at: Option<Timestamp>,
}

impl Statement {
    /// Computes the statement of a stretch of the log as everything stands now.
    pub(super) async fn of(
        app: &App,
        id: &StatementId,
        span: Span,
        closed_at: Timestamp,
    ) -> Result<Self, StoreError> {
        let (store, partner, now) = (&app.store, &id.partner, app.clock.now());
        let mut lines = Vec::new();
        let parts = [
            (Direction::FromYou, store.sent_by(partner, span).await?),
            (Direction::ToYou, store.sent_to(partner, span).await?),
            (Direction::FromYouBefore, store.carried_by(partner, span).await?),
            (Direction::ToYouBefore, store.carried_to(partner, span).await?),
        ];
        for (direction, items) in parts {
            lines.extend(items.into_iter().map(|item| Line::of_parcelled(item, direction)));
        }
        let refused = store.refused_of(partner, span).await?;
        lines.extend(refused.iter().map(Line::of_refused));
        lines.sort_by(|one, other| {
            (one.direction, one.at, one.item).cmp(&(other.direction, other.at, other.item))
        });
        let since = store.statement_before(partner, id.day).await?.map(|before| before.made_at);
        let differences = store.differences(Some(partner), since, DIFFERENCES_SHOWN).await?;
        Ok(Self {
            iss: app.origin().to_owned(),
            aud: partner.clone(),
            iat: now.as_second(),
            day: id.day,
            version: id.version,
            closed_at,
            made_at: now,
            from_entry: span.from,
            until_entry: span.until,
            totals: Totals::of(&lines),
            held_for_you: waiting(&lines),
            lines,
            differences: differences.into_iter().map(Open::of).collect(),
        })
    }

    /// Whether the statement is whole in itself: the totals are those of the lines, no item has two
    /// lines of one direction, and what waits is what is listed as waiting.
    pub fn balances(&self) -> bool {
        let mut seen = BTreeSet::new();
        let own = |direction| matches!(direction, Direction::FromYou | Direction::FromYouBefore);
        let once = self.lines.iter().all(|line| seen.insert((own(line.direction), line.item)));
        once && self.totals == Totals::of(&self.lines) && self.held_for_you == waiting(&self.lines)
    }
}

fn waiting(lines: &[Line]) -> Vec<Uuid> {
    let theirs = |line: &&Line| {
        line.state == LineState::Queued
            && matches!(line.direction, Direction::ToYou | Direction::ToYouBefore)
    };
    lines.iter().filter(theirs).map(|line| line.item).collect()
}

impl Totals {
    /// Counts lines.
    pub fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            totals.lines += 1;
            *totals.of.entry(line.direction).or_default().entry(line.state).or_default() += 1;
        }
        totals
    }
}

impl Line {
    fn of_parcelled(item: Parcelled, direction: Direction) -> Self {
        let own = matches!(direction, Direction::FromYou | Direction::FromYouBefore);
        let mut line = Self {
            item: item.record.0,
            direction,
            state: LineState::Received,
            kind: Some(item.kind),
            record: Some(item.record),
            submission: own.then_some(item.submission),
            with: (!own).then_some(item.sender),
            service: None,
            rules: Vec::new(),
            at: item.accepted_at,
            opened_at: None,
            acknowledged_at: None,
            leg: None,
        };
        if let Some(delivery) = item.delivery {
            line.item = delivery.id.0;
            line.state = state_of(&delivery);
            if own {
                line.with = Some(delivery.recipient);
            }
            line.service = delivery.service;
            line.rules = delivery.reason.into_iter().collect();
            line.opened_at = delivery.delivered_at;
            line.acknowledged_at = delivery.acknowledged_at;
            line.leg = delivery.leg;
        }
        line
    }

    fn of_refused(item: &Refused) -> Self {
        let state = if item.retaken {
            LineState::Retaken
        } else if item.status >= 400 {
            LineState::Refused
        } else {
            LineState::Quarantined
        };
        Self {
            item: item.id,
            direction: Direction::FromYou,
            state,
            kind: None,
            record: None,
            submission: Some(item.submission),
            with: None,
            service: None,
            rules: rules_of(&item.issues),
            at: item.at,
            opened_at: None,
            acknowledged_at: None,
            leg: None,
        }
    }
}

/// The rules that something was not accepted under, each once.
fn rules_of(issues: &str) -> Vec<String> {
    let issues: Vec<schemas::Issue> = serde_json::from_str(issues).unwrap_or_default();
    let rules: BTreeSet<String> =
        issues.into_iter().filter(schemas::Issue::is_error).map(|issue| issue.rule).collect();
    rules.into_iter().collect()
}

fn state_of(delivery: &ParcelledTo) -> LineState {
    let answered = delivery.leg.is_some_and(|leg| leg != LegState::Withheld && !leg.is_open());
    if answered && !matches!(delivery.state, DeliveryState::Withdrawn | DeliveryState::Held) {
        return LineState::Answered;
    }
    match delivery.state {
        DeliveryState::Withdrawn => match delivery.reason.as_deref() {
            Some(RECALLED) => LineState::Recalled,
            Some(SUPERSEDED) => LineState::Superseded,
            Some(_) | None => LineState::Withdrawn,
        },
        DeliveryState::Held => LineState::Held,
        DeliveryState::Queued => LineState::Queued,
        DeliveryState::Delivered => LineState::Opened,
        DeliveryState::Accepted => LineState::Acknowledged,
        DeliveryState::Rejected => LineState::Rejected,
        DeliveryState::Failed => LineState::Failed,
        DeliveryState::Unknown => LineState::Unknown,
    }
}

impl Open {
    fn of(stored: StoredDifference) -> Self {
        let (explanation, explained_at) = match stored.explained {
            Some((said, at)) => (Some(said.code), Some(at)),
            None => (None, None),
        };
        Self {
            difference: stored.id,
            day: stored.about.day,
            item: stored.item,
            code: stored.code,
            raised_at: stored.raised_at,
            explanation,
            explained_at,
        }
    }
}

/// The most differences on one statement; more than these is a fault to talk about.
const DIFFERENCES_SHOWN: u32 = 5_000;
