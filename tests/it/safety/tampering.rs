//! The log and the records, altered in every way: each alteration is found.

use std::sync::Arc;

use gateway::app::open_store_alone;
use gateway::audit::Actor;
use gateway::backup::{self, Keys, Why};
use gateway::config::Config;
use gateway::practice::people::Row;
use gateway::store::{DatabaseUrl, StoreLocation};
use gateway::verification;
use tests::postgres::Cluster;
use tests::{Engine, TestGateway, each_engine};

/// A gateway with a few dozen entries, stopped; its database file, and a checkpoint a partner kept.
async fn a_log() -> (TestGateway, std::path::PathBuf, String) {
    let gateway = TestGateway::start(Engine::Sqlite).await;
    let rows: Vec<Row> = (1..=8).map(|number| Row::new(number, "CAMHS;PAEDIATRICS")).collect();
    gateway.push_rows("t-1", &rows).await;
    for delivery in gateway.inbox(gateway.mental()).await {
        let reply = gateway.mental().get(&format!("/v1/inbox/{delivery}"), None).await;
        assert_eq!(reply.expect("an answer").status, 200);
    }
    let note = gateway.la().get("/v1/audit/checkpoint", None).await.expect("an answer").text();
    let copy = gateway.folder().join("copy.db");
    gateway.cast.app().store.copy_to(&copy).await.expect("a copy");
    (gateway, copy, note)
}

#[test]
fn a_flipped_byte_of_any_entry_is_found_and_named() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, copy, note) = a_log().await;
        // Opening a database changes its file: read it first, and alter a fresh copy each time.
        let original = std::fs::read(&copy).expect("a file");
        let clean = gateway.cast.verify_copy(&copy, &[&note]).await.expect("it is read");
        assert_eq!(clean.faults.len(), 0, "{:?}", clean.faults);
        // The third digit of the time makes another time; the first makes what is no JSON.
        let places = places_of_entries(&original, clean.entries);
        let places = places.iter().flat_map(|(seq, at)| [(*seq, at, 0), (*seq, at, 2)]);
        for (seq, at, digit) in places {
            let mut altered = original.clone();
            for place in at {
                altered[*place + digit] ^= 0x01;
            }
            let file = gateway.folder().join(format!("altered-{seq}-{digit}.db"));
            std::fs::write(&file, &altered).expect("a file");
            let found = gateway.cast.verify_copy(&file, &[&note]).await.expect("it is read");
            let first = found.first_bad();
            assert_eq!(first, Some(seq), "entry {seq} was altered: {:?}", found.faults);
        }
        gateway.end().await;
    });
}

#[test]
fn a_flipped_byte_of_a_sealed_record_is_found() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, copy, note) = a_log().await;
        let store = &gateway.cast.app().store;
        let envelopes = store.sealed_envelopes(None, 10).await.expect("records");
        assert!(!envelopes.is_empty());
        let original = std::fs::read(&copy).expect("a file");
        for (index, (_, envelope)) in envelopes.iter().take(4).enumerate() {
            // The first bytes of an envelope are on one page, so they can be found in the file.
            let start = &envelope[..64];
            let windows = original.windows(64).enumerate();
            let places = windows.filter(|(_, window)| *window == start).map(|(at, _)| at);
            let mut altered = original.clone();
            for place in places {
                altered[place + 63] ^= 0x80;
            }
            let file = gateway.folder().join(format!("altered-record-{index}.db"));
            std::fs::write(&file, &altered).expect("a file");
            let found = gateway.cast.verify_copy(&file, &[&note]).await.expect("it is read");
            assert_eq!(found.faults.len(), 1, "{:?}", found.faults);
        }
        gateway.end().await;
    });
}

