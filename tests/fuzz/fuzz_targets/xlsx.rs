//! Any bytes as a workbook: raw, and as the parts of one that are packed again, so that the fuzzer
//! need not learn checksums. No panic, and no row without bytes for quarantine.
#![no_main]

use adapters::archive::{pack, unpack};
use adapters::mapping::{FileKind, Mapping, built_in_names};
use adapters::xlsx;
use libfuzzer_sys::fuzz_target;

const SHEET: &str = "xl/worksheets/sheet1.xml";
const PARTS: [(&str, &str); 4] = [
    (
        "_rels/.rels",
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
    ),
    (
        "xl/workbook.xml",
        "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" \
         xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">\
         <sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>",
    ),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
    ),
    ("xl/sharedStrings.xml", "<sst><si><t>case</t></si><si><t>id</t></si></sst>"),
];

fuzz_target!(|data: &[u8]| {
    let whole = data.to_vec();
    let mut parts: Vec<(&str, &[u8])> =
        PARTS.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    parts.push((SHEET, data));
    let sheet = pack(parts).unwrap_or_default();
    let again = unpack(data, |_| true).map(|parts| {
        pack(parts.iter().map(|part| (part.name.as_str(), part.bytes.as_slice())))
    });
    let again = again.ok().flatten().unwrap_or_default();
    let mappings = built_in_names().filter_map(Mapping::built_in);
    for mapping in mappings.filter(|mapping| mapping.reads(FileKind::Xlsx)) {
        for bytes in [&whole, &sheet, &again] {
            if let Ok(reading) = xlsx::preview(bytes, &mapping, "334") {
                assert!(reading.items.iter().all(|item| !item.raw.is_empty()));
            }
        }
    }
});
