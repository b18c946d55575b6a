//! The queue: what was raised or drawn, who may look into it, and how it is signed off.
//!
//! Reasons are codes of closed lists: free text would be personal data, of a child or of whoever is
//! suspected. Every look is in the log before it is answered, and every decision with it.

use jiff::{SignedDuration, Timestamp};
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SAMPLE;
use crate::app::App;
use crate::audit::{Actor, Entry, Event, EventKind, purpose};
use crate::clock::london_time;
use crate::queue::DeliveryId;
use crate::store::{
    AlertDecision, AlertFilter, AlertPlace, AlertWrite, Change, ESCALATED, StoreError, StoredAlert,
    Write,
};
use crate::telemetry::name_of;

/// Who looks into alerts. Without `Debug`: it holds a user id.
#[derive(Clone)]
pub struct Reviewer {
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// As the log knows them.
    pub actor: Actor,
    /// Their user id, to be compared with that of who acted in any organisation; never kept.
    pub user: String,
    /// Whether they look into everybody's alerts.
    pub sees_all: bool,
}

/// What somebody makes of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was right, or there was good reason for it.
    Justified,
    /// It was not.
    NotJustified,
    /// Somebody else must say.
    Escalate,
}

/// Why nothing was done about an alert.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// There is no such alert for this person.
    #[error("there is no such alert for this person")]
    NotFound,
    /// The person may not do this themselves.
    #[error("{0}")]
    NotYours(&'static str),
    /// It is closed, or decided elsewhere.
    #[error("{0}")]
    AlreadyDecided(&'static str),
    /// These days, or some of them, were drawn from before; by which draw.
    #[error("{0}")]
    Drawn(String),
    /// A code or a number is not one that may be given.
    #[error("{0}")]
    Code(&'static str),
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
    /// The operating system had no randomness to give.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

/// An alert in the list. It names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertLine {
    /// Its reference.
    pub alert: Uuid,
    /// The rule; `sample` for what was drawn.
    pub rule: String,
    /// What it means.
    pub words: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Whose person or system it was; `gateway` at the machine's own prompt.
    pub organisation: String,
    /// To whom something went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<String>,
    /// Who looks into it.
    pub reviewers: String,
    /// Since when.
    pub since: Timestamp,
    /// For how many whole days it was or is open.
    pub age_days: i64,
    /// Whether it should have been looked into by now.
    pub overdue: bool,
    /// How many entries of the log it is about.
    pub entries: u64,
    /// `open`, `escalated`, `justified` or `not-justified`.
    pub state: String,
    /// The review that decides it, for a release in an emergency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Uuid>,
}

/// An alert with what it is about and what was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertView {
    /// As in the list.
    #[serde(flatten)]
    pub line: AlertLine,
    /// The version of the rules it was raised by.
    pub rules_version: String,
    /// The entries of the log, at most 200 of them. Not about whom: the record and the delivery tell
    /// that to those who may open them, and their opening is in the log.
    pub concerns: Vec<EntryLine>,
    /// Its sign-off, oldest first.
    pub decisions: Vec<DecisionLine>,
}

/// An entry that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryLine {
    /// Its place in the log.
    pub entry: u64,
    /// When, by London's clocks.
    pub when: String,
    /// What happened.
    pub what: String,
    /// Whose person or system.
    pub organisation: String,
    /// The person, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How they came in.
    pub method: String,
    /// The type of message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    /// The other organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<OrganisationCode>,
    /// The reason that was given, or the purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One step of a sign-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionLine {
    /// `justified`, `not-justified` or `escalated`.
    pub outcome: String,
    /// Why, as a code.
    pub reason: String,
    /// Whose person decided.
    pub organisation: String,
    /// Who, as a keyed pseudonym.
    pub person: String,
    /// When.
    pub at: Timestamp,
}

/// Alerts, oldest first. `Ok` only once the look is in the log.
pub async fn list(
    app: &App,
    filter: &AlertFilter,
    after: Option<AlertPlace>,
    limit: u32,
    actor: &Actor,
) -> Result<Vec<AlertLine>, StoreError> {
    let found = app.store.alerts(filter, after, limit).await?;
    let event = Event::new(EventKind::AlertViewed, actor.clone()).with("alerts", found.len());
    app.store.commit(Change::because(event)).await?;
    Ok(found.into_iter().map(|alert| line(app, alert)).collect())
}

