//! Faults of a database, as they happen to one: done to it from a connection of their own.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _};

use crate::{Engine, TestGateway};

/// A connection beside the gateway's own.
pub enum Beside {
    /// To the file of the embedded database.
    Sqlite(sqlx::SqliteConnection),
    /// To a database of a server.
    Postgres(sqlx::PgConnection),
}

impl Beside {
    /// To the gateway's database.
    pub async fn of(gateway: &TestGateway) -> Self {
        match gateway.engine {
            Engine::Sqlite => {
                let file = gateway.folder().join("data/gateway.db");
                let address = format!("sqlite://{}", file.display());
                let connection = sqlx::SqliteConnection::connect(&address).await;
                Self::Sqlite(connection.expect("the database"))
            }
            Engine::Postgres => Self::to(&address(gateway.folder())).await,
        }
    }

    /// To the server's own database, from where others can be shut.
    pub async fn of_server(gateway: &TestGateway) -> (Self, String) {
        let address = address(gateway.folder());
        let name = address.split(['/', '?']).find(|part| part.starts_with("test_"));
        let name = name.expect("a database of ours").to_owned();
        (Self::to(&address.replacen(&name, "postgres", 1)).await, name)
    }

    async fn to(address: &str) -> Self {
        Self::Postgres(sqlx::PgConnection::connect(address).await.expect("the server"))
    }

    /// Runs statements.
    pub async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => drop(sql.execute(connection).await.expect("it runs")),
            Self::Postgres(connection) => drop(sql.execute(connection).await.expect("it runs")),
        }
    }

    /// From here on no entry of the log can be written.
    pub async fn refuse_entries(&mut self) {
        let sql = match self {
            Self::Sqlite(_) => {
                "create trigger no_entries before insert on audit_entries
                begin select raise(abort, 'made up fault'); end"
            }
            Self::Postgres(_) => {
                "create function no_entries() returns trigger language plpgsql
                as $$ begin raise exception 'made up fault'; end $$;
                create trigger no_entries before insert on audit_entries
                execute function no_entries()"
            }
        };
        self.run(sql).await;
    }

    /// Entries can be written again.
    pub async fn take_entries(&mut self) {
        let sql = match self {
            Self::Sqlite(_) => "drop trigger no_entries",
            Self::Postgres(_) => {
                "drop trigger no_entries on audit_entries; drop function no_entries()"
            }
        };
        self.run(sql).await;
    }

    /// Holds the lock that every commit needs.
    pub async fn lock(&mut self) {
        let sql = match self {
            Self::Sqlite(_) => "begin immediate",
            Self::Postgres(_) => "begin; select size from audit_head for update",
        };
        self.run(sql).await;
    }

    /// Lets it go.
    pub async fn unlock(&mut self) {
        self.run("rollback").await;
    }
}

fn address(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("keys/database.url")).expect("an address")
}
