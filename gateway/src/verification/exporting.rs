//! Makes bundles of the log, or of a part of it, from a store.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{OrganisationCode, RecordId};

use super::{VerificationError, rows};
use crate::app::App;
use crate::audit::Event;
use crate::audit::bundle::{self, Anchors, Base64Hash, Filter, Header, Holds, Proved};
use crate::audit::log_look::LogLook;
use crate::audit::tree::{self, Frontier, NodeAt};
use crate::cases::MESSAGES_MAX;
use crate::clock::london_day_ends;
use crate::queue::CaseId;
use crate::store::{Change, Store, StoreError, StoredCheckpoint};

/// What of the log is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// The time from the beginning of one civil day in London to the end of another; open where
    /// none is named. At least one is.
    Period(Option<Date>, Option<Date>),
    /// What is about the messages of a case.
    Case(CaseId),
    /// What names a partner, as who acted or as the other organisation, and what is about messages
    /// that were accepted from it.
    Partner(OrganisationCode),
}

/// What a bundle was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many entries it holds.
    pub entries: u64,
    /// How many entries the log had.
    pub size: u64,
}

/// Writes a bundle. That it is made, of what and why (a code) is an entry of the log before the
/// first byte is written. `None`, and nothing written, when the log does not reach back to the
/// period or no message belongs to the case. `seen` is told how many entries are written.
pub async fn export(
    app: &App,
    wanted: &Wanted,
    reason: &str,
    to: &mut impl Write,
    seen: impl FnMut(u64),
) -> Result<Option<Exported>, VerificationError> {
    app.store.commit(Change::because(event(app, wanted, reason))).await?;
    write(app, wanted, to, seen).await
}

/// The same for what an entry of the log says already.
pub(crate) async fn write(
    app: &App,
    wanted: &Wanted,
    to: &mut impl Write,
    seen: impl FnMut(u64),
) -> Result<Option<Exported>, VerificationError> {
    // What is committed from here on is for the next bundle.
    let Some(newest) = app.store.latest_checkpoint().await? else { return Ok(None) };
    match wanted {
        Wanted::Whole => stretch(app, (Holds::Whole, Filter::default()), newest, to, seen).await,
        Wanted::Period(from, until) => {
            let from = from.map(|from| london_day_ends(from.yesterday().unwrap_or(from)));
            let us = |at: Timestamp| at.as_microsecond();
            let until_us = until.map(|until| us(london_day_ends(until)));
            let filter = Filter { from_us: from.map(us), until_us, ..Filter::default() };
            stretch(app, (Holds::Period, filter), newest, to, seen).await
        }
        Wanted::Case(case) => {
            let seqs = of_case(&app.store, *case).await?;
            let filter = Filter { case: Some(case.0), ..Filter::default() };
            if seqs.is_empty() {
                return Ok(None);
            }
            chosen(app, (Holds::Case, filter), (newest, seqs), to, seen).await.map(Some)
        }
        Wanted::Partner(partner) => {
            let seqs = app.store.places_naming(partner).await?;
            let filter = Filter { partner: Some(partner.clone()), ..Filter::default() };
            chosen(app, (Holds::Partner, filter), (newest, seqs), to, seen).await.map(Some)
        }
    }
}

pub(super) fn event(app: &App, wanted: &Wanted, reason: &str) -> Event {
    let event = LogLook::Export.event(app.operator()).with("reason", reason);
    match wanted {
        Wanted::Whole => event.with("holds", "whole"),
        Wanted::Period(from, until) => {
            let event = event.with("holds", "period");
            let event = from.iter().fold(event, |event, from| event.with("from", from));
            until.iter().fold(event, |event, until| event.with("until", until))
        }
        Wanted::Case(case) => event.with("holds", "case").with("case", case),
        Wanted::Partner(partner) => {
            let mut event = event.with("holds", "partner");
            event.counterparty = Some(partner.clone());
            event
        }
    }
}

