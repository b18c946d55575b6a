//! How long things are kept, what stops their removal, and the proof that it was lawful.
//!
//! ```text
//! schedule ──► plan: what is due, what is kept and why ──► run: in one commit each,
//!                        ▲                                   sealed bytes become nothing,
//!                  legal holds                               the entry says by which rule
//!                                                                  │
//!                                          certificate ◄── entries with their proofs
//! ```
//!
//! What is removed is the sealed bytes, and with them the wrapped key that opens them: no copy of the
//! key is anywhere else. The row stays, because deliveries, legs and the log refer to it, and so
//! does its pseudonymous metadata. Whether it was lawful is the entry's to say: `audit verify` takes a
//! missing record for removed only where an entry says that just these bytes were.
//!
//! Owns the [`schedule`], the plan, legal holds, removal and the [`certificate`]. It must never know
//! HTTP or SQL, or open what it removes.
//!
//! Use: [`plan()`] to look, [`run`] to remove, [`legal`] for holds.
//!
//! Limits: at most [`ITEMS_MAX`] things go by one plan; a run makes as many plans as it needs, up to
//! ten. Not supported: deleting rows, the consent ledger or the log, because what was decided and what
//! was removed must stay provable; and backups, which are the operator's.

pub mod certificate;
pub mod legal;
pub mod schedule;

mod plan;

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::verify::REMOVED;
use crate::audit::{Actor, Event, EventKind};
use crate::documents::caretaker;
use crate::entropy::{EntropyError, hex, sha256};
use crate::store::{Change, HOLDS_MOVED, Removable, Removal, RetentionWrite, StoreError, Write};

pub(crate) use plan::words_of;
pub use plan::{ITEMS_MAX, Item, Plan, plan};

