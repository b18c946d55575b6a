//! `audit look-ups` and `audit destroy-look-up`: whom the entries of a year are about, and the end
//! of knowing it.

use clap::Args;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::app::App;
use crate::audit::alias::Period;
use crate::look_up::{self, LookUpSize, Refusal, Standing};

/// Arguments of `audit destroy-look-up`.
#[derive(Debug, Args)]
pub(super) struct DestroyArgs {
    #[command(flatten)]
    configured: Configured,
    /// Which year.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(0..=9999))]
    period: i16,
    /// Do it. Without this it is only said what would be destroyed.
    #[arg(long)]
    confirm: bool,
}

pub(super) async fn list(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let standings = look_up::standings(&app).await;
    app.store.close().await;
    let standings = standings?;
    if json {
        print_line(&serde_json::to_string_pretty(&serde_json::json!({ "look_ups": standings }))?);
    } else {
        let header = ["year", "entries", "whom they are about"];
        print_line(&table(&header, standings.iter().map(row)));
    }
    Ok(Outcome::Done)
}

fn row(standing: &Standing) -> Vec<String> {
    let Standing { period, first_entry, last_entry, may_be_destroyed_from, destroyed } = standing;
    let year = if *period == Period::BEFORE { "before".to_owned() } else { period.to_string() };
    let last = last_entry.map_or_else(String::new, |last| last.to_string());
    let state = match (destroyed, may_be_destroyed_from) {
        (Some(gone), _) => {
            let entry = gone.entry.map(|entry| format!(", entry {entry}")).unwrap_or_default();
            format!("destroyed on {}{entry}", gone.on)
        }
        (None, Some(from)) => format!("known; may be destroyed from {from}"),
        (None, None) => "named in the entries themselves".to_owned(),
    };
    vec![year, format!("{first_entry}-{last}"), state]
}

pub(super) async fn destroy(args: &DestroyArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(&args.configured).await?;
    let outcome = destroy_in(&app, args, json).await;
    app.store.close().await;
    outcome
}

async fn destroy_in(app: &App, args: &DestroyArgs, json: bool) -> anyhow::Result<Outcome> {
    let (period, actor) = (Period::of_year(args.period), app.operator());
    let (size, entry, freed) = if args.confirm {
        match look_up::destroy(app, period, &actor).await? {
            Ok(done) => (done.size, Some(done.entry), done.freed),
            // It may have ended before the freed bytes were gone: asked again, it does the rest.
            Err(Refusal::Destroyed) => return freed_again(app, period, json).await,
            Err(refusal) => return Ok(refused(refusal)),
        }
    } else {
        match look_up::rehearse(app, period, &actor).await? {
            Ok(gone) => (gone.size, None, false),
            Err(refusal) => return Ok(refused(refusal)),
        }
    };
    if json {
        let body = serde_json::json!({
            "period": period, "entry": entry, "entries": size.entries, "looks": size.looks,
            "records_kept": size.records, "freed": freed,
        });
        print_line(&body.to_string());
    } else {
        print_line(&text(period, size, entry));
    }
    Ok(if entry.is_some() { left_in_files(app, freed) } else { Outcome::Done })
}

/// What was destroyed before may still be in the journal.
async fn freed_again(app: &App, period: Period, json: bool) -> anyhow::Result<Outcome> {
    let freed = app.store.forget_freed().await?;
    if json {
        let body = serde_json::json!({
            "period": period, "destroyed_before": true, "freed": freed,
        });
        print_line(&body.to_string());
    } else {
        print_line(
            "Nothing more to destroy: it was destroyed before; `audit look-ups` says when, and by \
             which entry.",
        );
    }
    Ok(left_in_files(app, freed))
}

/// Says what of it may still be in the database's own files, and what to do about that.
fn left_in_files(app: &App, freed: bool) -> Outcome {
    eprintln_line("Backups made before hold the look-up until they are destroyed too.");
    if app.store.engine_name() != "sqlite" {
        eprintln_line(ON_A_SERVER);
        return Outcome::Done;
    }
    if freed {
        return Outcome::Done;
    }
    eprintln_line(
        "The journal could not be emptied because somebody reads it: the key may still be in it. Run \
         this again, until it ends with 0.",
    );
    Outcome::TryAgain
}

fn refused(refusal: Refusal) -> Outcome {
    eprintln_line(&format!("error: {refusal}"));
    Outcome::InputRefused
}

fn text(period: Period, size: LookUpSize, entry: Option<u64>) -> String {
    let LookUpSize { entries, looks, records } = size;
    let what = format!(
        "the key of {period}, whom {entries} entries are about, and {looks} places on lists"
    );
    let mut lines = match entry {
        Some(entry) => vec![format!("Destroyed: {what}. Entry {entry} says so.")],
        None => vec![format!(
            "Would be destroyed, for good: {what}. Nothing was done; add --confirm to do it."
        )],
    };
    if records > 0 {
        lines.push(format!(
            "{records} records that those entries name still lead to somebody, by their own row, a case, a clock, the consent ledger or entries of other years. While they do, those entries can be tied to that person by whoever holds the database."
        ));
    }
    lines.join("\n")
}

/// The tables that a look-up is taken out of are those that `store::periods` writes.
const ON_A_SERVER: &str = "The key and the pseudonyms still stand in the server's files: an updated \
    row leaves its old version where it was. Have the tables written anew, at a quiet hour because it \
    locks them, and as soon as nobody has a transaction from before open:\n  \
    vacuum full log_periods, audit_entries, looks, records, deliveries;\n\
    then `checkpoint;`. They are also in the write-ahead log until it is recycled, and in its archives, \
    in replicas and base backups until those are destroyed.";
