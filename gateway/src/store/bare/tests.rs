use std::collections::BTreeSet;

use super::*;

#[test]
fn the_bytes_of_a_row_are_as_many_as_asked_and_do_not_repeat() {
    let bytes = noise(4001);
    assert_eq!(bytes.len(), 4001);
    assert!(noise(0).is_empty());
    let words: BTreeSet<&[u8]> = bytes.chunks_exact(8).collect();
    assert_eq!(words.len(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_timed_row_has_a_latency_and_the_table_is_gone_afterwards() {
    let folder = tempfile::TempDir::new().unwrap();
    let location = StoreLocation::Sqlite { path: folder.path().join("bare.db") };
    for writers in [1, 4] {
        let rate = insert_rate(&location, 100, writers, Duration::from_millis(50)).await.unwrap();
        assert!(!rate.latencies.is_empty());
        assert!(rate.elapsed > Duration::ZERO);
    }
}
