//! What belongs together, what is taken back, and whose day an item is.

use std::collections::BTreeMap;

use jiff::civil::date;
use schemas::{MessageType, RecordId};

use super::samples::{at, delivery, event, id, organisation, record, request, subject, submission};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::queue::{CarrierKind, CaseId, DeliveryState, LegState};
use crate::store::{
    Change, Explained, NewDifference, NewStatement, Parcelled, Relations, Span, StatementId, Store,
    StoreError, Write,
};

async fn write(store: &Store, write: Write) -> Result<(), StoreError> {
    store.commit(Change::because(event(EventKind::LegChanged)).write(write)).await.map(drop)
}

/// A record from an authority to some recipients, that stands to others like this.
async fn sent(
    store: &Store,
    person: u64,
    (recipients, relations): (&[&str], Relations),
) -> Result<RecordId, StoreError> {
    let submission = submission(&format!("key-{}", super::samples::fresh()));
    let mut record = record(submission.id, subject(person));
    record.relations = relations;
    let id = record.sealed.record;
    let mut change = Change::because(event(EventKind::SubmissionReceived))
        .write(Write::Submission(submission))
        .and(event(EventKind::RecordAccepted))
        .write(Write::Record(record));
    for recipient in recipients {
        change = change.write(Write::Delivery(delivery(id, recipient, CarrierKind::Collect)));
    }
    store.commit(change).await.map(|_| id)
}

fn in_case(case: CaseId) -> Relations {
    Relations { case: Some(case), ..Relations::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_case_come_in_their_order_with_what_superseded_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let case = CaseId(id());
        let first = sent(&store, 1, (&["RRK"], in_case(case))).await.unwrap();
        let second = Relations { supersedes: Some(first), ..in_case(case) };
        let second = sent(&store, 1, (&["RRK"], second)).await.unwrap();
        let third = Relations { recalls: Some((second, "other".to_owned())), ..in_case(case) };
        let third = sent(&store, 1, (&[], third)).await.unwrap();
        sent(&store, 2, (&["RRK"], in_case(CaseId(id())))).await.unwrap();
        let messages = store.messages_of_case(case, 10).await.unwrap();
        let order: Vec<_> = messages.iter().map(|message| message.record).collect();
        assert_eq!(order, [first, second, third]);
        assert_eq!(messages[0].superseded_by, Some(second));
        assert_eq!(messages[2].relations.recalls, Some((second, "other".to_owned())));
        assert_eq!(store.recalls_of(second).await.unwrap(), [third]);
        let (own, other) = (organisation("334"), organisation("RRK"));
        assert!(store.case_is_about(case, &own, subject(1)).await.unwrap());
        assert!(!store.case_is_about(case, &own, subject(2)).await.unwrap());
        assert!(!store.case_is_about(case, &other, subject(1)).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_superseded_once_whoever_tries() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let first = sent(&store, 1, (&["RRK"], Relations::default())).await.unwrap();
        let newer = || Relations { supersedes: Some(first), ..Relations::default() };
        let tries = tokio::join!(
            sent(&store, 1, (&["RRK"], newer())),
            sent(&store, 1, (&["RRK"], newer())),
        );
        let (one, other) = (tries.0.is_ok(), tries.1.is_ok());
        assert!(one != other, "{tries:?}");
        let lost = if one { tries.1 } else { tries.0 };
        let rule = "a record is superseded once";
        assert!(matches!(lost, Err(StoreError::Conflict { rule: found }) if found == rule));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_moved_on_since_it_was_read_is_not_taken_back() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        let queued = (DeliveryState::Queued, 0);
        write(&store, Write::Collected(asked.delivery, at(5))).await.unwrap();
        let late = write(&store, Write::TakenBack(asked.delivery, queued, "recalled")).await;
        assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
        let attempted = (DeliveryState::Delivered, 1);
        let late = write(&store, Write::TakenBack(asked.delivery, attempted, "recalled")).await;
        assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
        let delivered = (DeliveryState::Delivered, 0);
        write(&store, Write::TakenBack(asked.delivery, delivered, "recalled")).await.unwrap();
        let taken = store.taken(asked.record).await.unwrap().remove(0);
        assert_eq!(taken.state, DeliveryState::Withdrawn);
        assert_eq!(taken.delivered_at, Some(at(5)), "when it was opened is kept");
        assert!(taken.may_have_left());
        let withdrawn = (DeliveryState::Withdrawn, 0);
        let again = write(&store, Write::TakenBack(asked.delivery, withdrawn, "recalled")).await;
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        let late = write(&store, Write::Collected(asked.delivery, at(6))).await;
        assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leg_whose_answer_is_taken_back_is_owed_again() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        let leg = asked.delivery.leg();
        let (from, state) = (LegState::Waiting, LegState::Answered);
        let answered_on = Some(date(2026, 12, 1));
        let answered = Write::LegChanged { leg, from, state, answered_on, expected_on: None };
        write(&store, answered).await.unwrap();
        write(&store, Write::LegReopened(leg, LegState::Answered)).await.unwrap();
        let found = store.find_leg(leg).await.unwrap().unwrap();
        assert_eq!((found.state, found.answered_on), (LegState::Accepted, None));
        let again = write(&store, Write::LegReopened(leg, LegState::Answered)).await;
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    })
    .await;
}

