//! Everything in the database as rows, for backups: read as it is at one instant, and put into an
//! empty database.
//!
//! Both engines keep integers, text and bytes in tables of the same names, so that a dump has one
//! form: one of PostgreSQL is proved in an embedded database. The tables and their columns are the database's own word, not a list here: a
//! table that a later migration adds is in every backup from then on. A dump is put into a database
//! of the very migration it was made at, which is then brought up to date, all in one transaction.
//!
//! Must never know what the rows mean, but for what a backup says of itself: the head of the log,
//! and which documents are kept apart.
//!
//! To use it: [`Store::snapshot`], [`Snapshot::begin_table`] and [`Snapshot::rows`] until there are
//! no more; [`Loader::begin`], [`Loader::begin_table`], [`Loader::rows`], and [`Loader::finish`].
//!
//! Limits: a snapshot keeps the server's, or the file's, old row versions while it lasts. Rows are
//! held a few MiB at a time, and one row whole. Not supported: rows that refer to rows of their own
//! table, because there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::change::Change;
use super::commit::{Committed, write_into};
use super::connection::{self, Missing, StoreLocation};
use super::engine::{Engine, Insert, Statement, Transaction, statements};
use super::error::StoreError;
use super::log::{Head, StoredCheckpoint};
use super::plan::LogKeeper;
use super::row::Row;
use super::value::{Value, values};
use super::{Store, migration, writes};
use crate::entropy::Entropy;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number of 64 bits.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// One cell of a row: absent, or of its column's kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    Absent,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A table: its name, and its columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Its name: small letters, digits and underscores.
    pub(crate) name: String,
    /// Its columns.
    pub(crate) columns: Vec<(String, Kind)>,
}

/// The database as it was at one instant.
pub(crate) struct Snapshot {
    tx: Transaction,
    /// The tables, those that others refer to first.
    tables: Vec<Shape>,
    now: Option<Place>,
    schema: i64,
    head: Head,
    checkpoint: Option<StoredCheckpoint>,
    documents: Vec<(Uuid, u64)>,
}

/// Where the reading of a table has come to.
struct Place {
    shape: Shape,
    after: i64,
    at_once: usize,
}

impl Shape {
    /// A table from what a backup says; `None` when a name is not one of ours.
    pub(crate) fn new(name: String, columns: Vec<(String, Kind)>) -> Option<Self> {
        let names = columns.iter().map(|(column, _)| column).chain([&name]);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fit = |text: &String| (1..=63).contains(&text.len()) && text.chars().all(plain);
        let distinct: BTreeSet<&String> = columns.iter().map(|(column, _)| column).collect();
        let all = names.into_iter().all(fit) && distinct.len() == columns.len();
        (all && !columns.is_empty()).then_some(Self { name, columns })
    }

    fn list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        names.join(", ")
    }
}

impl Store {
    /// Everything as it is now, whatever is committed while it is read.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = self.engine.begin_reading().await?;
        let missing =
            || StoreError::Contradiction { table: "audit_head", column: "id", row: "1".to_owned() };
        // The first question fixes the instant.
        let rows = tx.rows(&super::log::AUDIT_HEAD, values![]).await?;
        let head = rows.first().ok_or_else(missing)?;
        let head = Head { size: head.count("size")?, frontier: head.bytes("frontier")? };
        let rows = tx.rows(&super::log::LATEST_CHECKPOINT, values![]).await?;
        let checkpoint = rows.first().map(super::log::checkpoint).transpose()?;
        let rows = tx.rows(&migration::NEWEST, values![]).await?;
        let schema = rows.first().map_or(Ok(0), |row| row.int("number"))?;
        let tables = tables(&mut tx).await?;
        let documents = tx.rows(&KEPT_APART, values![]).await?;
        let documents = documents.iter().map(|row| Ok((row.id("id")?, row.count("received")?)));
        let documents = documents.collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Snapshot { tx, tables, now: None, schema, head, checkpoint, documents })
    }
}

impl Snapshot {
    /// Its tables, in the order in which they can be filled.
    pub(crate) fn tables(&self) -> Vec<Shape> {
        self.tables.clone()
    }

    /// The newest migration that was applied.
    pub(crate) fn schema(&self) -> i64 {
        self.schema
    }

