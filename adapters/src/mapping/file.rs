//! The mapping file: TOML, unknown keys refused, every mistake with its line.
//!
//! Owns the shape of the file and the rules between its parts. It must never know cells.

use std::collections::{BTreeMap, HashMap};

use schemas::Field;
use schemas::catalogue::{Catalogue, ValueKind};
use serde::Deserialize;
use toml::Spanned;

use crate::limits::COLUMNS_MAX;

use super::dates::DatePattern;
use super::rows::{FilterTable, KeyTable};
use super::{
    Column, Encoding, Entity, FileKind, Filter, Formulas, Identity, Key, KeyRole, Mapping,
    SheetChoice, UnknownColumns, fold,
};

/// What is wrong with a mapping file, and on which line. The file is the operator's own and holds
/// no personal details, so its words may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// It is not TOML, or has a key or a value that mapping files do not have.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// It names a field that the canonical message does not have.
    #[error(
        "line {line}: `{field}` is not a field of the canonical message; \
         see schemas/csv/mapping.md for the list"
    )]
    UnknownField {
        /// The line, from 1.
        line: usize,
        /// The name.
        field: String,
    },
    /// Two of its parts do not go together, or one cannot be used.
    #[error("line {line}: `{what}` {problem}")]
    Contradiction {
        /// The line, from 1.
        line: usize,
        /// The key or value.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Parses and checks a mapping file.
pub(super) fn parse(text: &str) -> Result<Mapping, MappingError> {
    let file: MappingFile = toml::from_str(text).map_err(|error| MappingError::Syntax {
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        message: error.message().to_owned(),
    })?;
    let source = Source { text };
    source.mapping(file)
}

#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in the file")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    name: Spanned<String>,
    version: u32,
    format: Spanned<Kinds>,
    record: Option<String>,
    #[serde(default = "utf8")]
    encoding: Encoding,
    #[serde(default = "comma")]
    delimiter: Spanned<String>,
    #[serde(default = "yes")]
    quote: bool,
    #[serde(default)]
    date_formats: Vec<Spanned<String>>,
    #[serde(default)]
    allow_midnight_times: bool,
    #[serde(default)]
    null_markers: Vec<String>,
    #[serde(default)]
    placeholder_dates: Vec<String>,
    #[serde(default = "warn")]
    unknown_columns: UnknownColumns,
    #[serde(default)]
    ignored_columns: Vec<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<Spanned<String>, String>,
    identity: Option<IdentityTable>,
    #[serde(default)]
    columns: BTreeMap<Spanned<String>, ColumnTable>,
    #[serde(default, rename = "filter")]
    filters: Vec<Spanned<FilterTable>>,
    #[serde(default)]
    entities: BTreeMap<Spanned<Entity>, EntityTable>,
    #[serde(default = "yes")]
    header: bool,
    width: Option<Spanned<usize>>,
    #[serde(default = "one")]
    header_within: Spanned<usize>,
    #[serde(default)]
    trailer_rows: usize,
    no_message: Option<String>,
    #[serde(default)]
    total_rows: Vec<String>,
    #[serde(default)]
    trailing_delimiter: bool,
    #[serde(default)]
    serial_dates: bool,
    refuse_file_above_percent: Option<Spanned<u8>>,
    #[serde(default)]
    leg_by_person: bool,
    #[serde(default)]
    workbook: WorkbookTable,
}

