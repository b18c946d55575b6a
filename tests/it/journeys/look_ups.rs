//! Whom the entries of a year are about: another alias each year in the log, one person to whoever
//! may ask, and in the end nobody's, with every proof as good as before.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use gateway::access_report::{self, AccessProof, Question, Reason};
use gateway::audit::alias::Period;
use gateway::audit::bundle;
use gateway::audit::{Actor, Entry, SubjectKey};
use gateway::look_up::{self, Refusal};
use gateway::practice::{Stage, people};
use gateway::restore;
use gateway::verification::{self, Wanted};
use jiff::civil::date;
use schemas::NhsNumber;
use serde_json::{Value, json};
use tests::faults::Beside;
use tests::{Engine, TestGateway, each_engine_prepared};

use super::restore::{back_up, put_back};

const CHILD: u32 = 81;

/// Look-ups are kept for one year instead of thirty-five.
fn each_engine_with_years<T: Future<Output = ()>>(name: &str, test: impl Fn(TestGateway) -> T) {
    each_engine_prepared(
        name,
        &async |stage: &Stage, _| {
            tests::keep_look_ups_for_a_year(stage.config_path());
        },
        |gateway, ()| test(gateway),
    );
}

fn child(gateway: &TestGateway) -> SubjectKey {
    let number = NhsNumber::parse(&people::nhs_number(CHILD)).expect("a number");
    gateway.cast.app().vault.pseudonyms().key_of_nhs_number(&number)
}

fn question(gateway: &TestGateway) -> Question {
    let reason = Reason::Complaint;
    Question { subject: child(gateway), reason, from: None, until: None }
}

/// A request about the child that is collected, and looks at it and at the board.
async fn a_year(gateway: &TestGateway, service: &str) {
    let trust = if service == "CAMHS" { gateway.mental() } else { gateway.acute() };
    let leg = gateway.request(CHILD, service).await;
    let reply = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!gateway.board(gateway.la()).await.is_empty());
}

/// Whom the leaves of all entries that concern the child name.
async fn named_in_leaves(gateway: &TestGateway, year: i16) -> BTreeSet<SubjectKey> {
    let store = &gateway.cast.app().store;
    let entries = store.entries_concerning(child(gateway), u64::MAX, 1000).await.expect("entries");
    let of_year = |entry: &&Entry| {
        let at = jiff::Timestamp::from_microsecond(entry.at_us).expect("a time");
        Period::at(at).year() == year && entry.event.subject == Some(child(gateway))
    };
    let seqs: Vec<u64> = entries.iter().filter(of_year).map(|entry| entry.seq).collect();
    assert!(seqs.len() > 2, "{seqs:?}");
    let rows = store.audit_rows_at(&seqs).await.expect("rows");
    let leaves = rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry"));
    leaves.map(|entry| entry.event.subject.expect("somebody")).collect()
}

