//! Races between withdrawals and senders: how many bytes left after a withdrawal was acknowledged.
//!
//! Each race is about one made-up child: something that rests on agreement waits to be collected,
//! one gateway collects it while another records the withdrawal, at offsets by chance. In some races
//! the sender's guard is lost while it goes on (its database session is killed); in some it is frozen
//! between its release and its bytes for longer than they may take; in some both. Gateways share a
//! PostgreSQL; on SQLite the second is a command line beside the gateway. Bytes count as left when
//! they are taken to be handed to the connection.
//!
//! The senders go through what the inbox goes through: `pipeline::collect`, and then
//! `pipeline::Handover` with its look before every piece. Only the pieces are smaller here, for more
//! looks to race, and no HTTP is in front; races over mutual TLS are in the journeys.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use schemas::{OrganisationCode, PersonalBytes};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::App;
use crate::audit::Actor;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::entropy::{Entropy, SystemEntropy};
use crate::pipeline::{self, CollectError, Handover, RawMessage, ReceiveError, Sender};
use crate::practice::{Plan, Stage, StorePlan, people};
use crate::queue::DeliveryId;
use crate::store::StoreError;

/// What came of the races on one engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    races: u64,
    /// Races in which the bytes left before the acknowledgement.
    sent: u64,
    /// Races in which nothing left.
    stopped: u64,
    /// Races in which the sender lost its guard, or was frozen.
    lost: u64,
    frozen: u64,
    /// How often a withdrawal was answered "not yet in force", and was sent again.
    not_yet: u64,
    /// Bytes that left after the acknowledgement: must be none.
    bytes_after: u64,
    /// The longest that a withdrawal took, with all its tries.
    longest: Duration,
}

impl Tally {
    pub(super) fn document(&self) -> Value {
        json!({
            "races": self.races,
            "sent_before": self.sent,
            "stopped": self.stopped,
            "senders_that_lost_their_guard": self.lost,
            "senders_frozen": self.frozen,
            "answered_not_yet_in_force": self.not_yet,
            "bytes_after_acknowledgement": self.bytes_after,
            "longest_withdrawal_ms": u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX),
        })
    }

    pub(super) fn cells(&self, engine: &str) -> Vec<String> {
        vec![
            engine.to_owned(),
            self.races.to_string(),
            self.sent.to_string(),
            self.stopped.to_string(),
            self.lost.to_string(),
            self.frozen.to_string(),
            self.not_yet.to_string(),
            format!("{:.1} s", self.longest.as_secs_f64()),
            self.bytes_after.to_string(),
        ]
    }
}

/// The columns of [`Tally::cells`].
pub(super) const HEADER: [&str; 9] = [
    "engine",
    "races",
    "sent before",
    "stopped",
    "guard lost",
    "frozen",
    "not yet",
    "longest",
    "bytes after",
];

