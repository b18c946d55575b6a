//! Any bytes handed to the envelope parser are refused or taken apart; never a panic.
#![no_main]

use gateway::vault::SealedBlob;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(blob) = SealedBlob::from_bytes(bytes.to_vec()) {
        assert_eq!(blob.as_bytes(), bytes);
    }
});