async fn ask(gateway: &TestGateway) -> Value {
    let body = json!({ "nhs_number": people::nhs_number(CHILD), "reason": "complaint" });
    let path = "/v1/audit/who-has-seen";
    let reply = gateway.auditor().post(path, "application/json", "ask", body.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["report"].clone()
}

/// In how many lines of a year somebody saw something, and in how many they looked at lists.
fn lines(report: &Value, year: i16) -> (usize, usize) {
    let year = year.to_string();
    let of = |name: &str, when: &str| {
        let lines = report[name].as_array().expect("lines").iter();
        lines.filter(|line| line[when].as_str().expect("a time").starts_with(&year)).count()
    };
    (of("seen", "when"), of("lists", "first"))
}

/// What was given out before the look-up died.
struct Kept {
    checkpoint: String,
    bundle: Vec<u8>,
    proof: AccessProof,
}

async fn keep(gateway: &TestGateway) -> Kept {
    let app = gateway.cast.app();
    let asked = question(gateway);
    let report = access_report::look(app, &asked, &Actor::local()).await.expect("a report");
    let proof = access_report::prove(app, &report, &asked).await.expect("a proof");
    let checkpoint = gateway.la().get("/v1/audit/checkpoint", None).await.expect("one").text();
    Kept { checkpoint, bundle: whole(gateway).await, proof }
}

async fn whole(gateway: &TestGateway) -> Vec<u8> {
    let mut file = Vec::new();
    let app = gateway.cast.app();
    let made = verification::export(app, &Wanted::Whole, "check", &mut file, |_| {}).await;
    assert!(made.expect("a store").is_some());
    file
}

/// Everything that was given out is as good as on the day that it was.
async fn proofs_hold(gateway: &TestGateway, kept: &Kept) {
    let app = gateway.cast.app();
    let key = &app.log_vkey;
    let kept_note = std::slice::from_ref(&kept.checkpoint);
    let verified = verification::of_store(&app.store, key, kept_note, |_| {}).await;
    let verified = verified.expect("a verification");
    assert!(verified.is_whole(), "{:?}", verified.faults);
    for file in [&kept.bundle, &whole(gateway).await] {
        let judged = bundle::judge(&mut Cursor::new(file), key, &[]).expect("a bundle");
        assert!(judged.verification.is_whole(), "{:?}", judged.verification.faults);
    }
    let proved = access_report::verify(&kept.proof, key);
    assert_eq!(proved.faults.len(), 0, "{:?}", proved.faults);
    assert!(!proved.account.seen.is_empty());
}

/// The files of the gateway's databases, journals too.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.to_string_lossy().contains(".db") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_look_up_dies_and_every_proof_stays() {
    each_engine_with_years("look_ups", |gateway| async move {
        let year = gateway.today().year();
        a_year(&gateway, "CAMHS").await;
        gateway.move_to(date(year + 1, 1, 2));
        a_year(&gateway, "PAEDIATRICS").await;

        let (old, new) =
            (named_in_leaves(&gateway, year).await, named_in_leaves(&gateway, year + 1).await);
        assert_eq!((old.len(), new.len()), (1, 1), "one alias in each year");
        assert!(old.is_disjoint(&new) && !old.union(&new).any(|one| *one == child(&gateway)));
        let report = ask(&gateway).await;
        assert_eq!(report["look_ups_destroyed"], Value::Null);
        let (seen, lists) = lines(&report, year);
        assert!(seen > 0 && lists == 1, "{report:#}");
        assert!(lines(&report, year + 1).0 > 0, "{report:#}");
        let kept = keep(&gateway).await;
        assert_eq!(kept.proof.aliases.len(), 2, "an opening for each year");
        let key = &gateway.cast.app().log_vkey;
        let mut without = kept.proof.clone();
        without.aliases.pop();
        assert_eq!(access_report::verify(&without, key).faults.len(), 1);
        proofs_hold(&gateway, &kept).await;

        let app = gateway.cast.app();
        let (actor, period) = (Actor::local(), Period::of_year(year));
        let refused = look_up::destroy(app, period, &actor).await.expect("an answer");
        let until = date(year + 2, 1, 1);
        assert_eq!(refused, Err(Refusal::Young { until }));
        gateway.move_to(until);
        let key = app.store.log_periods().await.expect("periods").remove(0).key.expect("a key");
        let destroyed = look_up::destroy(app, period, &actor).await.expect("an answer");
        let destroyed = destroyed.expect("it is done");
        assert!(destroyed.size.entries > 2 && destroyed.size.looks > 0, "{destroyed:?}");
        assert!(destroyed.size.records > 0, "the request is still kept, and it is said");
        let again = look_up::destroy(app, period, &actor).await.expect("an answer");
        assert_eq!(again, Err(Refusal::Destroyed));

        let report = ask(&gateway).await;
        assert_eq!(lines(&report, year), (0, 0), "{report:#}");
        assert!(lines(&report, year + 1).0 > 0, "{report:#}");
        let gone = &report["look_ups_destroyed"];
        assert_eq!(gone.as_array().map(Vec::len), Some(1), "it says what it does not know");
        assert_eq!(gone[0]["period"], year);
        assert_eq!(gone[0]["destroyed"]["entry"], destroyed.entry);
        assert_eq!(gone[0]["destroyed"]["on"], until.to_string());
        proofs_hold(&gateway, &kept).await;

        if gateway.engine == Engine::Sqlite {
            assert!(destroyed.freed);
            // A sealed key is random: whatever is found of it is it.
            let part = &key[key.len() - 64..];
            let files = databases(gateway.folder());
            assert!(!files.is_empty());
            for file in files {
                let bytes = std::fs::read(&file).expect("a file");
                assert!(!bytes.windows(64).any(|window| window == part), "{}", file.display());
            }
        }
        // Reading the files has let go of this process's locks on them; another process comes now.
        let gateway = gateway.restart().await;
        asked_again(&gateway, year).await;
        gateway.end().await;
    });
}

async fn destroy(gateway: &TestGateway, year: i16) -> Result<look_up::Destroyed, Refusal> {
    let (app, period) = (gateway.cast.app(), Period::of_year(year));
    look_up::destroy(app, period, &Actor::local()).await.expect("an answer")
}

/// Orders that nothing about somebody else is destroyed.
async fn hold(gateway: &TestGateway, key: &str) {
    let order = json!({
        "nhs_number": people::nhs_number(CHILD + 1), "reason": "public-inquiry", "reference": key,
    });
    let path = "/v1/retention/holds";
    let auditor = gateway.auditor();
    let reply = auditor.post_as("auditor-1", path, "application/json", key, order.to_string());
    assert_eq!(reply.await.expect("an answer").status, 200);
}

