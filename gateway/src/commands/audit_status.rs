//! `audit status`: how long the log is, and how much of it is known to be held outside.

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::outsiders;
use crate::store::HeldOutside;

pub(super) async fn status(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let size = app.log_size().await?;
    let held = app.store.held_outside().await?;
    let cosigned = outsiders::newest_cosigned(&app).await?;
    let restore = app.store.unconfirmed_restore().await?;
    app.store.close().await;
    if json {
        let lines: Vec<_> = held.iter().map(line).collect();
        let body = serde_json::json!({
            "log_size": size, "held_after_restore": restore.is_some(),
            "held_outside": lines, "cosigned": cosigned,
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
    if restore.is_none() {
        return Ok(Outcome::Done);
    }
    eprintln_line(
        "Nothing is released: the database was restored from a backup; see `restore show`.",
    );
    Ok(Outcome::Found)
}

fn line(held: &HeldOutside) -> serde_json::Value {
    serde_json::json!({
        "holder": held.holder, "means": held.means, "size": held.size,
        "signed_at": held.signed_at.to_string(), "since": held.since.to_string(),
    })
}

/// To the second: a table is for reading.
fn seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