/// One alert with its entries and its sign-off; `own` when only what that organisation looks into
/// itself is shown. `Ok` only once the look is in the log.
pub async fn show(
    app: &App,
    id: Uuid,
    own: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<AlertView>, StoreError> {
    let alert = app.store.find_alert(id).await?;
    let Some(alert) = alert.filter(|alert| may_see(alert, own)) else { return Ok(None) };
    let event = Event::new(EventKind::AlertViewed, actor.clone()).with("alert", id);
    app.store.commit(Change::because(event)).await?;
    let concerned = app.store.alert_entries(id, 0, ENTRIES_SHOWN).await?;
    let seqs: Vec<u64> = concerned.iter().map(|entry| entry.seq).collect();
    let rows = app.store.audit_rows_at(&seqs).await?;
    let entries = rows.iter().filter_map(|row| serde_json::from_slice::<Entry>(&row.leaf).ok());
    let concerns = entries.map(entry_line).collect();
    let decisions = app.store.alert_decisions(id).await?;
    let decisions = decisions.into_iter().map(|one| DecisionLine {
        outcome: one.outcome,
        reason: one.reason,
        organisation: one.organisation,
        person: one.person,
        at: one.at,
    });
    let rules_version = alert.rules_version.clone();
    let decisions = decisions.collect();
    Ok(Some(AlertView { line: line(app, alert), rules_version, concerns, decisions }))
}

/// The change by which somebody signs an alert off or passes it on. Never who acted, nor somebody
/// who cannot be told apart from who acted; and whoever passed it on does not close it.
pub async fn decide(
    app: &App,
    reviewer: &Reviewer,
    id: Uuid,
    (outcome, reason): (Outcome, &str),
) -> Result<Change, AlertError> {
    let own = (!reviewer.sees_all).then_some(&reviewer.organisation);
    let alert = app.store.find_alert(id).await?;
    let alert = alert.filter(|alert| may_see(alert, own)).ok_or(AlertError::NotFound)?;
    if alert.closed.is_some() {
        return Err(AlertError::AlreadyDecided("The alert was closed before."));
    }
    if alert.review.is_some() {
        return Err(AlertError::AlreadyDecided(
            "The review of the emergency decides it: POST /v1/reviews/{review}/decision.",
        ));
    }
    if !outcome.reasons().contains(&reason) {
        return Err(AlertError::Code("Use a reason of the list of this outcome."));
    }
    let decisions = app.store.alert_decisions(id).await?;
    let names = app.vault.pseudonyms();
    let who = names.anywhere(&reviewer.user);
    if outcome == Outcome::Escalate && alert.escalated_at.is_some() {
        return Err(AlertError::AlreadyDecided("The alert was passed on before; close it."));
    }
    if decisions.iter().any(|one| one.who == who) {
        return Err(AlertError::NotYours("You passed it on; somebody else must close it."));
    }
    somebody_else(app, reviewer, &alert).await?;
    let decision = AlertDecision {
        outcome: outcome.recorded_as().to_owned(),
        reason: reason.to_owned(),
        organisation: reviewer.organisation.to_string(),
        person: reviewer.actor.person.clone().unwrap_or_default(),
        who,
        // What was added since is somebody's who was not compared: the store refuses then.
        entries: alert.entries,
        at: app.clock.now(),
    };
    let event = Event::new(EventKind::AlertDecided, reviewer.actor.clone())
        .with("alert", id)
        .with("outcome", &decision.outcome)
        .with("reason", reason);
    Ok(Change::because(event).write(Write::Alert(AlertWrite::Decided(id, decision))))
}

/// Refuses who acted, and who might be: where nobody is named, anybody of that organisation.
async fn somebody_else(
    app: &App,
    reviewer: &Reviewer,
    alert: &StoredAlert,
) -> Result<(), AlertError> {
    let names = app.vault.pseudonyms();
    let own = reviewer.organisation.as_str();
    for (organisation, person) in app.store.acted_in_alert(alert.id).await? {
        // Whoever sits at the machine is of the organisation that runs the gateway. A login tells them
        // apart from nobody there: a user id of that organisation need not be written like it.
        let at_the_prompt = organisation == "gateway";
        let theirs = if at_the_prompt { app.organisation().as_str() } else { &organisation };
        let Some(person) = person else {
            if theirs == own {
                return Err(AlertError::NotYours(UNTOLD));
            }
            continue;
        };
        let code = OrganisationCode::parse(theirs).or(Err(AlertError::NotYours(UNTOLD)))?;
        if names.person(&code, &reviewer.user) == person {
            return Err(AlertError::NotYours(ACTED));
        }
    }
    // At the prompt somebody acted, or a system sent it and the message itself said for whom.
    let told = names.person(&reviewer.organisation, &reviewer.user);
    let who = names.anywhere(&reviewer.user);
    let mut from = 0;
    // All of them, however many are shown: who acted in the last is who acted, too.
    loop {
        let entries = app.store.alert_entries(alert.id, from, ENTRIES_SHOWN).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        from = last.seq.saturating_add(1);
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        for row in app.store.audit_rows_at(&seqs).await? {
            let Ok(entry) = serde_json::from_slice::<Entry>(&row.leaf) else { continue };
            if typed_by(&entry.event.actor, &[&who, &told]) {
                return Err(AlertError::NotYours(ACTED));
            }
            let sent = Some(entry).filter(|entry| entry.event.kind == EventKind::SharingDecided);
            let Some(record) = sent.and_then(|entry| entry.event.record) else { continue };
            if app.store.acted_for(record).await?.as_deref() == Some(who.as_str()) {
                return Err(AlertError::NotYours(ACTED));
            }
        }
    }
}

/// Whether a login at the prompt is one of these pseudonyms, or says so.
fn typed_by(actor: &Actor, any: &[&String]) -> bool {
    let named = [&actor.person, &actor.claimed];
    actor.is_at_the_prompt() && named.into_iter().flatten().any(|one| any.contains(&one))
}

fn may_see(alert: &StoredAlert, own: Option<&OrganisationCode>) -> bool {
    own.is_none_or(|own| {
        alert.organisation == own.as_str() && alert.reviewers == "own-organisation"
    })
}

fn line(app: &App, alert: StoredAlert) -> AlertLine {
    let now = app.clock.now();
    let until = alert.closed.as_ref().map_or(now, |(_, at)| *at);
    let open = until.duration_since(alert.raised_at).max(SignedDuration::ZERO);
    let words = match app.odd_access().rule(&alert.rule) {
        Some(rule) => rule.words.clone(),
        None if alert.rule == SAMPLE => SAMPLE_WORDS.to_owned(),
        None => "A rule that is not in force any more.".to_owned(),
    };
    let state = match (&alert.closed, alert.escalated_at) {
        (Some((outcome, _)), _) => outcome.clone(),
        (None, Some(_)) => ESCALATED.to_owned(),
        (None, None) => "open".to_owned(),
    };
    AlertLine {
        alert: alert.id,
        words,
        severity: alert.severity,
        counterparty: alert.counterparty,
        reviewers: alert.reviewers,
        since: alert.raised_at,
        age_days: open.as_hours() / 24,
        overdue: alert.closed.is_none() && now > alert.review_by,
        entries: alert.entries,
        state,
        review: alert.review,
        organisation: alert.organisation,
        rule: alert.rule,
    }
}

fn entry_line(entry: Entry) -> EntryLine {
    let at = entry.at();
    let Event { kind, actor, record, delivery, message_type, counterparty, mut detail, .. } =
        entry.event;
    EntryLine {
        entry: entry.seq,
        when: london_time(at).strftime("%Y-%m-%d %H:%M").to_string(),
        what: name_of(kind),
        organisation: actor.organisation,
        person: actor.person,
        role: actor.role,
        method: actor.method,
        message_type,
        record,
        delivery,
        counterparty,
        reason: detail.remove("reason").or_else(|| detail.remove(purpose::NAME)),
    }
}

impl Outcome {
    /// The reasons there may be for it.
    pub fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::Justified => &JUSTIFIED_REASONS,
            Self::NotJustified => &NOT_JUSTIFIED_REASONS,
            Self::Escalate => &ESCALATE_REASONS,
        }
    }

    fn recorded_as(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not-justified",
            Self::Escalate => ESCALATED,
        }
    }
}

