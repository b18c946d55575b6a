//! No letter makes the Kettering reader panic: what is fuzzed stands inside a `ReportMsg`.
#![no_main]

use adapters::feed::Feed;
use adapters::{Format, Source};

libfuzzer_sys::fuzz_target!(|inside: &[u8]| {
    let feed: Feed = Feed::default();
    let bytes = [b"<ReportMsg MsgStatus=\"Live\">".as_slice(), inside, b"</ReportMsg>"].concat();
    let source = Source { organisation: "RRK", mapping: None, feed: &feed };
    if let Ok(reading) = adapters::read(Format::Xml, &bytes, source) {
        for item in reading.items {
            let _ = item.draft.check(jiff::civil::date(2026, 3, 2));
        }
    }
});
