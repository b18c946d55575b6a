//! The story: how a message comes in, and how it goes out.
//!
//! [`receive`] takes bytes from an authenticated sender and says, in order: has this been answered
//! before? read, check, authorise, seal, store with deliveries and audit entries in one commit,
//! and answer with a signed receipt. [`collect`] and [`dispatch`] take a delivery and say: ask
//! authority again, open, render in the recipient's format, commit that it goes, and only then
//! let the bytes leave.
//!
//! What each step does lives in its own module; this file only says them in order. It must never
//! know HTTP, SQL, keys or certificates.

mod acknowledged;
mod admission;
mod answer;
mod arriving;
mod clocks;
mod consent;
mod destinations;
mod disclosures;
mod documents;
mod evidenced;
mod guard;
mod handover;
mod identity;
mod issuing;
mod outcome;
mod preview;
mod recall;
mod refusing;
mod relations;
mod sending;
mod superseding;
mod transition;
mod weighing;

pub(crate) use relations::case_id;
pub use relations::{RECALLED, SUPERSEDED};
pub(crate) use sending::{delivery_event, question};

use std::collections::BTreeSet;

use adapters::mapping::FileKind;
use schemas::{OrganisationCode, PersonalBytes};

use crate::app::App;
use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::authority;
use crate::entropy::EntropyError;
use crate::queue::SubmissionId;
use crate::receipt::proof::HASH;
use crate::standing::{self, Standing};
use crate::store::{Change, MOVED_ON, NewQuarantine, SUPERSEDED_ONCE, StoreError, Write};
use crate::vault::{BlobKind, VaultError};
use admission::{Finished, Mode};

pub use arriving::NOT_SCANNED;
pub use disclosures::ledger_tag;
pub(crate) use disclosures::notice;
pub use documents::{Apart, CollectedDocument, Leaving, Stopped, collect_document};
pub use evidenced::{GivenBack, Kept, KeptDocument, evidence_document, evidence_of_entry};
pub use handover::Handover;
pub(crate) use identity::after_recorded_death;
pub use identity::{PERSON_DIED, reminders_ended};
pub use issuing::{issue, record_by_itself};
pub(crate) use outcome::request_hash_of;
pub use outcome::{Answer, Preview};
pub use preview::{Effect, OpenItem, preview};
pub use sending::{CollectError, Collected, collect, dispatch};

/// Who sends: an authenticated organisation, and for the log, how it was authenticated.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The organisation.
    pub organisation: OrganisationCode,
    /// What it may send, by its roles.
    pub roles: Vec<crate::peer::Role>,
    /// How the log names it.
    pub actor: Actor,
}

impl Sender {
    /// A partner whose bytes came in by a way of their own: a mailbox, a folder, a listener.
    pub fn partner(partner: &crate::config::Partner, actor: Actor) -> Self {
        let organisation = partner.organisation.clone();
        let actor = Actor { organisation: organisation.to_string(), ..actor };
        Self { organisation, roles: partner.roles.iter().copied().collect(), actor }
    }
}

/// Bytes from an authenticated sender: bounded, not yet believed.
#[derive(Debug)]
pub struct RawMessage {
    /// How they are written.
    pub format: adapters::Format,
    /// The mapping to read a tabular file with; the partner's own when none is named.
    pub mapping: Option<String>,
    /// The bytes.
    pub bytes: PersonalBytes,
    /// The sender's key for this request.
    pub key: String,
}

