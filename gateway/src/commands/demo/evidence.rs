//! The last part of the demo: what the log is good for on a Monday morning.
//!
//! An officer asks who saw a child's record; whoever has only the file and the key proves the
//! answer. A partner proves its entry with what it received. Then an older backup is put in the
//! database's place, and the gateway is held.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::access_report::{self, AccessProof};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::history::{self, Kept, Link, Ties};
use crate::audit::{Actor, Entry, EventKind};
use crate::backup;
use crate::commands::table;
use crate::config::Config;
use crate::practice::{Cast, Trust, people};
use crate::queue::DeliveryState;
use crate::receipt::proof;

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

/// The authority kept the answer to its first extract. With that and the answer to a later message
/// it proves that its entry is in the log, and that nothing was rewritten between the two.
pub(super) async fn partner_proves(cast: &Cast, kept: &str) -> anyhow::Result<Shown> {
    let (la, vkey) = (cast.authority(), &cast.app().log_vkey);
    let today = cast.app().clock.today();
    let message = people::request(&la.code, "E-1", &people::child(29), &["PAEDIATRICS"], today);
    let reply = la.send("evidence-1", &message).await?;
    let later = reply.json()["receipt"].as_str().context("no receipt")?.to_owned();
    let (first, second) = (proof::check(kept, vkey, None)?, proof::check(&later, vkey, None)?);
    let head = |place: &str, checkpoint: Option<Checkpoint>| {
        let checkpoint = checkpoint.context("a receipt without a proof")?;
        anyhow::Ok(Kept { place: place.to_owned(), checkpoint })
    };
    let heads =
        [head("the first receipt", first.checkpoint)?, head("a later one", second.checkpoint)?];
    let sizes = heads.each_ref().map(|head| head.checkpoint.size);
    let path = format!("/v1/audit/consistency?from={}&to={}", sizes[0], sizes[1]);
    let link: Link = serde_json::from_value(la.get(&path, None).await?.json())?;
    let judged = history::judge(&heads, &Ties { links: vec![link], tree: None });
    let entry = first.entry.context("an entry")?.seq;
    let holds = first.vouched && judged.is_one_history() && judged.proved.len() == 1;
    Ok(Shown {
        question: "Can a partner prove its entry, and that the log was not rewritten, with what it received?",
        answer: if holds {
            format!(
                "entry {entry} vouches for its receipt; the log of {} entries begins with that of {}",
                sizes[1], sizes[0]
            )
        } else {
            format!("NOT proved: {:?}", judged.contradictions)
        },
        holds,
    })
}

/// A backup, made while the gateway runs.
pub(super) async fn back_up(cast: &Cast) -> anyhow::Result<PathBuf> {
    let app = cast.app();
    let folder = cast.config_path().parent().context("a folder")?;
    let why = backup::Why { actor: Actor::local(), reason: "exercise" };
    let keys = backup::Keys::load(&app.config)?;
    let made = backup::make(app, &keys, &folder.join("demo.backup"), &why, &mut |_| {}).await?;
    Ok(made.path)
}

/// The disk is lost, the backup put in its place, and the gateway started; then a trust shows the
/// checkpoint it kept. After that the real data comes back.
pub(super) async fn restored(
    cast: Cast,
    (backup, kept): (&Path, &str),
) -> anyhow::Result<(Cast, Shown)> {
    let had = cast.app().log_size().await?;
    let seams = (Arc::clone(&cast.app().clock), Arc::clone(&cast.app().entropy));
    let (data, aside) = folders(cast.config_path())?;
    let stage = cast.fall().await;
    std::fs::rename(&data, &aside)?;
    let config = Config::load(stage.config_path())?;
    let keys = backup::Keys::load(&config)?;
    backup::restore(backup, &config, &keys, seams, &mut |_| {}).await?;
    let cast = Cast::rise(stage).await?;
    let (waiting, attempted) = waits(&cast).await?;
    let trust = cast.trust(Trust::Acute);
    let path = "/v1/audit/checkpoints";
    let shown = trust.post(path, "text/plain", "kept-1", kept.to_owned()).await?.json();
    let found = cast.app().store.unconfirmed_restore().await?;
    let stage = cast.fall().await;
    std::fs::remove_dir_all(&data)?;
    std::fs::rename(&aside, &data)?;
    let cast = Cast::rise(stage).await?;
    let serves = cast.app().store.unconfirmed_restore().await?.is_none();
    let lost = found.as_ref().map(|found| found.lost_size);
    let answer = format!(
        "held from its first moment: of {waiting} deliveries that wait, {attempted} are sent; a trust's checkpoint tells that of {had} entries at least {} were lost",
        lost.unwrap_or_default().saturating_sub(found.as_ref().map_or(0, |found| found.own_size))
    );
    let holds = shown["held"] == true && waiting > 0 && attempted == 0 && serves;
    let answer = if holds { answer } else { format!("NOT held: {shown}, {answer}") };
    Ok((
        cast,
        Shown {
            question: "What if an older backup is put in the database's place?",
            answer,
            holds,
        },
    ))
}

/// Where the data of a configuration is, and where it waits while something else is in its place.
fn folders(config: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let folder = config.parent().context("a folder")?;
    Ok((folder.join("data"), folder.join("data-aside")))
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

/// Longer than the worker waits before it looks for what is due.
const WORKERS_TIME: Duration = Duration::from_millis(1_200);
/// Deliveries, and newest entries, that are looked at.
const LOOKED_AT: u32 = 200;
