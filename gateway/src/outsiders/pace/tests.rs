use jiff::{SignedDuration, Timestamp};

use super::Pace;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

/// How many seconds after a moment it is due first.
fn due_after(pace: &Pace, from: i64, size: u64) -> i64 {
    (0..1_000).find(|wait| pace.is_due(at(from + wait), size)).expect("it is due some time")
}

#[test]
fn a_new_checkpoint_waits_half_a_minute_and_a_hundred_entries_do_not_wait() {
    let mut pace = Pace::default();
    assert!(pace.is_due(at(0), 7), "at start it is not known what anybody has");
    pace.reached(at(0), 7);
    assert!(!pace.is_due(at(900), 7), "it has all there is");
    assert_eq!(due_after(&pace, 0, 8), 30);
    assert_eq!(due_after(&pace, 0, 106), 30);
    assert_eq!(due_after(&pace, 0, 107), 0, "a hundred are waiting");
}

#[test]
fn what_failed_is_tried_again_without_a_new_entry_and_at_least_every_minute() {
    let mut pace = Pace::default();
    pace.reached(at(0), 7);
    let (mut now, mut waits) = (40, Vec::new());
    assert!(pace.failed(at(now)), "the first failure is said");
    for _ in 0..6 {
        let wait = due_after(&pace, now, 8);
        waits.push(wait);
        now += wait;
        assert!(!pace.failed(at(now)), "and no other");
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    assert_eq!(due_after(&pace, now, 1_000), 60, "many entries do not make one that is away well");
    pace.reached(at(now), 8);
    assert!(!pace.is_due(at(now + 900), 8));
    assert_eq!(due_after(&pace, now, 9), 30, "and then it is as before");
    assert!(pace.failed(at(now)));
}

#[test]
fn a_clock_that_was_set_back_delays_nothing() {
    let mut pace = Pace::default();
    pace.reached(at(0), 7);
    assert!(pace.is_due(at(0) - SignedDuration::from_hours(1), 8));
}
