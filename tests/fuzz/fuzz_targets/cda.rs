//! No document makes the CDA reader panic: what is fuzzed stands inside a `ClinicalDocument`.
#![no_main]

use adapters::feed::Feed;
use adapters::{Format, Source};

libfuzzer_sys::fuzz_target!(|inside: &[u8]| {
    let feed: Feed = Feed::default();
    let begin = b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\">";
    let bytes = [begin.as_slice(), inside, b"</ClinicalDocument>"].concat();
    let source = Source { organisation: "RRK", mapping: None, feed: &feed };
    if let Ok(reading) = adapters::read(Format::Xml, &bytes, source) {
        for item in reading.items {
            let _ = item.draft.check(jiff::civil::date(2026, 3, 2));
        }
    }
});
