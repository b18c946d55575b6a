//! Any bytes as a workbook: raw, and as one part of a workbook that is packed around them, so that
//! the fuzzer need not learn checksums. The first byte says which part. No panic, and no row without bytes for quarantine.
#![no_main]

use std::sync::LazyLock;

use adapters::archive::{pack, unpack};
use adapters::mapping::{FileKind, Mapping, built_in_names};
use adapters::xlsx;
use libfuzzer_sys::fuzz_target;

const PARTS: [(&str, &str); 6] = [
    (
        "xl/worksheets/sheet1.xml",
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>\
         <row r=\"2\"><c r=\"A2\"><v>7</v></c><c r=\"B2\" s=\"1\"><f>A2</f><v>41765</v></c></row></sheetData></worksheet>",
    ),
    (
        "xl/styles.xml",
        "<styleSheet><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"dd/mm/yyyy\"/></numFmts>\
         <cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/></cellXfs></styleSheet>",
    ),
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
    ("xl/sharedStrings.xml", "<sst><si><t>Unique ID</t></si><si><t>Date of birth</t></si></sst>"),
];

/// Parsed once: a mapping takes longer to read than a workbook.
static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let mappings = built_in_names().filter_map(Mapping::built_in);
    mappings.filter(|mapping| mapping.reads(FileKind::Xlsx)).collect()
});

fuzz_target!(|data: &[u8]| {
    let whole = data.to_vec();
    let (first, rest) = data.split_first().unwrap_or((&0, b""));
    let replaced = usize::from(*first) % 8;
    let parts = PARTS
        .iter()
        .enumerate()
        .map(|(at, (name, text))| (*name, if at == replaced { rest } else { text.as_bytes() }));
    let sheet = pack(parts).unwrap_or_default();
    let again = unpack(data, |_| true)
        .map(|parts| pack(parts.iter().map(|part| (part.name.as_str(), part.bytes.as_slice()))));
    let again = again.ok().flatten().unwrap_or_default();
    for mapping in MAPPINGS.iter() {
        for bytes in [&whole, &sheet, &again] {
            if let Ok(reading) = xlsx::preview(bytes, mapping, "334") {
                assert!(reading.items.iter().all(|item| !item.raw.is_empty()));
            }
        }
    }
});
