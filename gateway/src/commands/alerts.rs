//! `alerts`: odd accesses and samples, seen from the machine.
//!
//! Looking and drawing are done here; signing off is not. Nobody vouches at the machine's own prompt
//! that who signs is not who did it.

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::odd_access::{self, AlertError, AlertLine, AlertView, Draw, Rules};
use crate::store::{AlertFilter, StoreError};

/// Commands about odd access.
#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// What waits to be looked into, oldest first.
    List(ListArgs),
    /// One alert: the entries of the log it is about, and its sign-off.
    Show {
        #[command(flatten)]
        configured: Configured,
        /// Its reference.
        alert: Uuid,
    },
    /// Draw accesses of past days at random, for line managers to confirm.
    Sample(SampleArgs),
    /// The rules in force, in words.
    Rules {
        #[command(flatten)]
        configured: Configured,
    },
}

/// Arguments of `alerts list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    configured: Configured,
    /// Only those of this rule.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Which.
    #[arg(long, value_enum, default_value = "open")]
    state: Wanted,
    /// At most this many lines.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    limit: u32,
}

/// Which alerts.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Wanted {
    /// Those that wait.
    Open,
    /// Those that are signed off.
    Closed,
    /// All.
    All,
}

/// Arguments of `alerts sample`.
#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    #[command(flatten)]
    configured: Configured,
    /// The first day to draw from.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last day, which must be over.
    #[arg(long, value_name = "DATE")]
    until: Date,
    /// How many accesses.
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Only those by this organisation's people.
    #[arg(long, value_name = "CODE")]
    organisation: Option<String>,
}

pub(super) async fn alerts(command: &AlertsCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        AlertsCommand::List(args) => list(args, json).await,
        AlertsCommand::Show { configured, alert } => show(configured, *alert, json).await,
        AlertsCommand::Sample(args) => sample(args, json).await,
        AlertsCommand::Rules { configured } => rules(configured, json).await,
    }
}

async fn list(args: &ListArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(&args.configured).await?;
    let filter = AlertFilter {
        rule: args.rule.clone(),
        open: match args.state {
            Wanted::Open => Some(true),
            Wanted::Closed => Some(false),
            Wanted::All => None,
        },
        ..AlertFilter::default()
    };
    let lines = odd_access::list(&app, &filter, None, args.limit, &app.operator()).await?;
    app.store.close().await;
    if json {
        let body = serde_json::json!({ "alerts": lines });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&lines_table(&lines));
        eprintln_line(&format!("{} alerts; sign them off over HTTPS, by name", lines.len()));
    }
    let overdue = lines.iter().any(|line| line.overdue);
    Ok(if overdue { Outcome::Found } else { Outcome::Done })
}

async fn show(configured: &Configured, id: Uuid, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let view = odd_access::show(&app, id, None, &app.operator()).await?;
    app.store.close().await;
    let Some(view) = view else {
        eprintln_line("error: there is no alert with this reference; `ehc-gateway alerts list`");
        return Ok(Outcome::NotFound);
    };
    if json {
        print_line(&serde_json::to_string_pretty(&view)?);
    } else {
        print_line(&view_text(&view));
    }
    Ok(Outcome::Done)
}

async fn sample(args: &SampleArgs, json: bool) -> anyhow::Result<Outcome> {
    let organisation = args.organisation.as_deref().map(OrganisationCode::parse).transpose();
    let organisation =
        organisation.context("--organisation takes an organisation code, for example 334")?;
    let draw = Draw { from: args.from, until: args.until, count: args.count, organisation };
    let app = super::serve::open_existing(&args.configured).await?;
    let drawn = match odd_access::sample(&app, &app.operator(), &draw).await {
        Ok((drawn, change)) => app.store.commit(change).await.map(|_| drawn).map_err(Into::into),
        Err(error) => Err(error),
    };
    app.store.close().await;
    match drawn {
        Ok(drawn) if json => print_line(&serde_json::to_string_pretty(&drawn)?),
        Ok(drawn) => print_line(&format!(
            "{} of {} accesses are drawn and wait in the queue.\nSeed {} from the checkpoint of size {}: whoever has that checkpoint and the log makes the same draw.",
            drawn.entries.len(),
            drawn.population,
            drawn.seed,
            drawn.checkpoint_size,
        )),
        Err(AlertError::Store(StoreError::Conflict { rule })) => {
            eprintln_line(&format!("error: {rule}; nobody draws twice"));
            return Ok(Outcome::InputRefused);
        }
        Err(error @ (AlertError::Code(_) | AlertError::Drawn(_))) => {
            eprintln_line(&format!("error: {error}"));
            return Ok(Outcome::InputRefused);
        }
        Err(AlertError::NotFound) => {
            eprintln_line("error: the log has no entry from before the end of these days");
            return Ok(Outcome::NotFound);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Done)
}

async fn rules(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let rules = app.odd_access();
    if json {
        let listed = rules.rules.iter().map(|rule| {
            serde_json::json!({
                "name": rule.name, "kind": rule.kind(), "severity": rule.severity,
                "words": rule.words, "reviewers": rule.reviewers,
                "review_within_days": rule.review_within_days,
            })
        });
        let body = serde_json::json!({
            "version": rules.version, "from": rules.from, "rules": listed.collect::<Vec<_>>(),
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&rules_text(rules));
    }
    app.store.close().await;
    Ok(Outcome::Done)
}

fn rules_text(rules: &Rules) -> String {
    let rows = rules.rules.iter().map(|rule| {
        vec![
            rule.name.clone(),
            rule.severity.as_str().to_owned(),
            format!("{}, {} days", rule.reviewers.as_str(), rule.review_within_days),
            rule.words.clone(),
        ]
    });
    let rows = table(&["rule", "severity", "looked into by", "what it means"], rows);
    format!("Rules of odd access {}, in force from {}\n\n{rows}", rules.version, rules.from)
}

fn lines_table(lines: &[AlertLine]) -> String {
    let rows = lines.iter().map(|line| {
        vec![
            line.alert.to_string(),
            line.rule.clone(),
            line.severity.clone(),
            line.organisation.clone(),
            format!("{} days{}", line.age_days, if line.overdue { ", overdue" } else { "" }),
            line.entries.to_string(),
            line.state.clone(),
            line.reviewers.clone(),
        ]
    });
    let header = ["alert", "rule", "severity", "of", "age", "entries", "state", "looked into by"];
    table(&header, rows)
}

fn view_text(view: &AlertView) -> String {
    let line = &view.line;
    let mut parts =
        vec![lines_table(std::slice::from_ref(line)), String::new(), line.words.clone()];
    if let Some(review) = line.review {
        parts.push(format!("Its review decides it: POST /v1/reviews/{review}/decision"));
    }
    let rows = view.concerns.iter().map(|entry| {
        vec![
            entry.entry.to_string(),
            entry.when.clone(),
            entry.what.clone(),
            entry.organisation.clone(),
            entry.person.clone().unwrap_or_else(|| "-".to_owned()),
            entry.record.map_or_else(|| "-".to_owned(), |record| record.to_string()),
        ]
    });
    let header = ["entry", "when", "what", "organisation", "person", "record"];
    parts.extend([String::new(), table(&header, rows)]);
    parts.extend(view.decisions.iter().map(|one| {
        let (outcome, reason, by) = (&one.outcome, &one.reason, &one.organisation);
        format!("{} {outcome} ({reason}) by {} of {by}", one.at, one.person)
    }));
    parts.join("\n")
}
