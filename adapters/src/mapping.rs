//! What a tabular file's columns mean, as data: one mapping file per source.
//!
//! Owns the mapping file: its form, its rules, and the mappings shipped with the binary. A mapping
//! names every leniency a reader may use; what it does not name is refused. It must never know
//! the bytes of a file (that is [`csv`](crate::csv)), partners, or what makes a record acceptable.
//!
//! ```
//! use adapters::mapping::Mapping;
//!
//! let mapping = Mapping::built_in("canonical-la-advice-request").expect("shipped with the binary");
//! assert_eq!(mapping.version(), 2);
//! ```
//!
//! A file without a header is read by the places of its columns, and only with its declared width:
//! a column more or less is a fault of every row.
//!
//! Limits: dates are matched against the listed patterns only, character for character; codes are
//! matched exactly; two columns never feed one field. Not supported: computed values and
//! conditions between columns (a mapping that needs them hides a rule that belongs in the check),
//! and two-digit years (nobody can tell 1926 from 2026).

mod dates;
mod file;
mod proposal;
mod rows;

use std::collections::BTreeMap;

use schemas::{Field, Place};

use crate::{ReadError, ReadErrorKind};

pub use file::MappingError;
pub use proposal::{Proposal, propose};

pub(crate) use rows::{Filter, Key, KeyRole, Verdict};

use dates::DatePattern;

/// How a source writes its tabular files, and which column means which field.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in the file")]
#[derive(Debug, Clone)]
pub struct Mapping {
    name: String,
    version: u32,
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    pub(crate) quoting: bool,
    pub(crate) unknown_columns: UnknownColumns,
    pub(crate) identity: Option<Identity>,
    pub(crate) constants: Vec<(Field, String)>,
    pub(crate) columns: Vec<Column>,
    /// The path of the element that is one record, in files of XML.
    pub(crate) record: Option<String>,
    /// The columns that say something about the row itself.
    pub(crate) filters: Vec<Filter>,
    /// The columns that join the files of a set.
    pub(crate) keys: Vec<Key>,
    /// The files of a set, each with the mapping of its own.
    pub(crate) entities: BTreeMap<Entity, Mapping>,
    /// How many cells a row has, in files without a header.
    pub(crate) width: Option<usize>,
    /// The header is among the first so many rows.
    pub(crate) header_within: usize,
    /// So many rows at the end are no records.
    pub(crate) trailer_rows: usize,
    /// Whether every row ends with a delimiter.
    pub(crate) trailing_delimiter: bool,
    /// Whether a bare number in a date column is a spreadsheet's number for a day.
    pub(crate) serial_dates: bool,
    /// The file is refused when more rows than this, in a hundred, could not be read.
    pub(crate) refuse_file_above_percent: Option<u8>,
    /// Answers carry no id of the request: the person's only open one is meant.
    pub(crate) leg_by_person: bool,
    /// What to do about cells that a formula computed.
    pub(crate) formulas: Formulas,
    /// The sheet of a workbook to read; the only visible one when none is named.
    pub(crate) sheet: Option<SheetChoice>,
    kinds: Vec<FileKind>,
    no_message: Option<String>,
    totals: Vec<String>,
    date_patterns: Vec<DatePattern>,
    midnight_times: bool,
    null_markers: Vec<String>,
    placeholder_dates: Vec<String>,
    ignored: Vec<String>,
}

/// How the bytes of a file become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows code page 1252.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// UTF-16, whose byte order mark is required.
    #[serde(rename = "utf-16")]
    Utf16,
}

/// What to do about a column the mapping does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnknownColumns {
    /// Leave it out and say so.
    Warn,
    /// Refuse the file.
    Refuse,
}

/// A kind of file a mapping is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Separated text.
    Csv,
    /// A workbook.
    Xlsx,
    /// A set of separated texts, one for each [`Entity`], with a manifest.
    Set,
    /// XML with one element for each record.
    Xml,
}

impl FileKind {
    /// The kind of this name in mapping files.
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            "set" => Some(Self::Set),
            "xml" => Some(Self::Xml),
            _ => None,
        }
    }
}

/// What to do about a cell that a formula computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Formulas {
    /// Refuse the row.
    #[default]
    Refuse,
    /// Take what it gave when the workbook was saved, and say so.
    Cached,
}

/// Which sheet of a workbook is read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum SheetChoice {
    /// By its place among all sheets, from 1.
    Number(usize),
    /// By its name, compared as headers are.
    Name(String),
}

