//! `holds`, `deliveries` and `quarantine`: what waits for people, seen from the machine.
//!
//! Looking is done here; voting is not. Two people are two people only where their organisations
//! vouch for them, and at the machine's own prompt nobody does.

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::extract::format_named;
use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::audit::Actor;
use crate::holds::{self, Line, ReviewLine};
use crate::queue::{DeliveryId, DeliveryState};
use crate::receipt::RowResult;
use crate::repair::{self, QuarantineLine, RepairError, Replay};
use crate::standing::{self, Standing};
use crate::store::HoldFilter;
use crate::telemetry::name_of;

/// Commands about what is held.
#[derive(Debug, Subcommand)]
pub(super) enum HoldsCommand {
    /// What is held, oldest first: since when, why, votes, questions and whose move it is.
    List(ListArgs),
    /// One held delivery.
    Show {
        #[command(flatten)]
        configured: Configured,
        /// The delivery's id.
        delivery: Uuid,
    },
    /// Releases in an emergency, with their reviews; those that are open first.
    Reviews {
        #[command(flatten)]
        configured: Configured,
    },
}

/// Arguments of `holds list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    configured: Configured,
    /// Only those whose record is this organisation's.
    #[arg(long, value_name = "CODE")]
    from: Option<String>,
    /// Only those on their way to this organisation.
    #[arg(long, value_name = "CODE")]
    to: Option<String>,
    /// Only those held by this rule.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only those held for at least this many days.
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u16>,
    /// At most this many lines.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    limit: u32,
}

/// Commands about deliveries that did not arrive.
#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesCommand {
    /// Deliveries that failed, or whose fate is not known.
    List {
        #[command(flatten)]
        configured: Configured,
        /// Which.
        #[arg(long, value_enum)]
        state: Undone,
        /// At most this many lines.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: u32,
    },
    /// Send one again. Authority is asked again when it goes.
    Resend {
        #[command(flatten)]
        configured: Configured,
        /// The delivery's id.
        delivery: Uuid,
        /// Why, as a code.
        #[arg(long, value_parser = repair::RESEND_REASONS)]
        reason: String,
        /// Who decides this: your user id.
        #[arg(long, value_name = "USER")]
        person: String,
    },
}

/// The states from which a person has something sent again.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Undone {
    /// The recipient's endpoint refused it for good, or attempts ran out.
    Failed,
    /// It may or may not have arrived.
    Unknown,
}

/// Commands about what was not accepted.
#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// What is in quarantine and was not resolved, oldest first.
    List {
        #[command(flatten)]
        configured: Configured,
        /// Only what this organisation sent.
        #[arg(long, value_name = "CODE")]
        from: Option<String>,
        /// At most this many lines.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: u32,
    },
    /// What is wrong with one item. Its content is not shown.
    Show {
        #[command(flatten)]
        configured: Configured,
        /// The item's id.
        item: Uuid,
    },
    /// Take what its partner sent through the pipeline again, under the settings of now.
    Replay(ReplayArgs),
}

/// Arguments of `quarantine replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    configured: Configured,
    /// The item's id.
    item: Uuid,
    /// The corrected mapping to read it with; the one it was sent under when none is named.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// How it is written, where that cannot be told.
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    format: Option<adapters::Format>,
    /// Say what would happen and commit nothing.
    #[arg(long)]
    dry_run: bool,
    /// Who decides this: your user id.
    #[arg(long, value_name = "USER", required_unless_present = "dry_run")]
    person: Option<String>,
}

pub(super) async fn holds(command: &HoldsCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        HoldsCommand::List(args) => list(args, json).await,
        HoldsCommand::Show { configured, delivery } => show(configured, *delivery, json).await,
        HoldsCommand::Reviews { configured } => reviews(configured, json).await,
    }
}

async fn list(args: &ListArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(&args.configured).await?;
    let days = args.older_than.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let filter = HoldFilter {
        sender: code(args.from.as_deref())?,
        recipient: code(args.to.as_deref())?,
        rule: args.rule.clone(),
        until: days.and_then(|days| app.clock.now().checked_sub(days).ok()),
    };
    let lines = holds::lines(&app, &filter, None, args.limit, &app.operator()).await?;
    let reviews = holds::reviews_waiting(&app, None).await?;
    app.store.close().await;
    if json {
        let body = serde_json::json!({ "holds": lines, "reviews": reviews });
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&holds_table(&lines));
        let oldest = lines.first().map_or(0, |line| line.age_days);
        eprintln_line(&format!(
            "{} held, the oldest for {oldest} days; {} releases in an emergency not reviewed.",
            lines.len(),
            reviews.count
        ));
        if !lines.is_empty() {
            eprintln_line(
                "People approve, refuse and ask through their own organisation's system, which \
                 vouches for who they are; `holds show DELIVERY` says why one waits.",
            );
        }
    }
    let waits = !lines.is_empty() || reviews.count > 0;
    Ok(if waits { Outcome::Found } else { Outcome::Done })
}

