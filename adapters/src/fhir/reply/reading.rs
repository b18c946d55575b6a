//! What a message calls itself, and what a partner's answer to one of ours says.

use super::{Dialect, ReplyCode};
use crate::Format;
use crate::json::strict::Node;

/// What a message calls itself: for its answer, and for telling a second copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// `MessageHeader.id` of the first entry.
    pub message: Option<String>,
    /// `Bundle.id`.
    pub bundle: Option<String>,
    /// What it is written in.
    pub dialect: Dialect,
}

/// What a partner's answer says about the message it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A response message about this message, with its code.
    Response(ReplyCode),
    /// An `OperationOutcome` alone: it was not taken as a message; the status says the rest.
    OutcomeAlone,
    /// A response message about another message.
    AboutAnother,
    /// Nothing that can be understood as an answer.
    Unreadable,
}

/// Finds what a message calls itself, as far as it can be read at all.
pub fn identity(format: Format, bytes: &[u8]) -> Identity {
    let Ok(root) = super::super::tree(format, bytes) else { return Identity::default() };
    let header = first_resource(&root).filter(|first| is(first, "resourceType", "MessageHeader"));
    Identity {
        message: header.and_then(|header| id_of(header, "id")),
        bundle: id_of(&root, "id"),
        dialect: if super::super::itk3::is(&root) { Dialect::Itk3 } else { Dialect::R4 },
    }
}

/// Reads a partner's answer. `about` is the `MessageHeader.id` that was sent.
pub fn read(format: Format, bytes: &[u8], about: &str) -> Said {
    if bytes.len() > super::ANSWER_BYTES_MAX {
        return Said::Unreadable;
    }
    let Ok(root) = super::super::tree(format, bytes) else { return Said::Unreadable };
    if is(&root, "resourceType", "OperationOutcome") {
        return Said::OutcomeAlone;
    }
    if !is(&root, "resourceType", "Bundle") || !is(&root, "type", "message") {
        return Said::Unreadable;
    }
    let header = first_resource(&root).filter(|first| is(first, "resourceType", "MessageHeader"));
    let Some(response) = header.and_then(|header| header.member("response")) else {
        return Said::Unreadable;
    };
    match response.member("identifier").and_then(Node::text) {
        Some(identifier) if identifier == about => {}
        Some(_) => return Said::AboutAnother,
        None => return Said::Unreadable,
    }
    match response.member("code").and_then(Node::text) {
        Some("ok") => Said::Response(ReplyCode::Ok),
        Some("transient-error") => Said::Response(ReplyCode::TransientError),
        Some("fatal-error") => Said::Response(ReplyCode::FatalError),
        Some(_) | None => Said::Unreadable,
    }
}

fn first_resource(root: &Node) -> Option<&Node> {
    root.member("entry")?.elements().first()?.member("resource")
}

fn is(node: &Node, name: &str, wanted: &str) -> bool {
    node.member(name).and_then(Node::text) == Some(wanted)
}

/// An id as FHIR allows it; anything else is no id, and is never repeated.
fn id_of(node: &Node, name: &str) -> Option<String> {
    let id = node.member(name)?.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let fits = (1..=ID_CHARS_MAX).contains(&id.len()) && id.chars().all(allowed);
    fits.then(|| id.to_owned())
}

/// The longest id (FHIR R4, datatype `id`).
const ID_CHARS_MAX: usize = 64;
