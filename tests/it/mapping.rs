//! The commands about mappings, through the real binary: what an operator sees, and what they do
//! not.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tests::binary;

const HEADER: &str = "DIM_PERSON_ID,NHS_NUMBER,SURNAME,FORENAME,BIRTH_DTTM,EHCP_EPISODE_ID,\
    ADVICE_REQUEST_ID,ADVICE_REQUEST_DTTM,SERVICES_REQUESTED";
const ROW: &str = "100,9990000018,Testcase,Robin,06/05/2014,E1,AR1,02/11/2026,SALT";

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn check(file: &Path, more: &[&str]) -> Output {
    let mut command = binary::command();
    command.args(["mapping", "check"]).arg(file);
    command.args(["--mapping", "liquidlogic-ehc-advice-request"]).args(more);
    command.output().expect("it ran")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_check_shows_fields_and_masks_what_they_say() {
    let folder = TempDir::new().expect("a folder");
    let extract = file(&folder, "extract.csv", &format!("{HEADER}\n{ROW}\n"));
    let masked = check(&extract, &[]);
    assert_eq!(masked.status.code(), Some(0), "{masked:?}");
    let said = text(&masked) + &String::from_utf8_lossy(&masked.stderr);
    assert!(said.contains("subject.family_name") && said.contains("xxxxxxxx"), "{said}");
    assert!(said.contains("line 2, column 3") && said.contains("1 would be acceptable"), "{said}");
    for value in ["Testcase", "9990000018", "2014"] {
        assert!(!said.contains(value), "{said}");
    }
    assert!(text(&check(&extract, &["--show-values"])).contains("Testcase"));
}

#[test]
fn a_check_says_every_issue_with_its_place_and_ends_with_5() {
    let folder = TempDir::new().expect("a folder");
    let bad = ROW.replace("06/05/2014", "05/31/2014").replace("9990000018", "9991234560");
    let extract = file(&folder, "extract.csv", &format!("{HEADER}\n{ROW}\n{bad}\n"));
    let output = check(&extract, &["--json"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let answer: Value = serde_json::from_str(&text(&output)).expect("one JSON document");
    assert_eq!((&answer["rows"], &answer["acceptable"]), (&2.into(), &1.into()));
    let rules: Vec<&str> = answer["issues"]
        .as_array()
        .expect("issues")
        .iter()
        .filter_map(|issue| issue["rule"].as_str())
        .collect();
    assert!(rules.contains(&"date-impossible"), "{rules:?}");
    assert!(rules.contains(&"identifier-check-digit"), "{rules:?}");
    assert_eq!(answer["samples"][0]["fields"][0]["field"], "type");
    assert!(!text(&output).contains("9991234560"));
}

#[test]
fn drift_against_the_last_file_is_found_and_ends_with_6() {
    let folder = TempDir::new().expect("a folder");
    let before = file(&folder, "before.csv", &format!("{HEADER},UPN\n{ROW},\n"));
    let now = file(&folder, "now.csv", &format!("{HEADER}\n{ROW}\n"));
    let against = ["--against", before.to_str().expect("a path")];
    let output = check(&now, &against);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert!(text(&output).contains("column-gone"), "{output:?}");
    assert_eq!(check(&before, &against).status.code(), Some(0));
}

#[test]
fn a_proposed_mapping_can_be_used_at_once_and_never_overwrites() {
    let folder = TempDir::new().expect("a folder");
    let rows = "Surname;Forename(s);NHS Number;Date of birth;Person Id;EHCP Episode Id;Mystery\n\
        Testcase;Robin;9990000018;06/05/2014;1;E1;x\n";
    let extract = file(&folder, "list.csv", rows);
    let out = folder.path().join("list.toml");
    let new = || {
        let mut command = binary::command();
        command.args(["mapping", "new", "--from"]).arg(&extract);
        command.arg("--out").arg(&out).output().expect("it ran")
    };
    let made = new();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert!(String::from_utf8_lossy(&made.stderr).contains("Not recognised: column 7"));
    let proposal = std::fs::read_to_string(&out).expect("a mapping");
    assert!(!proposal.contains("Testcase") && !proposal.contains("9990000018"));
    let mut command = binary::command();
    command.args(["mapping", "check", "--json"]).arg(&extract).arg("--mapping").arg(&out);
    let checked = command.output().expect("it ran");
    let answer: Value = serde_json::from_str(&text(&checked)).expect("one JSON document");
    assert_eq!(answer["rows"], 1, "{checked:?}");
    assert_eq!(new().status.code(), Some(1), "an existing file is kept");
    assert_eq!(std::fs::read_to_string(&out).expect("a mapping"), proposal);
}

#[test]
fn lists_that_are_no_messages_can_be_looked_at() {
    let folder = TempDir::new().expect("a folder");
    let list = "persontableid,surname,forename,personbirthdate,sex\n\
        1,Testcase,Robin,2014-May-06 00:00:00,F\n";
    let list = file(&folder, "Blade-Export_20-11-2026_person.csv", list);
    let mut command = binary::command();
    command.args(["mapping", "check"]).arg(&list).args(["--mapping", "sen2-blade-person"]);
    let output = command.output().expect("it ran");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(talk.contains("cannot become messages"), "{talk}");
}
