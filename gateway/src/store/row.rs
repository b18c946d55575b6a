//! What comes back from a query, read into the types it was written from.
//!
//! A cell that cannot be read is a contradiction in what is stored, named by table, column and
//! row; its content is never repeated.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Type};
use uuid::Uuid;

use super::error::StoreError;
use super::value::named;
use crate::audit::SubjectKey;

/// One row on either engine.
pub(super) struct Row {
    table: &'static str,
    cells: Cells,
}

enum Cells {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(super) fn sqlite(table: &'static str, row: SqliteRow) -> Self {
        Self { table, cells: Cells::Sqlite(row) }
    }

    pub(super) fn postgres(table: &'static str, row: PgRow) -> Self {
        Self { table, cells: Cells::Postgres(row) }
    }

    /// An integer.
    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.cell(column)
    }

    /// A count or a place in the log.
    pub(super) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).or(Err(self.contradiction(column)))
    }

    /// An integer, if any.
    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.cell(column)
    }

    /// Text.
    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.cell(column)
    }

    /// Text, if any.
    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.cell(column)
    }

    /// Bytes.
    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.cell(column)
    }

    /// Bytes, if any.
    pub(super) fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.cell(column)
    }

    /// An identifier.
    pub(super) fn id(&self, column: &'static str) -> Result<Uuid, StoreError> {
        self.maybe_id(column)?.ok_or_else(|| self.contradiction(column))
    }

    /// An identifier, if any.
    pub(super) fn maybe_id(&self, column: &'static str) -> Result<Option<Uuid>, StoreError> {
        let bytes: Option<Vec<u8>> = self.cell(column)?;
        bytes.map(|bytes| Uuid::from_slice(&bytes).or(Err(self.contradiction(column)))).transpose()
    }

    /// Thirty-two bytes, a hash or a pseudonym, if any.
    pub(super) fn maybe_hash(&self, column: &'static str) -> Result<Option<[u8; 32]>, StoreError> {
        let bytes: Option<Vec<u8>> = self.cell(column)?;
        bytes.map(|bytes| bytes.try_into().or(Err(self.contradiction(column)))).transpose()
    }

    /// Thirty-two bytes.
    pub(super) fn hash(&self, column: &'static str) -> Result<[u8; 32], StoreError> {
        self.maybe_hash(column)?.ok_or_else(|| self.contradiction(column))
    }

    /// A person's pseudonym, if any.
    pub(super) fn maybe_subject(
        &self,
        column: &'static str,
    ) -> Result<Option<SubjectKey>, StoreError> {
        Ok(self.maybe_hash(column)?.map(SubjectKey))
    }

    /// An instant.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.maybe_time(column)?.ok_or_else(|| self.contradiction(column))
    }

    /// An instant, if any.
    pub(super) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.cell(column)?;
        micros
            .map(|micros| Timestamp::from_microsecond(micros).or(Err(self.contradiction(column))))
            .transpose()
    }

    /// A civil date.
    pub(super) fn date(&self, column: &'static str) -> Result<Date, StoreError> {
        self.maybe_date(column)?.ok_or_else(|| self.contradiction(column))
    }

    /// A civil date, if any.
    pub(super) fn maybe_date(&self, column: &'static str) -> Result<Option<Date>, StoreError> {
        self.maybe_text(column)?
            .map(|text| text.parse().or(Err(self.contradiction(column))))
            .transpose()
    }

    /// An organisation.
    pub(super) fn organisation(
        &self,
        column: &'static str,
    ) -> Result<OrganisationCode, StoreError> {
        OrganisationCode::parse(&self.text(column)?).or(Err(self.contradiction(column)))
    }

    /// A state, type or code stored by name.
    pub(super) fn name<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        named(&self.text(column)?).ok_or_else(|| self.contradiction(column))
    }

    /// A state, type or code stored by name, if any.
    pub(super) fn maybe_name<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?
            .map(|name| named(&name).ok_or_else(|| self.contradiction(column)))
            .transpose()
    }

    /// A list stored as a JSON array.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        serde_json::from_str(&self.text(column)?).or(Err(self.contradiction(column)))
    }

    /// A cell of a column whose name the database gave.
    pub(super) fn any<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        Option<T>: Cell,
    {
        self.read(column).or(Err(self.contradiction("a column")))
    }

    /// The error for a cell that is not what was once written.
    pub(super) fn contradiction(&self, column: &'static str) -> StoreError {
        let id = self.read::<Vec<u8>>("id").ok().and_then(|id| Uuid::from_slice(&id).ok());
        let row = match id {
            Some(id) => id.to_string(),
            None => self.read::<i64>("seq").map_or_else(|_| "?".to_owned(), |seq| seq.to_string()),
        };
        StoreError::Contradiction { table: self.table, column, row }
    }

    fn cell<T: Cell>(&self, column: &'static str) -> Result<T, StoreError> {
        self.read(column).or(Err(self.contradiction(column)))
    }

    fn read<T: Cell>(&self, column: &str) -> Result<T, sqlx::Error> {
        match &self.cells {
            Cells::Sqlite(row) => row.try_get(column),
            Cells::Postgres(row) => row.try_get(column),
        }
    }
}

/// What both engines can decode.
pub(super) trait Cell:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Cell for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}
