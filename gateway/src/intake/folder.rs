//! Exports picked up from a folder that the operator gave a partner.
//!
//! A file is taken when it is complete: it has kept its size and time for as long as the partner's
//! entry says, or its marker is beside it. It is moved to `processing/`, read, handed to the
//! pipeline under a key made of its bytes, and moved to `done/` or `refused/` with a report beside
//! it (`NAME.report.json`, `NAME.report.txt`). Each move is one rename, and the report is written
//! before the last one: after a crash at any point the file is found where it was left, gets the
//! same answer again, and nothing is done twice.
//!
//! The extension says the format: csv, xlsx, xml, json (our message), hl7, or zip for a set of tables
//! with its manifest, whose counts and hashes the reader holds it to. Anything else, hidden
//! files and folders are left alone. Links, files that have a second name elsewhere, names with
//! control characters and files over the reader's limit are refused with a report. One file that
//! cannot be used never blocks the others, and one partner's folder never another's.
//!
//! This module must never know formats beyond their names. File names are a partner's: they stand
//! in the partner's folder and nowhere else. Not supported: notification by the operating system,
//! because shares do not pass it on; files over the limit of one submission (send them in parts).

mod tray;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use schemas::{Issue, OrganisationCode, PersonalBytes, Place};
use tokio_util::sync::CancellationToken;

use super::Arrival;
use super::report::{FileOutcome, Report};
use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::config::{Partner, Watch};
use crate::entropy::sha256_hex;
use crate::pipeline::ReceiveError;
use crate::store::Change;
use tray::{Content, Found, Seen, Tray};

