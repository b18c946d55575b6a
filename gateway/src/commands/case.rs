//! `case show`: the messages of a case. Never asked for by its reference: command lines are kept.

use clap::Subcommand;
use schemas::RecordId;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::cases::{self, Wanted};
use crate::queue::CaseId;
use crate::telemetry::name_of;

/// Commands about cases.
#[derive(Debug, Subcommand)]
pub(super) enum CaseCommand {
    /// The messages that belong to a case, oldest first.
    Show {
        #[command(flatten)]
        configured: Configured,
        /// The case's id.
        #[arg(required_unless_present = "record", conflicts_with = "record")]
        case: Option<Uuid>,
        /// A record of the case, from a receipt or the board.
        #[arg(long, value_name = "RECORD")]
        record: Option<Uuid>,
    },
}

pub(super) async fn case(command: &CaseCommand, json: bool) -> anyhow::Result<Outcome> {
    let CaseCommand::Show { configured, case, record } = command;
    let app = super::serve::open_existing(configured).await?;
    let id = match (case, record) {
        (Some(case), _) => Some(CaseId(*case)),
        (None, Some(record)) => cases::find(&app, &Wanted::Record(RecordId(*record)), None).await?,
        (None, None) => None,
    };
    let found = match id {
        Some(id) => cases::of_viewer(&app, id, None, &app.operator()).await?,
        None => None,
    };
    app.store.close().await;
    let Some(found) = found else {
        eprintln_line("error: no message belongs to such a case");
        return Ok(Outcome::NotFound);
    };
    if json {
        print_line(&serde_json::to_string_pretty(&found)?);
        return Ok(Outcome::Done);
    }
    let mut rows = Vec::new();
    for message in &found.messages {
        let start = vec![
            message.accepted_at.to_string(),
            message.kind.to_string(),
            message.from.to_string(),
        ];
        let relation = match (message.superseded_by, message.supersedes, message.recalls) {
            (Some(by), _, _) => format!("superseded by {by}"),
            (None, Some(earlier), _) => format!("supersedes {earlier}"),
            (None, None, Some(taken)) => format!("recalls {taken}"),
            (None, None, None) => String::new(),
        };
        if message.deliveries.is_empty() {
            rows.push(
                [start.clone(), vec![String::new(), String::new(), relation.clone()]].concat(),
            );
        }
        for sent in &message.deliveries {
            let leg = sent.leg.map_or_else(String::new, |leg| format!(", leg {}", name_of(leg)));
            let state = format!("{}{leg}", name_of(sent.state));
            rows.push([start.clone(), vec![sent.to.to_string(), state, relation.clone()]].concat());
        }
    }
    print_line(&table(&["accepted (UTC)", "type", "from", "to", "state", "relation"], rows));
    Ok(Outcome::Done)
}
