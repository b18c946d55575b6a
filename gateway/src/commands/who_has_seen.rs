//! `audit who-has-seen`: who saw a child's record, why, and the proof of it.
//!
//! Whose record it is comes on standard input: a command line is seen by everybody on the machine
//! and kept by shells.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::civil::Date;
use schemas::{NhsNumber, OrganisationCode};

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::access_report::{
    self, AccessProof, Account, FamilyLine, Line, ListLine, Question, Reason, Report,
};
use crate::app::App;
use crate::audit::{Actor, SubjectKey};
use crate::look_up::Standing;

/// Arguments of `audit who-has-seen`.
#[derive(Debug, Args)]
pub(super) struct WhoHasSeenArgs {
    #[command(flatten)]
    configured: Configured,
    /// Why you ask; it goes into the log with your asking.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::CODES))]
    reason: String,
    /// From this day on.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Until this day, which is included.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// What stands on standard input is this organisation's own id of the person, not an NHS
    /// number.
    #[arg(long, value_name = "CODE")]
    id_of: Option<String>,
    /// The version that is safe to give to the family.
    #[arg(long, conflicts_with = "proof")]
    for_family: bool,
    /// Also write the entries with their proofs; refused when the file exists.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
}

pub(super) async fn who_has_seen(args: &WhoHasSeenArgs, json: bool) -> anyhow::Result<Outcome> {
    if let Some(file) = args.proof.as_ref().filter(|file| file.exists()) {
        eprintln_line(&format!("error: {} exists; name a new file", file.display()));
        return Ok(Outcome::InputRefused);
    }
    let whose = super::consents::whose()?;
    let app = super::serve::open_existing(&args.configured).await?;
    let answered = if let Some(subject) = subject(&app, &whose, args.id_of.as_deref())? {
        answer(&app, args, subject, json).await
    } else {
        eprintln_line("error: write one NHS number to standard input, or an id with --id-of");
        Ok(Outcome::InputRefused)
    };
    app.store.close().await;
    answered
}

/// Whom a line of standard input means: an NHS number, or an organisation's own id.
pub(super) fn subject(
    app: &App,
    whose: &str,
    id_of: Option<&str>,
) -> anyhow::Result<Option<SubjectKey>> {
    let names = app.vault.pseudonyms();
    let Some(code) = id_of else {
        return Ok(NhsNumber::parse(whose).ok().map(|number| names.key_of_nhs_number(&number)));
    };
    let code = OrganisationCode::parse(code)
        .context("--id-of takes an organisation code, for example 334")?;
    Ok((!whose.is_empty()).then(|| names.key_of_person_id(whose, &code)))
}

async fn answer(
    app: &App,
    args: &WhoHasSeenArgs,
    subject: SubjectKey,
    json: bool,
) -> anyhow::Result<Outcome> {
    let reason = Reason::parse(&args.reason).context("--reason is one of the listed codes")?;
    let question = Question { subject, reason, from: args.from, until: args.until };
    let report = access_report::look(app, &question, &app.operator()).await?;
    if report.entries.iter().all(|entry| entry.seq >= report.entry) {
        eprintln_line(&format!(
            "The log says nothing of this person. That you asked is entry {} of it.",
            report.entry
        ));
        report.look_ups_destroyed.iter().for_each(|one| eprintln_line(&not_known(one)));
        return Ok(Outcome::NotFound);
    }
    if args.for_family {
        return match access_report::for_family(app, &report, &question).await? {
            Ok(lines) => {
                let body = serde_json::json!({ "for_family": lines });
                print_line(&if json { body.to_string() } else { family_text(&lines) });
                Ok(Outcome::Done)
            }
            Err(why) => {
                eprintln_line(&format!("error: {why}"));
                Ok(Outcome::InputRefused)
            }
        };
    }
    print_line(&if json { serde_json::to_string_pretty(&report)? } else { text(&report) });
    if let Some(file) = &args.proof {
        let proof = access_report::prove(app, &report, &question).await?;
        write(file, &proof)?;
        eprintln_line(&format!(
            "{} entries with their proofs are in {}. Anybody checks them with: ehc-gateway evidence verify {} --key '{}'",
            proof.log.entries.len(),
            file.display(),
            file.display(),
            proof.log.vkey,
        ));
    }
    Ok(Outcome::Done)
}

fn write(file: &Path, proof: &AccessProof) -> anyhow::Result<()> {
    let made = std::fs::File::create_new(file);
    let mut made = made.with_context(|| format!("{} could not be made", file.display()))?;
    let text = serde_json::to_string_pretty(proof)? + "\n";
    made.write_all(text.as_bytes()).with_context(|| format!("writing {}", file.display()))
}

