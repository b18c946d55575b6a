//! Any bytes handed to the readers of the log are refused or judged; never a panic.
#![no_main]

use gateway::audit::tree::Frontier;
use gateway::audit::{Entry, bundle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes().as_deref(), Ok(bytes));
    }
    if let Ok(frontier) = Frontier::from_bytes(bytes) {
        let _ = frontier.root();
    }
    // Any key will do: most of what there is to read is read before a signature is looked at.
    if let Ok(judged) = bundle::judge(&mut std::io::Cursor::new(bytes), VKEY, &[]) {
        assert!(!judged.verification.is_whole(), "nothing is signed with the key of this test");
    }
});

const VKEY: &str = "fuzz+3238f747+AXVLdUa8S0k+JEnMI3WrBffjyp8RNnAnGPNPIAOrn6p9";
