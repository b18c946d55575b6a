//! The reports of information governance and the disclosure pack, as an officer gets them at the
//! machine.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::audit::Entry;
use gateway::practice::people;
use serde_json::{Value, json};
use tests::TestGateway;
use tests::peers::{self, Verdict};

use super::{Ran, beside_a_gateway};
use crate::safety::hunt::Hunt;

const CHILD: u32 = 71;

/// A child whose data was sent, looked at and held.
async fn a_life(gateway: &TestGateway) {
    let leg = gateway.request(CHILD, "CAMHS").await;
    let reply = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
    assert_eq!(reply.expect("an answer").status, 200);
    gateway.held(CHILD + 1).await;
}

/// Runs a command with a line on standard input.
fn given(gateway: &TestGateway, arguments: &[&str], input: &str) -> Ran {
    Ran::given(gateway.cast.config_path(), arguments, input)
}

async fn event(gateway: &TestGateway, seq: u64) -> gateway::audit::Event {
    let rows = gateway.cast.app().store.audit_rows_at(&[seq]).await.expect("the log");
    Entry::parse(&rows[0].leaf).expect("an entry").event
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a path")
}

/// No name, number or postcode of the children anywhere in some bytes, or in what is packed in them.
fn tells_nobody(bytes: &[u8], what: &str) {
    let children = [CHILD, CHILD + 1].map(people::child);
    let told = children.into_iter().flat_map(|child| {
        let named = [child.nhs_number, child.family_name, child.given_names];
        named.into_iter().chain([child.postcode, child.la_person_id])
    });
    Hunt::of(told).through(what, bytes);
}

#[test]
fn a_report_is_a_table_and_its_files_are_in_the_log_by_hash() {
    beside_a_gateway(async |gateway| {
        a_life(gateway).await;
        Ran::on(gateway, &["report", "list"]).ends(0).says("1       child-access");
        Ran::on(gateway, &["report", "exceptions"]).ends(5).talks("--reason");
        Ran::on(gateway, &["report", "gossip"]).ends(5).talks("report list");
        let number = people::nhs_number(CHILD);
        let ask = ["report", "child-access", "--reason", "complaint"];
        given(gateway, &ask, &number).ends(0).says("fetched").says("that you asked is entry");
        given(gateway, &ask, "nobody").ends(5).talks("NHS number");
        let ask = ["report", "person-actions", "--reason", "incident"];
        given(gateway, &ask, "officer-1").ends(5).talks("--organisation");
        given(gateway, &[&ask[..], &["--organisation", "334"]].concat(), "officer-1")
            .ends(0)
            .says("submission.received");

        let file = gateway.folder().join("held.csv");
        let ask =
            ["report", "exceptions", "--reason", "routine-check", "--json", "--csv", path(&file)];
        let made = Ran::on(gateway, &ask).ends(0).json();
        let names = ["held.csv", "held.by-rule.csv", "held.held-now.csv", "held.reviews.csv"];
        let noted = event(gateway, made["entry"].as_u64().expect("a place")).await;
        assert_eq!(noted.detail["what"], "report-export");
        assert_eq!(noted.detail["asked"], made["asked"].to_string());
        for name in names.into_iter().chain(["held.cover.csv"]) {
            let file = gateway.folder().join(name);
            let bytes = std::fs::read(&file).expect("the file");
            assert!(bytes.starts_with(b"\xef\xbb\xbf\""), "{name} has a byte order mark");
            let hash = gateway::entropy::sha256_hex(&bytes);
            assert!(noted.hashes.values().any(|noted| *noted == hash), "{name}");
            let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
            tells_nobody(&bytes, name);
        }
        let check = ["report", "check", path(&file)];
        Ran::on(gateway, &check).ends(0).says("report-export exceptions, for routine-check");
        let altered = gateway.folder().join("altered.csv");
        std::fs::write(&altered, "another").expect("written");
        Ran::on(gateway, &["report", "check", path(&altered)]).ends(3).talks("changed since");
        let cover = std::fs::read_to_string(gateway.folder().join("held.cover.csv"));
        let cover = cover.expect("text");
        assert!(cover.contains("\"reason\",\"routine-check\""), "{cover}");
        assert!(cover.contains("audit verify --checkpoint"), "{cover}");
        Ran::on(gateway, &ask).ends(5).talks("exists");
    });
}

