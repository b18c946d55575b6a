//! `reconcile`: one day with one partner, as it was signed; checked anywhere with the public key.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde_json::Value;
use uuid::Uuid;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::receipt::{Signed, verify_as};
use crate::reconciliation::{self, EXPLANATION_CODES, ReconciliationError, Statement};
use crate::standing::{self, Standing};
use crate::store::StoredStatement;
use crate::telemetry::name_of;

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ReconcileArgs {
    #[command(subcommand)]
    command: Option<ReconcileCommand>,
    #[command(flatten)]
    of: OfDay,
}

#[derive(Debug, Args)]
struct OfDay {
    #[command(flatten)]
    configured: Configured,
    /// The day, for example 2026-03-31; the last one that has closed when none is named.
    #[arg(long, value_name = "DAY")]
    day: Option<Date>,
    /// The partner, by its code.
    #[arg(long, value_name = "CODE")]
    partner: Option<String>,
    /// Compute the day again as everything stands now: another version of it.
    #[arg(long)]
    again: bool,
}

/// Commands about statements and what was found to differ.
#[derive(Debug, Subcommand)]
enum ReconcileCommand {
    /// Check a statement with the gateway's public key alone; no store, no configuration.
    Verify {
        /// The statement: the signed text, or the answer of the API that holds it.
        file: PathBuf,
        /// The key: the answer of `/v1/audit/keys`, or one key as JWK.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Differences that nobody has explained yet.
    Differences {
        #[command(flatten)]
        configured: Configured,
    },
    /// Explain a difference, as a named person.
    Explain {
        #[command(flatten)]
        configured: Configured,
        /// The difference.
        difference: Uuid,
        /// The code of the explanation.
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(EXPLANATION_CODES))]
        code: String,
        /// Who explains, by their user id here; kept as a pseudonym.
        #[arg(long, value_name = "USER")]
        person: String,
    },
}

pub(super) async fn reconcile(args: &ReconcileArgs, json: bool) -> anyhow::Result<Outcome> {
    match &args.command {
        None => of_day(&args.of, json).await,
        Some(ReconcileCommand::Verify { file, key }) => verify(file, key, json),
        Some(ReconcileCommand::Differences { configured }) => differences(configured, json).await,
        Some(ReconcileCommand::Explain { configured, difference, code, person }) => {
            explain(configured, *difference, (code, person), json).await
        }
    }
}

async fn of_day(of: &OfDay, json: bool) -> anyhow::Result<Outcome> {
    let partner = of.partner.as_deref().context("name a partner with --partner CODE")?;
    let partner = OrganisationCode::parse(partner).context("not an organisation code")?;
    let app = super::serve::open_existing(&of.configured).await?;
    if app.partner(&partner).is_none() {
        app.store.close().await;
        eprintln_line("error: there is no partner with this code in the partners file");
        return Ok(Outcome::NotFound);
    }
    let found = async {
        let found = stored(&app, &partner, of).await?;
        standing::viewed(&app, &app.operator(), (Standing::Statement, 1), None).await?;
        Ok::<_, anyhow::Error>(found)
    };
    let found = found.await;
    let key = app.receipts.public_jwk();
    app.store.close().await;
    let found = found?;
    let statement: Statement = verify_as(Signed::Statement, &found.signed, &key)?;
    if json {
        let body = serde_json::json!({ "statement": statement, "signed": found.signed });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&in_words(&statement));
        let answer = match found.answered {
            None => "not answered yet".to_owned(),
            Some((true, at)) => format!("agreed at {at}"),
            Some((false, at)) => format!("answered at {at}: something differs"),
        };
        eprintln_line(&format!("Version {}, {answer}.", statement.version));
    }
    Ok(if statement.balances() { Outcome::Done } else { Outcome::Found })
}

async fn stored(
    app: &App,
    partner: &OrganisationCode,
    of: &OfDay,
) -> anyhow::Result<StoredStatement> {
    let day = of.day.or_else(|| reconciliation::last_closed(app)).context("no day has closed")?;
    if !of.again
        && let Some(stored) = app.store.statement(partner, day, None).await?
    {
        return Ok(stored);
    }
    match reconciliation::make(app, partner, day, &app.operator()).await {
        Err(ReconciliationError::NotClosed) => {
            let at = app.config.reconciliation.at;
            bail!(
                "{day} has not closed yet: a day closes at {at} by London's clocks; wait, or name an \
                 earlier one with --day"
            )
        }
        made => Ok(made?),
    }
}

