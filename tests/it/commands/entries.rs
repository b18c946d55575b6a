//! Every command leaves the entries that its line says: each is run, and what it left is looked at.
//!
//! The table is `gateway/src/commands/entries.txt`, which the program's own test holds against the
//! commands there are. A command that leaves other kinds of entries, or is in the table and was not
//! seen to leave any, fails here until somebody has looked at its line. The ways of a command that leave
//! nothing are run too, and must leave nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gateway::app::App;
use gateway::audit::Entry;
use gateway::authority::Rules;
use gateway::clock::SystemClock;
use gateway::config::Config;
use gateway::entropy::SystemEntropy;
use gateway::practice::{Behaviour, Stage, people};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binary::Binary;
use tests::{TestGateway, text};

use super::Ran;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/src/commands/entries.txt");

/// A gateway that has had a life and stands still, so that whatever is left is left by a command.
struct Kept {
    stage: Stage,
    folder: TempDir,
    /// By the names of the arguments that they are given as.
    ids: BTreeMap<&'static str, String>,
}

/// Runs commands, and remembers which kinds of entries each left.
struct Watch {
    config: PathBuf,
    app: App,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Watch {
    async fn over(config: PathBuf, seen: BTreeMap<String, BTreeSet<String>>) -> Self {
        let entropy = Arc::new(SystemEntropy::default());
        let read = Config::load(&config).expect("a configuration");
        let app = App::open_existing(read, Arc::new(SystemClock), entropy).await;
        Self { config, app: app.expect("the gateway"), seen }
    }

    async fn close(self) -> BTreeMap<String, BTreeSet<String>> {
        self.app.store.close().await;
        self.seen
    }

    async fn size(&self) -> u64 {
        self.app.log_size().await.expect("a size")
    }

    /// The kinds of the entries from here on.
    async fn kinds_since(&self, before: u64) -> BTreeSet<String> {
        let rows = self.app.store.audit_rows(before, 5_000).await.expect("rows");
        let entries = rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry"));
        entries.map(|entry| text(&json!(entry.event.kind))).collect()
    }

    async fn runs(&mut self, command: &str, more: &[&str]) -> Ran {
        self.reads(command, more, "").await
    }

    /// Runs a command with something on standard input.
    async fn reads(&mut self, command: &str, more: &[&str], input: &str) -> Ran {
        let before = self.size().await;
        let words: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
        let ran = Ran::given(&self.config, &words, input);
        assert!(matches!(ran.code, 0 | 6), "{command} {more:?}: {} {}", ran.data, ran.talk);
        let kinds = self.kinds_since(before).await;
        assert!(!kinds.is_empty(), "{command} {more:?} left nothing");
        self.seen.entry(command.to_owned()).or_default().extend(kinds);
        ran
    }

    /// Runs a command in a way that leaves nothing.
    async fn leaves_nothing(&self, command: &str, more: &[&str]) {
        let before = self.size().await;
        let words: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
        Ran::given(&self.config, &words, "").ends(0);
        let kinds = self.kinds_since(before).await;
        assert!(kinds.is_empty(), "{command} {more:?} left {kinds:?}");
    }
}

#[test]
fn every_command_leaves_the_entries_that_its_line_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = runtime.block_on(async {
        let kept = Box::pin(a_life()).await;
        let config = kept.stage.config_path().to_owned();
        let mut watch = Watch::over(config, BTreeMap::new()).await;
        looked_at(&mut watch, &kept).await;
        asked_of_the_log(&mut watch, &kept).await;
        done(&mut watch, &kept).await;
        nothing(&watch, &kept).await;
        removed(&mut watch).await;
        let seen = watch.close().await;
        let seen = restored(&kept, seen).await;
        Box::pin(years_later(seen)).await
    });
    let mut table = String::new();
    for (command, kinds) in seen {
        let kinds: Vec<String> = kinds.into_iter().collect();
        writeln!(table, "{command} = {}", kinds.join(" ")).expect("room");
    }
    assert_eq!(
        table.trim_end(),
        std::fs::read_to_string(GOLDEN).expect("the table").trim_end(),
        "look at every line that changed, then put it in entries.txt:\n{table}"
    );
}

