//! No bytes make the door for XML panic, or what is behind it.
#![no_main]

use adapters::feed::Feed;
use adapters::{Format, Source};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let feed: Feed = Feed::default();
    let source = Source { organisation: "RRK", mapping: None, feed: &feed };
    if let Ok(reading) = adapters::read(Format::Xml, bytes, source) {
        for item in reading.items {
            let _ = item.draft.check(jiff::civil::date(2026, 3, 2));
        }
    }
});