fn in_words(statement: &Statement) -> String {
    let mut rows = Vec::new();
    for (direction, states) in &statement.totals.of {
        for (state, count) in states {
            rows.push(vec![name_of(*direction), name_of(*state), count.to_string()]);
        }
    }
    rows.push(vec!["all".to_owned(), String::new(), statement.totals.lines.to_string()]);
    let open = statement.differences.iter().filter(|one| one.explanation.is_none()).count();
    format!(
        "{} with {}, closed {}\n{}\n{} wait here for them; {open} differences are open.",
        statement.day,
        statement.aud,
        statement.closed_at,
        table(&["direction", "state", "items"], rows),
        statement.held_for_you.len(),
    )
}

fn verify(file: &Path, key: &Path, json: bool) -> anyhow::Result<Outcome> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("{} could not be read", path.display()))
    };
    let signed = signed_text(&read(file)?);
    let key: Value = serde_json::from_str(&read(key)?).context("the key is not JSON")?;
    let key = key.pointer("/receipts/keys/0").unwrap_or(&key);
    let statement = match verify_as::<Statement>(Signed::Statement, &signed, key) {
        Ok(statement) => statement,
        Err(error) => {
            if json {
                print_line(&serde_json::json!({ "verified": false }).to_string());
            }
            eprintln_line(&format!("error: {error}"));
            return Ok(Outcome::Found);
        }
    };
    let balances = statement.balances();
    if json {
        let body = serde_json::json!({
            "verified": true, "balances": balances, "statement": statement,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&in_words(&statement));
        let sum = if balances { "its lines add up" } else { "its lines DO NOT add up" };
        eprintln_line(&format!("Signed by this key and not changed since; {sum}."));
    }
    Ok(if balances { Outcome::Done } else { Outcome::Found })
}

/// The signed text, from itself or from the member of an answer that holds it.
fn signed_text(content: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(content).ok();
    let member = answer.as_ref().and_then(|answer| answer.get("signed")).and_then(Value::as_str);
    member.unwrap_or(content).trim().to_owned()
}

async fn differences(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let open = async {
        let open = app.store.differences(None, None, DIFFERENCES_MAX).await?;
        let looked = (Standing::Differences, open.len());
        standing::viewed(&app, &app.operator(), looked, None).await?;
        Ok::<_, crate::store::StoreError>(open)
    };
    let open = open.await;
    let today = app.clock.today();
    app.store.close().await;
    let open = open?;
    let days = |at| (today - crate::clock::london_date(at)).get_days();
    if json {
        let lines: Vec<Value> = open
            .iter()
            .map(|one| {
                serde_json::json!({
                    "difference": one.id, "partner": one.about.partner, "day": one.about.day,
                    "item": one.item, "code": one.code, "days_open": days(one.raised_at),
                })
            })
            .collect();
        print_line(&serde_json::to_string_pretty(&lines)?);
    } else {
        let rows = open.iter().map(|one| {
            vec![
                one.id.to_string(),
                one.about.partner.to_string(),
                one.about.day.to_string(),
                one.code.clone(),
                one.item.to_string(),
                days(one.raised_at).to_string(),
            ]
        });
        print_line(&table(&["difference", "partner", "day", "code", "item", "days open"], rows));
    }
    Ok(if open.is_empty() { Outcome::Done } else { Outcome::Found })
}

async fn explain(
    configured: &Configured,
    difference: Uuid,
    (code, person): (&str, &str),
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let own = app.organisation().clone();
    let actor = app.operator_saying(person);
    let explained = match reconciliation::explain(&app, difference, (&own, code), &actor).await {
        Ok(change) => app.store.commit(change).await.map(drop).map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    app.store.close().await;
    if let Err(error) = explained {
        bail!(error.context("the difference was not explained"));
    }
    if json {
        let body = serde_json::json!({ "difference": difference, "explanation": code });
        print_line(&body.to_string());
    } else {
        eprintln_line("Explained; the partner's next statement says so.");
    }
    Ok(Outcome::Done)
}

/// The most differences shown.
const DIFFERENCES_MAX: u32 = 5_000;
