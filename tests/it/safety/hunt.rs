//! The hunt: a child's details in any form somebody could read them in, in any wrapping.
//!
//! Bytes are looked at as they are and unwrapped: archives and workbooks part by part, what is packed by
//! gzip wherever it begins, what stands in base64 at any of its offsets. Names, addresses and postcodes
//! are known in any case, in hexadecimal and in UTF-16; NHS numbers also in groups and inside other
//! digits. Any other number of ten digits that passes as an NHS number is found too, unless it can be
//! told what else it is.
//!
//! Not supported: zstd, because nothing here writes it; what is encrypted, because nobody reads it.

use std::io::Read as _;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as BASE64};
use flate2::read::{DeflateDecoder, GzDecoder};
use gateway::practice::people::{self, Child};

pub(crate) const FAMILY: &str = "Quizzlethwaite";
pub(crate) const GIVEN: &str = "Vexorianna";
pub(crate) const STREET: &str = "Plumbobbery";
pub(crate) const CASE: &str = "Wobblestonecase";
pub(crate) const WORRY: &str = "Snorkelwhacker";
pub(crate) const PERSON_ID: &str = "Fizzlepid";
/// How many children there are with unlikely names.
pub(crate) const CANARIES: u32 = 20;

/// One of the children with unlikely names: the same each time, each with names of their own.
pub(crate) fn canary(number: u32) -> Child {
    let mut child = people::child(number);
    let letter = char::from(b'a' + u8::try_from(number).expect("a small number"));
    child.family_name = format!("{FAMILY}-{letter}");
    child.given_names = format!("{GIVEN}{letter}");
    child.la_person_id = format!("{PERSON_ID}{number}");
    child.postcode = format!("ZQ{} 7XJ", 10 + number);
    child
}

/// What is looked for.
pub(crate) struct Hunt {
    /// Known in any case.
    folded: Forms,
    /// Known as they are.
    exact: Forms,
    /// NHS numbers.
    numbers: Vec<String>,
    /// Whether any number that passes as an NHS number is found.
    any_number: bool,
}

impl Hunt {
    /// For all the children with unlikely names.
    pub(crate) fn of_canaries() -> Self {
        let words = [FAMILY, GIVEN, STREET, CASE, WORRY, PERSON_ID].map(str::to_owned);
        let children = (1..=CANARIES).map(canary);
        let own = children.flat_map(|child| {
            let born = child.date_of_birth;
            let days =
                ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"].map(|form| born.strftime(form).to_string());
            [child.nhs_number, child.postcode].into_iter().chain(days)
        });
        Self::of(words.into_iter().chain(own))
    }

    /// For these words; what is ten digits is an NHS number.
    pub(crate) fn of(canaries: impl IntoIterator<Item = String>) -> Self {
        let (numbers, words): (Vec<String>, Vec<String>) =
            canaries.into_iter().partition(|canary| canary.len() == 10 && digits(canary));
        let every = || words.iter().chain(&numbers);
        let folded = Forms::of(every().flat_map(|word| folded(word)).collect());
        let exact = Forms::of(every().flat_map(|word| in_base64(word)).collect());
        Self { folded, exact, numbers, any_number: true }
    }

    /// Leaves alone numbers that are nobody's here: for files in which anything may look like one.
    pub(crate) fn of_known_numbers_only(mut self) -> Self {
        self.any_number = false;
        self
    }

    /// Lets a word be: for what has it by design.
    pub(crate) fn but_not(mut self, word: &str) -> Self {
        let (of_folded, of_exact) = (folded(word), in_base64(word));
        self.folded.all.retain(|form| !of_folded.contains(form));
        self.exact.all.retain(|form| !of_exact.contains(form));
        self.folded = Forms::of(self.folded.all);
        self.exact = Forms::of(self.exact.all);
        self
    }

