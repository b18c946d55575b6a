//! `clocks`, `performance` and `evidence`: what the law asks, how it was kept, and proof of it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use schemas::deadlines::Rules;
use schemas::{LegId, OrganisationCode};
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::board::Labels;
use crate::evidence::Pack;
use crate::obligations::{ClockStanding, Obligation};
use crate::performance::{Cohort, Performance, PerformanceQuestion};
use crate::store::ClockFilter;
use crate::telemetry::name_of;

/// Commands about statutory clocks.
#[derive(Debug, Subcommand)]
pub(super) enum ClocksCommand {
    /// Print the rules as a page for somebody who knows the law.
    Page(RulesFiles),
    /// Read a file of rules and say what is wrong with it, with line and fix.
    Check(RulesFiles),
    /// When something is due, by both ways of counting.
    Due {
        #[command(flatten)]
        files: RulesFiles,
        /// The clock's name in the rules, for example reg-8.
        period: String,
        /// The day it counts from.
        from: Date,
    },
    /// The clocks of cases: who owes what by which provision and when.
    List {
        #[command(flatten)]
        configured: Configured,
        /// Only those that were not met and have not ended.
        #[arg(long)]
        open: bool,
        /// Only what this organisation owes.
        #[arg(long, value_name = "CODE")]
        owner: Option<String>,
        /// Only of this name in the rules.
        #[arg(long, value_name = "NAME")]
        period: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: u32,
    },
}

/// Files of rules to use instead of those shipped with the program.
#[derive(Debug, Args)]
pub(super) struct RulesFiles {
    /// A file of clocks.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A table of bank holidays.
    #[arg(long, value_name = "FILE")]
    bank_holidays: Option<PathBuf>,
}

/// Arguments of `performance`.
#[derive(Debug, Args)]
pub(super) struct PerformanceArgs {
    #[command(flatten)]
    configured: Configured,
    /// The month, for example 2026-11.
    #[arg(long, value_name = "YYYY-MM")]
    month: String,
    /// As things stood at the end of this day; today when left out.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// By what a leg belongs to the month.
    #[arg(long, value_enum, default_value_t = By::Asked)]
    by: By,
    /// Only what this authority asked.
    #[arg(long, value_name = "CODE")]
    authority: Option<String>,
    /// Only what was asked of this organisation.
    #[arg(long, value_name = "CODE")]
    organisation: Option<String>,
    /// Print CSV instead of a table.
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// Received by the service in the month.
    Asked,
    /// Due by law in the month.
    Due,
}

/// Commands about evidence.
#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Write the evidence pack of a leg.
    Make {
        #[command(flatten)]
        configured: Configured,
        /// The leg's id, from the receipt or the board.
        leg: Uuid,
        /// The file to write; refused when it exists. Standard output when left out.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// As this organisation may see it; everything when left out.
        #[arg(long = "for", value_name = "CODE")]
        viewer: Option<String>,
    },
    /// Check a pack, or a proof of who has seen a record, against the log's public key: no gateway and no configuration is needed.
    Verify {
        /// The pack.
        file: PathBuf,
        /// The log's public key (vkey), as a partner was given it.
        #[arg(long, value_name = "VKEY")]
        key: String,
    },
}

pub(super) async fn clocks(command: &ClocksCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        ClocksCommand::Page(files) => {
            let Some(rules) = rules(files)? else { return Ok(Outcome::InputRefused) };
            let page = rules.page();
            if json {
                print_line(&serde_json::to_string_pretty(rules.versions())?);
            } else {
                print_line(page.trim_end());
            }
            Ok(Outcome::Done)
        }
        ClocksCommand::Check(files) => Ok(match rules(files)? {
            Some(rules) => {
                let until = rules.bank_holidays().covers_until();
                let versions = rules.versions().len();
                let body = serde_json::json!({
                    "ok": true, "versions": versions, "bank_holidays_until": until,
                });
                let words = format!("{versions} version(s); bank holidays are known to {until}.");
                print_line(&if json { body.to_string() } else { words });
                Outcome::Done
            }
            None => Outcome::InputRefused,
        }),
        ClocksCommand::Due { files, period, from } => {
            let Some(rules) = rules(files)? else { return Ok(Outcome::InputRefused) };
            due(&rules, period, *from, json)
        }
        ClocksCommand::List { configured, open, owner, period, limit } => {
            let filter = ClockFilter {
                viewer: None,
                owner: code(owner.as_ref())?,
                period: period.clone(),
                open_only: *open,
            };
            list(configured, &filter, *limit, json).await
        }
    }
}

