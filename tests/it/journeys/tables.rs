//! Tables as partners really send them: a workbook, a set of files with a manifest, a trust's own
//! extract that has no place for our ids.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use adapters::archive::pack;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::clock::{Clock, SystemClock};
use gateway::entropy::sha256_hex;
use gateway::practice::client::Reply;
use gateway::practice::{Plan, Stage, StorePlan, people};
use jiff::civil::Date;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binary;
use tests::peers::{self, Verdict};
use tests::{TestGateway, each_engine};

const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The gateway again, with a partner read through another mapping.
async fn through(gateway: TestGateway, organisation: &str, mapping: &str) -> TestGateway {
    let partners = gateway.folder().join("partners.toml");
    let text = std::fs::read_to_string(&partners).expect("partners");
    let line = format!("organisation = \"{organisation}\"\n");
    let kept = text.replace("mapping = \"liquidlogic-ehc-advice-request\"\n", "");
    assert!(kept.contains(&line), "{kept}");
    let text = kept.replace(&line, &format!("{line}mapping = \"{mapping}\"\n"));
    std::fs::write(&partners, text).expect("written");
    gateway.restart().await
}

async fn post(gateway: &TestGateway, kind: &str, key: &str, body: Vec<u8>) -> Reply {
    gateway.la().post("/v1/messages", kind, key, body).await.expect("an answer")
}

/// A workbook that openpyxl wrote: dates as dates, the NHS number as a number.
fn workbook(gateway: &TestGateway, extra: &str) -> Option<Vec<u8>> {
    let child = people::child(1);
    let header = [
        "DIM_PERSON_ID",
        "NHS_NUMBER",
        "SURNAME",
        "FORENAME",
        "BIRTH_DTTM",
        "EHCP_EPISODE_ID",
        "ADVICE_REQUEST_ID",
        "ADVICE_REQUEST_DTTM",
        "SERVICES_REQUESTED",
    ];
    let row = |id: &str, surname: &str| {
        json!([
            child.la_person_id,
            child.nhs_number.parse::<u64>().expect("digits"),
            surname,
            child.given_names,
            { "date": child.date_of_birth.to_string() },
            "EP-1",
            id,
            { "date": gateway.today().to_string() },
            "SALT",
        ])
    };
    let rows = json!([header, row("W-1", &child.family_name), row("W-2", extra)]);
    let verdict = peers::ask(&["workbook-build"], &rows.to_string());
    assert!(!matches!(verdict, Verdict::Refused(_)), "openpyxl: {verdict:?}");
    let Verdict::Taken(text) = verdict else { return None };
    Some(STANDARD.decode(text).expect("base64"))
}

#[test]
fn a_workbook_by_openpyxl_is_read_row_by_row() {
    each_engine("tables_workbook", |gateway| async move {
        let Some(book) = workbook(&gateway, "=1+1") else { return gateway.end().await };
        let reply = post(&gateway, WORKBOOK, "w-1", book).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let rows = reply.json()["rows"].clone();
        assert_eq!(rows[0]["outcome"], "accepted", "{rows}");
        assert_eq!(rows[1]["outcome"], "quarantined");
        let issue = &rows[1]["issues"][0];
        assert_eq!(issue["rule"], "formula-cell");
        assert_eq!(issue["place"]["sheet"], json!({ "sheet": 1, "row": 3, "column": 3 }));
        let old = post(&gateway, WORKBOOK, "w-2", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec());
        let old = old.await;
        assert_eq!(old.status, 400);
        assert_eq!(old.json()["issues"][0]["rule"], "workbook-legacy");
        gateway.end().await;
    });
}

/// The files of a set about two children, one of them merged into the other's record.
fn files(today: Date) -> Vec<(&'static str, String)> {
    let (one, two) = (people::child(1), people::child(2));
    let person = |id: &str, child: &people::Child, change: &str| {
        let people::Child { family_name, given_names, date_of_birth, .. } = child;
        format!("{id},{family_name},{given_names},{date_of_birth},{change}\n")
    };
    vec![
        (
            "person",
            [
                "person_id,family_name,given_names,date_of_birth,change,merged_into\n".to_owned(),
                person("P1", &one, "current,"),
                person("P2", &two, "current,"),
                person("P3", &two, "merged,P2"),
            ]
            .concat(),
        ),
        (
            "person_identifier",
            format!(
                "person_id,kind,value\nP1,nhs_number,{}\nP2,nhs_number,{}\n",
                one.nhs_number, two.nhs_number
            ),
        ),
        ("ehc_request", format!("case_ref,person_id,received_on\nC1,P1,{today}\nC2,P3,{today}\n")),
        (
            "advice_request",
            format!(
                "advice_request_id,case_ref,requested_on,services\nA1,C1,{today},SALT\n\
                 A2,C2,{today},SALT\nA3,C9,{today},SALT\n"
            ),
        ),
    ]
}

fn manifest(files: &[(&str, String)]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|(entity, text)| {
            json!({
                "entity": entity,
                "name": format!("{entity}.csv"),
                "rows": text.lines().count() - 1,
                "sha256": sha256_hex(text.as_bytes()),
            })
        })
        .collect();
    json!({
        "schema": "ehc-gateway/la-export/1",
        "authority": "334",
        "extracted_at": "2026-11-20T02:00:00Z",
        "mode": "full",
        "files": files,
    })
    .to_string()
}

fn packed(files: &[(&str, String)], manifest: &str) -> Vec<u8> {
    let mut parts = vec![("manifest.json".to_owned(), manifest.to_owned())];
    parts.extend(files.iter().map(|(entity, text)| (format!("{entity}.csv"), text.clone())));
    let parts = parts.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    pack(parts).expect("an archive")
}

