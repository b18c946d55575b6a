//! Every error's outward face: RFC 9457 problems, from one exhaustive table.
//!
//! `type` names a section of `docs/problems.md`; `detail` is ours and holds no personal data;
//! `instance` is the reference a user can quote, the same as in the log line. `blame` says whose
//! move it is.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::Issue;
use serde::Serialize;

use crate::pipeline::{CollectError, ReceiveError};
use crate::store::StoreError;

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The caller.
    Sender,
    /// The organisation a message is for.
    Recipient,
    /// Whoever runs this gateway.
    Operator,
    /// We who made it.
    Ours,
}

/// Every kind of problem. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The body is not well-formed, or not what is agreed.
    MalformedMessage,
    /// The message was read and not accepted.
    MessageRefused,
    /// The body is larger than a limit.
    TooLarge,
    /// The media type is not one we read.
    UnsupportedMediaType,
    /// The media type asked for is not one we write for this.
    NotAcceptable,
    /// A POST came without an idempotency key.
    IdempotencyKeyMissing,
    /// The key came before with another request.
    IdempotencyKeyReused,
    /// The key is being worked on.
    RequestInProgress,
    /// The caller's role may not do this.
    NotPermitted,
    /// An edit of a person's ledger must name the version it was made on.
    IfMatchRequired,
    /// The person's ledger, or what would follow, is not what the caller has seen.
    LedgerMoved,
    /// A withdrawal could not be put in force yet.
    NotYetInForce,
    /// Nothing is released until the consent ledger has caught up after a restore.
    HeldAfterRestore,
    /// There is no such thing, for this caller.
    NotFound,
    /// It was stopped and is not available any more.
    NoLongerAvailable,
    /// Its time was over, and it was removed with its key.
    Removed,
    /// No mapping of that name.
    UnknownMapping,
    /// A parameter or header is missing or wrong.
    InvalidParameter,
    /// It was decided before.
    AlreadyDecided,
    /// Somebody else must decide it.
    NotYoursToDecide,
    /// An upload goes on elsewhere than these bytes begin.
    UploadOffset,
    /// There is nothing at the range asked for.
    RangeNotSatisfiable,
    /// The store is not available; nothing was acknowledged.
    TemporarilyUnavailable,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// Every kind, for the documents' test and the API description.
    pub const ALL: [Self; 24] = [
        Self::MalformedMessage,
        Self::MessageRefused,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::NotAcceptable,
        Self::IdempotencyKeyMissing,
        Self::IdempotencyKeyReused,
        Self::RequestInProgress,
        Self::NotPermitted,
        Self::IfMatchRequired,
        Self::LedgerMoved,
        Self::NotYetInForce,
        Self::HeldAfterRestore,
        Self::NotFound,
        Self::NoLongerAvailable,
        Self::Removed,
        Self::UnknownMapping,
        Self::InvalidParameter,
        Self::AlreadyDecided,
        Self::NotYoursToDecide,
        Self::UploadOffset,
        Self::RangeNotSatisfiable,
        Self::TemporarilyUnavailable,
        Self::Internal,
    ];

    fn row(self) -> (&'static str, u16, &'static str, Blame) {
        use Blame::{Operator, Sender};
        match self {
            Self::MalformedMessage => {
                ("malformed-message", 400, "The message could not be read", Sender)
            }
            Self::MessageRefused => {
                ("message-refused", 422, "The message was not accepted", Sender)
            }
            Self::TooLarge => ("too-large", 413, "The message is too large", Sender),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "The media type is not read here", Sender)
            }
            Self::NotAcceptable => ("not-acceptable", 406, "There is no form of this type", Sender),
            Self::IdempotencyKeyMissing => {
                ("idempotency-key-missing", 400, "An idempotency key is required", Sender)
            }
            Self::IdempotencyKeyReused => (
                "idempotency-key-reused",
                422,
                "The idempotency key belongs to another request",
                Sender,
            ),
            Self::RequestInProgress => {
                ("request-in-progress", 409, "The request is in progress", Sender)
            }
            Self::NotPermitted => {
                ("not-permitted", 403, "Your organisation may not do this", Sender)
            }
            Self::IfMatchRequired => {
                ("if-match-required", 428, "The version of the ledger is not named", Sender)
            }
            Self::LedgerMoved => ("ledger-moved", 412, "The consent ledger has moved", Sender),
            Self::NotYetInForce => ("not-yet-in-force", 503, "It is not yet in force", Operator),
            Self::HeldAfterRestore => {
                ("held-after-restore", 503, "Nothing is released after a restore", Operator)
            }
            Self::NotFound => ("not-found", 404, "There is no such thing here", Sender),
            Self::NoLongerAvailable => {
                ("no-longer-available", 410, "It is no longer available", Sender)
            }
            Self::Removed => ("removed", 410, "It was removed when its time was over", Sender),
            Self::UnknownMapping => {
                ("unknown-mapping", 400, "No mapping is known by that name", Sender)
            }
            Self::InvalidParameter => {
                ("invalid-parameter", 400, "A parameter is missing or wrong", Sender)
            }
            Self::AlreadyDecided => ("already-decided", 409, "It was decided before", Sender),
            Self::NotYoursToDecide => {
                ("not-yours-to-decide", 403, "Somebody else must decide this", Sender)
            }
            Self::UploadOffset => ("upload-offset", 409, "The upload goes on elsewhere", Sender),
            Self::RangeNotSatisfiable => {
                ("range-not-satisfiable", 416, "There is nothing at that range", Sender)
            }
            Self::TemporarilyUnavailable => (
                "temporarily-unavailable",
                503,
                "The gateway cannot answer at the moment",
                Operator,
            ),
            Self::Internal => ("internal", 500, "The gateway failed", Blame::Ours),
        }
    }

    /// The stable code, also the anchor in `docs/problems.md`.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The kind with this code.
    pub(super) fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Who has to act.
    pub(super) fn blame(self) -> Blame {
        self.row().3
    }
}