    /// Fails when anything is found.
    pub(crate) fn through(&self, what: &str, bytes: &[u8]) {
        let found = self.find(bytes);
        assert!(found.is_empty(), "a child's details are in {what}: {found:#?}");
    }

    /// What is found, and where in it.
    pub(crate) fn find(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        unwrapped("", bytes, 0, &mut |place, inner| {
            let text = String::from_utf8_lossy(inner);
            let lower = text.to_ascii_lowercase();
            let words = self.folded.within(lower.as_bytes());
            let exact = self.exact.within(text.as_bytes());
            found.extend(words.into_iter().chain(exact).map(|form| format!("{form:?}{place}")));
            for run in joined(&text) {
                let known = self.numbers.iter().filter(|number| run.contains(number.as_str()));
                found.extend(known.map(|number| format!("{number} among digits{place}")));
            }
            if self.any_number {
                let strange = strangers(&text);
                found.extend(strange.into_iter().map(|number| format!("{number}{place}")));
            }
        });
        found.sort();
        found.dedup();
        found
    }
}

/// Many forms that are looked for in one pass: where none begins, nothing is compared.
struct Forms {
    all: Vec<String>,
    /// Whether one begins with letters that come to this.
    begins: Vec<bool>,
}

impl Forms {
    fn of(all: Vec<String>) -> Self {
        let mut begins = vec![false; 1 << 16];
        for form in &all {
            begins[Self::sum(form.as_bytes())] = true;
        }
        Self { all, begins }
    }

    /// What the first four letters come to.
    fn sum(letters: &[u8]) -> usize {
        let [first, second, third, fourth, ..] = letters else { unreachable!("a short form") };
        let pair = |one: &u8, other: &u8| usize::from(*one) << 8 | usize::from(*other);
        pair(first, second) ^ (pair(third, fourth).wrapping_mul(0x9e37) & 0xffff)
    }

