//! `retention`: what is due for removal, what keeps it, removing it, and the certificates.
//!
//! Legal holds are placed and lifted over HTTPS, where an organisation vouches for who somebody is;
//! here they are looked at.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::retention::{self, Plan, RetentionError, certificate, legal};
use crate::store::{Change, Notice};
use crate::telemetry::name_of;

/// Commands about retention.
#[derive(Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// What is due for removal under the schedule, and what keeps some of it.
    Due {
        #[command(flatten)]
        configured: Configured,
        /// Look this many days ahead.
        #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=3660))]
        within: u16,
    },
    /// Remove what is due now, with its keys, and sign certificates of it.
    Run(RunArgs),
    /// The schedule in force: how long each class is kept, and why.
    Schedule {
        #[command(flatten)]
        configured: Configured,
    },
    /// Legal holds: what they are on, why, who placed and who lifted them.
    Holds {
        #[command(flatten)]
        configured: Configured,
    },
    /// Print a signed certificate of deletion; without an id, list them.
    Certificate {
        #[command(flatten)]
        configured: Configured,
        /// The certificate's id.
        certificate: Option<Uuid>,
    },
    /// Check a certificate of deletion with nothing but the log's public key.
    Verify {
        /// The file that holds the certificate.
        file: PathBuf,
        /// The log's public key (vkey), as `audit keys` prints it.
        #[arg(long, value_name = "VKEY")]
        key: String,
    },
}

/// Arguments of `retention run`: one of the two must be said.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "how")]
pub(super) struct RunHow {
    /// Say what would be removed and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove it. It cannot be brought back.
    #[arg(long)]
    confirm: bool,
}

/// Arguments of `retention run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    how: RunHow,
}

pub(super) async fn retention(command: &RetentionCommand, json: bool) -> anyhow::Result<Outcome> {
    let configured = match command {
        RetentionCommand::Verify { file, key } => return verify(file, key, json),
        RetentionCommand::Run(args) => &args.configured,
        RetentionCommand::Due { configured, .. }
        | RetentionCommand::Schedule { configured }
        | RetentionCommand::Holds { configured }
        | RetentionCommand::Certificate { configured, .. } => configured,
    };
    let app = super::serve::open_existing(configured).await?;
    let outcome = match command {
        RetentionCommand::Due { within, .. } => due(&app, *within, json).await,
        RetentionCommand::Run(args) if args.how.confirm => run(&app, json).await,
        RetentionCommand::Run(_) => due(&app, 0, json).await,
        RetentionCommand::Schedule { .. } => Ok(schedule(&app, json)),
        RetentionCommand::Holds { .. } => holds(&app, json).await,
        RetentionCommand::Certificate { certificate: Some(id), .. } => show(&app, *id, json).await,
        RetentionCommand::Certificate { .. } => list(&app, json).await,
        RetentionCommand::Verify { .. } => Ok(Outcome::Failed),
    };
    app.store.close().await;
    outcome
}

async fn due(app: &App, within: u16, json: bool) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let until = now.checked_add(SignedDuration::from_hours(24 * i64::from(within)))?;
    let plan = retention::look(app, until, &app.operator()).await?;
    if json {
        let document = retention::document(app, &plan, until);
        print_line(&serde_json::to_string_pretty(&document)?);
        return Ok(Outcome::Done);
    }
    print_line(&items_table(&plan));
    let rows = plan.by_class().into_iter();
    let rows = rows
        .map(|(class, (goes, kept))| vec![class.to_owned(), goes.to_string(), kept.to_string()]);
    print_line(&table(&["class", "goes", "is kept"], rows));
    for (code, count) in plan.kept() {
        eprintln_line(&format!("{count} kept by {code}: {}.", retention::words_of(code)));
    }
    if plan.more {
        eprintln_line("There is more than this; a run goes on until nothing is left.");
    }
    let goes = plan.items.iter().filter(|item| item.kept_by.is_none()).count();
    eprintln_line(&format!(
        "{goes} go when `retention run --confirm` runs{}. Nothing was removed.",
        if app.config.retention.enabled { ", or each day by itself" } else { "" }
    ));
    Ok(Outcome::Done)
}

fn items_table(plan: &Plan) -> String {
    let rows = plan.items.iter().take(SHOWN_MAX).map(|item| {
        vec![
            item.what.as_str().to_owned(),
            item.item.to_string(),
            item.class.as_str().to_owned(),
            item.of.to_string(),
            crate::clock::london_date(item.due_at).to_string(),
            item.kept_by.unwrap_or("goes").to_owned(),
        ]
    });
    table(&["what", "reference", "class", "of", "due", "kept by"], rows)
}