    /// The head of the log.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The newest checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<&StoredCheckpoint> {
        self.checkpoint.as_ref()
    }

    /// The documents that are kept apart, each with how many of its bytes are.
    pub(crate) fn documents(&self) -> &[(Uuid, u64)] {
        &self.documents
    }

    /// Begins with a table.
    pub(crate) async fn begin_table(&mut self, shape: &Shape) -> Result<(), StoreError> {
        if self.tx.is_shared() {
            let sql = format!(
                "/* dump::begin_table */ declare {} no scroll cursor for select {} from {}",
                quoted(&cursor(shape)),
                shape.list(),
                quoted(&shape.name)
            );
            self.tx.execute_once(sql, values![]).await?;
        }
        self.now = Some(Place { shape: shape.clone(), after: i64::MIN, at_once: AT_ONCE_FIRST });
        Ok(())
    }

    /// The next rows of the table; none when it has no more.
    pub(crate) async fn rows(&mut self) -> Result<Vec<Vec<Cell>>, StoreError> {
        let Some(place) = &mut self.now else { return Ok(Vec::new()) };
        let at_once = place.at_once;
        let (sql, values) = if self.tx.is_shared() {
            let name = quoted(&cursor(&place.shape));
            (format!("/* dump::rows */ fetch {at_once} from {name}"), values![])
        } else {
            let (list, name) = (place.shape.list(), quoted(&place.shape.name));
            let sql = format!(
                "/* dump::rows */ select rowid as {ROW}, {list} from {name} where rowid > $1 \
                 order by rowid limit {at_once}"
            );
            (sql, values![place.after])
        };
        let rows = self.tx.rows_once(sql, values).await?;
        if let Some(last) = rows.last()
            && !self.tx.is_shared()
        {
            place.after = last.int(ROW)?;
        }
        if rows.is_empty() {
            if self.tx.is_shared() {
                let sql = format!("/* dump::rows */ close {}", quoted(&cursor(&place.shape)));
                self.tx.execute_once(sql, values![]).await?;
            }
            self.now = None;
            return Ok(Vec::new());
        }
        let mut bytes = 0;
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            let cells = cells(row, &place.shape)?;
            bytes += cells.iter().map(Cell::bytes).sum::<usize>();
            read.push(cells);
        }
        // Few rows when they are large, many when they are small: memory stays flat.
        place.at_once = if bytes > BYTES_AT_ONCE {
            (at_once / 4).max(1)
        } else if bytes < BYTES_AT_ONCE / 4 {
            (at_once * 2).min(AT_ONCE_MAX)
        } else {
            at_once
        };
        Ok(read)
    }
}

impl Cell {
    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Absent | Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<(Cell, Kind)> for Value {
    fn from((cell, kind): (Cell, Kind)) -> Self {
        match (cell, kind) {
            (Cell::Int(number), _) => Self::Int(Some(number)),
            (Cell::Text(text), _) => Self::Text(Some(text)),
            (Cell::Bytes(bytes), _) => Self::Blob(Some(bytes)),
            (Cell::Absent, Kind::Int) => Self::Int(None),
            (Cell::Absent, Kind::Text) => Self::Text(None),
            (Cell::Absent, Kind::Bytes) => Self::Blob(None),
        }
    }
}

/// An empty database that is being filled. Dropped before the end, nothing stays in it.
pub(crate) struct Loader {
    engine: Engine,
    tx: Transaction,
    tables: BTreeMap<String, Shape>,
    now: Option<Shape>,
    made: Option<PathBuf>,
}

impl Loader {
    /// Begins to fill a database that has no table yet, as it was at a migration.
    pub(crate) async fn begin(
        location: &StoreLocation,
        schema: i64,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        if schema > migration::known() {
            return Err(StoreError::NewerSchema { found: schema, known: migration::known() });
        }
        let made = match location {
            StoreLocation::Sqlite { path } if !path.exists() => Some(path.clone()),
            StoreLocation::Sqlite { .. } | StoreLocation::Postgres { .. } => None,
        };
        let engine = connection::open(location, Missing::Make).await?;
        let tx = engine.begin().await?;
        let mut loader = Self { engine, tx, tables: BTreeMap::new(), now: None, made };
        match loader.prepare(schema, now).await {
            Ok(()) => Ok(loader),
            Err(error) => {
                loader.give_up().await;
                Err(error)
            }
        }
    }

