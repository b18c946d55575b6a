//! Who is sending about whom: the fence that holds when a guard on a person is lost.
//!
//! A guard ([`subjects`](super::subjects)) can be lost while its holder goes on: a database session
//! is killed, a machine is frozen and wakes. So whoever sends also writes down that it sends, in
//! the commit that says the bytes will leave. That commit fails when the person's ledger is no
//! longer the one authority was asked about, or when a withdrawal is waiting; and a withdrawal's
//! commit fails while such a row stands that has not lapsed. Commits have one order, so of a send
//! and a withdrawal one comes first, whatever became of the guards. A sender lets nothing go after
//! its row has lapsed, by its own steady clock.
//!
//! Must never know what is sent.
//!
//! Limits: rows lapse by the clocks of gateways, which must agree within [`CLOCKS_AGREE`].

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::identities;
use super::value::values;
use super::writes;
use crate::audit::SubjectKey;

/// Somebody is about to send about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSend {
    /// Its id.
    pub id: Uuid,
    /// About whom; about nobody, nothing is written down.
    pub subject: Option<SubjectKey>,
    /// How many entries the person's ledger had when authority was asked, under every pseudonym that
    /// means the person.
    pub ledger: u32,
    /// When it lapses, including what the clocks of gateways may differ.
    pub until: Timestamp,
}

impl Store {
    /// Writes down that somebody sends, or refuses ([`StoreError::Fenced`]) because the person's
    /// ledger has moved or is about to, or ([`StoreError::HeldAfterRestore`]) because nothing may
    /// go at all. Bookkeeping: what is sent was audited before.
    pub async fn begin_sending(&self, new: &NewSend) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        // In the one order of all commits.
        writes::lock_head(&mut tx).await?;
        enter(&mut tx, new, self.clock.now()).await?;
        tx.commit().await
    }

    /// What was being sent has left. Bookkeeping.
    pub async fn end_sending(&self, id: Uuid) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        leave(&mut tx, id).await?;
        tx.commit().await
    }

    /// Waits until nobody sends about these people, at most this long. Whether nobody does.
    pub async fn wait_until_left(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        at_most: Duration,
    ) -> Result<bool, StoreError> {
        let end = tokio::time::Instant::now() + at_most;
        for subject in &self.pseudonyms_of_all(subjects).await? {
            loop {
                let now = self.clock.now();
                if self.engine.row(&LEAVING, values![subject.0, now]).await?.is_none() {
                    break;
                }
                if tokio::time::Instant::now() >= end {
                    return Ok(false);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Ok(true)
    }

    /// Lets nothing begin to go about these people until then, or until the withdrawal that waits
    /// is recorded. Bookkeeping: the withdrawal is audited when it is.
    pub async fn hold_back(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        writes::lock_head(&mut tx).await?;
        for subject in &self.pseudonyms_of_all(subjects).await? {
            tx.execute(&HOLD_BACK, values![subject.0, until]).await?;
        }
        tx.commit().await
    }
}

/// Writes down that somebody sends, when it may.
pub(super) async fn enter(
    tx: &mut Transaction,
    new: &NewSend,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !tx.rows(&HELD, values![]).await?.is_empty() {
        return Err(StoreError::HeldAfterRestore);
    }
    let Some(subject) = new.subject else { return Ok(()) };
    if entries(tx, subject).await? != u64::from(new.ledger) {
        return Err(StoreError::Fenced);
    }
    match tx.execute(&ENTER, values![new.id, subject.0, new.until, now]).await? {
        1 => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// How many entries a person's ledger has, under every pseudonym that means the person.
pub(super) async fn entries(tx: &mut Transaction, subject: SubjectKey) -> Result<u64, StoreError> {
    let mut count = 0;
    for one in pseudonyms(tx, subject).await? {
        let rows = tx.rows(&ENTRIES, values![one.0]).await?;
        count += rows.first().map(|row| row.count("entries")).transpose()?.unwrap_or(0);
    }
    Ok(count)
}

/// Every pseudonym that means the same person, as this transaction sees it.
async fn pseudonyms(
    tx: &mut Transaction,
    subject: SubjectKey,
) -> Result<BTreeSet<SubjectKey>, StoreError> {
    let mut known = BTreeSet::from([subject]);
    let mut ask = vec![subject];
    while let Some(next) = ask.pop() {
        for row in tx.rows(&identities::ALIASES, values![next.0]).await? {
            for column in ["old_subject", "subject"] {
                let found = row.maybe_subject(column)?;
                ask.extend(found.filter(|found| known.insert(*found)));
            }
        }
    }
    Ok(known)
}

/// Takes away that somebody sends.
pub(super) async fn leave(tx: &mut Transaction, id: Uuid) -> Result<(), StoreError> {
    tx.execute(&LEAVE, values![id]).await.map(drop)
}

/// Refuses while somebody sends about a person; from here on nobody waits to restrict them.
pub(super) async fn nobody(
    tx: &mut Transaction,
    subject: SubjectKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    for one in pseudonyms(tx, subject).await? {
        if !tx.rows(&LEAVING, values![one.0, now]).await?.is_empty() {
            return Err(StoreError::StillLeaving);
        }
        tx.execute(&LAPSED, values![one.0]).await?;
        tx.execute(&RELEASED, values![one.0]).await?;
    }
    Ok(())
}

statements! {
    HELD = "sends::enter" on "restores":
        "select number from restores where confirmed_at is null";
    ENTER = "sends::enter" on "sends":
        "insert into sends (id, subject, until)
        select $1, $2, $3
        where not exists (
            select 1 from restricting r where r.subject = $2 and r.until > $4)";
    ENTRIES = "sends::entries" on "consents":
        "select count(*) as entries from consents where subject = $1";
    LEAVE = "sends::leave" on "sends":
        "delete from sends where id = $1";
    LEAVING = "sends::leaving" on "sends":
        "select until from sends where subject = $1 and until > $2 limit 1";
    LAPSED = "sends::nobody" on "sends":
        "delete from sends where subject = $1";
    RELEASED = "sends::nobody" on "restricting":
        "delete from restricting where subject = $1";
    HOLD_BACK = "sends::hold_back" on "restricting":
        "insert into restricting (subject, until) values ($1, $2)
        on conflict (subject) do update set until = excluded.until";
}

/// How much the clocks of gateways that share a database may differ.
pub const CLOCKS_AGREE: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody still sends.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
