//! The load: partners that send as fast as they are answered, and the bare inserts beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use jiff::civil::Date;
use tokio::task::JoinSet;

use super::figures::{Rate, Run};
use crate::clock::{Clock, SystemClock};
use crate::practice::client::Partner;
use crate::practice::people::{self, Child};
use crate::practice::{Cast, Plan, Stage, StorePlan};
use crate::store::{DatabaseUrl, StoreLocation, bare};

/// Where one engine is measured.
pub(super) struct Place {
    /// The practice world's folder, to be made.
    pub(super) folder: PathBuf,
    /// The gateway's database.
    pub(super) store: StorePlan,
}

impl Place {
    /// A database for bare rows, on the same disk in the same engine.
    fn bare(&self, connections: u32) -> StoreLocation {
        match &self.store {
            StorePlan::Sqlite => {
                let path = self.folder.join(format!("bare-{connections}.db"));
                StoreLocation::Sqlite { path }
            }
            StorePlan::Postgres(url) => {
                StoreLocation::Postgres { url: DatabaseUrl::new(url.clone()) }
            }
        }
    }
}

/// Measures accepts with few and with many connections, each followed at once by bare inserts of
/// as many bytes by as many writers, so that a disk whose speed drifts is the same for both.
pub(super) async fn measure(
    place: &Place,
    length: Duration,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Run>> {
    std::fs::create_dir(&place.folder)
        .with_context(|| format!("{} could not be made", place.folder.display()))?;
    let clock = Arc::new(SystemClock);
    let today = clock.today();
    let plan = Plan { dir: place.folder.clone(), store: place.store.clone(), clock };
    let cast = Cast::rise(Stage::set(plan)?).await?;
    let children: Arc<[Child]> = (0..CHILDREN).map(people::child).collect();
    let mut runs = Vec::new();
    for connections in CONNECTIONS {
        let load = Load { connections, length, today, children: Arc::clone(&children) };
        runs.push(pair(place, &load, &cast, bar).await?);
    }
    cast.fall().await;
    Ok(runs)
}

/// Accepts of one caller alone on a practice world of its own.
pub(super) async fn alone(place: &Place, length: Duration) -> anyhow::Result<Rate> {
    std::fs::create_dir(&place.folder)
        .with_context(|| format!("{} could not be made", place.folder.display()))?;
    let clock = Arc::new(SystemClock);
    let today = clock.today();
    let plan = Plan { dir: place.folder.clone(), store: place.store.clone(), clock };
    let cast = Cast::rise(Stage::set(plan)?).await?;
    let children: Arc<[Child]> = (0..CHILDREN).map(people::child).collect();
    let rate = Load { connections: 1, length, today, children }.run(&cast).await;
    cast.fall().await;
    rate
}

/// One load, and the bare inserts it is held against.
async fn pair(place: &Place, load: &Load, cast: &Cast, bar: &ProgressBar) -> anyhow::Result<Run> {
    let store = &cast.app().store;
    let (engine, connections) = (store.engine_name(), load.connections);
    say(bar, format!("{engine}: accepts over {connections} connection(s)"));
    let (kept, traffic) = (store.bytes_kept().await?, store.traffic());
    let accepts = load.run(cast).await?;
    let (kept_after, traffic_after) = (store.bytes_kept().await?, store.traffic());
    bar.inc(1);
    let records = kept_after.records.saturating_sub(kept.records);
    let row_bytes = kept_after.bytes.saturating_sub(kept.bytes).checked_div(records);
    let row_bytes = usize::try_from(row_bytes.context("nothing was accepted")?)?;
    say(bar, format!("{engine}: bare inserts by {connections} writer(s)"));
    let location = place.bare(connections);
    let bare = bare::insert_rate(&location, row_bytes, connections, load.length).await?;
    bar.inc(1);
    Ok(Run {
        connections,
        row_bytes,
        accepts,
        bare: Rate::new(bare.elapsed, bare.latencies),
        changes: traffic_after.changes.saturating_sub(traffic.changes),
        transactions: traffic_after.transactions.saturating_sub(traffic.transactions),
    })
}

/// What is being measured: on the bar where there is a terminal, on a line where there is none.
fn say(bar: &ProgressBar, what: String) {
    if bar.is_hidden() {
        super::eprintln_line(&format!("  {what}"));
    } else {
        bar.set_message(what);
    }
}

/// One load on one gateway.
struct Load {
    connections: u32,
    length: Duration,
    today: Date,
    children: Arc<[Child]>,
}

impl Load {
    async fn run(&self, cast: &Cast) -> anyhow::Result<Rate> {
        let mut callers = Vec::new();
        for number in 0..self.connections {
            // Each has a client of its own, and so a connection of its own.
            let partner = cast.caller("authority-334")?;
            callers.push(Connection {
                partner,
                name: format!("BENCH-{}-{number}", self.connections),
                today: self.today,
                children: Arc::clone(&self.children),
            });
        }
        let from = Instant::now() + WARM_UP;
        let until = from + self.length;
        let mut tasks = JoinSet::new();
        for caller in callers {
            tasks.spawn(caller.send_until(from, until));
        }
        let mut latencies = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            latencies.extend(ended??);
        }
        Ok(Rate::new(self.length, latencies))
    }
}

/// One partner on one connection.
struct Connection {
    partner: Partner,
    name: String,
    today: Date,
    children: Arc<[Child]>,
}

impl Connection {
    /// Sends one request after another; gives how long each took that was acknowledged in time.
    async fn send_until(self, from: Instant, until: Instant) -> anyhow::Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        // Nobody is asked about twice in a row, and every child's number is made only once.
        for (number, child) in self.children.iter().cycle().enumerate() {
            let id = format!("{}-{number}", self.name);
            let message =
                people::request(&self.partner.code, &id, child, &["CAMHS"], self.today).to_string();
            let asked = Instant::now();
            if asked >= until {
                break;
            }
            let reply = self.partner.post("/v1/messages", "application/json", &id, message).await?;
            let answered = Instant::now();
            ensure!(
                reply.status == 201 && !reply.replayed,
                "a request was answered {}: {}",
                reply.status,
                reply.text()
            );
            if answered >= from && answered < until {
                latencies.push(answered.saturating_duration_since(asked));
            }
        }
        Ok(latencies)
    }
}

/// One caller alone, and as many as make the group commit worth its name.
const CONNECTIONS: [u32; 2] = [1, 32];
const WARM_UP: Duration = Duration::from_secs(1);
/// Children asked about in turn.
const CHILDREN: u32 = 1000;
