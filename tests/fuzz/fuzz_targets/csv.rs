//! Any bytes through every built-in mapping: no panic, and the two readers never disagree.
#![no_main]

use adapters::csv;
use adapters::mapping::{Mapping, built_in_names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for mapping in built_in_names().filter_map(Mapping::built_in) {
        match csv::preview(data, &mapping, "334") {
            Ok(reading) => assert!(reading.items.iter().all(|item| !item.raw.is_empty())),
            Err(refused) => assert_ne!(refused.rule, "row-unclear"),
        }
    }
});
