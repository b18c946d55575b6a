//! `kill -9` under load with a second place for the log: neither a gap nor a line twice.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gateway::clock::{Clock, SystemClock};
use gateway::practice::{Plan, Stage, StorePlan, people};
use tempfile::TempDir;
use tests::binary::Binary;

const ROUNDS: u32 = 6;

#[test]
fn a_folder_has_neither_a_gap_nor_a_line_twice_after_kills() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(SystemClock);
        let plan = Plan { dir: folder.path().to_owned(), store: StorePlan::Sqlite, clock };
        let stage = Stage::set(plan).expect("a stage");
        let file = stage.config_path();
        let before = std::fs::read_to_string(file).expect("a configuration");
        let sink = "[[audit.sinks]]\nname = \"archive\"\nkind = \"file\"\nrequired = true\n\
                    folder = \"archive\"\nfile_bytes = 20000\n";
        std::fs::write(file, format!("{before}\n{sink}")).expect("written");
        let la = stage.authority();
        let mut sent = 0u32;
        for round in 0..ROUNDS {
            let mut gateway = Binary::start(stage.config_path(), Stdio::null());
            gateway.wait_until_ready(&la).await;
            let load = async {
                loop {
                    sent += 1;
                    let (id, child) = (format!("K-{sent}"), people::child(sent % 50));
                    let today = Clock::today(&SystemClock);
                    let message = people::request(&la.code, &id, &child, &["CAMHS"], today);
                    if la.send(&id, &message).await.is_err() {
                        return;
                    }
                }
            };
            // Another moment each round.
            let moment = tokio::time::sleep(Duration::from_millis(u64::from(350 + round * 131)));
            tokio::select! { () = load => {}, () = moment => {} }
            gateway.kill();
        }
        let mut gateway = Binary::start(stage.config_path(), Stdio::null());
        gateway.wait_until_ready(&la).await;
        let archive = folder.path().join("archive");
        let size = la.get("/v1/audit/checkpoint", None).await.expect("an answer").text();
        let size: usize = size.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size");
        let mut lines = Vec::new();
        for _ in 0..100 {
            lines = crate::journeys::sinks::lines(&archive).0;
            if lines.len() >= size {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(lines.len() >= size, "{} lines of {size} entries", lines.len());
        for (seq, line) in lines.iter().enumerate() {
            assert_eq!(line["seq"], seq, "a gap, or a line twice");
        }
        gateway.kill();
        eprintln!("{ROUNDS} kills, {sent} sent, {} lines, each once", lines.len());
    });
}
