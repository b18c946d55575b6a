//! `restore`: what to do when the gateway runs on a restored backup.

use clap::Subcommand;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::restore;
use crate::store::{Restore, StoreError};

/// Commands about a restored backup.
#[derive(Debug, Subcommand)]
pub(super) enum RestoreCommand {
    /// Whether this database is older than what partners hold, and since when.
    Show {
        #[command(flatten)]
        configured: Configured,
    },
    /// Say that the consent ledger has caught up: deliveries go again.
    Confirm {
        #[command(flatten)]
        configured: Configured,
        /// The size that was lost, as `restore show` says it.
        #[arg(long, value_name = "SIZE")]
        size: u64,
        /// Why it is safe.
        #[arg(long, value_name = "REASON", value_parser = clap::builder::PossibleValuesParser::new(restore::REASONS))]
        reason: String,
    },
}

pub(super) async fn restore(command: &RestoreCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        RestoreCommand::Show { configured } => {
            let app = super::serve::open_existing(configured).await?;
            let shown = show(&app, json).await;
            app.store.close().await;
            shown
        }
        RestoreCommand::Confirm { configured, size, reason } => {
            let app = super::serve::open_existing(configured).await?;
            let confirmed = confirm(&app, *size, reason, json).await;
            app.store.close().await;
            confirmed
        }
    }
}

async fn show(app: &App, json: bool) -> anyhow::Result<Outcome> {
    let restores = app.store.restores().await?;
    let held = restores.iter().any(|restore| restore.confirmed_at.is_none());
    if json {
        let lines: Vec<_> = restores.iter().map(line).collect();
        let body = serde_json::json!({
            "held": held, "log_size": app.log_size().await?, "restores": lines,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else if restores.is_empty() {
        print_line("No checkpoint was shown that this database does not know.");
    } else {
        let rows = restores.iter().map(|restore| {
            vec![
                restore.found_at.to_string(),
                restore.own_size.to_string(),
                restore.lost_size.to_string(),
                restore.lost_at.to_string(),
                restore.shown_by.clone(),
                restore.confirmed_at.map_or_else(|| "HELD".to_owned(), |at| at.to_string()),
            ]
        });
        print_line(&table(
            &["found", "own size", "lost size", "of", "shown by", "confirmed"],
            rows,
        ));
    }
    if held {
        eprintln_line(
            "Nothing is released. Have every partner send again the consent decisions it has sent \
             since the backup, then: ehc-gateway restore confirm --size LOST-SIZE --reason REASON",
        );
    }
    Ok(if held { Outcome::Found } else { Outcome::Done })
}

fn line(restore: &Restore) -> serde_json::Value {
    serde_json::json!({
        "found_at": restore.found_at.to_string(),
        "own_size": restore.own_size,
        "lost_size": restore.lost_size,
        "lost_at": restore.lost_at.to_string(),
        "shown_by": restore.shown_by,
        "confirmed_at": restore.confirmed_at.map(|at| at.to_string()),
    })
}

async fn confirm(app: &App, size: u64, reason: &str, json: bool) -> anyhow::Result<Outcome> {
    let Some(reason) = restore::REASONS.into_iter().find(|known| *known == reason) else {
        return Ok(Outcome::InputRefused);
    };
    match restore::confirm(app, &app.operator(), size, reason).await {
        Ok(()) => {
            if json {
                print_line(&serde_json::json!({ "held": false, "lost_size": size }).to_string());
            } else {
                print_line("Confirmed. Deliveries go again, each after authority is asked anew.");
            }
            Ok(Outcome::Done)
        }
        Err(StoreError::Conflict { .. }) => {
            eprintln_line(
                "error: nothing is held at this size; a newer checkpoint may have been shown since: \
                 look again with ehc-gateway restore show",
            );
            Ok(Outcome::NotFound)
        }
        Err(error) => Err(error.into()),
    }
}
