//! What has already gone about a person, who is told when agreement to share is withdrawn, and on
//! what a decision about sharing was made.
//!
//! What went is read from the log: what the log does not hold did not happen. It is listed to the
//! organisation whose records they were. A recipient that received something resting on agreement is
//! told of the withdrawal by the message itself; nobody else learns of it. Nothing is called back.

use std::collections::{BTreeMap, BTreeSet};

use adapters::Item;
use jiff::Timestamp;
use schemas::record::{ConsentStatus, Subject};
use schemas::{Draft, Field, Issue, MessageType, OrganisationCode, PersonalBytes, Place, Record};

use super::ReceiveError;
use super::admission::{Batch, Facts, Mode};
use super::destinations::Destination;
use crate::app::App;
use crate::audit::{Entry, EventKind, SubjectKey};
use crate::authority::ConsentEntry;
use crate::queue::{Delivery, DeliveryId, DeliveryState};
use crate::receipt::{Disclosure, LegOutcome};
use crate::store::StoreError;

/// A disclosure, and whose record it was.
#[derive(Debug, Clone)]
pub(super) struct Disclosed {
    pub(super) sender: OrganisationCode,
    pub(super) what: Disclosure,
}

impl Disclosed {
    /// Whether it rested on agreement to share.
    pub(super) fn rests_on_consent(&self) -> bool {
        self.what.authority.as_deref() == Some(CONSENT)
    }
}

/// Everything that has gone, or may have gone, to anybody about a person, oldest first.
pub(super) async fn of_person(
    app: &App,
    subject: SubjectKey,
) -> Result<Vec<Disclosed>, StoreError> {
    let mut left: BTreeMap<DeliveryId, (Timestamp, Option<String>)> = BTreeMap::new();
    for one in app.store.pseudonyms_of(subject).await? {
        let mut from = 0;
        loop {
            let entries = app.store.entries_about(one, from, PAGE).await?;
            let Some(last) = entries.last() else { break };
            from = last.seq.saturating_add(1);
            for entry in entries {
                note(&mut left, entry);
            }
        }
    }
    let mut disclosed = Vec::new();
    for (id, (at, authority)) in left {
        let Some(delivery) = app.store.find_delivery(id).await? else { continue };
        disclosed.push(disclosure(delivery, at, authority));
    }
    disclosed.sort_by_key(|one| (one.what.at, one.what.delivery));
    Ok(disclosed)
}

/// Takes an entry that says that something left into account.
fn note(left: &mut BTreeMap<DeliveryId, (Timestamp, Option<String>)>, entry: Entry) {
    let kind = entry.event.kind;
    if !matches!(kind, EventKind::DeliveryCollected | EventKind::DeliveryAttempted) {
        return;
    }
    let Some(delivery) = entry.event.delivery else { return };
    let at = entry.at();
    let authority = entry.event.decision.and_then(|note| note.authority);
    let known = left.entry(delivery).or_insert((at, None));
    known.0 = known.0.min(at);
    // The newest authority it left under counts.
    known.1 = authority.or(known.1.take());
}

fn disclosure(delivery: Delivery, at: Timestamp, authority: Option<String>) -> Disclosed {
    use DeliveryState::{Accepted, Delivered, Rejected};
    let arrived = matches!(delivery.state, Delivered | Accepted | Rejected);
    let Delivery { id, record, kind, sender, recipient, .. } = delivery;
    let what = Disclosure {
        delivery: id,
        record,
        message_type: kind,
        recipient,
        at,
        authority,
        arrived,
        told: false,
    };
    Disclosed { sender, what }
}