#[test]
fn a_cut_tail_is_found_by_the_checkpoint_a_partner_kept() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, _, _) = a_log().await;
        let old = gateway.folder().join("old.db");
        gateway.cast.app().store.copy_to(&old).await.expect("a copy");
        let before = gateway.cast.verify_copy(&old, &[]).await.expect("it is read").entries;
        gateway.push_rows("t-2", &[Row::new(20, "SALT")]).await;
        let la = gateway.la();
        let kept = la.get("/v1/audit/checkpoint", None).await.expect("an answer").text();
        let alone = gateway.cast.verify_copy(&old, &[]).await.expect("it is read");
        assert_eq!(alone.faults.len(), 0, "an old backup is consistent in itself");
        let found = gateway.cast.verify_copy(&old, &[&kept]).await.expect("it is read");
        assert_eq!(found.first_bad(), Some(before));
        gateway.end().await;
    });
}

#[test]
fn an_end_of_the_log_without_our_signature_is_found() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, copy, _) = a_log().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&copy);
        let forger = sqlx::SqlitePool::connect_with(options).await.expect("it opens");
        let done =
            sqlx::query("delete from checkpoints where size = (select size from audit_head)")
                .execute(&forger)
                .await;
        assert_eq!(done.expect("it is deleted").rows_affected(), 1);
        forger.close().await;
        let found = gateway.cast.verify_copy(&copy, &[]).await.expect("it is read");
        assert_eq!(found.faults.len(), 1, "{:?}", found.faults);
        assert!(found.faults[0].to_string().contains("no checkpoint"), "{:?}", found.faults);
        gateway.end().await;
    });
}

#[test]
fn an_entry_that_is_hidden_from_a_search_is_found_and_named() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, _, _) = a_log().await;
        gateway.board(gateway.la()).await;
        let copy = gateway.folder().join("searched.db");
        gateway.cast.app().store.copy_to(&copy).await.expect("a copy");
        let original = std::fs::read(&copy).expect("a file");
        let collected = "(select min(seq) from audit_entries where kind = 'delivery.collected')";
        let looked = "(select min(seq) from looks)";
        let mut edits: Vec<(&str, String)> = [
            "kind = 'board.viewed'",
            "at_us = 0",
            "organisation = 'gateway'",
            "person = 'ffffffffffffffff'",
            "counterparty = null",
            "authority = 'consent'",
            "outcome = 'hold'",
            "reason = 'complaint'",
            "record_id = null",
            "delivery_id = null",
            "subject = null",
        ]
        .into_iter()
        .map(|edit| (collected, format!("update audit_entries set {edit} where seq = {collected}")))
        .collect();
        let of_looks = [
            format!("delete from looks where seq = {looked}"),
            format!("delete from looks where seq = {looked} and subject = (select max(subject) from looks)"),
            format!("update looks set salt = zeroblob(16) where seq = {looked}"),
        ];
        edits.extend(of_looks.map(|edit| (looked, edit)));
        for (place, edit) in edits {
            let file = gateway.folder().join("edited.db");
            std::fs::write(&file, &original).expect("a file");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
            let forger = sqlx::SqlitePool::connect_with(options).await.expect("it opens");
            let ask = sqlx::AssertSqlSafe(format!("select {place}"));
            let seq: i64 = sqlx::query_scalar(ask).fetch_one(&forger).await.expect("an entry");
            let done = sqlx::query(sqlx::AssertSqlSafe(edit.clone())).execute(&forger).await;
            assert!(done.expect("it is edited").rows_affected() > 0, "{edit}");
            forger.close().await;
            let found = gateway.cast.verify_copy(&file, &[]).await.expect("it is read");
            assert_eq!(found.faults.len(), 1, "{edit}: {:?}", found.faults);
            assert_eq!(found.first_bad(), u64::try_from(seq).ok(), "{edit}: {:?}", found.faults);
        }
        gateway.end().await;
    });
}

