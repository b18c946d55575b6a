//! `authority`: why something may go, what is wrong with a file, and what a draft would change.

use std::path::{Path, PathBuf};

use gateway::authority::Rules;
use gateway::practice::people;
use serde_json::json;
use tempfile::TempDir;
use tests::TestGateway;

use super::{Ran, beside_a_gateway};

fn written(folder: &Path, name: &str, text: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("written");
    let path = file.to_str().expect("a path").to_owned();
    (file, path)
}

/// A request that the family's refusal meets: its record and its delivery.
async fn held(gateway: &TestGateway) -> (String, String) {
    let la = gateway.la();
    let mut message =
        people::request(&la.code, "X-1", &people::child(41), &["CAMHS"], gateway.today());
    message["consent"] = json!({
        "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
    });
    let row = la.send("x-1", &message).await.expect("an answer").json()["rows"][0].clone();
    let text = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    (text(&row["record"]), text(&row["legs"][0]["leg"]))
}

#[test]
fn a_made_up_question_is_explained_step_by_step_without_a_gateway() {
    let asked = |more: &[&str]| {
        let question = ["authority", "explain", "--type", "plan.final", "--from", "334", "--to"];
        Ran::run(&[&question, more].concat())
    };
    asked(&["RYW"])
        .ends(0)
        .says("plan.final from 334 to RYW")
        .lines_up(&["STEP", "WHAT WAS FOUND"])
        .says("Rule plan-final is for messages of type plan.final.")
        .says("two named people may decide");
    asked(&["RYW", "--consent", "given", "--about-the-plan", "--given-by", "parent"])
        .ends(0)
        .says("SEND Regulations 2014, regulation 17");
    let json = asked(&["15E", "--json"]).ends(0).json();
    assert_eq!(json["decision"]["authority"], "statute", "{json}");
    assert_eq!(json["decision"]["rule_version"], "authority-1+agreements-example-1");
}

#[test]
fn a_question_that_cannot_be_meant_is_refused_with_what_to_write() {
    let explain = |more: &[&str]| Ran::run(&[&["authority", "explain"], more].concat());
    explain(&["--type", "plan.finale", "--from", "334", "--to", "RYW"])
        .ends(1)
        .talks("there is no message of type `plan.finale`; write one of: plan.")
        .talks("plan.final, ");
    explain(&["--type", "letter", "--from", "334", "--to", "RYW"])
        .ends(1)
        .talks("s23.notification");
    explain(&["--type", "plan.final", "--from", "no code", "--to", "RYW"])
        .ends(1)
        .talks("--from is not an organisation code");
    explain(&["--type", "plan.final", "--from", "334", "--to", "RYW", "--consent", "maybe"])
        .ends(1)
        .talks("--consent does not know `maybe`");
    explain(&[]).ends(1).talks("name a record or delivery, or a made-up question");
}

#[test]
fn a_record_and_a_delivery_are_explained_as_decided_and_as_they_would_be_now() {
    beside_a_gateway(async |gateway| {
        let (record, delivery) = held(gateway).await;
        for id in [&record, &delivery] {
            Ran::on(gateway, &["authority", "explain", id])
                .ends(0)
                .says("advice.request from 334")
                .lines_up(&["ENTRY", "WHEN (UTC)", "TO", "DECIDED", "RULE", "VERSION", "WHY"])
                .says("restriction-meets-statute")
                .says("To RXT (held), as it would be decided on")
                .lines_up(&["STEP", "WHAT WAS FOUND"])
                .says("agreement to share was refused (entry 1)");
        }
        let unknown = "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff";
        Ran::on(gateway, &["authority", "explain", unknown])
            .ends(3)
            .talks("no record or delivery has this id; receipts and the board show ids");
        Ran::run(&["authority", "explain", &record, "-c", "there-is-no-such.toml"])
            .ends(5)
            .talks("there-is-no-such.toml");
        let text = Ran::on(gateway, &["authority", "explain", &record]).data;
        assert!(!text.contains(&people::nhs_number(41)), "it names no child: {text}");
        assert!(!text.contains(&people::child(41).family_name), "{text}");
    });
}