impl Batch<'_> {
    /// Who else is told of a withdrawal: whoever received something that rested on agreement.
    pub(super) async fn others_told(
        &mut self,
        facts: &Facts,
        known: &[Destination],
    ) -> Result<Vec<Destination>, ReceiveError> {
        let Some(subject) = facts.subject.filter(|_| self.mode == Mode::Commit) else {
            return Ok(Vec::new());
        };
        if facts.kind != MessageType::ConsentWithdraw {
            return Ok(Vec::new());
        }
        let recipients = self.relied(subject).await?;
        let unknown = |one: &&OrganisationCode| known.iter().all(|to| to.recipient != **one);
        let destinations = self.destinations_to(recipients.iter().filter(unknown).cloned())?;
        self.to_tell.entry(subject).or_default().extend(recipients);
        Ok(destinations)
    }

    /// Destinations for organisations that are partners.
    pub(super) fn destinations_to(
        &self,
        recipients: impl Iterator<Item = OrganisationCode>,
    ) -> Result<Vec<Destination>, ReceiveError> {
        let mut destinations = Vec::new();
        for recipient in recipients {
            let Some(carrier) = self.app.carrier_of(&recipient) else { continue };
            let delivery = DeliveryId(self.app.make_id()?);
            destinations.push(Destination { delivery, recipient, service: None, carrier });
        }
        Ok(destinations)
    }

    /// Keeps who is told of an accepted withdrawal: those to whom it really goes.
    pub(super) fn are_told(&mut self, subject: Option<SubjectKey>, legs: &[LegOutcome]) {
        let Some(subject) = subject.filter(|subject| self.to_tell.contains_key(subject)) else {
            return;
        };
        let goes = legs.iter().filter(|leg| leg.outcome.starts_with("release"));
        self.told.entry(subject).or_default().extend(goes.map(|leg| leg.recipient.clone()));
    }

    /// Who received something about a person that rested on agreement, other than the sender.
    async fn relied(&self, subject: SubjectKey) -> Result<BTreeSet<OrganisationCode>, StoreError> {
        let disclosed = of_person(self.app, subject).await?;
        let relied = disclosed.into_iter().filter(Disclosed::rests_on_consent);
        let others = relied.map(|one| one.what.recipient);
        Ok(others.filter(|recipient| *recipient != self.sender.organisation).collect())
    }

    /// What another message says of agreement that stops sharing, as a message of its own.
    pub(super) fn decision_apart(
        &self,
        record: &Record,
        facts: &Facts,
    ) -> Result<Option<Item>, ReceiveError> {
        let message = record.message();
        let (Some(consent), Some(person)) = (&message.consent, &message.subject) else {
            return Ok(None);
        };
        let kind = match consent.status {
            ConsentStatus::Withdrawn => MessageType::ConsentWithdraw,
            ConsentStatus::Refused => MessageType::ConsentRefuse,
            ConsentStatus::Restricted => MessageType::ConsentRestriction,
            ConsentStatus::Given if !consent.exclusions.is_empty() => MessageType::ConsentGrant,
            ConsentStatus::Given
            | ConsentStatus::NotRecorded
            | ConsentStatus::Expired
            | ConsentStatus::Stale
            | ConsentStatus::Lifted => return Ok(None),
        };
        if facts.kind.is_about_consent() || self.mode == Mode::Rehearse {
            return Ok(None);
        }
        let mut draft = notice(kind, person);
        draft.set(Field::SENDER, message.sender.as_str(), Place::Whole);
        draft.set(Field::ID, self.app.make_id()?.to_string(), Place::Whole);
        if let Some(case) = &message.case {
            draft.set(Field::CASE, case.expose(), Place::Whole);
        }
        fields_of(&mut draft, "consent", consent);
        Ok(Some(Item { draft, raw: PersonalBytes::new(Vec::new()) }))
    }

    /// A withdrawal inside a message that was accepted is made known by a message of its own, when
    /// somebody relied on what it withdraws. What it says is in the ledger by then.
    pub(super) async fn tell_apart(
        &mut self,
        apart: Option<Item>,
        subject: Option<SubjectKey>,
    ) -> Result<(), ReceiveError> {
        let withdraws = |item: &Item| {
            let kind = item.draft.first(Field::TYPE).map(|located| located.text.expose());
            kind == Some(MessageType::ConsentWithdraw.as_str())
        };
        if let (Some(item), Some(subject)) = (apart.filter(withdraws), subject)
            && !self.relied(subject).await?.is_empty()
        {
            self.notices.push(item);
        }
        Ok(())
    }

    /// What a message says of agreement that stops sharing counts although the message itself is
    /// refused, perhaps because of just that: it is recorded as a message of its own.
    pub(super) fn record_apart(
        &mut self,
        apart: Option<Item>,
        issues: &mut Vec<Issue>,
        at: &Place,
    ) {
        let Some(item) = apart else { return };
        self.apart.push(item);
        issues.push(Issue::warning(
            "consent-recorded-apart",
            Some(Field::CONSENT_STATUS),
            at.clone(),
            "what the message says of agreement to share was recorded all the same",
            "nothing is needed for that; see the other issues for the message itself",
        ));
    }

    /// Takes decisions that came inside other messages as messages of their own: first those of
    /// messages that were refused, then withdrawals whose entry is in the ledger already.
    pub(super) async fn make_known(&mut self) -> Result<(), ReceiveError> {
        for item in std::mem::take(&mut self.apart) {
            self.take_quietly(item).await?;
        }
        self.noticing = true;
        for item in std::mem::take(&mut self.notices) {
            self.take_quietly(item).await?;
        }
        self.noticing = false;
        Ok(())
    }

    /// Takes what nobody sent: the receipt is about what was sent.
    async fn take_quietly(&mut self, item: Item) -> Result<(), ReceiveError> {
        let rows = self.rows.len();
        Box::pin(self.take(item)).await?;
        self.rows.truncate(rows);
        Ok(())
    }

    /// Lists to the sender what its records had disclosed about a person whose agreement it says
    /// is withdrawn or refused. Under the person's guard, so that nothing is missing.
    pub(super) async fn list_disclosures(
        &mut self,
        subject: SubjectKey,
    ) -> Result<(), ReceiveError> {
        let stops = |entry: &&ConsentEntry| {
            matches!(entry.status, ConsentStatus::Withdrawn | ConsentStatus::Refused)
        };
        let recorded = self.recorded.get(&subject);
        let Some(record) = recorded.and_then(|all| all.iter().find(stops)).map(|e| e.record) else {
            return Ok(());
        };
        let told = self.told.get(&subject).cloned().unwrap_or_default();
        let disclosed = of_person(self.app, subject).await?;
        let own = &self.sender.organisation;
        let mut relied = disclosed.iter().filter(|one| one.rests_on_consent());
        if let Some(known) = self.to_tell.get(&subject)
            && relied.any(|one| one.what.recipient != *own && !known.contains(&one.what.recipient))
        {
            // Somebody received something between the first look and the guard.
            return Err(StoreError::StillLeaving.into());
        }
        let lines = disclosed.into_iter().filter(|one| one.sender == *own);
        let lines = lines.map(|one| Disclosure {
            told: one.rests_on_consent() && told.contains(&one.what.recipient),
            ..one.what
        });
        let lines: Vec<Disclosure> = lines.take(LISTED_MAX).collect();
        if let Some(row) = self.rows.iter_mut().find(|row| row.record == Some(record)) {
            row.disclosures = lines;
        }
        Ok(())
    }

    /// Refuses a decision that was made on another state of the ledger than the present one.
    pub(super) async fn must_be_expected(
        &mut self,
        facts: &Facts,
        entry: Option<&ConsentEntry>,
    ) -> Result<(), ReceiveError> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let (Some(subject), Some(_)) = (facts.subject, entry) else { return Ok(()) };
        let version = version_of(self.app, subject).await?;
        let seen = *expected == ledger_tag(self.app, subject, version)
            || *expected == effect_tag(self.app, subject, version).await?;
        if !seen {
            return Err(StoreError::LedgerMoved.into());
        }
        self.expected_version = Some(version);
        Ok(())
    }
}

