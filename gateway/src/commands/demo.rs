//! `demo`: the product in one command, with made-up children, on loopback only.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

mod evidence;
mod judgement;
mod story;
mod trusts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Outcome, eprintln_line, print_line, show, table};
use crate::audit::Actor;
use crate::board::{Labels, Line};
use crate::clock::ShiftedClock;
use crate::practice::{Cast, Plan, Stage, StorePlan};
use crate::queue::DeliveryState;
use crate::store::BoardFilter;
use crate::verification;
use judgement::afterwards;
use story::Seen;
use trusts::Feeds;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End after the story instead of staying up to be looked at.
    #[arg(long)]
    exit: bool,
    /// Keep the files (certificates, database, configuration) in this folder.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

pub(super) async fn demo(args: &DemoArgs, json: bool) -> anyhow::Result<Outcome> {
    let folder = Folder::make(args.keep.as_deref())?;
    let tell = |line: &str| eprintln_line(&format!("  {line}"));
    eprintln_line("EHC Gateway demo: made-up people, real mutual TLS, loopback only.");
    let clock = Arc::new(ShiftedClock::new(SignedDuration::from_hours(-24 * story::DAYS)));
    let plan = Plan {
        dir: folder.path.clone(),
        store: StorePlan::Sqlite,
        clock: Arc::<ShiftedClock>::clone(&clock),
    };
    let (cast, feeds) =
        Box::pin(Feeds::rise(Stage::set(plan)?, Arc::<ShiftedClock>::clone(&clock))).await?;
    tell(&format!("Certificates are minted; the gateway serves on {}.", cast.address()));
    let seen = story::play(&cast, &feeds, &clock, tell).await?;
    let mut judged = judgement::at_admission(&cast, tell).await?;
    judged.extend(judgement::by_two_people(&cast, tell).await?);
    judged.push(afterwards::withdrawn(&cast, tell).await?);
    judged.extend(afterwards::overdue_excused_and_nil(&cast).await?);
    judged.push(afterwards::recalled(&cast, tell).await?);
    judged.push(afterwards::reconciled(&cast, &clock, tell).await?);
    let (all, me) = (BoardFilter::default(), Actor::local());
    let lines = crate::board::lines(cast.app(), (&all, Labels::Shown), None, 500, &me).await?;
    judged.push(afterwards::decisions_pass_on(&cast, &clock, tell).await?);
    let mut summary = prove(&cast, &folder.path, (&seen, &lines), tell).await?;
    let (mut shown, who_saw) = evidence::who_saw(&cast).await?;
    shown.push(evidence::partner_proves(&cast, &seen.receipt).await?);
    cast.wait_until_idle(judgement::PATIENCE).await;
    let after = (seen.backup.as_path(), seen.checkpoint.as_str());
    let (cast, caught) = Box::pin(evidence::restored(cast, after)).await?;
    shown.push(caught);
    let held = shown.iter().all(evidence::Shown::holds);
    let intended = summary["as_intended"] == true && judgement::intended(&judged) && held;
    summary["as_intended"] = intended.into();
    summary["decisions"] = judged.iter().map(judgement::Judged::json).collect();
    summary["evidence"] = shown.iter().map(evidence::Shown::json).collect();
    if json {
        print_line(&format!("{summary:#}"));
    } else {
        print_line(&format!("\nWhat was decided, and why:\n\n{}", judgement::table_of(&judged)));
        print_line(&format!("\nThe board, seven weeks later:\n\n{}", show::board_table(&lines)));
        print_line(&format!("\nWho saw one child's record, newest first:\n\n{who_saw}"));
        print_line(&format!("\nWhat the log answers:\n\n{}", evidence::table_of(&shown)));
        print_line(&format!("\n{}\n", summary_table(&summary)));
    }
    if !args.exit {
        print_line(&look_at_this(&cast, &feeds, &seen));
        eprintln_line("\nDemo: made-up data. Staying up; Ctrl-C ends it.");
        super::serve::told_to_stop().await;
    }
    cast.fall().await;
    feeds.fall().await;
    Ok(if intended { Outcome::Done } else { Outcome::Failed })
}

