//! `import`: load an extract as the local authority, through its mapping.

use std::path::PathBuf;

use adapters::Format;
use anyhow::Context;
use clap::Args;
use schemas::{OrganisationCode, PersonalBytes};
use serde_json::Value;

use super::{Configured, Outcome, eprintln_line, print_line, progress, table};
use crate::app::App;
use crate::audit::Actor;
use crate::peer::Role;
use crate::pipeline::{self, RawMessage, ReceiveError, Sender};
use crate::receipt::{RowOutcome, RowResult};
use crate::store::StoreError;
use crate::telemetry::name_of;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    configured: Configured,
    /// The extract to load.
    file: PathBuf,
    /// The organisation whose extract it is.
    #[arg(long = "as", value_name = "CODE")]
    organisation: String,
    /// The mapping to read it with; the organisation's own when none is named.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Say what would happen and commit nothing.
    #[arg(long)]
    dry_run: bool,
    /// The key that makes a repeated import harmless; the file's hash when none is given.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

pub(super) async fn import(args: &ImportArgs, json: bool) -> anyhow::Result<Outcome> {
    let organisation = OrganisationCode::parse(&args.organisation)
        .context("--as takes an organisation code, for example 334")?;
    let bar = progress(3, "reading the extract");
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("the extract {} could not be read", args.file.display()))?;
    bar.inc(1);
    let app = super::serve::open(&args.configured).await?;
    let partner = app.partner(&organisation);
    let partner = partner.with_context(|| {
        format!("{organisation} is not in the partners file; add it before importing for it")
    })?;
    let roles: Vec<Role> = partner.roles.iter().copied().collect();
    let actor = Actor { organisation: organisation.to_string(), ..Actor::local() };
    let sender = Sender { organisation, roles, actor };
    let key = args.key.clone().unwrap_or_else(|| crate::entropy::sha256_hex(&bytes));
    let raw = RawMessage {
        format: Format::Csv,
        mapping: args.mapping.clone(),
        bytes: PersonalBytes::new(bytes),
        key,
    };
    bar.set_message("checking every row");
    bar.inc(1);
    let outcome = if args.dry_run {
        rehearse(&app, &sender, raw, json).await
    } else {
        load(&app, &sender, raw, json).await
    };
    bar.finish_and_clear();
    app.store.close().await;
    outcome
}

async fn rehearse(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
    json: bool,
) -> anyhow::Result<Outcome> {
    let preview = match pipeline::rehearse(app, sender, raw).await {
        Ok(preview) => preview,
        Err(error) => return refused(error, json),
    };
    if json {
        print_line(&serde_json::to_string_pretty(&preview)?);
    } else {
        show_rows(&preview.rows);
        eprintln_line(&format!(
            "Dry run: {} would be accepted, {} are known already, {} would be quarantined. Nothing was stored.",
            preview.accepted, preview.unchanged, preview.quarantined
        ));
    }
    Ok(if preview.quarantined > 0 { Outcome::InputRefused } else { Outcome::Done })
}

async fn load(app: &App, sender: &Sender, raw: RawMessage, json: bool) -> anyhow::Result<Outcome> {
    let answer = match pipeline::receive(app, sender, raw).await {
        Ok(answer) => answer,
        Err(error) => return refused(error, json),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let rows: Vec<RowOutcome> = body
        .get("rows")
        .cloned()
        .map(serde_json::from_value)
        .and_then(Result::ok)
        .unwrap_or_default();
    if json {
        print_line(&body.to_string());
    } else if answer.status >= 400 {
        eprintln_line(&format!(
            "error: {}",
            body.get("detail").and_then(Value::as_str).unwrap_or_default()
        ));
    } else {
        show_rows(&rows);
        let again = if answer.replayed {
            "This file was imported before; nothing was done again. "
        } else {
            ""
        };
        eprintln_line(&format!(
            "{again}{} rows, {} quarantined. Submission {}, log entry {}.",
            rows.len(),
            quarantined(&rows),
            answer.submission,
            answer.entry.unwrap_or_default()
        ));
    }
    let refused = answer.status >= 400 || quarantined(&rows) > 0;
    Ok(if refused { Outcome::InputRefused } else { Outcome::Done })
}

/// Input that cannot be used is the caller's to put right; a busy store is worth another try.
fn refused(error: ReceiveError, json: bool) -> anyhow::Result<Outcome> {
    let (outcome, code) = match &error {
        ReceiveError::Unreadable(_) => (Outcome::InputRefused, "malformed-message"),
        ReceiveError::UnknownMapping => (Outcome::InputRefused, "unknown-mapping"),
        ReceiveError::KeyReused => (Outcome::InputRefused, "idempotency-key-reused"),
        ReceiveError::InProgress | ReceiveError::Store(StoreError::Unavailable(_)) => {
            (Outcome::TryAgain, "temporarily-unavailable")
        }
        ReceiveError::Store(_)
        | ReceiveError::Vault(_)
        | ReceiveError::Entropy(_)
        | ReceiveError::Ours(_) => return Err(error.into()),
    };
    let text = crate::telemetry::chain(&error);
    if json {
        print_line(&serde_json::json!({ "code": code, "detail": text }).to_string());
    }
    eprintln_line(&format!("error: {text}"));
    Ok(outcome)
}

fn quarantined(rows: &[RowOutcome]) -> usize {
    rows.iter().filter(|row| row.outcome == RowResult::Quarantined).count()
}

fn show_rows(rows: &[RowOutcome]) {
    let lines = rows.iter().map(|row| {
        let legs: Vec<String> = row
            .legs
            .iter()
            .map(|leg| {
                let service = leg.service.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{service} to {} ({})", leg.recipient, leg.outcome)
            })
            .collect();
        vec![row.place.to_string(), name_of(row.outcome), legs.join(", ")]
    });
    print_line(&table(&["where", "outcome", "asked"], lines));
    for issue in rows.iter().flat_map(|row| &row.issues) {
        print_line(&format!("  {issue}"));
    }
}
