//! `audit status`: how long the log is, and how much of it is known to be held outside.

use jiff::Timestamp;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::outsiders::{self, Holder, Reach};
use crate::store::HeldOutside;

pub(super) async fn status(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let size = app.log_size().await?;
    let held = app.store.held_outside().await?;
    let cosigned = outsiders::newest_cosigned(&app).await?;
    let restore = app.store.unconfirmed_restore().await?;
    let (reach, now) = (Reach::of(&app).await?, app.clock.now());
    app.store.close().await;
    if json {
        let lines: Vec<_> = held.iter().map(line).collect();
        let body = serde_json::json!({
            "log_size": size, "held_after_restore": restore.is_some(),
            "held_outside": lines, "cosigned": cosigned, "outside": outside(&reach, now),
        });
        print_line(&format!("{body:#}"));
    } else {
        let header = ["held by", "entries", "signed at (UTC)", "known by", "since (UTC)"];
        let rows = held.iter().map(|held| {
            let HeldOutside { holder, means, size, signed_at, since } = held;
            vec![
                holder.clone(),
                size.to_string(),
                seconds(*signed_at),
                means.clone(),
                seconds(*since),
            ]
        });
        if !held.is_empty() {
            print_line(&table(&header, rows));
        }
    }
    match held.first() {
        Some(newest) => eprintln_line(&format!(
            "The log has {size} entries. The newest checkpoint known to be held outside covers {} of them: by {}, since {}.",
            newest.size,
            newest.holder,
            seconds(newest.since)
        )),
        None => eprintln_line(&format!(
            "The log has {size} entries. Nobody outside is known to hold a checkpoint of it: list a witness, or have partners echo theirs.",
        )),
    }
    say_reach(&reach, now);
    if restore.is_none() {
        return Ok(Outcome::Done);
    }
    eprintln_line(
        "Nothing is released: the database was restored from a backup; see `restore show`.",
    );
    Ok(Outcome::Found)
}

/// What is set up to take the log outside, and whether it does.
fn say_reach(reach: &Reach, now: Timestamp) {
    if !reach.is_set_up() {
        eprintln_line(
            "Nothing is set up to take checkpoints outside: only partners who fetch them do, and whether they keep them is not known. List a witness ([[audit.witnesses]]), publish the log ([audit] publish_to) or give it a second place ([[audit.sinks]]).",
        );
    }
    for Holder { kind, name, has, waiting_since } in &reach.holders {
        let kind = kind.name();
        let waits = waiting_since.map_or_else(
            || "the newest checkpoint".to_owned(),
            |since| {
                format!("{has} of {} entries; the rest waits since {}", reach.size, seconds(since))
            },
        );
        eprintln_line(&format!("The {kind} {name} has {waits}."));
    }
    if let Some(late) = reach.late(now) {
        eprintln_line(&format!(
            "NOTHING OUTSIDE HOLDS THE NEWEST CHECKPOINT, for {late} seconds now: until something does, whoever owns this machine could take back what is not held. Look at the witnesses, the published folder and the sinks."
        ));
    }
}

fn outside(reach: &Reach, now: Timestamp) -> serde_json::Value {
    let since = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let holders = reach.holders.iter().map(|holder| {
        serde_json::json!({
            "kind": holder.kind.name(), "name": holder.name, "entries": holder.has,
            "waiting_since": since(holder.waiting_since),
        })
    });
    serde_json::json!({
        "is_set_up": reach.is_set_up(), "entries": reach.covers,
        "waiting_since": since(reach.waiting_since), "age_seconds": reach.age(now),
        "is_late": reach.late(now).is_some(), "holders": holders.collect::<Vec<_>>(),
    })
}

fn line(held: &HeldOutside) -> serde_json::Value {
    serde_json::json!({
        "holder": held.holder, "means": held.means, "size": held.size,
        "signed_at": held.signed_at.to_string(), "since": held.since.to_string(),
    })
}

/// To the second: a table is for reading.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