#[test]
fn a_legal_hold_keeps_every_look_up_and_a_restore_that_lost_one_does_not_end_that() {
    each_engine_with_years("look_ups_held", |gateway| async move {
        let engine = gateway.engine;
        let year = gateway.today().year();
        a_year(&gateway, "CAMHS").await;
        gateway.move_to(date(year + 2, 1, 2));
        a_year(&gateway, "PAEDIATRICS").await;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        hold(&gateway, "INQ/1").await;
        assert_eq!(destroy(&gateway, year).await, Err(Refusal::LegalHold), "of whomever it is");

        let gateway = gateway.restart_after(|folder| put_back(engine, folder)).await;
        let app = gateway.cast.app();
        assert_eq!(app.store.legal_holds().await.expect("a list").len(), 0, "it is forgotten");
        assert_eq!(destroy(&gateway, year).await, Err(Refusal::Restored));
        let found = app.store.unconfirmed_restore().await.expect("a store").expect("it is held");
        restore::confirm(app, &Actor::local(), found.lost_size, restore::REASONS[0])
            .await
            .expect("confirmed");
        hold(&gateway, "INQ/1-again").await;
        assert_eq!(destroy(&gateway, year).await, Err(Refusal::LegalHold));
        let named = named_in_leaves(&gateway, year).await;
        assert_eq!(named.len(), 1, "whom it is about can still be told");
        gateway.end().await;
    });
}

/// The command, asked for what was destroyed before: it does what was left of it, and says what it
/// cannot do.
async fn asked_again(gateway: &TestGateway, year: i16) {
    let destroy = || {
        let (config, year) = (gateway.cast.config_path(), year.to_string());
        let mut command = tests::binary::command();
        command.args(["audit", "destroy-look-up", "--confirm", "--period", &year, "-c"]);
        let ran = command.arg(config).output().expect("it runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let mut beside = Beside::of(gateway).await;
    if gateway.engine == Engine::Postgres {
        let (code, talk) = destroy();
        assert_eq!(code, Some(0), "{talk}");
        let tables = "vacuum full log_periods, audit_entries, looks, records, deliveries;";
        assert!(talk.contains(tables) && talk.contains("write-ahead log"), "{talk}");
        beside.run(tables).await;
        return;
    }
    beside.run("begin; select count(*) from audit_entries").await;
    let (code, talk) = destroy();
    assert_eq!(code, Some(75), "{talk}");
    assert!(
        talk.contains("because somebody reads it") && talk.contains("Run this again"),
        "{talk}"
    );
    beside.run("commit").await;
    let (code, talk) = destroy();
    assert_eq!(code, Some(0), "{talk}");
}

#[test]
fn a_look_up_that_was_touched_is_found_and_named() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let year = gateway.today().year();
        a_year(&gateway, "CAMHS").await;
        gateway.move_to(date(year + 1, 1, 2));
        a_year(&gateway, "PAEDIATRICS").await;
        let copy = gateway.folder().join("copy.db");
        gateway.cast.app().store.copy_to(&copy).await.expect("a copy");
        let original = std::fs::read(&copy).expect("a file");
        let named = "(select min(seq) from audit_entries where subject is not null)";
        let later = "(select max(from_seq) from log_periods)";
        let edits = [
            // The alias itself beside the entry, as it stood in entries from before.
            (
                named,
                format!(
                    "update audit_entries
                set subject = unhex(json_extract(cast(leaf as text), '$.event.subject'))
                where seq = {named}"
                ),
            ),
            (named, format!("update audit_entries set subject = zeroblob(32) where seq = {named}")),
            // A look-up that was destroyed and no entry says so.
            (
                "0",
                "update audit_entries set subject = null where seq < (select max(from_seq)
                from log_periods);
                delete from looks where seq < (select max(from_seq) from log_periods);
                update log_periods set key_sealed = null, destroyed_at = 1
                where until_seq is not null"
                    .to_owned(),
            ),
            // A period moved: the entries between have another alias.
            (
                later,
                format!(
                    "update log_periods set from_seq = from_seq + 1000000
                where from_seq = {later}"
                ),
            ),
        ];
        for (place, edit) in edits {
            let file = gateway.folder().join("edited.db");
            std::fs::write(&file, &original).expect("a file");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
            let forger = sqlx::SqlitePool::connect_with(options).await.expect("it opens");
            let ask = sqlx::AssertSqlSafe(format!("select {place}"));
            let seq: i64 = sqlx::query_scalar(ask).fetch_one(&forger).await.expect("an entry");
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(edit.clone())).execute(&forger).await;
            assert!(done.expect("it is edited").rows_affected() > 0, "{edit}");
            forger.close().await;
            let found = gateway.cast.verify_copy(&file, &[]).await.expect("it is read");
            let first = found.first_bad().and_then(|first| i64::try_from(first).ok());
            assert!(!found.is_whole(), "{edit}");
            assert!(first >= Some(seq) && first < Some(seq + 20), "{edit}: {:?}", found.faults);
        }
        gateway.end().await;
    });
}
