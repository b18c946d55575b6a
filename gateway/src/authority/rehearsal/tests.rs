use jiff::civil::date;
use schemas::record::ConsentStatus;

use super::*;
use crate::authority::Outcome;
use crate::authority::fixtures::*;

fn case(question: Question, today: Date) -> Case {
    let evidence = evidence(&[entry(1, ConsentStatus::NotRecorded)], &[]);
    Case { question, evidence, now: now(), today }
}

#[test]
fn the_same_rules_change_nothing() {
    let cases = [case(request(), today()), case(transition(), today())];
    assert_eq!(rehearse(&cases, &book(), &book()).count(), 0);
}

#[test]
fn a_new_duty_shows_every_case_it_would_change_and_no_other() {
    let begun = date(2026, 10, 1);
    let cases = [case(request(), begun), case(transition(), today()), case(transition(), begun)];
    let (current, draft) = (book(), book_with_16la_on_record());
    let changed: Vec<_> = rehearse(&cases, &current, &draft).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].case, 2);
    assert_eq!(changed[0].before.outcome, Outcome::Refuse);
    assert_eq!(changed[0].after.outcome, Outcome::Release);
}

#[test]
fn a_change_of_the_rule_alone_or_of_a_stop_alone_is_shown() {
    let cases = [case(request(), today())];
    let renamed = book_of(AGREEMENTS, &RULES.replace("\"advice-request\"", "\"asking\""));
    let changed: Vec<_> = rehearse(&cases, &book(), &renamed).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].before.outcome, changed[0].after.outcome),
        (Outcome::Release, Outcome::Release)
    );
    assert_eq!(changed[0].after.rule, "asking");
    // Neither gives any data: a refusal, and a hold.
    let withdrawn = evidence(&[given(), entry(2, ConsentStatus::Withdrawn)], &[]);
    let cases = [Case { evidence: withdrawn, ..case(transition(), today()) }];
    let softer = RULES.replace(
        "confidentiality\", restricted = \"refuse\"",
        "confidentiality\", restricted = \"hold\"",
    );
    let changed: Vec<_> = rehearse(&cases, &book(), &book_of(AGREEMENTS, &softer)).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].before.outcome, changed[0].after.outcome),
        (Outcome::Refuse, Outcome::Hold)
    );
}
