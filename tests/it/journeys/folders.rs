//! A council that exchanges files: its exports picked up with a report beside each, the advice
//! dropped into its import folder with its documents and a manifest.

use std::fs;
use std::path::Path;
use std::time::Duration;

use adapters::Format;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gateway::delivery::folder::is_whole;
use gateway::intake::report::FileOutcome;
use gateway::practice::folders::Folders;
use gateway::practice::people::{self, Row};
use gateway::queue::DeliveryState;
use serde_json::Value;
use tests::peers::{self, Verdict};
use tests::{TestGateway, each_engine};

/// Leaves an export that asks for paediatric advice on a child; the leg, from the report.
async fn ask(gateway: &TestGateway, folders: &Folders, number: u32) -> String {
    let name = format!("export-{number}.csv");
    let extract = people::extract(&[Row::new(number, "PAEDIATRICS")], gateway.today());
    folders.leave(&name, extract.as_bytes()).expect("left");
    gateway.until("a report", || folders.report(&name).is_some()).await;
    let report = folders.report(&name).expect("a report");
    assert_eq!(report.outcome, FileOutcome::Taken, "{}", report.to_text());
    report.rows[0].legs[0].leg.to_string()
}

async fn answer(gateway: &TestGateway, number: u32, leg: &str) {
    let (trust, today) = (gateway.acute(), gateway.today());
    let child = people::child(number);
    let advice = people::advice_fhir(&trust.code, &format!("A-{number}"), leg, &child, today);
    let key = format!("a-{number}");
    let media = "application/fhir+json";
    let reply = trust.post("/v1/messages", media, &key, advice.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// Every name and the content of every file under a folder, in one text.
fn everything_under(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        text += &path.to_string_lossy();
        if path.is_dir() {
            text += &everything_under(&path);
        } else {
            text += &String::from_utf8_lossy(&fs::read(&path).expect("a file"));
        }
    }
    text
}

fn there_and_back(name: &str, format: Format) {
    each_engine(name, |gateway| async move {
        let (gateway, folders) = gateway.with_folders(format).await;
        let leg = ask(&gateway, &folders, 1).await;
        answer(&gateway, 1, &leg).await;
        let arrived = || folders.arrived().expect("a folder");
        gateway.until("advice in the folder", || !arrived().is_empty()).await;
        let deliveries = arrived();
        let (place, manifest) = deliveries.first().expect("a delivery");
        assert!(is_whole(place, manifest), "{manifest:?}");
        assert_eq!((manifest.message_type.as_str(), manifest.documents), ("advice.response", 1));
        assert_eq!(fs::read(place.join("document-1.pdf")).expect("there"), people::pdf());
        let import = place.join(&manifest.files[0].name);
        assert_eq!(manifest.files[0].name, format!("import.{}", format.extension()));
        let import = fs::read(import).expect("there");
        if format == Format::Xlsx {
            must_hold(&import, &leg);
        } else {
            assert!(String::from_utf8_lossy(&import).contains(&leg));
        }
        // Nothing but what the delivery itself holds says anything about the child.
        let names = manifest.files.iter().map(|file| file.name.clone()).collect::<String>();
        let manifest_text = fs::read_to_string(place.join("manifest.json")).expect("there");
        assert!(!(names + &manifest_text).contains(&people::child(1).family_name));

        folders.acknowledge(manifest.delivery, None).expect("left");
        let done = folders.import.join("acknowledgements/done");
        let done = done.join(format!("{}.accepted", manifest.delivery));
        gateway.until("an acknowledgement", || done.exists()).await;
        let delivery = gateway.cast.app().store.find_delivery(manifest.delivery).await;
        let delivery = delivery.expect("an answer").expect("a delivery");
        assert_eq!(delivery.state, DeliveryState::Accepted);
        assert_eq!(delivery.attempts, 1);
        gateway.end().await;
    });
}

/// The filled cells of a workbook as an independent reader finds them, where there is one.
fn import_cells(workbook: &[u8]) -> Option<Value> {
    let verdict = peers::ask(&["workbook"], &BASE64_STANDARD.encode(workbook));
    let Verdict::Taken(said) = verdict else {
        assert!(matches!(verdict, Verdict::Absent), "openpyxl: {verdict:?}");
        return None;
    };
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["frozen"], "A2");
    assert_eq!(said["rows"], 2);
    Some(said["cells"].clone())
}

