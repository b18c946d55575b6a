//! What became of a submission: the receipt, the problem, or the preview.

use schemas::Issue;
use serde::Serialize;

use super::{RawMessage, ReceiveError};
use crate::app::App;
use crate::queue::SubmissionId;
use crate::receipt::{Receipt, RowOutcome, RowResult};
use crate::store::{Committed, StoredSubmission};

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
}

impl Answer {
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
        })
    }

    pub(super) fn logged(self, committed: Committed) -> Self {
        Self { entry: Some(committed.first_seq), checkpoint: Some(committed.checkpoint), ..self }
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
    let mut input = format!("{:?}\n{:?}\n", raw.format, raw.mapping).into_bytes();
    input.extend_from_slice(raw.bytes.expose());
    let hash = crate::entropy::sha256(&input);
    zeroize::Zeroize::zeroize(&mut input);
    hash
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
    };
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
    let body = if refused {
        let issues: Vec<&Issue> = rows.iter().flat_map(|row| &row.issues).chain(&notes).collect();
        serde_json::json!({
            "type": crate::api::problem_type("message-refused"),
            "title": "The message was not accepted",
            "status": status,
            "code": "message-refused",
            "detail": "It is kept in quarantine with its reasons. Put right every issue listed and send it again under a new idempotency key.",
            "instance": format!("urn:uuid:{submission}"),
            "issues": issues,
            "receipt": jws,
        })
    } else {
        serde_json::json!({
            "submission": submission,
            "received_at": now.to_string(),
            "rows": rows,
            "notes": notes,
            "receipt": jws,
        })
    };
    let media_type = if refused { "application/problem+json" } else { "application/json" };
    Ok(Answer {
        submission,
        status,
        media_type: media_type.to_owned(),
        body: serde_json::to_vec(&body).or(Err(ReceiveError::Ours("the answer")))?,
        rows,
        entry: None,
        checkpoint: None,
        replayed: false,
    })
}
