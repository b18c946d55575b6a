//! `import`: load an extract as the local authority, through its mapping: a file, or a folder with
//! a manifest, which is packed into one archive first.

use std::path::{Path, PathBuf};

use adapters::Format;
use adapters::manifest::{self, Manifest};
use anyhow::Context;
use clap::Args;
use schemas::{OrganisationCode, PersonalBytes};
use serde_json::Value;

use super::{Configured, Outcome, eprintln_line, print_line, progress, table};
use crate::app::App;
use crate::audit::Actor;
use crate::intake::report::Report;
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
    /// The extract to load: a file (.csv, .xlsx, .zip), a folder with a manifest.json, or that
    /// manifest.
    file: PathBuf,
    /// The format of the file, when its name does not say it: csv, xlsx, xml, json, fhir, fhir-xml,
    /// hl7.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The manifest of the set imported before this one: refuses a set that does not follow it.
    #[arg(long, value_name = "MANIFEST")]
    after: Option<PathBuf>,
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
    /// Write the report that lies beside files from a watched folder: as text when the name ends in
    /// .txt, else as JSON. It names nobody.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
}

pub(super) async fn import(args: &ImportArgs, json: bool) -> anyhow::Result<Outcome> {
    let organisation = OrganisationCode::parse(&args.organisation)
        .context("--as takes an organisation code, for example 334")?;
    let extract = match extract(args) {
        Ok(extract) => extract,
        Err(NoExtract::Refused(error)) => {
            return refused(ReceiveError::Unreadable(error), json);
        }
        Err(NoExtract::Failed(error)) => return Err(error),
    };
    let app = super::serve::open(&args.configured).await?;
    let partner = app.partner(&organisation);
    let partner = partner.with_context(|| {
        format!("{organisation} is not in the partners file; add it before importing for it")
    })?;
    let roles: Vec<Role> = partner.roles.iter().copied().collect();
    let actor = Actor { organisation: organisation.to_string(), ..Actor::local() };
    let sender = Sender { organisation, roles, actor };
    let key = args.key.clone().unwrap_or_else(|| crate::entropy::sha256_hex(&extract.bytes));
    let raw = RawMessage {
        format: extract.format,
        mapping: args.mapping.clone(),
        bytes: PersonalBytes::new(extract.bytes),
        key,
    };
    let outcome = if args.dry_run {
        rehearse(&app, &sender, raw, json).await
    } else {
        load(&app, &sender, raw, (json, args.report.as_deref())).await
    };
    app.store.close().await;
    outcome
}

/// What there is to import.
pub(super) struct Extract {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

/// Why there is nothing to import.
enum NoExtract {
    /// It cannot be used as it is.
    Refused(adapters::ReadError),
    /// It could not be read from disk.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NoExtract {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

fn extract(args: &ImportArgs) -> Result<Extract, NoExtract> {
    let folder = if args.file.is_dir() {
        Some(args.file.as_path())
    } else if args.file.file_name().is_some_and(|name| name == manifest::FILE_NAME) {
        Some(args.file.parent().unwrap_or(Path::new(".")))
    } else {
        None
    };
    let Some(folder) = folder else {
        return Ok(file(&args.file, args.format.as_deref())?);
    };
    let now = Manifest::parse(&read(&folder.join(manifest::FILE_NAME))?);
    let now = now.map_err(NoExtract::Refused)?;
    if let Some(before) = &args.after {
        let before = Manifest::parse(&read(before)?).map_err(NoExtract::Refused)?;
        now.follows(&before).map_err(NoExtract::Refused)?;
    }
    Ok(Extract { format: Format::Csv, bytes: packed(folder)? })
}

/// One file, in the format its name or the operator says.
pub(super) fn file(path: &Path, format: Option<&str>) -> anyhow::Result<Extract> {
    let said = format.map(str::to_ascii_lowercase);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let name = said.or_else(|| extension.map(str::to_ascii_lowercase)).unwrap_or_default();
    let format = match name.as_str() {
        "csv" | "txt" | "tsv" | "psv" | "dat" | "zip" => Format::Csv,
        "xlsx" | "xlsm" | "xls" => Format::Xlsx,
        "json" => Format::Json,
        "fhir" => Format::Fhir,
        "fhir-xml" => Format::FhirXml,
        "xml" => Format::Xml,
        "hl7" => Format::Hl7,
        _ => anyhow::bail!(
            "nobody can tell how {} is written; say --format csv, xlsx, xml, json, fhir, fhir-xml or hl7",
            path.display()
        ),
    };
    Ok(Extract { format, bytes: read(path)? })
}

/// The files of a set and its documents, as the archive in which a set travels. The order of
/// files is theirs by name, so that the same set has the same bytes, and the same key.
fn packed(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut files = Vec::new();
    for name in names(folder)? {
        files.push((name.clone(), read(&folder.join(&name))?));
    }
    let documents = folder.join(adapters::set::DOCUMENTS);
    if documents.is_dir() {
        for name in names(&documents)? {
            let bytes = read(&documents.join(&name))?;
            files.push((format!("{}{name}", adapters::set::DOCUMENTS), bytes));
        }
    }
    let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    adapters::archive::pack(files).context("the set is too large to be sent as one")
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let read = || format!("the folder {} could not be read", folder.display());
    for entry in std::fs::read_dir(folder).with_context(read)? {
        let entry = entry.with_context(read)?;
        let name = entry.file_name().into_string().ok().with_context(read)?;
        if entry.path().is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} could not be read", path.display()))
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
    if let (Some(file), Some(bytes)) = (report, bytes) {
        let report = Report::answered(&answer, format, &bytes);
        let text = if file.extension().is_some_and(|extension| extension == "txt") {
            report.to_text().into_bytes()
        } else {
            report.to_json()
        };
        let place = std::path::absolute(file).context("the report needs a file name")?;
        crate::whole_file::replace(&place, &text, &answer.submission.to_string())
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
