//! Any bytes handed to the readers of the log are refused or judged; never a panic.
#![no_main]

use gateway::audit::tree::Frontier;
use gateway::audit::{Entry, bundle, verify};
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
});
