//! Consent as a batch records it: what the ledger will be, and what its change stops.
//!
//! Rows see the consent that earlier rows of the same batch recorded. A restriction is decided
//! again for everything about the person that has not gone yet, before it is acknowledged.

use schemas::record::{Consent, ConsentKind, ConsentStatus};
use schemas::{Field, Issue, Place, Record, RecordId};

use super::admission::{Batch, Facts, Mode, row};
use super::{ReceiveError, evidence};
use crate::audit::{Event, EventKind, SubjectKey};
use crate::authority::{self, ConsentEntry, Evidence, Question, Ruling};
use crate::queue::{Delivery, DeliveryId, DeliveryState};
use crate::receipt::{RowOutcome, RowResult};
use crate::store::{Change, NewConsent, Write};
use crate::telemetry::name_of;

impl Batch<'_> {
    /// A message that is known: nothing is done again, except that what it says of consent is
    /// recorded when that has changed.
    pub(super) async fn consent_again(
        &mut self,
        record: &Record,
        facts: Facts,
        known: RecordId,
        place: &Place,
        mut warnings: Vec<Issue>,
    ) -> Result<RowOutcome, ReceiveError> {
        let facts = Facts { id: known, ..facts };
        let entry = self.consent_entry(known, record.message().consent.as_ref());
        let (Some(subject), Some(entry)) = (facts.subject, entry) else {
            return Ok(row(place, RowResult::Unchanged, Some(known), warnings));
        };
        self.must_be_expected(&facts, Some(&entry)).await?;
        let ledger = self.evidence(&self.holding_question(&facts), None, None).await?.consents;
        // What the gateway found out by itself is not what the sender said: a source that goes on
        // saying what it said before says nothing new.
        let said = ledger.iter().filter(|e| {
            e.kind == entry.kind
                && (e.status == entry.status
                    || !matches!(e.status, ConsentStatus::Stale | ConsentStatus::Expired))
        });
        // What this message said last counts: saying it again says nothing new, whatever was decided
        // by others, or in other messages, since.
        let said: Vec<&ConsentEntry> = said.collect();
        let newest =
            |own: bool| said.iter().filter(|e| !own || e.record == known).max_by_key(|e| e.version);
        let newest = newest(true).or_else(|| newest(false));
        if newest.is_none_or(|newest| !says_the_same(newest, &entry)) {
            let apart = self.decision_apart(record, &facts)?;
            self.tell_apart(apart, Some(subject)).await?;
            let change = self.record_consent(&facts, subject, entry);
            self.changes.push(change);
            warnings.push(Issue::warning(
                "consent-updated",
                Some(Field::CONSENT_STATUS),
                place.clone(),
                "the message is known; what it says of consent is new and was recorded",
                "nothing is needed",
            ));
        }
        Ok(row(place, RowResult::Unchanged, Some(known), warnings))
    }

    /// The ledger as it will be: what is stored, what earlier rows recorded, and this entry.
    ///
    /// A rehearsal does not look at the ledger: nobody learns from it what was decided.
    pub(super) async fn evidence(
        &self,
        question: &Question,
        delivery: Option<DeliveryId>,
        entry: Option<&ConsentEntry>,
    ) -> Result<Evidence, ReceiveError> {
        let mut evidence = match self.mode {
            Mode::Commit => evidence(self.app, question, delivery).await?,
            Mode::Rehearse => Evidence::default(),
        };
        let tied = question.subject.map(|subject| self.tied_to(subject)).unwrap_or_default();
        if tied.len() > 1 && self.mode == Mode::Commit {
            evidence.consents = self.app.store.consents_of(&tied).await?;
        }
        let recorded = tied.iter().filter_map(|subject| self.recorded.get(subject)).flatten();
        let mut version = evidence.consents.iter().map(|entry| entry.version).max().unwrap_or(0);
        for entry in recorded.chain(entry) {
            version = version.saturating_add(1);
            evidence.consents.push(ConsentEntry { version, ..entry.clone() });
        }
        Ok(evidence)
    }

    pub(super) fn consent_entry(
        &self,
        record: RecordId,
        consent: Option<&Consent>,
    ) -> Option<ConsentEntry> {
        // Exclusions count even where nothing else is recorded.
        let consent = consent.filter(|consent| {
            consent.status != ConsentStatus::NotRecorded || !consent.exclusions.is_empty()
        })?;
        Some(ConsentEntry {
            version: 0,
            status: consent.status,
            kind: consent.kind.unwrap_or(ConsentKind::Sharing),
            given_by: consent.given_by,
            decided_on: consent.date,
            expires_on: consent.expires_on,
            purposes: consent.purposes.clone(),
            exclusions: consent.exclusions.clone(),
            recipients: consent.recipients.clone(),
            classes: consent.classes.clone(),
            restriction: consent.restriction,
            assessed_on: consent.assessed_on,
            record,
            recorded_by: self.sender.organisation.clone(),
            recorded_at: self.app.clock.now(),
        })
    }

    /// Records what nobody sent. Its event names the record that brought what it is about.
    pub(super) fn record_itself(&mut self, subject: SubjectKey, entry: ConsentEntry) {
        self.restricted.insert(subject);
        let mut event = Event::new(EventKind::ConsentRecorded, self.sender.actor.clone())
            .with("status", name_of(entry.status));
        event.record = Some(entry.record);
        event.subject = Some(subject);
        self.recorded.entry(subject).or_default().push(entry.clone());
        let (record, restricts, expected) = (entry.record, true, None);
        let new = NewConsent { subject, record, entry, restricts, expected };
        self.changes.push(Change::because(event).write(Write::Consent(new)));
    }

    pub(super) fn record_consent(
        &mut self,
        facts: &Facts,
        subject: SubjectKey,
        entry: ConsentEntry,
    ) -> Change {
        let expected = self.expected_version;
        let restricts = entry.status != ConsentStatus::Given
            || !entry.exclusions.is_empty()
            || !entry.purposes.is_empty()
            || !entry.recipients.is_empty()
            || !entry.classes.is_empty()
            || entry.expires_on.is_some();
        if restricts {
            self.restricted.insert(subject);
        }
        self.recorded.entry(subject).or_default().push(entry.clone());
        let event = self
            .event(EventKind::ConsentRecorded, facts)
            .with("status", name_of(entry.status))
            .with("exclusions", entry.exclusions.len());
        Change::because(event).write(Write::Consent(NewConsent {
            subject,
            record: facts.id,
            entry,
            restricts,
            expected,
        }))
    }

    /// Decides every delivery about a person again that has not gone yet.
    pub(super) async fn decide_queued_again(
        &self,
        subject: SubjectKey,
    ) -> Result<Vec<Change>, ReceiveError> {
        let stored = self.app.store.queued_for_subject(subject).await?;
        let mut on_its_way = Vec::new();
        let waits = |d: &Delivery| matches!(d.state, DeliveryState::Queued | DeliveryState::Held);
        for delivery in stored.into_iter().filter(waits) {
            // What this batch takes back is stopped already.
            if self.stopped.contains(&delivery.id) {
                continue;
            }
            if let Some(record) = self.app.store.find_record(delivery.record).await? {
                let question = super::sending::question(&delivery, &record);
                on_its_way.push((delivery, question));
            }
        }
        // What earlier rows of this batch sent on its way is not stored yet.
        let same = self.app.store.pseudonyms_of_all(&self.tied_to(subject)).await?;
        let theirs = |question: &Question| question.subject.is_some_and(|one| same.contains(&one));
        let own = self.queued.iter().filter(|(_, question)| theirs(question));
        on_its_way.extend(own.cloned());
        let (now, today) = (self.app.clock.now(), self.app.clock.today());
        let rules = self.app.rule_book();
        let died = self.death_of(Some(subject)).await?;
        let mut changes = Vec::new();
        for (delivery, question) in on_its_way {
            let evidence = self.evidence(&question, Some(delivery.id), None).await?;
            let ruling = authority::release(&question, delivery.id, &evidence, rules, now, today);
            let ruling =
                super::identity::after_death(ruling, (question.kind, died), &evidence.overrides);
            let (note, state) = match ruling {
                Ruling::Granted(..) => continue,
                // Votes that did not weigh this are asked for again; else a hold stays as it is.
                Ruling::Hold(_) | Ruling::Refused(_)
                    if delivery.state == DeliveryState::Held && evidence.overrides.is_empty() =>
                {
                    continue;
                }
                Ruling::Hold(note) => (note, DeliveryState::Held),
                // What is held stays held until people have decided.
                Ruling::Refused(_) if delivery.state == DeliveryState::Held => continue,
                Ruling::Refused(note) => (note, DeliveryState::Withdrawn),
            };
            let actor = &self.sender.actor;
            changes.push(super::sending::stopped(&delivery, Some(subject), note, state, actor));
        }
        Ok(changes)
    }
}

/// Whether two entries of one kind say the same, whoever recorded them and when.
fn says_the_same(one: &ConsentEntry, other: &ConsentEntry) -> bool {
    let ConsentEntry { version, record, recorded_by, recorded_at, .. } = other.clone();
    ConsentEntry { version, record, recorded_by, recorded_at, ..one.clone() } == *other
}
