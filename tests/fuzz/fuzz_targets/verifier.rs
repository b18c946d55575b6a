//! Whatever is done to the rows of a good log, made here, the verifier finds it; never a panic.
#![no_main]

use gateway::audit::checkpoint::Checkpoint;
use gateway::audit::tree::Frontier;
use gateway::audit::verify::{Row, verify};
use gateway::audit::{Actor, Entry, Event, EventKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (rows, kept) = good();
    let mut altered = rows.clone();
    for change in bytes.chunks_exact(4) {
        let at = usize::from(change[0]) % altered.len().max(1);
        let to = usize::from(change[1]) % (altered.len() + 1);
        let last = altered.len().saturating_sub(1);
        let Some(row) = altered.get_mut(at) else { break };
        let byte = usize::from(change[1]);
        match change[2] % 6 {
            0 => row.leaf.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= change[3]),
            1 => row.nodes.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= change[3]),
            2 => row.seq ^= 1_u64.rotate_left(change[3].into()),
            3 => drop(altered.remove(at)),
            4 => altered.insert(to, altered[at].clone()),
            _ => altered.swap(at, to.min(last)),
        }
    }
    let found = verify(&altered, vec![kept], None);
    assert_eq!(found.is_whole(), altered == rows);
});

/// A log of nobody, and the checkpoint over it.
fn good() -> (Vec<Row>, Checkpoint) {
    let mut frontier = Frontier::default();
    let row = |seq| {
        let event = Event::new(EventKind::BoardViewed, Actor::gateway());
        let entry = Entry { seq, at_us: 1, id: "7".repeat(32).parse().unwrap(), event };
        let leaf = entry.to_bytes().unwrap();
        let nodes = frontier.append(&leaf).unwrap();
        Row { seq, leaf, nodes }
    };
    let rows: Vec<Row> = (0..9).map(row).collect();
    let (root, at) = (frontier.root().unwrap(), jiff::Timestamp::UNIX_EPOCH);
    (rows, Checkpoint { origin: "o".to_owned(), size: 9, root, at })
}
