//! What is removed when its time is over, what stops that, and how both are proved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway::audit::verify::FaultKind;
use gateway::audit::{Actor, EventKind};
use gateway::practice::client::{Partner, Reply};
use gateway::practice::people;
use gateway::retention::certificate::{self, CertificateError};
use gateway::retention::{self, Plan};
use gateway::store::Removable;
use jiff::SignedDuration;
use schemas::RecordId;
use serde_json::{Value, json};
use tests::faults::Beside;
use tests::gateway::each_engine_prepared;
use tests::{Engine, TestGateway, each_engine, peers};

/// A request for advice about a child that is answered, both collected; the request's leg and
/// record, and the document that the answer names.
async fn a_case(gateway: &TestGateway, number: u32) -> (String, RecordId, String) {
    let (la, trust) = (gateway.la(), gateway.mental());
    let leg = gateway.request(number, "CAMHS").await;
    assert_eq!(get(trust, &format!("/v1/inbox/{leg}")).await.status, 200);
    let document = upload(trust, &format!("d-{number}")).await;
    let (id, child) = (format!("A-{number}"), people::child(number));
    let mut advice = people::advice(&trust.code, &id, &leg, &child, gateway.today());
    advice["attachments"] = json!([{ "document": document, "name": "report.pdf" }]);
    let reply = trust.send(&id, &advice).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    for delivery in gateway.inbox(la).await {
        assert_eq!(get(la, &format!("/v1/inbox/{delivery}")).await.status, 200);
        let path = format!("/v1/inbox/{delivery}/acknowledgement");
        let said = json!({ "outcome": "accepted" }).to_string();
        let reply = la.post(&path, "application/json", &delivery, said).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let board = gateway.board(la).await;
    let line = board.iter().find(|line| line["leg"] == leg.as_str()).expect("a line");
    let record = line["record"].as_str().expect("an id").parse().expect("an id");
    (leg, RecordId(record), document)
}

async fn upload(partner: &Partner, key: &str) -> String {
    let filling = (0..5_000_u32).map(|at| u8::try_from(at * 7 % 253).expect("a byte"));
    let bytes: Vec<u8> = b"%PDF-1.7".iter().copied().chain(filling).collect();
    let said = json!({ "size": bytes.len() }).to_string();
    let reply = partner.post("/v1/documents", "application/json", key, said).await;
    let id = reply.expect("an answer").json()["document"].as_str().expect("an id").to_owned();
    let reply = partner.append(&id, 0, bytes).await.expect("an answer");
    assert_eq!(reply.json()["state"], "ready", "{}", reply.text());
    id
}

async fn get(partner: &Partner, path: &str) -> Reply {
    partner.get(path, None).await.expect("an answer")
}

async fn act(partner: &Partner, person: &str, path: &str, body: &Value) -> (u16, Value) {
    let key = format!("{person}{path}{body}");
    let key = gateway::entropy::sha256_hex(key.as_bytes());
    let reply = partner.post_as(person, path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json())
}

async fn due(gateway: &TestGateway) -> Plan {
    let app = gateway.cast.app();
    retention::plan(app, app.clock.now()).await.expect("a plan")
}

/// What keeps a record that is due; `nothing` when it goes.
fn kept_by(plan: &Plan, record: RecordId) -> &'static str {
    let found =
        plan.items.iter().find(|item| item.what == Removable::SealedCopy && item.item == record.0);
    found.expect("it is due").kept_by.unwrap_or("nothing")
}

