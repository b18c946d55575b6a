//! Search of the log: what has every member is found, newest first, and nothing is read through.

use jiff::SignedDuration;
use schemas::OrganisationCode;
use sqlx::{AssertSqlSafe, Row as _};

use super::samples::{at, event, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::found_by::FoundBy;
use crate::audit::looked::Looked;
use crate::audit::{Actor, DecisionNote, Entry, Event, EventKind};
use crate::entropy::SystemEntropy;
use crate::queue::CarrierKind;
use crate::store::engine::{Engine, Statement, postgres, sqlite};
use crate::store::searches::BY_SENDER;
use crate::store::value::Value;
use crate::store::{Change, LogFilter, Store, Write};

async fn commit(store: &Store, event: Event) -> u64 {
    store.commit(Change::because(event)).await.unwrap().first_seq
}

async fn seqs(store: &Store, filter: &LogFilter, before: u64, limit: u32) -> Vec<u64> {
    let entries = store.entries_matching(filter, before, limit).await.unwrap();
    entries.into_iter().map(|entry| entry.seq).collect()
}

fn by(organisation: &str, person: Option<&str>, kind: EventKind) -> Event {
    let mut actor = Actor::gateway();
    actor.organisation = organisation.to_owned();
    actor.person = person.map(str::to_owned);
    Event::new(kind, actor)
}

fn decided(outcome: &str, authority: Option<&str>, recipient: &str) -> Event {
    let mut event = event(EventKind::SharingDecided);
    event.counterparty = Some(organisation(recipient));
    event.decision = Some(DecisionNote {
        outcome: outcome.to_owned(),
        authority: authority.map(str::to_owned),
        reference: None,
        rule: "a-rule".to_owned(),
        rule_version: "1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: std::collections::BTreeMap::new(),
        reason: "Because.".to_owned(),
    });
    event
}

/// One filter for each member, and what it leads with.
fn each_member() -> Vec<(LogFilter, &'static str)> {
    let all = LogFilter::default;
    let text = |text: &str| Some(text.to_owned());
    vec![
        (LogFilter { kinds: vec![EventKind::AuditViewed], ..all() }, "audit_entries_kind"),
        (LogFilter { organisation: text("RRK"), ..all() }, "audit_entries_organisation"),
        (LogFilter { person: text("p1"), ..all() }, "audit_entries_person"),
        (
            LogFilter { counterparty: OrganisationCode::parse("RYR").ok(), ..all() },
            "audit_entries_counterparty",
        ),
        (LogFilter { authority: text("consent"), ..all() }, "audit_entries_authority"),
        (LogFilter { outcome: text("hold"), ..all() }, "audit_entries_outcome"),
        (LogFilter { reason: text("complaint"), ..all() }, "audit_entries_reason"),
        (LogFilter { subject: Some(subject(1)), ..all() }, "audit_entries_subject"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_finds_what_has_it_and_all_together_only_what_has_them_all() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut full = decided("hold", Some("consent"), "RYR").with("reason", "complaint");
        full.kind = EventKind::AuditViewed;
        full.actor = by("RRK", Some("p1"), EventKind::AuditViewed).actor;
        full.subject = Some(subject(1));
        commit(&store, event(EventKind::GatewayStarted)).await;
        let first = commit(&store, full.clone()).await;
        commit(&store, by("334", Some("p2"), EventKind::BoardViewed)).await;
        commit(&store, decided("release", Some("statute"), "RRK")).await;
        let second = commit(&store, full.clone()).await;
        commit(&store, event(EventKind::GatewayStopped)).await;
        let mut together = LogFilter::default();
        for (filter, index) in each_member() {
            assert_eq!(seqs(&store, &filter, 100, 10).await, [second, first], "{index}");
            assert_eq!(seqs(&store, &filter, second, 10).await, [first], "{index}");
            assert_eq!(seqs(&store, &filter, 100, 1).await, [second], "{index}");
            together.kinds.extend(filter.kinds);
            together.organisation = together.organisation.or(filter.organisation);
            together.person = together.person.or(filter.person);
            together.counterparty = together.counterparty.or(filter.counterparty);
            together.authority = together.authority.or(filter.authority);
            together.outcome = together.outcome.or(filter.outcome);
            together.reason = together.reason.or(filter.reason);
            together.subject = together.subject.or(filter.subject);
        }
        assert_eq!(seqs(&store, &together, 100, 10).await, [second, first]);
        let others = [
            LogFilter { organisation: Some("334".to_owned()), ..together.clone() },
            LogFilter { outcome: Some("release".to_owned()), ..together.clone() },
            LogFilter { kinds: vec![EventKind::BoardViewed], ..together.clone() },
            LogFilter { subject: Some(subject(2)), ..together.clone() },
        ];
        for other in others {
            assert!(seqs(&store, &other, 100, 10).await.is_empty(), "{other:?}");
        }
        let kinds = vec![EventKind::GatewayStarted, EventKind::GatewayStopped];
        let several = LogFilter { kinds, ..LogFilter::default() };
        assert_eq!(seqs(&store, &several, 100, 10).await, [5, 0], "any of several kinds");
        assert_eq!(seqs(&store, &LogFilter::default(), 100, 4).await, [5, 4, 3, 2]);
        assert_eq!(seqs(&store, &LogFilter::default(), 2, 4).await, [1, 0]);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_finds_what_was_committed_in_it_also_when_the_clock_was_set_back() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let hour = SignedDuration::from_hours(1);
        for n in 0..12 {
            place.clock().advance(hour * if n % 2 == 0 { 60 } else { -20 });
            commit(&store, by("334", None, EventKind::BoardViewed)).await;
        }
        let all = store.entries_matching(&LogFilter::default(), 100, 100).await.unwrap();
        for (from, until) in [(0, 24), (24, 72), (71, 73), (99, 240), (-50, 61), (240, 300)] {
            let (from, until) = (at(0) + hour * from, at(0) + hour * until);
            let within = |entry: &&Entry| {
                entry.at_us >= from.as_microsecond() && entry.at_us < until.as_microsecond()
            };
            let expected: Vec<u64> = all.iter().filter(within).map(|entry| entry.seq).collect();
            let time = LogFilter { from: Some(from), until: Some(until), ..LogFilter::default() };
            assert_eq!(seqs(&store, &time, 100, 100).await, expected, "{from} {until}");
            let kinds = vec![EventKind::BoardViewed];
            let kind = LogFilter { kinds, ..time.clone() };
            assert_eq!(seqs(&store, &kind, 100, 100).await, expected, "{from} {until}");
            let other = LogFilter { organisation: Some("gateway".to_owned()), ..time };
            assert!(seqs(&store, &other, 100, 100).await.is_empty());
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_at_lists_concern_everybody_who_was_on_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let one = request(subject(1), "RRK", CarrierKind::Collect);
        let accepted = store.commit(one.change).await.unwrap().last_seq;
        let looked = Looked::at([subject(1), subject(2)], &SystemEntropy::default()).unwrap();
        let event = looked.told_in(by("334", Some("p1"), EventKind::BoardViewed));
        let change = Change::because(event).write(Write::Looked(looked.clone()));
        let board = store.commit(change).await.unwrap().first_seq;
        commit(&store, by("334", None, EventKind::BoardViewed)).await;
        assert_eq!(store.looked_at(board).await.unwrap(), looked);
        assert_eq!(store.looked_at(accepted).await.unwrap(), Looked::default());
        for (who, expected) in [(1, vec![board, accepted]), (2, vec![board]), (3, Vec::new())] {
            let found = store.entries_concerning(subject(who), 100, 10).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected);
            let filter = LogFilter { subject: Some(subject(who)), ..LogFilter::default() };
            assert_eq!(seqs(&store, &filter, 100, 10).await, expected);
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_senders_messages_is_found_by_who_sent_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let sent = request(subject(1), "RRK", CarrierKind::Collect);
        let record = sent.record;
        store.commit(sent.change).await.unwrap();
        let mut collected = by("RRK", Some("p1"), EventKind::DeliveryCollected);
        collected.counterparty = Some(organisation("RRK"));
        collected.record = Some(record);
        let collected = commit(&store, collected).await;
        commit(&store, by("RRK", None, EventKind::DeliveryCollected)).await;
        let kinds = vec![EventKind::DeliveryCollected, EventKind::DeliveryHeld];
        let filter = LogFilter { kinds, ..LogFilter::default() };
        for (sender, expected) in [("334", vec![collected]), ("RRK", Vec::new())] {
            let sender = organisation(sender);
            let found = store.entries_about_messages_of(&sender, &filter, 100, 10).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected);
        }
        let asked = [record, schemas::RecordId(super::samples::id())];
        let senders = store.senders_of(&asked.into()).await.unwrap();
        assert_eq!(senders.into_iter().collect::<Vec<_>>(), [(record, organisation("334"))]);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_with_a_member_reads_the_log_through() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        fill(&store).await;
        let kinds = vec![EventKind::AuditViewed];
        let by_sender = LogFilter { kinds, ..LogFilter::default() };
        let sender = organisation("334");
        let mut values = by_sender.values(by_sender.kinds.first().copied(), (0, 1_000_000), 50);
        values.push((&sender).into());
        let plan = explained(&store, &BY_SENDER, values).await.join("\n");
        assert!(plan.contains("audit_entries_kind"), "{plan}");
        assert!(!plan.contains("SCAN ") && !plan.contains("Seq Scan"), "{plan}");
        for (filter, index) in each_member() {
            let plan = plan_of(&store, &filter).await;
            let steps = plan.join("\n");
            assert!(plan.iter().any(|step| step.contains(index)), "{index} is not used:\n{steps}");
            let scan = |step: &&String| match store.engine {
                Engine::Sqlite { .. } => {
                    step.starts_with("SCAN") && !step.contains("SUBQUERY") && !step.contains('(')
                }
                Engine::Postgres { .. } => step.contains("Seq Scan"),
            };
            assert_eq!(plan.iter().find(scan), None, "{index}:\n{steps}");
        }
        store.close().await;
    })
    .await;
}

/// Some thousand entries, of which few have what is searched for.
async fn fill(store: &Store) {
    for _ in 0..40 {
        let mut change = Change::because(decided("release", Some("statute"), "RRK"));
        for n in 0..50 {
            let mut event = by("334", Some("p2"), EventKind::DeliveryCollected).with("reason", "x");
            event.subject = Some(subject(1000 + n));
            change = change.and(event).and(decided("release", Some("statute"), "RRK"));
        }
        store.commit(change).await.unwrap();
    }
}

/// The steps of the plan that the database makes of a search.
async fn plan_of(store: &Store, filter: &LogFilter) -> Vec<String> {
    let statement = filter.leading();
    let mut values = filter.values(filter.kinds.first().copied(), (0, 1_000_000), 50);
    values.extend(filter.subject.map(|subject| subject.0.into()));
    explained(store, statement, values).await
}

async fn explained(store: &Store, statement: &Statement, values: Vec<Value>) -> Vec<String> {
    match &store.engine {
        Engine::Sqlite { read, .. } => {
            let ask = AssertSqlSafe(format!("explain query plan {}", statement.sqlite));
            let rows = sqlite(ask, values).fetch_all(read).await.unwrap();
            rows.iter().map(|row| row.get("detail")).collect()
        }
        Engine::Postgres { pool, .. } => {
            let mut tx = pool.begin().await.unwrap();
            for sql in ["analyze audit_entries", "set local enable_seqscan = off"] {
                sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
            }
            let ask = AssertSqlSafe(format!("explain {}", statement.postgres));
            let rows = postgres(ask, values).fetch_all(&mut *tx).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_from_before_are_found_by_the_same_facts() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut full = decided("hold", Some("consent"), "RYR").with("reason", "complaint");
        full.actor.person = Some("p1".to_owned());
        full.subject = Some(subject(1));
        commit(&store, full.clone()).await;
        commit(&store, event(EventKind::DeliveryFailed).with("outcome", "gone")).await;
        commit(&store, event(EventKind::GatewayStarted)).await;
        let before = columns(&store).await;
        // One entry that is no JSON: it must not keep the gateway from starting.
        change_all(&store, BROKEN).await;
        change_all(&store, BACK_TO_TEN).await;
        // Back-filled as it was when the migration came, whatever came after it.
        let again = match &store.engine {
            Engine::Sqlite { .. } => SQLITE_12,
            Engine::Postgres { .. } => POSTGRES_12,
        };
        change_all(&store, again).await;
        let after = columns(&store).await;
        assert_eq!(after[..2], before[..2]);
        assert_eq!(after[2], (2, vec![Some(String::new()), Some(String::new())], 0));
        let entry = store.entries_matching(&LogFilter::default(), 1, 1).await.unwrap().remove(0);
        let found_by = FoundBy::of(&entry);
        let texts = [
            Some(found_by.kind),
            Some(found_by.organisation),
            found_by.person,
            found_by.counterparty,
            found_by.authority,
            found_by.outcome,
            found_by.reason,
        ];
        let held: Vec<Option<String>> = texts.into_iter().flatten().map(Some).collect();
        assert_eq!(after[0], (0, held, found_by.at_us));
        store.close().await;
    })
    .await;
}

/// Each entry's place, its texts that are there, and its time, as the columns have them.
async fn columns(store: &Store) -> Vec<(i64, Vec<Option<String>>, i64)> {
    let sql = "select seq, at_us, kind, organisation, person, counterparty, authority, outcome,
        reason from audit_entries order by seq";
    macro_rules! read {
        ($pool:expr) => {{
            let rows = sqlx::query(sql).fetch_all($pool).await.unwrap();
            let texts = |row: &_| -> Vec<Option<String>> {
                let texts = (2..9).map(|at| sqlx::Row::get(row, at));
                texts.filter(Option::is_some).collect()
            };
            rows.iter().map(|row| (row.get(0), texts(row), row.get(1))).collect()
        }};
    }
    match &store.engine {
        Engine::Sqlite { read, .. } => read!(read),
        Engine::Postgres { pool, .. } => read!(pool),
    }
}

async fn change_all(store: &Store, sql: &'static str) {
    let mut tx = store.engine.begin().await.unwrap();
    tx.script(sql).await.unwrap();
    tx.commit().await.unwrap();
}

const BROKEN: &str = "update audit_entries set leaf = nodes where seq = 2";

const SQLITE_12: &str = include_str!("../../../migrations/sqlite/0012_search_of_the_log.sql");
const POSTGRES_12: &str = include_str!("../../../migrations/postgres/0012_search_of_the_log.sql");

/// Undoes the migration, as a database from before it has it.
const BACK_TO_TEN: &str = "
    drop table looks;
    drop index audit_entries_kind; drop index audit_entries_organisation;
    drop index audit_entries_person; drop index audit_entries_counterparty;
    drop index audit_entries_authority; drop index audit_entries_outcome;
    drop index audit_entries_reason;
    alter table audit_entries drop column kind; alter table audit_entries drop column at_us;
    alter table audit_entries drop column organisation;
    alter table audit_entries drop column person;
    alter table audit_entries drop column counterparty;
    alter table audit_entries drop column authority;
    alter table audit_entries drop column outcome;
    alter table audit_entries drop column reason";
