//! Group commit: everything that waits shares one durable transaction.
//!
//! One task commits. It takes whatever changes wait, opens one transaction, locks the head of the
//! audit log, writes, makes it durable, and answers all of them. Under load this turns thousands of
//! flushes a second into a few dozen; with one caller it costs nothing, because nobody waits for
//! a group to fill.
//!
//! When one change of a group breaks a rule, the group is rolled back and each of its changes is
//! tried alone, so that only the guilty one fails. The head is read inside every transaction and
//! never remembered: other processes commit too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::change::Change;
use super::engine::{Engine, Transaction, statements};
use super::error::StoreError;
use super::log::Head;
use super::periods;
use super::plan::{LogKeeper, Plan};
use super::pulse::{PATIENCE, Pulse, Unwritable};
use super::signal::Signal;
use super::sinks::{self, RequiredSink};
use super::value::values;
use super::writes;
use crate::audit::{Actor, Event, EventKind};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// What a committed change gets back: its place in the log, and the log's signed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The place of its first event.
    pub first_seq: u64,
    /// The place of its last event.
    pub last_seq: u64,
    /// The signed checkpoint of the log that holds these events.
    pub checkpoint: String,
}

/// Changes and transactions since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Changes committed.
    pub changes: u64,
    /// Durable transactions they needed.
    pub transactions: u64,
}

/// Where changes are handed over.
#[derive(Debug)]
pub(super) struct Desk {
    waiting: mpsc::Sender<Message>,
    task: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Tally>,
    pulse: Arc<Pulse>,
    required: Arc<[RequiredSink]>,
}

impl Desk {
    /// Hands a change over and waits for its outcome.
    pub(super) async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let job = Message::Commit(Box::new(Job { change, answer }));
        self.waiting.send(job).await.or(Err(StoreError::Closed))?;
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Lets what waits be committed, then ends the task.
    pub(super) async fn close(&self) {
        let mut task = self.task.lock().await;
        if let Some(running) = task.take() {
            // Either may have ended before; there is nothing left to do about it.
            drop(self.waiting.send(Message::Close).await);
            drop(running.await);
        }
    }

    /// Whether the log can be written now. Nothing is added to it by asking.
    pub(super) async fn is_writable(&self) -> Result<(), Unwritable> {
        if self.pulse.at_work() > PATIENCE {
            return Err(Unwritable::waiting());
        }
        if self.pulse.is_fresh() {
            return Ok(());
        }
        let (answer, outcome) = oneshot::channel();
        let asked = async {
            self.waiting.send(Message::Probe(answer)).await.or(Err(StoreError::Closed))?;
            outcome.await.unwrap_or(Err(StoreError::Closed))
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(outcome) => outcome.map_err(|error| Unwritable::from(&error)),
            Err(_) => Err(Unwritable::waiting()),
        }
    }

    /// The sinks that entries must reach.
    pub(super) fn required(&self) -> &[RequiredSink] {
        &self.required
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            changes: self.tally.changes.load(Ordering::Relaxed),
            transactions: self.tally.transactions.load(Ordering::Relaxed),
        }
    }
}

/// The task that commits.
pub(super) struct Committer {
    engine: Engine,
    keeper: Arc<LogKeeper>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    signal: Signal,
    tally: Arc<Tally>,
    pulse: Arc<Pulse>,
    required: Arc<[RequiredSink]>,
}

impl Committer {
    /// Starts the task; it ends when the desk is closed or dropped.
    pub(super) fn start(
        engine: Engine,
        keeper: Arc<LogKeeper>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        signal: Signal,
    ) -> Desk {
        let (waiting, jobs) = mpsc::channel(WAITING_MAX);
        let tally = Arc::new(Tally::default());
        let pulse = Arc::new(Pulse::default());
        let required: Arc<[RequiredSink]> = keeper.required().into();
        let committer = Self {
            engine,
            keeper,
            clock,
            entropy,
            signal,
            tally: Arc::clone(&tally),
            pulse: Arc::clone(&pulse),
            required: Arc::clone(&required),
        };
        let task = tokio::spawn(committer.run(jobs));
        Desk { waiting, task: Mutex::new(Some(task)), tally, pulse, required }
    }

