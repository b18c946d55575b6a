//! What the practice MESH keeps, and what it refuses.

use std::collections::BTreeSet;

use adapters::mesh::{
    Checksum, ChunkRange, Mailbox, MeshMessageId, Outgoing, TokenParts, WorkflowId,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemas::OrganisationCode;

use super::files::{PASSWORD, SHARED_KEY};
use super::{MailboxPlan, Mood};
use crate::entropy::{hex, hmac_sha256};

/// A refusal: the status, and the code when there is one.
pub(super) type Refusal = (u16, Option<&'static str>);

/// Everything the server knows.
#[derive(Debug)]
pub(super) struct State {
    plan: MailboxPlan,
    tokens: BTreeSet<String>,
    messages: Vec<Stored>,
    pub(super) mood: Mood,
    pub(super) first_posts: usize,
    pub(super) handshakes: usize,
    pub(super) acknowledgements: usize,
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: MeshMessageId,
    pub(super) from: Option<Mailbox>,
    pub(super) to: Mailbox,
    pub(super) workflow: WorkflowId,
    pub(super) local_id: String,
    pub(super) content_type: String,
    pub(super) checksum: String,
    pub(super) encoding: String,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) total: u32,
    pub(super) linked: Option<(MeshMessageId, String)>,
    pub(super) status: Status,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Uploading,
    Accepted,
    Acknowledged,
    Undeliverable,
}

/// A first chunk, as it came.
pub(super) struct Posted<'a> {
    pub(super) header: &'a dyn Fn(&str) -> String,
    pub(super) body: Vec<u8>,
}

impl State {
    pub(super) fn new(plan: MailboxPlan) -> Self {
        Self {
            plan,
            tokens: BTreeSet::new(),
            messages: Vec::new(),
            mood: Mood::Well,
            first_posts: 0,
            handshakes: 0,
            acknowledgements: 0,
        }
    }

    /// The mailbox that a request may act for: the one in its path, by its token and certificate.
    pub(super) fn admit(
        &mut self,
        path: &str,
        authorization: &str,
        caller: &OrganisationCode,
    ) -> Result<Mailbox, Refusal> {
        if let Mood::Busy(left @ 1..) = self.mood {
            self.mood = if left == 1 { Mood::Well } else { Mood::Busy(left - 1) };
            return Err((503, None));
        }
        let forbidden = (403, None);
        let (parts, hash) = TokenParts::parse(authorization).ok_or(forbidden)?;
        if parts.mailbox.as_str() != path {
            return Err(forbidden);
        }
        let own = (parts.mailbox.clone(), caller.clone());
        if !self.plan.mailboxes.contains(&own) {
            return Err(forbidden);
        }
        let text = parts.signed_text(PASSWORD);
        if hex(&hmac_sha256(SHARED_KEY.as_bytes(), text.as_bytes())) != hash {
            return Err(forbidden);
        }
        let at = DateTime::strptime("%Y%m%d%H%M", &parts.timestamp).or(Err(forbidden))?;
        let at = TimeZone::UTC.to_timestamp(at).or(Err(forbidden))?;
        let age = self.plan.clock.now().duration_since(at).as_secs().abs();
        if age > TOKEN_SECONDS_MAX {
            return Err(forbidden);
        }
        if !self.tokens.insert(format!("{}:{}:{}", parts.mailbox, parts.nonce, parts.count)) {
            return Err(forbidden);
        }
        Ok(parts.mailbox)
    }

