//! `audit status` and `audit checkpoint`: how long the log is, how much of it is known to be held
//! outside, and the signed head to hold there.

use std::path::Path;

use anyhow::Context;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::outsiders;
use crate::store::HeldOutside;
use crate::whole_file;

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

pub(super) async fn checkpoint(
    configured: &Configured,
    out: Option<&Path>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let newest = app.store.latest_checkpoint().await;
    app.store.close().await;
    let Some(newest) = newest? else {
        eprintln_line("The log has no entries yet, and so no checkpoint. Start the gateway first.");
        return Ok(Outcome::NotFound);
    };
    if let Some(file) = out {
        whole_file::create(file, newest.note.as_bytes(), 0o644).with_context(|| {
            format!(
                "{} could not be made; name a new file in a folder that is there",
                file.display()
            )
        })?;
        eprintln_line(&format!("{} vouches for {} entries.", file.display(), newest.size));
    }
    if json {
        print_line(
            &serde_json::json!({ "size": newest.size, "checkpoint": newest.note }).to_string(),
        );
    } else if out.is_none() {
        print_line(newest.note.trim_end());
    }
    Ok(Outcome::Done)
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