/// Entries that follow each other, between two checkpoints that enclose the time of the filter.
async fn stretch(
    app: &App,
    (holds, filter): (Holds, Filter),
    newest: StoredCheckpoint,
    to: &mut impl Write,
    mut seen: impl FnMut(u64),
) -> Result<Option<Exported>, VerificationError> {
    let before = match filter.from_us {
        Some(from) => last_before(&app.store, from, newest.size).await?,
        None => None,
    };
    let end = match filter.until_us {
        Some(until) => {
            let last = last_before(&app.store, until, newest.size).await?;
            let Some(last) = last else { return Ok(None) };
            let next = app.store.checkpoints(last.size.saturating_add(1), 1).await?;
            next.into_iter().next().filter(|next| next.size < newest.size)
        }
        None => None,
    };
    let first = before.as_ref().map_or(0, |before| before.size);
    let last = end.as_ref().map_or(newest.size, |end| end.size);
    let consistency = match &end {
        Some(end) => app.consistency_proof(end.size, newest.size).await?,
        None => Vec::new(),
    };
    let nodes = app.nodes(&Frontier::nodes(first)).await?;
    let frontier = Frontier::rebuild(first, |node| nodes.get(&node).copied())?;
    let mut header = Header::new(app.origin(), (holds, filter), newest.size);
    header.first = Some(first);
    header.entries = last.saturating_sub(first);
    let anchors = Anchors {
        checkpoint: newest.note,
        before: before.map(|before| before.note),
        frontier: frontier.hashes().iter().copied().map(Base64Hash).collect(),
        end: end.map(|end| end.note),
        consistency: consistency.into_iter().map(Base64Hash).collect(),
    };
    bundle::write_head(to, &header, &anchors)?;
    let mut from = first;
    while from < last {
        let rows = rows(&app.store, from).await?;
        let Some(end) = rows.last() else { break };
        from = end.seq.saturating_add(1);
        for row in rows.iter().filter(|row| row.seq < last) {
            bundle::write_row(to, row)?;
        }
        seen(from.min(last).saturating_sub(first));
    }
    Ok(Some(Exported { entries: header.entries, size: newest.size }))
}

/// The last checkpoint that was signed before an instant, in microseconds since 1970 UTC.
pub(super) async fn last_before(
    store: &Store,
    at_us: i64,
    size: u64,
) -> Result<Option<StoredCheckpoint>, StoreError> {
    let (mut found, mut low, mut high) = (None, 0_u64, size);
    while low <= high {
        let middle = low.midpoint(high);
        let next = store.checkpoints(middle, 1).await?.into_iter().next();
        match next.filter(|next| next.at.as_microsecond() < at_us) {
            Some(next) => {
                low = next.size.saturating_add(1);
                found = Some(next);
            }
            None if middle == 0 => break,
            None => high = middle.saturating_sub(1),
        }
    }
    Ok(found)
}

/// Chosen entries, each with its proof.
async fn chosen(
    app: &App,
    what: (Holds, Filter),
    (newest, mut seqs): (StoredCheckpoint, Vec<u64>),
    to: &mut impl Write,
    mut seen: impl FnMut(u64),
) -> Result<Exported, VerificationError> {
    let size = newest.size;
    seqs.retain(|seq| *seq < size);
    let mut header = Header::new(app.origin(), what, size);
    header.entries = u64::try_from(seqs.len()).unwrap_or(u64::MAX);
    let anchors = Anchors { checkpoint: newest.note, ..Anchors::default() };
    bundle::write_head(to, &header, &anchors)?;
    let mut done = 0_u64;
    for some in seqs.chunks(PROOFS_AT_ONCE) {
        let mut needed: BTreeSet<NodeAt> = BTreeSet::new();
        for seq in some {
            needed.extend(tree::inclusion_nodes(size, *seq)?);
        }
        let needed: Vec<NodeAt> = needed.into_iter().collect();
        let nodes = app.nodes(&needed).await?;
        for row in app.store.audit_rows_at(some).await? {
            let proof = tree::inclusion_proof(size, row.seq, |node| nodes.get(&node).copied())?;
            bundle::write_proved(to, &Proved { seq: row.seq, leaf: row.leaf, proof })?;
            done = done.saturating_add(1);
        }
        seen(done);
    }
    Ok(Exported { entries: done, size })
}

/// What the log says of the messages of a case, and of the submissions they came in.
pub(super) async fn of_case(store: &Store, case: CaseId) -> Result<Vec<u64>, StoreError> {
    let mut seqs = BTreeSet::new();
    for message in store.messages_of_case(case, MESSAGES_MAX).await? {
        seqs.extend(about(store, message.record).await?);
    }
    Ok(seqs.into_iter().collect())
}

async fn about(store: &Store, record: RecordId) -> Result<Vec<u64>, StoreError> {
    let mut seqs: Vec<u64> = store.journey(record).await?.iter().map(|entry| entry.seq).collect();
    if let Some(stored) = store.find_record(record).await? {
        let submission = store.submission(stored.submission).await?;
        seqs.extend(submission.map(|submission| submission.audit_seq));
    }
    Ok(seqs)
}

/// Entries whose proofs are gathered together; each needs at most forty nodes.
const PROOFS_AT_ONCE: usize = 64;