#[test]
fn a_set_of_files_is_proved_joined_and_answered_row_by_row() {
    each_engine("tables_set", |gateway| async move {
        let gateway = Box::pin(through(gateway, "334", "canonical-la-export")).await;
        let files = files(gateway.today());
        let set = packed(&files, &manifest(&files));
        let reply = post(&gateway, "application/zip", "s-1", set.clone()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let rows = reply.json()["rows"].clone();
        assert_eq!(rows[0]["outcome"], "accepted", "{rows}");
        assert_eq!(rows[1]["outcome"], "accepted", "the merged person was followed: {rows}");
        assert_eq!(rows[2]["outcome"], "quarantined");
        assert_eq!(rows[2]["issues"][0]["rule"], "case-unknown");
        assert_eq!(gateway.board(gateway.la()).await.len(), 2);
        let again = post(&gateway, "application/zip", "s-1", set).await;
        assert!(again.replayed);

        let changed: Vec<(&str, String)> =
            files.iter().map(|(entity, text)| (*entity, text.replace("A3,C9", "A3,C1"))).collect();
        let half = packed(&changed, &manifest(&files));
        let refused = post(&gateway, "application/zip", "s-2", half).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["issues"][0]["rule"], "manifest-hash");
        assert_eq!(gateway.board(gateway.la()).await.len(), 2, "a changed file changes nothing");
        gateway.end().await;
    });
}

#[test]
fn a_trusts_own_extract_answers_the_open_request_and_its_flags_are_honoured() {
    each_engine("tables_trust", |gateway| async move {
        let gateway = Box::pin(through(gateway, "RXT", "emis-advice")).await;
        gateway.request(1, "CAMHS").await;
        let child = people::child(1);
        let row = |id: &str, flags: &str| {
            format!(
                "{id},{},{},{},{},{flags},{},A Example,Clinical psychologist,Works in small groups\n",
                child.nhs_number,
                child.family_name,
                child.given_names,
                child.date_of_birth,
                gateway.today()
            )
        };
        let header = "ConsultationGuid,NhsNumber,Surname,GivenName,DateOfBirth,Deleted,\
             SpineSensitive,IsConfidential,DummyType,EffectiveDate,ClinicianName,\
             ClinicianProfession,AssociatedText\n";
        let extract = [
            header.to_owned(),
            row("E1", "true,false,false,false"),
            row("E2", "false,false,true,false"),
            row("E3", "false,false,false,false"),
        ]
        .concat();
        let reply = gateway.mental().post("/v1/messages", "text/csv", "t-1", extract).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let rows = reply.json()["rows"].clone();
        assert_eq!(rows.as_array().expect("rows").len(), 2, "the deleted one is no row: {rows}");
        assert_eq!(rows[0]["issues"][0]["rule"], "row-flagged");
        assert_eq!(rows[1]["outcome"], "accepted", "{rows}");
        let board = gateway.board(gateway.la()).await;
        assert_eq!(board[0]["state"], "answered", "{board:?}");
        gateway.end().await;
    });
}

/// `import` of a folder by the real binary.
fn import(stage: &Stage, folder: &Path, more: &[&str]) -> Output {
    let mut command = binary::command();
    command.args(["import", "--json", "--as", "334", "--mapping", "canonical-la-export", "-c"]);
    command.arg(stage.config_path()).arg(folder).args(more).output().expect("it ran")
}

fn write(folder: &Path, files: &[(&str, String)], manifest: &str) {
    for (entity, text) in files {
        std::fs::write(folder.join(format!("{entity}.csv")), text).expect("written");
    }
    std::fs::write(folder.join("manifest.json"), manifest).expect("written");
}

#[test]
fn a_folder_with_a_manifest_is_imported_and_must_follow_the_last_one() {
    let place = TempDir::new().expect("a folder");
    let clock = Arc::new(SystemClock);
    let plan = Plan { dir: place.path().to_owned(), store: StorePlan::Sqlite, clock };
    let stage = Stage::set(plan).expect("a stage");
    let set = TempDir::new().expect("a folder");
    let files = files(SystemClock.today());
    let full = manifest(&files);
    write(set.path(), &files, &full);
    let first = import(&stage, set.path(), &[]);
    assert_eq!(first.status.code(), Some(5), "one row is quarantined: {first:?}");
    let answer: Value = serde_json::from_slice(&first.stdout).expect("one JSON document");
    assert_eq!(answer["rows"][0]["outcome"], "accepted", "{answer}");
    let again = import(&stage, &set.path().join("manifest.json"), &[]);
    let answer_again: Value = serde_json::from_slice(&again.stdout).expect("one JSON document");
    assert_eq!(answer_again["rows"], answer["rows"], "the same set is done once");

    let kept = place.path().join("last.json");
    std::fs::write(&kept, &full).expect("written");
    let after = ["--dry-run", "--after", kept.to_str().expect("a path")];
    let later = full.replace("2026-11-20T02", "2026-11-22T02");
    let gap = later.replace("\"full\"", "\"delta\",\"since\":\"2026-11-21T02:00:00Z\"");
    write(set.path(), &files, &gap);
    let refused = import(&stage, set.path(), &after);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("manifest-gap"), "{refused:?}");
    write(set.path(), &files, &later);
    let taken = import(&stage, set.path(), &after);
    assert!(!String::from_utf8_lossy(&taken.stderr).contains("manifest-"), "{taken:?}");
}
