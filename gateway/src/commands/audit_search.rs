//! `audit search`: entries of the log by who, what, when and why.
//!
//! A child, or the user id of a person, comes on standard input: a command line is seen by everybody
//! on the machine and kept by shells.

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::civil::Date;

use super::who_has_seen::by_whom;
use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::access_report::Reason;
use crate::app::App;
use crate::log_search::{self, AskError, Asked, Found, FoundEntry};

/// Arguments of `audit search`.
#[derive(Debug, Args)]
pub(super) struct AuditSearchArgs {
    #[command(flatten)]
    configured: Configured,
    /// Why you ask; it goes into the log with your asking.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::CODES))]
    reason: String,
    /// About one child, whose NHS number is on standard input.
    #[arg(long, conflicts_with_all = ["id_of", "user_of"])]
    child: bool,
    /// About one child, whose id of this organisation's own is on standard input.
    #[arg(long, value_name = "CODE", conflicts_with = "user_of")]
    id_of: Option<String>,
    /// Done by one person, whose user id at this organisation is on standard input; `gateway` for a
    /// login of this machine.
    #[arg(long, value_name = "CODE")]
    user_of: Option<String>,
    /// Done by one person: the pseudonym that the log shows.
    #[arg(long, value_name = "PSEUDONYM", conflicts_with = "user_of")]
    person: Option<String>,
    /// Done by this organisation, or by `gateway`.
    #[arg(long, value_name = "CODE")]
    organisation: Option<String>,
    /// With this other organisation: who received, or whose record it is.
    #[arg(long, value_name = "CODE")]
    counterparty: Option<String>,
    /// Of this kind, for example delivery.collected; may be given several times.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// For this purpose: the code of a reason that somebody gave.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Relying on this authority, for example statute.
    #[arg(long, value_name = "CODE")]
    authority: Option<String>,
    /// With this outcome, for example hold.
    #[arg(long, value_name = "CODE")]
    outcome: Option<String>,
    /// From this day on.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Until this day, which is included.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// Only what stands before this entry: the next page.
    #[arg(long, value_name = "ENTRY")]
    before: Option<u64>,
    /// At most so many, up to 500.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    limit: u32,
}

pub(super) async fn audit_search(args: &AuditSearchArgs, json: bool) -> anyhow::Result<Outcome> {
    let whose = if args.child || args.id_of.is_some() || args.user_of.is_some() {
        Some(super::consents::whose().context("reading standard input")?)
    } else {
        None
    };
    let asked = asked(args, whose);
    let app = super::serve::open_existing(&args.configured).await?;
    let answered = answer(&app, &asked, json).await;
    app.store.close().await;
    answered
}

fn asked(args: &AuditSearchArgs, whose: Option<String>) -> Asked {
    Asked {
        reason: args.reason.clone(),
        nhs_number: whose.clone().filter(|_| args.child),
        person_id: whose.clone().filter(|_| args.id_of.is_some()),
        id_of: args.id_of.clone(),
        user: whose.filter(|_| args.user_of.is_some()),
        user_of: args.user_of.clone(),
        person: args.person.clone(),
        organisation: args.organisation.clone(),
        counterparty: args.counterparty.clone(),
        kinds: args.kind.clone(),
        purpose: args.purpose.clone(),
        authority: args.authority.clone(),
        outcome: args.outcome.clone(),
        from: args.from,
        until: args.until,
        before: args.before,
        limit: Some(args.limit),
    }
}

async fn answer(app: &App, asked: &Asked, json: bool) -> anyhow::Result<Outcome> {
    let search = match asked.search(app.vault.pseudonyms()) {
        Ok(search) => search,
        Err(why) => {
            eprintln_line(&format!("error: {}", on_the_command_line(why)));
            return Ok(Outcome::InputRefused);
        }
    };
    let found = log_search::search(app, &search, &app.operator()).await?;
    print_line(&if json { serde_json::to_string_pretty(&found)? } else { text(&found) });
    for one in &found.look_ups_destroyed {
        eprintln_line(&super::who_has_seen::not_known(one));
    }
    if let Some(next) = found.next_before {
        eprintln_line(&format!("There is more: add --before {next}."));
    }
    eprintln_line(&format!("That you asked is entry {}.", found.entry));
    Ok(Outcome::Done)
}

/// What to change, where the flags have other names than the members of the API.
fn on_the_command_line(why: AskError) -> String {
    match why {
        AskError::Child => {
            "write one NHS number to standard input with --child, or an id with --id-of CODE"
                .to_owned()
        }
        AskError::Person => {
            "write one user id to standard input with --user-of CODE (gateway for a login of this machine), or give --person the 16 digits that the log shows"
                .to_owned()
        }
        AskError::Reason
        | AskError::Organisation
        | AskError::Kind
        | AskError::Code
        | AskError::Limit => why.to_string(),
    }
}

fn text(found: &Found) -> String {
    if found.entries.is_empty() {
        return "The log has no such entry.".to_owned();
    }
    let header = ["entry", "when (London)", "who", "what", "with", "about", "why", "by"];
    table(&header, found.entries.iter().map(row))
}

fn row(entry: &FoundEntry) -> Vec<String> {
    let authority = entry.authority.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    let claimed = entry.claimed.as_ref().map(|said| format!(", says to be {said}"));
    let claimed = claimed.unwrap_or_default();
    vec![
        entry.entry.to_string(),
        entry.when.clone(),
        format!("{} ({})", entry.organisation_name, entry.organisation),
        entry.what.clone(),
        entry.counterparty.clone().unwrap_or_default(),
        entry.about.as_ref().map(|digits| format!("{digits}…")).unwrap_or_default(),
        format!("{authority}{}", entry.why),
        by_whom(entry.role.as_deref(), entry.person.as_deref(), &entry.method) + &claimed,
    ]
}