/// Why a submission was not answered with a receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The same key came before with other bytes.
    #[error("the idempotency key was used before with a different request")]
    KeyReused,
    /// The same key is being worked on now.
    #[error("a request with this idempotency key is in progress")]
    InProgress,
    /// No mapping of that name is known, or none is set for the sender.
    #[error("no mapping is known by that name")]
    UnknownMapping,
    /// The bytes could not be read at all. [`receive`] answers this; a rehearsal reports it.
    #[error("the submission could not be read")]
    Unreadable(#[source] adapters::ReadError),
    /// The store refused or failed.
    #[error("the submission could not be stored")]
    Store(#[from] StoreError),
    /// Sealing failed.
    #[error("the submission could not be sealed")]
    Vault(#[from] VaultError),
    /// The operating system had no randomness to give.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The shipped rules do not cover the date, or an answer could not be written.
    #[error("the gateway could not work out {0}")]
    Ours(&'static str),
}

/// Takes in a message or batch and answers it: the same key and bytes always get the same answer.
///
/// Everything the answer says is durable, with its audit entries, before this returns.
pub async fn receive(app: &App, sender: &Sender, raw: RawMessage) -> Result<Answer, ReceiveError> {
    receive_whole(app, sender, raw, None, &|_, _| {}).await
}

/// [`receive`] for one decision about sharing, made on what the caller has seen: the tag of the
/// person's ledger, or of a preview. Refused with [`StoreError::LedgerMoved`] when that has moved.
pub async fn receive_if(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
    expected: Option<String>,
) -> Result<Answer, ReceiveError> {
    receive_whole(app, sender, raw, expected, &|_, _| {}).await
}

/// [`receive`], saying after each row or message how many of how many were looked at.
pub async fn receive_and_say(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
    say: &(dyn Fn(usize, usize) + Sync),
) -> Result<Answer, ReceiveError> {
    receive_whole(app, sender, raw, None, say).await
}

async fn receive_whole(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
    expected: Option<String>,
    say: &(dyn Fn(usize, usize) + Sync),
) -> Result<Answer, ReceiveError> {
    let _claim = app.claim_key(&sender.organisation, &raw.key).ok_or(ReceiveError::InProgress)?;
    let request_hash = outcome::request_hash(&raw);
    if let Some(before) =
        app.store.find_submission(&sender.organisation, &app.stored_key(&raw.key)).await?
    {
        return Ok(Answer::again(before, &request_hash)?.proved(app).await?);
    }
    let reading = match read(app, sender, &raw) {
        Ok(reading) => reading,
        Err(ReceiveError::Unreadable(error)) => {
            return refuse(app, sender, &raw, request_hash, &error).await;
        }
        Err(error) => return Err(error),
    };
    let submission = SubmissionId(app.make_id()?);
    let mut batch = admission::Batch::new(app, sender, submission, Mode::Commit);
    batch.expected = expected;
    // XML is one message, or an extract whose records stand each on its own like rows.
    let several = raw.format == adapters::Format::Xml && reading.items.len() != 1;
    let one_message = !raw.format.is_tabular() && !several;
    batch.format = one_message.then_some(raw.format);
    let items = reading.items.len();
    for (before, item) in reading.items.into_iter().enumerate() {
        batch.take(item).await?;
        say(before + 1, items);
    }
    let Finished { changes: change, rows, restricted, guards } = batch.finish(app).await?;
    let answer = outcome::answer(app, submission, &raw, (rows, reading.notes, one_message))?;
    let original = app.vault.seal_blob(
        BlobKind::Original,
        submission.0,
        &sender.organisation,
        raw.bytes.expose(),
    )?;
    let mut event = Event::new(EventKind::SubmissionReceived, sender.actor.clone())
        .with("rows", answer.rows.len())
        .with("status", answer.status);
    event.submission = Some(submission);
    event.hashes.insert("original".to_owned(), original.sha256_hex());
    event.hashes.insert("answer".to_owned(), crate::entropy::sha256_hex(&answer.body));
    event.hashes.extend(answer.receipt_sha256.clone().map(|hash| (HASH.to_owned(), hash)));
    let key = app.stored_key(&raw.key);
    let new = outcome::submission(app, sender, key, request_hash, &answer, original);
    let received = Change::because(event).write(Write::Submission(new));
    let change = change.into_iter().fold(received, Change::join);
    let answer = commit_restricting(app, change, answer, &restricted).await;
    // Only now may sends about the people whose consent changed begin again.
    drop(guards);
    answer
}

/// Says what [`receive`] would do. Commits nothing but that it was asked, and is not proof of anything: it does not look
/// at the consent ledger, so nobody learns from a rehearsal what a family decided.
pub async fn rehearse(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
) -> Result<Preview, ReceiveError> {
    let reading = read(app, sender, &raw)?;
    let submission = SubmissionId(app.make_id()?);
    let mut batch = admission::Batch::new(app, sender, submission, Mode::Rehearse);
    for item in reading.items {
        batch.take(item).await?;
    }
    let preview = Preview::new(batch.into_rows(), reading.notes);
    // It may tell whether a message is known: a look, though nothing is stored of it.
    standing::viewed(app, &sender.actor, (Standing::Rehearsal, preview.rows.len()), None).await?;
    Ok(preview)
}

fn read(app: &App, sender: &Sender, raw: &RawMessage) -> Result<adapters::Reading, ReceiveError> {
    let mapping = app.mapping(&sender.organisation, raw.mapping.as_deref());
    if mapping.is_none() && (raw.format.is_tabular() || raw.mapping.is_some()) {
        return Err(ReceiveError::UnknownMapping);
    }
    let feed = app.partner(&sender.organisation).map(|partner| partner.feed).unwrap_or_default();
    let organisation = sender.organisation.as_str();
    let set = mapping.as_ref().filter(|mapping| mapping.reads(FileKind::Set));
    if let Some(set) = set.filter(|_| raw.format.is_tabular()) {
        let sha256 = crate::entropy::sha256_hex;
        return adapters::set::read(raw.bytes.expose(), set, organisation, sha256)
            .map_err(ReceiveError::Unreadable);
    }
    let source = adapters::Source { organisation, mapping: mapping.as_ref(), feed: &feed };
    adapters::read(raw.format, raw.bytes.expose(), source).map_err(ReceiveError::Unreadable)
}

/// Keeps what could not be read, sealed and with its reason, and tells the sender why.
async fn refuse(
    app: &App,
    sender: &Sender,
    raw: &RawMessage,
    request_hash: [u8; 32],
    error: &adapters::ReadError,
) -> Result<Answer, ReceiveError> {
    let submission = SubmissionId(app.make_id()?);
    let (owner, issue) = (&sender.organisation, error.to_issue());
    let mut event = Event::new(EventKind::MessageRefused, sender.actor.clone())
        .with("rule", &issue.rule)
        .with("place", &issue.place);
    event.submission = Some(submission);
    let id = app.make_id()?;
    let sealed = app.vault.seal_blob(BlobKind::Quarantine, id, owner, raw.bytes.expose())?;
    event.hashes.insert("quarantined".to_owned(), sealed.sha256_hex());
    let answer = outcome::unreadable(submission, error)?;
    let key = app.stored_key(&raw.key);
    // The bytes are kept once, in quarantine; the submission keeps the answer for a retry.
    let original = app.vault.seal_blob(BlobKind::Original, submission.0, owner, b"")?;
    let new = outcome::submission(app, sender, key, request_hash, &answer, original);
    let quarantine = NewQuarantine {
        id,
        submission,
        sender: owner.clone(),
        sealed,
        issues: serde_json::to_string(&[issue]).unwrap_or_default(),
        at: app.clock.now(),
    };
    let change =
        Change::because(event).write(Write::Submission(new)).write(Write::Quarantine(quarantine));
    commit(app, change, answer).await
}

/// Makes a change durable and says where the answer stands in the log.
async fn commit(app: &App, change: Change, answer: Answer) -> Result<Answer, ReceiveError> {
    match app.store.commit(change).await {
        Ok(committed) => Ok(answer.logged(committed).proved(app).await?),
        // Another gateway took the same key, or the same message, while this one was reading.
        Err(StoreError::KeyTaken | StoreError::DuplicateRecord) => Err(ReceiveError::InProgress),
        // What is recalled moved on, or somebody superseded the same record: looked at again.
        Err(StoreError::Conflict { rule }) if [MOVED_ON, SUPERSEDED_ONCE].contains(&rule) => {
            Err(ReceiveError::InProgress)
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer that was given before under a key, when the request is the same; an error on a clash.
pub async fn answered_before(
    app: &App,
    sender: &Sender,
    key: &str,
    request: &[u8],
) -> Result<Option<Answer>, ReceiveError> {
    let request_hash = crate::entropy::sha256(request);
    let stored = app.store.find_submission(&sender.organisation, &app.stored_key(key)).await?;
    let Some(before) = stored else { return Ok(None) };
    Ok(Some(Answer::again(before, &request_hash)?.proved(app).await?))
}

/// Commits a change together with its answer, so that a retry under the same key gets the answer
/// and the change is made once.
pub async fn commit_once(
    app: &App,
    sender: &Sender,
    (key, request): (&str, &[u8]),
    body: &serde_json::Value,
    change: Change,
) -> Result<Answer, ReceiveError> {
    let _claim = app.claim_key(&sender.organisation, key).ok_or(ReceiveError::InProgress)?;
    let submission = SubmissionId(app.make_id()?);
    let answer = Answer::first(submission, 200, "application/json", body)?;
    let owner = &sender.organisation;
    let original = app.vault.seal_blob(BlobKind::Original, submission.0, owner, request)?;
    let request_hash = crate::entropy::sha256(request);
    let key = app.stored_key(key);
    let new = outcome::submission(app, sender, key, request_hash, &answer, original);
    commit(app, change.write(Write::Submission(new)), answer).await
}

/// Makes a change durable that may restrict people; says so when something about one of them has
/// not left yet.
async fn commit_restricting(
    app: &App,
    change: Change,
    answer: Answer,
    restricted: &BTreeSet<SubjectKey>,
) -> Result<Answer, ReceiveError> {
    match commit(app, change, answer).await {
        // A delivery moved on between the decision and the commit: only without the guards.
        Err(ReceiveError::Store(StoreError::StillLeaving | StoreError::Conflict { .. }))
            if !restricted.is_empty() =>
        {
            Err(not_in_force(app, restricted).await)
        }
        committed => committed,
    }
}

/// Nothing new goes about these people while their withdrawal is tried again.
async fn not_in_force(app: &App, restricted: &BTreeSet<SubjectKey>) -> ReceiveError {
    match hold_back(app, restricted).await {
        Ok(()) => StoreError::StillLeaving.into(),
        Err(error) => error,
    }
}

async fn hold_back(app: &App, restricted: &BTreeSet<SubjectKey>) -> Result<(), ReceiveError> {
    let until =
        app.clock.now().checked_add(HELD_BACK_FOR).or(Err(ReceiveError::Ours("the time")))?;
    Ok(app.store.hold_back(restricted, until).await?)
}

/// How long nothing goes about a person whose withdrawal was answered "not yet in force" and is
/// not sent again.
const HELD_BACK_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Gathers what a question is decided on.
pub(crate) async fn evidence(
    app: &App,
    question: &authority::Question,
    delivery: Option<crate::queue::DeliveryId>,
) -> Result<authority::Evidence, StoreError> {
    let consents = match question.subject {
        Some(subject) => app.store.consents_for(subject).await?,
        None => Vec::new(),
    };
    let overrides = match delivery {
        Some(delivery) => app.store.overrides_for(delivery).await?,
        None => Vec::new(),
    };
    let emergency = match delivery {
        Some(delivery) => app.store.emergency_of(delivery).await?,
        None => None,
    };
    let emergency = emergency.and_then(|review| {
        let basis = crate::holds::ground_of(&review.basis)?;
        Some(authority::BreakGlass { basis, at: review.at })
    });
    Ok(authority::Evidence { consents, overrides, emergency })
}