/// What the rows of one file of a set are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// People, with tombstones for deleted and merged ones.
    Person,
    /// Their NHS and pupil numbers.
    PersonIdentifier,
    /// Their addresses, with the day on which each ended.
    Address,
    /// People with parental responsibility. Counted and checked, not read: no message carries it.
    ContactPr,
    /// Requests for an EHC needs assessment: the cases.
    EhcRequest,
    /// Requests for advice: one message each.
    AdviceRequest,
    /// Plans. Counted and checked, not read.
    Plan,
    /// Reviews. Counted and checked, not read.
    Review,
    /// Decisions about sharing.
    Consent,
    /// Involvements of services. Counted and checked, not read.
    Involvement,
    /// Documents that go with requests.
    DocumentIndex,
}

impl Entity {
    /// Every entity, in the order of the layout.
    pub const ALL: [Self; 11] = [
        Self::Person,
        Self::PersonIdentifier,
        Self::Address,
        Self::ContactPr,
        Self::EhcRequest,
        Self::AdviceRequest,
        Self::Plan,
        Self::Review,
        Self::Consent,
        Self::Involvement,
        Self::DocumentIndex,
    ];

    /// Its name in manifests and mappings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::PersonIdentifier => "person_identifier",
            Self::Address => "address",
            Self::ContactPr => "contact_pr",
            Self::EhcRequest => "ehc_request",
            Self::AdviceRequest => "advice_request",
            Self::Plan => "plan",
            Self::Review => "review",
            Self::Consent => "consent",
            Self::Involvement => "involvement",
            Self::DocumentIndex => "document_index",
        }
    }

    /// The entity of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.name() == name)
    }
}

/// How a row gets its `id` when the file has no column for it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Stands before the fields.
    pub(crate) prefix: String,
    /// The fields whose values are joined with hyphens.
    pub(crate) fields: Vec<Field>,
}

/// Where one field comes from.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The field that is filled.
    pub(crate) field: Field,
    /// The headers that stand for it.
    pub(crate) from: Vec<String>,
    /// Its index from 0, in files without a header.
    pub(crate) at: Option<usize>,
    /// Whether a file without this column is refused.
    pub(crate) required: bool,
    /// The source's codes and ours, if the field is coded.
    pub(crate) codes: Option<BTreeMap<String, String>>,
    /// What separates several values in one cell.
    pub(crate) split: Option<String>,
    /// Whether it is a date.
    pub(crate) date: bool,
}

/// What a cell that should hold a date turned out to hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DateCell {
    /// A date, as `yyyy-mm-dd`, and whether a midnight time was dropped.
    Date(String, bool),
    /// A date that stands for "none" at the source.
    Placeholder,
    /// A date whose year has two digits.
    TwoDigitYear,
    /// A spreadsheet's number for a day, where the mapping does not take them.
    Serial,
    /// Nothing that the patterns allow.
    Impossible,
}

