//! For tests: synthetic records of every type, and the corpus beside the code.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use schemas::catalogue::{Catalogue, ValueKind};
use schemas::record::Form;
use schemas::{
    Draft, DraftAttachment, Field, Issue, LegId, MessageType, OrganisationCode, PersonalBytes,
    PersonalText, Place, Record, ServiceCode,
};
use uuid::Uuid;

use crate::{Outbound, ReadError, Reading};

/// The day on which every sample is checked.
pub(crate) const TODAY: Date = date(2026, 3, 2);
pub(crate) const LEG: &str = "0197f0aa-0000-7000-8000-000000000001";
pub(crate) const NHS_NUMBERS: [&str; 4] = ["9990000018", "9990000026", "9990000034", "9990000042"];

/// What the gateway adds on the way out.
pub(crate) fn outbound(service: Option<&str>) -> Outbound {
    Outbound {
        delivery: Uuid::from_u128(0x0197_f0bb_0000_7000_8000_0000_0000_0002),
        leg: LegId::parse(LEG).ok(),
        service: service.and_then(|code| ServiceCode::parse(code).ok()),
        sender_name: "Anytown Council".to_owned(),
        recipient: OrganisationCode::parse("RRK").expect("it is a code"),
        recipient_name: "Anytown Hospitals".to_owned(),
        received_at: "2026-03-02T09:00:00Z".parse().expect("it is a time"),
        due_on: Some(date(2026, 4, 13)),
        sent_at: "2026-03-02T09:05:00Z".parse().expect("it is a time"),
    }
}

fn words() -> impl Strategy<Value = String> {
    // Quotes, markup, backslashes, line ends and letters of several alphabets.
    "[A-Za-zéŵ日😀][ A-Za-z'\"<>&\\\\\\n/éŵ日😀-]{0,30}[a-z]"
}

fn day() -> impl Strategy<Value = String> {
    (2020_i16..2026, 1_i8..13, 1_i8..29).prop_map(|(y, m, d)| date(y, m, d).to_string())
}

fn one_of(codes: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(codes).prop_map(str::to_owned).boxed()
}

fn value(field: Field) -> BoxedStrategy<String> {
    match field {
        Field::NHS_NUMBER => prop::sample::select(&NHS_NUMBERS[..]).prop_map(str::to_owned).boxed(),
        Field::SUPERSEDES
        | Field::LA_PERSON_ID
        | Field::CASE
        | Field::CONSENT_REFERENCE
        | Field::NOTICE_ABOUT => "[A-Za-z0-9_.:/-]{1,20}".boxed(),
        Field::UPN => "[A-H][0-9]{12}".boxed(),
        Field::SEX => one_of(&["female", "male", "other", "unknown"]),
        Field::CONSENT_PURPOSES => one_of(&["ehc-needs-assessment", "transition-to-adulthood"]),
        Field::POSTCODE => one_of(&["ZX9 9ZZ", "ZX9 9YZ"]),
        Field::SERVICES => one_of(&["SALT", "OT", "PAEDIATRICS"]),
        Field::YEAR_9_OR_ABOVE | Field::ASKED_BY_FAMILY => one_of(&["true", "false"]),
        Field::REPLACES_LEG => Just(LEG.to_owned()).boxed(),
        Field::CONSENT_STATUS => {
            one_of(&["given", "refused", "withdrawn", "not-recorded", "expired", "stale"])
        }
        Field::CONSENT_KIND => one_of(&["sharing", "plan"]),
        Field::CONSENT_GIVEN_BY => {
            one_of(&["parent", "young-person", "local-authority", "competent-child"])
        }
        Field::CONSENT_EXCLUSIONS | Field::TRIAGE_REDIRECT_TO => one_of(&["RXT", "QHL", "334"]),
        Field::ADVICE_BASIS => one_of(&["assessment", "records-review", "existing-report"]),
        Field::NIL_REASON => one_of(&["not-known", "discharged"]),
        Field::EXCEPTION_LIMB => one_of(&["a", "b", "c"]),
        Field::CONSENT_EXPIRES => Just("2027-03-31".to_owned()).boxed(),
        Field::EXCEPTION_EXPECTED => Just("2026-09-01".to_owned()).boxed(),
        Field::TRIAGE_REASON | Field::NOTICE_CODE => one_of(&["NOT_MY_PATIENT", "SCHEMA"]),
        Field::NOTICE_OUTCOME => one_of(&["accepted", "rejected"]),
        // Old enough for every duty, and no adult on the day of the check.
        Field::DATE_OF_BIRTH => (2009_i16..2013, 1_i8..13, 1_i8..29)
            .prop_map(|(y, m, d)| date(y, m, d).to_string())
            .boxed(),
        Field::REQUESTED_ON
        | Field::ASSESSMENT_REQUESTED_ON
        | Field::CONSENT_DATE
        | Field::ADVICE_DATE
        | Field::LAST_SEEN
        | Field::NIL_LAST_SEEN
        | Field::EXCEPTION_FROM
        | Field::PLAN_DATE
        | Field::CONSENT_ASSESSED_ON
        | Field::REMAINDER_ON
        | Field::TRANSFER_ON => day().boxed(),
        Field::CONSENT_RECIPIENTS => one_of(&["RXT", "QHL"]),
        Field::CONSENT_CLASSES => one_of(&["identity", "health", "social-care"]),
        Field::CONSENT_RESTRICTION => one_of(&["sealed", "court-limits"]),
        Field::EXCEPTION_UNTIL => Just("2026-08-31".to_owned()).boxed(),
        _ => of_content(field),
    }
}

