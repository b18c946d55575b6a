//! Every statement is valid on both engines: each is prepared, none is run.

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::{Place, on_both_engines};
use crate::store::engine::{Engine, Insert, Statement};
use crate::store::{
    alerts, backups, bare, cases, clocks, commit, consents, counts, deliveries, documents, dump,
    duties, holds, identities, kept, legal_holds, legs, log, looks, migration, periods,
    reconciliations, records, relations, restores, retention, searches, sends, sinks, subjects,
    transitions, watch, writes,
};

const REGISTRY: &[&[Statement]] = &[
    alerts::ALL,
    backups::ALL,
    bare::ALL,
    cases::ALL,
    clocks::ALL,
    commit::ALL,
    consents::ALL,
    counts::ALL,
    deliveries::ALL,
    documents::ALL,
    dump::ALL,
    duties::ALL,
    holds::ALL,
    identities::ALL,
    kept::ALL,
    legal_holds::ALL,
    legs::ALL,
    log::ALL,
    looks::ALL,
    migration::ALL,
    periods::ALL,
    reconciliations::ALL,
    records::ALL,
    relations::ALL,
    restores::ALL,
    retention::ALL,
    searches::ALL,
    sends::ALL,
    sinks::ALL,
    subjects::ALL,
    transitions::ALL,
    watch::ALL,
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
