//! `mapping check` and `mapping new`: look at a file through a mapping before anything is sent.
//!
//! Owns what an operator sees on their own terminal: sample rows beside their fields, every issue
//! with its place, what changed since the last file. Values are masked unless they are asked for.
//! Nothing is stored, and no configuration is needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adapters::drift::Shape;
use adapters::mapping::{FileKind, Mapping};
use adapters::{Format, ReadError, Reading};
use anyhow::Context;
use clap::{Args, Subcommand};
use schemas::{Field, Issue};
use serde_json::json;

use super::extract::{Extract, NoExtract, file, format_named};
use super::{Outcome, eprintln_line, print_line, table};

/// About mappings of tabular files.
#[derive(Debug, Subcommand)]
pub(super) enum MappingCommand {
    /// Show sample rows of a file beside their mapped fields, with every issue.
    Check(CheckArgs),
    /// Propose a mapping for a file by its header, for a person to finish.
    New(NewArgs),
}

/// Arguments of `mapping check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The file to look at, or the folder of a set.
    file: PathBuf,
    /// A mapping shipped with the gateway, by name, or a mapping file.
    #[arg(long, value_name = "NAME|FILE")]
    mapping: String,
    /// The last file of the same source: says what changed since.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The format, when the name of the file does not say it: csv, xlsx or xml.
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    format: Option<Format>,
    /// The organisation whose file it is, where no column says so.
    #[arg(long = "as", value_name = "CODE", default_value = "334")]
    organisation: String,
    /// How many rows to show.
    #[arg(long, default_value_t = 3, value_name = "N")]
    rows: usize,
    /// Show values as they are. They are people's: mind who looks at your screen.
    #[arg(long)]
    show_values: bool,
}

/// Arguments of `mapping new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The file to propose a mapping for.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The format, when the name of the file does not say it: csv or xlsx.
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    format: Option<Format>,
    /// The name of the mapping.
    #[arg(long, default_value = "new-mapping", value_name = "NAME")]
    name: String,
    /// Write it here instead of standard output; an existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn mapping(command: &MappingCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        MappingCommand::Check(args) => check(args, json),
        MappingCommand::New(args) => new(args, json),
    }
}

fn check(args: &CheckArgs, json: bool) -> anyhow::Result<Outcome> {
    let mapping = mapping_of(&args.mapping)?;
    let extract = match super::extract::of(&args.file, args.format, None) {
        Ok(extract) => extract,
        Err(NoExtract::Refused(error)) => return Ok(refused(&error, json)),
        Err(NoExtract::Failed(error)) => return Err(error),
    };
    let reading = match read(&extract, &mapping, &args.organisation) {
        Ok(reading) => reading,
        Err(error) => return Ok(refused(&error, json)),
    };
    let drift = match &args.against {
        None => Vec::new(),
        Some(_) if mapping.reads(FileKind::Set) || !extract.format.is_tabular() => {
            anyhow::bail!("only tables have a layout to compare; a set is proved by its manifest")
        }
        Some(before) => {
            let before = file(before, args.format)?;
            match drift(&extract, &before, &mapping) {
                Ok(drift) => drift,
                Err(error) => return Ok(refused(&error, json)),
            }
        }
    };
    let seen = Seen::new(reading, &mapping);
    if json {
        print_line(&serde_json::to_string_pretty(&seen.json(args, &drift))?);
    } else {
        seen.show(args, &drift, &mapping);
    }
    let refused = seen.issues.iter().any(|(_, issue)| issue.is_error());
    Ok(match (refused, drift.is_empty()) {
        (true, _) => Outcome::InputRefused,
        (false, false) => Outcome::Found,
        (false, true) => Outcome::Done,
    })
}

