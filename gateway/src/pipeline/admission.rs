//! From a draft to a change: check, route, authorise, seal, and write down.
//!
//! One [`Batch`] per submission. A bad row never fails the batch: it becomes a quarantined row
//! with every reason. Rows see the consent that earlier rows of the same batch recorded.

use std::collections::{BTreeMap, BTreeSet};

use adapters::Item;
use jiff::civil::Date;
use schemas::deadlines::end_of_compulsory_school_age;
use schemas::{
    Checked, Field, Issue, LegId, MessageType, OrganisationCode, Place, Record, RecordId,
};
use uuid::Uuid;

use super::answer::{self, Attachment};
use super::destinations::Destination;
use super::identity::no_reminder;
use super::relations::{Standing, TakingBack};
use super::{ReceiveError, Sender};
use super::{arriving, guard};
use crate::app::App;
use crate::audit::{DecisionNote, Event, EventKind, SubjectKey};
use crate::authority::{ConsentEntry, Question};
use crate::queue::{CarrierKind, Delivery, DeliveryId, DeliveryState, LegState, SubmissionId};
use crate::receipt::{LegOutcome, RowOutcome, RowResult};
use crate::store::{
    CaseKey, CasePerson, Change, ClockWrite, NewDelivery, NewLeg, NewRecord, RetentionWrite,
    SubjectGuards, Write,
};
use crate::vault::{BlobKind, SealedBlob};

/// Why a row was not admitted: with every reason, for its sender; or the gateway failed.
enum NotAdmitted {
    Refused(Issues),
    Failed(ReceiveError),
}

impl From<Issue> for NotAdmitted {
    fn from(issue: Issue) -> Self {
        Self::Refused(vec![issue])
    }
}

impl From<Issues> for NotAdmitted {
    fn from(issues: Issues) -> Self {
        Self::Refused(issues)
    }
}

impl<E: Into<ReceiveError>> From<E> for NotAdmitted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The rows of one submission on their way to one change.
pub(super) struct Batch<'a> {
    pub(super) app: &'a App,
    pub(super) sender: &'a Sender,
    pub(super) submission: SubmissionId,
    /// How the submission is written; none for a table, whose rows have no documents.
    pub(super) format: Option<adapters::Format>,
    pub(super) rows: Vec<RowOutcome>,
    pub(super) changes: Vec<Change>,
    /// Consent recorded by earlier rows of this batch, on top of the ledger.
    pub(super) recorded: BTreeMap<SubjectKey, Vec<ConsentEntry>>,
    /// People whose queued deliveries must be decided again before this batch is acknowledged.
    pub(super) restricted: BTreeSet<SubjectKey>,
    /// What this batch sends on its way, with the questions it was decided on.
    pub(super) queued: Vec<(Delivery, Question)>,
    /// Records that this batch supersedes or recalls, to be done under their guards.
    pub(super) taking_back: Vec<TakingBack>,
    /// Deliveries that it has stopped so far.
    pub(super) stopped: BTreeSet<DeliveryId>,
    /// Where earlier rows of this batch have brought legs.
    pub(super) legs: answer::Moved,
    pub(super) seen: BTreeMap<[u8; 32], (RecordId, [u8; 32])>,
    /// About whom earlier rows of this batch say that cases are.
    pub(super) cases: BTreeMap<CaseKey, CasePerson>,
    /// Pseudonyms that this batch says mean one person.
    pub(super) same: Vec<BTreeSet<SubjectKey>>,
    /// People of whom this batch says that they died.
    pub(super) died: BTreeSet<SubjectKey>,
    pub(super) mode: Mode,
    /// What the caller has seen of the person's ledger, when it must not have moved since.
    pub(super) expected: Option<String>,
    /// The version that was found to be what the caller has seen.
    pub(super) expected_version: Option<u32>,
    /// Who relied on what this batch withdraws, by person.
    pub(super) to_tell: BTreeMap<SubjectKey, BTreeSet<OrganisationCode>>,
    /// Those of them to whom the withdrawal goes.
    pub(super) told: BTreeMap<SubjectKey, BTreeSet<OrganisationCode>>,
    /// Decisions about agreement inside messages that were refused.
    pub(super) apart: Vec<Item>,
    /// Withdrawals that came as part of another message, to be made known as messages of their own.
    pub(super) notices: Vec<Item>,
    /// Whether what is taken now is such a notice.
    pub(super) noticing: bool,
}

