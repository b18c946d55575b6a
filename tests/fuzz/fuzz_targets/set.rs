//! Any bytes as an archive of a set, and as its manifest and files: no panic.
#![no_main]

use std::sync::LazyLock;

use adapters::archive::pack;
use adapters::manifest::Manifest;
use adapters::mapping::Mapping;
use adapters::set;
use libfuzzer_sys::fuzz_target;

/// Parsed once: it takes longer than a small set.
static MAPPING: LazyLock<Option<Mapping>> =
    LazyLock::new(|| Mapping::built_in("canonical-la-export"));

fuzz_target!(|data: &[u8]| {
    let Some(mapping) = MAPPING.as_ref() else { return };
    let hash = |_: &[u8]| "0".repeat(64);
    let _ = set::read(data, mapping, "334", hash);
    let _ = Manifest::parse(data);
    let rows = data.split(|byte| *byte == b'\n').count().saturating_sub(2);
    let entities = ["person", "person_identifier", "ehc_request", "advice_request", "consent"];
    let files: Vec<String> = entities
        .iter()
        .map(|entity| {
            let hash = "0".repeat(64);
            format!("{{\"entity\":\"{entity}\",\"name\":\"{entity}\",\"rows\":{rows},\"sha256\":\"{hash}\"}}")
        })
        .collect();
    let manifest = format!(
        "{{\"schema\":\"ehc-gateway/la-export/1\",\"authority\":\"334\",\
         \"extracted_at\":\"2026-11-20T02:00:00Z\",\"mode\":\"full\",\"files\":[{}]}}",
        files.join(",")
    );
    // One text for every file: its header may name the columns of all of them.
    let mut parts: Vec<(&str, &[u8])> = vec![("manifest.json", manifest.as_bytes())];
    parts.extend(entities.map(|entity| (entity, data)));
    let Some(archive) = pack(parts) else { return };
    let _ = set::read(&archive, mapping, "334", hash);
});