/// The rules of the files named, or those shipped; `None` once what is wrong has been said.
fn rules(files: &RulesFiles) -> anyhow::Result<Option<Rules>> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let clocks = files.rules.as_deref().map(read).transpose()?;
    let holidays = files.bank_holidays.as_deref().map(read).transpose()?;
    match Rules::of_files(clocks.as_deref(), holidays.as_deref()) {
        Ok(rules) => Ok(Some(rules)),
        Err(error) => {
            eprintln_line(&format!("error: {error}"));
            Ok(None)
        }
    }
}

fn due(rules: &Rules, period: &str, from: Date, json: bool) -> anyhow::Result<Outcome> {
    let (ends, version) = match rules.ends(period, from) {
        Ok(found) => found,
        Err(error) => {
            eprintln_line(&format!("error: {error}"));
            return Ok(Outcome::NotFound);
        }
    };
    let rule = version.period(period).context("a period that has an end")?;
    let work_to = rules.due(period, from).ok().map(|due| due.operational);
    let body = serde_json::json!({
        "period": period, "from": from, "statutory": ends.statutory,
        "alternative": ends.alternative, "work_to": work_to, "provision": rule.provision,
        "verified": rule.verified, "rule_version": version.id,
    });
    if json {
        print_line(&serde_json::to_string_pretty(&body)?);
        return Ok(Outcome::Done);
    }
    let other = ends.alternative.map(|on| format!(" (or {on}, the other way of counting)"));
    print_line(&format!("{}: {}{}", rule.words, ends.statutory, other.unwrap_or_default()));
    if let Some(day) = work_to {
        print_line(&format!("Work to {day}."));
    }
    let checked = if rule.verified { "checked" } else { "not checked; confirm it" };
    print_line(&format!("{} ({checked}; {}).", rule.provision, version.id));
    Ok(Outcome::Done)
}