/// An independent reader finds the same in the workbook.
fn must_hold(workbook: &[u8], leg: &str) {
    let Some(cells) = import_cells(workbook) else { return };
    let cells = cells.as_object().expect("cells");
    let text = |value: &str| serde_json::json!({ "type": "s", "value": value, "look": "@" });
    assert_eq!(cells["NHS_NUMBER"], text(&people::child(1).nhs_number));
    assert_eq!(cells["LEG_ID"], text(leg));
    assert_eq!(cells["DOCUMENT_SAVED_AS"], text("document-1.pdf"));
    assert_eq!(cells["BIRTH_DTTM"]["type"], "d");
    assert_eq!(cells["BIRTH_DTTM"]["value"], people::child(1).date_of_birth.to_string());
    assert!(cells.values().all(|cell| cell["type"] == "s" || cell["type"] == "d"), "{cells:?}");
}

#[test]
fn an_export_is_taken_and_the_advice_comes_back_as_a_workbook() {
    there_and_back("folders_xlsx", Format::Xlsx);
}

#[test]
fn an_export_is_taken_and_the_advice_comes_back_as_csv() {
    there_and_back("folders_csv", Format::Csv);
}

#[test]
fn a_bad_row_is_reported_by_place_and_the_report_names_nobody() {
    each_engine("folders_report", |gateway| async move {
        let (gateway, folders) = gateway.with_folders(Format::Csv).await;
        let mut rows = vec![Row::new(1, "SALT"), Row::new(2, "OT")];
        rows[1].child.nhs_number = "9991234560".to_owned();
        let extract = people::extract(&rows, gateway.today());
        folders.leave("nightly.csv", extract.as_bytes()).expect("left");
        folders.leave("junk.csv", b"\xff\xfe\x00 not a table").expect("left");
        folders.leave("message.json", b"{\"type\": \"advice.request\"}").expect("left");
        for name in ["nightly.csv", "junk.csv", "message.json"] {
            gateway.until("a report", || folders.report(name).is_some()).await;
        }
        let report = folders.report("nightly.csv").expect("a report");
        assert_eq!((report.accepted, report.quarantined), (1, 1));
        let issue = &report.rows[1].issues[0];
        assert_eq!(issue.rule, "identifier-check-digit");
        assert_eq!(issue.place.to_string(), "line 3, column 2");
        let keys = gateway.la().get("/v1/audit/keys", None).await.expect("an answer").json();
        let receipt = report.receipt.as_deref().expect("a receipt");
        peers::must_take(&["receipt", &keys["receipts"].to_string()], receipt);
        let text = folders.export.join("done/nightly.csv.report.txt");
        let text = fs::read_to_string(text).expect("for people");
        assert!(text.contains("line 3, column 2"), "{text}");
        for secret in ["9991234560", &rows[0].child.family_name, &rows[0].child.nhs_number] {
            assert!(!text.contains(secret), "{text}");
        }
        for name in ["junk.csv", "message.json"] {
            let report = folders.report(name).expect("a report");
            assert_eq!(report.outcome, FileOutcome::Refused);
            assert!(folders.export.join("refused").join(name).exists());
        }

        // The very same bytes again, under another name: the first answer, and nothing new.
        let before = gateway.board(gateway.la()).await.len();
        folders.leave("again.csv", extract.as_bytes()).expect("left");
        gateway.until("a report", || folders.report("again.csv").is_some()).await;
        let again = folders.report("again.csv").expect("a report");
        assert!(again.seen_before && again.submission == report.submission);
        assert_eq!(gateway.board(gateway.la()).await.len(), before);
        gateway.end().await;
    });
}

