//! How far the sinks of the log have come, and whether one that is required is too far behind.
//!
//! A sink follows the log by a cursor: the place of the first entry that it has not confirmed. The
//! cursors are here, not in a process, so that every gateway and every command on this database is
//! held by the same bound, in the transaction that would go beyond it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Store;
use super::change::Change;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::log::Head;
use super::value::values;
use crate::audit::{Entry, EventKind};

/// A sink that entries must reach, and how far it may be behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredSink {
    /// Its name in the configuration.
    pub name: String,
    /// The most entries that it may not have confirmed yet.
    pub entries: u64,
    /// The longest, in seconds, that an entry may wait to be confirmed.
    pub seconds: u32,
}

impl Store {
    /// The place of the first entry that a sink has not confirmed; 0 for one that was never used.
    pub async fn sink_cursor(&self, name: &str) -> Result<u64, StoreError> {
        let row = self.engine.row(&CURSOR, values![name]).await?;
        row.map_or(Ok(0), |row| row.count("next_seq"))
    }

    /// Notes that a sink has every entry from one place on and below another. Notes nothing when its
    /// cursor was moved meanwhile, as by a restore that was found. Bookkeeping: what it has been given
    /// is in the log already.
    pub async fn sink_confirmed(
        &self,
        name: &str,
        (stored, next): (u64, u64),
    ) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        tx.execute(&CONFIRMED, values![name, next, stored]).await?;
        tx.commit().await
    }

    /// The fingerprints of the files, settings and keys that were last in force, by name.
    pub async fn in_force(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self.engine.rows(&IN_FORCE, values![]).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.text("fingerprint")?))).collect()
    }

    /// Whether every sink that is required is near enough for something to be accepted or released;
    /// the first that is not is [`StoreError::SinkBehind`].
    pub async fn sinks_are_near(&self) -> Result<(), StoreError> {
        let required = self.desk.required();
        if required.is_empty() {
            return Ok(());
        }
        let head = self.audit_head().await?;
        let now = self.clock.now();
        for sink in required {
            let next = self.sink_cursor(&sink.name).await?;
            let waiting = self.engine.row(&WAITING, values![next]).await?;
            let waiting = waiting.map(|row| row.bytes("leaf")).transpose()?;
            near(sink, next, &head, waiting.as_deref(), now)?;
        }
        Ok(())
    }
}

/// Refuses to extend the log beyond the bound of a sink that is required, unless the changes only
/// say how the gateway itself stands.
pub(super) async fn gate(
    tx: &mut Transaction,
    head: &Head,
    (required, now): (&[RequiredSink], Timestamp),
    changes: &[&Change],
) -> Result<(), StoreError> {
    let ours = |change: &&Change| change.steps.iter().all(|(event, _)| is_our_own(event.kind));
    if required.is_empty() || changes.iter().all(ours) {
        return Ok(());
    }
    for sink in required {
        let rows = tx.rows(&CURSOR, values![sink.name.as_str()]).await?;
        let next = rows.first().map_or(Ok(0), |row| row.count("next_seq"))?;
        let rows = tx.rows(&WAITING, values![next]).await?;
        let waiting = rows.first().map(|row| row.bytes("leaf")).transpose()?;
        near(sink, next, head, waiting.as_deref(), now)?;
    }
    Ok(())
}

/// This database was found to be a restored one: what any sink was given may be of a history that it
/// does not have. Each cursor is put beyond every log, where no entry follows. A folder shows by its
/// last line whether it is of this log, and goes on if so; a receiver cannot, and under this name
/// never gets a second history. A sink that begins later, under a new name, is not touched.
pub(super) async fn forked(tx: &mut Transaction) -> Result<(), StoreError> {
    tx.execute(&FORKED, values![u64::MAX]).await.map(drop)
}

/// Whether a change is only about how the gateway itself stands: it accepts, releases and shows
/// nothing, and without it an outage could be neither ended nor told.
fn is_our_own(kind: EventKind) -> bool {
    [
        EventKind::GatewayStarted,
        EventKind::GatewayStopped,
        EventKind::TrustChanged,
        EventKind::RestoreFound,
        EventKind::RestoreConfirmed,
        EventKind::BackupRestored,
        EventKind::ConnectionRefused,
        EventKind::SinkChanged,
        EventKind::SettingsChanged,
    ]
    .contains(&kind)
}

/// `waiting` is the first entry that the sink has not confirmed.
fn near(
    sink: &RequiredSink,
    next: u64,
    head: &Head,
    waiting: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A cursor beyond the head is that of a log which this database does not have: what the sink has
    // of this one, nobody knows.
    let unknown = next > head.size;
    let behind = if unknown { head.size } else { head.size.saturating_sub(next) };
    let waits = waiting.and_then(|leaf| serde_json::from_slice::<Entry>(leaf).ok());
    let waited = waits.map_or(0, |entry| now.as_microsecond().saturating_sub(entry.at_us));
    let patience = i64::from(sink.seconds).saturating_mul(MICROSECONDS);
    if unknown || behind > sink.entries || (behind > 0 && waited > patience) {
        return Err(StoreError::SinkBehind { sink: sink.name.clone(), entries: behind });
    }
    Ok(())
}

statements! {
    CURSOR = "sinks::sink_cursor" on "audit_sinks":
        "select name, next_seq from audit_sinks where name = $1";
    CONFIRMED = "sinks::sink_confirmed" on "audit_sinks":
        "insert into audit_sinks (name, next_seq) values ($1, $2)
        on conflict (name) do update set next_seq = excluded.next_seq
        where audit_sinks.next_seq = $3";
    FORKED = "sinks::forked" on "audit_sinks":
        "update audit_sinks set next_seq = $1";
    IN_FORCE = "sinks::in_force" on "in_force":
        "select name, fingerprint from in_force order by name";
    WAITING = "sinks::gate" on "audit_entries":
        "select seq, leaf from audit_entries where seq = $1";
}

const MICROSECONDS: i64 = 1_000_000;
