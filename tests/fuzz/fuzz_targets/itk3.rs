//! No bytes make a FHIR exchange panic: documents of ITK3 in either format, what a message calls
//! itself, and what an answer says.
#![no_main]

use adapters::Format;
use adapters::fhir::{self, reply};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Fhir, Format::FhirXml] {
        let _ = reply::identity(format, bytes);
        let _ = reply::read(format, bytes, "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff");
    }
    for reading in [fhir::read(bytes), fhir::read_xml(bytes)].into_iter().flatten() {
        for item in reading.items {
            let _ = item.draft.check(jiff::civil::date(2026, 3, 2));
        }
    }
});
