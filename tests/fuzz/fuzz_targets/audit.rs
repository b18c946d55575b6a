//! Any bytes handed to the readers of the log are refused or judged; never a panic. They are also
//! taken as changes to a good bundle, made here: it is refused, found, or still says the same.
#![no_main]

use gateway::audit::checkpoint::Checkpoint;
use gateway::audit::tree::Frontier;
use gateway::audit::verify::Row;
use gateway::audit::{Actor, Entry, Event, EventKind, bundle, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes().as_deref(), Ok(bytes));
    }
    if let Ok(frontier) = Frontier::from_bytes(bytes) {
        let _ = frontier.root();
    }
    let mut from = bytes;
    if let Ok(bundle) = bundle::read(&mut from) {
        let _ = verify::verify(&bundle.rows, Vec::new(), None);
    }
    let (rows, kept) = good();
    let mut altered = Vec::new();
    for row in &rows {
        bundle::write_row(&mut altered, row).unwrap();
    }
    for change in bytes.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % altered.len().max(1);
        match change[2] % 3 {
            0 => altered.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change[3]),
            1 if at < altered.len() => drop(altered.remove(at)),
            _ => altered.insert(at, change[3]),
        }
    }
    if let Ok(bundle) = bundle::read(&mut altered.as_slice()) {
        let found = verify::verify(&bundle.rows, vec![kept], None);
        assert_eq!(found.is_whole(), bundle.rows == rows);
    }
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
