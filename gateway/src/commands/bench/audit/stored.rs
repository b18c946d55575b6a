//! A long log in SQLite, and what people ask of it: does any cost grow with the log but storage?
//!
//! The log is filled by the store's own commit, thousands of entries at a time, because a durable
//! commit for every few would take a day at ten million. Then, at that size, the same things are done
//! as at every other: durable commits of a few entries, proofs, searches by each member, and the
//! verification of everything. The entries are about nobody; the clock is moved on as it is filled.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use schemas::{OrganisationCode, RecordId};
use uuid::Uuid;

use super::super::tamper::Dice;
use super::Figure;
use crate::app::naming_log_keeper;
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::audit::tree::{self, NodeAt};
use crate::audit::{Actor, DecisionNote, Event, EventKind, SubjectKey};
use crate::clock::FrozenClock;
use crate::entropy::{Entropy, SeededEntropy};
use crate::store::{Change, LogFilter, Store, StoreLocation};
use crate::vault::keyring::KeyFile;
use crate::vault::look_up::PeriodKeys;
use crate::verification;

/// What is measured of a log of this many entries in a folder to be made.
pub(super) async fn measure(
    folder: &Path,
    size: u64,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Figure>> {
    std::fs::create_dir(folder).with_context(|| format!("{} is there", folder.display()))?;
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(size));
    let key = folder.join("log-key.p8");
    let signer = LogSigner::generate(&key, "ehc-gateway/practice", entropy.as_ref())?;
    let clock = Arc::new(FrozenClock::new(Timestamp::from_second(BEGINS)?));
    let location = StoreLocation::Sqlite { path: folder.join("log.db") };
    let wrapping =
        KeyFile::generate(&folder.join("wrapping-keys.toml"), entropy.as_ref(), "first")?;
    let keys = Arc::new(PeriodKeys::new(Arc::new(wrapping), Arc::clone(&entropy)));
    let keeper = naming_log_keeper(signer.clone(), &keys);
    let store = Store::open(location, keeper, Arc::<FrozenClock>::clone(&clock), entropy).await?;
    let mut dice = Dice::new(size);
    let figure =
        |what, times, took| Figure { entries: size, what, times, took, bytes: None, bare: None };
    let began = Instant::now();
    let mut filled = 0;
    while filled < size {
        let count = BULK.min(size - filled);
        store.commit(change(filled, count, &mut dice)?).await?;
        filled += count;
        clock.advance(PER_BULK);
        bar.inc(count);
    }
    let mut figures = vec![figure("fill, 2,048 entries at a commit", size, began.elapsed())];
    let mut took = Duration::ZERO;
    for _ in 0..COMMITS {
        let change = change(filled, FEW, &mut dice)?;
        let began = Instant::now();
        store.commit(change).await?;
        took += began.elapsed();
        filled += FEW;
    }
    figures.push(figure("commit 5 entries, durable, alone", COMMITS, took));
    let vkey = signer.vkey();
    let proofs = proofs(&store, &vkey, &mut dice).await?;
    figures.push(figure("make a proof out of the store", PROOFS, proofs));
    for (what, filter) in searches(filled, &mut dice)? {
        figures.push(figure(what, SEARCHES, search(&store, &filter, filled, &mut dice).await?));
    }
    let began = Instant::now();
    let found = verification::of_store(&store, &vkey, &[], |_| ()).await?;
    ensure!(found.is_whole() && found.entries == filled, "the log that was made is not whole");
    figures.push(figure("verify the store, each entry", filled, began.elapsed()));
    store.close().await;
    Ok(figures)
}

/// Inclusion proofs for entries here and there, each checked.
async fn proofs(store: &Store, vkey: &str, dice: &mut Dice) -> anyhow::Result<Duration> {
    let newest = store.latest_checkpoint().await?.context("no checkpoint")?;
    let size = newest.size;
    let root = Checkpoint::parse_and_verify(&newest.note, vkey)?.root;
    let mut took = Duration::ZERO;
    for _ in 0..PROOFS {
        let seq = dice.below(size);
        let began = Instant::now();
        let needed = tree::inclusion_nodes(size, seq)?;
        let places: Vec<u64> = needed.iter().map(|node| node.row()).chain([seq]).collect();
        let rows = store.audit_rows_at(&places).await?;
        let read = |node: NodeAt| {
            let row = rows.iter().find(|row| row.seq == node.row())?;
            node.pick(&row.nodes)
        };
        let proof = tree::inclusion_proof(size, seq, read)?;
        took += began.elapsed();
        let row = rows.iter().find(|row| row.seq == seq).context("no entry")?;
        tree::verify_inclusion(&proof, size, root, seq, tree::leaf_hash(&row.leaf))?;
    }
    Ok(took)
}

/// A page of a search, from somewhere in the newer half.
async fn search(
    store: &Store,
    filter: &LogFilter,
    size: u64,
    dice: &mut Dice,
) -> anyhow::Result<Duration> {
    let mut took = Duration::ZERO;
    for _ in 0..SEARCHES {
        let before = size - dice.below(size / 2);
        let (once, found) = {
            let began = Instant::now();
            let found = store.entries_matching(filter, before, PAGE).await?;
            (began.elapsed(), found)
        };
        took += once;
        ensure!(found.iter().all(|entry| entry.seq < before), "a search goes too far");
    }
    Ok(took)
}

