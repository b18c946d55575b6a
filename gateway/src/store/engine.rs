//! Two database engines behind one way of asking.
//!
//! Owns the connections, and the small vocabulary the rest of the store speaks: a [`Statement`] is
//! SQL written once for both engines (or twice where they differ), a [`Value`] is what is bound,
//! a [`Row`] is what comes back, a [`Transaction`] is what commits. Must never know what the rows
//! mean. SQLite has one writer connection and a pool of read-only readers; PostgreSQL one pool.
//!
//! Not supported, and why: driver types beyond integers, text and bytes. The engines agree on
//! nothing else.

use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::error::StoreError;
use super::row::Row;
use super::value::Value;

/// One SQL statement: its text, which starts with a comment naming its function, and where the
/// engines differ its other text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    /// The table its rows come from, for errors.
    pub(super) table: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// Names statements, makes each start with a comment naming its function, and lists them all for
/// the test that prepares every one on both engines.
macro_rules! statements {
    ($($constant:ident = $name:literal on $table:literal:
        $sql:expr $(, postgres: $postgres:literal)?;)+) => {
        $(pub(super) const $constant: $crate::store::engine::Statement =
            $crate::store::engine::Statement {
                table: $table,
                sqlite: concat!("/* ", $name, " */ ", $sql),
                postgres: concat!("/* ", $name, " */ ", $sql $(, $postgres)?),
            };)+
        /// Every statement of this module.
        #[cfg(test)]
        pub(super) const ALL: &[$crate::store::engine::Statement] = &[$($constant),+];
    };
}
pub(super) use statements;

/// An insert of one or many rows in one statement: the cost of a row is the statement it is in.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    /// Each column with its cell: `?` stands for the next value.
    pub(super) cells: &'static [(&'static str, &'static str)],
}

impl Insert {
    /// Rows a statement, largest first. A few sizes only, so that prepared statements are reused.
    pub(super) const SIZES: [usize; 4] = [64, 16, 4, 1];

    /// The text that inserts this many rows.
    pub(super) fn sql(&self, rows: usize) -> String {
        let columns: Vec<&str> = self.cells.iter().map(|(column, _)| *column).collect();
        let mut sql = format!(
            "/* {} */ insert into {} ({}) values ",
            self.name,
            self.table,
            columns.join(", ")
        );
        let mut number = 0u32;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for (at, (_, cell)) in self.cells.iter().enumerate() {
                if at > 0 {
                    sql.push_str(", ");
                }
                for c in cell.chars() {
                    if c == '?' {
                        number += 1;
                        sql.push('$');
                        sql.push_str(&number.to_string());
                    } else {
                        sql.push(c);
                    }
                }
            }
            sql.push(')');
        }
        sql
    }
}

/// The connections to one database.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    /// An embedded database in one file.
    Sqlite {
        /// One connection: SQLite has one writer.
        write: SqlitePool,
        /// Read-only connections.
        read: SqlitePool,
    },
    /// A database server, shared by several gateways.
    Postgres {
        /// For everything but locks on people.
        pool: PgPool,
        /// One connection for all locks held together; apart, so that locks cannot starve the work
        /// they wait for.
        locks: PgPool,
    },
}

/// A transaction on either engine. Dropped means rolled back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Engine {
    /// Begins a transaction that will write; on SQLite it is the only one from here on.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Sqlite { write, .. } => {
                Transaction::Sqlite(write.begin_with("begin immediate").await?)
            }
            Self::Postgres { pool, .. } => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that sees everything as it is at its first question, and only reads.
    pub(super) async fn begin_reading(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Sqlite { read, .. } => Transaction::Sqlite(read.begin().await?),
            Self::Postgres { pool, .. } => Transaction::Postgres(
                pool.begin_with("begin transaction isolation level repeatable read read only")
                    .await?,
            ),
        })
    }

    /// All rows of a query, outside any transaction.
    pub(super) async fn rows(
        &self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite { read, .. } => {
                let rows = sqlite(statement.sqlite, values).fetch_all(read).await?;
                rows.into_iter().map(|row| Row::sqlite(statement.table, row)).collect()
            }
            Self::Postgres { pool, .. } => {
                let rows = postgres(statement.postgres, values).fetch_all(pool).await?;
                rows.into_iter().map(|row| Row::postgres(statement.table, row)).collect()
            }
        })
    }

    /// The row of a query, outside any transaction.
    pub(super) async fn row(
        &self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// Closes every connection, waiting for those in use.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { pool, locks } => {
                pool.close().await;
                // A held lock ends with its guard; it must not hold up a shutdown.
                drop(locks.close());
            }
        }
    }
}

impl Transaction {
    /// Runs a statement; says how many rows it changed.
    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                let done = sqlite(statement.sqlite, values).execute(&mut **tx).await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(tx) => {
                let done = postgres(statement.postgres, values).execute(&mut **tx).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// All rows of a query.
    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = sqlite(statement.sqlite, values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::sqlite(statement.table, row)).collect()
            }
            Self::Postgres(tx) => {
                let rows = postgres(statement.postgres, values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::postgres(statement.table, row)).collect()
            }
        })
    }

    /// Runs a statement whose text is made for the occasion, and not kept prepared.
    pub(super) async fn execute_once(
        &mut self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<(), StoreError> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(tx) => {
                sqlite(sql, values).persistent(false).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                postgres(sql, values).persistent(false).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// All rows of such a query.
    pub(super) async fn rows_once(
        &mut self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = AssertSqlSafe(sql);
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = sqlite(sql, values).persistent(false).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::sqlite("a table", row)).collect()
            }
            Self::Postgres(tx) => {
                let rows = postgres(sql, values).persistent(false).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Row::postgres("a table", row)).collect()
            }
        })
    }

    /// Inserts rows, as many a statement as the sizes allow.
    pub(super) async fn insert(
        &mut self,
        insert: &Insert,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        for size in Insert::SIZES {
            while left >= size {
                let sql = AssertSqlSafe(insert.sql(size));
                let values = rows.by_ref().take(size).flatten().collect();
                match self {
                    Self::Sqlite(tx) => {
                        sqlite(sql, values).execute(&mut **tx).await?;
                    }
                    Self::Postgres(tx) => {
                        postgres(sql, values).execute(&mut **tx).await?;
                    }
                }
                left -= size;
            }
        }
        Ok(())
    }

    /// Runs a script of several statements that bind nothing: a migration.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => {
                sqlx::raw_sql(sql).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                sqlx::raw_sql(sql).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Makes everything durable, or nothing.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes everything.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    /// Whether a notification can be sent to other gateways with the commit.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

type SqliteQuery = sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments>;
type PostgresQuery = sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments>;

pub(super) fn sqlite(sql: impl SqlSafeStr, values: Vec<Value>) -> SqliteQuery {
    values.into_iter().fold(sqlx::query(sql.into_sql_str()), |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Blob(value) => query.bind(value),
    })
}

pub(super) fn postgres(sql: impl SqlSafeStr, values: Vec<Value>) -> PostgresQuery {
    values.into_iter().fold(sqlx::query(sql.into_sql_str()), |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Blob(value) => query.bind(value),
    })
}
