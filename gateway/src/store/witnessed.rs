//! What of the log is known to be held outside, and what witnesses have cosigned.
//!
//! Bookkeeping: what is told here is signed by the log or by a witness, so nobody is believed for
//! what stands in these tables, and an entry for each cosignature would make the log grow for ever,
//! one entry asking for the next.

use jiff::Timestamp;

use super::Store;
use super::engine::statements;
use super::error::StoreError;
use super::row::Row;
use super::value::values;

/// The newest checkpoint that somebody outside is known to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOutside {
    /// An organisation, by its code, a witness, by its name, or the folder that is published to.
    pub holder: String,
    /// How it is known: `shown`, `acknowledgement`, `cosignature` or `published`.
    pub means: String,
    /// How many entries it covers.
    pub size: u64,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// Since when it is known.
    pub since: Timestamp,
}

/// A cosignature as it is stored; it was checked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCosignature {
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// The name of the witness.
    pub witness: String,
    /// When it was made.
    pub at: Timestamp,
    /// The line, ended by a line feed.
    pub line: String,
}

impl Store {
    /// Remembers who holds which checkpoint, unless a larger one is known already. Bookkeeping.
    pub async fn note_held(&self, held: &HeldOutside) -> Result<(), StoreError> {
        let HeldOutside { holder, means, size, signed_at, since } = held;
        let mut tx = self.engine.begin().await?;
        let row = values![holder.as_str(), means.as_str(), *size, *signed_at, *since];
        tx.execute(&NOTE_HELD, row).await?;
        tx.commit().await
    }

    /// Who holds what, the largest first.
    pub async fn held_outside(&self) -> Result<Vec<HeldOutside>, StoreError> {
        let rows = self.engine.rows(&HELD_OUTSIDE, values![]).await?;
        rows.iter().map(held).collect()
    }

    /// Keeps a cosignature, over an older one by the same witness for the same size. Bookkeeping.
    pub async fn keep_cosignature(&self, kept: &StoredCosignature) -> Result<(), StoreError> {
        let StoredCosignature { size, witness, at, line } = kept;
        let mut tx = self.engine.begin().await?;
        let row = values![*size, witness.as_str(), *at, line.as_str()];
        tx.execute(&KEEP_COSIGNATURE, row).await?;
        tx.commit().await
    }

    /// The cosignatures of a size, by name of the witness.
    pub async fn cosignatures(&self, size: u64) -> Result<Vec<StoredCosignature>, StoreError> {
        let rows = self.engine.rows(&COSIGNATURES, values![size]).await?;
        rows.iter().map(cosignature).collect()
    }

    /// The newest cosignatures, largest size first.
    pub async fn newest_cosignatures(
        &self,
        limit: u32,
    ) -> Result<Vec<StoredCosignature>, StoreError> {
        let rows = self.engine.rows(&NEWEST_COSIGNATURES, values![limit]).await?;
        rows.iter().map(cosignature).collect()
    }
}

fn held(row: &Row) -> Result<HeldOutside, StoreError> {
    Ok(HeldOutside {
        holder: row.text("holder")?,
        means: row.text("means")?,
        size: row.count("size")?,
        signed_at: row.time("signed_at")?,
        since: row.time("since")?,
    })
}

fn cosignature(row: &Row) -> Result<StoredCosignature, StoreError> {
    Ok(StoredCosignature {
        size: row.count("size")?,
        witness: row.text("witness")?,
        at: row.time("at")?,
        line: row.text("line")?,
    })
}

statements! {
    NOTE_HELD = "witnessed::note_held" on "witnessed":
        "insert into witnessed (holder, means, size, signed_at, since)
        values ($1, $2, $3, $4, $5)
        on conflict (holder) do update set means = excluded.means, size = excluded.size,
            signed_at = excluded.signed_at, since = excluded.since
        where witnessed.size < excluded.size";
    HELD_OUTSIDE = "witnessed::held_outside" on "witnessed":
        "select holder, means, size, signed_at, since from witnessed
        order by size desc, holder";
    KEEP_COSIGNATURE = "witnessed::keep_cosignature" on "cosignatures":
        "insert into cosignatures (size, witness, at, line) values ($1, $2, $3, $4)
        on conflict (size, witness) do update set at = excluded.at, line = excluded.line";
    COSIGNATURES = "witnessed::cosignatures" on "cosignatures":
        "select size, witness, at, line from cosignatures where size = $1 order by witness";
    NEWEST_COSIGNATURES = "witnessed::newest_cosignatures" on "cosignatures":
        "select size, witness, at, line from cosignatures order by size desc, witness limit $1";
}