/// A search by each member, by some together, and by what nothing has.
fn searches(size: u64, dice: &mut Dice) -> anyhow::Result<Vec<(&'static str, LogFilter)>> {
    let all = LogFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let begins = Timestamp::from_second(BEGINS)?;
    let commits = i32::try_from(size / BULK)?;
    let middle = begins + PER_BULK * (commits / 2);
    let day = (Some(middle), Some(middle + SignedDuration::from_hours(24)));
    let child = Some(subject(dice.below(children(size))));
    Ok(vec![
        ("search: one child", LogFilter { subject: child, ..all() }),
        ("search: one person", LogFilter { person: Some(person(dice.below(PEOPLE))), ..all() }),
        ("search: an organisation", LogFilter { organisation: text("RRK"), ..all() }),
        ("search: a kind", LogFilter { kinds: vec![EventKind::HoldBroken], ..all() }),
        ("search: a purpose", LogFilter { reason: text("complaint"), ..all() }),
        ("search: an authority", LogFilter { authority: text("consent"), ..all() }),
        ("search: an outcome", LogFilter { outcome: text("refuse"), ..all() }),
        ("search: a time", LogFilter { from: day.0, until: day.1, ..all() }),
        (
            "search: a person at a time, of a kind",
            LogFilter {
                person: Some(person(dice.below(PEOPLE))),
                kinds: vec![EventKind::BoardViewed],
                from: day.0,
                until: day.1,
                ..all()
            },
        ),
        ("search: what no entry has", LogFilter { reason: text("no-such-reason"), ..all() }),
    ])
}

fn change(from: u64, count: u64, dice: &mut Dice) -> anyhow::Result<Change> {
    let mut change = Change::because(event(from, dice)?);
    for seq in (from..from + count).skip(1) {
        change = change.and(event(seq, dice)?);
    }
    Ok(change)
}

/// Something that happened, with as many people, children and codes as a region has.
fn event(seq: u64, dice: &mut Dice) -> anyhow::Result<Event> {
    const ORGANISATIONS: [&str; 6] = ["334", "RXT", "RRK", "RYR", "R1H", "gateway"];
    const OFTEN: [EventKind; 6] = [
        EventKind::RecordAccepted,
        EventKind::SharingDecided,
        EventKind::DeliveryAttempted,
        EventKind::DeliveryDelivered,
        EventKind::DeliveryCollected,
        EventKind::BoardViewed,
    ];
    let organisation = ORGANISATIONS.get(dice.place(6)).copied().unwrap_or("334");
    let kind = OFTEN.get(dice.place(6)).copied().unwrap_or(EventKind::BoardViewed);
    let rare = dice.below(2_000) == 0;
    let kind = if rare { EventKind::HoldBroken } else { kind };
    let mut actor = Actor { organisation: organisation.to_owned(), ..Actor::gateway() };
    if dice.below(4) == 0 {
        actor.person = Some(person(dice.below(PEOPLE)));
    }
    let mut event = Event::new(kind, actor);
    event.subject = (kind != EventKind::BoardViewed).then(|| subject(seq / CHILD_ENTRIES));
    event.record = event.subject.map(|_| RecordId(Uuid::from_u64_pair(1, seq / 8)));
    event.counterparty = Some(OrganisationCode::parse("RRK")?);
    if kind == EventKind::SharingDecided {
        event.decision = Some(decision(dice));
    }
    if rare {
        event = event.with("reason", "complaint");
    }
    Ok(event)
}

fn decision(dice: &mut Dice) -> DecisionNote {
    let (outcome, authority) = match dice.below(50) {
        0 => ("refuse", "consent"),
        1..=5 => ("release", "consent"),
        _ => ("release", "statute"),
    };
    DecisionNote {
        outcome: outcome.to_owned(),
        authority: Some(authority.to_owned()),
        reference: None,
        rule: "a-rule".to_owned(),
        rule_version: "1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: std::collections::BTreeMap::new(),
        reason: "A sentence that says why it was decided so.".to_owned(),
    }
}

fn person(number: u64) -> String {
    format!("{number:016x}")
}

fn subject(number: u64) -> SubjectKey {
    SubjectKey(crate::entropy::sha256(&number.to_be_bytes()))
}

fn children(size: u64) -> u64 {
    (size / CHILD_ENTRIES).max(1)
}

/// Proofs that are made.
const PROOFS: u64 = 500;
/// Entries at a commit while it is filled.
const BULK: u64 = 2_048;
/// What the clock is moved on by after it: some 20,000 entries a day, as of a busy region.
const PER_BULK: SignedDuration = SignedDuration::from_mins(144);
/// Entries of a commit that is timed, and how many of them; an accept has about as many.
const FEW: u64 = 5;
const COMMITS: u64 = 200;
/// Searches of each kind, and the entries of a page.
const SEARCHES: u64 = 100;
const PAGE: u32 = 50;
/// People who act.
const PEOPLE: u64 = 2_000;
/// Entries about each child.
const CHILD_ENTRIES: u64 = 60;
/// When it begins: 15 January 2027.
const BEGINS: i64 = 1_800_000_000;
