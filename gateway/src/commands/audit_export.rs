//! `audit export`: the log, a time of it, or what it says of a case or a partner, as one file that
//! proves itself.
//!
//! A case is named by its authority and the reference on standard input: a command line is seen by
//! everybody on the machine and kept in its history.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::civil::Date;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, progress};
use crate::app::App;
use crate::audit::forms::Form;
use crate::cases;
use crate::queue::CaseId;
use crate::verification::{self, Wanted};

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    configured: Configured,
    /// The file to write; refused when it exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Why; it is written into the log.
    #[arg(long, value_name = "CODE", value_parser = clap::builder::PossibleValuesParser::new(REASONS))]
    reason: String,
    /// The form: a bundle that proves itself, or one entry a line for another machine: JSON lines,
    /// ATNA messages in syslog, or FHIR `AuditEvent` resources after IHE BALP.
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t = As::Bundle)]
    form: As,
    /// All that the log says from this day on, for example 2026-03-01 (London).
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// All that the log says until the end of this day.
    #[arg(long, value_name = "DAY")]
    until: Option<Date>,
    /// What is about a case: its id, or the code of the authority with its reference on standard
    /// input.
    #[arg(long, value_name = "ID or CODE")]
    case: Option<String>,
    /// What names a partner, by its code, or is about messages that it sent.
    #[arg(long, value_name = "CODE")]
    partner: Option<String>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum As {
    Bundle,
    Jsonl,
    Atna,
    Balp,
}

impl As {
    /// `None` for a bundle.
    fn form(self) -> Option<Form> {
        match self {
            Self::Bundle => None,
            Self::Jsonl => Some(Form::JsonLines),
            Self::Atna => Some(Form::Atna),
            Self::Balp => Some(Form::Balp),
        }
    }
}

pub(super) async fn export(args: &ExportArgs, json: bool) -> anyhow::Result<Outcome> {
    if let Some(contradiction) = args.contradiction() {
        eprintln_line(&format!("error: {contradiction}"));
        return Ok(Outcome::InputRefused);
    }
    let app = super::serve::open_existing(&args.configured).await?;
    let exported = args.export(&app, json).await;
    app.store.close().await;
    exported
}

impl ExportArgs {
    /// Why these filters do not go together.
    fn contradiction(&self) -> Option<&'static str> {
        let period = self.from.is_some() || self.until.is_some();
        match (period, self.case.is_some(), self.partner.is_some()) {
            (true, true, _) | (true, _, true) => Some(
                "--from and --until go neither with --case nor with --partner: a period is proved to have nothing left out, chosen entries cannot be; make two bundles",
            ),
            (false, true, true) => Some(
                "--case and --partner do not go together: make two bundles, or one of the period",
            ),
            (true, false, false) | (false, _, _) => {
                let (from, until) = (self.from?, self.until?);
                (until < from).then_some("--until is a day before --from")
            }
        }
    }

    async fn export(&self, app: &App, json: bool) -> anyhow::Result<Outcome> {
        let Some(wanted) = self.wanted(app).await? else { return Ok(none()) };
        let size = app.log_size().await?;
        let out = self.out.as_path();
        let file = File::create_new(out).with_context(|| {
            format!("{} could not be made; is it there already?", out.display())
        })?;
        let mut file = BufWriter::new(file);
        let bar = progress(size, "exporting");
        let seen = |entries| bar.set_position(entries);
        let exported = match self.form.form() {
            None => verification::export(app, &wanted, &self.reason, &mut file, seen).await,
            Some(form) => {
                let wanted = (&wanted, form);
                verification::export_as(app, wanted, &self.reason, &mut file, seen).await
            }
        };
        bar.finish_and_clear();
        // Half a bundle is no bundle.
        let exported = match exported {
            Ok(Some(exported)) => exported,
            Ok(None) => {
                std::fs::remove_file(out)?;
                return Ok(none());
            }
            Err(error) => {
                drop(std::fs::remove_file(out));
                return Err(error.into());
            }
        };
        file.flush()?;
        said(out, exported, (self.form, json));
        Ok(Outcome::Done)
    }

    /// `None` when there is no such case.
    async fn wanted(&self, app: &App) -> anyhow::Result<Option<Wanted>> {
        if let Some(partner) = &self.partner {
            let partner = OrganisationCode::parse(partner)
                .context("--partner is not an organisation code")?;
            return Ok(Some(Wanted::Partner(partner)));
        }
        if let Some(case) = &self.case {
            return Ok(case_of(app, case).await?.map(Wanted::Case));
        }
        if self.from.is_some() || self.until.is_some() {
            return Ok(Some(Wanted::Period(self.from, self.until)));
        }
        Ok(Some(Wanted::Whole))
    }
}

async fn case_of(app: &App, named: &str) -> anyhow::Result<Option<CaseId>> {
    if let Ok(id) = named.parse::<Uuid>() {
        return Ok(Some(CaseId(id)));
    }
    let authority = OrganisationCode::parse(named)
        .context("--case is neither the id of a case nor the code of an authority")?;
    let mut reference = String::new();
    std::io::stdin().lock().take(REFERENCE_BYTES_MAX).read_to_string(&mut reference)?;
    let reference = reference.trim();
    if reference.is_empty() {
        bail!("write the authority's reference of the case to standard input");
    }
    let wanted = cases::Wanted::Reference(authority, reference.to_owned());
    Ok(cases::find(app, &wanted, None).await?)
}

fn none() -> Outcome {
    eprintln_line(
        "error: there is nothing of it: no message belongs to such a case, or the log began later",
    );
    Outcome::NotFound
}

fn said(out: &Path, exported: verification::Exported, (form, json): (As, bool)) {
    let verification::Exported { entries, size } = exported;
    if json {
        let out = out.display().to_string();
        let named = form.form().map_or("bundle", Form::name);
        let body = serde_json::json!({ "entries": entries, "log_size": size, named: out });
        print_line(&body.to_string());
    }
    let out = out.display();
    let next = match form {
        As::Bundle => "Check it with `audit verify --bundle`.",
        As::Jsonl | As::Atna | As::Balp => {
            "It proves nothing by itself: each line names its entry and the hash of its leaf."
        }
    };
    eprintln_line(&format!("{entries} of {size} entries are in {out}. {next}"));
}

/// Why somebody takes entries out of the log.
const REASONS: [&str; 7] = [
    "check",
    "complaint",
    "incident",
    "partner-assurance",
    "regulator",
    "subject-access",
    "tribunal",
];
/// Longer than any reference.
const REFERENCE_BYTES_MAX: u64 = 1_000;
