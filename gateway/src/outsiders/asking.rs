//! Asking witnesses: at start, and with each new checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::keep;
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
    ask(app, listed, &newest.note, &mut 0).await
}

/// Asks with new checkpoints while the gateway runs, and once more when it stops.
pub(crate) async fn keep_cosigned(app: Arc<App>, stop: CancellationToken) {
    if app.config.audit.witnesses.is_empty() {
        return;
    }
    let mut asked = Asked::default();
    let (mut waited, mut last) = (EVERY, false);
    while !last {
        tokio::select! {
            () = tokio::time::sleep(STEP) => waited += STEP,
            () = stop.cancelled() => last = true,
        }
        let now = app.log_size().await.unwrap_or(asked.size);
        let many = now >= asked.size.saturating_add(ENTRIES) && asked.away.is_empty();
        if now == asked.size || !(many || last || waited >= EVERY) {
            continue;
        }
        // While the gateway is held, what was cosigned stays: it is the evidence.
        if app.store.unconfirmed_restore().await.is_ok_and(|held| held.is_some()) {
            continue;
        }
        waited = Duration::ZERO;
        asked.round(&app).await;
    }
}

/// What the witnesses were asked.
#[derive(Default)]
struct Asked {
    /// The size that was asked about last.
    size: u64,
    /// What each is believed to have cosigned last, by its place in the list.
    believed: BTreeMap<usize, u64>,
    /// Those that could not be asked: said once.
    away: BTreeSet<usize>,
}

impl Asked {
    async fn round(&mut self, app: &App) {
        let note = match target(app).await {
            Ok(Some(note)) => note,
            Ok(None) => return,
            Err(error) => {
                let error = crate::telemetry::chain(&error);
                tracing::error!(error, "no checkpoint could be read for witnesses");
                return;
            }
        };
        let Ok(head) = Checkpoint::parse_and_verify(&note, &app.log_vkey) else { return };
        for (place, listed) in app.config.audit.witnesses.iter().enumerate() {
            let believed = self.believed.entry(place).or_default();
            match ask(app, listed, &note, believed).await {
                Ok(()) => drop(self.away.remove(&place)),
                Err(error) => {
                    if self.away.insert(place) {
                        let error = crate::telemetry::chain(&error);
                        tracing::warn!(
                            error,
                            witness = name_of(listed),
                            "a witness has not cosigned"
                        );
                    }
                }
            }
        }
        self.size = head.size;
    }
}

/// The checkpoint to have cosigned: the one that is published, so that what the folder shows can
/// be cosigned; else the newest.
async fn target(app: &App) -> Result<Option<String>, StoreError> {
    let newest = app.store.latest_checkpoint().await?;
    let own = newest.as_ref().map_or(0, |newest| newest.size);
    let lag = |head: &Checkpoint| own.saturating_sub(head.size) < ENTRIES;
    let published = crate::publication::checkpoint_in(app).filter(|(head, _)| lag(head));
    if let Some((head, note)) = published
        && restore::is_known((&app.store, &app.log_vkey), &head, own).await.is_ok_and(|known| known)
        && app.store.cosignatures(head.size).await?.is_empty()
    {
        return Ok(Some(note));
    }
    Ok(newest.map(|newest| newest.note))
}

/// Hands one checkpoint to one witness, with the proof from what it cosigned last.
async fn ask(
    app: &App,
    listed: &WitnessSection,
    note: &str,
    believed: &mut u64,
) -> Result<(), Unasked> {
    let head = Checkpoint::parse_and_verify(note, &app.log_vkey)?;
    for _ in 0..TRIES {
        let old = *believed;
        if old > head.size {
            return Ok(());
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
                return Ok(keep(app, &head, given).await?);
            }
            // It knows another size, which our log may well continue.
            Said::Last(size) if size != old && size <= head.size => *believed = size,
            Said::Last(size) => {
                // Ours may have grown past it since this checkpoint was signed.
                let grown = app.log_size().await?;
                if size != old && size <= grown {
                    return Ok(());
                }
                return contradicted(app, listed, size).await;
            }
            Said::NotProved => return contradicted(app, listed, old).await,
            Said::Refused(status) => return Err(Unasked::Refused(status)),
        }
    }
    Ok(())
}

/// A witness has cosigned what our log does not continue. It is asked for the evidence.
async fn contradicted(app: &App, listed: &WitnessSection, size: u64) -> Result<(), Unasked> {
    let name = name_of(listed);
    let shown = match witness::last(app, listed).await {
        Ok(Some(note)) => against(app, listed, &note).await.ok(),
        Ok(None) | Err(_) => None,
    };
    let standing = match shown {
        Some(Standing::Known) | None => restore::told(app, size, &actor(&name)).await?,
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

fn name_of(listed: &WitnessSection) -> String {
    CosignerKey::parse(&listed.vkey).map(|key| key.name().to_owned()).unwrap_or_default()
}

/// The longest that a signed checkpoint waits to be handed to witnesses.
const EVERY: Duration = Duration::from_secs(30);
/// With so many new entries it does not wait.
const ENTRIES: u64 = 100;
const STEP: Duration = Duration::from_secs(1);
/// How long the gateway waits at start for witnesses that are required.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// What is believed of a witness is wrong once, or twice when two gateways ask it.
const TRIES: u32 = 3;
