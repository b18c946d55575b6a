use jiff::civil::{Date, DateTime, date};

use super::super::Rules;

fn receipt(manner: &str, at: DateTime) -> Date {
    let rules = Rules::built_in();
    rules.deemed_receipt(manner, at).expect("within the table").expect("a manner of the rules")
}

#[test]
fn an_e_mail_before_five_on_a_working_day_is_received_that_day() {
    let friday = date(2025, 9, 12);
    assert_eq!(receipt("e-mail", friday.at(16, 59, 0, 0)), friday);
    assert_eq!(receipt("e-mail", friday.at(17, 0, 0, 0)), friday, "at five is not after five");
}

#[test]
fn an_e_mail_after_five_is_received_on_the_next_working_day() {
    assert_eq!(receipt("e-mail", date(2025, 9, 12).at(17, 0, 1, 0)), date(2025, 9, 15));
    assert_eq!(receipt("e-mail", date(2025, 9, 10).at(20, 0, 0, 0)), date(2025, 9, 11));
}

#[test]
fn an_e_mail_at_a_weekend_or_on_a_bank_holiday_is_received_on_the_next_working_day() {
    assert_eq!(receipt("e-mail", date(2025, 9, 13).at(9, 0, 0, 0)), date(2025, 9, 15));
    assert_eq!(receipt("e-mail", date(2025, 8, 25).at(9, 0, 0, 0)), date(2025, 8, 26));
    assert_eq!(receipt("e-mail", date(2025, 12, 24).at(18, 0, 0, 0)), date(2025, 12, 29));
}

#[test]
fn what_is_left_by_hand_follows_the_same_hour() {
    assert_eq!(receipt("by-hand", date(2025, 9, 12).at(18, 0, 0, 0)), date(2025, 9, 15));
    assert_eq!(receipt("by-hand", date(2025, 9, 12).at(12, 0, 0, 0)), date(2025, 9, 12));
}

#[test]
fn first_class_post_is_received_on_the_working_day_after_posting() {
    assert_eq!(receipt("first-class-post", date(2025, 9, 11).at(9, 0, 0, 0)), date(2025, 9, 12));
    assert_eq!(receipt("first-class-post", date(2025, 9, 12).at(9, 0, 0, 0)), date(2025, 9, 15));
}

#[test]
fn what_was_signed_for_is_received_that_day() {
    let saturday = date(2025, 9, 13);
    assert_eq!(receipt("signed-for", saturday.at(19, 0, 0, 0)), saturday);
}

#[test]
fn a_manner_that_the_rules_do_not_name_has_no_day() {
    let at = date(2025, 9, 12).at(9, 0, 0, 0);
    assert_eq!(Rules::built_in().deemed_receipt("pigeon", at), Ok(None));
}