async fn run(gateway: &TestGateway) -> retention::Ran {
    retention::run(gateway.cast.app(), &Actor::local()).await.expect("a run")
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// The held child's two records; a submission of which nothing was made may be about anybody.
fn only_two_are_held(plan: &Plan) {
    let keeps = plan.items.iter().filter(|item| match item.kept_by {
        Some("legal-hold-cannot-tell") => {
            assert_eq!(item.what, Removable::Original, "{plan:?}");
            false
        }
        code => code.is_some(),
    });
    assert!(keeps.clone().all(|item| item.kept_by == Some("legal-hold")), "{plan:?}");
    assert_eq!(keeps.count(), 2, "what was made of it is not even due: {plan:?}");
}

#[test]
fn what_is_over_goes_with_its_key_and_what_is_held_stays_until_somebody_else_lifts_it() {
    each_engine("retention", |gateway| async move {
        let (leg, record, document) = a_case(&gateway, 1).await;
        let (_, held, _) = a_case(&gateway, 3).await;
        let waiting = gateway.request(5, "CAMHS").await;
        let (auditor, app) = (gateway.auditor(), gateway.cast.app());
        gateway.clock.advance(days(29));
        assert!(due(&gateway).await.items.is_empty(), "its day has not come");

        let whose = json!({
            "nhs_number": people::nhs_number(3), "reason": "public-inquiry",
            "reference": "INQ/2026-12",
        });
        let (status, placed) = act(auditor, "auditor-1", "/v1/retention/holds", &whose).await;
        assert_eq!(status, 200, "{placed}");
        gateway.clock.advance(days(2));

        let plan = due(&gateway).await;
        assert_eq!(kept_by(&plan, record), "nothing", "{plan:?}");
        assert_eq!(kept_by(&plan, held), "legal-hold", "{plan:?}");
        only_two_are_held(&plan);
        // What waits to be collected is kept by that, and its original with it.
        let asked = get(auditor, "/v1/retention/due?within=0").await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        assert_eq!(asked.json()["by_class"]["transit-copy"], json!({ "goes": 2, "is_kept": 2 }));

        let ran = run(&gateway).await;
        assert_eq!(ran.by_class["transit-copy"], 2, "{ran:?}");
        assert_eq!(ran.by_class["document"], 1, "{ran:?}");
        assert_eq!((ran.certificates.len(), ran.moved_on, ran.segments_left), (1, 0, 0), "{ran:?}");
        assert_eq!(ran.freed, gateway.engine == Engine::Sqlite);
        assert!(!gateway.folder().join("data/documents").join(&document).exists());

        // Whoever asks for it again is told so; what happened to it is still told.
        let gone = get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        assert_eq!((gone.status, gone.json()["code"].clone()), (410, json!("removed")));
        assert_eq!(get(gateway.mental(), &format!("/v1/inbox/{waiting}")).await.status, 200);
        let journey = get(gateway.la(), &format!("/v1/records/{}/journey", record.0)).await;
        assert!(journey.text().contains("record.removed"), "{}", journey.text());
        assert_eq!(gateway.board(gateway.la()).await.len(), 3);
        assert_eq!(get(gateway.la(), &format!("/v1/legs/{leg}/evidence")).await.status, 200);
        assert!(gateway.inbox(gateway.la()).await.is_empty());
        let again = people::request(
            &gateway.la().code,
            "AR-1-CAMHS",
            &people::child(1),
            &["CAMHS"],
            gateway.today(),
        );
        let again = gateway.la().send("again", &again).await.expect("an answer");
        assert_ne!(again.status, 500, "{}", again.text());

        let verified = gateway.cast.verify_log().await.expect("it is read");
        assert!(verified.is_whole(), "{:?}", verified.faults);
        assert_eq!(verified.records_removed, 2);

        // Whoever placed the hold does not lift it.
        let id = placed["legal_hold"].as_str().expect("an id");
        let path = format!("/v1/retention/holds/{id}/lift");
        let lifting = json!({ "reason": "inquiry-closed" });
        let (status, said) = act(auditor, "auditor-1", &path, &lifting).await;
        assert_eq!((status, &said["code"]), (403, &json!("not-yours-to-decide")));
        let second = run(&gateway).await;
        assert_eq!((second.removed, second.kept["legal-hold"]), (0, 2), "{second:?}");
        let (status, said) = act(auditor, "auditor-2", &path, &lifting).await;
        assert_eq!(status, 200, "{said}");
        let (status, _) = act(auditor, "auditor-3", &path, &lifting).await;
        assert_eq!(status, 409, "once");
        let third = run(&gateway).await;
        let untold = second.kept["legal-hold-cannot-tell"];
        assert_eq!(third.removed, 5 + untold, "{third:?}");
        let lines = get(auditor, "/v1/retention/holds").await.json();
        assert_eq!(lines["legal_holds"][0]["in_force"], false, "{lines}");
        assert_eq!(app.store.legal_holds().await.expect("holds").len(), 1);
        gateway.end().await;
    });
}

#[test]
fn the_certificate_proves_with_the_public_key_alone_what_was_removed_and_by_which_rule() {
    each_engine("retention_certificate", |gateway| async move {
        let (_, record, _) = a_case(&gateway, 1).await;
        let app = gateway.cast.app();
        let bytes =
            app.store.kept_bytes(Removable::SealedCopy, record.0).await.expect("it is read");
        let hash = gateway::entropy::sha256_hex(&bytes.expect("it is there"));
        gateway.clock.advance(days(31));
        let ran = run(&gateway).await;
        let path = format!("/v1/retention/certificates/{}", ran.certificates[0]);
        let reply = get(gateway.auditor(), &path).await;
        assert_eq!((reply.status, reply.media_type.as_str()), (200, "application/jwt"));
        let jws = reply.text();
        assert_eq!(get(gateway.la(), &path).await.status, 403);
        let keys = get(gateway.auditor(), "/v1/audit/keys").await.json()["receipts"].to_string();
        peers::must_take(&["receipt", &keys], &jws);
        let found = certificate::verify(&jws, &app.log_vkey).expect("it holds");
        assert_eq!(u64::try_from(found.removed.len()).ok(), Some(ran.removed));
        let listed = found.removed.iter().find(|one| one.item == record.0).expect("it is listed");
        assert_eq!((listed.class.as_str(), &listed.sha256), ("transit-copy", &hash));
        assert_eq!(found.schedule.iter().next().map(String::as_str), Some(app.schedule.version()));

        // Nothing about it can be another way.
        let resign = |change: &dyn Fn(&mut certificate::Certificate)| {
            let mut altered = found.clone();
            change(&mut altered);
            let signed = app.receipts.sign_as(gateway::receipt::Signed::Deletion, &altered);
            certificate::verify(&signed.expect("signed"), &app.log_vkey)
        };
        assert!(resign(&|_| ()).is_ok());
        let error = resign(&|one| one.removed[0].sha256 = "0".repeat(64));
        assert!(matches!(error, Err(CertificateError::Entry(_))), "{error:?}");
        let error = resign(&|one| drop(one.removed.pop()));
        assert!(matches!(error, Err(CertificateError::Counts)), "{error:?}");
        let error = resign(&|one| one.removed[0].proof[0].0[0] ^= 1);
        assert!(matches!(error, Err(CertificateError::Proof(_))), "{error:?}");
        let error = certificate::verify(&jws.replacen('.', ".e", 1), &app.log_vkey);
        assert!(matches!(error, Err(CertificateError::Signature(_))), "{error:?}");
        gateway.end().await;
    });
}

#[test]
fn what_was_removed_lawfully_verifies_and_what_was_not_is_found() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let (_, record, _) = a_case(&gateway, 1).await;
        let store = &gateway.cast.app().store;
        let before = store.kept_bytes(Removable::SealedCopy, record.0).await.expect("it is read");
        let before = before.expect("it is there");
        gateway.clock.advance(days(31));
        gateway.request(2, "CAMHS").await;
        run(&gateway).await;
        let copy = gateway.folder().join("copy.db");
        store.copy_to(&copy).await.expect("a copy");
        let clean = gateway.cast.verify_copy(&copy, &[]).await.expect("it is read");
        assert!(clean.is_whole() && clean.records_removed == 2, "{:?}", clean.faults);

        let altered = |sql: &'static str, bytes: Vec<u8>, name: &str| {
            let file = gateway.folder().join(name);
            std::fs::copy(&copy, &file).expect("a copy");
            forge(file, sql, bytes)
        };
        // Emptied as if its time were over, with the mark of it and without.
        for (sql, name) in [
            ("update records set envelope = $1 where removed_at is null", "emptied.db"),
            ("update records set envelope = $1, removed_at = 1 where removed_at is null", "marked.db"),
        ] {
            let file = altered(sql, Vec::new(), name).await;
            let found = gateway.cast.verify_copy(&file, &[]).await.expect("it is read");
            assert_eq!(found.faults.len(), 1, "{:?}", found.faults);
            assert!(matches!(found.faults[0].what, FaultKind::RecordMissing { .. }));
            assert!(found.first_bad().is_some(), "the entry that vouches is named");
        }
        // Put back after it was removed.
        let sql = "update records set envelope = $1 where id = (select item from removals where what = 'record' order by entry limit 1)";
        let file = altered(sql, before, "back.db").await;
        let found = gateway.cast.verify_copy(&file, &[]).await.expect("it is read");
        assert!(
            matches!(found.faults[..], [gateway::audit::verify::Fault {
                what: FaultKind::RecordNotRemoved { .. },
                ..
            }]),
            "{:?}",
            found.faults
        );
        gateway.end().await;
    });
}