    async fn run(self, mut jobs: mpsc::Receiver<Message>) {
        while let Some(message) = jobs.recv().await {
            let (mut group, mut probes) = (Vec::new(), Vec::new());
            let mut steps = 0;
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Commit(job) => {
                        steps += job.change.steps.len();
                        group.push(*job);
                    }
                    Message::Probe(answer) => probes.push(answer),
                    Message::Close => jobs.close(),
                }
                let full = group.len() >= GROUP_MAX || steps >= STEPS_MAX;
                next = if full { None } else { jobs.try_recv().ok() };
            }
            self.serve(group).await;
            if !probes.is_empty() {
                let outcome = self.probe().await;
                for answer in probes {
                    drop(answer.send(outcome.clone()));
                }
            }
        }
    }

    /// Commits a group and answers everyone in it.
    async fn serve(&self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let changes: Vec<&Change> = group.iter().map(|job| &job.change).collect();
        match self.attempt(&changes).await {
            Ok(committed) => {
                for (job, committed) in group.into_iter().zip(committed) {
                    job.answer(Ok(committed));
                }
            }
            Err(error) if error.is_of_one_change() && group.len() > 1 => {
                for job in group {
                    let outcome = self.attempt(&[&job.change]).await;
                    job.answer(outcome.and_then(|all| all.into_iter().next().ok_or(error.clone())));
                }
            }
            Err(error) => {
                for job in group {
                    job.answer(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction for these changes.
    async fn attempt(&self, changes: &[&Change]) -> Result<Vec<Committed>, StoreError> {
        self.pulse.begins();
        let outcome = self.transact(changes).await;
        self.pulse.ended(outcome.is_ok());
        outcome
    }

    async fn transact(&self, changes: &[&Change]) -> Result<Vec<Committed>, StoreError> {
        let mut tx = self.engine.begin().await?;
        match self.write(&mut tx, changes).await {
            Ok(plan) => {
                tx.commit().await?;
                if plan.makes_work() {
                    self.signal.raise();
                }
                self.tally.transactions.fetch_add(1, Ordering::Relaxed);
                let count = u64::try_from(changes.len()).unwrap_or(0);
                self.tally.changes.fetch_add(count, Ordering::Relaxed);
                Ok(plan.into_committed())
            }
            Err(error) => {
                // A failed rollback means the connection is gone, and the transaction with it.
                drop(tx.rollback().await);
                Err(error)
            }
        }
    }

    async fn write(&self, tx: &mut Transaction, changes: &[&Change]) -> Result<Plan, StoreError> {
        let head = writes::lock_head(tx).await?;
        let now = self.clock.now();
        sinks::gate(tx, &head, (&self.required, now), changes).await?;
        write_into(tx, head, changes, &self.keeper, (now, self.entropy.as_ref())).await
    }

    /// Whether the log can be written: a whole commit that is undone, since nothing has happened that
    /// an entry could say, and a durable write beside the log, since a full disk shows only there.
    async fn probe(&self) -> Result<(), StoreError> {
        self.pulse.begins();
        let outcome = self.try_out().await;
        self.pulse.ended(outcome.is_ok());
        outcome
    }

    async fn try_out(&self) -> Result<(), StoreError> {
        let change = Change::because(Event::new(EventKind::GatewayStarted, Actor::gateway()));
        let mut tx = self.engine.begin().await?;
        let written = self.write(&mut tx, &[&change]).await;
        let undone = tx.rollback().await;
        written.map(drop)?;
        undone?;
        let mut tx = self.engine.begin().await?;
        tx.execute(&PROBED, values![self.clock.now()]).await?;
        tx.commit().await
    }
}

statements! {
    PROBED = "commit::probe" on "audit_probe":
        "insert into audit_probe (id, at_us) values (1, $1)
        on conflict (id) do update set at_us = excluded.at_us";
}

/// Writes changes and their entries into a transaction that may do more, and has locked the head.
pub(super) async fn write_into(
    tx: &mut Transaction,
    head: Head,
    changes: &[&Change],
    keeper: &LogKeeper,
    (now, entropy): (Timestamp, &dyn Entropy),
) -> Result<Plan, StoreError> {
    let period = periods::current(tx, keeper, (head.size, now)).await?;
    let mut plan = Plan::new(head, now, period);
    for change in changes {
        plan.take(change, keeper, entropy)?;
    }
    plan.sign(keeper)?;
    writes::apply(tx, &mut plan, changes).await?;
    Ok(plan)
}

/// A change that waits, and where its outcome goes.
#[derive(Debug)]
struct Job {
    change: Change,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
}

impl Job {
    /// Answers; a caller that went away does not hear it, and the commit stands.
    fn answer(self, outcome: Result<Committed, StoreError>) {
        drop(self.answer.send(outcome));
    }
}

#[derive(Debug)]
enum Message {
    Commit(Box<Job>),
    Probe(oneshot::Sender<Result<(), StoreError>>),
    Close,
}

#[derive(Debug, Default)]
struct Tally {
    changes: AtomicU64,
    transactions: AtomicU64,
}

/// Changes that may wait before callers are slowed.
const WAITING_MAX: usize = 1024;
/// Changes that share a transaction.
const GROUP_MAX: usize = 256;
/// Events after which a group takes no more changes.
const STEPS_MAX: usize = 4096;
