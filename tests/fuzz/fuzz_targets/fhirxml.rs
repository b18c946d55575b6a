//! No bytes make the reader of FHIR XML panic, or its drafts the check.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(reading) = adapters::fhir::read_xml(bytes) {
        for item in reading.items {
            let _ = item.draft.check(jiff::civil::date(2026, 3, 2));
        }
    }
});