/// Why something could not be removed, certified or held.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
    /// The database was restored from a backup and may have forgotten legal holds.
    #[error(
        "nothing is removed: the database was restored from a backup and may have forgotten legal \
         holds. See `restore show`, place those that were lost again, confirm the restore (`restore \
         confirm`), then run again"
    )]
    Restored,
    /// The operating system had no randomness to give.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A certificate could not be made.
    #[error("the certificate of deletion could not be made: {0}")]
    Certificate(&'static str),
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ran {
    /// How many things were removed.
    pub removed: u64,
    /// The same by class.
    pub by_class: BTreeMap<&'static str, u64>,
    /// How many were due and are kept, by what keeps them.
    pub kept: BTreeMap<&'static str, u64>,
    /// How many moved on while the run came to them; the next run looks again.
    pub moved_on: u64,
    /// The certificates that were signed.
    pub certificates: Vec<Uuid>,
    /// Documents whose segments could not be taken away yet; their key is gone.
    pub segments_left: u64,
    /// Whether what was freed is unreadable in the database's own files. On a server that is its own
    /// housekeeping's: see the operations manual.
    pub freed: bool,
}

/// What is due by an instant. `Ok` only once the look is in the log.
pub async fn look(app: &App, until: jiff::Timestamp, actor: &Actor) -> Result<Plan, StoreError> {
    let plan = plan(app, until).await?;
    let event = Event::new(EventKind::RetentionViewed, actor.clone())
        .with("what", "due")
        .with("until", until)
        .with("rows", plan.items.len());
    app.store.commit(Change::because(event)).await?;
    Ok(plan)
}

/// A plan as JSON, for the API and for commands: the schedule, counts by class, what keeps some of
/// it, and every item by its reference.
pub fn document(app: &App, plan: &Plan, until: jiff::Timestamp) -> serde_json::Value {
    let by_class: BTreeMap<&str, serde_json::Value> = plan
        .by_class()
        .into_iter()
        .map(|(class, (goes, kept))| (class, serde_json::json!({ "goes": goes, "is_kept": kept })))
        .collect();
    let kept: BTreeMap<&str, serde_json::Value> = plan
        .kept()
        .into_iter()
        .map(|(code, count)| (code, serde_json::json!({ "count": count, "words": words_of(code) })))
        .collect();
    let classes = app.schedule.document();
    serde_json::json!({
        "until": until, "schedule": app.schedule.version(), "classes": classes,
        "enabled": app.config.retention.enabled, "by_class": by_class, "kept_by": kept,
        "items": plan.items, "more": plan.more, "kept_and_not_listed": plan.unlisted.values().sum::<u64>(),
    })
}

/// Removes everything that is due now, certifies it, and takes away what is left of it. Refuses
/// while the database is held after a restore, from the first removal to the last.
pub async fn run(app: &App, actor: &Actor) -> Result<Ran, RetentionError> {
    // Asked first, so that it is said even when nothing is due; each commit asks again.
    if app.store.unconfirmed_restore().await?.is_some() {
        return Err(RetentionError::Restored);
    }
    let mut ran = Ran::default();
    for _ in 0..PLANS_MAX {
        let plan = plan(app, app.clock.now()).await?;
        ran.kept = plan.kept();
        let due: Vec<&Item> = plan.items.iter().filter(|item| item.kept_by.is_none()).collect();
        let before = ran.removed;
        let moved = match remove(app, actor, (&plan, &due), &mut ran).await {
            Err(StoreError::HeldAfterRestore) => return Err(RetentionError::Restored),
            moved => moved?,
        };
        // Nothing is left, or nothing can be removed at present.
        if !moved && (!plan.more || ran.removed == before) {
            break;
        }
    }
    ran.certificates = certificate::certify(app, actor).await?;
    ran.segments_left = caretaker::clear_ended(app).await?.left;
    ran.freed = app.store.forget_freed().await?;
    Ok(ran)
}

/// Removes what is due, some at a time; whether legal holds moved meanwhile, so that the plan must
/// be made again.
async fn remove(
    app: &App,
    actor: &Actor,
    (plan, due): (&Plan, &[&Item]),
    ran: &mut Ran,
) -> Result<bool, StoreError> {
    for some in due.chunks(ITEMS_AT_ONCE) {
        let mut removals = Vec::with_capacity(some.len());
        for item in some {
            if let Some(bytes) = app.store.kept_bytes(item.what, item.item).await? {
                removals.push((*item, sha256(&bytes)));
            }
        }
        match commit(app, actor, plan, &removals).await {
            Ok(()) => removals.iter().for_each(|(item, _)| ran.count(item)),
            Err(StoreError::Conflict { rule }) if rule == HOLDS_MOVED => return Ok(true),
            // One of them began to move again; the others are not to blame.
            Err(StoreError::Conflict { .. }) => {
                for one in &removals {
                    match commit(app, actor, plan, std::slice::from_ref(one)).await {
                        Ok(()) => ran.count(one.0),
                        Err(StoreError::Conflict { rule }) if rule == HOLDS_MOVED => {
                            return Ok(true);
                        }
                        Err(StoreError::Conflict { .. }) => ran.moved_on += 1,
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

async fn commit(
    app: &App,
    actor: &Actor,
    plan: &Plan,
    removals: &[(&Item, [u8; 32])],
) -> Result<(), StoreError> {
    let mut change: Option<Change> = None;
    for (item, hash) in removals {
        let event = event(app, actor, item, hash);
        let removal = Removal {
            what: item.what,
            item: item.item,
            class: item.class.as_str(),
            sha256: *hash,
            rule_version: app.schedule.version().to_owned(),
        };
        let next = match change {
            None => {
                let holds = RetentionWrite::HoldsAre(plan.holds.0, plan.holds.1);
                Change::because(event).write(Write::Retention(holds))
            }
            Some(change) => change.and(event),
        };
        change = Some(next.write(Write::Retention(RetentionWrite::Removed(removal))));
    }
    match change {
        Some(change) => app.store.commit(change).await.map(drop),
        None => Ok(()),
    }
}

/// What the log calls a removal.
fn kind_of(what: Removable) -> EventKind {
    match what {
        Removable::SealedCopy => EventKind::RecordRemoved,
        Removable::Original
        | Removable::Quarantine
        | Removable::Document
        | Removable::Label
        | Removable::Transition => EventKind::ContentRemoved,
    }
}

/// What the log says of a removal: what, whose, by which rule of which version, and the hash of what
/// is gone.
fn event(app: &App, actor: &Actor, item: &Item, hash: &[u8; 32]) -> Event {
    let mut event = Event::new(kind_of(item.what), actor.clone())
        .with("what", item.what.as_str())
        .with("item", item.item)
        .with("class", item.class.as_str())
        .with("counts_from", item.class.start())
        .with("due", item.due_at)
        .with("schedule", app.schedule.version());
    if let Some(rule) = app.schedule.rule(item.class) {
        event = event.with("period", rule.period);
    }
    // The record is enough to find whose it was. Years later their alias is another, and an entry
    // with both would tie the two years in every copy of the log.
    event.record = item.record;
    event.message_type = item.kind;
    event.counterparty = Some(item.of.clone());
    event.hashes.insert(REMOVED.to_owned(), hex(hash));
    event
}

impl Ran {
    fn count(&mut self, item: &Item) {
        self.removed += 1;
        *self.by_class.entry(item.class.as_str()).or_default() += 1;
    }
}

/// Plans that one run makes.
const PLANS_MAX: usize = 10;
/// Things that are removed in one commit.
const ITEMS_AT_ONCE: usize = 100;