async fn forge(file: PathBuf, sql: &'static str, bytes: Vec<u8>) -> PathBuf {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let forger = sqlx::SqlitePool::connect_with(options).await.expect("it opens");
    let done = sqlx::query(sql).bind(bytes).execute(&forger).await.expect("it is altered");
    assert_eq!(done.rows_affected(), 1);
    forger.close().await;
    file
}

#[test]
fn neither_wrapped_key_nor_content_is_left_in_the_files_of_the_embedded_database() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let (_, record, document) = a_case(&gateway, 1).await;
        let store = &gateway.cast.app().store;
        let document = document.parse().expect("an id");
        let mut canaries = Vec::new();
        for (what, item) in [(Removable::SealedCopy, record.0), (Removable::Document, document)] {
            let bytes = store.kept_bytes(what, item).await.expect("it is read").expect("there");
            // The wrapped key stands in the first hundred bytes, after the name of its key.
            canaries.push(bytes[24..56].to_vec());
            canaries.push(bytes[bytes.len() - 32..].to_vec());
        }
        for delivery in store.deliveries_of(record).await.expect("deliveries") {
            assert!(delivery.delivered_at.is_some());
        }
        let data = gateway.folder().join("data");
        for canary in &canaries {
            assert!(places(&data, canary) > 0, "nothing was planted");
        }
        gateway.clock.advance(days(31));
        let ran = run(&gateway).await;
        assert!(ran.freed, "{ran:?}");
        for canary in &canaries {
            assert_eq!(places(&data, canary), 0, "it is still in a file");
        }
        gateway.end().await;
    });
}