    async fn prepare(&mut self, schema: i64, now: Timestamp) -> Result<(), StoreError> {
        if !tables(&mut self.tx).await?.is_empty() {
            return Err(StoreError::Conflict { rule: ONLY_INTO_AN_EMPTY_PLACE });
        }
        migration::migrate_to(&mut self.tx, schema, now).await?;
        let tables = tables(&mut self.tx).await?;
        for shape in tables.iter().rev() {
            let sql = format!("/* dump::prepare */ delete from {}", quoted(&shape.name));
            self.tx.execute_once(sql, values![]).await?;
        }
        self.tables = tables.into_iter().map(|shape| (shape.name.clone(), shape)).collect();
        Ok(())
    }

    /// Begins with a table. It must be there, with these columns.
    pub(crate) fn begin_table(&mut self, shape: &Shape) -> Result<(), StoreError> {
        let known = self.tables.remove(&shape.name);
        let fits = known.is_some_and(|known| {
            let columns = |shape: &Shape| shape.columns.iter().cloned().collect::<BTreeMap<_, _>>();
            columns(&known) == columns(shape)
        });
        if !fits {
            return Err(StoreError::Conflict {
                rule: "the backup has another table than its migration",
            });
        }
        self.now = Some(shape.clone());
        Ok(())
    }

    /// Puts rows into the table.
    pub(crate) async fn rows(&mut self, rows: Vec<Vec<Cell>>) -> Result<(), StoreError> {
        let Some(shape) = &self.now else {
            return Err(StoreError::Conflict { rule: "a row without a table" });
        };
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        for size in Insert::SIZES {
            while left >= size {
                let mut values = Vec::with_capacity(size * shape.columns.len());
                for row in rows.by_ref().take(size) {
                    if row.len() != shape.columns.len() {
                        return Err(StoreError::Conflict { rule: "a row of another length" });
                    }
                    let kinds = shape.columns.iter().map(|(_, kind)| *kind);
                    values.extend(row.into_iter().zip(kinds).map(Value::from));
                }
                self.tx.execute_once(insert(shape, size), values).await?;
                left -= size;
            }
        }
        Ok(())
    }

    /// The head of the log that was put in.
    pub(crate) async fn head(&mut self) -> Result<Head, StoreError> {
        writes::lock_head(&mut self.tx).await
    }