/// Verifies the log, alters a copy of it, and verifies that.
async fn prove(
    cast: &Cast,
    folder: &Path,
    (seen, lines): (&Seen, &[Line]),
    tell: impl Fn(&str),
) -> anyhow::Result<Value> {
    let app = cast.app();
    let kept = [seen.checkpoint.clone()];
    let before = verification::of_store(&app.store, &app.log_vkey, &kept, |_| {}).await?;
    tell(&format!(
        "The log verifies: {} entries, {} sealed records, and a checkpoint that a trust kept.",
        before.entries, before.records_checked
    ));
    let copy = folder.join("tampered-copy.db");
    app.store.copy_to(&copy).await?;
    let altered = before.entries / 2;
    flip_a_byte_of(&copy, altered)?;
    let after = cast.verify_copy(&copy, &[&seen.checkpoint]).await?;
    let caught = after.first_bad() == Some(altered);
    tell(&format!(
        "One byte of entry {altered} is flipped in a copy: {}.",
        if caught { "caught, and that entry named" } else { "NOT caught" }
    ));
    let overdue = lines.iter().filter(|line| line.overdue).count();
    // To the end of the story: whatever the gateway sent by itself counts too.
    cast.wait_until_idle(judgement::PATIENCE).await;
    let failed = app.store.deliveries_in(DeliveryState::Failed, None, LOOKED_AT).await?;
    let figures = json!({
        "requests_in": seen.requests_in,
        "rows_quarantined": seen.quarantined,
        "legs": seen.legs,
        "delivered": seen.delivered,
        "answered": seen.answered,
        "withheld": seen.withheld,
        "overdue": overdue,
        "imported_by_authority": seen.collected_by_la,
        "documents": seen.documents,
        "failed": failed.len(),
    });
    let intended = figures == story::intended() && before.is_whole() && caught;
    let mut summary = figures;
    summary["audit_entries"] = before.entries.into();
    summary["verify_before_tampering"] = json!({ "whole": before.is_whole() });
    summary["verify_after_tampering"] = json!({
        "whole": after.is_whole(), "tampered_entry": altered, "first_bad": after.first_bad(),
    });
    summary["as_intended"] = intended.into();
    Ok(summary)
}

/// Flips one bit inside the text of one entry, wherever the copy's file has that entry: a page
/// that was split may keep an old copy of a row.
fn flip_a_byte_of(file: &Path, entry: u64) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(file)?;
    let start = format!("{{\"seq\":{entry},\"at_us\":");
    let windows = bytes.windows(start.len()).enumerate();
    let places: Vec<usize> =
        windows.filter(|(_, window)| *window == start.as_bytes()).map(|(at, _)| at).collect();
    ensure!(!places.is_empty(), "the entry was not found in the copy");
    for at in places {
        let byte = bytes.get_mut(at + start.len()).context("the copy is too short")?;
        *byte ^= 1;
    }
    std::fs::write(file, bytes)?;
    Ok(())
}

fn summary_table(summary: &Value) -> String {
    // Decisions and evidence have tables of their own.
    let figures = summary.as_object().into_iter().flatten().filter(|(_, v)| !v.is_array());
    let rows = figures.map(|(name, value)| {
        let name = name.replace('_', " ");
        vec![name, value.to_string()]
    });
    table(&["what", "figure"], rows)
}

/// What to look at, each with its command.
fn look_at_this(cast: &Cast, feeds: &Feeds, seen: &Seen) -> String {
    let config = cast.config_path().display();
    let folder = cast.config_path().parent().unwrap_or_else(|| Path::new("."));
    let pki = folder.join("pki");
    let record = seen.records.first().cloned().unwrap_or_default();
    let curl = |name: &str, path: &str| {
        format!(
            "curl --cacert {0}/authority/certificate.pem --cert {0}/partners/{name}/certificate.pem --key {0}/partners/{name}/key.pem -H 'EHC-Acting-User: me' https://{1}{path}",
            pki.display(),
            cast.address(),
        )
    };
    let rows = [
        ("the board: who owes what by when", format!("cargo run -- board -c {config}")),
        (
            "one record's journey, with every decision",
            format!("cargo run -- record journey -c {config} {record}"),
        ),
        ("the proof that nothing was altered", format!("cargo run -- audit verify -c {config}")),
        ("the board as the authority's system gets it", curl("authority-334", "/v1/board")),
        ("the board as one trust gets it", curl("trust-rrk", "/v1/board")),
        (
            "an answer as the authority's import job finds it",
            format!("ls -R {}", feeds.drop.display()),
        ),
        ("what the gateway speaks in FHIR", curl("trust-ryw", "/fhir/metadata")),
        ("what the auditor reads", curl("auditor-qhl", "/v1/audit/entries")),
        (
            "what a certificate nobody pinned gets: nothing",
            format!(
                "curl -v --cacert {0}/authority/certificate.pem --cert {0}/villains/unknown-key/certificate.pem --key {0}/villains/unknown-key/key.pem https://{1}/v1/board",
                pki.display(),
                cast.address()
            ),
        ),
        ("metrics", format!("curl http://{}/metrics", cast.admin_address())),
    ];
    let rows = rows.into_iter().map(|(what, command)| format!("{what}\n    {command}"));
    format!("Look at this:\n\n{}", rows.collect::<Vec<_>>().join("\n\n"))
}

/// The demo's folder: kept where the caller says, or removed at the end.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: Option<&Path>) -> anyhow::Result<Self> {
        let temporary =
            || std::env::temp_dir().join(format!("ehc-gateway-demo-{}", std::process::id()));
        let path = keep.map_or_else(temporary, Path::to_owned);
        let empty = std::fs::read_dir(&path).map_or(true, |mut entries| entries.next().is_none());
        ensure!(empty, "{} is not empty; name a new folder", path.display());
        std::fs::create_dir_all(&path)
            .with_context(|| format!("{} could not be made", path.display()))?;
        let path = path.canonicalize()?;
        Ok(Self { path, keep: keep.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

/// Failed deliveries that are looked for.
const LOOKED_AT: u32 = 100;