/// A value of a name of the catalogue; words for every other field.
fn of_content(field: Field) -> BoxedStrategy<String> {
    let name = field.path().strip_prefix("particulars.");
    let Some(definition) = name.and_then(|name| Catalogue::built_in().field(name)) else {
        return words().boxed();
    };
    // The rules between dates and between bodies hold: what is due lies ahead, what happened is one
    // day.
    let fixed = match definition.name.as_str() {
        "views_by" | "appeal_by" | "respond_by" => Some("2026-05-06"),
        "old_body" => Some("QHL"),
        "new_body" => Some("QUA"),
        "old_nhs_number" => Some("9990000018"),
        "new_nhs_number" => Some("9990000026"),
        "old_person_id" => Some("P-1"),
        "new_person_id" => Some("P-2"),
        _ if definition.kind == ValueKind::Date => Some("2025-06-02"),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return Just(fixed.to_owned()).boxed();
    }
    match definition.kind {
        ValueKind::Date => unreachable!("dates are fixed"),
        ValueKind::Flag => one_of(&["true", "false"]),
        ValueKind::Number => one_of(&["-14", "7"]),
        ValueKind::Organisation => one_of(&["RXT", "QHL", "334"]),
        ValueKind::Reference => one_of(&["LA-1", "T-2"]),
        ValueKind::NhsNumber => one_of(&NHS_NUMBERS),
        ValueKind::Code => prop::sample::select(definition.codes.clone()).boxed(),
        ValueKind::Line | ValueKind::Text | ValueKind::Texts => words().boxed(),
    }
}

