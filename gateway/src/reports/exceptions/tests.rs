use super::super::tests::{code, entry, release, words};
use super::*;

#[test]
fn every_sort_of_exception_is_told_apart() {
    let of = |kind| entry(1, kind, "334");
    let mut vote = of(EventKind::HoldDecided);
    vote.event = vote.event.with("decision", "release").with("reason", "court-or-tribunal");
    let mut refused = of(EventKind::HoldDecided);
    refused.event = refused.event.with("decision", "refuse").with("reason", "objection-upheld");
    let mut held = release(1, 1, ("RXT", "statute"));
    held.event.kind = EventKind::SharingDecided;
    held.event.decision.as_mut().unwrap().outcome = "hold".to_owned();
    let cases = [
        (vote, "vote to override"),
        (refused, "refusal"),
        (held, "hold"),
        (of(EventKind::DeliveryHeld), "hold"),
        (of(EventKind::DocumentHeld), "hold"),
        (of(EventKind::HoldBroken), "emergency"),
        (of(EventKind::ReviewClosed), "review"),
        (of(EventKind::DeliveryWithdrawn), "stopped"),
        (of(EventKind::AccessRefused), "refusal"),
        (of(EventKind::RecordQuarantined), "refusal"),
    ];
    for (entry, expected) in &cases {
        assert_eq!(sort(entry), *expected, "{:?}", entry.event.kind);
    }
    let entries: Vec<Entry> = cases.into_iter().map(|(entry, _)| entry).collect();
    let rules = words(&by_rule(&entries));
    assert!(
        rules.contains(&vec!["vote to override: court-or-tribunal".to_owned(), "1".to_owned()])
    );
    assert!(rules.contains(&vec!["hold: a-rule".to_owned(), "1".to_owned()]));
    assert_eq!(
        words(&happened(&entries, &|code| code.to_owned(), Marks::of(9))).len(),
        entries.len()
    );
}

#[test]
fn what_the_gateway_held_by_itself_counts_for_who_sent_it() {
    let mut held = release(1, 1, ("RXT", "statute"));
    held.event.kind = EventKind::DeliveryHeld;
    held.event.actor = Actor::gateway();
    let senders = Senders::known([(held.event.record.unwrap(), code("334"))]);
    let mut vote = entry(2, EventKind::HoldDecided, "RRK");
    vote.event = vote.event.with("decision", "release").with("reason", "safeguarding");
    vote.event.record = held.event.record;
    vote.event.actor.method = "mutual-tls".to_owned();
    let entries = [held.clone(), held, vote];
    let rows = words(&by_organisation(&entries, &senders, &|code| format!("the name of {code}")));
    assert_eq!(
        rows,
        [
            ["2026-01", "334", "the name of 334", "hold", "a-rule", "2"],
            ["2026-01", "RRK", "the name of RRK", "vote to override", "safeguarding", "1"],
        ]
    );
}

#[test]
fn days_are_whole_and_never_less_than_none() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let since = at("2026-01-05T12:00:00Z");
    assert_eq!(days(since, at("2026-01-08T11:59:59Z")), Cell::Number(2));
    assert_eq!(days(since, at("2026-01-04T12:00:00Z")), Cell::Number(0));
}
