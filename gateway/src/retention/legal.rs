//! Legal holds: nothing of a person, a case or anything is removed while one is in force.
//!
//! A named person whose organisation vouches for them places one, with a reason of a closed list and
//! the reference of whoever ordered it; another person lifts it. Both are in the log. Of a person or a
//! case the log does not say why: partners read it, and would learn of an inquiry. A keyed hash of
//! reason and reference vouches for what the store has.
//!
//! It must never know HTTP or SQL. Use: [`place`] and [`lift`] give the change to commit, [`lines`]
//! looks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::OrganisationCode;
use serde::Serialize;
use uuid::Uuid;

use super::plan::{LEGAL_HOLD, LEGAL_HOLD_MAY};
use crate::app::App;
use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::entropy::hex;
use crate::holds::{HoldError, Person};
use crate::queue::CaseId;
use crate::store::{
    Change, HeldScope, HoldActor, Lifted, NewLegalHold, RetentionWrite, ScopeName, Store,
    StoreError, StoredLegalHold, Whose, Write,
};
use crate::telemetry::name_of;

/// A legal hold as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct LegalHoldLine {
    /// Its id.
    pub id: Uuid,
    /// What it is on.
    pub scope: ScopeName,
    /// The person: the first digits of a keyed pseudonym in hexadecimal, as a search of the log has
    /// them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The pseudonym itself, for tables that make their own mark of it; nobody is given it.
    #[serde(skip)]
    pub(crate) person: Option<SubjectKey>,
    /// The case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Uuid>,
    /// How many records the gateway has of the person, under every pseudonym that means them. With
    /// none, nothing of them is kept by it: it may stand under an id of their authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Why, a code.
    pub reason: String,
    /// The reference of whoever ordered it.
    pub reference: String,
    /// Whose person placed it.
    pub placed_for: OrganisationCode,
    /// Who, as a keyed pseudonym.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// Whether it is in force.
    pub in_force: bool,
    /// Why it was lifted, a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_because: Option<String>,
    /// Whose person lifted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_for: Option<OrganisationCode>,
    /// Who, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Timestamp>,
}

/// The legal holds in force, ready to be asked about one thing after another.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce {
    placed: u64,
    lifted: u64,
    everything: bool,
    subjects: BTreeSet<SubjectKey>,
    cases: BTreeSet<CaseId>,
}

impl InForce {
    /// Reads them; a person is meant under every pseudonym that means them.
    pub(super) async fn read(store: &Store) -> Result<Self, StoreError> {
        let mut held = Self::default();
        for one in store.legal_holds().await? {
            held.placed += 1;
            if one.lifted.is_some() {
                held.lifted += 1;
                continue;
            }
            match one.hold.scope {
                HeldScope::Everything => held.everything = true,
                HeldScope::Case(case) => {
                    held.cases.insert(case);
                }
                HeldScope::Person(subject) => {
                    held.subjects.extend(store.pseudonyms_of(subject).await?);
                }
            }
        }
        Ok(held)
    }

    /// How many were placed ever, and lifted of these.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.placed, self.lifted)
    }

    /// Whether one keeps something. Where it is not known about whom it is, any may.
    pub(super) fn keeps(&self, whose: &Whose) -> Option<&'static str> {
        let person = whose.subject.is_some_and(|subject| self.subjects.contains(&subject));
        let case = whose.case.is_some_and(|case| self.cases.contains(&case));
        let known = (self.everything || person || case).then_some(LEGAL_HOLD);
        known.or_else(|| if whose.subject.is_none() { self.may_keep() } else { None })
    }

    /// Whether one may be on something of which it is not known whose it is: then it is kept.
    pub(super) fn may_keep(&self) -> Option<&'static str> {
        if self.everything {
            return Some(LEGAL_HOLD);
        }
        (self.placed > self.lifted).then_some(LEGAL_HOLD_MAY)
    }
}

/// Every legal hold, oldest first. `Ok` only once the look is in the log.
pub async fn lines(app: &App, actor: &Actor) -> Result<Vec<LegalHoldLine>, StoreError> {
    let holds = app.store.legal_holds().await?;
    let event = Event::new(EventKind::RetentionViewed, actor.clone())
        .with("what", "legal-holds")
        .with("rows", holds.len());
    app.store.commit(Change::because(event)).await?;
    let mut lines = Vec::with_capacity(holds.len());
    for hold in holds {
        let records = records_under(&app.store, &hold.hold.scope).await?;
        lines.push(LegalHoldLine { records, ..hold.into() });
    }
    Ok(lines)
}

/// How many records there are of the person that a legal hold is on; `None` when it is on no person.
pub async fn records_under(store: &Store, scope: &HeldScope) -> Result<Option<u64>, StoreError> {
    let HeldScope::Person(subject) = scope else { return Ok(None) };
    let mut records = 0;
    for one in store.pseudonyms_of(*subject).await? {
        records += store.records_about(one).await?;
    }
    Ok(Some(records))
}