/// In how many files of a folder these bytes are.
fn places(folder: &Path, bytes: &[u8]) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found += places(&path, bytes);
            continue;
        }
        let content = std::fs::read(&path).expect("a file");
        found += usize::from(content.windows(bytes.len()).any(|window| window == bytes));
    }
    found
}

#[test]
fn an_open_case_an_unreviewed_row_and_what_nobody_collected_are_kept_and_the_duty_does_the_rest() {
    let schedule = include_str!("../../../gateway/rules/retention-1.toml")
        .replacen("period = \"30 days\"", "period = \"7 days\"", 1)
        .replacen("version = \"retention-1\"", "version = \"council-7\"", 1);
    let prepare = async |stage: &gateway::practice::Stage,
                         _: std::sync::Arc<dyn gateway::clock::Clock>| {
        let file = stage.config_path();
        let mut config = std::fs::read_to_string(file).expect("a file");
        config.push_str("\n[retention]\nenabled = true\nschedule = \"retention.toml\"\n");
        std::fs::write(file, config).expect("a file");
        let beside = file.parent().expect("a folder").join("retention.toml");
        std::fs::write(beside, &schedule).expect("a file");
    };
    each_engine_prepared("retention_duty", &prepare, |gateway, ()| async move {
        let (_, closed, _) = a_case(&gateway, 1).await;
        let open = gateway.request(2, "CAMHS").await;
        assert_eq!(get(gateway.mental(), &format!("/v1/inbox/{open}")).await.status, 200);
        let mut broken = people::request(
            &gateway.la().code,
            "Q-1",
            &people::child(4),
            &["CAMHS"],
            gateway.today(),
        );
        broken["subject"]["date_of_birth"] = json!("not a date");
        assert_eq!(gateway.la().send("q-1", &broken).await.expect("an answer").status, 422);
        gateway.clock.advance(days(8));

        let app = gateway.cast.app();
        assert!(app.schedule.version().starts_with("council-7:"));
        gateway::duties::run_due(app).await.expect("duties");
        let removal =
            app.store.removal_of(Removable::SealedCopy, closed.0).await.expect("it is read");
        let removal = removal.expect("it was removed by itself");
        assert_eq!(removal.class, "transit-copy");
        assert!(removal.certificate.is_some());
        let plan = due(&gateway).await;
        assert_eq!(plan.kept().keys().copied().collect::<Vec<_>>(), ["case-open"], "{plan:?}");
        let quarantined = app.store.quarantined(None, None, 10).await.expect("items");
        assert_eq!(quarantined.len(), 1);
        assert!(!quarantined[0].sealed.is_removed(), "it waits for review");

        // A year later nobody has put the row right; a hold on anybody keeps it, because it
        // cannot be told whose it is.
        gateway.clock.advance(days(366));
        let (status, _) = act(
            gateway.auditor(),
            "auditor-1",
            "/v1/retention/holds",
            &json!({
                "nhs_number": people::nhs_number(9), "reason": "litigation", "reference": "C-9",
            }),
        )
        .await;
        assert_eq!(status, 200);
        let plan = due(&gateway).await;
        let cannot_tell = |what| {
            let kept = plan.items.iter().filter(|item| item.what == what);
            kept.filter(|item| item.kept_by == Some("legal-hold-cannot-tell")).count()
        };
        assert_eq!(cannot_tell(Removable::Quarantine), 1, "{plan:?}");
        let id = app.store.legal_holds().await.expect("holds")[0].hold.id;
        let path = format!("/v1/retention/holds/{id}/lift");
        let reason = json!({ "reason": "placed-in-error" });
        assert_eq!(act(gateway.auditor(), "auditor-2", &path, &reason).await.0, 200);
        let ran = run(&gateway).await;
        assert_eq!(ran.by_class.get("quarantine-unresolved"), Some(&1), "{ran:?}");
        let item = quarantined[0].id;
        let how = gateway::repair::Replay::default();
        let replay = gateway::repair::rehearse_replay(app, item, how).await;
        assert!(replay.is_err_and(|error| error.to_string().contains("retention ended")));
        gateway.end().await;
    });
}