/// What may be made of an alert.
pub const OUTCOMES: [&str; 3] = ["justified", "not-justified", "escalate"];
/// Why an access was right.
pub const JUSTIFIED_REASONS: [&str; 6] = [
    "legitimate-relationship",
    "task-of-the-role",
    "on-call-or-agreed-hours",
    "covering-for-a-colleague",
    "same-name-or-place-by-chance",
    "new-recipient-agreed",
];
/// Why it was not.
pub const NOT_JUSTIFIED_REASONS: [&str; 5] = [
    "no-business-need",
    "own-family-or-acquaintance",
    "credentials-misused",
    "wrong-recipient",
    "more-than-was-needed",
];
/// Why somebody else must say.
pub const ESCALATE_REASONS: [&str; 4] = [
    "possible-breach",
    "needs-information-governance",
    "needs-human-resources",
    "reviewer-is-not-independent",
];
/// All of them, for the description of the API.
pub const REASONS: [&str; 15] = [
    "legitimate-relationship",
    "task-of-the-role",
    "on-call-or-agreed-hours",
    "covering-for-a-colleague",
    "same-name-or-place-by-chance",
    "new-recipient-agreed",
    "no-business-need",
    "own-family-or-acquaintance",
    "credentials-misused",
    "wrong-recipient",
    "more-than-was-needed",
    "possible-breach",
    "needs-information-governance",
    "needs-human-resources",
    "reviewer-is-not-independent",
];

const ACTED: &str =
    "You are who acted, or the message was sent for you; somebody else must decide.";
const UNTOLD: &str = "Nobody is named who acted, so that it might have been you: somebody of another organisation must decide.";
const SAMPLE_WORDS: &str =
    "An access drawn at random: a line manager confirms that there was a need for it.";
/// Entries shown of one alert; it may have more.
const ENTRIES_SHOWN: u32 = 200;