/// The fields a type must have, and those it may have, beyond the envelope.
fn fields_of(kind: MessageType) -> (Vec<Field>, Vec<Field>) {
    let groups: &[&str] = match kind.form() {
        Form::Request => &["request.", "subject.", "consent."],
        Form::Triage => &["triage.", "subject."],
        Form::Advice => &["advice.", "subject."],
        Form::Nil => &["nil.", "subject."],
        Form::Exception => &["exception.", "subject."],
        Form::Decision => &["consent.", "subject."],
        Form::Transition => &["transition.", "subject."],
        Form::Notice => &["notice."],
        Form::Particulars => &["subject."],
    };
    let of_kind = Field::ALL.into_iter().filter(|field| {
        let case = *field == Field::CASE && kind.form() != Form::Notice;
        case || groups.iter().any(|g| field.path().starts_with(g))
    });
    let restricts = kind == MessageType::ConsentRestriction;
    let of_kind = of_kind.filter(|field| {
        // An acknowledgement has an outcome and an error has none.
        // The type of a consent message says what was decided, or the envelope here does.
        let decided = kind.is_about_consent() && *field == Field::CONSENT_STATUS;
        let restriction = *field == Field::CONSENT_RESTRICTION && !restricts;
        *field != Field::NOTICE_OUTCOME && !decided && !restriction
    });
    let content = Catalogue::built_in().content(kind);
    let named = |names: &'static [String]| {
        names.iter().filter_map(|name| Catalogue::built_in().field(name))
    };
    let needs = content.map_or(&[][..], |content| &content.needs);
    let may = content.map_or(&[][..], |content| &content.may);
    let is_needed = |field: &Field| {
        REQUIRED.contains(field) || (restricts && *field == Field::CONSENT_RESTRICTION)
    };
    let (mut needed, mut free): (Vec<Field>, Vec<Field>) = of_kind.partition(is_needed);
    needed.extend(named(needs).map(Field::of_content));
    free.extend(named(may).map(Field::of_content));
    // A match or merge names one identifier used before and one to use, at the least.
    if matches!(kind, MessageType::PersonMatch | MessageType::PersonMerge) {
        needed.append(
            &mut free.extract_if(.., |field| field.path().ends_with("_person_id")).collect(),
        );
    }
    free.push(Field::ACTING_USER);
    if kind != MessageType::AdviceAmend {
        free.push(Field::SUPERSEDES);
    }
    (needed, free)
}

/// Checked records of one type, with and without documents.
pub(crate) fn records(kind: MessageType) -> impl Strategy<Value = Record> {
    drafts(kind).prop_map(|draft| draft.check(TODAY).expect("the sample is right").record)
}

/// Drafts of one type that are right, with and without documents.
pub(crate) fn drafts(kind: MessageType) -> impl Strategy<Value = Draft> {
    let (needed, free) = fields_of(kind);
    let needed: Vec<_> = needed
        .into_iter()
        .map(|field| prop::collection::vec(value(field), 1..2).prop_map(move |v| (field, v)))
        .collect();
    let free: Vec<_> = free
        .into_iter()
        .map(|field| {
            let most = if field.repeats() { 3 } else { 1 };
            prop::collection::vec(value(field), 0..=most).prop_map(move |v| (field, v))
        })
        .collect();
    (needed, free, 0_usize..3).prop_map(move |(needed, free, documents)| {
        let mut draft = envelope(kind);
        for (field, values) in needed.into_iter().chain(free) {
            for value in values {
                let of_a_young_child = kind == MessageType::S23Notification;
                let value = if field == Field::DATE_OF_BIRTH && of_a_young_child {
                    "2023-05-04".to_owned()
                } else {
                    value
                };
                draft.set(field, value.trim(), Place::Whole);
            }
        }
        if kind.form() != Form::Notice && kind != MessageType::SafeguardingAlertLink {
            for n in 0..documents {
                draft.attachments.push(document(n));
            }
        }
        draft
    })
}

/// A checked record that says everything its type can say, once, with two documents where it may
/// have any. Texts that the sender is free to choose are the field's own [`canary`].
pub(crate) fn with_everything(kind: MessageType) -> Record {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draft = envelope(kind);
    let (needed, free) = fields_of(kind);
    for field in needed.into_iter().chain(free) {
        let young = kind == MessageType::S23Notification && field == Field::DATE_OF_BIRTH;
        let text = if young {
            "2023-05-04".to_owned()
        } else if is_words(field) {
            canary(field)
        } else {
            value(field).new_tree(&mut runner).expect("a value").current()
        };
        draft.set(field, text, Place::Whole);
    }
    if kind.form() != Form::Notice && kind != MessageType::SafeguardingAlertLink {
        draft.attachments.extend([document(0), document(1)]);
    }
    draft.check(TODAY).unwrap_or_else(|issues| panic!("{kind}: {issues:?}")).record
}

