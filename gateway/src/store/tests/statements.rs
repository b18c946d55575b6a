//! Every statement is valid on both engines: each is prepared, none is run.

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::{Place, on_both_engines};
use crate::store::engine::{Engine, Insert, Statement};
use crate::store::{
    bare, cases, clocks, consents, counts, deliveries, documents, duties, holds, identities, legs,
    log, migration, reconciliations, records, relations, restores, sends, subjects, transitions,
    witnessed, writes,
};

const REGISTRY: &[&[Statement]] = &[
    bare::ALL,
    cases::ALL,
    clocks::ALL,
    consents::ALL,
    counts::ALL,
    deliveries::ALL,
    documents::ALL,
    duties::ALL,
    holds::ALL,
    identities::ALL,
    legs::ALL,
    log::ALL,
    migration::ALL,
    reconciliations::ALL,
    records::ALL,
    relations::ALL,
    restores::ALL,
    sends::ALL,
    subjects::ALL,
    transitions::ALL,
    witnessed::ALL,
    writes::ALL,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_is_valid_on_both_engines_and_names_its_function() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        bare::make_table(&store.engine).await.unwrap();
        let mut texts: Vec<String> = Vec::new();
        for statement in REGISTRY.concat() {
            texts.push(match store.engine {
                Engine::Sqlite { .. } => statement.sqlite.to_owned(),
                Engine::Postgres { .. } => statement.postgres.to_owned(),
            });
        }
        for insert in writes::INSERTS {
            texts.extend(Insert::SIZES.map(|rows| insert.sql(rows)));
        }
        assert!(texts.len() > 60, "{}", texts.len());
        for text in texts {
            assert!(text.starts_with("/* ") && text.contains("::"), "{text}");
            let sql = AssertSqlSafe(text.clone()).into_sql_str();
            let problem = match &store.engine {
                Engine::Sqlite { write, .. } => write.prepare(sql).await.err(),
                Engine::Postgres { pool, .. } => pool.prepare(sql).await.err(),
            };
            assert!(problem.is_none(), "{problem:?} in {text}");
        }
    })
    .await;
}