#[test]
fn a_workbook_is_read_by_others_and_nothing_in_it_can_run() {
    beside_a_gateway(async |gateway| {
        a_life(gateway).await;
        let file = gateway.folder().join("held.xlsx");
        let ask = ["report", "exceptions", "--reason", "routine-check", "--xlsx", path(&file)];
        Ran::on(gateway, &ask).ends(0);
        let bytes = std::fs::read(&file).expect("the workbook");
        tells_nobody(&bytes, "the workbook");
        let verdict = peers::ask(&["sheets"], &BASE64_STANDARD.encode(&bytes));
        let Verdict::Taken(said) = verdict else {
            assert!(matches!(verdict, Verdict::Absent), "openpyxl: {verdict:?}");
            return;
        };
        tells_nobody(said.as_bytes(), "the workbook");
        let pages: Value = serde_json::from_str(&said).expect("JSON");
        let names: Vec<&str> =
            pages.as_array().expect("sheets").iter().map(|p| p["name"].as_str().unwrap()).collect();
        let tables = ["What happened", "By rule", "Held now", "Reviews", "By organisation"];
        assert_eq!(names, [&["Cover"], &tables[..]].concat());
        for page in pages.as_array().expect("sheets") {
            assert_eq!(page["frozen"], "A2", "{page}");
            for cell in page["rows"].as_array().expect("rows").iter().filter_map(|r| r.as_array()) {
                for cell in cell {
                    assert_ne!(cell["type"], "f", "a formula: {cell}");
                    assert_eq!(cell["link"], false, "{cell}");
                    if cell["type"] == "s" {
                        assert_eq!(cell["look"], "@", "text stays text: {cell}");
                    }
                }
            }
        }
        let held = &pages[3]["rows"];
        let heading = |name: &str| {
            let heads = held[0].as_array().expect("headings");
            heads.iter().position(|head| head["value"] == name).expect("a heading")
        };
        let since = &held[1][heading("held since (London)")];
        assert_eq!(since["type"], "d", "{since}");
        assert_eq!(held[1][heading("from")]["value"], "334");
        assert_eq!(held[1][heading("from")]["type"], "s", "an authority's code is no number");
    });
}

#[test]
fn a_disclosure_pack_is_whole_private_and_can_be_checked_by_anybody() {
    beside_a_gateway(async |gateway| {
        a_life(gateway).await;
        let number = people::nhs_number(CHILD);
        let folder = gateway.folder().join("pack");
        let make = ["disclosure-pack", "make", "--json", "--out", path(&folder)];
        let made = given(gateway, &make, &number).ends(0).talks("to-redact.csv").json();
        let manifest = &made["manifest"];
        assert_eq!(manifest["format"], "ehc-disclosure-pack-1");
        assert_eq!(manifest["disclosures"], 1);
        assert_eq!(manifest["restricted"], false);
        let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let mut listed: Vec<String> = Vec::new();
        for item in manifest["items"].as_array().expect("items") {
            let name = item["file"].as_str().expect("a name");
            let bytes = std::fs::read(folder.join(name)).expect("the file");
            assert_eq!(item["sha256"], gateway::entropy::sha256_hex(&bytes), "{name}");
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
            tells_nobody(&bytes, name);
            listed.push(name.to_owned());
        }
        listed.push("manifest.json".to_owned());
        listed.sort();
        let mut there: Vec<String> = std::fs::read_dir(&folder)
            .expect("the pack")
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, listed);
        let noted = event(gateway, made["entry"].as_u64().expect("a place")).await;
        let bytes = std::fs::read(folder.join("manifest.json")).expect("the manifest");
        assert_eq!(noted.hashes["manifest"], gateway::entropy::sha256_hex(&bytes));
        let asked = event(gateway, manifest["entry"].as_u64().expect("a place")).await;
        assert_eq!(asked.detail["what"], "disclosure-pack");
        assert_eq!(asked.detail["reason"], "subject-access-request");

        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("text");
        assert!(text("disclosures.csv").contains("\"statute\""));
        let redact = text("to-redact.csv");
        assert!(redact.contains("\"third-parties\"") && redact.contains("\"serious-harm-health\""));
        assert!(!redact.contains("\"protected-address\""), "nothing is recorded");
        assert!(text("README.txt").contains("NOT ready to be given away"));

        let key = gateway.cast.app().log_vkey.clone();
        let check = ["disclosure-pack", "check", path(&folder), "--key", &key];
        Ran::run(&check).ends(0).says("as it was made");
        given(gateway, &make, &number).ends(5).talks("exists");
        std::fs::write(folder.join("consents.csv"), "another").expect("written");
        std::fs::write(folder.join("more.txt"), "another").expect("written");
        let found = Ran::run(&check).ends(6);
        found.says("a file was changed: consents.csv").says("1 files that the manifest does not");
        let stranger = people::nhs_number(CHILD + 40);
        let other = gateway.folder().join("other");
        let make = ["disclosure-pack", "make", "--out", path(&other)];
        given(gateway, &make, &stranger).ends(3).talks("says nothing");
        given(gateway, &make, "nobody").ends(5);
        assert!(!other.exists());
    });
}

#[test]
fn where_a_restriction_is_recorded_no_pack_is_made_unless_it_is_known() {
    beside_a_gateway(async |gateway| {
        a_life(gateway).await;
        let la = gateway.la();
        let restriction = json!({
            "type": "consent.restriction", "id": "R-1", "sender": la.code,
            "subject": people::subject(&people::child(CHILD)),
            "consent": {
                "status": "restricted", "restriction": "protected-address",
                "date": gateway.today().to_string(),
            },
        });
        let reply = la.send("r-1", &restriction).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let number = people::nhs_number(CHILD);
        let folder = gateway.folder().join("pack");
        let make = ["disclosure-pack", "make", "--out", path(&folder)];
        given(gateway, &make, &number).ends(5).talks("Caldicott");
        assert!(!folder.exists());
        let knowing = [&make[..], &["--restrictions-known"]].concat();
        given(gateway, &knowing, &number).ends(0).talks("WARNING");
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("text");
        assert!(text("to-redact.csv").contains("\"protected-address\""));
        assert!(text("README.txt").contains("WARNING"));
        let manifest: Value = serde_json::from_str(&text("manifest.json")).expect("JSON");
        assert_eq!(manifest["restricted"], true);
    });
}