fn new(args: &NewArgs, json: bool) -> anyhow::Result<Outcome> {
    let extract = file(&args.from, args.format)?;
    if !extract.format.is_tabular() {
        anyhow::bail!("only tables have mappings: {} is none", args.from.display());
    }
    let proposal = match adapters::mapping::propose(extract.format, &extract.bytes, &args.name) {
        Ok(proposal) => proposal,
        Err(error) => return Ok(refused(&error, json)),
    };
    if let Some(out) = &args.out {
        let file = std::fs::File::create_new(out);
        let mut file = file.with_context(|| format!("{} could not be made", out.display()))?;
        std::io::Write::write_all(&mut file, proposal.text.as_bytes())
            .with_context(|| format!("{} could not be written", out.display()))?;
    }
    if json {
        let recognised = proposal.recognised.iter().map(|(field, column, alike)| {
            json!({ "field": field.path(), "column": column, "by_likeness": alike })
        });
        print_line(&serde_json::to_string_pretty(&json!({
            "mapping": proposal.text,
            "recognised": recognised.collect::<Vec<_>>(),
            "unknown_columns": proposal.unknown,
        }))?);
        return Ok(Outcome::Done);
    }
    if args.out.is_none() {
        print_line(&proposal.text);
    }
    let alike = proposal.recognised.iter().filter(|(_, _, alike)| *alike).count();
    eprintln_line(&format!(
        "{} columns recognised, {alike} of them by likeness only. Not recognised: {}.",
        proposal.recognised.len(),
        listed(&proposal.unknown)
    ));
    eprintln_line("Look at every line with a mark of interrogation before using it.");
    Ok(Outcome::Done)
}

/// A mapping shipped, by its name, or one in a file.
fn mapping_of(name: &str) -> anyhow::Result<Mapping> {
    if let Some(mapping) = Mapping::built_in(name) {
        return Ok(mapping);
    }
    let text = std::fs::read_to_string(name).with_context(|| {
        let known: Vec<&str> = adapters::mapping::built_in_names().collect();
        format!("{name} is no mapping file, and not one of {}", known.join(", "))
    })?;
    Mapping::parse(&text).with_context(|| format!("{name} is not a mapping"))
}

fn read(extract: &Extract, mapping: &Mapping, organisation: &str) -> Result<Reading, ReadError> {
    let bytes = &extract.bytes;
    if mapping.reads(FileKind::Set) {
        return adapters::set::read(bytes, mapping, organisation, crate::entropy::sha256_hex);
    }
    match extract.format {
        Format::Csv => adapters::csv::preview(bytes, mapping, organisation),
        Format::Xlsx => adapters::xlsx::preview(bytes, mapping, organisation),
        format @ (Format::Json | Format::Fhir | Format::FhirXml | Format::Xml | Format::Hl7) => {
            let feed = adapters::feed::Feed::default();
            let source = adapters::Source { organisation, mapping: Some(mapping), feed: &feed };
            adapters::read(format, bytes, source)
        }
    }
}

fn drift(now: &Extract, before: &Extract, mapping: &Mapping) -> Result<Vec<Issue>, ReadError> {
    let before = Shape::of(before.format, &before.bytes, mapping)?;
    Ok(Shape::of(now.format, &now.bytes, mapping)?.drift_from(&before))
}

/// What was seen in a file.
struct Seen {
    rows: Vec<Row>,
    /// Every issue, with whether it is one of the file as a whole.
    issues: Vec<(bool, Issue)>,
    no_message: Option<String>,
}

struct Row {
    place: String,
    fields: Vec<(Field, String, String)>,
    acceptable: bool,
}

impl Seen {
    fn new(reading: Reading, mapping: &Mapping) -> Self {
        let mut issues: Vec<_> = reading.notes.into_iter().map(|note| (true, note)).collect();
        let mut rows = Vec::new();
        let today = today();
        for item in reading.items {
            let place = item.draft.place.to_string();
            let fields = item.draft.fields.iter().map(|(field, located)| {
                (*field, located.text.expose().to_owned(), located.place.to_string())
            });
            let fields = fields.collect();
            // A list that is no message is not held to what messages need.
            let found = if mapping.no_message().is_some() {
                item.draft.notes
            } else {
                match item.draft.check(today) {
                    Ok(checked) => checked.warnings,
                    Err(issues) => issues,
                }
            };
            let acceptable = !found.iter().any(Issue::is_error);
            issues.extend(found.into_iter().map(|issue| (false, issue)));
            rows.push(Row { place, fields, acceptable });
        }
        Self { rows, issues, no_message: mapping.no_message().map(str::to_owned) }
    }

