use jiff::Timestamp;

use super::*;

fn period(year: i16, until: Option<u64>) -> LogPeriod {
    let key = Some(vec![1]);
    LogPeriod { period: Period::of_year(year), from: 10, until, key, destroyed_at: None }
}

#[test]
fn a_look_up_is_kept_for_whole_years_after_its_period_and_while_that_runs() {
    let ended = period(2026, Some(20));
    let until = date(2062, 1, 1);
    assert_eq!(refusal(&ended, date(2061, 12, 31), 35), Some(Refusal::Young { until }));
    assert_eq!(refusal(&ended, until, 35), None);
    assert_eq!(refusal(&period(2026, None), date(2090, 1, 1), 35), Some(Refusal::Running));
    let before = LogPeriod { period: Period::BEFORE, key: None, ..period(0, Some(10)) };
    assert_eq!(refusal(&before, date(2090, 1, 1), 35), Some(Refusal::Before));
    let gone = LogPeriod { key: None, destroyed_at: Some(Timestamp::UNIX_EPOCH), ..ended };
    assert_eq!(refusal(&gone, date(2090, 1, 1), 35), Some(Refusal::Destroyed));
    let far = Refusal::Young { until: date(9999, 1, 1) };
    assert_eq!(refusal(&period(2026, Some(20)), date(9998, 1, 1), u16::MAX), Some(far));
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