#[test]
fn a_file_that_is_still_written_is_not_taken_and_then_is_taken_whole() {
    each_engine("folders_half", |gateway| async move {
        let (gateway, folders) = gateway.with_folders(Format::Csv).await;
        let extract = people::extract(&[Row::new(1, "SALT")], gateway.today());
        let half = extract.len() / 2;
        let place = folders.export.join("slow.csv");
        fs::write(&place, &extract.as_bytes()[..half]).expect("written");
        // The time stands still: however often the folder is looked at, the file has not settled.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(place.exists() && folders.report("slow.csv").is_none());
        fs::write(&place, &extract).expect("written");
        gateway.until("a report", || folders.report("slow.csv").is_some()).await;
        let report = folders.report("slow.csv").expect("a report");
        assert_eq!((report.outcome, report.accepted), (FileOutcome::Taken, 1));
        gateway.end().await;
    });
}

#[test]
fn hostile_names_and_links_are_refused_and_block_nobody() {
    each_engine("folders_hostile", |gateway| async move {
        let (gateway, folders) = gateway.with_folders(Format::Csv).await;
        let secret = gateway.folder().join("secret.csv");
        let extract = people::extract(&[Row::new(7, "SALT")], gateway.today());
        fs::write(&secret, &extract).expect("written");
        std::os::unix::fs::symlink(&secret, folders.export.join("a-link.csv")).expect("linked");
        fs::hard_link(&secret, folders.export.join("a-twin.csv")).expect("linked");
        fs::write(folders.export.join("two\nlines.csv"), &extract).expect("written");
        std::os::unix::fs::symlink("../../secret.csv", folders.export.join("..x.csv"))
            .expect("linked");
        let good = people::extract(&[Row::new(8, "SALT")], gateway.today());
        folders.leave("z-good.csv", good.as_bytes()).expect("left");
        for (name, rule) in [("a-link.csv", "file-not-plain"), ("a-twin.csv", "file-linked")] {
            gateway.until("a report", || folders.report(name).is_some()).await;
            assert_eq!(folders.report(name).expect("a report").issues[0].rule, rule);
        }
        gateway.until("a report", || folders.report("z-good.csv").is_some()).await;
        assert_eq!(gateway.board(gateway.la()).await.len(), 1, "only the good file was read");
        let refused = everything_under(&folders.export.join("refused"));
        assert!(refused.contains("unsafe-name-") && refused.contains("file-name-unsafe"));
        assert!(folders.export.join("..x.csv").symlink_metadata().is_ok(), "hidden: left alone");
        assert_eq!(fs::read_to_string(&secret).expect("there"), extract, "nothing was moved away");
        gateway.end().await;
    });
}

#[test]
fn a_folder_that_is_not_there_defers_and_then_gets_what_waited() {
    each_engine("folders_missing", |gateway| async move {
        let (gateway, folders) = gateway.with_folders(Format::Csv).await;
        let leg = ask(&gateway, &folders, 1).await;
        let away = folders.import.with_extension("unmounted");
        fs::rename(&folders.import, &away).expect("unmounted");
        answer(&gateway, 1, &leg).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!folders.import.exists(), "a share that is not mounted is not made");
        fs::rename(&away, &folders.import).expect("mounted");
        gateway.until("advice", || !folders.arrived().expect("a folder").is_empty()).await;
        let (place, manifest) = folders.arrived().expect("a folder").remove(0);
        assert!(is_whole(&place, &manifest));
        let delivery = gateway.cast.app().store.find_delivery(manifest.delivery).await;
        let delivery = delivery.expect("an answer").expect("a delivery");
        assert!(delivery.attempts >= 2, "{delivery:?}");

        // Rejections need a reason; what names no delivery of theirs is put aside with why.
        folders.acknowledge(manifest.delivery, Some("WRONG_ORG")).expect("left");
        let stranger = gateway::queue::DeliveryId(uuid::Uuid::from_u128(1));
        folders.acknowledge(stranger, None).expect("left");
        let aside = folders.import.join("acknowledgements/refused");
        let aside = aside.join(format!("{stranger}.accepted.reason.txt"));
        gateway.until("a refusal", || aside.exists()).await;
        let done = folders.import.join("acknowledgements/done");
        let done = done.join(format!("{}.rejected", manifest.delivery));
        gateway.until("a rejection", || done.exists()).await;
        let delivery = gateway.cast.app().store.find_delivery(manifest.delivery).await;
        let delivery = delivery.expect("an answer").expect("a delivery");
        assert_eq!(delivery.state, DeliveryState::Rejected);
        assert_eq!(delivery.reason.as_deref(), Some("WRONG_ORG"));
        gateway.end().await;
    });
}