/// The change by which a person places a legal hold, and its id.
pub async fn place(
    app: &App,
    person: &Person,
    scope: HeldScope,
    (reason, reference): (&str, &str),
) -> Result<(Uuid, Change), HoldError> {
    if !REASONS.contains(&reason) {
        return Err(HoldError::Code("Use a reason of the list."));
    }
    if !is_reference(reference) {
        return Err(HoldError::Code(REFERENCE_FORM));
    }
    let id = app.make_id()?;
    let mut event = Event::new(EventKind::LegalHoldPlaced, person.actor.clone())
        .with("legal_hold", id)
        .with("scope", name_of(scope.name()));
    match scope {
        HeldScope::Person(subject) => event.subject = Some(subject),
        HeldScope::Case(case) => {
            if app.store.messages_of_case(case, 1).await?.is_empty() {
                return Err(HoldError::NotFound);
            }
            // Partners know the case's id, and would follow it through the years.
            let on = format!("{id}\n{case}");
            let on = app.vault.pseudonyms().recognition("legal-hold-on", on.as_bytes());
            event.hashes.insert("on".to_owned(), hex(&on));
        }
        HeldScope::Everything => event = event.with("reason", reason),
    }
    let why = format!("{reason}\n{reference}");
    let why = app.vault.pseudonyms().recognition("legal-hold-why", why.as_bytes());
    event.hashes.insert("why".to_owned(), hex(&why));
    let new = NewLegalHold {
        id,
        scope,
        reason: reason.to_owned(),
        reference: reference.to_owned(),
        by: by(person),
    };
    let write = Write::Retention(RetentionWrite::HoldPlaced(new));
    Ok((id, Change::because(event).write(write)))
}

/// The change by which another person than who placed it lifts a legal hold.
pub async fn lift(app: &App, person: &Person, id: Uuid, reason: &str) -> Result<Change, HoldError> {
    if !LIFT_REASONS.contains(&reason) {
        return Err(HoldError::Code("Use a reason of the list."));
    }
    let found = app.store.legal_hold(id).await?.ok_or(HoldError::NotFound)?;
    if found.lifted.is_some() {
        return Err(HoldError::AlreadyDecided("This legal hold was lifted before."));
    }
    if found.hold.by.who == person.who {
        return Err(HoldError::NotYours("You placed this legal hold; somebody else must lift it."));
    }
    // Who is held stands in the row. An entry with both would tie the alias of the year in which it
    // was placed to that of this one.
    let mut event = Event::new(EventKind::LegalHoldLifted, person.actor.clone())
        .with("legal_hold", id)
        .with("scope", name_of(found.hold.scope.name()));
    if found.hold.scope == HeldScope::Everything {
        event = event.with("reason", reason);
    }
    let lifted = Lifted { reason: reason.to_owned(), by: by(person) };
    let write = Write::Retention(RetentionWrite::HoldLifted(id, lifted));
    Ok(Change::because(event).write(write))
}

fn by(person: &Person) -> HoldActor {
    HoldActor {
        organisation: person.organisation.clone(),
        person: person.actor.person.clone().unwrap_or_default(),
        who: person.who.clone(),
    }
}

/// 1 to 40 letters, digits, `/`, `-` and `.`, and nowhere nine digits that follow each other, which
/// might be a person's number.
fn is_reference(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.');
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    (1..=40).contains(&text.len()) && text.chars().all(plain) && digits < 9
}

impl From<StoredLegalHold> for LegalHoldLine {
    fn from(stored: StoredLegalHold) -> Self {
        let StoredLegalHold { hold, placed_at, lifted } = stored;
        let (person, case) = match hold.scope {
            HeldScope::Person(subject) => (Some(subject), None),
            HeldScope::Case(case) => (None, Some(case.0)),
            HeldScope::Everything => (None, None),
        };
        let in_force = lifted.is_none();
        let (lifted, lifted_at) = lifted.unzip();
        Self {
            id: hold.id,
            scope: hold.scope.name(),
            subject: person.map(|person| person.to_hex().chars().take(DIGITS).collect()),
            person,
            case,
            records: None,
            reason: hold.reason,
            reference: hold.reference,
            placed_for: hold.by.organisation,
            placed_by: hold.by.person,
            placed_at,
            in_force,
            lifted_because: lifted.as_ref().map(|lifted| lifted.reason.clone()),
            lifted_for: lifted.as_ref().map(|lifted| lifted.by.organisation.clone()),
            lifted_by: lifted.map(|lifted| lifted.by.person),
            lifted_at,
        }
    }
}

/// Why a legal hold is placed.
pub const REASONS: [&str; 7] = [
    "public-inquiry",
    "litigation",
    "tribunal",
    "police-or-coroner",
    "complaint-or-ombudsman",
    "subject-access-request",
    "safeguarding-review",
];
/// Why a legal hold is lifted.
pub const LIFT_REASONS: [&str; 4] =
    ["inquiry-closed", "proceedings-ended", "request-answered", "placed-in-error"];

/// The digits of a person's pseudonym that are told: enough to see that two holds are on one
/// person, too few to look for that person elsewhere.
const DIGITS: usize = 8;

const REFERENCE_FORM: &str =
    "The reference is 1 to 40 letters, digits, '/', '-' and '.', without nine digits in a row.";

#[cfg(test)]
mod tests;