fn holds_table(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| {
        vec![
            line.delivery.to_string(),
            format!("{} days", line.age_days),
            line.kind.as_str().to_owned(),
            line.from.to_string(),
            line.to.to_string(),
            line.rule.clone().unwrap_or_default(),
            line.votes.len().to_string(),
            line.waits_for.clone(),
        ]
    });
    table(&["delivery", "held for", "type", "from", "to", "rule", "votes", "waits for"], rows)
}

async fn show(configured: &Configured, id: Uuid, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let line = holds::line(&app, DeliveryId(id), None, &app.operator()).await?;
    app.store.close().await;
    let Some(line) = line else {
        eprintln_line("error: nothing with this id is held; `holds list` shows ids");
        return Ok(Outcome::NotFound);
    };
    if json {
        print_line(&serde_json::to_string_pretty(&line)?);
        return Ok(Outcome::Done);
    }
    let mut rows = vec![
        vec!["delivery".to_owned(), line.delivery.to_string()],
        vec!["record".to_owned(), line.record.to_string()],
        vec!["type".to_owned(), line.kind.as_str().to_owned()],
        vec!["from".to_owned(), format!("{} ({})", line.from_name, line.from)],
        vec!["to".to_owned(), format!("{} ({})", line.to_name, line.to)],
        vec!["held since".to_owned(), format!("{} ({} days)", line.since, line.age_days)],
        vec!["rule".to_owned(), line.rule.clone().unwrap_or_default()],
        vec!["why".to_owned(), line.reason.clone().unwrap_or_default()],
    ];
    for vote in &line.votes {
        rows.push(vec!["vote".to_owned(), format!("{} of {}", vote.person, vote.organisation)]);
    }
    for asked in &line.questions {
        let answer = asked.answer.as_deref().unwrap_or("not answered");
        let said = format!("{} to {}: {answer}", asked.question, asked.asked_of);
        rows.push(vec!["question".to_owned(), said]);
    }
    rows.push(vec!["waits for".to_owned(), line.waits_for.clone()]);
    print_line(&table(&["what", "value"], rows));
    Ok(Outcome::Done)
}

async fn reviews(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let lines = holds::reviews(&app, None, &app.operator()).await?;
    app.store.close().await;
    let open = lines.iter().filter(|line| line.outcome.is_none()).count();
    if json {
        print_line(&serde_json::to_string_pretty(&serde_json::json!({ "reviews": lines }))?);
    } else {
        print_line(&reviews_table(&lines));
        eprintln_line(&format!("{open} not reviewed."));
    }
    Ok(if open > 0 { Outcome::Found } else { Outcome::Done })
}

fn reviews_table(lines: &[ReviewLine]) -> String {
    let rows = lines.iter().map(|line| {
        let outcome = line.outcome.clone().unwrap_or_else(|| "not reviewed".to_owned());
        vec![
            line.id.to_string(),
            format!("{} days", line.age_days),
            line.kind.as_str().to_owned(),
            line.from.to_string(),
            line.to.to_string(),
            line.basis.clone(),
            line.reason.clone(),
            outcome,
        ]
    });
    table(&["review", "open for", "type", "from", "to", "ground", "emergency", "outcome"], rows)
}

pub(super) async fn deliveries(command: &DeliveriesCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        DeliveriesCommand::List { configured, state, limit } => {
            undone(configured, *state, *limit, json).await
        }
        DeliveriesCommand::Resend { configured, delivery, reason, person } => {
            let app = super::serve::open_existing(configured).await?;
            let actor = named(&app, person);
            let id = DeliveryId(*delivery);
            let outcome = match repair::resend(&app, None, &actor, id, reason).await {
                Ok(change) => app.store.commit(change).await.map(drop).map_err(RepairError::from),
                Err(error) => Err(error),
            };
            app.store.close().await;
            match outcome {
                Ok(()) => {
                    let body = serde_json::json!({ "delivery": id, "state": "queued" });
                    print_line(&if json {
                        body.to_string()
                    } else {
                        format!("{id} is queued again.")
                    });
                    Ok(Outcome::Done)
                }
                Err(error) => not_repaired(error),
            }
        }
    }
}

async fn undone(
    configured: &Configured,
    state: Undone,
    limit: u32,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let state = match state {
        Undone::Failed => DeliveryState::Failed,
        Undone::Unknown => DeliveryState::Unknown,
    };
    let found = async {
        let found = app.store.deliveries_in(state, None, limit).await?;
        let looked = (Standing::Deliveries, found.len());
        standing::viewed(&app, &app.operator(), looked, None).await?;
        Ok::<_, crate::store::StoreError>(found)
    };
    let found = found.await;
    app.store.close().await;
    let found = found?;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|delivery| {
            vec![
                delivery.id.to_string(),
                delivery.kind.as_str().to_owned(),
                delivery.sender.to_string(),
                delivery.recipient.to_string(),
                name_of(delivery.carrier),
                delivery.attempts.to_string(),
                delivery.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["delivery", "type", "from", "to", "carrier", "attempts", "reason"];
    if json {
        print_line(&serde_json::to_string_pretty(&as_objects(&header, &rows))?);
    } else {
        print_line(&table(&header, rows.clone()));
    }
    Ok(if rows.is_empty() { Outcome::Done } else { Outcome::Found })
}

fn as_objects(header: &[&str], rows: &[Vec<String>]) -> serde_json::Value {
    let object = |row: &Vec<String>| {
        let cells =
            header.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.as_str().into()));
        serde_json::Value::Object(cells.collect())
    };
    serde_json::json!({ "deliveries": rows.iter().map(object).collect::<Vec<_>>() })
}