/// A problem on its way out.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: String,
    issues: Vec<Issue>,
    header: Option<(&'static str, String)>,
}

impl Problem {
    /// A problem with what is wrong and what to do next.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), issues: Vec::new(), header: None }
    }

    /// Adds a header that a program reads.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Adds what was found in the message.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<Issue>) -> Self {
        self.issues = issues;
        self
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong and what to do next.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What was found in the message, if it got so far.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The response, with the reference that the log line has too.
    pub fn render(&self, reference: &str) -> Response {
        let (code, status, title, blame) = self.kind.row();
        let body = serde_json::json!({
            "type": super::problem_type(code),
            "title": title,
            "status": status,
            "code": code,
            "detail": self.detail,
            "blame": blame,
            "instance": format!("urn:uuid:{reference}"),
            "issues": self.issues,
        });
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body.to_string()).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = &self.header
            && let Ok(value) = HeaderValue::from_str(value)
        {
            response.headers_mut().insert(*name, value);
        }
        let soon = [Kind::TemporarilyUnavailable, Kind::RequestInProgress, Kind::NotYetInForce];
        if soon.contains(&self.kind) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// Carries the problem to the edge, where it is rendered with its reference and logged once.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Unavailable(_)
            | StoreError::Closed
            | StoreError::Fenced
            | StoreError::SinkBehind { .. } => Kind::TemporarilyUnavailable,
            StoreError::KeyTaken | StoreError::DuplicateRecord => Kind::RequestInProgress,
            StoreError::Conflict { .. } => Kind::AlreadyDecided,
            StoreError::StillLeaving => Kind::NotYetInForce,
            StoreError::LedgerMoved => Kind::LedgerMoved,
            StoreError::HeldAfterRestore => Kind::HeldAfterRestore,
            StoreError::LeaseLost
            | StoreError::Contradiction { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Migration { .. }
            | StoreError::Setting { .. }
            | StoreError::Log(_)
            | StoreError::Entropy(_) => Kind::Internal,
        };
        let told = crate::telemetry::chain(&error);
        if matches!(kind, Kind::LedgerMoved | Kind::NotYetInForce | Kind::HeldAfterRestore)
            || matches!(error, StoreError::Fenced)
        {
            tracing::info!(error = %told, "the store refused: {}", kind.code());
        } else {
            tracing::error!(error = %told, "the store failed: {}", kind.code());
        }
        Self::new(kind, detail_of(kind))
    }
}