/// A text that stands in no other field, of letters alone, so that no format escapes it.
pub(crate) fn canary(field: Field) -> String {
    let letters: String = field.path().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("Zq{letters}qZ")
}

/// Whether a sender may write any words in a field.
fn is_words(field: Field) -> bool {
    let name = field.path().strip_prefix("particulars.");
    let definition = name.and_then(|name| Catalogue::built_in().field(name));
    let free = [ValueKind::Line, ValueKind::Text, ValueKind::Texts];
    definition.map_or_else(|| WORDS.contains(&field), |said| free.contains(&said.kind))
}

/// The fields that some type must have.
const REQUIRED: [Field; 27] = [
    Field::NHS_NUMBER,
    Field::FAMILY_NAME,
    Field::GIVEN_NAMES,
    Field::DATE_OF_BIRTH,
    Field::CASE,
    Field::REQUESTED_ON,
    Field::SERVICES,
    Field::AUTHOR_NAME,
    Field::AUTHOR_PROFESSION,
    Field::ADVICE_DATE,
    Field::SUMMARY,
    Field::NIL_REASON,
    Field::EXCEPTION_LIMB,
    Field::EXCEPTION_EVIDENCE,
    Field::EXCEPTION_FROM,
    Field::EXCEPTION_UNTIL,
    Field::EXCEPTION_EXPECTED,
    Field::TRIAGE_REASON,
    Field::TRIAGE_REDIRECT_TO,
    Field::CONSENT_STATUS,
    Field::CONSENT_GIVEN_BY,
    Field::CONSENT_DATE,
    Field::NAMED_WORKER,
    Field::PLAN_DATE,
    Field::ACTIONS,
    Field::NOTICE_ABOUT,
    Field::NOTICE_CODE,
];

const WORDS: [Field; 26] = [
    Field::ACTING_USER,
    Field::FAMILY_NAME,
    Field::GIVEN_NAMES,
    Field::ADDRESS,
    Field::SCHOOL,
    Field::QUESTIONS,
    Field::REPLY_TO,
    Field::EXISTING_REPORTS,
    Field::CONSENT_ASSESSED_BY,
    Field::AUTHOR_NAME,
    Field::AUTHOR_PROFESSION,
    Field::AUTHOR_REGISTRATION,
    Field::SUMMARY,
    Field::HEALTH_NEEDS,
    Field::EDUCATIONAL_NEEDS,
    Field::OUTCOMES,
    Field::HEALTH_PROVISION,
    Field::EDUCATIONAL_PROVISION,
    Field::NIL_ALTERNATIVE,
    Field::EXCEPTION_EVIDENCE,
    Field::TRIAGE_NOTE,
    Field::NAMED_WORKER,
    Field::ACTIONS,
    Field::VIEWS,
    Field::NOTICE_DETAIL,
    Field::CONSENT_REFERENCE,
];

fn envelope(kind: MessageType) -> Draft {
    let mut draft = Draft::default();
    draft.set(Field::TYPE, kind.as_str(), Place::Whole);
    draft.set(Field::ID, "MSG-0001", Place::Whole);
    draft.set(Field::SENDER, "334", Place::Whole);
    draft.set(Field::RECIPIENT, "RRK", Place::Whole);
    draft.set(Field::LEG, LEG, Place::Whole);
    if kind == MessageType::Acknowledgement {
        draft.set(Field::NOTICE_OUTCOME, "rejected", Place::Whole);
    }
    if kind == MessageType::ConsentRestriction {
        draft.set(Field::CONSENT_STATUS, "restricted", Place::Whole);
    }
    if kind == MessageType::AdviceAmend {
        draft.set(Field::SUPERSEDES, "MSG-0000", Place::Whole);
    }
    draft
}

fn document(n: usize) -> DraftAttachment {
    DraftAttachment {
        name: PersonalText::new(format!("report-{n}.pdf")),
        media_type: "application/pdf".to_owned(),
        content: PersonalBytes::new(format!("%PDF-1.7 synthetic {n}").into_bytes()),
        place: Place::Whole,
    }
}