    fn within(&self, bytes: &[u8]) -> Vec<&String> {
        let mut found = Vec::new();
        for (at, letters) in bytes.windows(4).enumerate() {
            if self.begins[Self::sum(letters)] {
                let here = &bytes[at..];
                found.extend(self.all.iter().filter(|form| here.starts_with(form.as_bytes())));
            }
        }
        found
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The forms of a word that are known in any case.
fn folded(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let mut forms = vec![lower.clone()];
    // Addresses and postcodes lose their spaces on the way, or get others.
    for space in ["", "%20", "+", "-", "_", "\u{a0}", "&nbsp;", "&#160;"] {
        forms.push(lower.replace(' ', space));
    }
    for text in [word.to_owned(), lower.clone(), word.to_uppercase()] {
        forms.push(gateway::entropy::hex(text.as_bytes()));
    }
    let wide: Vec<u16> = lower.encode_utf16().collect();
    let ends: [fn(u16) -> [u8; 2]; 2] = [u16::to_le_bytes, u16::to_be_bytes];
    for end in ends {
        let bytes: Vec<u8> = wide.iter().flat_map(|unit| end(*unit)).collect();
        forms.push(String::from_utf8(bytes).expect("every form is ASCII"));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// A word in base64 at each of the three offsets, without the characters that depend on the neighbours.
fn in_base64(word: &str) -> Vec<String> {
    let at = |offset: usize| {
        let padded = [vec![b'x'; offset], word.as_bytes().to_vec()].concat();
        let encoded = BASE64.encode(padded);
        let skip = if offset == 0 { 0 } else { offset + 1 };
        let inner = encoded.trim_end_matches('=');
        inner.get(skip..inner.len() - 2).expect("a longer word").to_owned()
    };
    (0..3).map(at).collect()
}

/// Calls `look` with the bytes and with everything that is wrapped in them, each with where it is.
fn unwrapped(place: &str, bytes: &[u8], depth: usize, look: &mut impl FnMut(&str, &[u8])) {
    look(place, bytes);
    if depth == DEPTH_MAX {
        return;
    }
    if bytes.starts_with(b"PK\x03\x04") {
        for (name, part) in parts(bytes) {
            unwrapped(&format!(" in {name}{place}"), &part, depth + 1, look);
        }
        return;
    }
    for at in places(bytes, &[0x1f, 0x8b, 0x08]) {
        let mut plain = Vec::new();
        // What is cut short says what it says before the cut.
        let _ended = GzDecoder::new(&bytes[at..]).take(PLAIN_MAX).read_to_end(&mut plain);
        if !plain.is_empty() {
            unwrapped(&format!(" in gzip{place}"), &plain, depth + 1, look);
        }
    }
    let decoded = decoded(bytes);
    if !decoded.is_empty() {
        unwrapped(&format!(" in base64{place}"), &decoded, depth + 1, look);
    }
}

/// The parts of an archive, by its own list of them. One that cannot be read hides what is in it.
fn parts(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let short = |at: usize| usize::from(u16::from_le_bytes([archive[at], archive[at + 1]]));
    let long = |at: usize| short(at) + (short(at + 2) << 16);
    let listed = places(archive, b"PK\x01\x02");
    assert!(!listed.is_empty(), "an archive without a list of its parts");
    let part = |at: usize| {
        let (method, size, name) = (short(at + 10), long(at + 20), short(at + 28));
        let name = String::from_utf8_lossy(&archive[at + 46..at + 46 + name]).into_owned();
        let local = long(at + 42);
        let from = local + 30 + short(local + 26) + short(local + 28);
        let packed = &archive[from..from + size];
        let mut plain = Vec::new();
        match method {
            0 => plain.extend_from_slice(packed),
            8 => {
                let read = DeflateDecoder::new(packed).take(PLAIN_MAX).read_to_end(&mut plain);
                read.expect("a part that can be read");
            }
            other => unreachable!("{name} is packed in a way the hunt does not know: {other}"),
        }
        (name, plain)
    };
    listed.into_iter().map(part).collect()
}

fn places(bytes: &[u8], sought: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(sought.len()).enumerate();
    windows.filter(|(_, window)| *window == sought).map(|(at, _)| at).collect()
}

/// What stands in base64 in some bytes, one after the other. A text that runs into other letters
/// begins anywhere, so each is read from four places.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let mut all = Vec::new();
    for run in bytes.split(|byte| !is_of(byte)).filter(|run| run.len() >= BASE64_MIN) {
        let standard: Vec<u8> = run
            .iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => *byte,
            })
            .collect();
        for from in 0..4 {
            let whole = (standard.len() - from) / 4 * 4;
            // The last characters of a run that is no multiple of four.
            let rest = if (standard.len() - from) % 4 == 1 { whole } else { standard.len() - from };
            if let Ok(plain) = engine.decode(&standard[from..from + rest]) {
                all.extend(plain);
                all.push(b'\n');
            }
        }
    }
    all
}

/// Digits that somebody would read as one number: with at most one separator between two of them.
fn joined(text: &str) -> Vec<String> {
    let (mut runs, mut run, mut gap) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            run.push(letter);
            gap = false;
        } else if !gap && SEPARATORS.contains(&letter) {
            gap = true;
        } else {
            if run.len() >= 10 {
                runs.push(std::mem::take(&mut run));
            }
            run.clear();
            gap = false;
        }
    }
    if run.len() >= 10 {
        runs.push(run);
    }
    runs
}