    /// Takes a first chunk: the message is made.
    pub(super) fn post(
        &mut self,
        from: Mailbox,
        posted: Posted<'_>,
    ) -> Result<MeshMessageId, Refusal> {
        let header = posted.header;
        let range = header("mex-chunk-range");
        let range =
            if range.is_empty() { Some(ChunkRange::new(1, 1)) } else { ChunkRange::parse(&range) };
        let chunk = range.filter(|range| range.number == 1 && range.total > 0);
        let chunk = chunk.ok_or((417, Some("InvalidHeaderChunks")))?;
        let encoding = header("content-encoding");
        if !matches!(encoding.as_str(), "" | "gzip") {
            return Err((417, Some("UnsupportedContentEncoding")));
        }
        if posted.body.is_empty() {
            return Err((417, Some("02")));
        }
        let checksum = header("mex-content-checksum");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ':' | '-' | '/');
        if !checksum.chars().all(plain) {
            return Err((400, Some("06")));
        }
        let to = Mailbox::parse(&header("mex-to")).ok_or((400, Some("08")))?;
        let workflow = WorkflowId::parse(&header("mex-workflowid")).ok_or((400, Some("06")))?;
        let local_id = header("mex-localid");
        let outgoing = Outgoing {
            to: to.clone(),
            workflow: workflow.clone(),
            local_id: local_id.clone(),
            subject: header("mex-subject"),
            file_name: header("mex-filename"),
            content_type: header("mex-content-type"),
            checksum: Checksum::sha256(checksum.strip_prefix("sha256:").unwrap_or(&checksum)),
            chunk,
        };
        outgoing.headers().or(Err((400, Some("06"))))?;
        if !self.plan.mailboxes.iter().any(|(mailbox, _)| *mailbox == to) {
            return Err((417, Some("12")));
        }
        if !self.plan.allowed.contains(&(from.clone(), to.clone(), workflow.clone())) {
            return Err((417, Some("17")));
        }
        self.first_posts += 1;
        let id = self.next_id().ok_or((500, None))?;
        let status = if chunk.is_last() { Status::Accepted } else { Status::Uploading };
        self.messages.push(Stored {
            id: id.clone(),
            from: Some(from),
            to,
            workflow,
            local_id,
            content_type: header("mex-content-type"),
            checksum,
            encoding,
            chunks: vec![posted.body],
            total: chunk.total,
            linked: None,
            status,
        });
        Ok(id)
    }

    /// Takes a later chunk. `true` when it was the last.
    pub(super) fn chunk(
        &mut self,
        from: &Mailbox,
        (id, number): (&str, u32),
        posted: Posted<'_>,
    ) -> Result<bool, Refusal> {
        let found = self.messages.iter_mut().find(|message| message.id.as_str() == id);
        let message = found.ok_or((404, Some("20")))?;
        if message.from.as_ref() != Some(from) {
            return Err((403, None));
        }
        if message.status != Status::Uploading {
            return Err((423, None));
        }
        if number > message.total {
            return Err((406, None));
        }
        let range = ChunkRange::parse(&(posted.header)("mex-chunk-range"));
        if range != Some(ChunkRange::new(number, message.total)) || number < 2 {
            return Err((417, Some("InvalidHeaderChunks")));
        }
        if (posted.header)("content-encoding") != message.encoding {
            return Err((417, Some("InvalidHeaderChunks")));
        }
        let at = usize::try_from(number).unwrap_or(usize::MAX) - 1;
        let next = message.chunks.len() == at;
        match message.chunks.get_mut(at) {
            // The same chunk again replaces the first copy.
            Some(chunk) => *chunk = posted.body,
            None if next => message.chunks.push(posted.body),
            None => return Err((417, Some("InvalidHeaderChunks"))),
        }
        let last = number == message.total;
        if last {
            message.status = Status::Accepted;
        }
        Ok(last)
    }

    /// A message in a mailbox, for its owner.
    pub(super) fn open(&self, mailbox: &Mailbox, id: &str) -> Result<&Stored, Refusal> {
        let found = self.messages.iter().find(|message| message.id.as_str() == id);
        let message = found.ok_or((404, Some("20")))?;
        if message.to != *mailbox {
            return Err((403, None));
        }
        if message.status == Status::Accepted { Ok(message) } else { Err((410, None)) }
    }

    /// Takes a message off the inbox. Twice is harmless.
    pub(super) fn acknowledge(&mut self, mailbox: &Mailbox, id: &str) -> Result<(), Refusal> {
        self.acknowledgements += 1;
        if self.mood == Mood::NoAcknowledgements {
            return Err((500, None));
        }
        let found = self.messages.iter_mut().find(|message| message.id.as_str() == id);
        let message = found.ok_or((404, Some("20")))?;
        if message.to != *mailbox {
            return Err((403, None));
        }
        if message.status == Status::Accepted {
            message.status = Status::Acknowledged;
        }
        Ok(())
    }

    /// A message, for the mailbox that sent it.
    pub(super) fn track(&self, mailbox: &Mailbox, id: &str) -> Result<&Stored, Refusal> {
        let own = |message: &&Stored| message.from.as_ref() == Some(mailbox);
        let found = self.messages.iter().find(|message| message.id.as_str() == id).filter(own);
        found.ok_or((404, Some("20")))
    }

    pub(super) fn page(&self) -> usize {
        self.plan.page
    }

    pub(super) fn waiting(&self, mailbox: &Mailbox, filter: Option<&str>) -> Vec<MeshMessageId> {
        let here = |message: &&Stored| {
            message.to == *mailbox
                && message.status == Status::Accepted
                && filter.is_none_or(|filter| fits(filter, message.workflow.as_str()))
        };
        self.messages.iter().filter(here).map(|message| message.id.clone()).collect()
    }

    pub(super) fn local_ids(&self, to: &Mailbox) -> Vec<String> {
        let sent = self.messages.iter().filter(|message| message.to == *to);
        sent.map(|message| message.local_id.clone()).collect()
    }

    pub(super) fn report(&mut self, linked: &MeshMessageId, code: &str) -> Option<MeshMessageId> {
        let id = self.next_id()?;
        let about = self.messages.iter_mut().find(|message| message.id == *linked)?;
        about.status = Status::Undeliverable;
        let report = Stored {
            id: id.clone(),
            from: None,
            to: about.from.clone()?,
            workflow: about.workflow.clone(),
            local_id: String::new(),
            content_type: String::new(),
            checksum: String::new(),
            encoding: String::new(),
            chunks: Vec::new(),
            total: 0,
            linked: Some((linked.clone(), code.to_owned())),
            status: Status::Accepted,
        };
        self.messages.push(report);
        Some(id)
    }

    pub(super) fn damage(&mut self, id: &MeshMessageId) {
        let found = self.messages.iter_mut().find(|message| message.id == *id);
        let last = found.and_then(|message| message.chunks.last_mut()?.last_mut());
        if let Some(byte) = last {
            *byte ^= 1;
        }
    }

    fn next_id(&self) -> Option<MeshMessageId> {
        let now: Timestamp = self.plan.clock.now();
        let text = now.strftime("%Y%m%d%H%M%S");
        MeshMessageId::parse(&format!("{text}_{:06}", self.messages.len() + 1))
    }
}

/// A workflow filter: `X`, `!X`, `X*`, `*X*`, `!*X*`.
fn fits(filter: &str, workflow: &str) -> bool {
    if let Some(rest) = filter.strip_prefix('!') {
        return !fits(rest, workflow);
    }
    match (filter.strip_prefix('*'), filter.strip_suffix('*')) {
        (Some(rest), _) => workflow.contains(rest.trim_end_matches('*')),
        (None, Some(start)) => workflow.starts_with(start),
        (None, None) => workflow == filter,
    }
}

/// Spine refuses tokens that are further off than two hours.
const TOKEN_SECONDS_MAX: i64 = 2 * 60 * 60;
