//! Asking witnesses: at start, and with each new checkpoint.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::keep;
use super::pace::Pace;
use crate::app::{App, AppError};
use crate::audit::Actor;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature::CosignerKey;
use crate::config::WitnessSection;
use crate::delivery::witness::{self, Said, Unheard};
use crate::restore::{self, RestoreError, Standing};
use crate::store::StoreError;
use crate::witness::Submission;

/// Why a round with a witness came to nothing.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    /// It was not heard.
    #[error(transparent)]
    Unheard(#[from] Unheard),
    /// It answered something that helps nobody.
    #[error("it answered {0}")]
    Refused(u16),
    /// It gave a signature that does not hold.
    #[error("its cosignature does not hold for its key")]
    Unsigned,
    /// Others ask it with this log at the same time.
    #[error("it knew another size each time")]
    Unsettled,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it showed is not a checkpoint of ours.
    #[error("it shows something that is not a checkpoint of this log: {0}")]
    Shown(#[from] crate::audit::checkpoint::CheckpointError),
}

/// Asks every witness what it cosigned last, before anything is released. One that is away is
/// logged; when witnesses are required, the gateway does not start before enough have answered.
pub(crate) async fn ask_at_start(app: &App) -> Result<(), AppError> {
    let settings = &app.config.audit;
    let mut answered = BTreeSet::new();
    let began = tokio::time::Instant::now();
    loop {
        for (place, listed) in settings.witnesses.iter().enumerate() {
            if answered.contains(&place) {
                continue;
            }
            match look(app, listed).await {
                Ok(()) => drop(answered.insert(place)),
                Err(Unasked::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let error = crate::telemetry::chain(&error);
                    tracing::warn!(
                        error,
                        witness = name_of(listed),
                        "a witness was not heard at start"
                    );
                }
            }
        }
        if !settings.require_witness || answered.len() >= settings.wanted() {
            return Ok(());
        }
        if began.elapsed() > START_PATIENCE {
            let (wanted, answered) = (settings.wanted(), answered.len());
            return Err(AppError::Unwitnessed { wanted, answered });
        }
        tokio::time::sleep(STEP).await;
    }
}

/// What a witness cosigned last, held against our log.
async fn look(app: &App, listed: &WitnessSection) -> Result<(), Unasked> {
    if let Some(note) = witness::last(app, listed).await? {
        against(app, listed, &note).await?;
        return Ok(());
    }
    // A witness of another make says it by refusing.
    let Some(newest) = app.store.latest_checkpoint().await? else { return Ok(()) };
    ask(app, listed, &newest.note, &mut 0).await.map(drop)
}

/// Asks one witness, by its place in the list, with new checkpoints while the gateway runs, and once
/// more when it stops. What each has is kept apart, so one that is away is asked again by itself, and
/// holds up no other.
pub(crate) async fn keep_cosigned(app: Arc<App>, place: usize, stop: CancellationToken) {
    let Some(listed) = app.config.audit.witnesses.get(place) else { return };
    let (mut pace, mut believed, mut last) = (Pace::default(), 0, false);
    while !last {
        tokio::select! {
            () = tokio::time::sleep(STEP) => {}
            () = stop.cancelled() => last = true,
        }
        let (now, size) = (app.clock.now(), app.log_size().await.unwrap_or(pace.has()));
        if size == pace.has() || !(last || pace.is_due(now, size)) {
            continue;
        }
        // While the gateway is held, what was cosigned stays: it is the evidence.
        if app.store.unconfirmed_restore().await.is_ok_and(|held| held.is_some()) {
            continue;
        }
        match give_newest(&app, listed, &mut believed).await {
            Ok(reached) => pace.reached(now, reached),
            Err(error) => {
                if pace.failed(now) {
                    let error = crate::telemetry::chain(&error);
                    let witness = name_of(listed);
                    tracing::warn!(error, witness, "a witness has not cosigned");
                }
            }
        }
    }
}

/// Has a witness cosign the checkpoint that is published, if it has not, so that what the folder shows
/// can be cosigned; and then the newest. How many entries it has then.
async fn give_newest(
    app: &App,
    listed: &WitnessSection,
    believed: &mut u64,
) -> Result<u64, Unasked> {
    let Some(newest) = app.store.latest_checkpoint().await? else { return Ok(0) };
    if let Some((head, note)) = crate::publication::checkpoint_in(app)
        && *believed <= head.size
        && head.size < newest.size
        && restore::is_known((&app.store, &app.log_vkey), &head, newest.size)
            .await
            .is_ok_and(|known| known)
    {
        let name = name_of(listed);
        let cosigned = app.store.cosignatures(head.size).await?;
        if !cosigned.iter().any(|one| one.witness == name) {
            ask(app, listed, &note, believed).await?;
        }
    }
    ask(app, listed, &newest.note, believed).await
}

/// Hands one checkpoint to one witness, with the proof from what it cosigned last. How many entries
/// it has then, as far as there is nothing more to do about it.
async fn ask(
    app: &App,
    listed: &WitnessSection,
    note: &str,
    believed: &mut u64,
) -> Result<u64, Unasked> {
    let head = Checkpoint::parse_and_verify(note, &app.log_vkey)?;
    for _ in 0..TRIES {
        let old = *believed;
        if old > head.size {
            return Ok(old);
        }
        let proof = match old {
            0 => Vec::new(),
            old => app.consistency_proof(old, head.size).await?,
        };
        let submission = Submission { old, proof, note: note.to_owned() };
        match witness::submit(app, listed, &submission).await? {
            Said::Cosigned(lines) => {
                let key = CosignerKey::parse(&listed.vkey).or(Err(Unasked::Unsigned))?;
                let given = key.find(note, &lines).ok_or(Unasked::Unsigned)?;
                *believed = head.size;
                keep(app, &head, given).await?;
                return Ok(head.size);
            }
            // It knows another size, which our log may well continue.
            Said::Last(size) if size != old && size <= head.size => *believed = size,
            Said::Last(size) => {
                // Ours may have grown past it since this checkpoint was signed.
                let grown = app.log_size().await?;
                if size != old && size <= grown {
                    *believed = size;
                    return Ok(size);
                }
                contradicted(app, listed, size).await?;
                return Ok(head.size);
            }
            Said::NotProved => {
                contradicted(app, listed, old).await?;
                return Ok(head.size);
            }
            Said::Refused(status) => return Err(Unasked::Refused(status)),
        }
    }
    Err(Unasked::Unsettled)
}

/// A witness has cosigned what our log does not continue. It is asked for the evidence.
async fn contradicted(app: &App, listed: &WitnessSection, size: u64) -> Result<(), Unasked> {
    let name = name_of(listed);
    let shown = match witness::last(app, listed).await {
        Ok(Some(note)) => against(app, listed, &note).await.ok(),
        Ok(None) | Err(_) => None,
    };
    let standing = match shown {
        Some(Standing::Known) | None => restore::told(app, (size, None), &actor(&name)).await?,
        Some(standing) => standing,
    };
    if standing == Standing::LostAndConfirmed {
        tracing::warn!(
            witness = name,
            "a witness cosigned what was lost in a restore, and cosigns this log no more"
        );
    }
    Ok(())
}

/// Compares what a witness shows with our log, and remembers that it holds it.
async fn against(app: &App, listed: &WitnessSection, note: &str) -> Result<Standing, Unasked> {
    let actor = actor(&name_of(listed));
    let shown = super::echoed(app, note, &actor, super::Means::Cosignature).await;
    shown.map_err(|error| match error {
        RestoreError::Store(error) => error.into(),
        RestoreError::Checkpoint(error) => error.into(),
    })
}

fn actor(name: &str) -> Actor {
    Actor { organisation: name.to_owned(), ..Actor::local() }
}

pub(super) fn name_of(listed: &WitnessSection) -> String {
    CosignerKey::parse(&listed.vkey).map(|key| key.name().to_owned()).unwrap_or_default()
}

/// How often it is looked whether a witness is to be asked.
const STEP: Duration = Duration::from_secs(1);
/// How long the gateway waits at start for witnesses that are required.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// What is believed of a witness is wrong once, or twice when two gateways ask it.
const TRIES: u32 = 3;