    fn acceptable(&self) -> usize {
        self.rows.iter().filter(|row| row.acceptable).count()
    }

    fn json(&self, args: &CheckArgs, drift: &[Issue]) -> serde_json::Value {
        let samples = self.rows.iter().take(args.rows).map(|row| {
            let fields: Vec<_> = row
                .fields
                .iter()
                .map(|(field, text, place)| {
                    json!({ "field": field.path(), "place": place, "value": shown(text, args.show_values) })
                })
                .collect();
            json!({ "place": row.place, "acceptable": row.acceptable, "fields": fields })
        });
        let samples: Vec<_> = samples.collect();
        json!({
            "rows": self.rows.len(),
            "acceptable": self.acceptable(),
            "no_message": self.no_message,
            "samples": samples,
            "issues": self.issues.iter().map(|(_, issue)| issue).collect::<Vec<_>>(),
            "drift": drift,
        })
    }

    fn show(&self, args: &CheckArgs, drift: &[Issue], mapping: &Mapping) {
        let lines = self.rows.iter().take(args.rows).flat_map(|row| {
            let fields = row.fields.iter().map(|(field, text, place)| {
                vec![
                    row.place.clone(),
                    field.path().to_owned(),
                    shown(text, args.show_values),
                    place.clone(),
                ]
            });
            fields.collect::<Vec<_>>()
        });
        print_line(&table(&["row", "field", "value", "from"], lines));
        // The same rule in the same column is said once, with how often it is so.
        let mut grouped: BTreeMap<(bool, String, String), (usize, &Issue)> = BTreeMap::new();
        for (_, issue) in &self.issues {
            let key = (!issue.is_error(), issue.rule.clone(), issue.field.clone());
            grouped.entry(key).or_insert((0, issue)).0 += 1;
        }
        for (count, issue) in grouped.values() {
            let more = count.saturating_sub(1);
            let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
            let kind = if issue.is_error() { "error" } else { "note" };
            print_line(&format!("{kind}: {issue}{more}"));
        }
        for issue in drift {
            print_line(&format!("drift: {issue}"));
        }
        let verdict = match &self.no_message {
            Some(why) => format!("It cannot become messages: {why}."),
            None => format!("{} would be acceptable.", self.acceptable()),
        };
        eprintln_line(&format!(
            "{} rows through {} version {}. {verdict} Nothing was stored.",
            self.rows.len(),
            mapping.name(),
            mapping.version()
        ));
        if !args.show_values {
            eprintln_line("Values are masked; --show-values shows them.");
        }
    }
}

/// The day it is in London, by which dates of birth and of requests are judged.
fn today() -> jiff::civil::Date {
    crate::clock::Clock::today(&crate::clock::SystemClock)
}

/// A value, or its shape: letters as x, digits as 9.
fn shown(text: &str, whole: bool) -> String {
    if whole {
        return text.to_owned();
    }
    let mask = |c: char| match c {
        c if c.is_alphabetic() => 'x',
        c if c.is_numeric() => '9',
        c => c,
    };
    text.chars().take(SHOWN_CHARS_MAX).map(mask).collect()
}

fn refused(error: &ReadError, json: bool) -> Outcome {
    if json {
        print_line(
            &json!({ "code": "malformed-message", "issues": [error.to_issue()] }).to_string(),
        );
    }
    eprintln_line(&format!("error: {error}"));
    Outcome::InputRefused
}

fn listed(columns: &[usize]) -> String {
    if columns.is_empty() {
        return "none".to_owned();
    }
    let columns: Vec<String> = columns.iter().map(|column| format!("column {column}")).collect();
    columns.join(", ")
}

/// More of a masked value says nothing.
const SHOWN_CHARS_MAX: usize = 60;
