//! `import`: load a file, or a folder with a manifest, as the organisation whose export it is, and
//! report on it row by row.

use std::path::{Path, PathBuf};

use adapters::Format;
use anyhow::Context;
use clap::Args;
use schemas::{OrganisationCode, PersonalBytes};
use serde_json::Value;

use super::extract::{Extract, NoExtract, format_named};
use super::{Configured, Outcome, eprintln_line, print_line, progress, table};
use crate::app::App;
use crate::audit::Actor;
use crate::intake::report::Report;
use crate::peer::Role;
use crate::pipeline::{self, RawMessage, ReceiveError, Sender};
use crate::receipt::{RowOutcome, RowResult};
use crate::store::{Notice, StoreError};
use crate::telemetry::name_of;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    configured: Configured,
    /// The file to load (for tables: .csv, .xlsx, or a set as .zip), or a folder with a
    /// manifest.json.
    file: PathBuf,
    /// How it is written: csv, xlsx, xml, json, fhir, fhir-xml or hl7. By its extension when this
    /// is left out; FHIR has none of its own.
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    format: Option<Format>,
    /// The manifest of the set imported before this one: refuses a set that does not follow it.
    #[arg(long, value_name = "MANIFEST")]
    after: Option<PathBuf>,
    /// The organisation whose file it is.
    #[arg(long = "as", value_name = "CODE")]
    organisation: String,
    /// The mapping to read a table with; the organisation's own when none is named.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Say what would happen and commit nothing.
    #[arg(long)]
    dry_run: bool,
    /// The key that makes a repeated import harmless; the file's hash when none is given.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Write the report that lies beside files from a watched folder: as text when the name ends in
    /// .txt, else as JSON. It names nobody.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
}

pub(super) async fn import(args: &ImportArgs, json: bool) -> anyhow::Result<Outcome> {
    let organisation = OrganisationCode::parse(&args.organisation)
        .context("--as takes an organisation code, for example 334")?;
    let extract = match super::extract::of(&args.file, args.format, args.after.as_deref()) {
        Ok(extract) => extract,
        Err(NoExtract::Refused(error)) => return refused(ReceiveError::Unreadable(error), json),
        Err(NoExtract::Failed(error)) => return Err(error),
    };
    let Extract { format, bytes } = extract;
    let app = super::serve::open(&args.configured).await?;
    let partner = app.partner(&organisation);
    let partner = partner.with_context(|| {
        format!("{organisation} is not in the partners file; add it before importing for it")
    })?;
    let roles: Vec<Role> = partner.roles.iter().copied().collect();
    let actor = Actor { organisation: organisation.to_string(), ..app.operator() };
    let sender = Sender { organisation, roles, actor };
    let key = args.key.clone().unwrap_or_else(|| crate::entropy::sha256_hex(&bytes));
    let raw =
        RawMessage { format, mapping: args.mapping.clone(), bytes: PersonalBytes::new(bytes), key };
    let outcome = if args.dry_run {
        rehearse(&app, &sender, raw, json).await
    } else {
        load(&app, &sender, raw, (json, args.report.as_deref())).await
    };
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
            "Dry run: {} would be accepted, {} are known already, {} would be quarantined. Nothing was stored; that it was tried is in the log.",
            preview.accepted, preview.unchanged, preview.quarantined
        ));
    }
    Ok(if preview.quarantined > 0 { Outcome::InputRefused } else { Outcome::Done })
}

async fn load(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
    (json, report): (bool, Option<&Path>),
) -> anyhow::Result<Outcome> {
    let (format, bytes) = (raw.format, report.map(|_| raw.bytes.expose().to_vec()));
    let bar = progress(0, "checking every row");
    let say = |done: usize, of: usize| {
        bar.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    };
    let said = pipeline::receive_and_say(app, sender, raw, &say).await;
    bar.finish_and_clear();
    let answer = match said {
        Ok(answer) => answer,
        Err(error) => return refused(error, json),
    };
    if answer.replayed {
        Notice::current().say_nothing_was_done();
    }
    if let (Some(file), Some(bytes)) = (report, bytes) {
        let report = Report::answered(&answer, format, &bytes);
        let text = if file.extension().is_some_and(|extension| extension == "txt") {
            report.to_text().into_bytes()
        } else {
            report.to_json()
        };
        crate::whole_file::replace(&absolute(file)?, &text, &answer.submission.to_string())
            .with_context(|| format!("the report {} could not be written", file.display()))?;
    }
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
        ReceiveError::Store(StoreError::StillLeaving) => (Outcome::TryAgain, "not-yet-in-force"),
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

/// A path with a folder in front, beside which the report can be written before it is in place.
fn absolute(file: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(file).context("the report needs a file name")
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
