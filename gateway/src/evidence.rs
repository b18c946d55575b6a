//! An evidence pack: everything there is to show about one leg, in one file that proves itself.
//!
//! It holds how the leg's clock ran, the request and the answers by hash and signed receipt, the
//! agreements and exceptions with their provisions, the reminders, and the log entries about it,
//! each with the proof that it is in the log whose checkpoint is signed. [`verify`] needs the file
//! and the log's public key, and no gateway. It must never hold content: what was sent is told by
//! hash, and what was said in words stays in the sealed record that is named.
//!
//! A reader gets the receipts it was itself given, and the log entries that are its own to see;
//! an auditor gets all. Not supported, and why: a pack for a party that has nothing to do with the
//! leg; it looks like a leg that does not exist.

mod proof;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::civil::Date;
use schemas::{LegId, MessageType, OrganisationCode, RecordId};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::{Actor, Entry, Event, EventKind, SubjectKey};
use crate::board::Facts;
use crate::journey::is_own;
use crate::queue::{DeliveryState, Leg};
use crate::store::{AgreementRow, Change, LegSnapshot, ReminderRow, StoreError, StoredRecord};
use crate::telemetry::name_of;

pub(crate) use proof::verify_log;
pub use proof::{PackFault, verify};

/// The pack. Its JSON form is the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Always `ehc-evidence-1`.
    pub format: String,
    /// When it was made, in UTC.
    pub made_at: String,
    /// The leg and its clock.
    pub leg: PackLeg,
    /// How it stood, from its beginning on.
    pub history: Vec<PackStep>,
    /// The request that asked.
    pub request: PackMessage,
    /// What answered, oldest first.
    pub answers: Vec<PackMessage>,
    /// Who agreed that existing advice is sufficient (regulation 6(4)).
    pub agreements: Vec<PackAgreement>,
    /// What excuses lateness, by the rules.
    pub exceptions: Vec<PackException>,
    /// The reminders that were made.
    pub reminders: Vec<PackReminder>,
    /// The log about it.
    pub log: PackLog,
}

/// The leg and its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackLeg {
    /// The leg.
    pub id: LegId,
    /// Who asked.
    pub authority: OrganisationCode,
    /// Who was asked.
    pub organisation: OrganisationCode,
    /// The service.
    pub service: String,
    /// The civil date from which regulation 8 counts.
    pub received_on: Date,
    /// The statutory date.
    pub statutory_due: Date,
    /// The same by the other way of counting.
    pub alternative_due: Option<Date>,
    /// The version of the rules.
    pub rule_version: String,
    /// How it stood on the day the pack was made.
    pub standing: String,
}

/// How the leg stood from an instant on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackStep {
    /// From when, in UTC.
    pub at: String,
    /// The state.
    pub state: String,
    /// The dates and codes that came with it, by name.
    pub dates: std::collections::BTreeMap<String, String>,
}

/// A message, by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackMessage {
    /// The record.
    pub record: RecordId,
    /// Its type.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// When it was accepted, in UTC.
    pub accepted_at: String,
    /// SHA-256 of the sealed record.
    pub sealed_sha256: String,
    /// SHA-256 of the request it came in, by which a retry is told.
    pub request_sha256: String,
    /// SHA-256 of the answer that was given.
    pub answer_sha256: String,
    /// The log entry of its submission.
    pub entry: u64,
    /// The signed receipt, for the organisation it was given to.
    pub receipt: Option<String>,
}

/// One party's agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackAgreement {
    /// `authority`, `adviser` or `family`.
    pub party: String,
    /// When it agreed.
    pub agreed_on: Date,
    /// Who recorded it.
    pub recorded_by: OrganisationCode,
    /// The record, which holds who agreed.
    pub record: RecordId,
}

/// An exception that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackException {
    /// Its name in the rules.
    pub id: String,
    /// What it says.
    pub words: String,
    /// The provision.
    pub provision: String,
    /// The new date that was given.
    pub expected_on: Option<Date>,
}

/// A reminder that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackReminder {
    /// When, in UTC.
    pub at: String,
    /// Days from the date that counts.
    pub days_from_due: i32,
    /// That date.
    pub due_on: Date,
    /// The message to the service.
    pub record: RecordId,
}

/// The log about the leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackLog {
    /// The log's public key; compare it with the one you were given.
    pub vkey: String,
    /// The signed checkpoint that the proofs lead to.
    pub checkpoint: String,
    /// The entries, in order.
    pub entries: Vec<PackEntry>,
}

/// An entry with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackEntry {
    /// Its place in the log.
    pub seq: u64,
    /// Its canonical bytes, in base64.
    pub leaf: String,
    /// The hashes of the proof, in base64.
    pub proof: Vec<String>,
}

