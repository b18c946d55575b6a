//! Messages that the gateway makes itself, on behalf of an organisation: reminders, notices.
//!
//! They go the way of every other message: checked, authorised, sealed, stored, queued, in the
//! log. The actor is the gateway, so nobody takes them for the organisation's own hand.

use adapters::{Format, Item};
use schemas::{Draft, Field, OrganisationCode, PersonalBytes, Place};

use super::admission::{Batch, Finished, Mode};
use super::{Answer, RawMessage, ReceiveError, Sender, outcome};
use crate::app::App;
use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::authority::ConsentEntry;
use crate::queue::SubmissionId;
use crate::receipt::proof::HASH;
use crate::store::{Change, StoreError, Write};
use crate::vault::BlobKind;

/// Makes a message on behalf of an organisation and puts it on its way. `key` makes it once: the
/// same key gives the same answer again and makes nothing.
///
/// `draft` needs no sender and no reference; both are filled in. What the check or authority has
/// against it stands in the answer's rows, as for any sender.
pub async fn issue(
    app: &App,
    on_behalf_of: &OrganisationCode,
    mut draft: Draft,
    key: &str,
) -> Result<Answer, ReceiveError> {
    let sender = Sender {
        organisation: on_behalf_of.clone(),
        roles: app
            .partner(on_behalf_of)
            .map(|partner| partner.roles.iter().copied().collect())
            .unwrap_or_default(),
        actor: Actor::gateway(),
    };
    let _claim = app.claim_key(on_behalf_of, key).ok_or(ReceiveError::InProgress)?;
    let bytes = PersonalBytes::new(Vec::new());
    let raw = RawMessage { format: Format::Json, mapping: None, bytes, key: key.to_owned() };
    let request_hash = outcome::request_hash(&raw);
    let stored_key = app.stored_key(key);
    if let Some(before) = app.store.find_submission(on_behalf_of, &stored_key).await? {
        return Answer::again(before, &request_hash);
    }
    draft.set(Field::SENDER, on_behalf_of.as_str(), Place::Whole);
    if draft.first(Field::ID).is_none() {
        draft.set(Field::ID, app.make_id()?.to_string(), Place::Whole);
    }
    let submission = SubmissionId(app.make_id()?);
    let mut batch = Batch::new(app, &sender, submission, Mode::Commit);
    batch.format = Some(Format::Json);
    batch.take(Item { draft, raw: PersonalBytes::new(Vec::new()) }).await?;
    let Finished { changes, rows, restricted, guards } = batch.finish(app).await?;
    let answer = outcome::answer(app, submission, &raw, (rows, Vec::new(), true))?;
    let original = app.vault.seal_blob(BlobKind::Original, submission.0, on_behalf_of, b"")?;
    let mut event = Event::new(EventKind::SubmissionReceived, Actor::gateway())
        .with("rows", answer.rows.len())
        .with("status", answer.status)
        .with("on_behalf_of", on_behalf_of);
    event.submission = Some(submission);
    event.hashes.extend(answer.receipt_sha256.clone().map(|hash| (HASH.to_owned(), hash)));
    let new = outcome::submission(app, &sender, stored_key, request_hash, &answer, original);
    let issued = Change::because(event).write(Write::Submission(new));
    let change = changes.into_iter().fold(issued, Change::join);
    let answer = super::commit_restricting(app, change, answer, &restricted).await;
    drop(guards);
    answer
}

/// Records a decision about sharing that nobody sent: agreement that has expired, or is stale and
/// nobody can be told. What is on its way about the person is decided again, in the same commit.
pub async fn record_by_itself(
    app: &App,
    subject: SubjectKey,
    entry: ConsentEntry,
) -> Result<(), ReceiveError> {
    let organisation = app.organisation().clone();
    let sender = Sender { organisation, roles: Vec::new(), actor: Actor::gateway() };
    let submission = SubmissionId(app.make_id()?);
    let mut batch = Batch::new(app, &sender, submission, Mode::Commit);
    batch.record_itself(subject, entry);
    let Finished { changes, restricted, guards, .. } = batch.finish(app).await?;
    let Some(change) = changes.into_iter().reduce(Change::join) else { return Ok(()) };
    let recorded = app.store.commit(change).await;
    drop(guards);
    match recorded {
        Err(StoreError::StillLeaving | StoreError::Conflict { .. }) => {
            Err(super::not_in_force(app, &restricted).await)
        }
        recorded => Ok(recorded.map(drop)?),
    }
}
