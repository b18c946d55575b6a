//! Acknowledgements from the job that reads a drop folder: files, because it has nothing else.
//!
//! In `acknowledgements/` of the folder, an empty `DELIVERY.accepted` says that the job took the
//! delivery over, and `DELIVERY.rejected`, with a reason code of the catalogue as its only line,
//! that it did not. Each is what `POST /v1/inbox/{delivery}/acknowledgement` says: an entry in the
//! log, and a leg moves on. Afterwards the file lies in `acknowledgements/done/`, or in
//! `acknowledgements/refused/` with the reason beside it. Saying the same twice changes nothing.
//!
//! This module must never know what a delivery holds. Not supported: free text as a reason, which
//! would be personal data in a log.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemas::OrganisationCode;
use schemas::record::RejectionReason;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::audit::Actor;
use crate::delivery::folder::sweep;
use crate::pipeline::CollectError;
use crate::queue::{DeliveryId, DeliveryState};
use crate::{journey, whole_file};

/// Reads one partner's acknowledgements until told to stop. Begins by clearing away what deliveries
/// that were cut short have left hidden in the folder.
pub async fn run(app: Arc<App>, organisation: OrganisationCode, stop: CancellationToken) {
    let mut state = State::default();
    while !stop.is_cancelled() {
        let partner = app.partner(&organisation).filter(|partner| partner.enabled);
        if let Some(folder) = partner.and_then(|partner| partner.folder) {
            let done = pass(&app, &organisation, &folder, &mut state).await;
            let trouble = done.err().map(|error| error.kind());
            if let Some(error) = trouble.filter(|_| trouble != state.trouble) {
                tracing::error!(%organisation, %error, "a drop folder cannot be used");
            }
            state.trouble = trouble;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[derive(Debug, Default)]
struct State {
    swept: bool,
    trouble: Option<io::ErrorKind>,
    /// Rejections without a reason yet, and since when: they may still be written.
    unfinished: BTreeMap<OsString, Timestamp>,
}

/// What one file says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Outcome(DeliveryId, DeliveryState, Option<RejectionReason>),
    Nothing(&'static str),
}

async fn pass(
    app: &App,
    organisation: &OrganisationCode,
    folder: &Path,
    state: &mut State,
) -> io::Result<()> {
    if !state.swept {
        sweep(folder)?;
        if whole_file::is_open_to_others(folder)? {
            tracing::warn!(%organisation, "a drop folder is open to others on this machine");
        }
        state.swept = true;
    }
    let place = folder.join(FOLDER);
    let mode = whole_file::mode_within(folder)?;
    whole_file::ensure_folder(&place, mode)?;
    for part in [DONE, REFUSED] {
        whole_file::ensure_folder(&place.join(part), mode)?;
    }
    let mut names: Vec<OsString> = Vec::new();
    for entry in std::fs::read_dir(&place)? {
        let name = entry?.file_name();
        if outcome_of(&name).is_some() {
            names.push(name);
        }
    }
    names.sort();
    state.unfinished.retain(|name, _| names.contains(name));
    for name in names {
        let now = app.clock.now();
        match read(&place, &name) {
            Said::Outcome(id, outcome, reason) => {
                let said = say(app, organisation, id, (outcome, reason)).await;
                match said {
                    Ok(()) => put_away(&place, DONE, &name, None)?,
                    Err(Refusal::Later) => {}
                    Err(Refusal::Never(why)) => put_away(&place, REFUSED, &name, Some(why))?,
                }
            }
            Said::Nothing(why) => {
                let since = *state.unfinished.entry(name.clone()).or_insert(now);
                if now.duration_since(since) >= SETTLE {
                    put_away(&place, REFUSED, &name, Some(why))?;
                }
            }
        }
    }
    Ok(())
}

enum Refusal {
    Later,
    Never(&'static str),
}

async fn say(
    app: &App,
    organisation: &OrganisationCode,
    id: DeliveryId,
    said: (DeliveryState, Option<RejectionReason>),
) -> Result<(), Refusal> {
    let actor = Actor::folder(organisation);
    let change = match journey::acknowledge(app, organisation, &actor, id, said).await {
        Ok(Some(change)) => change,
        Ok(None) => return Ok(()),
        Err(CollectError::NotFound) => return Err(Refusal::Never(NO_DELIVERY)),
        Err(CollectError::Stopped) => return Err(Refusal::Never(STOPPED)),
        Err(error) => return Err(later(organisation, &error)),
    };
    app.store.commit(change).await.map(|_| ()).map_err(|error| later(organisation, &error))
}

fn later(organisation: &OrganisationCode, error: &dyn std::error::Error) -> Refusal {
    let chain = crate::telemetry::chain(error);
    tracing::warn!(%organisation, error = %chain, "an acknowledgement waits for another try");
    Refusal::Later
}

/// The delivery and the ending that a name says.
fn outcome_of(name: &OsStr) -> Option<(DeliveryId, DeliveryState)> {
    let (id, ending) = name.to_str()?.rsplit_once('.')?;
    let state = match ending {
        "accepted" => DeliveryState::Accepted,
        "rejected" => DeliveryState::Rejected,
        _ => return None,
    };
    Uuid::try_parse(id).ok().map(|id| (DeliveryId(id), state))
}

fn read(place: &Path, name: &OsStr) -> Said {
    let Some((id, state)) = outcome_of(name) else { return Said::Nothing(NO_DELIVERY) };
    let Ok((file, about)) = whole_file::open_plain(&place.join(name)) else {
        return Said::Nothing("it is not a plain file");
    };
    if state != DeliveryState::Rejected {
        return Said::Outcome(id, state, None);
    }
    let mut text = String::new();
    if about.len() > BYTES_MAX || file.take(BYTES_MAX).read_to_string(&mut text).is_err() {
        return Said::Nothing(NO_REASON);
    }
    let reason = serde_json::from_value(text.trim().into()).ok();
    reason.map_or(Said::Nothing(NO_REASON), |reason| Said::Outcome(id, state, Some(reason)))
}

/// Moves a file away, over one of the same name: it says the same.
fn put_away(place: &Path, part: &str, name: &OsStr, why: Option<&str>) -> io::Result<()> {
    let part: PathBuf = place.join(part);
    if let Some(why) = why {
        let mut beside = name.to_owned();
        beside.push(".reason.txt");
        whole_file::replace(&part.join(beside), format!("{why}\n").as_bytes(), "reason")?;
    }
    match std::fs::rename(place.join(name), part.join(name)) {
        // Another gateway that shares the folder was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => whole_file::flush_folder(&part),
    }
}

/// Where acknowledgements are left, in the drop folder.
pub const FOLDER: &str = "acknowledgements";
const DONE: &str = "done";
const REFUSED: &str = "refused";
const NO_DELIVERY: &str = "There is no such delivery for this organisation. The name is the delivery's id, as its \
     sub-folder and its manifest have it.";
const STOPPED: &str = "The delivery was withdrawn, or is held for people to decide about.";
const NO_REASON: &str =
    "A rejection needs a reason of the catalogue as its only line, for example WRONG_ORG.";
/// How often the folder is looked at.
const POLL: Duration = Duration::from_millis(500);
/// How long a rejection may be without its reason before it counts as wrong.
const SETTLE: SignedDuration = SignedDuration::from_secs(10);
/// The largest acknowledgement that is read: a code.
const BYTES_MAX: u64 = 1024;

#[cfg(test)]
mod tests;
