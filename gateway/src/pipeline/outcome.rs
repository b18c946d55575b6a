//! What became of a submission: the receipt, the problem, or the preview.

use adapters::{ReadError, ReadErrorKind};
use schemas::Issue;
use serde::Serialize;

use super::{RawMessage, ReceiveError, Sender};
use crate::app::App;
use crate::queue::SubmissionId;
use crate::receipt::{Receipt, RowOutcome, RowResult};
use crate::store::{Committed, NewSubmission, StoreError, StoredSubmission};
use crate::vault::SealedBlob;

/// What the sender is told, and where it stands in the log.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The submission.
    pub submission: SubmissionId,
    /// The HTTP status that fits.
    pub status: u16,
    /// The media type of the body.
    pub media_type: String,
    /// The body, the same for every retry of the same request.
    pub body: Vec<u8>,
    /// What became of each row; empty on a replay.
    pub rows: Vec<RowOutcome>,
    /// The place of the submission's entry in the log.
    pub entry: Option<u64>,
    /// The log's checkpoint that covers it.
    pub checkpoint: Option<String>,
    /// Whether this answer was given before.
    pub replayed: bool,
    /// SHA-256 of what the receipt says, for its entry; `None` on a replay and without a receipt.
    pub receipt_sha256: Option<String>,
}

impl Answer {
    pub(super) fn first(
        submission: SubmissionId,
        status: u16,
        media_type: &str,
        body: &serde_json::Value,
    ) -> Result<Self, ReceiveError> {
        Ok(Self {
            submission,
            status,
            media_type: media_type.to_owned(),
            body: serde_json::to_vec(body).or(Err(ReceiveError::Ours("the answer")))?,
            rows: Vec::new(),
            entry: None,
            checkpoint: None,
            replayed: false,
            receipt_sha256: None,
        })
    }

    /// The first answer again, when the request is the same; a clash when it is not.
    pub(super) fn again(
        before: StoredSubmission,
        request_hash: &[u8; 32],
    ) -> Result<Self, ReceiveError> {
        if before.request_hash != *request_hash {
            return Err(ReceiveError::KeyReused);
        }
        Ok(Self {
            submission: before.id,
            status: before.status,
            media_type: before.answer_type,
            body: before.answer,
            rows: Vec::new(),
            entry: Some(before.audit_seq),
            checkpoint: None,
            replayed: true,
            receipt_sha256: None,
        })
    }

    /// The one record that a message became, from the rows or, on a replay, from the body.
    pub fn record(&self) -> Option<schemas::RecordId> {
        if let [row] = self.rows.as_slice() {
            return row.record;
        }
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let record = body.get("rows")?.get(0)?.get("record")?;
        serde_json::from_value(record.clone()).ok()
    }

    /// Whether nothing of it was refused, from the rows or, on a replay, from the body. An answer
    /// whose rows cannot be told counts as refused.
    pub fn is_accepted_whole(&self) -> bool {
        let refused = |row: &RowOutcome| row.outcome == RowResult::Quarantined;
        if self.status >= 400 {
            return false;
        }
        if !self.replayed {
            return !self.rows.iter().any(refused);
        }
        let body: Result<serde_json::Value, _> = serde_json::from_slice(&self.body);
        let rows = body.ok().and_then(|mut body| body.get_mut("rows").map(serde_json::Value::take));
        let rows = rows.and_then(|rows| serde_json::from_value::<Vec<RowOutcome>>(rows).ok());
        rows.is_some_and(|rows| !rows.iter().any(refused))
    }

    /// The first checkpoint that covers the answer's entry in the log.
    pub async fn with_checkpoint(self, app: &App) -> Result<Self, StoreError> {
        let (None, Some(entry)) = (&self.checkpoint, self.entry) else { return Ok(self) };
        let covering = app.store.checkpoints(entry.saturating_add(1), 1).await?;
        let checkpoint = covering.into_iter().next().map(|checkpoint| checkpoint.note);
        Ok(Self { checkpoint, ..self })
    }

    pub(super) fn logged(self, committed: Committed) -> Self {
        Self { entry: Some(committed.first_seq), checkpoint: Some(committed.checkpoint), ..self }
    }

    /// The answer with its receipt as it is given: with the proof that its entry is in the log. A
    /// receipt of before the log's key was changed stands as it is.
    pub(super) async fn proved(self, app: &App) -> Result<Self, StoreError> {
        let mut answer = self.with_checkpoint(app).await?;
        let (Some(seq), Some(note)) = (answer.entry, &answer.checkpoint) else { return Ok(answer) };
        let Ok(mut body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
            return Ok(answer);
        };
        let Some(receipt) = body.get_mut("receipt") else { return Ok(answer) };
        let Some(log) = app.receipt_proof(seq, note).await? else { return Ok(answer) };
        let proved = receipt.as_str().and_then(|jws| app.receipts.sign_with(jws, log));
        let Some(proved) = proved else { return Ok(answer) };
        *receipt = proved.into();
        answer.body = serde_json::to_vec(&body).unwrap_or(answer.body);
        Ok(answer)
    }
}

