//! Who outside holds what of the log: partners who echo a checkpoint, and witnesses who cosign.
//!
//! Whatever is shown is compared first ([`restore::show`]): one that this database does not know
//! means that it was restored, and nothing is released. What it does know is remembered with who
//! holds it: so it can be said how much of the log nobody could take back any more.
//!
//! A witness is asked with each new checkpoint: at most half a minute after it was signed, and sooner
//! when a hundred entries wait; one that was away is asked again, at least every minute, until it has
//! the newest. Its cosignature is kept and stands under the checkpoint that is
//! served and published. When a witness has cosigned what this log does not continue, that is
//! treated as a checkpoint that was shown.
//!
//! [`Reach`] says how much of the log is held outside, and since when the rest waits.
//!
//! Must never know HTTP; [`delivery::witness`](crate::delivery::witness) asks.
//!
//! Limits: a witness that is away delays nothing and nobody; its absence is logged once. A witness that is
//! listed is believed without evidence when it says that it cosigned something else.

mod asking;
mod pace;
mod reach;

use jiff::Timestamp;

use crate::app::App;
use crate::audit::Actor;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature::{self, Cosignature, CosignerKey};
use crate::restore::{self, RestoreError, Standing};
use crate::store::{HeldOutside, StoreError, StoredCheckpoint, StoredCosignature};

pub(crate) use asking::{ask_at_start, keep_cosigned};
pub(crate) use pace::Pace;
pub use reach::{Holder, HolderKind, Reach};

/// How it is known that somebody holds a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// It was shown for its own sake.
    Shown,
    /// It came with an acknowledgement.
    Acknowledgement,
    /// It was cosigned.
    Cosignature,
    /// It lies in the folder that the log is published to.
    Published,
}

impl Means {
    /// Its name where it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Acknowledgement => "acknowledgement",
            Self::Cosignature => "cosignature",
            Self::Published => "published",
        }
    }
}

/// Somebody shows a checkpoint it holds: it is compared with the log, and when the log has it, who
/// holds it is remembered, and so is what witnesses have cosigned of it.
pub async fn echoed(
    app: &App,
    note: &str,
    actor: &Actor,
    means: Means,
) -> Result<Standing, RestoreError> {
    let standing = restore::show(app, note, actor).await?;
    if standing == Standing::Known {
        let shown = Checkpoint::parse_and_verify(note, &app.log_vkey)?;
        holds(app, (&actor.organisation, means), (shown.size, shown.at)).await?;
        for key in witness_keys(app) {
            if let Some(cosignature) = key.find(note, note) {
                keep(app, &shown, cosignature).await?;
            }
        }
    }
    Ok(standing)
}

/// A checkpoint with the cosignatures that are kept of it, by witnesses that are listed.
pub async fn with_cosignatures(app: &App, kept: StoredCheckpoint) -> Result<String, StoreError> {
    let keys = witness_keys(app);
    if keys.is_empty() {
        return Ok(kept.note);
    }
    let stored = app.store.cosignatures(kept.size).await?;
    let listed = stored.iter().filter(|one| keys.iter().any(|key| key.name() == one.witness));
    let lines = listed.map(|one| one.line.as_str());
    Ok(cosignature::with_lines(&kept.note, lines))
}

/// The newest checkpoint that as many witnesses have cosigned as are wanted, with what they signed.
pub async fn newest_cosigned(app: &App) -> Result<Option<String>, StoreError> {
    let keys = witness_keys(app);
    let newest = app.store.newest_cosignatures(LOOKED_AT).await?;
    let wanted = app.config.audit.wanted();
    for size in newest.iter().map(|one| one.size) {
        let listed = |one: &&StoredCosignature| {
            one.size == size && keys.iter().any(|key| key.name() == one.witness)
        };
        if newest.iter().filter(listed).count() < wanted {
            continue;
        }
        let checkpoint = app.store.checkpoints(size, 1).await?.into_iter().next();
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size == size) {
            return with_cosignatures(app, checkpoint).await.map(Some);
        }
    }
    Ok(None)
}

/// A cosignature that is kept, held against the checkpoint that stands in the log now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cosigned {
    /// The witness.
    pub witness: String,
    /// How many entries it cosigned.
    pub size: u64,
    /// The checkpoint that stands in the log, when it is the one that was cosigned.
    pub stands: Option<StoredCheckpoint>,
}

/// The newest cosignatures by witnesses that are listed, largest first. Whoever rewrites the log can
/// sign its checkpoints again, and not what a witness said of the old ones.
pub(crate) async fn cosigned(app: &App) -> Result<Vec<Cosigned>, StoreError> {
    let keys = witness_keys(app);
    let mut found = Vec::new();
    for kept in app.store.newest_cosignatures(LOOKED_AT).await? {
        let Some(key) = keys.iter().find(|key| key.name() == kept.witness) else { continue };
        let here = app.store.checkpoints(kept.size, 1).await?.into_iter().next();
        let here = here.filter(|here| here.size == kept.size);
        let stands = here.filter(|here| key.find(&here.note, &kept.line).is_some());
        found.push(Cosigned { witness: kept.witness, size: kept.size, stands });
    }
    Ok(found)
}

/// The keys of the witnesses that are listed. Ones that cannot be read were refused at start.
fn witness_keys(app: &App) -> Vec<CosignerKey> {
    let listed = app.config.audit.witnesses.iter();
    listed.filter_map(|witness| CosignerKey::parse(&witness.vkey).ok()).collect()
}

/// Keeps what a witness has cosigned, and that it holds it.
async fn keep(app: &App, head: &Checkpoint, given: Cosignature) -> Result<(), StoreError> {
    let Cosignature { by, at, line } = given;
    let holder = by.clone();
    let kept = StoredCosignature { size: head.size, witness: by, at, line };
    app.store.keep_cosignature(&kept).await?;
    holds(app, (&holder, Means::Cosignature), (head.size, head.at)).await
}

/// Remembers that somebody outside holds a checkpoint, and how that is known.
pub(crate) async fn holds(
    app: &App,
    (holder, means): (&str, Means),
    (size, signed_at): (u64, Timestamp),
) -> Result<(), StoreError> {
    let (holder, means) = (holder.to_owned(), means.name().to_owned());
    let since = app.clock.now();
    app.store.note_held(&HeldOutside { holder, means, size, signed_at, since }).await
}

/// Says once, at start, when nothing is set up to take checkpoints outside.
pub(crate) fn say_if_alone(app: &App) {
    let audit = &app.config.audit;
    if audit.witnesses.is_empty() && audit.publish_to.is_none() && audit.sinks.is_empty() {
        tracing::warn!(
            "nothing takes checkpoints of the log outside but partners who fetch them: list a witness, or set publish_to or a sink in [audit]"
        );
    }
}

/// What the folder that the log is published to is called among those who hold it.
pub(crate) const PUBLISHED: &str = "published-log";
/// How many cosignatures are looked through for a checkpoint that enough have cosigned.
const LOOKED_AT: u32 = 200;