/// Ten weeks ago, so that what is over by then is over for a command, which has this machine's clock.
async fn a_life() -> Kept {
    let gateway = TestGateway::days_ago(70).await;
    let (la, mental, app) = (gateway.la(), gateway.mental(), gateway.cast.app());
    let mut ids = BTreeMap::new();
    let leg = gateway.request(1, "CAMHS").await;
    let line = gateway.board(la).await.remove(0);
    ids.insert("record", text(&line["record"]));
    mental.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
    let taken = json!({ "outcome": "accepted" });
    acted(&gateway, "officer-1", &format!("/v1/inbox/{leg}/acknowledgement"), taken, "RXT").await;
    ids.insert("leg", leg.clone());
    ids.insert("held", gateway.held(2).await.1);
    what_waits(&gateway, &mut ids).await;
    ids.insert("day", gateway.today().to_string());
    // The day is signed, and what was odd of it found.
    while gateway::reconciliation::last_closed(app).is_none_or(|day| day.to_string() < ids["day"]) {
        gateway.clock.advance(SignedDuration::from_mins(30));
    }
    gateway::duties::run_due(app).await.expect("the duties are done");
    let differs = json!({
        "version": 1, "outcome": "differs",
        "differences": [{ "item": leg, "code": "not-received" }],
    });
    let path = format!("/v1/reconciliations/{}/answer", ids["day"]);
    let said = acted(&gateway, "officer-1", &path, differs, "RXT").await;
    ids.insert("difference", text(&said["differences"][0]));
    let (stage, folder) = gateway.put_to_rest().await;
    Kept { stage, folder, ids }
}

/// What waits for somebody: a review, a row, an upload, a case on the way, a delivery that failed.
async fn what_waits(gateway: &TestGateway, ids: &mut BTreeMap<&'static str, String>) {
    let (la, mental) = (gateway.la(), gateway.mental());
    let path = format!("/v1/holds/{}/break-glass", gateway.held(3).await.1);
    let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
    acted(gateway, "officer-2", &path, broken, "334").await;
    let mut rows = [people::Row::new(4, "CAMHS")];
    "9990000019".clone_into(&mut rows[0].child.nhs_number);
    let extract = people::extract(&rows, gateway.today());
    la.post("/v1/messages", "text/csv", "rows", extract).await.expect("an answer");
    let withdrawal = people::withdrawal(&la.code, "W-1", &people::child(5), gateway.today());
    acted(gateway, "officer-1", "/v1/consents", withdrawal, "334").await;
    acted(gateway, "officer-1", "/v1/documents", json!({ "size": 9_000 }), "RXT").await;
    let mut child = people::child(6);
    child.date_of_birth = gateway.today().saturating_sub(jiff::Span::new().years(17));
    let today = gateway.today().to_string();
    let referral = json!({
        "type": "transition.referral", "id": "T-1", "sender": mental.code,
        "recipient": gateway.acute().code, "case": "EHC-T-1", "subject": people::subject(&child),
        "consent": { "status": "given", "given_by": "young-person", "date": today },
        "particulars": {
            "need": "Made-up need", "receiving_service": "Practice adult team", "planned_on": today,
        },
    });
    assert_eq!(mental.send("t-1", &referral).await.expect("an answer").status, 201);
    gateway.cast.endpoint.behave(Behaviour::Refuse);
    ids.insert("failed", gateway.request(7, "SALT").await);
    gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
}

