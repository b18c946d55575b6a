//! Outsiders hold the log to its history: with receipts, with acknowledgements, as witnesses.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use gateway::audit::Actor;
use gateway::practice::client::Partner;
use gateway::practice::{Cast, WitnessFiles, people};
use gateway::receipt::proof;
use gateway::restore;
use serde_json::{Value, json};
use tests::binary::{self, Binary};
use tests::gateway::each_engine_prepared;
use tests::{Engine, TestGateway, each_engine, peers};

use super::restore::{back_up, checkpoint, put_back, ready};

/// The database comes back from a backup, and everything that could tell with it.
pub(super) fn restore_all(engine: Engine, folder: &Path) {
    put_back(engine, folder);
    drop(std::fs::remove_file(folder.join("data/newest-checkpoint.txt")));
    drop(std::fs::remove_dir_all(folder.join("published")));
}

/// What a partner keeps: files of its own.
struct Drawer(PathBuf);

impl Drawer {
    fn of(gateway: &TestGateway) -> Self {
        let folder = gateway.folder().join("drawer");
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn keep(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.0.join(name);
        std::fs::write(&file, content).expect("a file");
        file.display().to_string()
    }
}

/// What our own checker and the one in Python say of the same files; whether all holds.
fn checked(vkey: &str, options: &[(&str, &str)], files: &[&str]) -> (bool, Value) {
    let mut ours = binary::command();
    ours.args(["--json", "audit", "check-receipt", "--key", vkey]).args(files);
    let mut python = peers::script("receipt_verifier.py");
    if let Some(python) = &mut python {
        python.arg(vkey).args(files);
    }
    for (option, value) in options {
        ours.args([option, value]);
        if let Some(python) = &mut python {
            python.args([option, value]);
        }
    }
    let said = ours.output().expect("it runs");
    let (holds, found) = (said.status.success(), json_of(&said));
    assert_eq!(found["holds"], holds, "{}", String::from_utf8_lossy(&said.stderr));
    assert!(holds || said.status.code() == Some(6), "{:?}", said.status);
    if let Some(mut python) = python {
        let second = python.output().expect("it runs");
        assert_eq!(second.status.success(), holds, "{found:#} {second:?}");
        let second = json_of(&second);
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        assert_eq!(
            count(&second["contradictions"]),
            count(&found["contradictions"]),
            "{second} {found:#}"
        );
    }
    (holds, found)
}

fn json_of(said: &Output) -> Value {
    serde_json::from_slice(&said.stdout).unwrap_or_else(|_| unreachable!("{said:?}"))
}

/// Whether a line of this kind has these words.
fn says(found: &Value, kind: &str, words: &str) -> bool {
    let lines = found[kind].as_array().expect("lines");
    lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains(words)))
}