    /// Brings the database up to date, makes a change in it, if there is one, and makes everything
    /// durable at once. Every table must have been filled.
    pub(crate) async fn finish(
        mut self,
        change: Option<Change>,
        keeper: &LogKeeper,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<Option<Committed>, StoreError> {
        if !self.tables.is_empty() {
            return Err(StoreError::Conflict { rule: "the backup lacks a table" });
        }
        migration::migrate_to(&mut self.tx, i64::MAX, now).await?;
        let mut committed = None;
        if let Some(change) = &change {
            let head = writes::lock_head(&mut self.tx).await?;
            let plan = write_into(&mut self.tx, head, &[change], keeper, (now, entropy)).await?;
            committed = plan.into_committed().into_iter().next();
        }
        self.tx.commit().await?;
        self.engine.close().await;
        if committed.is_some() {
            super::notice::mark();
        }
        Ok(committed)
    }

    /// Gives up: nothing was put in, and a file that was made for it is removed.
    pub(crate) async fn give_up(self) {
        drop(self.tx.rollback().await);
        self.engine.close().await;
        if let Some(path) = self.made {
            for end in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(end);
                drop(std::fs::remove_file(PathBuf::from(name)));
            }
        }
    }
}

/// The tables, those that others refer to first.
async fn tables(tx: &mut Transaction) -> Result<Vec<Shape>, StoreError> {
    let mut shapes: Vec<Shape> = Vec::new();
    for row in tx.rows(&COLUMNS, values![]).await? {
        let (table, column) = (row.text("of_table")?, row.text("of_column")?);
        let kind = match row.text("kind")?.to_ascii_lowercase().as_str() {
            "integer" | "bigint" => Kind::Int,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Bytes,
            _ => return Err(row.contradiction("kind")),
        };
        match shapes.last_mut().filter(|shape| shape.name == table) {
            Some(shape) => shape.columns.push((column, kind)),
            None => shapes.push(Shape { name: table, columns: vec![(column, kind)] }),
        }
    }
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in tx.rows(&REFERENCES, values![]).await? {
        let (table, other) = (row.text("of_table")?, row.text("other")?);
        if table != other {
            needs.entry(table).or_default().insert(other);
        }
    }
    let mut ordered: Vec<Shape> = Vec::new();
    while !shapes.is_empty() {
        let done: BTreeSet<String> = ordered.iter().map(|shape| shape.name.clone()).collect();
        let ready =
            |shape: &Shape| needs.get(&shape.name).is_none_or(|needs| needs.is_subset(&done));
        let (now, later): (Vec<Shape>, Vec<Shape>) = shapes.into_iter().partition(ready);
        if now.is_empty() {
            return Err(StoreError::Conflict { rule: "tables refer to each other in a circle" });
        }
        ordered.extend(now);
        shapes = later;
    }
    Ok(ordered)
}

fn cells(row: &Row, shape: &Shape) -> Result<Vec<Cell>, StoreError> {
    let cell = |(name, kind): &(String, Kind)| {
        Ok(match kind {
            Kind::Int => row.any::<i64>(name)?.map_or(Cell::Absent, Cell::Int),
            Kind::Text => row.any::<String>(name)?.map_or(Cell::Absent, Cell::Text),
            Kind::Bytes => row.any::<Vec<u8>>(name)?.map_or(Cell::Absent, Cell::Bytes),
        })
    };
    shape.columns.iter().map(cell).collect()
}

/// The text that inserts this many rows.
fn insert(shape: &Shape, rows: usize) -> String {
    let (table, list) = (quoted(&shape.name), shape.list());
    let mut sql = format!("/* dump::insert */ insert into {table} ({list}) values ");
    let mut number = 0usize;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..shape.columns.len() {
            number += 1;
            sql.push_str(if column == 0 { "$" } else { ", $" });
            sql.push_str(&number.to_string());
        }
        sql.push(')');
    }
    sql
}

fn cursor(shape: &Shape) -> String {
    format!("backup_of_{}", shape.name)
}

/// A name in quotation marks. Names are the database's own, or were looked at by [`Shape::new`].
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', ""))
}

statements! {
    KEPT_APART = "dump::snapshot" on "documents":
        "select id, received from documents
        where state in ('uploading', 'ready', 'not-scanned', 'flagged') and received > 0
        order by id";
}

/// The engines describe themselves each in their own way.
const COLUMNS: Statement = Statement {
    table: "columns",
    sqlite: "/* dump::tables */ select t.name as of_table, c.name as of_column, c.type as kind
        from sqlite_schema t join pragma_table_info(t.name) c
        where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'
        order by t.name, c.cid",
    postgres: "/* dump::tables */
        select t.relname::text as of_table, c.attname::text as of_column,
            format_type(c.atttypid, null)::text as kind
        from pg_class t join pg_attribute c on c.attrelid = t.oid
        where t.relkind in ('r', 'p') and t.relnamespace = current_schema()::regnamespace
            and c.attnum > 0 and not c.attisdropped
        order by t.relname, c.attnum",
};
const REFERENCES: Statement = Statement {
    table: "references",
    sqlite: "/* dump::tables */ select t.name as of_table, r.\"table\" as other
        from sqlite_schema t join pragma_foreign_key_list(t.name) r where t.type = 'table'",
    postgres: "/* dump::tables */ select t.relname::text as of_table, o.relname::text as other
        from pg_constraint r join pg_class t on t.oid = r.conrelid
            join pg_class o on o.oid = r.confrelid
        where r.contype = 'f' and t.relnamespace = current_schema()::regnamespace",
};

/// The rule of a conflict: a backup never replaces what is there.
pub(crate) const ONLY_INTO_AN_EMPTY_PLACE: &str =
    "a backup is restored only where there is no database yet";
/// What the place of a row is called while SQLite's tables are read.
const ROW: &str = "place_of_row";
const AT_ONCE_FIRST: usize = 16;
const AT_ONCE_MAX: usize = 1_024;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