impl Mapping {
    /// Parses a mapping file. Unknown keys, unknown fields and contradictions are refused.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        file::parse(text)
    }

    /// The mapping shipped under this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(text).ok()
    }

    /// The text of the mapping shipped under this name, for an operator to start from.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The name of the mapping.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the mapping, raised whenever its meaning changes.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The fields that come from columns, each with the headers that stand for it.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &[String])> {
        self.columns.iter().map(|column| (column.field, column.from.as_slice()))
    }

    /// Whether the mapping is for this kind of file.
    pub fn reads(&self, kind: FileKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The mapping of one file of a set.
    pub fn entity(&self, entity: Entity) -> Option<&Self> {
        self.entities.get(&entity)
    }

    /// Why files of this mapping cannot become messages, if they cannot.
    pub fn no_message(&self) -> Option<&str> {
        self.no_message.as_deref()
    }

    /// Refuses a kind of file that the mapping is not for, and files that are no messages.
    pub(crate) fn takes(&self, kind: FileKind) -> Result<(), ReadError> {
        match &self.no_message {
            None => self.fits(kind),
            Some(why) => Err(ReadError::new(
                ReadErrorKind::Shape,
                "mapping-no-message",
                Place::Whole,
                &format!("cannot become messages: {why}"),
                "look at it with `ehc-gateway mapping check`, or copy the mapping and add what is missing",
            )),
        }
    }

    /// Refuses a kind of file that the mapping is not for.
    pub(crate) fn fits(&self, kind: FileKind) -> Result<(), ReadError> {
        if self.reads(kind) {
            return Ok(());
        }
        Err(ReadError::new(
            ReadErrorKind::Shape,
            "mapping-format",
            Place::Whole,
            "is not the kind of file that the mapping is for",
            "name another mapping, or add the kind to the mapping's `format`",
        ))
    }

    /// Whether a row whose first filled cell reads so holds totals and is no record.
    pub(crate) fn is_total(&self, first: &str) -> bool {
        !self.totals.is_empty() && {
            let folded = fold(first);
            self.totals.iter().any(|total| folded.starts_with(&fold(total)))
        }
    }

    /// Whether any pattern of dates has a time of day.
    pub(crate) fn times(&self) -> bool {
        self.date_patterns.iter().any(DatePattern::has_time)
    }

    /// Whether a date stands for "none" at the source.
    pub(crate) fn is_placeholder(&self, date: &str) -> bool {
        self.placeholder_dates.iter().any(|placeholder| placeholder == date)
    }

    /// The column rule for a header, if the mapping names it.
    pub(crate) fn column(&self, header: &str) -> Option<&Column> {
        let named = |column: &&Column| column.from.iter().any(|name| is_same(name, header));
        self.columns.iter().find(named)
    }

    /// Whether the mapping says that a column is left out on purpose.
    pub(crate) fn ignores(&self, header: &str) -> bool {
        self.ignored.iter().any(|name| is_same(name, header))
    }

    /// Whether a cell says "nothing" in the words of the source.
    pub(crate) fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.null_markers.iter().any(|marker| marker == text)
    }

    /// Reads a date by the patterns of the mapping and nothing else.
    pub(crate) fn date(&self, text: &str) -> DateCell {
        let midnight = MIDNIGHTS.iter().find_map(|time| text.strip_suffix(time));
        let (day, dropped) = match midnight {
            Some(day) if self.midnight_times => (day, true),
            _ => (text, false),
        };
        if self.placeholder_dates.iter().any(|p| p == day || p == text) {
            return DateCell::Placeholder;
        }
        // The whole text first: a pattern with a time of its own drops nothing silently.
        let whole = self.date_patterns.iter().find_map(|pattern| pattern.parse(text));
        if let Some(date) = whole {
            return DateCell::Date(date.to_string(), false);
        }
        if let Some(date) = self.date_patterns.iter().find_map(|pattern| pattern.parse(day)) {
            return DateCell::Date(date.to_string(), dropped);
        }
        if self.date_patterns.iter().any(|pattern| pattern.fits_two_digit_year(day)) {
            return DateCell::TwoDigitYear;
        }
        match dates::of_serial(day) {
            Some(date) if self.serial_dates => DateCell::Date(date.to_string(), false),
            Some(_) => DateCell::Serial,
            None => DateCell::Impossible,
        }
    }
}

/// The names of the mappings shipped with the binary.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A header as it is compared: case, white space, dashes, underscores and apostrophes do not count.
pub(crate) fn fold(header: &str) -> String {
    folded(header).collect()
}

/// Whether two headers are the same, as they are compared.
fn is_same(one: &str, other: &str) -> bool {
    folded(one).eq(folded(other))
}

fn folded(header: &str) -> impl Iterator<Item = char> {
    let counted = header.chars().filter(|c| !c.is_whitespace() && !FOLDED.contains(*c));
    counted.flat_map(char::to_lowercase)
}

/// Hyphens and dashes, the underscore, apostrophes, and characters of no width.
const FOLDED: &str = "-_\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}'\u{2018}\u{2019}\u{2bc}`\u{feff}\u{200b}\u{ad}";

const MIDNIGHTS: [&str; 5] = [" 00:00:00.000", " 00:00:00", " 00:00", "T00:00:00.000", "T00:00:00"];

const BUILT_IN: [(&str, &str); 14] = [
    (
        "liquidlogic-ehc-advice-request",
        include_str!("../mappings/liquidlogic-ehc-advice-request.toml"),
    ),
    ("canonical-la-advice-request", include_str!("../mappings/canonical-la-advice-request.toml")),
    ("canonical-la-export", include_str!("../mappings/canonical-la-export.toml")),
    ("gateway-message", include_str!("../mappings/gateway-message.toml")),
    ("annex-a-send-plans", include_str!("../mappings/annex-a-send-plans.toml")),
    ("annex-a-send-requests", include_str!("../mappings/annex-a-send-requests.toml")),
    ("sen2-blade-person", include_str!("../mappings/sen2-blade-person.toml")),
    ("sen2-blade-requests", include_str!("../mappings/sen2-blade-requests.toml")),
    ("systmone-advice", include_str!("../mappings/systmone-advice.toml")),
    ("emis-advice", include_str!("../mappings/emis-advice.toml")),
    ("pipe-advice", include_str!("../mappings/pipe-advice.toml")),
    ("headerless-advice", include_str!("../mappings/headerless-advice.toml")),
    (
        "liquidlogic-xml-advice-request",
        include_str!("../mappings/liquidlogic-xml-advice-request.toml"),
    ),
    ("sen2-person-level", include_str!("../mappings/sen2-person-level.toml")),
];

#[cfg(test)]
mod tests;
