//! The bodies of successful answers: strict about what matters, blind to the rest.

use schemas::Place;

use super::{ANSWER_BYTES_MAX, Mailbox, MeshMessageId, ROOT};
use crate::json::strict::{self, Node};
use crate::read_error::{ReadError, ReadErrorKind};

/// One page of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPage {
    /// What waits, oldest first.
    pub messages: Vec<MeshMessageId>,
    /// How many entries were not message ids. They are passed over: one must not block the rest.
    pub unusable: usize,
    /// The path of the next page, if there is one. A filtered page may be empty and have one.
    pub next: Option<String>,
}

/// Where one of our messages stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// The message.
    pub id: MeshMessageId,
    /// Our own id of it.
    pub local_id: Option<String>,
    /// To whom it went.
    pub recipient: Option<Mailbox>,
    /// Where it stands.
    pub status: TrackingStatus,
}

/// The states MESH tracks a message through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackingStatus {
    /// Chunks are missing.
    Uploading,
    /// In the recipient's inbox.
    Accepted,
    /// Collected by the recipient's system. Collected is not read.
    Acknowledged,
    /// Not collected in time, or not deliverable.
    Undeliverable,
    /// Failed at MESH.
    Failed,
    /// A state this gateway does not know.
    Other,
}

/// The answer to a first chunk: `{"message_id": ...}`.
pub fn sent(body: &[u8]) -> Result<MeshMessageId, ReadError> {
    let node = read(body)?;
    let id = node.member("message_id").and_then(Node::text).and_then(MeshMessageId::parse);
    id.ok_or_else(|| shape("message_id", "names no message"))
}

/// A page of the inbox of a mailbox.
pub fn inbox_page(body: &[u8], mailbox: &Mailbox) -> Result<InboxPage, ReadError> {
    let node = read(body)?;
    let Some(list) = node.member("messages") else {
        return Err(shape("messages", "lists no messages"));
    };
    let strict::Value::Array(entries) = &list.value else {
        return Err(shape("messages", "is not a list"));
    };
    let ids = entries.iter().map(|entry| entry.text().and_then(MeshMessageId::parse));
    let messages: Vec<MeshMessageId> = ids.flatten().collect();
    let unusable = entries.len() - messages.len();
    let next = node.member("links").and_then(|links| links.member("next"));
    let next = match next.map(|next| next.text()) {
        None | Some(None) => None,
        Some(Some(path)) => {
            let own = is_inbox_path(path, mailbox).then(|| path.to_owned());
            Some(own.ok_or_else(|| shape("links.next", "leads elsewhere than to this inbox"))?)
        }
    };
    Ok(InboxPage { messages, unusable, next })
}

/// Where one of our messages stands.
pub fn tracking(body: &[u8]) -> Result<Tracking, ReadError> {
    let node = read(body)?;
    let text = |name| node.member(name).and_then(Node::text);
    let id = text("message_id").and_then(MeshMessageId::parse);
    let status = text("status").ok_or_else(|| shape("status", "says no state"))?;
    let local = |text: &&str| text.len() <= 300 && text.bytes().all(|b| (0x20..0x7f).contains(&b));
    Ok(Tracking {
        id: id.ok_or_else(|| shape("message_id", "names no message"))?,
        local_id: text("local_id").filter(local).map(str::to_owned),
        recipient: text("recipient").and_then(Mailbox::parse),
        status: match status.to_ascii_lowercase().as_str() {
            "uploading" => TrackingStatus::Uploading,
            "accepted" => TrackingStatus::Accepted,
            "acknowledged" => TrackingStatus::Acknowledged,
            "undeliverable" => TrackingStatus::Undeliverable,
            "error" => TrackingStatus::Failed,
            _ => TrackingStatus::Other,
        },
    })
}

/// The mailboxes a look-up found: a check of a known pair, never discovery.
pub fn mailboxes(body: &[u8]) -> Result<Vec<Mailbox>, ReadError> {
    let node = read(body)?;
    let Some(list) = node.member("results") else {
        return Err(shape("results", "lists no mailboxes"));
    };
    let ids = list.elements().iter().filter_map(|found| found.member("mailbox_id")?.text());
    Ok(ids.filter_map(Mailbox::parse).collect())
}

/// Whether a link stays in the inbox of the mailbox.
fn is_inbox_path(path: &str, mailbox: &Mailbox) -> bool {
    let start = format!("{ROOT}/{mailbox}/inbox?");
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"' | b'<' | b'>');
    path.len() <= LINK_BYTES_MAX
        && path.bytes().all(plain)
        && path.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(&start))
}

fn read(body: &[u8]) -> Result<Node, ReadError> {
    if body.len() > ANSWER_BYTES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "mesh-answer-too-large",
            Place::Whole,
            "the answer of MESH is larger than 1 MiB",
            "nothing: it is asked again later",
        ));
    }
    strict::parse(body)
}

fn shape(path: &str, message: &'static str) -> ReadError {
    let place = Place::Text { line: 1, column: 1, path: path.to_owned() };
    let next = "ask the operator of this MESH server whether its answers are version 2";
    ReadError::new(ReadErrorKind::Shape, "mesh-answer-shape", place, message, next)
}

/// The longest link that is followed.
const LINK_BYTES_MAX: usize = 4096;