#[test]
fn a_broken_file_of_rules_is_named_with_its_line_and_what_to_write() {
    let folder = TempDir::new().expect("a folder");
    let check = |name: &str, text: &str| {
        let (_, path) = written(folder.path(), name, text);
        (Ran::run(&["authority", "check", "--rules", &path]), path)
    };
    let rules = Rules::built_in_text();
    let (good, path) = check("good.toml", rules);
    good.ends(0).says(&path).says("56 rules and 5 agreements, and nothing contradicts.");

    // What no rules may say.
    let silent = rules.replacen("restricted = \"hold\"", "restricted = \"proceed\"", 1);
    let line = 1 + silent.lines().position(|line| line.contains("\"proceed\" }")).expect("it");
    let (refused, path) = check("silent.toml", &silent);
    let refused = refused.ends(5).says(&path).talks("1 to put right.");
    let said = refused.data.clone();
    let number = said.split("line ").nth(1).and_then(|rest| rest.split(':').next());
    let number: usize = number.expect("a line").parse().expect("a number");
    assert!(number <= line && line - number < 12, "{said} is about line {line}");

    // What contradicts the catalogue: each with its line and the fix.
    let wrong =
        rules.replacen("purposes = [\"early-identification\"]", "purposes = [\"ehc-plan\"]", 1);
    let (refused, path) = check("wrong.toml", &wrong);
    refused
        .ends(5)
        .says(&format!("{path}: line "))
        .says("`purposes` lacks \"early-identification\", which M01 is for; add it");

    // What is no TOML, and a rule that is missing.
    check("cut.toml", rules.get(..4_000).expect("shorter")).0.ends(5).says("line ");
    let without = rules.replacen("message = \"plan.ceased\"", "message = \"plan.transfer\"", 1);
    check("twice.toml", &without).0.ends(5).says("two rules are for this type of message");

    let json = Ran::run(&["authority", "check", "--json", "--rules", &path]).ends(5).json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["findings"].as_array().expect("findings").len(), 2, "{json}");
    let second = json["findings"][1].as_str().expect("words");
    assert!(second.contains("which no rule is for; correct it"), "the agreements too: {json}");
    Ran::run(&["authority", "check", "--rules", "no-such.toml"]).ends(1).talks("cannot be read");
}

#[test]
fn a_rehearsal_lists_every_outcome_that_a_draft_would_change_with_counts() {
    beside_a_gateway(async |gateway| {
        held(gateway).await;
        gateway.request(42, "CAMHS").await;
        gateway.request(43, "PAEDIATRICS").await;
        let folder = TempDir::new().expect("a folder");
        let rules = Rules::built_in_text();
        let (_, same) = written(folder.path(), "same.toml", rules);
        Ran::on(gateway, &["authority", "rehearse", "--rules", &same])
            .ends(0)
            .talks("3 decisions made again by the draft (authority-1")
            .talks(": 0 would change.");

        let draft = rules.replacen("version = \"authority-1\"", "version = \"authority-2\"", 1).replace(
            "classes = [\"identity\", \"contact\", \"education\", \"consent\", \"documents\"] },\n  { to = \"icb\"",
            "classes = [\"identity\", \"education\", \"consent\"] },\n  { to = \"icb\"",
        );
        let (_, draft) = written(folder.path(), "draft.toml", &draft);
        Ran::on(gateway, &["authority", "rehearse", "--rules", &draft])
            .ends(6)
            .lines_up(&["ENTRY", "WHEN (UTC)", "TYPE", "FROM", "TO", "NOW", "DRAFT", "WHY"])
            .says("release (advice-request)")
            .says("release-reduced (advice-request)")
            .lines_up(&["NOW", "DRAFT", "DECISIONS"])
            .talks(
                "by the draft (authority-2+agreements-example-1) in place of \
                 authority-1+agreements-example-1",
            )
            .talks(": 2 would change.");
        let json = Ran::on(gateway, &["authority", "rehearse", "--json", "--rules", &draft]);
        let json = json.ends(6).json();
        assert_eq!((&json["decisions"], &json["changed"]), (&json!(3), &json!(2)), "{json}");
        assert_eq!(
            json["counts"],
            json!([{ "before": "release", "after": "release-reduced", "count": 2 }])
        );
        Ran::on(gateway, &["authority", "rehearse"]).ends(1).talks("name a draft: --rules FILE");
        let (_, broken) = written(folder.path(), "broken.toml", "version = 1\n");
        Ran::on(gateway, &["authority", "rehearse", "--rules", &broken])
            .ends(5)
            .says("broken.toml: line ");
    });
}

#[test]
fn the_page_of_rules_is_printed_for_the_files_in_force() {
    let page = Ran::run(&["authority", "page"]).ends(0).says("# The rules of release");
    assert_eq!(page.data.matches("\n### `").count(), 56);
    beside_a_gateway(async |gateway| {
        Ran::on(gateway, &["authority", "page"]).ends(0).says("`EX-334-EHC-ADVICE`");
    });
    let folder = TempDir::new().expect("a folder");
    let (_, broken) = written(folder.path(), "broken.toml", "version = 1\n");
    Ran::run(&["authority", "page", "--rules", &broken]).ends(5).says("broken.toml: line ");
}
