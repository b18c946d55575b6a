use proptest::prelude::*;

use super::*;

fn all(_: &str) -> bool {
    true
}

/// An archive as other software writes it, deflated, by a library we did not write.
fn workbook() -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    workbook.add_worksheet().write(0, 0, "A cell").unwrap();
    workbook.save_to_buffer().unwrap()
}

#[test]
fn an_archive_of_another_library_is_unpacked_whole() {
    let parts = unpack(&workbook(), all).unwrap();
    let sheet = parts.iter().find(|part| part.name == "xl/worksheets/sheet1.xml").unwrap();
    assert!(sheet.bytes.starts_with(b"<?xml"));
    assert!(parts.len() > 5);
}

#[test]
fn only_wanted_parts_are_unpacked() {
    let parts = unpack(&workbook(), |name| name == "xl/workbook.xml").unwrap();
    assert_eq!(parts.len(), 1);
}

#[test]
fn what_is_packed_is_unpacked_again_and_is_the_same_each_time() {
    let parts: [(&str, &[u8]); 3] = [("a.csv", b"1,2"), ("documents/b.pdf", b""), ("z", b"\0\xff")];
    let packed = pack(parts).unwrap();
    assert_eq!(packed, pack(parts).unwrap());
    let unpacked = unpack(&packed, all).unwrap();
    let again: Vec<(&str, &[u8])> =
        unpacked.iter().map(|part| (part.name.as_str(), part.bytes.as_slice())).collect();
    assert_eq!(again, parts);
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let zeroes = vec![0_u8; ARCHIVE_BYTES_MAX / 2 + 1];
    let packed = pack([("a", zeroes.as_slice()), ("b", zeroes.as_slice())]).unwrap();
    assert_eq!(unpack(&packed, all), Err(ArchiveFault::TooLarge));
    assert_eq!(unpack(&packed, |name| name == "a").unwrap().len(), 1);
    let many: Vec<String> = (0..=ARCHIVE_PARTS_MAX).map(|n| n.to_string()).collect();
    let packed = pack(many.iter().map(|name| (name.as_str(), b"".as_slice()))).unwrap();
    assert_eq!(unpack(&packed, all), Err(ArchiveFault::TooLarge));
}

#[test]
fn a_size_that_is_not_true_is_refused() {
    let bytes = workbook();
    let honest = unpack(&bytes, all).unwrap();
    let end = bytes.len() - 22;
    let start = number(&bytes[end + 16..end + 20]).unwrap();
    // The unpacked size in the first entry of the directory, made one smaller.
    let mut less = bytes.clone();
    less[start + 24] = less[start + 24].wrapping_sub(1);
    assert_eq!(unpack(&less, all), Err(ArchiveFault::Broken));
    let mut checksum = bytes.clone();
    checksum[start + 16] ^= 1;
    assert_eq!(unpack(&checksum, all), Err(ArchiveFault::Broken));
    let mut encrypted = bytes.clone();
    encrypted[start + 8] |= 1;
    assert_eq!(unpack(&encrypted, all), Err(ArchiveFault::Encrypted));
    let mut method = bytes;
    method[start + 10] = 12;
    assert_eq!(unpack(&method, all), Err(ArchiveFault::Method));
    assert!(!honest.is_empty());
}

#[test]
fn names_that_lead_out_or_stand_twice_are_refused() {
    for names in [["../a", "b"], ["/a", "b"], ["c:a", "b"], ["a", "A"], ["x/../../a", "b"]] {
        let packed = pack(names.map(|name| (name, b"".as_slice()))).unwrap();
        assert_eq!(unpack(&packed, all), Err(ArchiveFault::Broken), "{names:?}");
    }
}

#[test]
fn bytes_between_the_directory_and_its_end_are_refused() {
    let packed = pack([("a", b"1".as_slice())]).unwrap();
    let at = packed.len() - 22;
    let hidden = [&packed[..at], b"more", &packed[at..]].concat();
    assert_eq!(unpack(&hidden, all), Err(ArchiveFault::Broken));
}

proptest! {
    #[test]
    fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack(&bytes, all);
    }

    #[test]
    fn a_changed_archive_is_unpacked_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = pack([("a", b"some text".as_slice()), ("b", b"more".as_slice())]).unwrap();
        let position = at.index(bytes.len());
        bytes[position] = byte;
        let _ = unpack(&bytes, all);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(unpack(&bytes, all).is_err());
    }
}