/// A generator that gives the same numbers each time.
fn next(seed: &mut u64, sides: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % sides
}

fn items(lines: &[Parcelled]) -> Vec<uuid::Uuid> {
    let item = |one: &Parcelled| one.delivery.as_ref().map_or(one.record.0, |to| to.id.0);
    lines.iter().map(item).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_log_is_cut_into_days_every_item_is_in_one_of_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut seed = 7;
        let trusts = ["RRK", "RXT", "RYW"];
        let (mut sent_items, mut to) = (0, BTreeMap::<&str, usize>::new());
        for person in 0..60 {
            let count = usize::try_from(next(&mut seed, 4)).unwrap();
            let recipients: Vec<&str> = trusts.iter().copied().take(count).collect();
            sent(&store, person, (&recipients, Relations::default())).await.unwrap();
            sent_items += recipients.len().max(1);
            for recipient in recipients {
                *to.entry(recipient).or_default() += 1;
            }
        }
        let size = store.audit_head().await.unwrap().size;
        for _ in 0..12 {
            let mut cuts: Vec<u64> =
                (0..next(&mut seed, 9)).map(|_| next(&mut seed, size)).collect();
            cuts.extend([0, size]);
            cuts.sort_unstable();
            let spans: Vec<Span> =
                cuts.windows(2).map(|cut| Span { from: cut[0], until: cut[1] }).collect();
            let mut all = Vec::new();
            for span in &spans {
                all.extend(items(&store.sent_by(&organisation("334"), *span).await.unwrap()));
            }
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!((all.len(), count), (sent_items, sent_items), "cut at {cuts:?}");
            for (trust, expected) in &to {
                let mut found = Vec::new();
                for span in &spans {
                    found.extend(items(&store.sent_to(&organisation(trust), *span).await.unwrap()));
                }
                assert_eq!(found.len(), *expected, "{trust} cut at {cuts:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_is_shown_nothing_of_what_was_held_or_stopped_before_it_went() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        let held = Write::Stop(asked.delivery, DeliveryState::Held, "rule".to_owned());
        write(&store, held).await.unwrap();
        let size = store.audit_head().await.unwrap().size;
        let (whole, after) = (Span { from: 0, until: size }, Span { from: size, until: size });
        let trust = organisation("RRK");
        assert!(store.sent_to(&trust, whole).await.unwrap().is_empty());
        assert!(store.carried_to(&trust, after).await.unwrap().is_empty());
        let own = store.carried_by(&organisation("334"), after).await.unwrap();
        assert_eq!(own.len(), 1, "its sender carries it until it is decided");
        assert_eq!(own[0].kind, MessageType::AdviceRequest);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_made_and_answered_once_and_a_difference_explained_once() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let about =
            StatementId { partner: organisation("RRK"), day: date(2026, 11, 2), version: 1 };
        let made = || {
            let span = Span { from: 3, until: 9 };
            let signed = "a.b.c".to_owned();
            Write::Statement(NewStatement { id: about.clone(), span, signed })
        };
        write(&store, made()).await.unwrap();
        assert!(write(&store, made()).await.is_err(), "the same version twice");
        let raised = NewDifference {
            id: id(),
            about: about.clone(),
            item: id(),
            code: "not-received".to_owned(),
        };
        let change = Change::because(event(EventKind::ReconciliationAnswered))
            .write(Write::StatementAnswered(about.clone(), false))
            .write(Write::Difference(raised.clone()));
        store.commit(change).await.unwrap();
        let again = write(&store, Write::StatementAnswered(about.clone(), true)).await;
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        let found = store.statement(&about.partner, about.day, None).await.unwrap().unwrap();
        assert_eq!(found.answered.map(|(agreed, _)| agreed), Some(false));
        assert_eq!(found.span, Span { from: 3, until: 9 });
        assert_eq!(store.open_differences(None).await.unwrap(), (1, Some(at(0))));

        let said = || Explained {
            code: "arrived-since".to_owned(),
            person: "0123456789abcdef".to_owned(),
            organisation: organisation("334"),
        };
        let explain = || Write::DifferenceExplained(raised.id, said());
        write(&store, explain()).await.unwrap();
        let again = write(&store, explain()).await;
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        assert_eq!(store.open_differences(Some(&about.partner)).await.unwrap(), (0, None));
        let open = store.differences(None, None, 10).await.unwrap();
        assert!(open.is_empty(), "{open:?}");
        let since = store.differences(Some(&about.partner), Some(at(0)), 10).await.unwrap();
        assert_eq!(since.len(), 1, "what was explained since is still shown");
    })
    .await;
}