/// What a dry run found. Nothing was stored.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Always `true`: nothing was stored.
    pub dry_run: bool,
    /// How many rows would be accepted.
    pub accepted: usize,
    /// How many are known already and would change nothing.
    pub unchanged: usize,
    /// How many would be quarantined.
    pub quarantined: usize,
    /// Row by row.
    pub rows: Vec<RowOutcome>,
    /// What there is to say about the file as a whole.
    pub notes: Vec<Issue>,
}

impl Preview {
    pub(super) fn new(rows: Vec<RowOutcome>, notes: Vec<Issue>) -> Self {
        let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
        Self {
            dry_run: true,
            accepted: count(RowResult::Accepted),
            unchanged: count(RowResult::Unchanged),
            quarantined: count(RowResult::Quarantined),
            notes,
            rows,
        }
    }
}

/// The hash that tells a retry from a clash: format, mapping and bytes.
pub(super) fn request_hash(raw: &RawMessage) -> [u8; 32] {
    request_hash_of((raw.format, raw.mapping.as_ref()), &raw.bytes)
}

/// The same, of a request's parts.
pub(crate) fn request_hash_of(
    (format, mapping): (adapters::Format, Option<&String>),
    bytes: &schemas::PersonalBytes,
) -> [u8; 32] {
    let mut input = format!("{format:?}\n{mapping:?}\n").into_bytes();
    input.extend_from_slice(bytes.expose());
    let hash = crate::entropy::sha256(&input);
    zeroize::Zeroize::zeroize(&mut input);
    hash
}

/// The row that remembers an answer, so that a retry gets the same one.
pub(super) fn submission(
    app: &App,
    sender: &Sender,
    key: String,
    request_hash: [u8; 32],
    answer: &Answer,
    original: SealedBlob,
) -> NewSubmission {
    NewSubmission {
        id: answer.submission,
        sender: sender.organisation.clone(),
        key,
        request_hash,
        status: answer.status,
        answer: answer.body.clone(),
        answer_type: answer.media_type.clone(),
        original,
        received_at: app.clock.now(),
    }
}

/// The answer to a submission that could not be read at all.
pub(super) fn unreadable(
    submission: SubmissionId,
    error: &ReadError,
) -> Result<Answer, ReceiveError> {
    let (code, status, title) = match error.kind {
        ReadErrorKind::TooLarge => ("too-large", 413, "The message is too large"),
        ReadErrorKind::Encoding | ReadErrorKind::Syntax | ReadErrorKind::Shape => {
            ("malformed-message", 400, "The message could not be read")
        }
    };
    let issue = error.to_issue();
    let detail = format!("{issue}. What was sent is kept in quarantine.");
    let body = problem((code, status, title), submission, &detail, &[&issue], None);
    Answer::first(submission, status, "application/problem+json", &body)
}

/// A problem as `api::problem` writes it, for answers that are kept for a retry.
fn problem(
    (code, status, title): (&str, u16, &str),
    submission: SubmissionId,
    detail: &str,
    issues: &[&Issue],
    receipt: Option<&str>,
) -> serde_json::Value {
    let mut problem = serde_json::json!({
        "type": crate::api::problem_type(code),
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "blame": "sender",
        "instance": format!("urn:uuid:{submission}"),
        "issues": issues,
    });
    if let Some(receipt) = receipt {
        let members = problem.as_object_mut();
        members.map(|members| members.insert("receipt".to_owned(), receipt.into()));
    }
    problem
}

/// The answer to a submission that could be read: a receipt, or for a single message that was
/// not accepted, a problem that lists every issue.
pub(super) fn answer(
    app: &App,
    submission: SubmissionId,
    raw: &RawMessage,
    (rows, notes, one_message): (Vec<RowOutcome>, Vec<Issue>, bool),
) -> Result<Answer, ReceiveError> {
    let now = app.clock.now();
    let receipt = Receipt {
        iss: app.origin().to_owned(),
        sub: submission,
        iat: now.as_second(),
        received_at: now,
        body_sha256: crate::entropy::sha256_hex(raw.bytes.expose()),
        rows: rows.clone(),
        log: None,
    };
    let receipt_sha256 = receipt.sha256_hex().or(Err(ReceiveError::Ours("the receipt")))?;
    let jws = app.receipts.sign(&receipt).or(Err(ReceiveError::Ours("the receipt")))?;
    let refused = one_message && rows.iter().all(|row| row.outcome == RowResult::Quarantined);
    let known =
        !refused && !rows.is_empty() && rows.iter().all(|row| row.outcome == RowResult::Unchanged);
    let status = if refused {
        422
    } else if known {
        200
    } else {
        201
    };
    if refused {
        let issues: Vec<&Issue> = rows.iter().flat_map(|row| &row.issues).chain(&notes).collect();
        let kind = ("message-refused", status, "The message was not accepted");
        let detail = "It is kept in quarantine with its reasons. Put right every issue listed and send it again under a new idempotency key.";
        let body = problem(kind, submission, detail, &issues, Some(&jws));
        let answer = Answer::first(submission, status, "application/problem+json", &body)?;
        return Ok(Answer { receipt_sha256: Some(receipt_sha256), ..answer });
    }
    let body = serde_json::json!({
        "submission": submission,
        "received_at": now.to_string(),
        "rows": rows,
        "notes": notes,
        "receipt": jws,
    });
    let answer = Answer::first(submission, status, "application/json", &body)?;
    Ok(Answer { rows, receipt_sha256: Some(receipt_sha256), ..answer })
}