pub(super) async fn quarantine(command: &QuarantineCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        QuarantineCommand::List { configured, from, limit } => {
            let app = super::serve::open_existing(configured).await?;
            let sender = code(from.as_deref())?;
            let limit = usize::try_from(*limit)?;
            let lines = repair::quarantined(&app, sender.as_ref(), &app.operator(), limit).await?;
            app.store.close().await;
            if json {
                let body = serde_json::json!({ "quarantine": lines });
                print_line(&serde_json::to_string_pretty(&body)?);
            } else {
                print_line(&quarantine_table(&lines));
                eprintln_line(&format!("{} items.", lines.len()));
            }
            Ok(if lines.is_empty() { Outcome::Done } else { Outcome::Found })
        }
        QuarantineCommand::Show { configured, item } => {
            let app = super::serve::open_existing(configured).await?;
            let line = repair::quarantined_item(&app, *item, &app.operator()).await?;
            app.store.close().await;
            let Some(line) = line else {
                eprintln_line("error: nothing with this id is in quarantine");
                return Ok(Outcome::NotFound);
            };
            if json {
                print_line(&serde_json::to_string_pretty(&line)?);
                return Ok(Outcome::Done);
            }
            for issue in &line.issues {
                print_line(&issue.to_string());
            }
            Ok(Outcome::Done)
        }
        QuarantineCommand::Replay(args) => Box::pin(replay(args, json)).await,
    }
}

fn quarantine_table(lines: &[QuarantineLine]) -> String {
    let rows = lines.iter().map(|line| {
        let rules: std::collections::BTreeSet<&str> =
            line.issues.iter().filter(|i| i.is_error()).map(|i| i.rule.as_str()).collect();
        vec![
            line.id.to_string(),
            line.since.to_string(),
            line.sender.to_string(),
            line.replays.to_string(),
            rules.into_iter().collect::<Vec<_>>().join(" "),
        ]
    });
    table(&["item", "since", "from", "replays", "rules"], rows)
}

async fn replay(args: &ReplayArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(&args.configured).await?;
    let how = Replay { mapping: args.mapping.clone(), format: args.format };
    if args.dry_run {
        let preview = repair::rehearse_replay(&app, args.item, how).await;
        app.store.close().await;
        let preview = match preview {
            Ok(preview) => preview,
            Err(error) => return not_repaired(error),
        };
        print_line(&if json {
            serde_json::to_string_pretty(&preview)?
        } else {
            format!(
                "Dry run: {} would be accepted, {} are known already, {} would be quarantined. Nothing was stored; that it was tried is in the log.",
                preview.accepted, preview.unchanged, preview.quarantined
            )
        });
        let refused = preview.quarantined > 0;
        return Ok(if refused { Outcome::InputRefused } else { Outcome::Done });
    }
    let actor = named(&app, args.person.as_deref().unwrap_or_default());
    let answer = repair::replay(&app, args.item, how, &actor).await;
    app.store.close().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return not_repaired(error),
    };
    if json {
        print_line(&String::from_utf8_lossy(&answer.body));
    } else {
        let count = |wanted| answer.rows.iter().filter(|row| row.outcome == wanted).count();
        print_line(&format!(
            "Submission {}: {} accepted, {} known already, {} quarantined.",
            answer.submission,
            count(RowResult::Accepted),
            count(RowResult::Unchanged),
            count(RowResult::Quarantined)
        ));
    }
    Ok(if answer.status >= 400 { Outcome::InputRefused } else { Outcome::Done })
}

/// Says why nothing was repaired, and how the command ends.
fn not_repaired(error: RepairError) -> anyhow::Result<Outcome> {
    match error {
        RepairError::NotFound => {
            eprintln_line("error: there is nothing with this id");
            Ok(Outcome::NotFound)
        }
        RepairError::AlreadyDone(why) | RepairError::Code(why) | RepairError::Unreadable(why) => {
            eprintln_line(&format!("error: {why}"));
            Ok(Outcome::InputRefused)
        }
        error @ (RepairError::Receive(_) | RepairError::Vault(_) | RepairError::Store(_)) => {
            Err(error.into())
        }
    }
}

/// Whoever types, with the person who they say decides.
fn named(app: &App, person: &str) -> Actor {
    app.operator_saying(person)
}

fn code(text: Option<&str>) -> anyhow::Result<Option<OrganisationCode>> {
    text.map(OrganisationCode::parse).transpose().context("not an organisation code")
}
