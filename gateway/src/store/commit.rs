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

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::change::Change;
use super::engine::{Engine, Transaction};
use super::error::StoreError;
use super::periods;
use super::plan::{LogKeeper, Plan};
use super::signal::Signal;
use super::writes;
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
        let committer = Self { engine, keeper, clock, entropy, signal, tally: Arc::clone(&tally) };
        let task = tokio::spawn(committer.run(jobs));
        Desk { waiting, task: Mutex::new(Some(task)), tally }
    }

    async fn run(self, mut jobs: mpsc::Receiver<Message>) {
        while let Some(message) = jobs.recv().await {
            let mut group = Vec::new();
            let mut steps = 0;
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Commit(job) => {
                        steps += job.change.steps.len();
                        group.push(*job);
                    }
                    Message::Close => jobs.close(),
                }
                let full = group.len() >= GROUP_MAX || steps >= STEPS_MAX;
                next = if full { None } else { jobs.try_recv().ok() };
            }
            self.serve(group).await;
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
        let at = self.clock.now();
        let period = periods::current(tx, &self.keeper, (head.size, at)).await?;
        let mut plan = Plan::new(head, at, period);
        for change in changes {
            plan.take(change, &self.keeper, self.entropy.as_ref())?;
        }
        plan.sign(&self.keeper)?;
        writes::apply(tx, &mut plan, changes).await?;
        Ok(plan)
    }
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
