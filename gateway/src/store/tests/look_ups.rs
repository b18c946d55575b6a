//! Aliases in the leaves, periods of the log, and the end of a look-up.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::samples::{event, request, subject};
use super::{Place, on_both_engines};
use crate::audit::alias::Period;
use crate::audit::looked::Looked;
use crate::audit::{Entry, Event, EventKind, SubjectKey};
use crate::entropy::SystemEntropy;
use crate::queue::{CarrierKind, DeliveryState};
use crate::store::{
    Change, LogFilter, LogPeriod, LookUpGone, LookUpSize, Removable, Removal, RetentionWrite,
    Store, StoreError, Write,
};

/// The clock of a place stands in January 2027.
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

fn about(number: u64) -> Event {
    let mut event = event(EventKind::JourneyViewed);
    event.subject = Some(subject(number));
    event
}

async fn commit(store: &Store, event: Event) -> u64 {
    store.commit(Change::because(event)).await.unwrap().first_seq
}

/// Whom the leaf itself names.
async fn in_leaf(store: &Store, seq: u64) -> SubjectKey {
    let row = store.audit_rows_at(&[seq]).await.unwrap().remove(0);
    Entry::parse(&row.leaf).unwrap().event.subject.unwrap()
}

async fn seqs_about(store: &Store, number: u64) -> Vec<u64> {
    let entries = store.entries_about(subject(number), 0, 100).await.unwrap();
    assert!(entries.iter().all(|entry| entry.event.subject == Some(subject(number))));
    entries.into_iter().map(|entry| entry.seq).collect()
}

async fn gone(store: &Store, period: LogPeriod) -> Change {
    let size = store.look_up_size(&period).await.unwrap();
    destroying(LookUpGone { period, size })
}

