//! What entries of the log are as cells. Pure.

use jiff::Timestamp;

use super::{Ask, Cell, Kind, ReportKind, Sheet};
use crate::access_report::words;
use crate::audit::{Entry, SubjectKey};
use crate::clock::london_time;
use crate::entropy::sha256_hex;

/// The name of an organisation by its code.
pub(super) type Names<'a> = &'a (dyn Fn(&str) -> String + Sync);

/// The columns of a table with a row for each entry.
pub(super) const ENTRY: [(&str, Kind); 16] = [
    ("entry", Kind::Number),
    ("when (London)", Kind::Time),
    ("what", Kind::Text),
    ("event", Kind::Text),
    ("organisation", Kind::Text),
    ("organisation name", Kind::Text),
    ("person", Kind::Text),
    ("role", Kind::Text),
    ("came in by", Kind::Text),
    ("other organisation", Kind::Text),
    ("basis", Kind::Text),
    ("decision or outcome", Kind::Text),
    ("rule or reason", Kind::Text),
    ("child", Kind::Text),
    ("record", Kind::Text),
    ("delivery", Kind::Text),
];

/// One entry as the cells of [`ENTRY`].
pub(super) fn entry_row(entry: &Entry, names: Names<'_>, marks: Marks) -> Vec<Cell> {
    let event = &entry.event;
    let actor = &event.actor;
    let note = event.decision.as_ref();
    let outcome = note.map(|note| note.outcome.clone());
    let outcome = outcome.or_else(|| detail(entry, &["decision", "outcome", "status"]));
    vec![
        entry.seq.into(),
        when(entry),
        words(event, event.message_type).into(),
        crate::telemetry::name_of(event.kind).into(),
        actor.organisation.clone().into(),
        names(&actor.organisation).into(),
        actor.person.clone().into(),
        actor.role.clone().into(),
        actor.method.clone().into(),
        event.counterparty.as_ref().map(ToString::to_string).into(),
        note.and_then(|note| note.authority.clone()).into(),
        outcome.into(),
        rule_of(entry).into(),
        event.subject.map(|subject| marks.child(subject)).into(),
        event.record.map(|record| record.to_string()).into(),
        event.delivery.map(|delivery| delivery.to_string()).into(),
    ]
}

/// The rule or reason of an entry, by its code.
pub(super) fn rule_of(entry: &Entry) -> Option<String> {
    let note = entry.event.decision.as_ref();
    let said = detail(
        entry,
        &["reason", "ground", "rule", "rules", "how", "finding", "question", "purpose"],
    );
    said.or_else(|| note.map(|note| note.rule.clone()))
}

/// The first of some members of an entry's detail that it has.
pub(super) fn detail(entry: &Entry, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| entry.event.detail.get(*name)).cloned()
}

/// When an entry was committed, by London's clocks.
pub(crate) fn when(entry: &Entry) -> Cell {
    time(entry.at())
}

/// An instant by London's clocks, to the second.
pub(super) fn time(at: Timestamp) -> Cell {
    let at = london_time(at);
    Cell::Time(at.with().subsec_nanosecond(0).build().unwrap_or(at))
}

/// What children are called in one report: the same in all its tables, and something else in every
/// other, so that two files are not laid side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks(&'static [u8], u64);

impl Marks {
    /// Those of the report whose asking is an entry.
    pub(super) fn of(asked: u64) -> Self {
        Self(b"child in a report", asked)
    }

    /// Those of a sample that was drawn by the log of a size: whoever draws it again has the same.
    pub(super) fn of_draw(size: u64) -> Self {
        Self(b"child in a sample", size)
    }

    /// What a child is called. A pseudonym has too many possible values to be tried out from it.
    pub(super) fn child(self, subject: SubjectKey) -> String {
        let salted = [self.0, &self.1.to_be_bytes(), &subject.0].concat();
        let letter = |digit: char| LETTERS.chars().nth(usize::try_from(digit.to_digit(16)?).ok()?);
        sha256_hex(&salted).chars().take(MARK).filter_map(letter).collect()
    }
}

/// In place of hexadecimal digits: ten digits in a row could be taken for an NHS number, and a
/// spreadsheet reads some as a power of ten. Without vowels they make no words.
const LETTERS: &str = "bcdfghjklmnpqrst";

/// The letters of a mark: two of 50,000 children share one in less than one report of 200,000.
const MARK: usize = 12;

/// What a report says of its marks, where it has a column of them.
pub(super) fn marked(ask: &Ask) -> Option<&'static str> {
    let has = match ask.report {
        ReportKind::PersonActions
        | ReportKind::Exceptions
        | ReportKind::Consents
        | ReportKind::Sample
        | ReportKind::Retention => true,
        ReportKind::Disclosures => !ask.outside,
        ReportKind::ChildAccess
        | ReportKind::OddAccess
        | ReportKind::Misdirected
        | ReportKind::SixWeeks
        | ReportKind::LogIntegrity => false,
    };
    has.then_some(MARKED)
}

const MARKED: &str = "The column child has a mark that tells the children of this report apart and nothing else: the same child has another mark in every other report, but for a sample that is drawn again.";

/// The month of an instant in London, for example `2026-11`.
pub(super) fn month(at: Timestamp) -> String {
    london_time(at).strftime("%Y-%m").to_string()
}

/// A count; when the report is for outside, one to four are not told.
pub(super) fn count(count: u64, outside: bool) -> Cell {
    if outside && (1..SMALL).contains(&count) { "under 5".into() } else { count.into() }
}

/// A table of counts under one heading.
pub(super) fn tally(
    title: &str,
    heading: &str,
    counts: impl IntoIterator<Item = (String, u64)>,
) -> Sheet {
    let mut sheet = Sheet::new(title, &[(heading, Kind::Text), ("how many", Kind::Number)]);
    sheet.rows = counts.into_iter().map(|(what, many)| vec![what.into(), many.into()]).collect();
    sheet
}

/// Counts under this single people out where they are published.
const SMALL: u64 = 5;
