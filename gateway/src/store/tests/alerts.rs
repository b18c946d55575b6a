//! Alerts are raised once, grow while they are open, and are signed off once, by somebody else; the
//! watch looks at each entry once, whichever gateway comes first.

use std::collections::BTreeSet;

use schemas::MessageType;
use uuid::Uuid;

use super::samples::{at, event, hash, id, organisation, subject};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::store::{
    AlertDecision, AlertEntry, AlertFilter, AlertPlace, AlertWrite, Change, DRAWN_ONCE, ESCALATED,
    InCommon, LOOKED_AT, Mark, NewAlert, NewSample, StaffMember, Store, StoreError, WatchWrite,
    Watched, WatchedLook, WatchedWay, Write,
};

fn new(rule: &str, seconds: i64) -> NewAlert {
    NewAlert {
        id: id(),
        sample: None,
        rule: rule.to_owned(),
        rules_version: "1".to_owned(),
        severity: "high",
        reviewers: "own-organisation",
        review_by: at(seconds + 1_000),
        organisation: "334".to_owned(),
        counterparty: None,
        likeness: hash(1),
        review: None,
        at: at(seconds),
    }
}

fn entry(seq: u64, person: Option<&str>) -> AlertEntry {
    let person = person.map(str::to_owned);
    AlertEntry { seq, organisation: "334".to_owned(), person }
}

fn decision(outcome: &str, who: &str, entries: u64) -> AlertDecision {
    AlertDecision {
        outcome: outcome.to_owned(),
        reason: "task-of-the-role".to_owned(),
        organisation: "334".to_owned(),
        person: format!("p-{who}"),
        who: who.to_owned(),
        entries,
        at: at(50),
    }
}

async fn write(store: &Store, write: Write) -> Result<(), StoreError> {
    store.commit(Change::because(event(EventKind::AlertRaised)).write(write)).await.map(drop)
}

async fn alert(store: &Store, write_: AlertWrite) -> Result<(), StoreError> {
    write(store, Write::Alert(write_)).await
}

async fn raise(store: &Store, new: &NewAlert, entries: &[AlertEntry]) {
    alert(store, AlertWrite::Raised(new.clone(), entries.to_vec())).await.unwrap();
}