fn destroying(gone: LookUpGone) -> Change {
    Change::because(event(EventKind::LookUpDestroyed)).write(Write::LookUpDestroyed(gone))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaves_name_an_alias_that_ends_with_the_year_and_the_look_up_knows_both() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (first, again) = (commit(&store, about(1)).await, commit(&store, about(1)).await);
        let other = commit(&store, about(2)).await;
        place.clock().advance(YEAR);
        let later = commit(&store, about(1)).await;
        let alias = in_leaf(&store, first).await;
        assert_eq!(in_leaf(&store, again).await, alias, "one alias in a year");
        let aliases: BTreeSet<SubjectKey> =
            [alias, in_leaf(&store, other).await, in_leaf(&store, later).await].into();
        assert_eq!(aliases.len(), 3);
        assert!(!aliases.contains(&subject(1)) && !aliases.contains(&subject(2)));
        assert_eq!(seqs_about(&store, 1).await, [first, again, later]);
        let periods = store.log_periods().await.unwrap();
        let stretches: Vec<(i16, u64, Option<u64>)> =
            periods.iter().map(|one| (one.period.year(), one.from, one.until)).collect();
        assert_eq!(stretches, [(2027, 0, Some(later)), (2028, later, None)]);
        assert_eq!(store.alias_in(&periods[0], subject(1)).unwrap(), alias);
        // A clock that goes back does not go back to an older period.
        place.clock().advance(-YEAR);
        let back = commit(&store, about(1)).await;
        assert_eq!(in_leaf(&store, back).await, in_leaf(&store, later).await);
        assert_eq!(store.log_periods().await.unwrap(), periods);
        // What an entry says of a second pseudonym is an alias too.
        let known_as = about(1).with(crate::audit::alias::KNOWN_AS, subject(2).to_hex());
        let seq = commit(&store, known_as).await;
        let row = store.audit_rows_at(&[seq]).await.unwrap().remove(0);
        let said = Entry::parse(&row.leaf).unwrap().event.detail["known_as"].clone();
        assert_eq!(said, store.alias_in(&periods[1], subject(2)).unwrap().to_hex());
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_that_meet_at_the_end_of_a_year_begin_one_period() {
    on_both_engines(async |place: Place| {
        let (one, other) = (place.open().await, place.open().await);
        for _ in 0..3 {
            place.clock().advance(YEAR);
            let both: Vec<_> = [&one, &other, &one, &other]
                .map(|store| {
                    tokio::spawn({
                        let store = store.clone();
                        async move { commit(&store, about(1)).await }
                    })
                })
                .into();
            let mut aliases = BTreeSet::new();
            for task in both {
                aliases.insert(in_leaf(&other, task.await.unwrap()).await);
            }
            assert_eq!(aliases.len(), 1);
        }
        let periods = one.log_periods().await.unwrap();
        let years: Vec<i16> = periods.iter().map(|one| one.period.year()).collect();
        assert_eq!(years, [2028, 2029, 2030]);
        for pair in periods.windows(2) {
            assert_eq!(pair[0].until, Some(pair[1].from), "each ends where the next begins");
        }
        one.close().await;
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_look_up_finds_nobody_and_the_leaves_stay_as_they_were() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        for number in 0..1500 {
            commit(&store, about(number % 300)).await;
        }
        let looked = Looked::at([subject(1), subject(2)], &SystemEntropy::default()).unwrap();
        let look = Change::because(looked.told_in(event(EventKind::BoardViewed)));
        let look = store.commit(look.write(Write::Looked(looked))).await.unwrap().first_seq;
        let old = store.log_periods().await.unwrap().remove(0);
        let refused = store.commit(gone(&store, old.clone()).await).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "it runs: {refused:?}");
        place.clock().advance(YEAR);
        let later = commit(&store, about(1)).await;
        let old = store.log_periods().await.unwrap().remove(0);
        let size = store.look_up_size(&old).await.unwrap();
        assert_eq!(size, LookUpSize { entries: 1500, looks: 2, records: 0 });
        let miscounted = LookUpSize { entries: 1499, ..size };
        let wrong = LookUpGone { period: old.clone(), size: miscounted };
        assert!(store.commit(destroying(wrong)).await.is_err());
        assert_eq!(seqs_about(&store, 1).await.len(), 6, "nothing of it was done");

        let leaves = store.audit_rows(0, 3000).await.unwrap();
        store.commit(gone(&store, old.clone()).await).await.unwrap();
        assert_eq!(store.audit_rows(0, 1502).await.unwrap(), leaves[..1502]);
        assert_eq!(seqs_about(&store, 1).await, [later]);
        let filter = LogFilter { subject: Some(subject(1)), ..LogFilter::default() };
        assert_eq!(store.entries_matching(&filter, 9999, 99).await.unwrap().len(), 1);
        assert_eq!(store.entries_concerning(subject(2), 9999, 99).await.unwrap(), []);
        assert_eq!(store.looked_at(look).await.unwrap(), Looked::default());
        let periods = store.log_periods().await.unwrap();
        assert!(periods[0].key.is_none() && periods[0].destroyed_at.is_some());
        assert!(periods[1].key.is_some(), "the other period is as it was");
        assert!(store.alias_in(&periods[0], subject(1)).is_err());
        let again = LookUpGone { period: old.clone(), size };
        assert!(store.commit(destroying(again)).await.is_err(), "once only");

        let freed = store.forget_freed().await.unwrap();
        store.close().await;
        if place.file().exists() {
            assert!(freed);
            let mut hunted: Vec<Vec<u8>> = vec![old.key.unwrap()];
            hunted.extend((2..300).map(|number| subject(number).0.to_vec()));
            hunt(&place, &hunted);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_removed_loses_its_pseudonym_with_the_look_up_and_others_keep_theirs() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut records = Vec::new();
        for number in [1, 2] {
            let made = request(subject(number), "RRK", CarrierKind::Collect);
            let (record, delivery) = (made.record, made.delivery);
            store.commit(made.change).await.unwrap();
            let stop = Write::Stop(delivery, DeliveryState::Withdrawn, "r".to_owned());
            let mut stopped = event(EventKind::DeliveryWithdrawn);
            stopped.record = Some(record);
            let owed = Write::LegWithheld(delivery.leg());
            store.commit(Change::because(stopped).write(stop).write(owed)).await.unwrap();
            records.push(record);
        }
        let removal = Removal {
            what: Removable::SealedCopy,
            item: records[0].0,
            class: "transit-copy",
            sha256: [5; 32],
            rule_version: "r-1:abc".to_owned(),
        };
        let removal = Write::Retention(RetentionWrite::Removed(removal));
        store
            .commit(Change::because(event(EventKind::RecordRemoved)).write(removal))
            .await
            .unwrap();
        place.clock().advance(YEAR);
        let mut later = about(1);
        later.record = Some(records[0]);
        commit(&store, event(EventKind::BoardViewed)).await;
        let old = store.log_periods().await.unwrap().remove(0);
        assert_eq!(store.look_up_size(&old).await.unwrap().records, 1, "the one that is kept");
        commit(&store, later).await;
        let size = store.look_up_size(&old).await.unwrap();
        assert_eq!(size.records, 2, "an entry of another year tells whose the other was");
        store.commit(gone(&store, old).await).await.unwrap();
        let named = async |record| store.find_record(record).await.unwrap().unwrap().subject;
        assert_eq!(named(records[0]).await, None);
        assert_eq!(named(records[1]).await, Some(subject(2)));
        store.close().await;
    })
    .await;
}

/// Nothing of what is hunted stands in any file of an embedded database.
fn hunt(place: &Place, hunted: &[Vec<u8>]) {
    let folder = place.file().parent().unwrap().to_owned();
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        files += 1;
        for one in hunted {
            let found = bytes.windows(one.len()).position(|part| part == one);
            assert_eq!(found, None, "{one:02x?} is still there");
        }
    }
    assert!(files > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_from_before_periods_keep_the_pseudonym_in_their_leaf() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let seq = commit(&store, about(1)).await;
        let named = in_leaf(&store, seq).await;
        let mut tx = store.engine.begin().await.unwrap();
        // As a database from before has it: the same beside the leaf as in it, and no periods.
        let sql = match &store.engine {
            crate::store::engine::Engine::Sqlite { .. } => BEFORE_SQLITE,
            crate::store::engine::Engine::Postgres { .. } => BEFORE_POSTGRES,
        };
        tx.script(sql).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;

        let store = place.open().await;
        let new = commit(&store, about(1)).await;
        let periods = store.log_periods().await.unwrap();
        let stretches: Vec<(Period, u64, Option<u64>)> =
            periods.iter().map(|one| (one.period, one.from, one.until)).collect();
        let year = Period::of_year(2027);
        assert_eq!(stretches, [(Period::BEFORE, 0, Some(new)), (year, new, None)]);
        assert_eq!(store.alias_in(&periods[0], named).unwrap(), named);
        let entries = store.entries_about(named, 0, 9).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [seq]);
        assert_ne!(in_leaf(&store, new).await, subject(1));
        store.close().await;
    })
    .await;
}

