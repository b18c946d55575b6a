use jiff::Timestamp;
use jiff::civil::date;

use super::*;

/// The schedule that comes with the gateway, but for how long a look-up, and the ledger that needs it,
/// are kept.
fn kept_for(time: &str) -> Schedule {
    let text = include_str!("../../rules/retention-1.toml");
    Schedule::parse(&text.replace("35 years", time)).unwrap()
}

fn period(year: i16, until: Option<u64>) -> LogPeriod {
    let key = Some(vec![1]);
    LogPeriod { period: Period::of_year(year), from: 10, until, key, destroyed_at: None }
}

#[test]
fn a_look_up_is_kept_for_whole_years_after_its_period_and_while_that_runs() {
    let schedule = kept_for("35 years");
    let ended = period(2026, Some(20));
    let until = date(2062, 1, 1);
    assert_eq!(refusal(&ended, date(2061, 12, 31), &schedule), Some(Refusal::Young { until }));
    assert_eq!(refusal(&ended, until, &schedule), None);
    let later = date(2090, 1, 1);
    assert_eq!(refusal(&period(2026, None), later, &schedule), Some(Refusal::Running));
    let before = LogPeriod { period: Period::BEFORE, key: None, ..period(0, Some(10)) };
    assert_eq!(refusal(&before, later, &schedule), Some(Refusal::Before));
    let gone = LogPeriod { key: None, destroyed_at: Some(Timestamp::UNIX_EPOCH), ..ended };
    assert_eq!(refusal(&gone, later, &schedule), Some(Refusal::Destroyed));
}

#[test]
fn the_schedule_may_keep_a_look_up_for_months_or_for_ever() {
    let ended = period(2026, Some(20));
    let until = date(2028, 7, 1);
    let schedule = kept_for("18 months");
    assert_eq!(refusal(&ended, date(2028, 6, 30), &schedule), Some(Refusal::Young { until }));
    assert_eq!(refusal(&ended, until, &schedule), None);
    let never = refusal(&ended, date(9998, 1, 1), &kept_for("for-ever"));
    assert_eq!(never, Some(Refusal::ForEver));
}

#[test]
fn an_event_says_which_look_up_it_destroyed_and_nothing_else_does() {
    let event = Event::new(EventKind::LookUpDestroyed, Actor::local())
        .with(PERIOD, 2026)
        .with(FIRST, 10)
        .with(LAST, 19);
    let stretch = (Period::of_year(2026), (10, 20));
    assert_eq!(destroyed_by(&event), Some(stretch));
    assert_eq!(crate::telemetry::name_of(EventKind::LookUpDestroyed), DESTROYED);
    let other = Event { kind: EventKind::AuditViewed, ..event.clone() };
    assert_eq!(destroyed_by(&other), None);
    let mut without = event;
    without.detail.remove(LAST);
    assert_eq!(destroyed_by(&without), None);
}