/// A file of the corpus: its name, its bytes, and the lines of its `.issues` file.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) issues: Vec<String>,
}

/// Every file of one corner of the corpus, for example `fhir/good`.
pub(crate) fn corpus(corner: &str) -> Vec<Sample> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(corner);
    let files = std::fs::read_dir(root).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("it is listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json" || e == "xml"))
        .collect();
    paths.sort();
    let samples: Vec<Sample> = paths
        .into_iter()
        .map(|path| {
            let issues = std::fs::read_to_string(path.with_extension("issues"));
            let issues = issues.unwrap_or_default().lines().map(str::to_owned).collect();
            let bytes = std::fs::read(&path).expect("it is readable");
            Sample { name: path.file_name().expect("named").display().to_string(), bytes, issues }
        })
        .collect();
    assert!(!samples.is_empty(), "{corner} is empty");
    samples
}

/// Everything said about some bytes, and whether every message in them was accepted.
pub(crate) fn verdict(reading: Result<Reading, ReadError>) -> (bool, Vec<Issue>) {
    let reading = match reading {
        Ok(reading) => reading,
        Err(error) => return (false, vec![error.to_issue()]),
    };
    let mut accepted = true;
    let mut issues = reading.notes;
    for item in reading.items {
        match item.draft.check(TODAY) {
            Ok(checked) => issues.extend(checked.warnings),
            Err(faults) => {
                accepted = false;
                issues.extend(faults);
            }
        }
    }
    (accepted, issues)
}

/// Issues as the lines of an `.issues` file.
pub(crate) fn lines(issues: &[Issue]) -> Vec<String> {
    issues.iter().map(|issue| format!("{} @ {}", issue.rule, issue.place)).collect()
}

/// Walks a corner of the corpus and compares every verdict.
pub(crate) fn agrees(corner: &str, good: bool, read: fn(&[u8]) -> Result<Reading, ReadError>) {
    for sample in corpus(corner) {
        let (accepted, issues) = verdict(read(&sample.bytes));
        // Issues come in the order of the fields; the files list them in the order of reading.
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let (said, expected) = (sorted(lines(&issues)), sorted(sample.issues.clone()));
        assert_eq!(said, expected, "{corner}/{}", sample.name);
        assert_eq!(accepted, good, "{corner}/{}", sample.name);
        assert!(good || !sample.issues.is_empty(), "{corner}/{} expects nothing", sample.name);
    }
}

/// Nothing that is said about the good corpus, damaged at every text, quotes that text.
pub(crate) fn leaks_nothing(corner: &str, read: fn(&[u8]) -> Result<Reading, ReadError>) {
    const CANARY: &str = "Zq7CANARY7qZ";
    for sample in corpus(corner) {
        let text = String::from_utf8(sample.bytes).expect("the corpus is UTF-8");
        let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
        for pair in quotes.chunks(2) {
            let [open, close] = pair else { continue };
            // Names and values alike: a name may be a person's.
            let (before, after) = (&text.as_bytes()[..=*open], &text.as_bytes()[*close..]);
            let planted = [before, CANARY.as_bytes(), after].concat();
            let (_, issues) = verdict(read(&planted));
            let said = format!("{issues:?} {}", lines(&issues).join("\n"));
            assert!(!said.contains("CANARY"), "{}: {said}", sample.name);
        }
    }
}

/// Bytes of a document in base64, as a sender writes them.
pub(crate) fn pdf() -> String {
    STANDARD.encode(b"%PDF-1.7 synthetic")
}

/// One damage to a text: cut it, repeat a piece, or change a byte.
pub(crate) fn damaged(mut bytes: Vec<u8>, at: usize, how: u8, byte: u8) -> Vec<u8> {
    let at = at % bytes.len().max(1);
    match how % 3 {
        0 => bytes.truncate(at),
        1 => {
            let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => bytes[at] = byte,
    }
    bytes
}