async fn list(
    configured: &Configured,
    filter: &ClockFilter,
    limit: u32,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let shown = (filter, Labels::Shown);
    let clocks = crate::obligations::list(&app, shown, None, limit, &app.operator()).await?;
    app.store.close().await;
    let overdue = clocks.iter().filter(|c| c.standing == ClockStanding::Overdue).count();
    if json {
        let body = serde_json::json!({
            "today": app.clock.today(), "overdue": overdue, "clocks": clocks,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&clocks_table(&clocks));
        eprintln_line(&format!("{} clocks, {overdue} overdue.", clocks.len()));
    }
    Ok(if overdue > 0 { Outcome::Found } else { Outcome::Done })
}

fn clocks_table(clocks: &[Obligation]) -> String {
    let rows = clocks.iter().map(|clock| {
        let other = clock.alternative_on.map(|on| format!(" (or {on})")).unwrap_or_default();
        vec![
            clock.case.clone(),
            clock.period.clone(),
            clock.due.clone(),
            format!("{} ({})", clock.owner_name, clock.owner),
            clock.started_on.to_string(),
            format!("{}{other}", clock.due_on),
            name_of(clock.standing),
        ]
    });
    table(&["case", "clock", "what", "who owes", "from", "due", "standing"], rows)
}

pub(super) async fn performance(args: &PerformanceArgs, json: bool) -> anyhow::Result<Outcome> {
    let month: Date = format!("{}-01", args.month)
        .parse()
        .context("a month is written as a year and a month, for example 2026-11")?;
    let app = super::serve::open_existing(&args.configured).await?;
    let question = PerformanceQuestion {
        month,
        as_of: args.as_of.unwrap_or_else(|| app.clock.today()),
        by: match args.by {
            By::Asked => Cohort::Asked,
            By::Due => Cohort::Due,
        },
        authority: code(args.authority.as_ref())?,
        organisation: code(args.organisation.as_ref())?,
    };
    let figures = crate::performance::of_month(&app, &question, &app.operator()).await?;
    app.store.close().await;
    if json {
        print_line(&serde_json::to_string_pretty(&figures)?);
    } else if args.csv {
        print_line(figures.to_csv().trim_end());
    } else {
        print_line(&figures_table(&figures));
        eprintln_line(&format!("{} as of {}.", figures.month, figures.as_of));
    }
    Ok(Outcome::Done)
}

fn figures_table(figures: &Performance) -> String {
    let rows = figures.rows.iter().map(|row| {
        let f = &row.figures;
        let counts = [f.asked, f.on_time, f.excused, f.late, f.nil, f.outstanding, f.overdue];
        let names = [
            row.authority.to_string(),
            format!("{} ({})", row.organisation_name, row.organisation),
            row.service.clone(),
        ];
        names.into_iter().chain(counts.iter().map(ToString::to_string)).collect()
    });
    let header = [
        "asked by",
        "asked of",
        "service",
        "asked",
        "on time",
        "excused",
        "late",
        "nil",
        "outstanding",
        "overdue",
    ];
    table(&header, rows)
}

pub(super) async fn evidence(command: &EvidenceCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        EvidenceCommand::Make { configured, leg, out, viewer } => {
            let viewer = code(viewer.as_ref())?;
            make(configured, LegId(*leg), (out.as_deref(), viewer.as_ref())).await
        }
        EvidenceCommand::Verify { file, key } => verify(file, key, json),
    }
}

async fn make(
    configured: &Configured,
    leg: LegId,
    (out, viewer): (Option<&Path>, Option<&OrganisationCode>),
) -> anyhow::Result<Outcome> {
    if let Some(out) = out.filter(|out| out.exists()) {
        eprintln_line(&format!("error: {} exists; name a new file", out.display()));
        return Ok(Outcome::InputRefused);
    }
    let app = super::serve::open_existing(configured).await?;
    let pack = crate::evidence::pack(&app, leg, viewer, &app.operator()).await?;
    app.store.close().await;
    let Some(pack) = pack else {
        eprintln_line("error: there is no leg with this id; the board and receipts show ids");
        return Ok(Outcome::NotFound);
    };
    let text = serde_json::to_string_pretty(&pack)?;
    match out {
        Some(out) => {
            std::fs::write(out, text + "\n")
                .with_context(|| format!("writing {}", out.display()))?;
            eprintln_line(&format!("{} entries with their proofs.", pack.log.entries.len()));
        }
        None => print_line(&text),
    }
    Ok(Outcome::Done)
}

fn verify(file: &Path, key: &str, json: bool) -> anyhow::Result<Outcome> {
    let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    if let Ok(proof) = serde_json::from_slice::<crate::access_report::AccessProof>(&text) {
        return Ok(super::who_has_seen::verified(&proof, key, json));
    }
    let Ok(pack) = serde_json::from_slice::<Pack>(&text) else {
        eprintln_line("error: this is not an evidence pack");
        return Ok(Outcome::InputRefused);
    };
    let faults: Vec<String> =
        crate::evidence::verify(&pack, key).iter().map(ToString::to_string).collect();
    if json {
        let body = serde_json::json!({ "proved": faults.is_empty(), "faults": faults });
        print_line(&body.to_string());
    } else if faults.is_empty() {
        let entries = pack.log.entries.len();
        print_line(&format!(
            "proved: {entries} entries are in the signed log; every hash and receipt holds."
        ));
    } else {
        for fault in &faults {
            print_line(fault);
        }
    }
    Ok(if faults.is_empty() { Outcome::Done } else { Outcome::Found })
}

fn code(text: Option<&String>) -> anyhow::Result<Option<OrganisationCode>> {
    text.map(|text| OrganisationCode::parse(text)).transpose().context("not an organisation code")
}