#[test]
fn an_import_by_hand_writes_the_same_report() {
    each_engine("import_report", |gateway| async move {
        let folder = gateway.folder().to_owned();
        let extract = people::extract(&[Row::new(1, "SALT")], gateway.today());
        fs::write(folder.join("extract.csv"), &extract).expect("written");
        fs::write(folder.join("extract.unknown"), &extract).expect("written");
        let config = gateway.cast.config_path().to_owned();
        let import = |more: &[&str]| {
            let mut command = tests::binary::command();
            command.current_dir(&folder).args(["import", "--as", "334", "-c"]).arg(&config);
            command.args(more).output().expect("the command runs")
        };
        let done = import(&["extract.csv", "--report", "report.json"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let report = fs::read(folder.join("report.json")).expect("there");
        let report: gateway::intake::report::Report =
            serde_json::from_slice(&report).expect("a report");
        assert_eq!((report.outcome, report.accepted), (FileOutcome::Taken, 1));
        let told = import(&["extract.unknown"]);
        assert!(String::from_utf8_lossy(&told.stderr).contains("add --format"));
        let again = import(&["extract.unknown", "--format", "csv", "--report", "report.txt"]);
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        let text = fs::read_to_string(folder.join("report.txt")).expect("there");
        assert!(text.contains("yes: nothing was done again"), "{text}");
        gateway.end().await;
    });
}

#[test]
fn a_large_document_is_written_piece_by_piece_beside_the_import_file() {
    each_engine("folders_large", |gateway| async move {
        let (gateway, folders) = gateway.with_folders(Format::Xlsx).await;
        let leg = ask(&gateway, &folders, 1).await;
        let filling = (0..3_500_000_u32).map(|at| u8::try_from(at * 7 % 253).expect("a byte"));
        let pdf: Vec<u8> = b"%PDF-1.7\n".iter().copied().chain(filling).collect();
        let trust = gateway.acute();
        let said = serde_json::json!({ "size": pdf.len() }).to_string();
        let begun = trust.post("/v1/documents", "application/json", "d-1", said).await;
        let begun = begun.expect("an answer").json();
        let id = begun["document"].as_str().expect("an id");
        let all = trust.append(id, 0, pdf.clone()).await.expect("an answer");
        assert_eq!(all.status, 200, "{}", all.text());
        let child = people::child(1);
        let mut advice = people::advice(&trust.code, "A-1", &leg, &child, gateway.today());
        advice["attachments"] = serde_json::json!([{ "document": id, "name": "report.pdf" }]);
        let reply = trust.send("a-1", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.until("advice", || !folders.arrived().expect("a folder").is_empty()).await;
        let (place, manifest) = folders.arrived().expect("a folder").remove(0);
        assert!(is_whole(&place, &manifest));
        let file = &manifest.files[1];
        assert_eq!(file.sha256, gateway::entropy::sha256_hex(&pdf));
        assert_eq!(fs::read(place.join("document-1.pdf")).expect("there"), pdf);
        let verdict = import_cells(&fs::read(place.join("import.xlsx")).expect("there"));
        if let Some(cells) = verdict {
            assert_eq!(cells["DOCUMENT_SAVED_AS"]["value"], "document-1.pdf");
            assert_eq!(cells["DOCUMENT_BYTES"]["value"], pdf.len().to_string());
        }
        gateway.end().await;
    });
}