async fn acted(gateway: &TestGateway, person: &str, path: &str, body: Value, of: &str) -> Value {
    let who = if of == "334" { gateway.la() } else { gateway.mental() };
    let key = path.replace('/', "-");
    let reply = who.post_as(person, path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(reply.status < 300, "{path}: {}", reply.text());
    reply.json()
}

fn in_folder(kept: &Kept, name: &str) -> String {
    said(&kept.folder.path().join(name)).to_owned()
}

fn said(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// What is only looked at.
async fn looked_at(watch: &mut Watch, kept: &Kept) {
    let id = |name: &str| kept.ids[name].as_str();
    let alerts = watch.runs("alerts list", &["--json"]).await.json();
    watch.runs("alerts show", &[&text(&alerts["alerts"][0]["alert"])]).await;
    watch.runs("board", &[]).await;
    watch.runs("case show", &["--record", id("record")]).await;
    watch.runs("clocks list", &[]).await;
    for of in ["consents show", "consents history"] {
        watch.reads(of, &[], &people::nhs_number(5)).await;
    }
    watch.runs("deliveries list", &["--state", "failed"]).await;
    watch.runs("evidence make", &[id("leg"), "--out", &in_folder(kept, "pack.json")]).await;
    watch.runs("holds list", &[]).await;
    watch.runs("holds show", &[id("held")]).await;
    watch.runs("holds reviews", &[]).await;
    let month = id("day").get(..7).expect("a month");
    watch.runs("performance", &["--month", month]).await;
    let waiting = watch.runs("quarantine list", &["--json"]).await.json();
    watch.runs("quarantine show", &[&text(&waiting["quarantine"][0]["id"])]).await;
    watch.runs("reconcile", &["--partner", "RXT", "--day", id("day")]).await;
    watch.runs("reconcile differences", &[]).await;
    watch.runs("record journey", &[id("record")]).await;
    let listed = watch.runs("transitions", &["--json"]).await.json();
    watch.runs("transitions", &[&text(&listed["transitions"][0]["transition"])]).await;
    watch.runs("authority explain", &[id("record")]).await;
    watch.runs("retention due", &[]).await;
    watch.runs("retention holds", &[]).await;
    let message =
        people::withdrawal("334", "W-9", &people::child(5), id("day").parse().expect("a day"));
    let file = in_folder(kept, "withdrawal.json");
    std::fs::write(&file, message.to_string()).expect("written");
    watch.runs("consents preview", &[&file, "--as", "334"]).await;
}

/// What information governance asks.
async fn asked_of_the_log(watch: &mut Watch, kept: &Kept) {
    let (number, day) = (people::nhs_number(1), kept.ids["day"].as_str());
    let why = ["--reason", "complaint"];
    for (form, name) in [("bundle", "whole"), ("balp", "whole.balp")] {
        let out = in_folder(kept, name);
        let how = ["--reason", "complaint", "--as", form, "--out", &out];
        watch.runs("audit export", &how).await;
    }
    watch.runs("audit publish", &["--to", &in_folder(kept, "given")]).await;
    watch.reads("audit search", &[&why[..], &["--child"]].concat(), &number).await;
    watch.runs("audit verify", &[]).await;
    watch.reads("audit who-has-seen", &why, &number).await;
    watch.reads("audit who-has-seen", &[&why[..], &["--for-family"]].concat(), &number).await;
    let whose = [&why[..], &["--organisation", "334"]].concat();
    watch.reads("audit who-is", &whose, "officer-a\n").await;
    let (file, pack) = (in_folder(kept, "held.csv"), in_folder(kept, "disclosed"));
    watch.runs("report", &[&["exceptions"], &why[..], &["--csv", &file]].concat()).await;
    watch.runs("report", &["check", &file]).await;
    watch.reads("disclosure-pack make", &["--out", &pack], &number).await;
    watch.runs("alerts sample", &["--from", day, "--until", day]).await;
    let rules = in_folder(kept, "draft.toml");
    std::fs::write(&rules, Rules::built_in_text()).expect("written");
    watch.runs("authority rehearse", &["--rules", &rules]).await;
}

/// What is done at the machine.
async fn done(watch: &mut Watch, kept: &Kept) {
    watch.runs("documents rescan", &[]).await;
    let day = kept.ids["day"].parse().expect("a day");
    let file = in_folder(kept, "extract.csv");
    std::fs::write(&file, people::extract(&[people::Row::new(8, "CAMHS")], day)).expect("written");
    watch.runs("import", &[&file, "--as", "334", "--dry-run"]).await;
    watch.runs("import", &[&file, "--as", "334"]).await;
    watch.leaves_nothing("import", &[&file, "--as", "334"]).await;
    let waiting = watch.runs("quarantine list", &["--json"]).await.json();
    let item = text(&waiting["quarantine"][0]["id"]);
    // The file is as wrong as it was; that it was tried is in the log.
    watch.runs("quarantine replay", &[&item, "--person", "operator-1"]).await;
    let why = ["--code", "arrived-since", "--person", "ig-officer-1"];
    let difference = kept.ids["difference"].as_str();
    watch.runs("reconcile explain", &[&[difference], &why[..]].concat()).await;

    let before = watch.size().await;
    let mut serving = Binary::start(&watch.config, Stdio::null());
    serving.wait_until_ready(&kept.stage.authority()).await;
    assert!(serving.stop(), "it did not stop in good order");
    let kinds = watch.kinds_since(before).await;
    watch.seen.insert("serve".to_owned(), kinds);

    let why = ["--reason", gateway::repair::RESEND_REASONS[0], "--person", "operator-1"];
    let failed = kept.ids["failed"].as_str();
    watch.runs("deliveries resend", &[&[failed], &why[..]].concat()).await;
    watch.runs("backup make", &["--to", &in_folder(kept, "night.ehcbackup")]).await;
    watch.runs("backup drill", &[]).await;
}

/// The ways that leave nothing, of commands that open the gateway.
async fn nothing(watch: &Watch, kept: &Kept) {
    let bundle = in_folder(kept, "whole");
    let key = watch.app.log_vkey.clone();
    watch.leaves_nothing("audit verify", &["--bundle", &bundle, "--key", &key]).await;
    let made_up = ["--type", "plan.final", "--from", "334", "--to", "RYW"];
    watch.leaves_nothing("authority explain", &made_up).await;
    watch.leaves_nothing("backup verify", &[&in_folder(kept, "night.ehcbackup")]).await;
    let ways = [
        "alerts rules",
        "audit checkpoint",
        "audit keys",
        "audit look-ups",
        "audit status",
        "config check",
        "documents rescan",
        "report list",
        "restore show",
        "retention schedule",
    ];
    for command in ways {
        watch.leaves_nothing(command, &[]).await;
    }
}

/// What is over goes, with a certificate.
async fn removed(watch: &mut Watch) {
    watch.runs("retention run", &["--dry-run"]).await;
    let ran = watch.runs("retention run", &["--confirm", "--json"]).await.json();
    assert!(ran["removed"].as_u64() > Some(0), "{ran}");
    watch.leaves_nothing("retention run", &["--confirm"]).await;
    watch.runs("retention certificate", &[]).await;
    watch.runs("retention certificate", &[&text(&ran["certificates"][0])]).await;
}

/// The backup is put back into a place of its own, and let go.
async fn restored(
    kept: &Kept,
    mut seen: BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(kept.stage.config_path()).expect("a configuration");
    let text = text
        .replace("path = \"data/", "path = \"restored/")
        .replace("data_dir = \"data\"", "data_dir = \"restored\"");
    let config = kept.folder.path().join("restored.toml");
    std::fs::write(&config, text).expect("written");
    std::fs::create_dir(kept.folder.path().join("restored")).expect("a folder");
    let restore = ["backup", "restore", &in_folder(kept, "night.ehcbackup"), "--json"];
    let entry =
        Ran::given(&config, &restore, "").ends(0).json()["entry"].as_u64().expect("a place");
    let mut watch = Watch::over(config, std::mem::take(&mut seen)).await;
    let kinds = watch.kinds_since(entry).await;
    watch.seen.insert("backup restore".to_owned(), kinds);
    let held = Ran::given(&watch.config, &["restore", "show", "--json"], "").ends(6).json();
    let size = held["restores"][0]["lost_size"].to_string();
    watch.runs("restore confirm", &["--size", &size, "--reason", "exercise"]).await;
    watch.close().await
}

/// The look-up of a year that is long over.
async fn years_later(
    seen: BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, BTreeSet<String>> {
    // The entry of its start is one of that year.
    let gateway = TestGateway::days_ago(900).await;
    let year = gateway.today().year().to_string();
    let (stage, _folder) = gateway.put_to_rest().await;
    let file = stage.config_path();
    tests::keep_look_ups_for_a_year(file);
    let mut watch = Watch::over(file.to_owned(), seen).await;
    let of = ["--period", &year];
    watch.runs("audit destroy-look-up", &of).await;
    watch.runs("audit destroy-look-up", &[&of[..], &["--confirm"]].concat()).await;
    watch.close().await
}