/// A batch that is closed: what to write, what to tell, and whom it restricts.
pub(super) struct Finished {
    pub(super) changes: Vec<Change>,
    pub(super) rows: Vec<RowOutcome>,
    pub(super) restricted: BTreeSet<SubjectKey>,
    /// To be held until the changes are durable; none when they could not be had in time. Then the
    /// fence alone decides.
    pub(super) guards: Option<SubjectGuards>,
}

/// Whether a batch will be committed, or only says what would happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It will be committed.
    Commit,
    /// It only says what would happen.
    Rehearse,
}

/// What the gateway knows of a checked record before it is sealed.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) id: RecordId,
    pub(super) kind: MessageType,
    pub(super) subject: Option<SubjectKey>,
    pub(super) demographics: Option<[u8; 32]>,
    pub(super) decisions_pass_on: Option<Date>,
    pub(super) identity: [u8; 32],
    pub(super) fingerprint: [u8; 32],
}

type Issues = Vec<Issue>;

impl<'a> Batch<'a> {
    pub(super) fn new(
        app: &'a App,
        sender: &'a Sender,
        submission: SubmissionId,
        mode: Mode,
    ) -> Self {
        Self {
            app,
            sender,
            submission,
            format: None,
            rows: Vec::new(),
            changes: Vec::new(),
            recorded: BTreeMap::new(),
            restricted: BTreeSet::new(),
            queued: Vec::new(),
            taking_back: Vec::new(),
            stopped: BTreeSet::new(),
            legs: answer::Moved::default(),
            seen: BTreeMap::new(),
            cases: BTreeMap::new(),
            same: Vec::new(),
            died: BTreeSet::new(),
            mode,
            expected: None,
            expected_version: None,
            to_tell: BTreeMap::new(),
            told: BTreeMap::new(),
            apart: Vec::new(),
            notices: Vec::new(),
            noticing: false,
        }
    }

