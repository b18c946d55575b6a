//! What MESH says when it refuses: codes, never its sentences.

use crate::json::strict;

/// A refusal: the codes found in it, and nothing that was quoted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// The codes, for example `12`.
    pub codes: Vec<String>,
    /// The names of headers that were refused, for example `mex-to`.
    pub headers: Vec<String>,
}

impl Fault {
    /// Whether a code is among them.
    pub fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|found| found == code)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = false;
        for code in &self.codes {
            write!(f, "{}code {code}", if said { ", " } else { "" })?;
            if let Some(meaning) = meaning(code) {
                write!(f, " ({meaning})")?;
            }
            said = true;
        }
        for header in &self.headers {
            write!(f, "{}header {header}", if said { ", " } else { "" })?;
            said = true;
        }
        if said { Ok(()) } else { f.write_str("no code") }
    }
}

/// Reads the body of a refusal: version 2 (`detail[].code`), version 1 (`errorCode`), a validation
/// error (`detail[].loc`), or anything else, of which nothing is kept (XML, text, nothing).
pub fn fault(body: &[u8]) -> Fault {
    let mut fault = Fault::default();
    if body.len() > super::ANSWER_BYTES_MAX {
        return fault;
    }
    let Ok(node) = strict::parse(body) else { return fault };
    let field =
        |node: &strict::Node, name| node.member(name).and_then(strict::Node::text).and_then(code);
    fault.codes.extend(field(&node, "errorCode"));
    let details = node.member("detail").map(strict::Node::elements).unwrap_or_default();
    for detail in details.iter().take(DETAILS_MAX) {
        fault.codes.extend(field(detail, "code"));
        let loc = detail.member("loc").map(strict::Node::elements).unwrap_or_default();
        if loc.first().and_then(strict::Node::text) == Some("header") {
            fault.headers.extend(loc.get(1).and_then(strict::Node::text).and_then(code));
        }
    }
    fault
}

/// A code or name short and plain enough to repeat.
pub(super) fn code(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let fits = !text.is_empty() && text.len() <= CODE_BYTES_MAX && text.bytes().all(fits);
    fits.then(|| text.to_owned())
}

/// What a code of MESH means, for people.
pub fn meaning(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

const CODES: [(&str, &str); 12] = [
    ("02", "the body is empty or missing"),
    ("06", "malformed headers"),
    ("07", "the sender's mailbox is not valid"),
    ("08", "the recipient is missing"),
    ("11", "the message type is not DATA"),
    ("12", "the recipient's mailbox is not registered"),
    ("14", "not collected by the recipient in time"),
    ("16", "this mailbox may not send to that one"),
    ("17", "the workflow is not registered for the mailbox"),
    ("20", "no such message"),
    ("EPL-150", "several mailboxes match"),
    ("EPL-151", "no mailbox matches"),
];
const CODE_BYTES_MAX: usize = 40;
const DETAILS_MAX: usize = 20;