/// Whether a viewer may know of a record: it sent it, or something of it has gone to it.
async fn may_know(
    app: &App,
    stored: &StoredRecord,
    viewer: Option<&OrganisationCode>,
) -> Result<bool, StoreError> {
    let Some(viewer) = viewer.filter(|viewer| *viewer != stored.sealed.sender()) else {
        return Ok(true);
    };
    let deliveries = app.store.deliveries_of(stored.sealed.record()).await?;
    let mut own = deliveries.iter().filter(|delivery| delivery.recipient == *viewer);
    Ok(own.any(|delivery| delivery.state.is_known(delivery.delivered_at)))
}

/// The pack of a leg for a viewer; `None` as viewer sees all. `Ok(None)` when there is no such
/// leg for this viewer. `Ok` only once the making is in the log; that entry is in the next pack.
pub async fn pack(
    app: &App,
    leg: LegId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Pack>, StoreError> {
    let Some(leg) = app.store.find_leg(leg).await?.filter(|leg| may_see(leg, viewer)) else {
        return Ok(None);
    };
    let Some(stored) = app.store.find_record(leg.record).await? else { return Ok(None) };
    let mut log = Gathering { viewer, hidden: Vec::new(), seqs: Vec::new() };
    let request = log.message(app, &stored).await?;
    let mut answers = Vec::new();
    for record in app.store.answers_to(leg.id).await? {
        let Some(answer) = app.store.find_record(record).await? else { continue };
        if may_know(app, &answer, viewer).await? {
            answers.push(log.message(app, &answer).await?);
            log.about(app, record, None).await?;
        } else {
            log.hidden.push(record);
        }
    }
    log.about(app, leg.record, Some(&leg)).await?;
    let history = app.store.history_of(leg.id).await?;
    let reminders = app.store.reminders_of(leg.id).await?;
    let mut agreements = app.store.agreements_of(leg.id).await?;
    agreements.retain(|row| !log.hidden.contains(&row.record));
    let log = log.proved(app).await?;
    made(app, &leg, stored.subject, actor).await?;
    let standing = name_of(Facts::from(&leg).standing(app.clock.today()));
    Ok(Some(Pack {
        format: FORMAT.to_owned(),
        made_at: app.clock.now().to_string(),
        exceptions: exceptions(app, &history),
        history: history.iter().map(step).collect(),
        leg: PackLeg {
            id: leg.id,
            authority: leg.sender,
            organisation: leg.recipient,
            service: leg.service.to_string(),
            received_on: leg.received_on,
            statutory_due: leg.statutory_due,
            alternative_due: leg.alternative_due,
            rule_version: leg.rule_version,
            standing,
        },
        request,
        answers,
        agreements: agreements.into_iter().map(PackAgreement::from).collect(),
        reminders: reminders.into_iter().map(PackReminder::from).collect(),
        log,
    }))
}

impl From<AgreementRow> for PackAgreement {
    fn from(row: AgreementRow) -> Self {
        Self {
            party: row.party,
            agreed_on: row.agreed_on,
            recorded_by: row.recorded_by,
            record: row.record,
        }
    }
}

impl From<ReminderRow> for PackReminder {
    fn from(row: ReminderRow) -> Self {
        Self {
            at: row.at.to_string(),
            days_from_due: row.offset_days,
            due_on: row.due_on,
            record: row.record,
        }
    }
}

async fn made(
    app: &App,
    leg: &Leg,
    subject: Option<SubjectKey>,
    actor: &Actor,
) -> Result<(), StoreError> {
    let mut event = Event::new(EventKind::EvidenceMade, actor.clone());
    event.record = Some(leg.record);
    event.delivery = Some(crate::queue::DeliveryId(leg.id.0));
    event.subject = subject;
    app.store.commit(Change::because(event)).await.map(drop)
}

/// Who asked sees its legs; who was asked sees those that were put to it.
fn may_see(leg: &Leg, viewer: Option<&OrganisationCode>) -> bool {
    let Some(viewer) = viewer else { return true };
    let out = !matches!(leg.delivery, DeliveryState::Held | DeliveryState::Withdrawn);
    leg.sender == *viewer || (leg.recipient == *viewer && out)
}

fn step(snapshot: &LegSnapshot) -> PackStep {
    let dates = [
        ("answered_on", snapshot.answered_on),
        ("expected_on", snapshot.expected_on),
        ("part_on", snapshot.part_on),
        ("remainder_on", snapshot.remainder_on),
        ("forecast_on", snapshot.forecast_on),
    ];
    let codes = [("exception", &snapshot.exception), ("late_reason", &snapshot.late_reason)];
    let dates = dates.into_iter().filter_map(|(name, on)| Some((name, on?.to_string())));
    let codes = codes.into_iter().filter_map(|(name, code)| Some((name, code.clone()?)));
    PackStep {
        at: snapshot.at.to_string(),
        state: name_of(snapshot.state),
        dates: dates.chain(codes).map(|(name, text)| (name.to_owned(), text)).collect(),
    }
}

/// The exceptions that the history names, each once, with what the rules say of them.
fn exceptions(app: &App, history: &[LegSnapshot]) -> Vec<PackException> {
    let mut found: Vec<PackException> = Vec::new();
    for snapshot in history {
        let Some(id) = &snapshot.exception else { continue };
        let known = found.iter_mut().find(|exception| exception.id == *id);
        if let Some(known) = known {
            known.expected_on = snapshot.expected_on.or(known.expected_on);
            continue;
        }
        let version = app.rules.version_on(snapshot.received_on).ok();
        let rule = version.and_then(|version| version.exception(id));
        found.push(PackException {
            id: id.clone(),
            words: rule.map(|rule| rule.words.clone()).unwrap_or_default(),
            provision: rule.map(|rule| rule.provision.clone()).unwrap_or_default(),
            expected_on: snapshot.expected_on,
        });
    }
    found
}

/// The entries of a pack, as they are found.
struct Gathering<'a> {
    viewer: Option<&'a OrganisationCode>,
    /// Answers that the viewer may not know of; nothing names them.
    hidden: Vec<RecordId>,
    seqs: Vec<u64>,
}

