use std::collections::BTreeSet;

use jiff::civil::date;

use super::*;
use crate::authority::fixtures::{AGREEMENTS, org};

const ONE: &str = r#"
version = "1"
[[agreement]]
id = "A"
title = "t"
local_authorities = ["334"]
health_trusts = ["RRK"]
messages = ["advice.request"]
classes = ["identity"]
from = 2026-01-01
until = 2026-01-31
statute = "s"
"#;

fn found(text: &str, sender: &str, recipient: &str, on: Date) -> Result<String, NoAgreement> {
    let agreements = Agreements::parse(text).unwrap();
    let (sender, recipient) = (org(sender), org(recipient));
    let flow =
        Flow { sender: &sender, recipient: &recipient, message: "advice.request", purposes: &[] };
    agreements.in_force(&flow, on).map(|agreement| agreement.id.clone())
}

fn refusal(text: &str) -> (usize, String) {
    let error = Agreements::parse(text).unwrap_err();
    (error.line, error.problem)
}

#[test]
fn the_example_names_the_council_its_trusts_and_its_board() {
    let agreements = Agreements::parse(AGREEMENTS).unwrap();
    let parties: BTreeSet<_> = agreements
        .all()
        .iter()
        .flat_map(|one| one.parties.keys().map(ToString::to_string))
        .collect();
    assert_eq!(
        parties,
        ["15E", "330", "334", "QHL", "RRK", "RXT", "RYW"].map(str::to_owned).into()
    );
    assert_eq!(agreements.version(), "agreements-example-1");
}

#[test]
fn the_first_and_the_last_day_count() {
    for (on, expected) in [
        (date(2025, 12, 31), Err(NoAgreement::NotBegun)),
        (date(2026, 1, 1), Ok("A".to_owned())),
        (date(2026, 1, 31), Ok("A".to_owned())),
        (date(2026, 2, 1), Err(NoAgreement::Ended)),
    ] {
        assert_eq!(found(ONE, "334", "RRK", on), expected, "{on}");
    }
}

#[test]
fn nobody_outside_the_agreement_is_covered_by_it() {
    let on = date(2026, 1, 10);
    for (sender, recipient) in [("334", "RYW"), ("330", "RRK"), ("334", "334"), ("RRK", "RRK")] {
        assert_eq!(found(ONE, sender, recipient, on), Err(NoAgreement::None));
    }
}

#[test]
fn a_purpose_covers_every_message_for_it() {
    let text = ONE.replace("messages = [\"advice.request\"]", "purposes = [\"p\"]");
    let agreements = Agreements::parse(&text).unwrap();
    let (sender, recipient) = (org("334"), org("RRK"));
    let purposes = ["p".to_owned()];
    let flow = Flow { sender: &sender, recipient: &recipient, message: "any", purposes: &purposes };
    assert!(agreements.in_force(&flow, date(2026, 1, 10)).is_ok());
    let flow = Flow { purposes: &[], ..flow };
    assert!(agreements.in_force(&flow, date(2026, 1, 10)).is_err());
}

#[test]
fn the_agreement_that_began_later_counts() {
    let later = ONE.replace("version = \"1\"", "").replace("\"A\"", "\"B\"");
    let text = format!("{ONE}{}", later.replace("2026-01-01", "2026-01-05"));
    assert_eq!(found(&text, "334", "RRK", date(2026, 1, 4)), Ok("A".to_owned()));
    assert_eq!(found(&text, "334", "RRK", date(2026, 1, 5)), Ok("B".to_owned()));
}

#[test]
fn a_mistake_names_its_line() {
    for (from, to, line, problem) in [
        ("title = \"t\"", "titel = \"t\"", 5, "unknown field"),
        ("[\"RRK\"]", "[\"R\"]", 7, "wrong length"),
        ("[\"RRK\"]", "[\"334\"]", 7, "named twice"),
        ("[\"RRK\"]", "[]", 4, "two parties"),
        ("\"advice.request\"", "", 4, "name what it covers"),
        ("[\"identity\"]", "[]", 4, "at least one class"),
        ("[\"identity\"]", "[\"identities\"]", 9, "unknown variant"),
        ("2026-01-31", "2025-01-31", 4, "before"),
        ("2026-01-31", "\"2026-01-31\"", 11, "without quotes"),
        ("2026-01-31", "2026-01-31T10:00:00Z", 11, "without quotes"),
        ("id = \"A\"", "id = \" \"", 4, "empty"),
        ("version = \"1\"", "version = \"\"", 2, "empty"),
    ] {
        let (at, what) = refusal(&ONE.replace(from, to));
        assert!(what.contains(problem), "{to}: {what}");
        assert_eq!(at, line, "{to}: {what}");
    }
}

#[test]
fn an_agreement_for_one_day_is_one() {
    let text = ONE.replace("2026-01-31", "2026-01-01");
    assert_eq!(found(&text, "334", "RRK", date(2026, 1, 1)), Ok("A".to_owned()));
    assert_eq!(found(&text, "334", "RRK", date(2026, 1, 2)), Err(NoAgreement::Ended));
}

#[test]
fn every_kind_of_body_is_called_what_files_call_it() {
    for (kind, name, words, health) in [
        (PartyKind::LocalAuthority, "local-authority", "a local authority", false),
        (PartyKind::HealthTrust, "health-trust", "a health trust", true),
        (PartyKind::Icb, "icb", "an integrated care board", true),
    ] {
        assert_eq!((kind.as_str(), kind.in_words(), kind.is_health()), (name, words, health));
        assert_eq!(serde_json::from_str(&format!("\"{name}\"")).ok(), Some(kind));
    }
}

#[test]
fn two_agreements_overlap_on_the_day_that_is_the_last_of_one_and_the_first_of_the_other() {
    let [one, same, next] = ["2026-01-01", "2026-01-31", "2026-02-01"].map(|from| {
        let text = ONE.replace("from = 2026-01-01", &format!("from = {from}"));
        let text = text.replace(
            "until = 2026-01-31",
            if from.ends_with("01-01") { "until = 2026-01-31" } else { "" },
        );
        Agreements::parse(&text).unwrap().all()[0].clone()
    });
    assert!(one.overlaps(&same) && same.overlaps(&one));
    assert!(!one.overlaps(&next) && !next.overlaps(&one));
}

#[test]
fn two_agreements_cannot_share_an_id() {
    let text = format!("{ONE}{}", ONE.replace("version = \"1\"", ""));
    assert_eq!(refusal(&text).0, 16);
}