/// One kind of file, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kinds {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkbookTable {
    sheet: Option<SheetChoice>,
    #[serde(default)]
    formulas: Formulas,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntityTable {
    #[serde(default)]
    columns: BTreeMap<Spanned<String>, ColumnTable>,
    #[serde(default)]
    keys: BTreeMap<Spanned<KeyRole>, KeyTable>,
    #[serde(default)]
    ignored_columns: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityTable {
    #[serde(default)]
    prefix: String,
    fields: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnTable {
    #[serde(default)]
    from: Vec<String>,
    at: Option<usize>,
    #[serde(default)]
    required: bool,
    codes: Option<BTreeMap<String, String>>,
    split: Option<String>,
    #[serde(default)]
    date: bool,
}

/// The text of the file, for lines.
struct Source<'a> {
    text: &'a str,
}

impl Source<'_> {
    fn mapping(&self, file: MappingFile) -> Result<Mapping, MappingError> {
        let kinds = self.kinds(&file)?;
        let width = self.width(&file)?;
        let delimiter = self.delimiter(&file.delimiter)?;
        let date_patterns = self.date_patterns(&file.date_formats)?;
        let constants = self.constants(&file.constants)?;
        let columns = self.columns(file.columns, width)?;
        self.claims(&columns, &constants, &file.ignored_columns)?;
        let filters = self.filters(file.filters, width)?;
        let identity = file.identity.map(|id| self.identity(id)).transpose()?;
        let mut mapping = Mapping {
            name: file.name.into_inner(),
            version: file.version,
            encoding: file.encoding,
            delimiter,
            quoting: file.quote,
            unknown_columns: file.unknown_columns,
            identity,
            constants,
            columns,
            record: file.record,
            filters,
            keys: Vec::new(),
            entities: BTreeMap::new(),
            width,
            header_within: file.header_within.into_inner(),
            trailer_rows: file.trailer_rows.min(TRAILER_ROWS_MAX),
            trailing_delimiter: file.trailing_delimiter,
            serial_dates: file.serial_dates,
            refuse_file_above_percent: file.refuse_file_above_percent.map(Spanned::into_inner),
            leg_by_person: file.leg_by_person,
            formulas: file.workbook.formulas,
            sheet: file.workbook.sheet,
            kinds,
            no_message: file.no_message,
            totals: file.total_rows,
            date_patterns,
            midnight_times: file.allow_midnight_times,
            null_markers: file.null_markers,
            placeholder_dates: file.placeholder_dates,
            ignored: file.ignored_columns.into_iter().map(Spanned::into_inner).collect(),
        };
        mapping.entities = self.entities(&mapping, file.entities)?;
        let dated = |mapping: &Mapping| mapping.columns.iter().any(|column| column.date);
        let any_dated = dated(&mapping) || mapping.entities.values().any(dated);
        if any_dated && mapping.date_patterns.is_empty() {
            return Err(self.wrong("date_formats", 0, "is empty, but columns hold dates"));
        }
        Ok(mapping)
    }

    fn kinds(&self, file: &MappingFile) -> Result<Vec<FileKind>, MappingError> {
        let names = match file.format.get_ref() {
            Kinds::One(name) => std::slice::from_ref(name),
            Kinds::Several(names) => names.as_slice(),
        };
        let line = line_at(self.text, file.format.span().start);
        let kinds: Option<Vec<FileKind>> =
            names.iter().map(|name| FileKind::from_name(name)).collect();
        let Some(kinds) = kinds else {
            return Err(self.wrong("format", line, "is not a format of mapping files"));
        };
        let wrong = |problem| Err(self.wrong("format", line, problem));
        let set = kinds.contains(&FileKind::Set);
        let xml = kinds.contains(&FileKind::Xml);
        if kinds.is_empty() || ((set || xml) && kinds.len() > 1) {
            return wrong("is \"csv\", \"xlsx\", \"set\", \"xml\", or [\"csv\", \"xlsx\"]");
        }
        if xml != file.record.is_some() {
            return wrong("goes with `record`, the path of one record's element, only for \"xml\"");
        }
        if set == file.entities.is_empty() || set != file.columns.is_empty() {
            return wrong("goes with [columns], or, for a set of files, with [entities.NAME]");
        }
        if set && file.entities.keys().all(|name| *name.get_ref() != Entity::AdviceRequest) {
            return wrong("needs [entities.advice_request]: its rows are the messages");
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if file.name.get_ref().is_empty() || !file.name.get_ref().chars().all(plain) {
            return Err(self.wrong_at(&file.name, "may hold only a-z, 0-9 and hyphens"));
        }
        Ok(kinds)
    }

    /// The declared width of a file without a header.
    fn width(&self, file: &MappingFile) -> Result<Option<usize>, MappingError> {
        let within = *file.header_within.get_ref();
        let line = line_at(self.text, file.header_within.span().start);
        if within == 0 || within > HEADER_WITHIN_MAX {
            return Err(self.wrong("header_within", line, "is a number of rows from 1 to 50"));
        }
        let percent = file.refuse_file_above_percent.as_ref();
        if let Some(percent) = percent.filter(|percent| *percent.get_ref() > 100) {
            let line = line_at(self.text, percent.span().start);
            return Err(self.wrong("refuse_file_above_percent", line, "is at most 100"));
        }
        match (&file.width, file.header) {
            (Some(width), false) if (1..=COLUMNS_MAX).contains(width.get_ref()) => {
                Ok(Some(*width.get_ref()))
            }
            (None, true) => Ok(None),
            (width, _) => {
                let line = width.as_ref().map_or(1, |width| line_at(self.text, width.span().start));
                Err(self.wrong(
                    "width",
                    line,
                    "is for files with `header = false`, which need it: 1 to 512 columns",
                ))
            }
        }
    }

    fn filters(
        &self,
        filters: Vec<Spanned<FilterTable>>,
        width: Option<usize>,
    ) -> Result<Vec<Filter>, MappingError> {
        let filters = filters.into_iter().map(|filter| {
            let line = line_at(self.text, filter.span().start);
            let filter = filter.into_inner();
            let why = filter.why.clone();
            let filter = filter.filter(width.is_some());
            let filter = filter.map_err(|problem| self.wrong(&why, line, problem))?;
            if filter.at.is_some_and(|at| Some(at) >= width) {
                return Err(self.wrong(&why, line, "is beyond the width of the file"));
            }
            Ok(filter)
        });
        filters.collect()
    }

    fn entities(
        &self,
        base: &Mapping,
        entities: BTreeMap<Spanned<Entity>, EntityTable>,
    ) -> Result<BTreeMap<Entity, Mapping>, MappingError> {
        let entities = entities.into_iter().map(|(entity, table)| {
            let columns = self.columns(table.columns, None)?;
            self.claims(&columns, &base.constants, &table.ignored_columns)?;
            let keys = table.keys.into_iter().map(|(role, key)| Key {
                role: role.into_inner(),
                from: key.from,
                required: key.required,
                codes: key.codes,
            });
            let mapping = Mapping {
                columns,
                keys: keys.collect(),
                ignored: table.ignored_columns.into_iter().map(Spanned::into_inner).collect(),
                kinds: vec![FileKind::Csv],
                ..base.clone()
            };
            Ok((entity.into_inner(), mapping))
        });
        entities.collect()
    }

    fn delimiter(&self, delimiter: &Spanned<String>) -> Result<u8, MappingError> {
        match delimiter.get_ref().as_bytes() {
            [byte] if matches!(byte, b',' | b';' | b'|' | b'\t') => Ok(*byte),
            _ => Err(self.wrong_at(delimiter, "is not one of , ; | and tab")),
        }
    }

    fn date_patterns(
        &self,
        patterns: &[Spanned<String>],
    ) -> Result<Vec<DatePattern>, MappingError> {
        let mirrored =
            |pattern: &str| pattern.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m");
        let parsed = patterns.iter().map(|pattern| {
            let text = pattern.get_ref();
            let mirror = mirrored(text);
            if mirror != *text && patterns.iter().any(|other| *other.get_ref() == mirror) {
                return Err(self.wrong_at(
                    pattern,
                    "stands beside the same with day and month exchanged: which is meant could \
                     not be told",
                ));
            }
            DatePattern::new(text).map_err(|problem| self.wrong_at(pattern, problem))
        });
        parsed.collect()
    }

    fn field(&self, path: &Spanned<String>) -> Result<Field, MappingError> {
        Field::from_path(path.get_ref()).ok_or_else(|| MappingError::UnknownField {
            line: line_at(self.text, path.span().start),
            field: path.get_ref().clone(),
        })
    }

    fn constants(
        &self,
        constants: &BTreeMap<Spanned<String>, String>,
    ) -> Result<Vec<(Field, String)>, MappingError> {
        constants.iter().map(|(path, value)| Ok((self.field(path)?, value.clone()))).collect()
    }

    fn identity(&self, identity: IdentityTable) -> Result<Identity, MappingError> {
        let fields: Result<Vec<Field>, MappingError> =
            identity.fields.iter().map(|path| self.field(path)).collect();
        Ok(Identity { prefix: identity.prefix, fields: fields? })
    }

    fn columns(
        &self,
        columns: BTreeMap<Spanned<String>, ColumnTable>,
        width: Option<usize>,
    ) -> Result<Vec<Column>, MappingError> {
        let columns = columns.into_iter().map(|(path, column)| self.column(&path, column, width));
        let mut columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        // In the order of the canonical message, whatever the order of the file.
        columns.sort_by_cached_key(|column| Field::every().position(|f| f == column.field));
        Ok(columns)
    }

    fn column(
        &self,
        path: &Spanned<String>,
        column: ColumnTable,
        width: Option<usize>,
    ) -> Result<Column, MappingError> {
        let field = self.field(path)?;
        let problem = if let Some(width) = width {
            let inside = column.at.is_some_and(|at| (1..=width).contains(&at));
            (!inside || !column.from.is_empty())
                .then_some("needs `at`, from 1 to the width, and no `from`: there is no header")
        } else if column.at.is_some() {
            Some("has `at`, which is for files without a header")
        } else if column.from.is_empty() {
            Some("names no header in `from`")
        } else if column.from.iter().any(|name| fold(name).is_empty()) {
            Some("has an empty header in `from`")
        } else {
            None
        };
        let problem = problem.or(if column.split.is_some() && !field.repeats() {
            Some("holds one value; `split` is for fields that repeat")
        } else if column.split.as_ref().is_some_and(String::is_empty) {
            Some("has an empty `split`")
        } else if is_date(field) && !column.date {
            Some("is a date; say `date = true`")
        } else if column.date && !is_date(field) {
            Some("is not a date; remove `date = true`")
        } else {
            None
        });
        if let Some(problem) = problem {
            return Err(self.wrong_at(path, problem));
        }
        let ColumnTable { from, at, required, codes, split, date } = column;
        let at = at.map(|at| at - 1);
        Ok(Column { field, from, at, required, codes, split, date })
    }

    /// Every header may be claimed once, and every field filled from one place.
    fn claims(
        &self,
        columns: &[Column],
        constants: &[(Field, String)],
        ignored: &[Spanned<String>],
    ) -> Result<(), MappingError> {
        let mut claimed: HashMap<String, &str> = HashMap::new();
        for column in columns {
            let path = column.field.path();
            let line = self.line_of(path);
            if constants.iter().any(|(field, _)| *field == column.field) {
                return Err(self.wrong(path, line, "is both a constant and a column"));
            }
            for name in &column.from {
                let before = claimed.insert(fold(name), path);
                if before.is_some_and(|before| before != path) {
                    return Err(self.wrong(
                        name,
                        self.line_of(name),
                        "is claimed by two fields, or differs from another header only in case, \
                         white space or punctuation",
                    ));
                }
            }
        }
        match ignored.iter().find(|name| claimed.contains_key(&fold(name.get_ref()))) {
            Some(name) => Err(self.wrong_at(name, "is both ignored and the header of a field")),
            None => Ok(()),
        }
    }

    fn wrong_at(&self, what: &Spanned<String>, problem: &str) -> MappingError {
        self.wrong(what.get_ref(), line_at(self.text, what.span().start), problem)
    }

    #[expect(clippy::unused_self, reason = "reads as its sibling that finds the line")]
    fn wrong(&self, what: &str, line: usize, problem: &str) -> MappingError {
        MappingError::Contradiction {
            line: line.max(1),
            what: what.to_owned(),
            problem: problem.to_owned(),
        }
    }

    fn line_of(&self, quoted: &str) -> usize {
        let needle = format!("\"{quoted}\"");
        self.text.find(&needle).map_or(1, |start| line_at(self.text, start))
    }
}

fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

fn utf8() -> Encoding {
    Encoding::Utf8
}

fn comma() -> Spanned<String> {
    Spanned::new(0..0, ",".to_owned())
}

fn one() -> Spanned<usize> {
    Spanned::new(0..0, 1)
}

fn yes() -> bool {
    true
}

fn warn() -> UnknownColumns {
    UnknownColumns::Warn
}

/// The most rows above a header: nobody would find the right one among more.
const HEADER_WITHIN_MAX: usize = 50;
/// The most rows at the end that are no records; more asked for is more than this many.
const TRAILER_ROWS_MAX: usize = 50;

/// Whether a field of the canonical message is a date.
pub(super) fn is_date(field: Field) -> bool {
    let name = field.path().strip_prefix("particulars.");
    let definition = name.and_then(|name| Catalogue::built_in().field(name));
    definition.map_or_else(|| DATE_FIELDS.contains(&field), |said| said.kind == ValueKind::Date)
}

/// The fields that are dates and are not the catalogue's.
const DATE_FIELDS: [Field; 15] = [
    Field::DATE_OF_BIRTH,
    Field::REQUESTED_ON,
    Field::ASSESSMENT_REQUESTED_ON,
    Field::CONSENT_DATE,
    Field::CONSENT_EXPIRES,
    Field::ADVICE_DATE,
    Field::LAST_SEEN,
    Field::NIL_LAST_SEEN,
    Field::EXCEPTION_FROM,
    Field::EXCEPTION_UNTIL,
    Field::EXCEPTION_EXPECTED,
    Field::PLAN_DATE,
    Field::TRANSFER_ON,
    Field::CONSENT_ASSESSED_ON,
    Field::REMAINDER_ON,
];