impl Gathering<'_> {
    async fn message(
        &mut self,
        app: &App,
        stored: &StoredRecord,
    ) -> Result<PackMessage, StoreError> {
        let submission = app.store.submission(stored.submission).await?;
        let given = self.viewer.is_none_or(|viewer| viewer == stored.sealed.sender());
        let receipt = submission.as_ref().filter(|_| given).and_then(|submission| {
            let answer: serde_json::Value = serde_json::from_slice(&submission.answer).ok()?;
            Some(answer.get("receipt")?.as_str()?.to_owned())
        });
        let entry = submission.as_ref().map_or(0, |submission| submission.audit_seq);
        self.seqs.push(entry);
        let hex = |hash: &[u8]| crate::entropy::hex(hash);
        Ok(PackMessage {
            record: stored.sealed.record(),
            kind: stored.sealed.kind(),
            sender: stored.sealed.sender().clone(),
            accepted_at: stored.accepted_at.to_string(),
            sealed_sha256: stored.sealed.sha256_hex(),
            request_sha256: submission.as_ref().map(|s| hex(&s.request_hash)).unwrap_or_default(),
            answer_sha256: submission
                .as_ref()
                .map(|s| crate::entropy::sha256_hex(&s.answer))
                .unwrap_or_default(),
            entry,
            receipt,
        })
    }

    /// The entries about a record that its reader may see: of one leg, or all.
    async fn about(
        &mut self,
        app: &App,
        record: RecordId,
        leg: Option<&Leg>,
    ) -> Result<(), StoreError> {
        for entry in app.store.journey(record).await? {
            let other_leg = leg.is_some_and(|leg| {
                entry.event.delivery.is_some_and(|delivery| delivery.leg() != leg.id)
            });
            let hidden = entry.event.record.is_some_and(|record| self.hidden.contains(&record));
            if !other_leg && !hidden && self.shows(&entry) {
                self.seqs.push(entry.seq);
            }
        }
        Ok(())
    }

    /// That a record was accepted is in every pack: it vouches for the record's hash.
    fn shows(&self, entry: &Entry) -> bool {
        let vouches = entry.event.kind == EventKind::RecordAccepted;
        vouches || self.viewer.is_none_or(|viewer| is_own(entry, viewer) || is_about(entry, viewer))
    }

    async fn proved(self, app: &App) -> Result<PackLog, StoreError> {
        proved(app, &self.seqs).await
    }
}

/// The entries at these places, each once and in order, with their proofs and the newest signed
/// checkpoint, to which the proofs lead.
pub(crate) async fn proved(app: &App, seqs: &[u64]) -> Result<PackLog, StoreError> {
    let checkpoint = app.store.latest_checkpoint().await?;
    let (size, note) = checkpoint.map_or((0, String::new()), |c| (c.size, c.note));
    let mut entries = Vec::new();
    for row in app.store.audit_rows_at(seqs).await? {
        if row.seq >= size {
            continue;
        }
        let proof = app.inclusion_proof(size, row.seq).await?;
        entries.push(PackEntry {
            seq: row.seq,
            leaf: BASE64_STANDARD.encode(&row.leaf),
            proof: proof.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect(),
        });
    }
    Ok(PackLog { vkey: app.log_vkey.clone(), checkpoint: note, entries })
}

/// What the gateway did about a leg towards an organisation: its reminders, and its clock.
fn is_about(entry: &Entry, viewer: &OrganisationCode) -> bool {
    let kind = matches!(entry.event.kind, EventKind::LegReminded | EventKind::LegChanged);
    kind && (entry.event.counterparty.is_none()
        || entry.event.counterparty.as_ref() == Some(viewer))
}

/// The name of the form.
const FORMAT: &str = "ehc-evidence-1";