/// Where each entry's leaf stands in the file, found by its place in the log. A page that was
/// split may keep an old copy of a row, so an entry may stand in more than one place.
fn places_of_entries(file: &[u8], entries: u64) -> Vec<(u64, Vec<usize>)> {
    let find = |needle: &[u8]| -> Vec<usize> {
        let windows = file.windows(needle.len()).enumerate();
        windows.filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
    };
    let places: Vec<(u64, Vec<usize>)> = (0..entries)
        .map(|seq| {
            let start = format!("{{\"seq\":{seq},\"at_us\":");
            let places = find(start.as_bytes());
            (seq, places.into_iter().map(|at| at + start.len()).collect::<Vec<_>>())
        })
        .filter(|(_, places)| !places.is_empty())
        .collect();
    assert!(places.len() * 10 >= usize::try_from(entries).expect("a size") * 9, "few were found");
    places
}

/// Backups that are put back, of one run of the gateway.
const OLD_BACKUPS: u32 = 20;

#[test]
fn every_older_backup_put_back_is_whole_in_itself_and_found_by_what_a_partner_kept() {
    each_engine("old backups", |gateway| async move {
        let app = gateway.cast.app();
        let keys = Keys::load(&app.config).expect("the keys");
        let why = Why { actor: Actor::local(), reason: "exercise" };
        let mut made = Vec::new();
        for number in 0..OLD_BACKUPS {
            gateway.request(number, "CAMHS").await;
            let file = gateway.folder().join(format!("{number}.ehcbackup"));
            backup::make(app, &keys, &file, &why, &mut |_| {}).await.expect("a backup");
            let note = app.store.latest_checkpoint().await.expect("a note").expect("a note").note;
            made.push((file, note));
        }
        gateway.request(OLD_BACKUPS, "CAMHS").await;
        let newest = gateway.la().get("/v1/audit/checkpoint", None).await.expect("one").text();
        let mut before: Option<String> = None;
        for (number, (file, note)) in made.into_iter().enumerate() {
            let (config, location) = another_place(&gateway, number);
            let seams = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
            let restored = backup::restore(&file, &config, &keys, seams, &mut |_| {}).await;
            let restored = restored.expect("it is put back");
            let store = open_store_alone(location, app).await.expect("it opens");
            assert!(store.unconfirmed_restore().await.expect("read").is_some(), "it is held");
            let look = async |kept: &[String]| {
                verification::of_store(&store, &app.log_vkey, kept, |_| {}).await.expect("read")
            };
            let alone = look(&[]).await;
            assert!(alone.is_whole(), "backup {number}: {:?}", alone.faults);
            assert_eq!(alone.entries, restored.manifest.log_size + 1, "and its own restore");
            let found = look(std::slice::from_ref(&newest)).await;
            assert_eq!(found.first_bad(), Some(alone.entries), "backup {number}");
            // The entry of the backup itself is after it, and in the note that was kept then.
            assert!(
                !look(std::slice::from_ref(&note)).await.is_whole(),
                "backup {number}: it has a fork"
            );
            if let Some(before) = before.replace(note) {
                assert!(look(&[before]).await.is_whole(), "what came before it is still there");
            }
            store.close().await;
        }
        gateway.end().await;
    });
}

/// The settings of an empty place beside the gateway's own, and where its database is.
fn another_place(gateway: &TestGateway, number: usize) -> (Config, StoreLocation) {
    let folder = gateway.folder();
    let text = std::fs::read_to_string(gateway.cast.config_path()).expect("settings");
    let text = text.replace("data_dir = \"data\"", &format!("data_dir = \"restored-{number}\""));
    let text = text.replace("data/gateway.db", &format!("restored-{number}/gateway.db"));
    let address = format!("keys/restored-{number}.url");
    let text = text.replace("keys/database.url", &address);
    let location = match gateway.engine {
        Engine::Sqlite => {
            StoreLocation::Sqlite { path: folder.join(format!("restored-{number}/gateway.db")) }
        }
        Engine::Postgres => {
            let url = Cluster::find().expect("a server").make_database();
            gateway::secret_file::create(&folder.join(address), url.as_bytes()).expect("a file");
            StoreLocation::Postgres { url: DatabaseUrl::new(url) }
        }
    };
    let config = Config::parse(&folder.join("restored.toml"), &text).expect("settings");
    (config, location)
}