#[test]
fn a_fetch_that_ends_after_the_removal_gives_nothing_and_is_told_so() {
    each_engine("retention_race", |gateway| async move {
        let (leg, record, _) = a_case(&gateway, 1).await;
        gateway.clock.advance(days(31));
        let app = gateway.cast.app();
        // Nothing is committed for a while: the removal waits, and behind it the fetch, which has
        // read the record when it was still there.
        let mut beside = Beside::of(&gateway).await;
        beside.lock().await;
        let (trust, path) = (gateway.mental().clone(), format!("/v1/inbox/{leg}"));
        let fetched = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            trust.get(&path, None).await.expect("an answer")
        });
        let let_go = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            beside.unlock().await;
        };
        let local = Actor::local();
        let (ran, ()) = tokio::join!(retention::run(app, &local), let_go);
        let ran = ran.expect("a run");
        assert_eq!(ran.by_class["transit-copy"], 2, "{ran:?}");
        let reply = fetched.await.expect("it ends");
        assert_eq!((reply.status, &reply.json()["code"]), (410, &json!("removed")));
        let journey = app.store.journey(record).await.expect("a journey");
        let kinds: Vec<_> = journey.iter().map(|entry| entry.event.kind).collect();
        let removed = kinds.iter().position(|kind| *kind == EventKind::RecordRemoved);
        let after = kinds.iter().skip(removed.expect("it was removed"));
        assert!(!after.into_iter().any(|kind| *kind == EventKind::DeliveryCollected), "{kinds:?}");
        gateway.end().await;
    });
}
