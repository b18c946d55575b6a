//! `documents rescan`: has the scanner look at what it could not see, now.

use clap::Subcommand;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::documents::caretaker;
use crate::store::Notice;

/// Commands about documents.
#[derive(Debug, Subcommand)]
pub(super) enum DocumentsCommand {
    /// Scan what waits for the scanner, take held messages up again, and give up what was left alone.
    Rescan {
        #[command(flatten)]
        configured: Configured,
    },
}

pub(super) async fn documents(command: &DocumentsCommand, json: bool) -> anyhow::Result<Outcome> {
    let DocumentsCommand::Rescan { configured } = command;
    let app = super::serve::open_existing(configured).await?;
    let round = caretaker::round(&app).await;
    let scanner = app.documents.has_scanner();
    app.store.close().await;
    let round = round?;
    if round.inspected + round.retaken + round.abandoned == 0 {
        Notice::current().say_nothing_was_done();
    }
    if json {
        print_line(&serde_json::to_string_pretty(&round)?);
    } else {
        let rows = [
            ("documents looked at", round.inspected),
            ("documents that still wait for the scanner", round.not_scanned),
            ("messages taken up again", round.retaken),
            ("messages that still wait for the scanner", round.waiting),
            ("uploads given up", round.abandoned),
        ];
        let rows = rows.map(|(what, count)| vec![what.to_owned(), count.to_string()]);
        print_line(&table(&["what", "how many"], rows));
        if !scanner {
            eprintln_line("No scanner is configured ([documents] scanner): nothing is scanned.");
        }
    }
    let waits = round.not_scanned + round.waiting > 0;
    Ok(if waits { Outcome::Found } else { Outcome::Done })
}