    /// Takes one row or message.
    pub(super) async fn take(&mut self, mut item: Item) -> Result<(), ReceiveError> {
        let place = item.draft.place.clone();
        arriving::look(self.app, self.sender, &mut item.draft).await?;
        let services: Vec<Place> =
            item.draft.all(Field::SERVICES).map(|located| located.place.clone()).collect();
        let outcome = match item.draft.check(self.app.clock.today()) {
            Ok(checked) => self.admit(checked, &place, &services).await,
            Err(issues) => Err(NotAdmitted::Refused(issues)),
        };
        match outcome {
            Ok(row) => self.rows.push(row),
            Err(NotAdmitted::Refused(issues)) => self.quarantine(&place, &item.raw, issues)?,
            Err(NotAdmitted::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// The rows so far, for a rehearsal.
    pub(super) fn into_rows(self) -> Vec<RowOutcome> {
        self.rows
    }

    /// Closes the batch: what to write, what to tell, and the guards to hold until it is durable.
    pub(super) async fn finish(mut self, app: &App) -> Result<Finished, ReceiveError> {
        self.make_known().await?;
        let restricted = std::mem::take(&mut self.restricted);
        let taking_back = std::mem::take(&mut self.taking_back);
        let mut guarded = restricted.clone();
        guarded.extend(taking_back.iter().map(TakingBack::guard));
        let at_most = app.config.consent.wait();
        // Exclusive: waits for every send about these people that has begun.
        let guards = app.store.subject_guards_within(&guarded, at_most).await?;
        if guards.is_none() {
            super::hold_back(app, &restricted).await?;
        }
        // Whoever lost a guard may still be sending.
        if !app.store.wait_until_left(&guarded, at_most).await? {
            return Err(super::not_in_force(app, &restricted).await);
        }
        // Without the guards this fails when a delivery has moved on; whoever has it is told.
        for taking in taking_back {
            self.take_back(taking).await?;
        }
        let mut decided = BTreeSet::new();
        for subject in &restricted {
            // What is queued about one person under several pseudonyms is decided once.
            if !decided.contains(subject) {
                decided.extend(app.store.pseudonyms_of(*subject).await?);
                let stops = self.decide_queued_again(*subject).await?;
                self.changes.extend(stops);
            }
            self.list_disclosures(*subject).await?;
        }
        Ok(Finished { changes: self.changes, rows: self.rows, restricted, guards })
    }

    async fn admit(
        &mut self,
        checked: Checked,
        place: &Place,
        services: &[Place],
    ) -> Result<RowOutcome, NotAdmitted> {
        let Checked { record, mut warnings } = checked;
        let unfit = self.may_send(&record, place);
        if let Some(issue) = unfit.or_else(|| arriving::not_accepted(self.app, &record, place)) {
            return Err(issue.into());
        }
        let others = guard::numbers_of_others(&record, place);
        if others.iter().any(Issue::is_error) {
            return Err(others.into());
        }
        warnings.extend(others);
        let facts = self.facts(&record)?;
        if let Some(known) = self.seen_before(&facts, place).await?? {
            return Ok(self.consent_again(&record, facts, known, place, warnings).await?);
        }
        let keys = facts_keys(&facts);
        let attached = answer::attach(self.app, self.sender, &record, &keys, &self.legs).await?;
        let attachment = attached.map_err(|issue| issue.at(place))?;
        let standing = self.standing(&record, &facts, attachment.as_ref(), place).await??;
        let bound = (attachment.as_ref(), standing.taking.as_ref());
        let mut destinations = self.destinations(&record, bound, services, place)??;
        warnings.extend(standing.warning.clone());
        let whose = self.whose_case(attachment.as_ref(), &destinations);
        let case = self.correlate(&record, &facts, whose, place).await??;
        let reminds = facts.kind == MessageType::AdviceChaser;
        if reminds && self.death_of(facts.subject).await?.is_some() {
            return Err(no_reminder(place).into());
        }
        let mut people: Vec<Write> = self.acted_for(&record, &facts).into_iter().collect();
        people.extend(self.marks(&record, &facts));
        let identifies = guard::identifying(&record).cloned();
        let entry = self.consent_entry(facts.id, record.message().consent.as_ref());
        let entry = entry.filter(|_| !self.noticing);
        destinations.extend(self.others_told(&facts, &destinations).await?);
        self.must_be_expected(&facts, entry.as_ref()).await?;
        let apart = self.decision_apart(&record, &facts)?;
        let said = self.acknowledged(&record).await?;
        let bound = (attachment, standing);
        let row = self.decide(record, &facts, bound, destinations, entry, (place, warnings));
        let mut row = match row.await {
            Err(NotAdmitted::Refused(mut issues)) => {
                self.record_apart(apart, &mut issues, place);
                return Err(issues.into());
            }
            row => row?,
        };
        self.are_told(facts.subject, &row.legs);
        self.tell_apart(apart, facts.subject).await?;
        people.extend(case.map(|opened| self.open_case(opened, facts.id)));
        self.add_to_accepted(people);
        self.changes.extend(said);
        if let Some(particulars) = identifies {
            row.issues.extend(self.identify(&particulars, &facts, place).await?);
        }
        Ok(row)
    }

    /// Authorises, seals and writes down one record.
    async fn decide(
        &mut self,
        record: Record,
        facts: &Facts,
        (attachment, standing): (Option<Attachment>, Standing),
        destinations: Vec<Destination>,
        entry: Option<ConsentEntry>,
        (place, warnings): (&Place, Issues),
    ) -> Result<RowOutcome, NotAdmitted> {
        let weighed = self.weigh(facts, destinations, entry.as_ref(), place).await?;
        let (admission, told) = weighed?;
        let label = self.label(&record, facts)?;
        let keys = facts_keys(facts);
        let replaced = answer::replaced(self.app, self.sender, &record, &keys, &self.legs).await?;
        let replaced = replaced.map_err(|issue| issue.at(place))?;
        let received_on = replaced.map_or_else(|| self.app.clock.today(), |(_, first)| first);
        let by = (self.app.clock.today(), &self.sender.organisation);
        let effect = attachment.as_ref().map(|a| answer::effect(&record, facts.id, a, by));
        if let Some(effect) = &effect {
            self.legs.by(effect);
        }
        let recipients: Vec<&OrganisationCode> = told.iter().map(|(to, _)| &to.recipient).collect();
        let clocks = self.clocks(&record, facts, &recipients).await?;
        let step = self.transition_step(&record, facts)?;
        let named: BTreeSet<Uuid> = record.stored().iter().map(|one| one.id).collect();
        let sealed = self.app.vault.seal(record, admission)?;
        let about = attachment.as_ref().map(|attachment| attachment.leg.id);
        let mut change = self.accepted(facts, (sealed, label), about, &standing);
        change = step.into_iter().fold(change, Change::write);
        change = named.into_iter().fold(change, |change, document| {
            change.write(Write::Retention(RetentionWrite::DocumentNamed(facts.id, document)))
        });
        if let Some((leg, _)) = replaced {
            self.legs.replaced(leg);
            change = change.write(Write::Clock(ClockWrite::LegReplaced(leg, facts.id)));
        }
        let mut legs = Vec::new();
        // Whom a recall tells is known only under the guard.
        let recalls = facts.kind == MessageType::Recall;
        let (told, later) = if recalls { (Vec::new(), told) } else { (told, Vec::new()) };
        for (to, note) in &told {
            let first = standing.first_receipt(to.service.as_ref());
            let (step, leg) = self.deliver(facts, to, note, first.unwrap_or(received_on))?;
            change = change.join(step);
            legs.push(leg);
        }
        if let (Some(entry), Some(subject)) = (entry, facts.subject) {
            change = change.join(self.record_consent(facts, subject, entry));
        }
        if let Some(effect) = effect {
            change = change.join(effect.into_change(self.event(EventKind::LegChanged, facts)));
        }
        change = clocks.into_iter().fold(change, Change::join);
        self.seen.insert(facts.identity, (facts.id, facts.fingerprint));
        self.changes.push(change);
        let taking = standing.taking.map(|taking| TakingBack { told: later, ..taking });
        self.taking_back.extend(taking);
        Ok(RowOutcome { legs, ..row(place, RowResult::Accepted, Some(facts.id), warnings) })
    }

    pub(super) fn facts(&self, record: &Record) -> Result<Facts, ReceiveError> {
        let message = record.message();
        let names = self.app.vault.pseudonyms();
        let subject = message.subject.as_ref();
        Ok(Facts {
            id: RecordId(self.app.make_id()?),
            kind: message.kind,
            subject: subject.map(|subject| names.subject_key(subject, &message.sender)),
            demographics: subject.map(|subject| names.demographics(subject)),
            decisions_pass_on: subject
                .and_then(|subject| end_of_compulsory_school_age(subject.date_of_birth).ok()),
            identity: self.identity_of(message.id.expose()),
            fingerprint: names.recognition("fingerprint", &arriving::recognisable(record)),
        })
    }

    /// How a message of this sender is recognised by the sender's own reference.
    pub(super) fn identity_of(&self, reference: &str) -> [u8; 32] {
        identity(self.app, &self.sender.organisation, reference)
    }

    /// The sender must be who it says, and its role must send this type.
    pub(super) fn may_send(&self, record: &Record, place: &Place) -> Option<Issue> {
        let message = record.message();
        if message.sender != self.sender.organisation {
            return Some(Issue::error(
                "sender-not-you",
                Some(Field::SENDER),
                place.clone(),
                "names another organisation than the one that is connected",
                "send under your own organisation code",
            ));
        }
        let allowed = self.sender.roles.iter().any(|role| role.sends(message.kind));
        if !allowed {
            return Some(Issue::error(
                "type-not-for-role",
                Some(Field::TYPE),
                place.clone(),
                "is not a type of message that an organisation of this role sends",
                "ask the operator which types your organisation sends",
            ));
        }
        None
    }

    /// The record this message became before, if it did; an issue if its content changed.
    async fn seen_before(
        &self,
        facts: &Facts,
        place: &Place,
    ) -> Result<Result<Option<RecordId>, Issue>, ReceiveError> {
        let known = match self.seen.get(&facts.identity) {
            Some(known) => Some(*known),
            None => self.app.store.find_duplicate(facts.identity).await?,
        };
        Ok(match known {
            None => Ok(None),
            Some((record, print)) if print == facts.fingerprint => Ok(Some(record)),
            Some(_) => Err(Issue::error(
                "id-reused",
                Some(Field::ID),
                place.clone(),
                "was used before for a message with other content",
                "give every new or corrected message a reference of its own",
            )),
        })
    }

    pub(super) fn question(&self, facts: &Facts, to: &Destination) -> Question {
        Question {
            recipient: to.recipient.clone(),
            service: to.service.clone(),
            ..self.holding_question(facts)
        }
    }

    /// May the gateway hold this for the sender itself?
    pub(super) fn holding_question(&self, facts: &Facts) -> Question {
        Question {
            record: facts.id,
            kind: facts.kind,
            sender: self.sender.organisation.clone(),
            recipient: self.sender.organisation.clone(),
            service: None,
            subject: facts.subject,
            decisions_pass_on: facts.decisions_pass_on,
        }
    }

    pub(super) fn event(&self, kind: EventKind, facts: &Facts) -> Event {
        let mut event = Event::new(kind, self.sender.actor.clone());
        event.submission = Some(self.submission);
        event.record = Some(facts.id);
        event.subject = facts.subject;
        event.message_type = Some(facts.kind);
        event
    }

    /// The case reference, sealed for the board.
    fn label(&self, record: &Record, facts: &Facts) -> Result<SealedBlob, ReceiveError> {
        let case = record.message().case.as_ref().map_or("", |case| case.expose());
        let owner = &self.sender.organisation;
        Ok(self.app.vault.seal_blob(BlobKind::Label, facts.id.0, owner, case.as_bytes())?)
    }

    fn accepted(
        &self,
        facts: &Facts,
        (sealed, label): (crate::vault::SealedRecord, SealedBlob),
        about: Option<LegId>,
        standing: &Standing,
    ) -> Change {
        let mut event = self.event(EventKind::RecordAccepted, facts);
        if let Some(earlier) = standing.relations.supersedes {
            event = event.with("supersedes", earlier);
        }
        if let Some((recalled, reason)) = &standing.relations.recalls {
            event = event.with("recalls", recalled).with("reason", reason);
        }
        event.hashes.insert("sealed".to_owned(), sealed.sha256_hex());
        Change::because(event).write(Write::Record(NewRecord {
            sealed,
            submission: self.submission,
            identity: facts.identity,
            fingerprint: facts.fingerprint,
            subject: facts.subject,
            demographics: facts.demographics,
            label,
            about,
            relations: standing.relations.clone(),
            decisions_pass_on: facts.decisions_pass_on,
            accepted_at: self.app.clock.now(),
        }))
    }

    fn delivery(&self, facts: &Facts, to: &Destination) -> Delivery {
        Delivery {
            id: to.delivery,
            record: facts.id,
            kind: facts.kind,
            sender: self.sender.organisation.clone(),
            recipient: to.recipient.clone(),
            service: to.service.clone(),
            carrier: carrier(facts, to),
            state: DeliveryState::Queued,
            attempts: 0,
            available_at: self.app.clock.now(),
            delivered_at: None,
            reason: None,
        }
    }

    /// The delivery to one recipient and, for requests, its clock.
    pub(super) fn deliver(
        &mut self,
        facts: &Facts,
        to: &Destination,
        note: &DecisionNote,
        received_on: Date,
    ) -> Result<(Change, LegOutcome), ReceiveError> {
        let state = match note.outcome.as_str() {
            "release" | "release-reduced" => DeliveryState::Queued,
            "hold" => DeliveryState::Held,
            _ => DeliveryState::Withdrawn,
        };
        let mut event = self.event(EventKind::SharingDecided, facts);
        event.delivery = Some(to.delivery);
        event.counterparty = Some(to.recipient.clone());
        event.decision = Some(note.clone());
        if facts.kind == MessageType::AdviceRequest {
            event = event.with("received_on", received_on);
        }
        let mut leg = LegOutcome {
            leg: to.delivery.leg(),
            service: to.service.clone(),
            recipient: to.recipient.clone(),
            outcome: note.outcome.clone(),
            reason: note.reason.clone(),
            due_on: None,
        };
        let reason = (state != DeliveryState::Queued).then(|| note.rule.clone());
        if state == DeliveryState::Queued {
            self.queued.push((self.delivery(facts, to), self.question(facts, to)));
        }
        let mut change = Change::because(event).write(Write::Delivery(NewDelivery {
            id: to.delivery,
            record: facts.id,
            recipient: to.recipient.clone(),
            service: to.service.clone(),
            carrier: carrier(facts, to),
            state,
            reason,
            available_at: self.app.clock.now(),
        }));
        if facts.kind == MessageType::AdviceRequest {
            let due = self.app.rules.advice_due(received_on);
            let due = due.or(Err(ReceiveError::Ours("the statutory date")))?;
            let waiting = state == DeliveryState::Queued;
            // What is held has no date yet: its clock begins when it is released (ADR 0012).
            leg.due_on = waiting.then_some(due.statutory);
            change = change.write(Write::Leg(NewLeg {
                id: to.delivery.leg(),
                received_on,
                statutory_due: due.statutory,
                alternative_due: due.alternative,
                operational_due: due.operational,
                rule_version: due.rule_version,
                state: if waiting { LegState::Waiting } else { LegState::Withheld },
            }));
        }
        Ok((change, leg))
    }
}

/// How a record reaches a destination. HL7 v2 has no form for a message about nobody (a reminder,
/// for one): it waits in the inbox.
fn carrier(facts: &Facts, to: &Destination) -> CarrierKind {
    let formless = to.carrier == CarrierKind::Mllp && facts.subject.is_none();
    if formless { CarrierKind::Collect } else { to.carrier }
}

/// By what a message is recognised: its sender and the sender's own reference.
pub(super) fn identity(app: &App, sender: &OrganisationCode, reference: &str) -> [u8; 32] {
    let mut bytes = sender.as_str().as_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(reference.as_bytes());
    app.vault.pseudonyms().recognition("identity", &bytes)
}

fn facts_keys(facts: &Facts) -> answer::Keys {
    answer::Keys { subject: facts.subject, demographics: facts.demographics }
}

pub(super) fn row(
    place: &Place,
    outcome: RowResult,
    record: Option<RecordId>,
    issues: Issues,
) -> RowOutcome {
    RowOutcome {
        place: place.clone(),
        outcome,
        record,
        legs: Vec::new(),
        disclosures: Vec::new(),
        issues,
    }
}