/// Why a run shows that the fence does not hold, or proves nothing; empty when it does prove it.
/// `named` are the engines that were asked for by name.
pub(super) fn faults(named: &[&str], tallies: &[(&'static str, Tally)]) -> Vec<String> {
    let mut faults = Vec::new();
    if tallies.iter().all(|(_, tally)| tally.races == 0) {
        faults.push("No race was run, so nothing is proved.".to_owned());
    }
    for name in named {
        if !tallies.iter().any(|(engine, tally)| engine == name && tally.races > 0) {
            faults.push(format!("{name} was asked for by name and did not run."));
        }
    }
    for (engine, tally) in tallies {
        if tally.bytes_after > 0 {
            let bytes = tally.bytes_after;
            faults.push(format!("{engine}: {bytes} bytes left after an acknowledgement."));
        }
        if tally.races < CONTESTED {
            continue;
        }
        for (count, what) in [(tally.sent, "sent"), (tally.stopped, "stopped")] {
            if count == 0 {
                let races = tally.races;
                faults.push(format!(
                    "{engine}: in {races} races nothing was {what}, so nothing was contested."
                ));
            }
        }
    }
    faults
}

/// Runs the races on one engine, in a folder that is made for it.
pub(super) async fn race(
    folder: &Path,
    store: StorePlan,
    races: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Tally> {
    std::fs::create_dir(folder)
        .with_context(|| format!("{} could not be made", folder.display()))?;
    let plan = Plan { dir: folder.to_owned(), store, clock: Arc::new(SystemClock) };
    let stage = Stage::set(plan)?;
    let gateways = [gateway(&stage).await?, gateway(&stage).await?];
    let mut tally = Tally::default();
    let mut running = JoinSet::new();
    let mut number = 0;
    while number < races || !running.is_empty() {
        if number < races && running.len() < AT_ONCE {
            running.spawn(one(gateways.clone(), number));
            number += 1;
            continue;
        }
        if let Some(ended) = running.join_next().await {
            tally.add(&ended??);
            bar.inc(1);
        }
    }
    for gateway in &gateways {
        gateway.store.close().await;
    }
    Ok(tally)
}

/// A gateway of its own on the stage's files: everything but its listeners.
async fn gateway(stage: &Stage) -> anyhow::Result<Arc<App>> {
    let mut config = Config::load(stage.config_path())?;
    // Short, so that frozen senders do not make the run long.
    config.consent.leaving_seconds = std::num::NonZeroU32::MIN;
    config.consent.wait_seconds = std::num::NonZeroU32::MIN;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    Ok(Arc::new(App::open(config, Arc::new(SystemClock), entropy).await?))
}

/// What the sender of one race suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    loses_guard: bool,
    freezes: Option<Duration>,
}

impl Fate {
    fn of(number: u32) -> Self {
        let freezes = match number % 40 {
            8 | 9 => Some(FROZEN_ABOUT_AS_LONG),
            28 | 29 => Some(FROZEN_LONGER),
            _ => None,
        };
        Self { loses_guard: matches!(number % 10, 6 | 7 | 9), freezes }
    }
}

/// What came of one race.
struct Race {
    fate: Fate,
    /// When bytes left, piece by piece.
    left: Vec<(Instant, u64)>,
    acknowledged: Instant,
    took: Duration,
    not_yet: u64,
    /// Bytes released by asking again after the acknowledgement.
    again: u64,
}

impl Tally {
    fn add(&mut self, race: &Race) {
        let count = |yes: bool| u64::from(yes);
        let after = race.left.iter().filter(|(at, _)| *at > race.acknowledged);
        self.races += 1;
        self.sent += count(!race.left.is_empty());
        self.stopped += count(race.left.is_empty());
        self.lost += count(race.fate.loses_guard);
        self.frozen += count(race.fate.freezes.is_some());
        self.not_yet += race.not_yet;
        self.bytes_after += after.map(|(_, bytes)| bytes).sum::<u64>() + race.again;
        self.longest = self.longest.max(race.took);
    }
}

async fn one(gateways: [Arc<App>; 2], number: u32) -> anyhow::Result<Race> {
    let [first, second] = gateways;
    let (here, there) = if chance(&first, 2)? == 0 { (first, second) } else { (second, first) };
    let delivery = prepare(&here, number).await?;
    let fate = Fate::of(number);
    let sending = tokio::spawn(send(Arc::clone(&here), delivery, fate));
    let (acknowledged, took, not_yet) = withdraw(&there, number).await?;
    let left = sending.await??;
    let mut again = 0;
    for gateway in [here, there] {
        again += send(gateway, delivery, Fate { loses_guard: false, freezes: None })
            .await?
            .iter()
            .map(|(_, bytes)| bytes)
            .sum::<u64>();
    }
    Ok(Race { fate, left, acknowledged, took, not_yet, again })
}

/// Something that rests on agreement, ready to be collected.
async fn prepare(app: &App, number: u32) -> anyhow::Result<DeliveryId> {
    let today = app.clock.today().to_string();
    let message = json!({
        "type": "transition.health_plan", "id": format!("RACE-{number}"), "sender": TRUST,
        "recipient": AUTHORITY, "subject": people::subject(&people::child(number)),
        "consent": { "status": "given", "given_by": "parent", "date": today },
        "transition": {
            "named_worker": "Pat Practice-Worker", "plan_date": today,
            "actions": ["A made-up action"],
        },
    });
    let answer = receive(app, TRUST, &format!("plan-{number}"), &message).await?;
    let leg = answer.rows.first().and_then(|row| row.legs.first());
    let leg = leg.context("a plan was not accepted")?;
    Ok(DeliveryId(leg.leg.0))
}

/// Collects as the recipient; when bytes left.
async fn send(
    app: Arc<App>,
    delivery: DeliveryId,
    fate: Fate,
) -> anyhow::Result<Vec<(Instant, u64)>> {
    tokio::time::sleep(Duration::from_micros(chance(&app, SOON_US)?)).await;
    let recipient = OrganisationCode::parse(AUTHORITY)?;
    let actor = Actor::folder(&recipient);
    let collected = match pipeline::collect(&app, &recipient, &actor, delivery, None).await {
        Ok(collected) => collected,
        Err(CollectError::Stopped | CollectError::Store(StoreError::Fenced)) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut guard = collected.guard;
    let held = guard.as_mut().context("a person has a guard")?;
    if fate.loses_guard {
        held.lose();
    }
    if let Some(frozen) = fate.freezes {
        tokio::time::sleep(frozen + Duration::from_millis(chance(&app, 300)?)).await;
    }
    let mut handover = Handover::new(collected.parcel.expose_body(), guard, PIECE);
    let mut left = Vec::new();
    while let Some(Ok(piece)) = handover.next_piece() {
        left.push((Instant::now(), u64::try_from(piece.len())?));
        tokio::time::sleep(Duration::from_micros(chance(&app, 500)?)).await;
    }
    Ok(left)
}

/// Records the withdrawal, as often as it is answered "not yet in force".
async fn withdraw(app: &App, number: u32) -> anyhow::Result<(Instant, Duration, u64)> {
    tokio::time::sleep(Duration::from_micros(chance(app, SOON_US)?)).await;
    let id = format!("RACE-W-{number}");
    let message = people::withdrawal(AUTHORITY, &id, &people::child(number), app.clock.today());
    let began = Instant::now();
    let mut not_yet = 0;
    loop {
        match receive(app, AUTHORITY, &id, &message).await {
            Ok(_) => {
                let now = Instant::now();
                return Ok((now, now.saturating_duration_since(began), not_yet));
            }
            Err(ReceiveError::Store(StoreError::StillLeaving)) => not_yet += 1,
            Err(error) => return Err(error.into()),
        }
        ensure!(began.elapsed() < PATIENCE, "a withdrawal was not put in force in time");
    }
}

async fn receive(
    app: &App,
    from: &'static str,
    key: &str,
    message: &Value,
) -> Result<pipeline::Answer, ReceiveError> {
    let ours = ReceiveError::Ours;
    let organisation = OrganisationCode::parse(from).or(Err(ours("a code")))?;
    let partner = app.partner(&organisation).ok_or(ours("a partner"))?;
    let sender = Sender::partner(&partner, Actor::folder(&organisation));
    let bytes = PersonalBytes::new(message.to_string().into_bytes());
    let format = adapters::Format::Json;
    let raw = RawMessage { format, mapping: None, bytes, key: key.to_owned() };
    pipeline::receive(app, &sender, raw).await
}

/// A number below a bound, by chance.
fn chance(app: &App, below: u64) -> anyhow::Result<u64> {
    Ok(u64::from(app.random_u16()?) % below.max(1))
}

const AUTHORITY: &str = "334";
const TRUST: &str = "RXT";
/// Of so many races some must go either way; in fewer, chance may have it otherwise.
const CONTESTED: u64 = 100;
/// Races under way at once.
const AT_ONCE: usize = 24;
/// Both sides begin within this.
const SOON_US: u64 = 20_000;
/// As long as bytes may take to leave here, give or take.
const FROZEN_ABOUT_AS_LONG: Duration = Duration::from_millis(850);
/// Longer than its row outlasts that: the withdrawal is acknowledged before the sender wakes.
const FROZEN_LONGER: Duration = Duration::from_millis(6_800);
/// Bytes between two looks at the fence.
const PIECE: usize = 256;
/// A withdrawal that takes longer than this fails the run.
const PATIENCE: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests;
