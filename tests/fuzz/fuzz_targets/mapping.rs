//! Any text as a mapping file: no panic, and every refusal names a line.
#![no_main]

use adapters::mapping::Mapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(refused) = Mapping::parse(text) {
        assert!(refused.to_string().starts_with("line "));
    }
});