/// The version a person's ledger is at; 0 when it is empty.
pub(super) async fn version_of(app: &App, subject: SubjectKey) -> Result<u32, StoreError> {
    let entries = app.store.consents_for(subject).await?;
    Ok(u32::try_from(entries.len()).unwrap_or(u32::MAX))
}

/// The tag of a person's ledger at a version: it fits no other person's and no other version.
pub fn ledger_tag(app: &App, subject: SubjectKey, version: u32) -> String {
    let hash = app
        .vault
        .pseudonyms()
        .recognition("ledger", &[&subject.0[..], &version.to_be_bytes()].concat());
    format!("\"{version}-{}\"", short(&hash))
}

/// The tag of what a decision about a person would do now: it changes with the ledger, with what
/// is on its way and with what has gone.
pub(super) async fn effect_tag(
    app: &App,
    subject: SubjectKey,
    version: u32,
) -> Result<String, StoreError> {
    let mut seen = [&subject.0[..], &version.to_be_bytes()].concat();
    for delivery in app.store.queued_for_subject(subject).await? {
        seen.extend_from_slice(delivery.id.0.as_bytes());
        seen.extend_from_slice(crate::telemetry::name_of(delivery.state).as_bytes());
    }
    for one in of_person(app, subject).await? {
        seen.extend_from_slice(one.what.delivery.0.as_bytes());
    }
    let hash = app.vault.pseudonyms().recognition("effect", &seen);
    Ok(format!("\"effect-{version}-{}\"", short(&hash)))
}

fn short(hash: &[u8; 32]) -> String {
    crate::entropy::hex(hash).chars().take(TAG_CHARS).collect()
}

/// A message about a person that the gateway makes itself.
pub(crate) fn notice(kind: MessageType, subject: &Subject) -> Draft {
    let mut draft = Draft::default();
    draft.set(Field::TYPE, kind.as_str(), Place::Whole);
    fields_of(&mut draft, "subject", subject);
    draft
}

/// Says in a draft what a part of a record says, by its canonical JSON.
fn fields_of(draft: &mut Draft, part: &str, value: &impl serde::Serialize) {
    let Ok(serde_json::Value::Object(members)) = serde_json::to_value(value) else { return };
    for (name, value) in members {
        let Some(field) = Field::from_path(&format!("{part}.{name}")) else { continue };
        let values = match value.as_array() {
            Some(values) => values.clone(),
            None => vec![value],
        };
        for text in values.iter().filter_map(serde_json::Value::as_str) {
            draft.set(field, text, Place::Whole);
        }
    }
}

/// How the log names agreement as an authority.
const CONSENT: &str = "consent";
/// Entries of the log read at once.
const PAGE: u32 = 500;
/// Disclosures listed in one answer; the journey of each record has the rest.
const LISTED_MAX: usize = 1_000;
/// Characters of a tag's hash: enough that nobody meets another's by chance.
const TAG_CHARS: usize = 16;
