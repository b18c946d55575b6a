use ring::digest::{SHA256, digest};

use super::*;

/// RFC 9162 section 2.1.1, word for word.
fn defined_root(leaves: &[Vec<u8>]) -> TreeHash {
    let hash = |parts: &[&[u8]]| digest(&SHA256, &parts.concat()).as_ref().try_into().unwrap();
    match leaves {
        [] => hash(&[]),
        [leaf] => hash(&[&[0], leaf]),
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            hash(&[&[1], &defined_root(&leaves[..k]), &defined_root(&leaves[k..])])
        }
    }
}

fn log(size: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Frontier>) {
    let leaves: Vec<Vec<u8>> = (0..size).map(|n| format!("entry {n}").into_bytes()).collect();
    let mut frontier = Frontier::default();
    let (mut rows, mut frontiers) = (Vec::new(), vec![frontier.clone()]);
    for leaf in &leaves {
        rows.push(frontier.append(leaf).unwrap());
        frontiers.push(frontier.clone());
    }
    (leaves, rows, frontiers)
}

fn read(rows: &[Vec<u8>]) -> impl Fn(NodeAt) -> Option<TreeHash> {
    |node| node.pick(rows.get(usize::try_from(node.row()).ok()?)?)
}

#[test]
fn roots_of_0_to_300_entries_are_those_of_the_definition() {
    let (leaves, _, frontiers) = log(300);
    for (size, frontier) in frontiers.iter().enumerate() {
        assert_eq!(frontier.root().unwrap(), defined_root(&leaves[..size]), "{size}");
    }
}

#[test]
fn every_node_is_where_its_place_says() {
    let (leaves, rows, _) = log(130);
    for level in 0..7_u8 {
        for number in 0..(130_u64 >> level) {
            let start = usize::try_from(number << level).unwrap();
            let expected = defined_root(&leaves[start..start + (1 << level)]);
            assert_eq!(read(&rows)(NodeAt { level, number }), Some(expected));
        }
    }
}

#[test]
fn a_frontier_survives_bytes_and_is_rebuilt_from_stored_nodes() {
    let (_, rows, frontiers) = log(100);
    for (size, frontier) in (0..).zip(&frontiers) {
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).as_ref(), Ok(frontier));
        assert_eq!(Frontier::rebuild(size, read(&rows)).as_ref(), Ok(frontier));
    }
    let bytes = frontiers[77].to_bytes();
    assert_eq!(Frontier::from_bytes(&bytes[..bytes.len() - 1]), Err(TreeError::Frontier));
    assert_eq!(Frontier::from_bytes(&[]), Err(TreeError::Frontier));
    assert_eq!(Frontier::from_bytes(&u64::MAX.to_be_bytes()), Err(TreeError::Frontier));
}

#[test]
fn inclusion_is_proved_from_just_the_nodes_that_were_named_and_for_nothing_else() {
    let (leaves, rows, frontiers) = log(70);
    for size in 1..=70_u64 {
        let root = frontiers[usize::try_from(size).unwrap()].root().unwrap();
        for seq in 0..size {
            let named = inclusion_nodes(size, seq).unwrap();
            let only = |node| read(&rows)(node).filter(|_| named.contains(&node));
            let proof = inclusion_proof(size, seq, only).unwrap();
            let leaf = leaf_hash(&leaves[usize::try_from(seq).unwrap()]);
            assert_eq!(verify_inclusion(&proof, size, root, seq, leaf), Ok(()));
            assert!(verify_inclusion(&proof, size, root, seq, leaf_hash(b"other")).is_err());
            if size > 1 {
                assert!(verify_inclusion(&proof, size, root, (seq + 1) % size, leaf).is_err());
            }
        }
    }
}

#[test]
fn consistency_is_proved_with_an_older_head_and_not_with_a_changed_one() {
    let (_, rows, frontiers) = log(70);
    for size in 1..=70_u64 {
        let root = frontiers[usize::try_from(size).unwrap()].root().unwrap();
        for older in 1..=size {
            let older_root = frontiers[usize::try_from(older).unwrap()].root().unwrap();
            let named = consistency_nodes(size, older).unwrap();
            let only = |node| read(&rows)(node).filter(|_| named.contains(&node));
            let proof = consistency_proof(size, older, only).unwrap();
            assert_eq!(verify_consistency(&proof, size, root, older, older_root), Ok(()));
            assert!(verify_consistency(&proof, size, root, older, [9; 32]).is_err());
            let roots = consistency_roots(&proof, size, older, older_root);
            assert_eq!(roots, (older < size).then_some((older_root, root)), "{older} of {size}");
            if older < size && !older.is_power_of_two() {
                // The proof itself says what the older root was.
                let told = consistency_roots(&proof, size, older, [9; 32]);
                assert_eq!(told, Some((older_root, root)));
            }
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused_and_never_panic() {
    assert_eq!(inclusion_nodes(5, 5), Err(TreeError::Range));
    assert_eq!(consistency_nodes(5, 0), Err(TreeError::Range));
    assert_eq!(consistency_nodes(u64::MAX, 1), Err(TreeError::Range));
    assert_eq!(inclusion_proof(5, 1, |_| None), Err(TreeError::MissingNode));
    assert_eq!(verify_inclusion(&[], u64::MAX, [0; 32], 1, [0; 32]), Err(TreeError::Range));
    let endless = vec![[0; 32]; 1000];
    assert!(verify_inclusion(&endless, 10, [0; 32], 1, [0; 32]).is_err());
    assert!(verify_consistency(&endless, 10, [0; 32], 1, [0; 32]).is_err());
    assert_eq!(NodeAt { level: 200, number: u64::MAX }.row(), u64::MAX);
}
