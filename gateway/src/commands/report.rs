//! `report`: the eleven reports of information governance, as a table, JSON, CSV or a workbook.
//!
//! Whom a report is about comes on standard input: a command line is seen by everybody on the
//! machine and kept in its history.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::civil::Date;
use schemas::OrganisationCode;

use super::who_has_seen::by_whom;
use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::access_report::Reason;
use crate::app::App;
use crate::reports::{self, Ask, Draw, Form, Report, ReportError, ReportKind};
use crate::whole_file;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    configured: Configured,
    /// Which, by its code or number; `list` names them all, and `check` says of a file whether and
    /// when it was handed over as a report.
    name: String,
    /// The file to check.
    file: Option<PathBuf>,
    /// Why you ask; it goes into the log with your asking.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::CODES))]
    reason: Option<String>,
    /// From this day on.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Until this day, which is included.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// Only what this organisation did or was sent, and what became of messages that it sent; for
    /// person-actions, whose user it is, or `gateway` for a login of this machine.
    #[arg(long, value_name = "CODE")]
    organisation: Option<String>,
    /// For child-access: what stands on standard input is this organisation's own id of the
    /// person, not an NHS number.
    #[arg(long, value_name = "CODE")]
    id_of: Option<String>,
    /// It is handed to people outside: counts under five are not told.
    #[arg(long)]
    outside: bool,
    /// For sample: how many accesses.
    #[arg(long, value_name = "COUNT")]
    accesses: Option<usize>,
    /// For sample: draw again as this many entries of the log had it.
    #[arg(long, value_name = "SIZE")]
    again: Option<u64>,
    /// Write the first table here as CSV, the others and the cover beside it; refused when a file exists.
    #[arg(long, value_name = "FILE", conflicts_with = "xlsx")]
    csv: Option<PathBuf>,
    /// Write all tables and the cover as one workbook; refused when the file exists.
    #[arg(long, value_name = "FILE")]
    xlsx: Option<PathBuf>,
}

pub(super) async fn report(args: &ReportArgs, json: bool) -> anyhow::Result<Outcome> {
    if args.name == "list" {
        list(json);
        return Ok(Outcome::Done);
    }
    if args.name == "check" {
        return check(args, json).await;
    }
    let Some(report) = ReportKind::parse(&args.name) else {
        eprintln_line("error: there is no such report; `report list` names them all");
        return Ok(Outcome::InputRefused);
    };
    let Some(reason) = args.reason.as_deref().and_then(Reason::parse) else {
        eprintln_line(&format!(
            "error: say why you ask with --reason, one of {}",
            Reason::CODES.join(", ")
        ));
        return Ok(Outcome::InputRefused);
    };
    let out = args.csv.as_ref().or(args.xlsx.as_ref());
    if let Some(file) = out.filter(|file| file.exists()) {
        eprintln_line(&format!("error: {} exists; name a new file", file.display()));
        return Ok(Outcome::InputRefused);
    }
    let named = matches!(report, ReportKind::ChildAccess | ReportKind::PersonActions);
    let whose = if named { Some(super::consents::whose()?) } else { None };
    let app = super::serve::open_existing(&args.configured).await?;
    let done = match args.ask(&app, (report, reason), whose.as_deref())? {
        Ok(ask) => answer(&app, args, &ask, json).await,
        Err(refused) => {
            eprintln_line(&format!("error: {refused}"));
            Ok(Outcome::InputRefused)
        }
    };
    app.store.close().await;
    done
}

/// Whether a file is one that was handed over, by its hash.
async fn check(args: &ReportArgs, json: bool) -> anyhow::Result<Outcome> {
    let Some(file) = &args.file else {
        eprintln_line("error: name the file to check");
        return Ok(Outcome::InputRefused);
    };
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let sha256 = crate::entropy::sha256_hex(&bytes);
    let app = super::serve::open_existing(&args.configured).await?;
    let found = reports::exported_as(&app, &sha256, &app.operator()).await;
    app.store.close().await;
    let Some(found) = found? else {
        eprintln_line("The log has no such file: it was changed since, or never handed over.");
        return Ok(Outcome::NotFound);
    };
    let at = jiff::Timestamp::from_microsecond(found.entry.at_us)?;
    let (by, detail) = (&found.entry.event.actor, &found.entry.event.detail);
    let of = |name: &str| detail.get(name).cloned().unwrap_or_default();
    if json {
        let body = serde_json::json!({
            "entry": found.entry.seq, "name": found.name, "at": at,
            "by": by, "detail": detail,
        });
        print_line(&body.to_string());
    } else {
        print_line(&format!(
            "As it was handed over by {} ({}) at {at}: {} {}, for {}, entry {}.",
            by.organisation,
            by_whom(by.role.as_deref(), by.person.as_deref(), &by.method),
            of("what"),
            of("report"),
            of("reason"),
            found.entry.seq,
        ));
    }
    Ok(Outcome::Done)
}

fn list(json: bool) {
    if json {
        print_line(&serde_json::json!({ "reports": reports::listed() }).to_string());
        return;
    }
    let row = |kind: ReportKind| {
        vec![kind.number().to_string(), kind.code().to_owned(), kind.question().to_owned()]
    };
    let rows = ReportKind::ALL.into_iter().map(row);
    print_line(&table(&["number", "name", "what it answers"], rows));
}

