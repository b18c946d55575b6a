//! `consents`: a person's ledger, and what a decision would do, at the machine itself.
//!
//! Whose ledger it is comes on standard input: a command line is seen by everybody on the machine
//! and kept by shells.

use std::io::Read as _;
use std::path::PathBuf;

use adapters::Format;
use anyhow::Context;
use clap::Subcommand;
use schemas::{NhsNumber, OrganisationCode, PersonalBytes};

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::authority::ConsentEntry;
use crate::pipeline::{self, Effect, RawMessage, Sender};
use crate::store::Change;
use crate::telemetry::name_of;

/// Commands about agreement to share.
#[derive(Debug, Subcommand)]
pub(super) enum ConsentsCommand {
    /// The newest decision of each kind; the person's NHS number on standard input.
    Show {
        #[command(flatten)]
        configured: Configured,
    },
    /// Every decision ever recorded; the person's NHS number on standard input.
    History {
        #[command(flatten)]
        configured: Configured,
    },
    /// What recording a decision would stop, what goes on, and what has gone to whom. Nothing is
    /// recorded.
    Preview {
        #[command(flatten)]
        configured: Configured,
        /// The decision as a message in JSON, as it would be sent.
        file: PathBuf,
        /// The organisation that would record it.
        #[arg(long = "as", value_name = "CODE")]
        organisation: String,
    },
}

pub(super) async fn consents(command: &ConsentsCommand, json: bool) -> anyhow::Result<Outcome> {
    let (configured, all) = match command {
        ConsentsCommand::Show { configured } => (configured, false),
        ConsentsCommand::History { configured } => (configured, true),
        ConsentsCommand::Preview { configured, file, organisation } => {
            let bytes = std::fs::read(file)
                .with_context(|| format!("{} could not be read", file.display()))?;
            let app = super::serve::open_existing(configured).await?;
            let previewed = preview(&app, organisation, bytes, json).await;
            app.store.close().await;
            return previewed;
        }
    };
    let Ok(number) = NhsNumber::parse(&whose()?) else {
        eprintln_line("error: write one NHS number to standard input");
        return Ok(Outcome::InputRefused);
    };
    let app = super::serve::open_existing(configured).await?;
    let shown = ledger(&app, &number, all, json).await;
    app.store.close().await;
    shown
}

async fn ledger(app: &App, number: &NhsNumber, all: bool, json: bool) -> anyhow::Result<Outcome> {
    let subject = app.vault.pseudonyms().key_of_nhs_number(number);
    let mut entries = app.store.consents_for(subject).await?;
    let mut event =
        Event::new(EventKind::ConsentViewed, app.operator()).with("entries", entries.len());
    event.subject = Some(subject);
    app.store.commit(Change::because(event)).await?;
    if !all {
        let newest = |entry: &ConsentEntry, others: &[ConsentEntry]| {
            let same = others.iter().filter(|other| other.kind == entry.kind);
            same.map(|other| other.version).max() == Some(entry.version)
        };
        let every = entries.clone();
        entries.retain(|entry| newest(entry, &every));
    }
    if entries.is_empty() {
        eprintln_line("Nothing is recorded of agreement to share about this person.");
        return Ok(Outcome::NotFound);
    }
    if json {
        print_line(&serde_json::to_string_pretty(&serde_json::json!({ "consents": entries }))?);
        return Ok(Outcome::Done);
    }
    let rows = entries.iter().map(|entry| {
        let date = |day: Option<jiff::civil::Date>| day.map(|d| d.to_string()).unwrap_or_default();
        vec![
            entry.version.to_string(),
            name_of(entry.kind),
            name_of(entry.status),
            entry.given_by.map(name_of).unwrap_or_default(),
            date(entry.decided_on),
            date(entry.expires_on),
            entry.recorded_by.to_string(),
            entry.recorded_at.strftime("%Y-%m-%d %H:%M").to_string(),
        ]
    });
    let header =
        ["version", "about", "decision", "by", "decided", "until", "recorded by", "when (UTC)"];
    print_line(&table(&header, rows));
    Ok(Outcome::Done)
}

async fn preview(
    app: &App,
    organisation: &str,
    bytes: Vec<u8>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let organisation = OrganisationCode::parse(organisation)
        .context("--as takes an organisation code, for example 334")?;
    let partner = app.partner(&organisation).context("this organisation is no partner")?;
    let sender = Sender::partner(&partner, app.operator());
    let bytes = PersonalBytes::new(bytes);
    let raw = RawMessage { format: Format::Json, mapping: None, bytes, key: String::new() };
    match pipeline::preview(app, &sender, raw).await? {
        Ok(effect) if json => print_line(&serde_json::to_string_pretty(&effect)?),
        Ok(effect) => print_line(&effect_text(&effect)),
        Err(issues) => {
            for issue in issues {
                eprintln_line(&issue.to_string());
            }
            return Ok(Outcome::InputRefused);
        }
    }
    Ok(Outcome::Done)
}

/// What a decision would do, for reading.
fn effect_text(effect: &Effect) -> String {
    let open = effect.open.iter().map(|item| {
        vec![
            item.message_type.to_string(),
            item.recipient.to_string(),
            name_of(item.now),
            item.then.to_owned(),
            item.reason.clone(),
        ]
    });
    let gone = effect.disclosed.iter().map(|one| {
        vec![
            one.message_type.to_string(),
            one.recipient.to_string(),
            one.at.strftime("%Y-%m-%d %H:%M").to_string(),
            one.authority.clone().unwrap_or_default(),
            if one.told { "is told" } else { "is not told" }.to_owned(),
        ]
    });
    format!(
        "On its way:\n{}\n\nGone already, and not called back:\n{}\n\nOf other organisations: {}.\nConfirm with If-Match: {}",
        table(&["message", "to", "now", "then", "why"], open),
        table(&["message", "to", "when (UTC)", "authority", "withdrawal"], gone),
        effect.of_others,
        effect.etag,
    )
}

/// The line that says whose record it is: an NHS number, or an id of an organisation's own.
pub(super) fn whose() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(NUMBER_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// An NHS number, its spaces and a line end.
const NUMBER_BYTES_MAX: u64 = 64;