/// The answer for an officer.
fn text(report: &Report) -> String {
    let Account { seen, not_given, lists, organisations, other_entries } = &report.account;
    let header = ["entry", "when (London)", "who", "what", "data", "why", "by"];
    let mut parts = vec![format!("Seen, newest first:\n{}", table(&header, seen.iter().map(row)))];
    parts.push(if not_given.is_empty() {
        "Asked for and not given: nothing.".to_owned()
    } else {
        let rows = table(&header, not_given.iter().map(row));
        format!("Asked for and not given, newest first:\n{rows}")
    });
    if !lists.is_empty() {
        let header = ["entry", "last", "who", "list", "lines", "looks", "since", "why", "by"];
        let rows = table(&header, lists.iter().map(list_row));
        parts.push(format!("Looked at a list on which the child stood:\n{rows}"));
    }
    let rows = organisations.iter().map(|one| {
        vec![
            format!("{} ({})", one.organisation_name, one.organisation),
            one.given.to_string(),
            one.looks.to_string(),
            one.not_given.to_string(),
            one.last.clone(),
        ]
    });
    let header = ["organisation", "sent or given", "looks", "not given", "last"];
    parts.push(format!("By organisation:\n{}", table(&header, rows)));
    let others: Vec<String> =
        other_entries.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !others.is_empty() {
        parts.push(format!(
            "Also about this person, by which nobody saw anything: {}.",
            others.join(", ")
        ));
    }
    if report.older_lists_left_out {
        parts.push("There are older looks at lists that were not read.".to_owned());
    }
    if report.older_left_out {
        parts.push("There are older entries that were not read.".to_owned());
    }
    parts.extend(report.look_ups_destroyed.iter().map(not_known));
    parts.push(format!("That you asked is entry {}.", report.entry));
    parts.join("\n\n")
}

fn list_row(list: &ListLine) -> Vec<String> {
    vec![
        list.entry.to_string(),
        list.last.clone(),
        format!("{} ({})", list.organisation_name, list.organisation),
        list.what.clone(),
        list.lines.to_string(),
        list.looks.to_string(),
        list.first.clone(),
        list.why.clone(),
        by_whom(list.role.as_deref(), list.person.as_deref(), &list.method),
    ]
}

/// Who acted: role, pseudonym and how they came in, as far as they are known.
pub(super) fn by_whom(role: Option<&str>, person: Option<&str>, method: &str) -> String {
    let method = match method {
        "local" => "at the machine",
        Actor::LOGIN => "logged in at the machine",
        Actor::PROCESS => "at the machine, as this user",
        "gateway" => "by itself",
        method => method,
    };
    let person: Vec<&str> = [role, person, Some(method)].into_iter().flatten().collect();
    person.join(" ")
}

/// That nothing of a year can be told.
pub(super) fn not_known(standing: &Standing) -> String {
    let destroyed = standing.destroyed.as_ref();
    let on = destroyed.map(|one| format!(" on {}", one.on)).unwrap_or_default();
    let entry = destroyed.and_then(|one| one.entry);
    let entry = entry.map(|entry| format!(" (entry {entry})")).unwrap_or_default();
    format!(
        "Not known: who saw anything in {}. The look-up of that year was destroyed{on}{entry}, as its retention says; its entries are in the log and proved, and nobody can tell any more whom they are about.",
        standing.period,
    )
}

fn row(line: &Line) -> Vec<String> {
    let cut: Vec<String> = line.cut.iter().map(|(class, by)| format!("{class} ({by})")).collect();
    let data = match (line.classes.is_empty(), cut.is_empty()) {
        (true, true) => String::new(),
        (false, true) => line.classes.join(", "),
        (true, false) => format!("cut: {}", cut.join(", ")),
        (false, false) => format!("{}; cut: {}", line.classes.join(", "), cut.join(", ")),
    };
    let outcome = line.outcome.map(|outcome| format!(": {outcome}")).unwrap_or_default();
    let authority = line.authority.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    vec![
        line.entry.to_string(),
        line.when.clone(),
        format!("{} ({})", line.organisation_name, line.organisation),
        format!("{}{outcome}", line.what),
        data,
        format!("{authority}{}", line.why),
        by_whom(line.role.as_deref(), line.person.as_deref(), &line.method),
    ]
}

/// The answer for a family. The words around the lines are always the same.
fn family_text(lines: &[FamilyLine]) -> String {
    let rows = lines.iter().map(|line| {
        vec![
            line.on.strftime("%-d %B %Y").to_string(),
            line.organisation.clone(),
            line.what.clone(),
            line.why.to_owned(),
        ]
    });
    let rows = table(&["day", "organisation", "what happened", "why"], rows);
    format!(
        "What organisations were given through this gateway, or looked at in it, newest first:\n{rows}\n\nSome things may have to be left out of such a list by law. You may ask the organisations\nthemselves, and the Information Commissioner."
    )
}

/// Says whether a proof of who has seen a record holds.
pub(super) fn verified(proof: &AccessProof, key: &str, json: bool) -> Outcome {
    let found = access_report::verify(proof, key);
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    if json {
        let body = serde_json::json!({
            "proved": faults.is_empty(), "faults": faults, "account": found.account,
        });
        print_line(&body.to_string());
    } else if faults.is_empty() {
        let account = &found.account;
        let given = account.seen.iter().filter(|line| line.given).count();
        print_line(&format!(
            "proved: {} entries are in the signed log. They say: given {given} times, looked at {} times, on a list that was looked at {} times, not given {} times.",
            proof.log.entries.len(),
            account.seen.len().saturating_sub(given),
            account.lists.iter().map(|list| list.looks).sum::<u64>(),
            account.not_given.len(),
        ));
    } else {
        for fault in &faults {
            print_line(fault);
        }
    }
    if faults.is_empty() { Outcome::Done } else { Outcome::Found }
}