/// Numbers of ten digits, whole or in the groups they are read in, that pass as NHS numbers and are
/// nothing else that is known.
fn strangers(text: &str) -> Vec<String> {
    let runs = bare(text.as_bytes());
    let whole = runs.iter().filter(|run| run.len() == 10);
    let whole = whole.filter(|run| is_nothing_else(text.as_bytes(), run));
    let whole = whole.filter_map(|run| text.get(Range::clone(run))).map(str::to_owned);
    let grouped = runs.windows(3).filter_map(|three| {
        let [first, second, third] = three else { return None };
        let lengths = (first.len(), second.len(), third.len());
        let gaps = (text.get(first.end..second.start)?, text.get(second.end..third.start)?);
        let grouped = lengths == (3, 3, 4) && gaps.0 == gaps.1 && GROUPED_BY.contains(&gaps.0);
        let of = |run: &Range<usize>| text.get(Range::clone(run));
        grouped.then(|| Some([of(first)?, of(second)?, of(third)?].concat()))?
    });
    whole.chain(grouped).filter(|number| passes(number)).collect()
}

/// Where digits stand together.
fn bare(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut runs, mut since) = (Vec::new(), None);
    for (at, byte) in bytes.iter().chain(b"\n").enumerate() {
        match (byte.is_ascii_digit(), since) {
            (true, None) => since = Some(at),
            (false, Some(from)) => {
                runs.push(from..at);
                since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    runs
}

/// Whether the last of ten digits is the check digit of the others.
fn passes(number: &str) -> bool {
    let weighed = number.bytes().zip((1..=10u32).rev());
    let sum: u32 = weighed.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    number.len() == 10 && sum.is_multiple_of(11)
}

/// Whether ten digits are none of these, which pass one time in eleven by chance.
fn is_nothing_else(bytes: &[u8], run: &Range<usize>) -> bool {
    let of_hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let before = bytes[..run.start].iter().rev();
    let from = run.start - before.clone().take_while(|byte| of_hex(byte)).count();
    let until = run.end + bytes[run.end..].iter().take_while(|byte| of_hex(byte)).count();
    // A hash, an alias or an id: hexadecimal digits, of which ten in the middle happen to be decimal.
    let token = &bytes[from..until];
    let hex = token.split(|byte| *byte == b'-').any(|part| part.len() >= HEX_MIN);
    let id = token.len() == 36 && token.split(|byte| *byte == b'-').count() == 5;
    // Seconds since 1970, from 2025 to 2029. No number that the NHS or Scotland gives begins so.
    let number = std::str::from_utf8(&bytes[Range::clone(run)]).unwrap_or_default();
    let time = number.parse::<u64>().is_ok_and(|number| TIMES.contains(&number));
    // The part of a day after the point, as a workbook keeps a time.
    let mut before = bytes[..run.start].iter().rev();
    let fraction = before.next() == Some(&b'.') && before.next().is_some_and(u8::is_ascii_digit);
    !(hex || id || time || fraction)
}

/// Wrappings within wrappings: an entry in base64 in a message in gzip in an archive.
const DEPTH_MAX: usize = 4;
/// More than anything here unpacks to.
const PLAIN_MAX: u64 = 64 * 1024 * 1024;
/// Less says nothing of anybody.
const BASE64_MIN: usize = 12;
/// The shortest hexadecimal text that is a hash or an alias.
const HEX_MIN: usize = 16;
const TIMES: Range<u64> = 1_735_689_600..1_893_456_000;
/// What people and programs put between the digits of a number. UTF-16 has a zero there.
const SEPARATORS: [char; 10] =
    [' ', '-', '.', '/', '_', '\0', '\u{a0}', '\u{2009}', '\u{2011}', '\u{202f}'];
/// What stands between the groups of an NHS number.
const GROUPED_BY: [&str; 5] = [" ", "-", ".", "\u{a0}", "\u{202f}"];

#[cfg(test)]
mod planted {
    use std::io::Write as _;

    use adapters::sheets::{Kind, Sheet, to_workbook};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{BASE64, CANARIES, FAMILY, Hunt, canary, passes, strangers};
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    fn packed(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).expect("packed");
        gzip.finish().expect("packed")
    }

    fn workbook(cell: &str) -> Vec<u8> {
        let mut sheet = Sheet::new("Counts", &[("organisation", Kind::Text)]);
        sheet.rows.push(vec![cell.into()]);
        to_workbook(&[sheet]).expect("a workbook")
    }

    fn grouped(number: &str, by: &str) -> String {
        let (first, rest) = number.split_at(3);
        let (second, third) = rest.split_at(3);
        [first, second, third].join(by)
    }

    #[test]
    fn the_hunt_sees_a_leak_in_every_form_and_wrapping() {
        let hunt = Hunt::of_canaries();
        let clean = "{\"counterparty\":\"RXT\",\"entry\":12,\"hash\":\"c0ffee\"}";
        for (number, child) in (1..=CANARIES).map(|number| (number, canary(number))) {
            let nhs = &child.nhs_number;
            let texts = [
                nhs.clone(),
                grouped(nhs, " "),
                grouped(nhs, "-"),
                grouped(nhs, "\u{a0}"),
                format!("12{nhs}34"),
                gateway::entropy::hex(nhs.as_bytes()),
                nhs.chars().flat_map(|digit| [digit, '\0']).collect(),
                child.family_name.to_uppercase(),
                child.given_names.clone(),
                child.postcode.replace(' ', ""),
                child.postcode.to_lowercase(),
                child.date_of_birth.to_string(),
                gateway::entropy::hex(child.family_name.as_bytes()),
            ];
            for text in texts {
                let said = format!("so {text} is");
                let leaf = BASE64.encode(format!("{{\"detail\":\"{text}\"}}"));
                let token = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"sub\": \"{text}\"}}"));
                let wrapped = [
                    said.clone().into_bytes(),
                    format!("{clean}\n{{\"leaf\":\"{leaf}\"}}").into_bytes(),
                    format!("xyz_{leaf}").into_bytes(),
                    format!("e30.{token}.AAAA").into_bytes(),
                    packed(&said),
                    [clean.as_bytes(), &packed(&said)].concat(),
                    BASE64.encode(packed(&said)).into_bytes(),
                ];
                for (way, bytes) in wrapped.iter().enumerate() {
                    assert!(!hunt.find(bytes).is_empty(), "child {number}: blind to {text}, {way}");
                }
                // A control character is no part of a workbook.
                if number == 1 && !text.contains('\0') {
                    let found = hunt.find(&workbook(&said));
                    let inside = found.iter().any(|found| found.contains(" in xl/"));
                    assert!(inside, "blind to {text} in a workbook: {found:?}");
                }
            }
        }
        assert!(Hunt::of_canaries().but_not(FAMILY).find(FAMILY.as_bytes()).is_empty());
        assert_eq!(hunt.find(clean.as_bytes()), Vec::<String>::new());
        assert_eq!(hunt.find(&workbook("RXT")), Vec::<String>::new());
    }

    #[test]
    fn the_hunt_sees_the_number_of_somebody_it_does_not_know_and_no_time_or_hash() {
        let passing = |from: u64| {
            let mut numbers = (from..).map(|number| number.to_string());
            numbers.find(|number| passes(number)).expect("one in eleven")
        };
        let (number, time) = (passing(4_010_232_100), passing(1_795_000_000));
        let hunt = Hunt::of_canaries();
        for said in [number.clone(), grouped(&number, " "), grouped(&number, "-")] {
            assert!(!hunt.find(format!("<v>{said}</v>").as_bytes()).is_empty(), "blind to {said}");
            assert!(!hunt.find(&workbook(&said)).is_empty(), "blind to {said} in a workbook");
        }
        for other in [
            format!("{{\"iat\":{time}}}"),
            format!("0a1b2c3d{number}e5f60718293a4b5c"),
            format!("01900000-0000-7000-8000-a{number}b"),
            format!("<v>46353.{number}</v>"),
            format!("1{number}"),
        ] {
            assert_eq!(strangers(&other), Vec::<String>::new(), "{other}");
        }
    }
}
