//! The page says what somebody who knows the law looks for.

use super::super::Rules;

const CLOCKS: &str = include_str!("../../../rules/clocks-1.toml");
const HOLIDAYS: &str = include_str!("../../../rules/bank-holidays-england-wales.toml");

fn page() -> String {
    Rules::built_in().page()
}

/// The part of a page under a heading, to the next.
fn under(page: &str, heading: &str) -> String {
    let (_, after) = page.split_once(&format!("\n### {heading}\n")).expect("the heading");
    after.split("\n###").next().unwrap_or_default().to_owned()
}

/// The cells of the row that begins with a name.
fn row(page: &str, heading: &str, name: &str) -> Vec<String> {
    let part = under(page, heading);
    let found = part.lines().find(|line| line.starts_with(&format!("| {name} |")));
    let cells = found.unwrap_or_else(|| panic!("no row {name}")).split(" | ");
    cells.map(|cell| cell.trim_matches(['|', ' ']).to_owned()).collect()
}

#[test]
fn a_clock_says_from_what_who_must_do_what_how_long_by_which_provision_and_what_excuses() {
    let cells = row(&page(), "Clocks", "`reg-10`");
    let expected = [
        "`reg-10`",
        "the request for an assessment is received, or the authority becomes responsible",
        "local authority",
        "notify that no plan will be issued",
        "16 weeks after",
        "SEND Regulations 2014, regulation 10(1)",
        "`reg-10-4-a`, `reg-10-4-b`, `reg-10-4-c`, `reg-10-4-d`",
        "yes",
    ];
    assert_eq!(cells, expected);
    assert_eq!(row(&page(), "Clocks", "`reg-31`")[6], "nothing");
}

#[test]
fn a_time_that_is_given_and_a_target_are_told_from_a_duty() {
    let what = |name| row(&page(), "Clocks", name)[3].clone();
    assert!(what("`reg-13-1`").ends_with("views on the draft (a time that is given)"));
    assert!(what("`draft-health-review`").ends_with("of the draft (a target, not law)"));
    assert_eq!(what("`reg-8`"), "give advice and information");
}

#[test]
fn every_way_of_counting_is_in_words() {
    for (name, length) in [
        ("`reg-8`", "6 weeks after"),
        ("`review-notice`", "2 weeks before"),
        ("`review-report`", "2 weeks after, counted in one way only"),
        ("`transition-support-before`", "6 months before"),
        ("`transition-support-after`", "6 months after"),
        ("`chc-28`", "28 days after, the day itself not counted"),
        ("`reg-13-1`", "15 days beginning with the day"),
        ("`reg-15`", "15 working days beginning with the day"),
        ("`reg-18-15-february`", "15 February of that calendar year"),
        ("`tribunal-directions`", "that day"),
        ("`transition-year-9`", "1 September on which Year 9 begins, by age"),
        ("`transition-18`", "the 18th birthday"),
        ("`plan-end`", "31 August of the school year of the 25th birthday"),
        ("`decision-maker`", "the last Friday of June of the school year of the 16th birthday"),
        ("`reg-31`", "no number"),
    ] {
        assert_eq!(row(&page(), "Clocks", name)[4], length, "{name}");
    }
}

#[test]
fn an_exception_says_what_its_dates_must_show() {
    let shows = |name| row(&page(), "What excuses being late", name)[2].clone();
    assert_eq!(shows("`reg-8-2-a`"), "they touch the period; a person weighs them");
    assert_eq!(shows("`reg-8-2-b`"), "at least 28 days on end within the period");
    assert_eq!(shows("`reg-8-2-c`"), "the appointment was within the period");
    assert_eq!(
        shows("`reg-10-4-a`"),
        "closed for at least 28 days; asked from 7 days before closing to 7 days before opening again"
    );
    let never = "These reasons excuse nothing: `waiting-list`, `staffing`, `vacancy`,";
    assert!(under(&page(), "What excuses being late").contains(never));
}

#[test]
fn what_nobody_has_checked_is_marked_and_listed_with_what_to_look_at() {
    let marked = row(&page(), "Clocks", "`reg-31`")[7].clone();
    assert!(marked.starts_with("**no**. No number: after consulting"), "{marked}");
    assert_eq!(row(&page(), "Clocks", "`reg-13-1`")[7], "yes");
    let listed = under(&page(), "Not checked yet");
    let version = &Rules::built_in().versions()[0];
    let periods = version.periods.iter().map(|one| (&one.id, one.verified, &one.note));
    let exceptions = version.exceptions.iter().map(|one| (&one.id, one.verified, &one.note));
    for (id, verified, note) in periods.chain(exceptions) {
        assert_eq!(listed.contains(&format!("- `{id}`: {note}\n")), !verified, "{id}");
    }
}

#[test]
fn the_examples_can_be_checked_with_a_calendar() {
    let example = |name| row(&page(), "Worked examples", name)[1..].join(" ");
    assert_eq!(example("`reg-8`"), "2025-09-15 2025-10-27 2025-10-26 2025-10-24");
    assert_eq!(example("`reg-15`"), "2026-05-18 2026-06-08 the same 2026-06-08");
    assert_eq!(example("`reg-13-1`"), "2025-12-01 2025-12-15 the same -", "nothing to work to");
}

#[test]
fn a_version_says_when_it_holds_how_weeks_are_counted_and_when_it_warns() {
    let first = page();
    assert!(first.starts_with("# Statutory clocks\n"));
    assert!(
        first.contains("\n## clocks-1\n\nHolds from 2014-09-01. Source: Children and Families")
    );
    assert!(first.contains("counted so: the day of the event is left out (due = event + 7n days)"));
    assert!(first.contains("from the due date: -14, -7, -2, 0, 7.\n"));
    let other = CLOCKS
        .replacen("2014-09-01\"", "2014-09-01\"\neffective_until = \"2027-08-31\"", 1)
        .replacen("\"exclude-receipt-day\"", "\"receipt-day-is-day-1\"", 1);
    let other = Rules::parse(&other, HOLIDAYS).expect("parses").page();
    assert!(other.contains("\nHolds from 2014-09-01 to 2027-08-31. Source: "));
    assert!(
        other.contains("counted so: the day of the event is day 1 (due = event + 7n - 1 days)")
    );
}

#[test]
fn each_manner_of_receipt_says_which_day_counts() {
    let heading = "When a request counts as received, for display";
    let cells = row(&page(), heading, "first-class-post");
    assert_eq!(cells, ["first-class-post", "the working day after posting", "yes"]);
}