async fn run(app: &App, json: bool) -> anyhow::Result<Outcome> {
    let ran = match retention::run(app, &app.operator()).await {
        Ok(ran) => ran,
        Err(error @ RetentionError::Restored) => {
            if json {
                let body = serde_json::json!({
                    "code": "held-after-restore", "detail": error.to_string(),
                });
                print_line(&body.to_string());
            }
            eprintln_line(&format!("error: {error}."));
            return Ok(Outcome::InputRefused);
        }
        Err(error) => return Err(error.into()),
    };
    if ran.removed == 0 && ran.certificates.is_empty() {
        Notice::current().say_nothing_was_done();
    }
    if json {
        print_line(&serde_json::to_string_pretty(&ran)?);
    } else {
        let rows =
            ran.by_class.iter().map(|(class, count)| vec![(*class).to_owned(), count.to_string()]);
        print_line(&table(&["class", "removed"], rows));
        for id in &ran.certificates {
            print_line(&format!("certificate {id}"));
        }
        for (code, count) in &ran.kept {
            eprintln_line(&format!("{count} kept by {code}: {}.", retention::words_of(code)));
        }
    }
    if app.store.engine_name() == "sqlite" && !ran.freed {
        eprintln_line(
            "The journal could not be emptied because somebody reads it: what was freed may still \
             be in it. Run this again.",
        );
        return Ok(Outcome::TryAgain);
    }
    if ran.segments_left > 0 {
        eprintln_line("Segments of removed documents are left, without their key. Run this again.");
        return Ok(Outcome::TryAgain);
    }
    Ok(Outcome::Done)
}

fn schedule(app: &App, json: bool) -> Outcome {
    if json {
        let classes = app.schedule.document();
        let body = serde_json::json!({ "version": app.schedule.version(), "classes": classes });
        print_line(&format!("{body:#}"));
        return Outcome::Done;
    }
    let rows = app.schedule.iter().map(|(class, rule)| {
        vec![
            class.as_str().to_owned(),
            rule.period.to_string(),
            class.start().to_owned(),
            name_of(class.deleted_by()),
            rule.holds.clone(),
        ]
    });
    print_line(&table(&["class", "kept", "from", "deleted by", "what"], rows));
    eprintln_line(&format!("Version {}.", app.schedule.version()));
    Outcome::Done
}

async fn holds(app: &App, json: bool) -> anyhow::Result<Outcome> {
    let lines = legal::lines(app, &app.operator()).await?;
    let in_force = lines.iter().filter(|line| line.in_force).count();
    if json {
        let body = serde_json::json!({ "legal_holds": lines, "in_force": in_force });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        let rows = lines.iter().map(|line| {
            vec![
                line.id.to_string(),
                name_of(line.scope),
                line.records.map_or_else(String::new, |records| records.to_string()),
                line.reason.clone(),
                line.reference.clone(),
                line.placed_at.to_string(),
                line.placed_for.to_string(),
                line.lifted_at.map_or_else(|| "IN FORCE".to_owned(), |at| at.to_string()),
            ]
        });
        print_line(&table(
            &["legal hold", "on", "records", "reason", "reference", "placed", "by", "lifted"],
            rows,
        ));
        eprintln_line(&format!("{in_force} legal holds are in force."));
    }
    Ok(Outcome::Done)
}

async fn list(app: &App, json: bool) -> anyhow::Result<Outcome> {
    let found = app.store.deletion_certificates(500).await?;
    viewed(app, "certificates", found.len()).await?;
    if json {
        let lines = found.iter().map(|one| {
            serde_json::json!({ "certificate": one.id, "made_at": one.made_at, "items": one.items })
        });
        let body = serde_json::json!({ "certificates": lines.collect::<Vec<_>>() });
        print_line(&format!("{body:#}"));
    } else {
        let rows = found
            .iter()
            .map(|one| vec![one.id.to_string(), one.made_at.to_string(), one.items.to_string()]);
        print_line(&table(&["certificate", "made", "things"], rows));
    }
    Ok(Outcome::Done)
}

async fn show(app: &App, id: Uuid, json: bool) -> anyhow::Result<Outcome> {
    let Some(found) = app.store.deletion_certificate(id).await? else {
        eprintln_line("error: there is no certificate with this id");
        return Ok(Outcome::NotFound);
    };
    viewed(app, "certificate", 1).await?;
    if json {
        let body = certificate::verify(&found.certificate, &app.log_vkey)?;
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&found.certificate);
    }
    Ok(Outcome::Done)
}

async fn viewed(app: &App, what: &str, rows: usize) -> anyhow::Result<()> {
    let event = Event::new(EventKind::RetentionViewed, app.operator())
        .with("what", what)
        .with("rows", rows);
    app.store.commit(Change::because(event)).await?;
    Ok(())
}

/// Without the gateway, its store, or any of its keys but the public one.
fn verify(file: &PathBuf, key: &str, json: bool) -> anyhow::Result<Outcome> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let found = match certificate::verify(&text, key) {
        Ok(found) => found,
        Err(error) => {
            if json {
                let body = serde_json::json!({ "proved": false, "detail": error.to_string() });
                print_line(&body.to_string());
            }
            eprintln_line(&format!("error: the certificate does NOT hold: {error}"));
            return Ok(Outcome::Found);
        }
    };
    if json {
        let body = serde_json::json!({
            "proved": true, "certificate": found.sub, "log": found.iss, "counts": found.counts,
            "schedule": found.schedule,
        });
        print_line(&format!("{body:#}"));
        return Ok(Outcome::Done);
    }
    let rows = found.counts.iter().map(|(class, count)| vec![class.clone(), count.to_string()]);
    print_line(&table(&["class", "removed"], rows));
    print_line(&format!(
        "Proved: {} says, at places in its log that cannot be changed any more, that it destroyed \
         these {} sealed things with their keys, under {}.",
        found.iss,
        found.removed.len(),
        found.schedule.iter().cloned().collect::<Vec<_>>().join(", ")
    ));
    print_line("Not proved: that no copy is elsewhere, for example in a backup.");
    Ok(Outcome::Done)
}

/// Items listed for reading; `--json` has them all.
const SHOWN_MAX: usize = 200;
