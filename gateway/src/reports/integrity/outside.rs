//! What is held outside of the log, and whether the log here still continues it; and when it was
//! verified last.
//!
//! A history that was rewritten from a place on, and signed again, is whole in itself. What a witness
//! cosigned, and what was published, was signed before: they are held against the log as it is now.

use jiff::Timestamp;

use super::super::rows::time;
use super::super::{Cell, ENTRIES_MAX, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::tree;
use crate::audit::{Entry, EventKind};
use crate::outsiders::{self, Means};
use crate::publication;
use crate::store::LogFilter;

/// What is held outside.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Heads that were cosigned or published and stand in the log, for the judge.
    pub(super) heads: Vec<Checkpoint>,
    /// What does not stand in it, in words.
    pub(super) faults: Vec<String>,
    lines: Vec<Line>,
}

/// The newest head that one holder has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    holder: String,
    means: String,
    size: u64,
    signed: Option<Timestamp>,
    since: Option<Timestamp>,
    stands: bool,
}

impl Outside {
    /// Asks who holds what, and holds it against the log.
    pub(super) async fn of(app: &App) -> Result<Self, ReportError> {
        let mut found = Self::default();
        let newest = app.store.latest_checkpoint().await?.ok_or(ReportError::NoCheckpoint)?;
        let newest = Checkpoint::parse_and_verify(&newest.note, &app.log_vkey);
        let newest = newest.or(Err(ReportError::NoCheckpoint))?;
        let mut broken = Vec::new();
        for one in outsiders::cosigned(app).await? {
            let head = one.stands.and_then(|here| head_of(app, &here.note));
            let stands = match &head {
                Some(head) => continues(app, head, &newest).await,
                None => false,
            };
            if stands {
                found.heads.extend(head);
            } else {
                found.faults.push(format!(
                    "{} cosigned {} entries, and that is not the log that stands here",
                    one.witness, one.size
                ));
                broken.push((one.witness, one.size));
            }
        }
        for held in app.store.held_outside().await? {
            let here = app.store.checkpoints(held.size, 1).await?.into_iter().next();
            let signed = |here: &crate::store::StoredCheckpoint| {
                here.size == held.size && here.at == held.signed_at
            };
            let cosigned = held.means == Means::Cosignature.name();
            let wrong = cosigned && broken.contains(&(held.holder.clone(), held.size));
            found.lines.push(Line {
                stands: here.as_ref().is_some_and(signed) && !wrong,
                holder: held.holder,
                means: held.means,
                size: held.size,
                signed: Some(held.signed_at),
                since: Some(held.since),
            });
        }
        if let Some((head, _)) = publication::checkpoint_in(app) {
            let stands = continues(app, &head, &newest).await;
            found.lines.push(Line {
                holder: "the published log".to_owned(),
                means: "published".to_owned(),
                size: head.size,
                signed: Some(head.at),
                since: None,
                stands,
            });
            if stands {
                found.heads.push(head);
            } else {
                found.faults.push(format!(
                    "{} entries were published, and that is not the log that stands here",
                    head.size
                ));
            }
        }
        found.heads.sort_by_key(|head| head.size);
        found.heads.dedup_by_key(|head| head.size);
        Ok(found)
    }

    /// A row for each holder.
    pub(super) fn sheet(&self) -> Sheet {
        let columns = [
            ("held by", Kind::Text),
            ("known by", Kind::Text),
            ("entries", Kind::Number),
            ("signed (London)", Kind::Time),
            ("since (London)", Kind::Time),
            ("stands in this log", Kind::Text),
        ];
        let mut sheet = Sheet::new("Held outside", &columns);
        for line in &self.lines {
            sheet.rows.push(vec![
                line.holder.clone().into(),
                line.means.clone().into(),
                line.size.into(),
                line.signed.map_or(Cell::Nothing, time),
                line.since.map_or(Cell::Nothing, time),
                if line.stands { "yes" } else { "NO" }.into(),
            ]);
        }
        sheet
    }

    /// What does not stand, as rows of the proof.
    pub(super) fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |fault: &String| vec!["fault".into(), fault.clone().into()];
        self.faults.iter().take(super::FAULTS_MAX).map(row).collect()
    }

    /// A report with what the reader has to know of this.
    pub(super) fn noted(&self, made: Made) -> Made {
        let made = if self.faults.is_empty() { made } else { made.note(NOT_CONTINUED) };
        if self.lines.is_empty() { made.note(NOBODY) } else { made.note(HELD) }
    }
}

/// A checkpoint of this log's key.
fn head_of(app: &App, note: &str) -> Option<Checkpoint> {
    Checkpoint::parse_and_verify(note, &app.log_vkey).ok()
}

/// Whether the log begins with a head.
async fn continues(app: &App, head: &Checkpoint, newest: &Checkpoint) -> bool {
    if head.size == newest.size {
        return head.root == newest.root;
    }
    if head.size == 0 || head.size > newest.size {
        return head.size == 0;
    }
    let Ok(proof) = app.consistency_proof(head.size, newest.size).await else { return false };
    let (size, root) = (newest.size, newest.root);
    tree::verify_consistency(&proof, size, root, head.size, head.root).is_ok()
}

/// The entry of the last verification of the whole log at the machine.
pub(super) async fn last_verified(app: &App, asked: u64) -> Result<Option<Entry>, ReportError> {
    let filter = LogFilter { kinds: vec![EventKind::AuditViewed], ..LogFilter::default() };
    let (mut before, mut read) = (asked, 0_usize);
    while read < ENTRIES_MAX {
        let page = app.store.entries_matching(&filter, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = last.seq;
        read = read.saturating_add(page.len());
        let is_one =
            |entry: &Entry| entry.event.detail.get("what").is_some_and(|what| what == "verify");
        if let Some(found) = page.into_iter().find(is_one) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What is said of the last verification.
pub(super) fn verified_rows(verified: Option<&Entry>) -> Vec<Vec<Cell>> {
    let row = |what: &str, value: Cell| vec![what.into(), value];
    let Some(entry) = verified else {
        return vec![row("last verified at the machine", NEVER.into())];
    };
    let said = |name: &str| entry.event.detail.get(name).cloned();
    let outcome = said("outcome").unwrap_or_else(|| "whole".to_owned());
    let at = crate::clock::london_time(entry.at()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        row("last verified at the machine (London)", at.into()),
        row("entry of that", entry.seq.to_string().into()),
        row("outcome of that", outcome.into()),
        row("entries checked then", said("entries").into()),
    ]
}

const PAGE: u32 = 1_000;

const NEVER: &str = "no verification that found it whole is in the log";
const HELD: &str = "Held outside: the newest checkpoint that each witness has cosigned, that each partner has shown, and that is published. Of a witness and of what is published it is worked out that the log still begins with it; of what a partner has shown, that a checkpoint of that size and time is here: ask the partner for it, and give it to `audit verify --checkpoint`.";
const NOBODY: &str = "Nobody outside is known to hold a checkpoint of this log: a history that was rewritten and signed again would not show. List a witness (operations.md), or have partners echo theirs.";
const NOT_CONTINUED: &str = "Somebody outside holds a head that this log does NOT continue: it was rewritten, cut, or restored from a backup since.";

#[cfg(test)]
mod tests;
