//! How much of the log is held outside, and since when the rest waits.
//!
//! Counts everything that is set up to take the log outside (witnesses, the published folder, sinks) and
//! the partners who are known to hold a checkpoint. What partners fetch and never echo is not known,
//! and does not count.
//!
//! Limits: what a holder has is what it confirmed; whether it still has it, only asking would tell.

use jiff::Timestamp;

use super::PUBLISHED;
use super::asking::name_of;
use crate::app::App;
use crate::store::StoreError;

/// How much of the log is held outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// How many entries the log has.
    pub size: u64,
    /// How many of them somebody outside is known to hold, or a checkpoint over them.
    pub covers: u64,
    /// When the first checkpoint was signed that nobody outside is known to hold; `None` when the newest
    /// is held.
    pub waiting_since: Option<Timestamp>,
    /// What is set up to take the log outside, in the order of the configuration.
    pub holders: Vec<Holder>,
}

/// What is set up to take the log outside, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What it is.
    pub kind: HolderKind,
    /// Its name.
    pub name: String,
    /// How many entries it has, or a checkpoint over them.
    pub has: u64,
    /// When the first checkpoint was signed that it does not have; `None` when it has the newest.
    pub waiting_since: Option<Timestamp>,
}

/// What takes the log outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderKind {
    /// Somebody who cosigns checkpoints.
    Witness,
    /// The folder that the log is published to.
    Publication,
    /// A second place for each entry.
    Sink,
}

impl HolderKind {
    /// Its name where it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Publication => "publication",
            Self::Sink => "sink",
        }
    }
}

impl Holder {
    /// For how many seconds the first checkpoint waits that it does not have; 0 when it has the newest.
    pub fn age(&self, now: Timestamp) -> u64 {
        age(self.waiting_since, now)
    }
}

impl Reach {
    /// Looks it up.
    pub async fn of(app: &App) -> Result<Self, StoreError> {
        let size = app.log_size().await?;
        let known = app.store.held_outside().await?;
        let has = |name: &str| {
            let held = known.iter().find(|held| held.holder == name);
            held.map_or(0, |held| held.size).min(size)
        };
        let mut found = Vec::new();
        for listed in &app.config.audit.witnesses {
            let name = name_of(listed);
            found.push((HolderKind::Witness, has(&name), name));
        }
        if app.config.audit.publish_to.is_some() {
            found.push((HolderKind::Publication, has(PUBLISHED), PUBLISHED.to_owned()));
        }
        for sink in &app.config.audit.sinks {
            let next = app.store.sink_cursor(&sink.name).await?;
            // Beyond the log is the cursor of a sink that was given another history.
            let next = if next > size { 0 } else { next };
            found.push((HolderKind::Sink, next, sink.name.clone()));
        }
        let by_partners = known.first().map_or(0, |held| held.size.min(size));
        let covers = found.iter().map(|(_, has, _)| *has).fold(by_partners, u64::max);

        let mut holders = Vec::with_capacity(found.len());
        for (kind, has, name) in found {
            let waiting_since = first_after(app, has, size).await?;
            holders.push(Holder { kind, name, has, waiting_since });
        }
        Ok(Self { size, covers, waiting_since: first_after(app, covers, size).await?, holders })
    }

    /// Whether anything is set up to take the log outside.
    pub fn is_set_up(&self) -> bool {
        !self.holders.is_empty()
    }

    /// For how many seconds the first checkpoint waits that nobody outside is known to hold; 0 when the
    /// newest is held.
    pub fn age(&self, now: Timestamp) -> u64 {
        age(self.waiting_since, now)
    }

    /// That age, when it is more than it may be although something is set up.
    pub fn late(&self, now: Timestamp) -> Option<u64> {
        Some(self.age(now)).filter(|age| self.is_set_up() && *age > LATE)
    }

    /// The same of a gateway that runs since a moment: what was written before has waited for it since
    /// then only.
    pub fn late_since(&self, now: Timestamp, start: Timestamp) -> Option<u64> {
        let runs = age(Some(start), now);
        self.late(now).map(|age| age.min(runs)).filter(|age| *age > LATE)
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> u64 {
    since.map_or(0, |since| u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0))
}

/// When the first checkpoint over more than so many entries was signed.
async fn first_after(app: &App, has: u64, size: u64) -> Result<Option<Timestamp>, StoreError> {
    if has >= size {
        return Ok(None);
    }
    let next = app.store.checkpoints(has.saturating_add(1), 1).await?;
    Ok(next.first().map(|checkpoint| checkpoint.at))
}

/// Checkpoints leave the host within so many seconds.
const LATE: u64 = 60;