impl ReportArgs {
    /// The question; or what is wrong with who was named.
    fn ask(
        &self,
        app: &App,
        (report, reason): (ReportKind, Reason),
        whose: Option<&str>,
    ) -> anyhow::Result<Result<Ask, &'static str>> {
        let at_the_machine = self.organisation.as_deref() == Some("gateway");
        let organisation = self.organisation.as_deref().filter(|_| !at_the_machine);
        let organisation = organisation.map(OrganisationCode::parse).transpose();
        let organisation = organisation.context("--organisation takes a code, for example 334")?;
        let mut ask = Ask::new(report, reason);
        ask.from = self.from;
        ask.until = self.until;
        ask.outside = self.outside;
        ask.at_the_machine = at_the_machine;
        ask.draw = Draw { accesses: self.accesses, again: self.again };
        match (report, whose) {
            (ReportKind::ChildAccess, Some(whose)) => {
                ask.subject = super::who_has_seen::subject(app, whose, self.id_of.as_deref())?;
                if ask.subject.is_none() {
                    return Ok(Err(
                        "write one NHS number to standard input, or an id with --id-of",
                    ));
                }
            }
            (_, Some(user)) => {
                let own = organisation.as_ref().map(OrganisationCode::as_str);
                let Some(own) = own.or(at_the_machine.then_some("gateway")) else {
                    return Ok(Err(
                        "name with --organisation whose user it is (gateway: a login of this machine)",
                    ));
                };
                if user.is_empty() {
                    return Ok(Err(
                        "write the user's name, as their system gives it, to standard input",
                    ));
                }
                ask.person = app.vault.pseudonyms().user_of(own, user);
            }
            (_, None) => {}
        }
        ask.organisation = organisation;
        Ok(Ok(ask))
    }
}

async fn answer(app: &App, args: &ReportArgs, ask: &Ask, json: bool) -> anyhow::Result<Outcome> {
    let actor = app.operator();
    let report = match reports::make(app, ask, &actor).await {
        Ok(report) => report,
        Err(ReportError::Ask(contradiction)) => {
            eprintln_line(&format!("error: {contradiction}"));
            return Ok(Outcome::InputRefused);
        }
        Err(error) => return Err(error.into()),
    };
    let out = match (&args.csv, &args.xlsx) {
        (Some(file), _) => Some((file, Form::Csv)),
        (None, Some(file)) => Some((file, Form::Xlsx)),
        (None, None) => None,
    };
    let Some((file, form)) = out else {
        print_line(&if json { serde_json::to_string_pretty(&report)? } else { text(&report) });
        return Ok(Outcome::Done);
    };
    let files = reports::files(&report, form)?;
    let named: Vec<(PathBuf, &[u8])> =
        files.iter().map(|(name, bytes)| (beside(file, name), bytes.as_slice())).collect();
    if let Some((taken, _)) = named.iter().find(|(path, _)| path.exists()) {
        bail!("{} exists; name a new file", taken.display());
    }
    let entry = reports::note_export(app, (ask, &report), form, &files, &actor).await?;
    write_all(&named)?;
    let paths: Vec<String> = named.iter().map(|(path, _)| path.display().to_string()).collect();
    if json {
        let body = serde_json::json!({
            "entry": entry, "asked": report.cover.entry, "files": paths, "cover": report.cover,
        });
        print_line(&body.to_string());
    }
    eprintln_line(&format!(
        "Written: {}. The hash of each file is in entry {entry} of the log, the asking in entry {}.",
        paths.join(", "),
        report.cover.entry
    ));
    Ok(Outcome::Done)
}

/// A file's name with that of a table before its ending: `report.csv`, `report.cover.csv`.
fn beside(file: &Path, name: &str) -> PathBuf {
    if name.is_empty() {
        return file.to_owned();
    }
    let ending = file.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    file.with_extension(format!("{name}{}", ending.unwrap_or_default()))
}

/// Writes new files that only their owner reads; when one fails, none stays.
fn write_all(files: &[(PathBuf, &[u8])]) -> anyhow::Result<()> {
    for (place, (path, bytes)) in files.iter().enumerate() {
        let Err(error) = whole_file::create(path, bytes, 0o600) else { continue };
        let made =
            if error.kind() == std::io::ErrorKind::AlreadyExists { place } else { place + 1 };
        for (path, _) in files.iter().take(made) {
            drop(std::fs::remove_file(path));
        }
        return Err(error).with_context(|| format!("writing {}", path.display()));
    }
    Ok(())
}

/// The report for a terminal: the tables, then the cover.
fn text(report: &Report) -> String {
    let mut parts: Vec<String> = Vec::new();
    for sheet in &report.sheets {
        let header: Vec<&str> = sheet.columns.iter().map(|column| column.name.as_str()).collect();
        if sheet.rows.is_empty() {
            parts.push(format!("{}: nothing.", sheet.title));
            continue;
        }
        let rows = sheet.rows.iter().take(SHOWN_MAX);
        let rows = rows.map(|row| row.iter().map(reports::Cell::words).collect());
        let mut part = format!("{}:\n{}", sheet.title, table(&header, rows));
        if sheet.rows.len() > SHOWN_MAX {
            let more = sheet.rows.len().saturating_sub(SHOWN_MAX).to_string();
            part.extend(["\n", &more, " more; --csv or --xlsx has them all."]);
        }
        parts.push(part);
    }
    let cover = &report.cover;
    parts.extend(cover.notes.iter().map(|note| format!("Note: {note}")));
    parts.push(format!(
        "{} From {} until {}. Made from {} entries of the log; that you asked is entry {}.",
        cover.report.question(),
        cover.from.map_or_else(|| "the beginning".to_owned(), |day| day.to_string()),
        cover.until.map_or_else(|| "now".to_owned(), |day| day.to_string()),
        cover.log.size,
        cover.entry
    ));
    parts.join("\n\n")
}

/// The most rows of a table that are shown on a terminal.
const SHOWN_MAX: usize = 200;