const BEFORE_SQLITE: &str = "
    update audit_entries set subject = unhex(json_extract(cast(leaf as text), '$.event.subject'));
    drop table log_periods;
    delete from migrations where number = 17";
const BEFORE_POSTGRES: &str = "
    update audit_entries
    set subject = decode(convert_from(leaf, 'UTF8')::jsonb #>> '{event,subject}', 'hex');
    drop table log_periods;
    delete from migrations where number = 17";

#[tokio::test]
async fn a_log_without_a_look_up_names_nobody() {
    let folder = tempfile::TempDir::new().unwrap();
    let location = crate::store::StoreLocation::Sqlite { path: folder.path().join("gateway.db") };
    let keeper = crate::store::LogKeeper::new(
        |_, _, _| Ok(crate::store::Appended { nodes: Vec::new(), frontier: Vec::new() }),
        |_, _, _| Ok(String::new()),
    );
    let clock = std::sync::Arc::new(crate::clock::FrozenClock::new(super::samples::at(0)));
    let entropy = std::sync::Arc::new(SystemEntropy::default());
    let store = Store::open(location, keeper, clock, entropy).await.unwrap();
    commit(&store, event(EventKind::GatewayStarted)).await;
    let refused = store.commit(Change::because(about(1))).await;
    assert!(matches!(refused, Err(StoreError::Log(_))), "{refused:?}");
    assert_eq!(store.log_periods().await.unwrap(), []);
    store.close().await;
}
