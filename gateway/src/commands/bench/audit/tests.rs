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
    let [stored, bundle] = stored.as_slice() else { unreachable!("two figures") };
    assert_eq!((stored.times, stored.what), (30, COMMITTED));
    assert!(stored.bytes > Some(30 * 100));
    assert_eq!((bundle.times, bundle.what), (30, bundled::VERIFIED));
    let length = std::fs::metadata(folder.path().join("log/whole.bundle")).unwrap().len();
    assert_eq!(bundle.bytes, Some(length));
    assert!(bundle.bytes > stored.bytes && bundle.ratio().is_some());
}

#[tokio::test]
async fn what_people_ask_of_the_store_is_measured_at_every_size_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut figures = Vec::new();
    for size in [60, 600] {
        let file = folder.path().join(size.to_string());
        figures.extend(stored::measure(&file, size, &ProgressBar::hidden()).await.unwrap());
    }
    let searches = figures.iter().filter(|figure| figure.what.starts_with("search: "));
    assert_eq!(searches.count(), 20);
    let rows = growth(&figures);
    assert_eq!(rows.len() * 2, figures.len(), "{rows:?}");
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
