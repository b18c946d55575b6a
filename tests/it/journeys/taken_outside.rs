//! Checkpoints leave the host within a minute or a hundred entries: for each that takes them, and after one
//! was away too.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::clock::{Clock, FrozenClock, SystemClock};
use gateway::outsiders::{Holder, Reach};
use gateway::practice::{Cast, Plan, Stage, StorePlan, WitnessFiles, people};
use jiff::SignedDuration;
use serde_json::Value;
use tempfile::TempDir;
use tests::TestGateway;
use tests::binary::{self, Binary};
use tests::gateway::each_engine_prepared;

const SOON: Duration = Duration::from_secs(20);
const WITNESS: &str = "trust-ryw.example/witness";
const FOLDER: &str = "published-log";
const LATE: &str = "ready\nnothing outside holds the newest checkpoint of the log";

fn serve(files: &WitnessFiles) -> Binary {
    let process = Binary::witness(&files.config, Stdio::null());
    for _ in 0..600 {
        if TcpStream::connect(files.address).is_ok() {
            return process;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    unreachable!("the witness does not listen");
}

fn add(file: &Path, more: &str) {
    let before = std::fs::read_to_string(file).expect("a configuration");
    std::fs::write(file, format!("{before}\n{more}\n")).expect("written");
}

async fn size(gateway: &TestGateway) -> u64 {
    gateway.cast.app().log_size().await.expect("a size")
}

async fn holder(gateway: &TestGateway, name: &str) -> Holder {
    let reach = Reach::of(gateway.cast.app()).await.expect("a reach");
    reach.holders.into_iter().find(|holder| holder.name == name).expect("it is set up")
}

/// Waits, without moving the clock, until somebody has so many entries.
async fn has(gateway: &TestGateway, name: &str, size: u64) {
    let since = Instant::now();
    loop {
        let has = holder(gateway, name).await.has;
        if has >= size {
            return;
        }
        assert!(since.elapsed() < SOON, "{name} has {has} of {size}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Long enough for everybody to have looked whether something is due.
async fn a_look() {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
}

/// What the operator is told of something that is away at the last checkpoint of a quiet spell, and that it
/// has it when it is back, with nothing new in the log.
async fn is_given_it_when_it_is_back(
    gateway: &TestGateway,
    name: &str,
    away: impl FnOnce(),
    back: impl FnOnce(),
) {
    gateway.request(1, "CAMHS").await;
    gateway.clock.advance(SignedDuration::from_secs(31));
    has(gateway, name, size(gateway).await).await;
    let page = gateway.operator_page("/readyz").await;
    assert!(page.ends_with("\r\n\r\nready\n"), "{page}");
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("ehc_audit_outside_age_seconds 0\n"), "{metrics}");

    away();
    gateway.request(2, "CAMHS").await;
    let last = size(gateway).await;
    gateway.clock.advance(SignedDuration::from_secs(31));
    a_look().await;
    let before = holder(gateway, name).await;
    assert!(before.has < last, "it was away when it was asked");
    let page = gateway.operator_page("/readyz").await;
    assert!(page.ends_with("\r\n\r\nready\n"), "half a minute is no matter: {page}");
    gateway.clock.advance(SignedDuration::from_secs(600));
    a_look().await;
    let page = gateway.operator_page("/readyz").await;
    assert!(page.contains("HTTP/1.0 200") && page.contains(LATE), "a note, no refusal: {page}");
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("ehc_audit_outside_age_seconds 631\n"), "{metrics}");
    let of_one = format!("ehc_audit_holder_age_seconds{{holder=\"{name}\"}} 631\n");
    assert!(metrics.contains(&of_one), "{metrics}");

    back();
    a_look().await;
    // The longest that one that is away is not asked.
    gateway.clock.advance(SignedDuration::from_secs(60));
    has(gateway, name, last).await;
    assert_eq!(size(gateway).await, last, "nothing new was written meanwhile");
    let page = gateway.operator_page("/readyz").await;
    assert!(page.ends_with("\r\n\r\nready\n"), "{page}");
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("ehc_audit_outside_age_seconds 0\n"), "{metrics}");
}

#[test]
fn a_witness_that_was_away_at_the_last_checkpoint_of_a_quiet_spell_cosigns_it_when_it_is_back() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let vkey = stage.log_vkey().expect("a key");
        let files = stage.appoint_witness(&vkey, "").expect("a witness");
        (serve(&files), files)
    };
    each_engine_prepared("witness_away", &prepare, |gateway, (process, files)| async move {
        let mut process = Some(process);
        let mut again = None;
        let kill = || process.take().expect("it runs").kill();
        let restart = || again = Some(serve(&files));
        is_given_it_when_it_is_back(&gateway, WITNESS, kill, restart).await;
        gateway.end().await;
    });
}

#[test]
fn a_published_folder_that_was_away_at_the_last_checkpoint_has_it_when_it_is_back() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        add(stage.config_path(), "[audit]\npublish_to = \"published\"");
    };
    each_engine_prepared("folder_away", &prepare, |gateway, ()| async move {
        let (folder, aside) = (gateway.folder().join("published"), gateway.folder().join("aside"));
        let away = || {
            std::fs::rename(&folder, &aside).expect("it is gone");
            std::fs::write(&folder, "no folder").expect("something else is there");
        };
        let back = || {
            std::fs::remove_file(&folder).expect("it is gone");
            std::fs::rename(&aside, &folder).expect("it is back");
        };
        is_given_it_when_it_is_back(&gateway, FOLDER, away, back).await;
        gateway.end().await;
    });
}