/// What to do about what the store said.
fn detail_of(kind: Kind) -> &'static str {
    match kind {
        Kind::TemporarilyUnavailable => {
            "Whether it was stored is not known. Send it again with the same idempotency key: it is done once."
        }
        Kind::AlreadyDecided => {
            "The same decision was recorded before, or the delivery is in another state."
        }
        Kind::LedgerMoved => {
            "Somebody recorded a decision since you looked, or what would follow has changed. Nothing was recorded. Read the ledger or ask for the preview again, look, and send it with the new ETag in If-Match."
        }
        Kind::NotYetInForce => {
            "Something about this person is still leaving, so this is not recorded and not in force yet. Nothing new is sent about them meanwhile. Send it again with the same idempotency key until it is answered."
        }
        Kind::HeldAfterRestore => {
            "This gateway runs on a restored database and releases nothing until its consent ledger has caught up. Consent decisions are taken: send again those you have sent since the backup. Then try this again."
        }
        Kind::MalformedMessage
        | Kind::MessageRefused
        | Kind::TooLarge
        | Kind::UnsupportedMediaType
        | Kind::NotAcceptable
        | Kind::IdempotencyKeyMissing
        | Kind::IdempotencyKeyReused
        | Kind::RequestInProgress
        | Kind::NotPermitted
        | Kind::NotYoursToDecide
        | Kind::IfMatchRequired
        | Kind::NotFound
        | Kind::NoLongerAvailable
        | Kind::Removed
        | Kind::UnknownMapping
        | Kind::InvalidParameter
        | Kind::UploadOffset
        | Kind::RangeNotSatisfiable
        | Kind::Internal => {
            "Quote the reference to the operator. Send the request again with the same idempotency key."
        }
    }
}

impl From<ReceiveError> for Problem {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::KeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "This key was used before for a request with another format, mapping or body. Use a new key for a new request.",
            ),
            ReceiveError::InProgress => Self::new(
                Kind::RequestInProgress,
                "Wait a moment and send the same request again with the same key.",
            ),
            ReceiveError::UnknownMapping => Self::new(
                Kind::UnknownMapping,
                "Name a mapping in the EHC-Mapping header, or ask the operator to set one for your organisation.",
            ),
            ReceiveError::Unreadable(error) => {
                let kind = match error.kind {
                    adapters::ReadErrorKind::TooLarge => Kind::TooLarge,
                    adapters::ReadErrorKind::Encoding
                    | adapters::ReadErrorKind::Syntax
                    | adapters::ReadErrorKind::Shape => Kind::MalformedMessage,
                };
                let issue = error.to_issue();
                Self { issues: vec![issue.clone()], ..Self::new(kind, issue.to_string()) }
            }
            ReceiveError::Store(error) => error.into(),
            ReceiveError::Vault(error) => {
                tracing::error!(error = %crate::telemetry::chain(&error), "sealing failed");
                Self::new(
                    Kind::TemporarilyUnavailable,
                    "The key service did not answer; nothing was stored. Send it again with the same idempotency key.",
                )
            }
            ReceiveError::Entropy(error) => {
                tracing::error!(%error, "there was no randomness");
                Self::new(
                    Kind::TemporarilyUnavailable,
                    "Nothing was stored. Send it again with the same idempotency key.",
                )
            }
            ReceiveError::Ours(what) => {
                tracing::error!(what, "the gateway could not work out {what}");
                Self::new(Kind::Internal, "Quote the reference to the operator.")
            }
        }
    }
}

impl From<CollectError> for Problem {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::NotFound => {
                Self::new(Kind::NotFound, "No delivery with this id is in your inbox.")
            }
            CollectError::Stopped => Self::new(
                Kind::NoLongerAvailable,
                "It was stopped before it was collected. The sender knows why; nothing is needed from you.",
            ),
            CollectError::Removed => Self::new(
                Kind::Removed,
                "It was removed, with its key, when its time under the retention schedule was over; the log says by which rule (GET /v1/records/{record}/journey). If you still need it, ask its sender to send it again.",
            ),
            CollectError::Format(error) => Self::new(
                Kind::NotAcceptable,
                format!("{error}. Ask for application/json, which has a form for every message."),
            ),
            CollectError::NoDocument => {
                Self::new(Kind::NotFound, "The message has no document with this number.")
            }
            CollectError::Document(error) => {
                let error = crate::telemetry::chain(&error);
                tracing::error!(error, "a document could not be read");
                Self::new(Kind::Internal, "Quote the reference to the operator.")
            }
            CollectError::Ours(what) => {
                tracing::error!(what, "the gateway could not work out {what}");
                Self::new(Kind::Internal, "Quote the reference to the operator.")
            }
            CollectError::Store(error) => error.into(),
            CollectError::Vault(error) => {
                tracing::error!(error = %crate::telemetry::chain(&error), "opening failed");
                Self::new(Kind::Internal, "Quote the reference to the operator.")
            }
        }
    }
}
