//! The last part of the demo: what the log is good for on a Monday morning.
//!
//! An officer asks who saw a child's record; whoever has only the file and the key proves the
//! answer. Then the database is replaced by an older backup of itself, and the gateway finds out.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::access_report::{self, AccessProof};
use crate::audit::{Entry, EventKind};
use crate::commands::table;
use crate::practice::{Cast, Stage, people};
use crate::queue::DeliveryState;

/// What the log was asked, and what came of it.
#[derive(Debug)]
pub(super) struct Shown {
    question: &'static str,
    answer: String,
    /// Whether it came out as it must.
    holds: bool,
}

impl Shown {
    /// For the summary.
    pub(super) fn json(&self) -> Value {
        json!({ "question": self.question, "answer": self.answer, "holds": self.holds })
    }

    /// Whether it came out as it must.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }
}

/// The answers as a table for people.
pub(super) fn table_of(shown: &[Shown]) -> String {
    let rows = shown.iter().map(|one| vec![one.question.to_owned(), one.answer.clone()]);
    table(&["question", "answer"], rows)
}

/// The auditor asks who saw a child's record, and why; gets the lines, and a file that proves them.
pub(super) async fn who_saw(cast: &Cast) -> anyhow::Result<(Vec<Shown>, String)> {
    let body = json!({
        "nhs_number": people::child(1).nhs_number, "reason": "subject-access-request", "proof": true,
    });
    let path = "/v1/audit/who-has-seen";
    let auditor = cast.auditor();
    let reply = auditor.post(path, "application/json", "who-saw-1", body.to_string()).await?;
    ensure!(reply.status == 200, "who has seen was answered {}", reply.text());
    let (report, proof) = (&reply.json()["report"], &reply.json()["proof"]);
    let seen = report["seen"].as_array().context("no lines")?;
    let given: Vec<&Value> = seen.iter().filter(|line| line["given"] == true).collect();
    let rows = given.iter().map(|line| {
        let cell = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        vec![
            line["entry"].to_string(),
            cell("when"),
            cell("organisation_name"),
            cell("what"),
            cell("why"),
        ]
    });
    let lines = table(&["entry", "when (London)", "who", "what", "why"], rows);

    let proof: AccessProof = serde_json::from_value(proof.clone())?;
    let proved = access_report::verify(&proof, &cast.app().log_vkey);
    let mut forged = proof.clone();
    let leaf = forged.log.entries.first_mut().context("nothing was proved")?;
    alter(&mut leaf.leaf)?;
    let refuted = access_report::verify(&forged, &cast.app().log_vkey);
    Ok((
        vec![
            Shown {
                question: "Who saw this child's record, and why?",
                answer: format!(
                    "releases: {}; looks: {}; that it was asked is entry {}",
                    given.len(),
                    seen.len() - given.len(),
                    report["entry"]
                ),
                holds: !given.is_empty() && given.iter().all(|line| line["why"].is_string()),
            },
            Shown {
                question: "Can it be proved, with nothing but the file and the log's key?",
                answer: format!(
                    "{} entries are in the signed log; with one letter changed: {}",
                    proof.log.entries.len(),
                    refuted.faults.first().map_or("NOT noticed".to_owned(), ToString::to_string)
                ),
                holds: proved.faults.is_empty() && !refuted.faults.is_empty(),
            },
        ],
        lines,
    ))
}

/// Changes one letter of an entry that is written in base64.
fn alter(leaf: &mut String) -> anyhow::Result<()> {
    let place = leaf.len() / 2;
    let was = leaf.get(place..=place).context("an empty entry")?.to_owned();
    leaf.replace_range(place..=place, if was == "A" { "B" } else { "A" });
    Ok(())
}

/// A backup of the database, taken while the gateway runs.
pub(super) async fn back_up(cast: &Cast) -> anyhow::Result<PathBuf> {
    let backup = database(cast.stage())?.with_file_name("backup.db");
    cast.app().store.copy_to(&backup).await?;
    Ok(backup)
}

/// The database is lost and the backup put in its place; then the real one comes back.
pub(super) async fn restored(cast: Cast, backup: &Path) -> anyhow::Result<(Cast, Shown)> {
    let (kept, database) = (cast.app().store.audit_head().await?.size, database(cast.stage())?);
    let stage = cast.fall().await;
    let aside = database.with_extension("aside");
    std::fs::rename(&database, &aside)?;
    std::fs::copy(backup, &database)?;
    let cast = Cast::rise(stage).await?;
    let found = cast.app().store.unconfirmed_restore().await?;
    let (waiting, attempted) = waits(&cast).await?;
    let stage = cast.fall().await;
    for suffix in ["db-wal", "db-shm"] {
        drop(std::fs::remove_file(database.with_extension(suffix)));
    }
    std::fs::rename(&aside, &database)?;
    let cast = Cast::rise(stage).await?;
    let serves = cast.app().store.unconfirmed_restore().await?.is_none();
    let answer = match &found {
        Some(restore) => format!(
            "caught at start: it has {} entries of {kept}; of {waiting} deliveries that wait, {attempted} were sent",
            restore.own_size
        ),
        None => "NOT caught".to_owned(),
    };
    let holds = found.is_some() && waiting > 0 && attempted == 0 && serves;
    Ok((
        cast,
        Shown {
            question: "What if an older backup is put in the database's place?",
            answer,
            holds,
        },
    ))
}

/// How many deliveries wait, and how many were attempted since the start, once the worker has had
/// time for all of them.
async fn waits(cast: &Cast) -> anyhow::Result<(usize, usize)> {
    tokio::time::sleep(WORKERS_TIME).await;
    let store = &cast.app().store;
    let waiting = store.deliveries_in(DeliveryState::Queued, None, LOOKED_AT).await?.len();
    let head = store.audit_head().await?.size;
    let newest = store.audit_rows(head.saturating_sub(LOOKED_AT.into()), LOOKED_AT).await?;
    let entries: Vec<Entry> =
        newest.iter().filter_map(|row| Entry::parse(&row.leaf).ok()).collect();
    let start = entries.iter().rposition(|entry| entry.event.kind == EventKind::GatewayStarted);
    let since = entries.iter().skip(start.context("it did not start")?);
    let attempted = since.filter(|entry| entry.event.kind == EventKind::DeliveryAttempted).count();
    Ok((waiting, attempted))
}

fn database(stage: &Stage) -> anyhow::Result<PathBuf> {
    let folder = stage.config_path().parent().context("a folder")?;
    Ok(folder.join("data/gateway.db"))
}

/// Longer than the worker waits before it looks for what is due.
const WORKERS_TIME: Duration = Duration::from_millis(1_200);
/// Deliveries, and newest entries, that are looked at.
const LOOKED_AT: u32 = 200;
