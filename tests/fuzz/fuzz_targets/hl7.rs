//! No bytes make the reader of HL7 v2, its drafts' check, or an acknowledgement panic.
#![no_main]

use adapters::feed::Feed;
use adapters::hl7v2::ack::{Code, Header};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let feed = Feed::default();
    let source = adapters::Source { organisation: "RXT", mapping: None, feed: &feed };
    let mut issues = Vec::new();
    match adapters::hl7v2::read(bytes, source) {
        Ok(reading) => {
            for item in reading.items {
                issues.extend(item.draft.check(jiff::civil::date(2026, 3, 2)).err().unwrap_or_default());
            }
        }
        Err(error) => issues.push(error.to_issue()),
    }
    if let Some(header) = Header::of(bytes) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let answer = header.acknowledge(Code::Ar, "1", at, &issues);
        let _ = adapters::hl7v2::ack::read(&answer, header.control_id());
    }
});