#[test]
fn a_hundred_entries_or_half_a_minute_take_a_checkpoint_out_though_a_witness_hangs() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let vkey = stage.log_vkey().expect("a key");
        // Whoever connects there waits for ever.
        let hangs = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let (port, other) = (hangs.local_addr().expect("an address").port(), "visiting");
        let away = stage.visiting_witness(&vkey).expect(other).vkey;
        add(
            stage.config_path(),
            &format!(
                "[[audit.witnesses]]\nvkey = \"{away}\"\nurl = \"https://127.0.0.1:{port}\"\npartner = \"RYW\""
            ),
        );
        let files = stage.appoint_witness(&vkey, "publish_to = \"published\"").expect("a witness");
        (serve(&files), hangs)
    };
    each_engine_prepared("many_entries", &prepare, |gateway, (process, hangs)| async move {
        gateway.request(1, "CAMHS").await;
        gateway.clock.advance(SignedDuration::from_secs(31));
        let before = size(&gateway).await;
        for name in [WITNESS, FOLDER] {
            has(&gateway, name, before).await;
        }
        // The clock stands still: only how many there are can take them out.
        gateway.request(2, "CAMHS").await;
        a_look().await;
        for name in [WITNESS, FOLDER] {
            assert_eq!(holder(&gateway, name).await.has, before, "{name}");
        }
        let mut number = 3;
        while size(&gateway).await < before + 110 {
            gateway.request(number, "CAMHS").await;
            number += 1;
        }
        for name in [WITNESS, FOLDER] {
            has(&gateway, name, before + 100).await;
        }
        a_look().await;
        gateway.request(number, "CAMHS").await;
        a_look().await;
        let left = size(&gateway).await;
        assert!(holder(&gateway, WITNESS).await.has < left, "a few are no matter yet");
        gateway.clock.advance(SignedDuration::from_secs(31));
        for name in [WITNESS, FOLDER] {
            has(&gateway, name, left).await;
        }
        let away = holder(&gateway, "trust-rxt.example/witness").await;
        assert_eq!(away.has, 0, "and this one hung all the time");
        let reach = Reach::of(gateway.cast.app()).await.expect("a reach");
        assert_eq!((reach.covers, reach.waiting_since), (left, None));
        drop((process, hangs));
        gateway.end().await;
    });
}

fn status(config: &Path, json: bool) -> Output {
    let mut command = binary::command();
    if json {
        command.arg("--json");
    }
    command.args(["audit", "status", "-c"]).arg(config).output().expect("it runs")
}

#[test]
fn the_command_says_that_nothing_outside_holds_the_newest_checkpoint() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        // What it writes was written ten minutes ago.
        let start = SystemClock.now() - SignedDuration::from_mins(10);
        let clock = Arc::new(FrozenClock::new(start));
        let plan = Plan { dir: folder.path().to_owned(), store: StorePlan::Sqlite, clock };
        let stage = Stage::set(plan).expect("a stage");
        add(stage.config_path(), "[audit]\npublish_to = \"published\"");
        // Where the folder of tiles should be is something else.
        std::fs::create_dir(folder.path().join("published")).expect("a folder");
        std::fs::write(folder.path().join("published/tile"), "no folder").expect("written");
        let cast = Cast::rise(stage).await.expect("the practice gateway starts");
        let said = status(cast.config_path(), false);
        assert_eq!(said.status.code(), Some(0), "{said:?}");
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(text.contains("NOTHING OUTSIDE HOLDS THE NEWEST CHECKPOINT"), "{text}");
        assert!(text.contains("The publication published-log has 0 of "), "{text}");
        let said: Value =
            serde_json::from_slice(&status(cast.config_path(), true).stdout).expect("JSON");
        let outside = &said["outside"];
        assert_eq!((&outside["is_late"], &outside["is_set_up"]), (&true.into(), &true.into()));
        assert!(outside["age_seconds"].as_u64().is_some_and(|age| age >= 600), "{outside}");
        assert_eq!(outside["holders"][0]["kind"], "publication");
        cast.fall().await;
    });
}

#[test]
fn with_nothing_outside_set_up_the_start_and_the_command_say_so_plainly() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(SystemClock);
        let plan = Plan { dir: folder.path().to_owned(), store: StorePlan::Sqlite, clock };
        let stage = Stage::set(plan).expect("a stage");
        let file = folder.path().join("log.txt");
        let log = std::fs::File::create(&file).expect("a file");
        let mut gateway = Binary::start(stage.config_path(), log.into());
        let la = stage.authority();
        gateway.wait_until_ready(&la).await;
        let message =
            people::request(&la.code, "A", &people::child(1), &["CAMHS"], SystemClock.today());
        assert_eq!(la.send("A", &message).await.expect("an answer").status, 201);
        assert!(gateway.stop());
        let text = std::fs::read_to_string(&file).expect("a log");
        let told = "nothing takes checkpoints of the log outside but partners who fetch them";
        assert_eq!(text.matches(told).count(), 1, "{text}");
        let said = status(stage.config_path(), false);
        let text = String::from_utf8_lossy(&said.stderr);
        let told = "Nothing is set up to take checkpoints outside: only partners who fetch them do";
        assert!(text.contains(told) && text.contains("[[audit.witnesses]]"), "{text}");
        assert!(!text.contains("NOTHING OUTSIDE"), "that is for what is set up: {text}");
    });
}
