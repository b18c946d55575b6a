//! The benchmark measures what it says: every proof is checked against the root.

use super::*;

#[tokio::test]
async fn every_measure_is_taken_and_every_proof_holds() {
    let folder = tempfile::tempdir().unwrap();
    for size in [1, 2, 300] {
        let bar = ProgressBar::hidden();
        let figures = in_memory(size, &bar).await.unwrap();
        assert_eq!(figures.len(), 7);
        assert!(figures.iter().all(|figure| figure.entries == size && figure.times > 0));
    }
    let stored = in_sqlite(&folder.path().join("log"), 30).await.unwrap();
    assert_eq!((stored.times, stored.what), (30, COMMITTED));
    assert!(stored.bytes > Some(30 * 100));
}

#[test]
fn nodes_are_found_where_the_log_keeps_them() {
    let (mut nodes, mut frontier) = (Nodes::default(), Frontier::default());
    let mut rows = Vec::new();
    for seq in 0..70 {
        let leaf = vec![u8::try_from(seq).unwrap()];
        let row = Row { seq, nodes: frontier.append(&leaf).unwrap(), leaf };
        nodes.keep(&row);
        rows.push(row);
    }
    for row in &rows {
        for level in 0..=u8::try_from((row.seq + 1).trailing_zeros()).unwrap() {
            let node = NodeAt { level, number: ((row.seq + 1) >> level) - 1 };
            assert_eq!(node.row(), row.seq);
            assert_eq!(nodes.at(node), node.pick(&row.nodes));
        }
    }
}