/// Watches one partner's folder until told to stop; the file in hand is finished.
pub async fn run(app: Arc<App>, organisation: OrganisationCode, stop: CancellationToken) {
    let mut watcher = Watcher::default();
    while !stop.is_cancelled() {
        let partner = app.partner(&organisation).filter(|partner| partner.enabled);
        if let Some((partner, watch)) = partner.and_then(|p| Some((p.clone(), p.watch?))) {
            let done = watcher.pass(&app, &partner, &watch, &stop).await;
            watcher.say(&organisation, done);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// What is remembered from one look to the next. Nothing in it must survive a restart.
#[derive(Debug, Default)]
struct Watcher {
    seen: BTreeMap<OsString, Seen>,
    /// Files whose turn comes later, and after how many looks.
    postponed: BTreeMap<OsString, Postponed>,
    trouble: Option<std::io::ErrorKind>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Postponed {
    looks: u32,
    next: u32,
}

/// Whether a file's turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Over,
    Later,
}

impl Watcher {
    /// One look at the folder: first what was in hand, then what has become complete.
    async fn pass(
        &mut self,
        app: &Arc<App>,
        partner: &Partner,
        watch: &Watch,
        stop: &CancellationToken,
    ) -> std::io::Result<()> {
        let tray = Tray::open(watch)?;
        for name in tray.in_hand()? {
            if stop.is_cancelled() {
                return Ok(());
            }
            self.turn(app, partner, &tray, name).await;
        }
        let now = app.clock.now();
        let found = tray.waiting(&mut self.seen, now)?;
        app.metrics.watched_waiting(&partner.organisation, found.waiting);
        for found in found.due {
            if stop.is_cancelled() {
                return Ok(());
            }
            match found {
                Found::Complete(name) => {
                    if tray.begin(&name)? {
                        self.turn(app, partner, &tray, name).await;
                    }
                }
                Found::Unfit(name, issue) => refuse(app, partner, &tray, (&name, issue)).await?,
            }
        }
        Ok(())
    }

    /// A file's turn, unless it was postponed. Whatever goes wrong in it stays its own.
    async fn turn(&mut self, app: &Arc<App>, partner: &Partner, tray: &Tray, name: OsString) {
        if let Some(postponed) = self.postponed.get_mut(&name)
            && postponed.looks > 0
        {
            postponed.looks -= 1;
            return;
        }
        let (app, partner, tray) = (Arc::clone(app), partner.clone(), tray.clone());
        let (who, file) = (partner.organisation.clone(), name.clone());
        let work = tokio::spawn(async move { handle(&app, &partner, &tray, &file).await });
        match work.await {
            Ok(Ok(Turn::Over)) => {
                self.postponed.remove(&name);
                return;
            }
            Ok(Ok(Turn::Later)) => {}
            // Another gateway that shares the folder has finished it.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                self.postponed.remove(&name);
                return;
            }
            Ok(Err(error)) => {
                let kind = error.kind();
                tracing::error!(organisation = %who, error = %kind, "an export could not be moved");
            }
            Err(_) => tracing::error!(organisation = %who, "an export could not be worked on"),
        }
        let postponed = self.postponed.entry(name).or_default();
        postponed.next = (postponed.next * 2).clamp(2, LOOKS_MAX);
        postponed.looks = postponed.next;
    }

    /// Says that a folder cannot be used once, and once that it can be again.
    fn say(&mut self, organisation: &OrganisationCode, done: std::io::Result<()>) {
        let trouble = done.err().map(|error| error.kind());
        match (self.trouble, trouble) {
            (before, Some(now)) if before != Some(now) => {
                tracing::error!(%organisation, error = %now, "a watched folder cannot be used");
            }
            (Some(_), None) => tracing::info!(%organisation, "a watched folder can be used again"),
            (None | Some(_), _) => {}
        }
        self.trouble = trouble;
    }
}

/// Takes one file that lies in `processing/`.
async fn handle(
    app: &App,
    partner: &Partner,
    tray: &Tray,
    name: &OsString,
) -> std::io::Result<Turn> {
    let bytes = match tray.read(name).await? {
        Content::Whole(bytes) => bytes,
        Content::Growing => return Ok(Turn::Later),
        Content::Unfit(issue, bytes) => {
            note_refusal(app, partner, &issue).await?;
            return finish(app, partner, tray, (name, Report::refused(issue, bytes))).await;
        }
    };
    let Some(format) = tray::format_of(name) else { return Ok(Turn::Over) };
    let mapping = tray.mapping.clone().or_else(|| partner.mapping.clone());
    if format.is_tabular() && mapping.is_none() {
        let issue = no_mapping();
        note_refusal(app, partner, &issue).await?;
        let report = Report::refused(issue, bytes.len().try_into().unwrap_or(u64::MAX));
        return finish(app, partner, tray, (name, report)).await;
    }
    let mapping = mapping.filter(|_| format.is_tabular() || tray.mapping.is_some());
    let arrival = Arrival {
        format,
        key: key(app, partner, format, mapping.as_deref(), &bytes),
        mapping,
        bytes: PersonalBytes::new(bytes.clone()),
    };
    let actor = Actor::folder(&partner.organisation);
    match super::take(app, partner, actor, arrival).await {
        Ok(answer) => {
            app.metrics.submission(&partner.organisation, answer.status);
            let report = Report::answered(&answer, format, &bytes);
            finish(app, partner, tray, (name, report)).await
        }
        Err(ReceiveError::Unreadable(error)) => {
            let size = bytes.len().try_into().unwrap_or(u64::MAX);
            finish(app, partner, tray, (name, Report::refused(error.to_issue(), size))).await
        }
        // Busy, or the operator's to put right: the file waits, the others go on.
        Err(
            error @ (ReceiveError::InProgress
            | ReceiveError::KeyReused
            | ReceiveError::UnknownMapping
            | ReceiveError::Store(_)
            | ReceiveError::Vault(_)
            | ReceiveError::Entropy(_)
            | ReceiveError::Ours(_)),
        ) => {
            let chain = crate::telemetry::chain(&error);
            let organisation = &partner.organisation;
            tracing::warn!(%organisation, error = %chain, "an export waits for another try");
            Ok(Turn::Later)
        }
    }
}

/// The key of a file: what it says, and how it is read. A mapping that was put right reads a file
/// anew; rows that were accepted before are known then.
fn key(
    app: &App,
    partner: &Partner,
    format: Format,
    mapping: Option<&str>,
    bytes: &[u8],
) -> String {
    let read_by = mapping.and_then(|name| app.mapping(&partner.organisation, Some(name)));
    let version = read_by.map_or(0, |mapping| mapping.version());
    let mapping = mapping.unwrap_or_default();
    format!("folder {format:?} {mapping} {version} {}", sha256_hex(bytes))
}

async fn finish(
    app: &App,
    partner: &Partner,
    tray: &Tray,
    (name, report): (&OsString, Report),
) -> std::io::Result<Turn> {
    let unique = app.make_id().map_err(std::io::Error::other)?.to_string();
    tray.finish(name, &report, &unique).await?;
    say_outcome(app, partner, &report);
    Ok(Turn::Over)
}

/// Refuses what is not even moved to `processing/`.
async fn refuse(
    app: &App,
    partner: &Partner,
    tray: &Tray,
    (name, issue): (&OsString, Issue),
) -> std::io::Result<()> {
    note_refusal(app, partner, &issue).await?;
    let unique = app.make_id().map_err(std::io::Error::other)?.to_string();
    let report = Report::refused(issue, 0);
    tray.refuse(name, &report, &unique).await?;
    say_outcome(app, partner, &report);
    Ok(())
}

/// A file that did not reach the pipeline is an entry in the log as well.
async fn note_refusal(app: &App, partner: &Partner, issue: &Issue) -> std::io::Result<()> {
    let event = Event::new(EventKind::MessageRefused, Actor::folder(&partner.organisation))
        .with("rule", &issue.rule)
        .with("place", &issue.place);
    app.store.commit(Change::because(event)).await.map_err(std::io::Error::other)?;
    Ok(())
}

fn say_outcome(app: &App, partner: &Partner, report: &Report) {
    let organisation = &partner.organisation;
    app.metrics.watched_file(organisation, report.outcome);
    let outcome = match report.outcome {
        FileOutcome::Taken => "an export was taken",
        FileOutcome::TakenInPart => "an export was taken in part",
        FileOutcome::Refused => "an export was refused",
    };
    let submission = report.submission.map(|id| id.to_string()).unwrap_or_default();
    tracing::info!(
        %organisation,
        submission,
        accepted = report.accepted,
        unchanged = report.unchanged,
        quarantined = report.quarantined,
        "{outcome}"
    );
}

fn no_mapping() -> Issue {
    Issue::error(
        "mapping-missing",
        None,
        Place::Whole,
        "it is a table, and no mapping says what its columns mean",
        "ask the operator to set a mapping for your organisation, then leave the file again",
    )
}

/// How often a folder is looked at.
const POLL: Duration = Duration::from_millis(500);
/// The longest a file that could not be worked on waits, in looks: a minute.
const LOOKS_MAX: u32 = 120;

#[cfg(test)]
mod tests;
