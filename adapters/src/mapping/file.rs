//! The mapping file: TOML, unknown keys refused, every mistake with its line.
//!
//! Owns the shape of the file and the rules between its parts. It must never know cells.

use std::collections::{BTreeMap, HashMap};

use schemas::Field;
use serde::Deserialize;
use toml::Spanned;

use super::dates::DatePattern;
use super::rows::{Filter, FilterTable};
use super::{Column, Encoding, Identity, Mapping, UnknownColumns, fold};

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
    source.format(&file)?;
    let delimiter = source.delimiter(&file.delimiter)?;
    let date_patterns = source.date_patterns(&file.date_formats)?;
    let constants = source.constants(&file.constants)?;
    let columns = source.columns(file.columns)?;
    source.claims(&columns, &constants, &file.ignored_columns)?;
    let identity = file.identity.map(|id| source.identity(id)).transpose()?;
    if columns.iter().any(|column| column.date) && date_patterns.is_empty() {
        return Err(source.wrong("date_formats", 0, "is empty, but columns hold dates"));
    }
    Ok(Mapping {
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
        filters: file.filters.into_iter().map(Filter::from).collect(),
        date_patterns,
        midnight_times: file.allow_midnight_times,
        null_markers: file.null_markers,
        placeholder_dates: file.placeholder_dates,
        ignored: file.ignored_columns.into_iter().map(Spanned::into_inner).collect(),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    name: Spanned<String>,
    version: u32,
    format: Spanned<String>,
    record: Option<String>,
    #[serde(default, rename = "filter")]
    filters: Vec<FilterTable>,
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
    columns: BTreeMap<Spanned<String>, ColumnTable>,
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
    from: Vec<String>,
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
    fn format(&self, file: &MappingFile) -> Result<(), MappingError> {
        if (file.format.get_ref() != "csv" || file.record.is_some())
            && (file.format.get_ref() != "xml" || file.record.is_none())
        {
            return Err(
                self.wrong_at(&file.format, "is not a format of mapping files; use \"csv\"")
            );
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if file.name.get_ref().is_empty() || !file.name.get_ref().chars().all(plain) {
            return Err(self.wrong_at(&file.name, "may hold only a-z, 0-9 and hyphens"));
        }
        Ok(())
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
        let parsed = patterns.iter().map(|pattern| {
            DatePattern::new(pattern.get_ref()).map_err(|problem| self.wrong_at(pattern, problem))
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
    ) -> Result<Vec<Column>, MappingError> {
        let columns = columns.into_iter().map(|(path, column)| self.column(&path, column));
        let mut columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        // In the order of the canonical message, whatever the order of the file.
        columns.sort_by_key(|column| Field::ALL.iter().position(|f| *f == column.field));
        Ok(columns)
    }

    fn column(&self, path: &Spanned<String>, column: ColumnTable) -> Result<Column, MappingError> {
        let field = self.field(path)?;
        let problem = if column.from.is_empty() {
            Some("names no header in `from`")
        } else if column.from.iter().any(|name| fold(name).is_empty()) {
            Some("has an empty header in `from`")
        } else if column.split.is_some() && !field.repeats() {
            Some("holds one value; `split` is for fields that repeat")
        } else if column.split.as_ref().is_some_and(String::is_empty) {
            Some("has an empty `split`")
        } else if DATE_FIELDS.contains(&field) && !column.date {
            Some("is a date; say `date = true`")
        } else if column.date && !DATE_FIELDS.contains(&field) {
            Some("is not a date; remove `date = true`")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(self.wrong_at(path, problem));
        }
        let ColumnTable { from, required, codes, split, date } = column;
        Ok(Column { field, from, required, codes, split, date })
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

fn yes() -> bool {
    true
}

fn warn() -> UnknownColumns {
    UnknownColumns::Warn
}

/// The fields of the canonical message that are dates.
const DATE_FIELDS: [Field; 12] = [
    Field::DATE_OF_BIRTH,
    Field::REQUESTED_ON,
    Field::ASSESSMENT_REQUESTED_ON,
    Field::CONSENT_DATE,
    Field::CONSENT_EXPIRES,
    Field::ADVICE_DATE,
    Field::LAST_SEEN,
    Field::NIL_LAST_SEEN,
    Field::EXCEPTION_FROM,
    Field::EXCEPTION_EXPECTED,
    Field::PLAN_DATE,
    Field::TRANSFER_ON,
];
