//! `board`, `record journey` and `config check`: looking without changing.

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::civil::Date;
use schemas::{OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::board::{Labels, Line};
use crate::config::Config;
use crate::queue::LegState;
use crate::store::BoardFilter;
use crate::telemetry::name_of;

/// Arguments of `board`.
#[derive(Debug, Args)]
pub(super) struct BoardArgs {
    #[command(flatten)]
    configured: Configured,
    /// Only legs that still owe an answer.
    #[arg(long)]
    open: bool,
    /// Only what this authority asked.
    #[arg(long, value_name = "CODE")]
    authority: Option<String>,
    /// Only what this organisation owes.
    #[arg(long, value_name = "CODE")]
    organisation: Option<String>,
    /// Only of this service.
    #[arg(long, value_name = "CODE")]
    service: Option<String>,
    /// Only in this state, for example waiting, exception, answered or nil.
    #[arg(long, value_parser = state)]
    state: Option<LegState>,
    /// Only due by law on this day or later.
    #[arg(long, value_name = "DATE")]
    due_from: Option<Date>,
    /// Only due by law on this day or earlier.
    #[arg(long, value_name = "DATE")]
    due_until: Option<Date>,
    /// At most this many lines.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    limit: u32,
}

/// Commands about one record.
#[derive(Debug, Subcommand)]
pub(super) enum RecordCommand {
    /// What happened to a record, step by step.
    Journey {
        #[command(flatten)]
        configured: Configured,
        /// The record's id, from the receipt or the board.
        record: Uuid,
    },
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the configuration and every file it names, and say what is wrong with them.
    Check {
        #[command(flatten)]
        configured: Configured,
    },
}

pub(super) async fn board(args: &BoardArgs, json: bool) -> anyhow::Result<Outcome> {
    let parse = |text: &Option<String>| {
        text.as_deref().map(OrganisationCode::parse).transpose().context("not an organisation code")
    };
    let filter = BoardFilter {
        sender: parse(&args.authority)?,
        recipient: parse(&args.organisation)?,
        open_only: args.open,
        service: args.service.as_deref().map(ServiceCode::parse).transpose()?,
        state: args.state,
        due_from: args.due_from,
        due_until: args.due_until,
        ..BoardFilter::default()
    };
    let app = super::serve::open_existing(&args.configured).await?;
    let lines =
        crate::board::lines(&app, (&filter, Labels::Shown), None, args.limit, &app.operator())
            .await?;
    app.store.close().await;
    let overdue = lines.iter().filter(|line| line.overdue).count();
    if json {
        let body = serde_json::json!({
            "today": app.clock.today(), "overdue": overdue, "legs": lines,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&board_table(&lines));
        eprintln_line(&format!("{} legs, {overdue} overdue.", lines.len()));
    }
    Ok(if overdue > 0 { Outcome::Found } else { Outcome::Done })
}

/// A state by its name.
fn state(name: &str) -> Result<LegState, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .or(Err("not a state of a leg; look at the board for their names".to_owned()))
}

/// The board for reading: words first, dates as people write them.
pub(super) fn board_table(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| {
        let due = line.expected_on.unwrap_or(line.statutory_due);
        let left = match (line.days_left, line.overdue) {
            (Some(days), true) => format!("overdue by {} days", -days),
            (Some(0), false) => "due today".to_owned(),
            (Some(days), false) => format!("{days} days left"),
            (None, _) => line
                .answered_on
                .as_ref()
                .map_or_else(|| "-".to_owned(), |on| format!("answered {}", written(*on))),
        };
        vec![
            line.case.clone(),
            line.service.to_string(),
            format!("{} ({})", line.organisation_name, line.organisation),
            written(line.received_on),
            line.alternative_due.filter(|_| line.expected_on.is_none()).map_or_else(
                || written(due),
                |other| format!("{} (or {})", written(due), written(other)),
            ),
            name_of(line.state),
            name_of(line.standing),
            left,
        ]
    });
    let header = ["case", "service", "asked of", "received", "due", "state", "standing", "when"];
    table(&header, rows)
}

/// A date as people write it: 5 March 2026.
fn written(date: Date) -> String {
    date.strftime("%-d %B %Y").to_string()
}

pub(super) async fn record(command: &RecordCommand, json: bool) -> anyhow::Result<Outcome> {
    let RecordCommand::Journey { configured, record } = command;
    let app = super::serve::open_existing(configured).await?;
    let journey = crate::journey::of_record(&app, RecordId(*record), None, &app.operator()).await?;
    app.store.close().await;
    let Some(journey) = journey else {
        eprintln_line("error: there is no record with this id; the board and receipts show ids");
        return Ok(Outcome::NotFound);
    };
    if json {
        print_line(&serde_json::to_string_pretty(&journey)?);
        return Ok(Outcome::Done);
    }
    let rows = journey.steps.iter().map(|step| {
        let decided = step.decision.as_ref();
        vec![
            step.entry.to_string(),
            step.at.get(..19).unwrap_or(&step.at).replace('T', " "),
            name_of(step.event),
            step.by.clone(),
            step.counterparty.as_ref().map(ToString::to_string).unwrap_or_default(),
            decided.map_or_else(
                || {
                    let said = step.detail.iter().map(|(name, value)| format!("{name}: {value}"));
                    said.collect::<Vec<_>>().join("; ")
                },
                |d| format!("{} ({}): {}", d.outcome, d.rule, d.reason),
            ),
        ]
    });
    print_line(&format!("{} from {}", journey.message_type, journey.sender));
    print_line(&table(&["entry", "when (UTC)", "what", "by", "with", "decision or detail"], rows));
    Ok(Outcome::Done)
}

pub(super) fn config(command: &ConfigCommand, json: bool) -> anyhow::Result<Outcome> {
    let ConfigCommand::Check { configured } = command;
    let config = Config::load(&configured.config)?;
    let findings = crate::app::check_files(&config);
    if json {
        let body = serde_json::json!({ "ok": findings.is_empty(), "findings": findings });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else if findings.is_empty() {
        print_line(&format!("{}: every file it names can be read.", configured.config.display()));
    } else {
        for finding in &findings {
            print_line(finding);
        }
    }
    Ok(if findings.is_empty() { Outcome::Done } else { Outcome::InputRefused })
}