fn is_conflict(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_grows_while_it_is_open_and_is_signed_off_once() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let first = new("r", 10);
        raise(&store, &first, &[entry(3, Some("p-a"))]).await;
        assert_eq!(store.open_alert_like("r", hash(1), at(10)).await.unwrap(), Some(first.id));
        assert_eq!(store.open_alert_like("r", hash(1), at(11)).await.unwrap(), None);
        assert_eq!(store.open_alert_like("r", hash(2), at(0)).await.unwrap(), None);
        let more = vec![entry(4, Some("p-a")), entry(5, Some("p-b"))];
        alert(&store, AlertWrite::Grown(first.id, at(20), more)).await.unwrap();
        let stored = store.find_alert(first.id).await.unwrap().unwrap();
        assert_eq!((stored.entries, stored.last_at, stored.closed.clone()), (3, at(20), None));
        let acted = store.acted_in_alert(first.id).await.unwrap();
        assert_eq!(
            acted.iter().map(|(_, who)| who.as_deref()).collect::<Vec<_>>(),
            [Some("p-a"), Some("p-b")]
        );
        let decide = |outcome, who, entries| {
            alert(&store, AlertWrite::Decided(first.id, decision(outcome, who, entries)))
        };
        assert!(is_conflict(&decide("justified", "a", 3).await), "who acted does not decide");
        assert!(is_conflict(&decide("justified", "b", 3).await), "nor who acted later");
        assert!(is_conflict(&decide("justified", "c", 2).await), "it has grown since");
        assert!(store.alert_decisions(first.id).await.unwrap().is_empty(), "nothing is half done");
        decide(ESCALATED, "c", 3).await.unwrap();
        assert!(is_conflict(&decide(ESCALATED, "d", 3).await), "passed on once");
        assert!(is_conflict(&decide("justified", "c", 3).await), "not by who passed it on");
        decide("not-justified", "d", 3).await.unwrap();
        assert!(is_conflict(&decide("justified", "e", 3).await), "closed once");
        let late = AlertWrite::Grown(first.id, at(60), vec![entry(9, None)]);
        assert!(is_conflict(&alert(&store, late).await), "what is closed does not grow");
        let trail = store.alert_decisions(first.id).await.unwrap();
        let trail: Vec<_> = trail.iter().map(|one| (&*one.outcome, &*one.who)).collect();
        assert_eq!(trail.len(), 2);
        assert!(trail.contains(&(ESCALATED, "c")) && trail.contains(&("not-justified", "d")));
        assert_eq!(store.open_alert_like("r", hash(1), at(0)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_listed_oldest_first_by_rule_time_and_organisation() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let other = NewAlert { organisation: "RRK".to_owned(), ..new("r", 20) };
        let inner = NewAlert { reviewers: "information-governance", ..new("s", 30) };
        let all = [new("r", 10), other, inner];
        for one in &all {
            raise(&store, one, &[entry(1, None)]).await;
        }
        let ids = async |filter: &AlertFilter, after, limit| {
            let found = store.alerts(filter, after, limit).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<Vec<Uuid>>()
        };
        let any = AlertFilter::default();
        assert_eq!(ids(&any, None, 9).await, all.each_ref().map(|one| one.id));
        let after = Some(AlertPlace { raised_at: at(10), id: all[0].id });
        assert_eq!(ids(&any, after, 1).await, [all[1].id]);
        let own = AlertFilter { own: Some(organisation("334")), ..any.clone() };
        assert_eq!(ids(&own, None, 9).await, [all[0].id], "only what it looks into itself");
        let rule = AlertFilter { rule: Some("s".to_owned()), ..any.clone() };
        assert_eq!(ids(&rule, None, 9).await, [all[2].id]);
        let time = AlertFilter { from: Some(at(20)), before: Some(at(30)), ..any.clone() };
        assert_eq!(ids(&time, None, 9).await, [all[1].id]);
        alert(&store, AlertWrite::Decided(all[0].id, decision("justified", "z", 1))).await.unwrap();
        let open = AlertFilter { open: Some(true), ..any.clone() };
        assert_eq!(ids(&open, None, 9).await, [all[1].id, all[2].id]);
        let closed = AlertFilter { open: Some(false), sampled: Some(false), ..any };
        assert_eq!(ids(&closed, None, 9).await, [all[0].id]);
        let waiting = store.alerts_by_rule(None).await.unwrap();
        let waiting: Vec<_> = waiting.iter().map(|one| (&*one.rule, one.count)).collect();
        assert_eq!(waiting, [("r", 1), ("s", 1)]);
        assert!(store.alerts_by_rule(Some(&organisation("334"))).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_has_one_alert_and_its_review_closes_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let review = id();
        let first = NewAlert { review: Some(review), ..new("override", 1) };
        raise(&store, &first, &[entry(1, Some("p-a"))]).await;
        assert_eq!(store.open_alert_of_review(review).await.unwrap(), Some(first.id));
        let second = NewAlert { review: Some(review), ..new("override", 2) };
        let doubled = alert(&store, AlertWrite::Raised(second, vec![entry(2, None)])).await;
        assert!(is_conflict(&doubled), "{doubled:?}");
        let closed = AlertWrite::ReviewClosed(first.id, decision("justified", "", 1));
        alert(&store, closed).await.unwrap();
        assert_eq!(store.open_alert_of_review(review).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_days_are_drawn_from_once() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let draw = |of: Option<&str>| NewSample {
            id: id(),
            from: jiff::civil::date(2026, 11, 2),
            until: jiff::civil::date(2026, 11, 8),
            organisation: of.map(organisation),
            wanted: 5,
            population: 9,
            size: 12,
            at: at(1),
        };
        let first = draw(None);
        alert(&store, AlertWrite::Sampled(first.clone())).await.unwrap();
        let put = NewAlert { sample: Some(first.id), ..new("sample", 5) };
        raise(&store, &put, &[entry(2, Some("p-a"))]).await;
        let sampled = AlertFilter { sampled: Some(true), ..AlertFilter::default() };
        assert_eq!(store.alerts(&sampled, None, 9).await.unwrap()[0].sample, Some(first.id));
        let again = alert(&store, AlertWrite::Sampled(draw(None))).await;
        assert!(matches!(again, Err(StoreError::Conflict { rule: DRAWN_ONCE })), "{again:?}");
        // All were drawn from: of one organisation is the same accesses by another seed.
        assert!(is_conflict(&alert(&store, AlertWrite::Sampled(draw(Some("334")))).await));
        let days = |days: (i8, i8), of: Option<&str>| {
            let day = |day| jiff::civil::date(2027, 3, day);
            NewSample { from: day(days.0), until: day(days.1), ..draw(of) }
        };
        alert(&store, AlertWrite::Sampled(days((5, 9), Some("334")))).await.unwrap();
        for (within, of) in
            [((9, 12), Some("334")), ((1, 5), Some("334")), ((6, 7), None), ((1, 20), None)]
        {
            let again = days(within, of);
            let over = store.sample_over((again.from, again.until), again.organisation.as_ref());
            let over = over.await.unwrap().unwrap();
            assert_eq!(over.organisation, Some(organisation("334")));
            assert_eq!(
                (over.from, over.until),
                (days((5, 9), None).from, days((5, 9), None).until)
            );
            assert!(is_conflict(&alert(&store, AlertWrite::Sampled(again)).await), "{within:?}");
        }
        for (within, of) in [((10, 12), Some("334")), ((5, 9), Some("RRK")), ((1, 4), None)] {
            let other = days(within, of);
            let over = store.sample_over((other.from, other.until), other.organisation.as_ref());
            assert_eq!(over.await.unwrap(), None, "{within:?}");
            alert(&store, AlertWrite::Sampled(other)).await.unwrap();
        }
    })
    .await;
}

fn watched(from: u64, until: u64) -> Watched {
    Watched { from, until, ..Watched::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stretch_of_the_log_is_looked_at_once_by_whichever_gateway_comes_first() {
    on_both_engines(async |place: Place| {
        let (store, other) = (place.open().await, place.open().await);
        assert_eq!(store.watched_to().await.unwrap().seq, 0);
        let mut first = watched(0, 5);
        first.began_at = Some(at(3));
        let (one, two) = tokio::join!(store.watch_on(&first), other.watch_on(&first));
        let late = if one.is_ok() { two } else { one };
        assert!(matches!(late, Err(StoreError::Conflict { rule: LOOKED_AT })), "{late:?}");
        let to = other.watched_to().await.unwrap();
        assert_eq!((to.seq, to.began_at), (5, Some(at(3))));
        // With an alert it is one commit: whoever comes second raises none.
        let raising = |store: &Store, new: NewAlert| {
            let raised = Write::Alert(AlertWrite::Raised(new, vec![entry(6, None)]));
            let moved = Write::Watch(WatchWrite::Watched(watched(5, 8)));
            let change = Change::because(event(EventKind::AlertRaised)).write(raised);
            let store = store.clone();
            async move { store.commit(change.write_first(moved)).await }
        };
        let (one, two) = tokio::join!(raising(&store, new("r", 1)), raising(&other, new("r", 1)));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(store.alerts(&AlertFilter::default(), None, 9).await.unwrap().len(), 1);
        assert_eq!(store.watched_to().await.unwrap().seq, 8);
        assert_eq!(store.watched_to().await.unwrap().began_at, Some(at(3)), "it began once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_are_found_by_person_and_organisation_and_forgotten_in_time() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let look = |seq, person: Option<&str>, of: &str| WatchedLook {
            seq,
            at: at(i64::try_from(seq).unwrap()),
            organisation: of.to_owned(),
            person: person.map(str::to_owned),
            subject: Some(subject(seq)),
            listed: 0,
        };
        let mut first = watched(0, 9);
        first.looks =
            vec![look(1, Some("a"), "334"), look(2, None, "334"), look(3, Some("a"), "RRK")];
        let way = WatchedWay {
            sender: "334".to_owned(),
            recipient: organisation("RRK"),
            kind: MessageType::AdviceRequest,
            at: at(4),
        };
        first.ways = vec![way.clone()];
        store.watch_on(&first).await.unwrap();
        let seen = async |who: (&str, Option<&str>), since, before| {
            let found = store.looks_since(who, at(since), before, 10).await.unwrap();
            found.into_iter().map(|look| look.seq).collect::<Vec<u64>>()
        };
        assert_eq!(seen(("334", Some("a")), 0, 9).await, [1]);
        assert_eq!(seen(("334", None), 0, 9).await, [2, 1]);
        assert_eq!(seen(("334", None), 1, 9).await, [2]);
        assert_eq!(seen(("334", None), 0, 2).await, [1]);
        let last = async |kind| store.last_way("334", "RRK", kind).await.unwrap();
        assert_eq!(last(Some(MessageType::AdviceRequest)).await, Some(at(4)));
        assert_eq!(last(Some(MessageType::AdviceResponse)).await, None);
        assert_eq!(last(None).await, Some(at(4)));
        assert_eq!(store.last_way("RRK", "334", None).await.unwrap(), None);
        let mut second = watched(9, 10);
        second.forget_before = Some(at(2));
        second.ways = vec![WatchedWay { at: at(9), ..way }];
        store.watch_on(&second).await.unwrap();
        assert_eq!(seen(("334", None), 0, 99).await, [2]);
        assert_eq!(last(None).await, Some(at(9)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebodys_own_are_told_by_marks_and_leavers_are_forgotten() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let watch = |write_| write(&store, Write::Watch(write_));
        let marks = BTreeSet::from([Mark::Surname(hash(1)), Mark::Postcode(hash(9))]);
        for _ in 0..2 {
            // Every record of a child says the same again.
            watch(WatchWrite::SubjectMarks(subject(1), marks.clone())).await.unwrap();
        }
        let member = |person: &str, marks: &[Mark]| StaffMember {
            person: person.to_owned(),
            marks: marks.iter().copied().collect(),
        };
        let staff = vec![
            member("a", &[Mark::Surname(hash(1)), Mark::Surname(hash(2))]),
            member("b", &[Mark::Surname(hash(1))]),
            member("c", &[Mark::Postcode(hash(9))]),
            member("d", &[Mark::Postcode(hash(1))]),
        ];
        watch(WatchWrite::Staff(organisation("334"), staff)).await.unwrap();
        let common = async |of: &str, who: &str, about| {
            store.in_common((of, who), subject(about)).await.unwrap()
        };
        let shared = InCommon { surname_shared_by: Some(2), same_postcode: false };
        assert_eq!(common("334", "a", 1).await, shared);
        let same_place = InCommon { surname_shared_by: None, same_postcode: true };
        assert_eq!(common("334", "c", 1).await, same_place);
        assert_eq!(common("334", "d", 1).await, InCommon::default(), "a name is no postcode");
        assert_eq!(common("334", "a", 2).await, InCommon::default());
        assert_eq!(common("RRK", "a", 1).await, InCommon::default(), "another organisation's a");
        let staff = vec![member("b", &[Mark::Surname(hash(1))])];
        watch(WatchWrite::Staff(organisation("334"), staff)).await.unwrap();
        assert_eq!(common("334", "a", 1).await, InCommon::default(), "who left is forgotten");
        let alone = InCommon { surname_shared_by: Some(1), same_postcode: false };
        assert_eq!(common("334", "b", 1).await, alone);
    })
    .await;
}