/// Sends a request about a child; the answer as it came.
async fn sent(gateway: &TestGateway, number: u32) -> Vec<u8> {
    let la = gateway.la();
    let id = format!("W-{number}");
    let child = people::child(number);
    let message = people::request(&la.code, &id, &child, &["CAMHS"], gateway.today());
    let reply = la.send(&id, &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let again = la.send(&id, &message).await.expect("an answer");
    assert!(again.replayed && again.body == reply.body, "a retry gets the very same receipt");
    reply.body
}

/// How many entries the log had that an answer's receipt is proved to be in.
fn size_of(answer: &[u8], vkey: &str) -> u64 {
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    let jws = answer["receipt"].as_str().expect("a receipt");
    proof::check(jws, vkey, None).expect("it holds").checkpoint.expect("a checkpoint").size
}

async fn consistency(partner: &Partner, from: u64, to: u64) -> Vec<u8> {
    let path = format!("/v1/audit/consistency?from={from}&to={to}");
    let reply = partner.get(&path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.body
}

#[test]
fn a_partner_proves_its_entry_and_no_rewriting_from_what_it_received_and_catches_a_restore() {
    each_engine("receipts", |gateway| async move {
        let (engine, drawer) = (gateway.engine, Drawer::of(&gateway));
        let vkey = gateway.cast.app().log_vkey.clone();
        let first = sent(&gateway, 1).await;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        let second = sent(&gateway, 2).await;
        let (one, two) = (drawer.keep("1.json", &first), drawer.keep("2.json", &second));
        let (a, b) = (size_of(&first, &vkey), size_of(&second, &vkey));

        let (holds, found) = checked(&vkey, &[], &[&one]);
        assert!(holds && says(&found, "proved", "is in the log of"), "{found:#}");
        assert!(says(&found, "proved", "vouches for what the receipt says"), "{found:#}");
        assert!(says(&found, "not_proved", "another history"), "{found:#}");
        let (holds, found) = checked(&vkey, &[], &[&one, &two]);
        assert!(holds && says(&found, "not_proved", &format!("from={a}&to={b}")), "{found:#}");
        let link = drawer.keep("link.json", consistency(gateway.la(), a, b).await);
        let (holds, found) = checked(&vkey, &[("--proof", &link)], &[&one, &two]);
        assert!(holds && says(&found, "proved", "nothing of it was changed"), "{found:#}");
        let folder = gateway.folder().join("copy").display().to_string();
        let copied = binary::command()
            .args(["audit", "publish", "--to", &folder, "-c"])
            .arg(gateway.cast.config_path())
            .output()
            .expect("it runs");
        assert!(copied.status.success(), "{copied:?}");
        let ours = binary::command()
            .args(["--json", "audit", "check-receipt", "--key", &vkey, "--log", &folder])
            .args([&one, &two])
            .output()
            .expect("it runs");
        let found = json_of(&ours);
        assert!(ours.status.success() && found["not_proved"] == json!([]), "{found:#}");

        // One letter of it is another: nothing holds.
        let mut changed = first.clone();
        let at = changed.windows(4).position(|four| four == b"eyJh").expect("a receipt") + 200;
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let (holds, found) = checked(&vkey, &[], &[&drawer.keep("changed.json", changed)]);
        assert!(!holds && says(&found, "faults", "does not hold"), "{found:#}");

        // The backup comes back, and the log grows past what the partner has a receipt for.
        let gateway = gateway.restart_after(|folder| restore_all(engine, folder)).await;
        assert_eq!(ready(&gateway).await, "ready\n", "nothing here can tell");
        let mut third = sent(&gateway, 3).await;
        for number in 4..9 {
            if size_of(&third, &vkey) <= b {
                third = sent(&gateway, number).await;
            }
        }
        let c = size_of(&third, &vkey);
        let three = drawer.keep("3.json", &third);
        let link = drawer.keep("link2.json", consistency(gateway.la(), b, c).await);
        let (holds, found) = checked(&vkey, &[("--proof", &link)], &[&two, &three]);
        assert!(!holds && says(&found, "contradictions", "REWRITTEN"), "{found:#}");
        gateway.end().await;
    });
}

#[test]
fn an_acknowledgement_that_echoes_a_checkpoint_finds_a_restored_backup() {
    each_engine("echo", |gateway| async move {
        let engine = gateway.engine;
        let (leg, other) = (gateway.request(1, "CAMHS").await, gateway.request(2, "CAMHS").await);
        let acknowledge = async |gateway: &TestGateway, leg: &str, note: &str| {
            let path = format!("/v1/inbox/{leg}");
            let mental = gateway.mental();
            assert_eq!(mental.get(&path, None).await.expect("an answer").status, 200);
            let body = json!({ "outcome": "accepted", "checkpoint": note }).to_string();
            let path = format!("{path}/acknowledgement");
            let reply = mental.post(&path, "application/json", &format!("ack-{leg}"), body).await;
            let reply = reply.expect("an answer");
            (reply.status, reply.json())
        };
        let note = checkpoint(&gateway).await;
        let (status, said) = acknowledge(&gateway, &other, "not a note").await;
        assert_eq!((status, &said["code"]), (400, &json!("invalid-parameter")), "{said}");
        let (status, said) = acknowledge(&gateway, &leg, &note).await;
        assert_eq!((status, &said["checkpoint"]), (200, &json!("known")), "{said}");
        let held = gateway.cast.app().store.held_outside().await.expect("a list");
        let held: Vec<_> = held.iter().map(|one| (&*one.holder, &*one.means)).collect();
        assert_eq!(held, [("RXT", "acknowledgement")]);

        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        let third = gateway.request(3, "CAMHS").await;
        let note = checkpoint(&gateway).await;
        drop(third);
        let gateway = gateway.restart_after(|folder| restore_all(engine, folder)).await;
        assert_eq!(ready(&gateway).await, "ready\n", "nothing here can tell");
        let (status, said) = acknowledge(&gateway, &other, &note).await;
        assert_eq!((status, &said["checkpoint"]), (200, &json!("not-known")), "{said}");
        assert_eq!(said["state"], "accepted", "what it says is taken in all the same");
        assert!(ready(&gateway).await.starts_with("held:"));
        gateway.end().await;
    });
}

/// A witness as the real binary, and another that comes and looks.
struct Witnesses {
    serving: WitnessFiles,
    process: Binary,
    visiting: WitnessFiles,
}

fn wait_for(files: &WitnessFiles) {
    for _ in 0..600 {
        if TcpStream::connect(files.address).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    unreachable!("the witness does not listen");
}

impl Witnesses {
    /// The visiting witness looks once; its exit code and what it says.
    async fn visit(&self) -> (Option<i32>, Value, String) {
        let config = self.visiting.config.clone();
        let run = move || {
            let mut command = binary::command();
            command.args(["--json", "witness", "once", "-c"]).arg(config).output()
        };
        let said = tokio::task::spawn_blocking(run).await.expect("a thread").expect("it runs");
        (said.status.code(), json_of(&said), String::from_utf8_lossy(&said.stderr).into_owned())
    }
}

#[test]
fn a_witness_cosigns_and_catches_a_restored_backup_at_start_and_by_looking() {
    let prepare = async |stage: &gateway::practice::Stage, _| {
        let vkey = stage.log_vkey().expect("a key");
        let more = "publish_to = \"published\"\nrequire_witness = true";
        let serving = stage.appoint_witness(&vkey, more).expect("a witness");
        let visiting = stage.visiting_witness(&vkey).expect("a witness");
        let process = Binary::witness(&serving.config, Stdio::null());
        wait_for(&serving);
        Witnesses { serving, process, visiting }
    };
    each_engine_prepared("witness", &prepare, |gateway, mut witnesses| async move {
        let (engine, drawer) = (gateway.engine, Drawer::of(&gateway));
        let vkey = gateway.cast.app().log_vkey.clone();
        gateway.request(1, "CAMHS").await;
        let (code, said, talk) = witnesses.visit().await;
        assert_eq!(code, Some(0), "{talk}");
        assert_eq!(said["gateway"]["standing"], "known", "{said}");
        // It asks once more when it stops.
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        let reply = gateway.la().get("/v1/audit/checkpoint?cosigned=true", None).await;
        let note = reply.expect("an answer").text();
        let file = drawer.keep("cosigned.txt", &note);
        let of = [("--checkpoint", &*file), ("--witness", &*witnesses.serving.vkey)];
        let (holds, found) = checked(&vkey, &of, &[]);
        assert!(holds && says(&found, "proved", "cosigned this checkpoint"), "{note} {found:#}");
        let published = gateway.folder().join("published/checkpoint");
        let cosigned = |file: &Path| {
            std::fs::read_to_string(file).is_ok_and(|note| note.contains("trust-ryw.example"))
        };
        gateway.until("the published checkpoint is cosigned", || cosigned(&published)).await;
        let holders = gateway.cast.app().store.held_outside().await.expect("a list");
        let holders: Vec<_> = holders.iter().map(|one| one.holder.clone()).collect();
        assert!(holders.contains(&"trust-ryw.example/witness".to_owned()), "{holders:?}");
        assert!(holders.contains(&"RXT".to_owned()), "{holders:?}");

        gateway.request(2, "CAMHS").await;
        gateway.request(3, "CAMHS").await;
        assert_eq!(witnesses.visit().await.0, Some(0));
        let gateway = gateway.restart_after(|folder| restore_all(engine, folder)).await;
        assert!(ready(&gateway).await.starts_with("held:"), "the witness told it at start");
        let (code, said, talk) = witnesses.visit().await;
        assert_eq!(code, Some(6), "{talk}");
        assert!(talk.contains("SHORTER") || talk.contains("REWRITTEN"), "{talk}");
        assert_eq!(said["gateway"]["held"], true, "{said}");

        let app = gateway.cast.app();
        let lost = app.store.unconfirmed_restore().await.expect("a state").expect("held").lost_size;
        restore::confirm(app, &Actor::local(), lost, restore::REASONS[0]).await.expect("confirmed");
        assert_eq!(ready(&gateway).await, "ready\n");
        let gateway = gateway.restart().await;
        assert_eq!(ready(&gateway).await, "ready\n", "what was confirmed is not found again");
        let verified = gateway.cast.verify_log().await.expect("the log can be read");
        assert!(verified.is_whole(), "{:?}", verified.faults);
        // Without the witness that is required it does not start.
        witnesses.process.kill();
        let stage = gateway.cast.fall().await;
        let refused = Cast::rise(stage).await.expect_err("no witness answers");
        assert!(format!("{refused:?}").contains("Unwitnessed"), "{refused:?}");
    });
}
