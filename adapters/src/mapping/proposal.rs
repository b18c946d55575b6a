//! A first mapping for a file that has none, for a person to finish.
//!
//! Owns the guess which header means which field: by the headers of every mapping shipped, then by
//! likeness. Every guess is marked in the text; nothing is proposed that does not parse. Must
//! never repeat a cell: only the header row, once it is plain that it is one.

use std::collections::BTreeSet;
use std::fmt::Write;

use encoding_rs::WINDOWS_1252;
use schemas::{Field, Place};

use super::file::{is_date, parse};
use super::{BUILT_IN, Column, Mapping, fold};
use crate::table::{TableRow, trimmed};
use crate::{Format, ReadError, ReadErrorKind, csv, xlsx};

/// A mapping to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The mapping file, with what a person must look at as comments.
    pub text: String,
    /// The fields that were recognised, each with its column from 1 and whether by likeness only.
    pub recognised: Vec<(Field, usize, bool)>,
    /// The columns that were not recognised, from 1.
    pub unknown: Vec<usize>,
}

/// Proposes a mapping for a file, by its header.
pub fn propose(format: Format, bytes: &[u8], name: &str) -> Result<Proposal, ReadError> {
    let dialect = Dialect::of(format, bytes);
    let base = dialect.mapping().ok_or_else(no_header)?;
    let mut notes = Vec::new();
    if format == Format::Xlsx {
        let rows = xlsx::rows_of(bytes, &base, &mut notes)?;
        return from_rows(rows.into_iter().map(Ok), &dialect, name);
    }
    let text = csv::decode(bytes, &base)?;
    from_rows(csv::rows_of(&text, &base, None, &mut notes)?, &dialect, name)
}

fn from_rows<'a>(
    rows: impl Iterator<Item = Result<TableRow<'a>, ReadError>>,
    dialect: &Dialect,
    name: &str,
) -> Result<Proposal, ReadError> {
    let known = known_columns();
    let mut best: Option<(usize, Guesses)> = None;
    let mut samples: Vec<Vec<String>> = Vec::new();
    for (at, row) in rows.take(SAMPLE_ROWS).enumerate() {
        let row = row?;
        let texts: Vec<String> =
            row.cells.iter().map(|cell| trimmed(&cell.text).to_owned()).collect();
        if at < HEADER_WITHIN {
            let guesses = guesses(&texts, &known);
            let exact = |found: &[(Option<Guess>, String)]| {
                found.iter().filter(|(guess, _)| guess.as_ref().is_some_and(|g| !g.alike)).count()
            };
            if best.as_ref().is_none_or(|(_, found)| exact(&guesses) > exact(found)) {
                best = Some((at, guesses));
            }
        }
        samples.push(texts);
    }
    let (at, header) = best.ok_or_else(no_header)?;
    if header.iter().all(|(guess, _)| guess.is_none()) {
        return Err(no_header());
    }
    let cells = |index: usize| {
        let below = samples.iter().skip(at + 1).filter_map(move |row| row.get(index));
        below.map(String::as_str).filter(|text| !text.is_empty()).collect::<Vec<&str>>()
    };
    let text = written(dialect, name, at, &header, &cells);
    // A proposal that is no mapping would be worse than none.
    parse(&text).map_err(|_ours| no_header())?;
    let recognised = header.iter().zip(1..).filter_map(|((guess, _), column)| {
        guess.as_ref().map(|guess| (guess.column.field, column, guess.alike))
    });
    let unknown =
        header.iter().zip(1..).filter(|((guess, name), _)| guess.is_none() && !name.is_empty());
    Ok(Proposal {
        text,
        recognised: recognised.collect(),
        unknown: unknown.map(|(_, column)| column).collect(),
    })
}

/// The headers of one row, each with what it probably means.
type Guesses = Vec<(Option<Guess>, String)>;

/// What one header probably means.
#[derive(Debug, Clone)]
struct Guess {
    column: Column,
    /// Whether it is only like a header that is known.
    alike: bool,
}

/// The columns of every mapping shipped, those of requests first. Left out are those for the names of
/// the catalogue: `P_REQUESTED_ON` is like many a header of an extract, and means something else.
fn known_columns() -> Vec<Column> {
    let mappings = BUILT_IN.iter().filter_map(|(name, _)| Mapping::built_in(name));
    let parts = mappings.flat_map(|mapping| {
        let entities: Vec<Mapping> = mapping.entities.values().cloned().collect();
        [vec![mapping], entities].concat()
    });
    let mut columns: Vec<Column> = parts.flat_map(|mapping| mapping.columns).collect();
    columns.retain(|column| !column.field.path().starts_with("particulars."));
    for field in Field::ALL {
        let from = vec![field.path().to_owned()];
        let date = is_date(field);
        columns.push(Column {
            field,
            from,
            at: None,
            required: false,
            codes: None,
            split: None,
            date,
        });
    }
    columns
}

fn guesses(texts: &[String], known: &[Column]) -> Guesses {
    let mut taken = BTreeSet::new();
    let mut found: Vec<Option<Guess>> = vec![None; texts.len()];
    for alike in [false, true] {
        for (text, found) in texts.iter().zip(&mut found) {
            let folded = fold(text);
            if found.is_some() || folded.is_empty() || text.len() > HEADER_BYTES_MAX {
                continue;
            }
            let likeness = |column: &&Column| {
                let best = column.from.iter().map(|name| likeness(&fold(name), &folded)).max();
                best.unwrap_or_default()
            };
            let free = known.iter().filter(|column| !taken.contains(&column.field));
            let best = free
                .max_by_key(likeness)
                .filter(|column| likeness(column) >= if alike { ALIKE } else { 1_000 });
            if let Some(column) = best {
                taken.insert(column.field);
                *found = Some(Guess { column: column.clone(), alike });
            }
        }
    }
    found.into_iter().zip(texts.iter().cloned()).collect()
}

/// How like two folded headers are, in thousandths: one less what must change, by length.
fn likeness(one: &str, other: &str) -> usize {
    if one == other {
        return 1_000;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let longest = one.len().max(other.len());
    if longest == 0 || longest > HEADER_BYTES_MAX {
        return 0;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in one.iter().enumerate() {
        let mut left = above + 1;
        let mut diagonal = above;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let best = (diagonal + usize::from(a != b)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    let changes = row.last().copied().unwrap_or(longest);
    (1_000 * (longest - changes.min(longest)) / longest).min(999)
}

fn written<'a>(
    dialect: &Dialect,
    name: &str,
    above: usize,
    header: &[(Option<Guess>, String)],
    cells: &dyn Fn(usize) -> Vec<&'a str>,
) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name: String = name.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
    let name: String = name.chars().filter(|c| plain(*c)).take(60).collect();
    let name = if name.is_empty() { "new-mapping".to_owned() } else { name };
    let mut out = format!(
        "# Proposed by `ehc-gateway mapping new`. Look at every line with a mark of interrogation, \
         then\n# check it against real files: ehc-gateway mapping check FILE --mapping THIS-FILE\n\n\
         name = {}\nversion = 1\nformat = \"{}\"\n",
        quoted(&name),
        dialect.kind
    );
    if dialect.kind == "csv" {
        let _ = writeln!(out, "encoding = \"{}\" # ? as the bytes look", dialect.encoding);
        let _ =
            writeln!(out, "delimiter = {} # ? as the first line looks", quoted(dialect.delimiter));
    }
    let mut formats: Vec<&str> = Vec::new();
    for (index, (guess, _)) in header.iter().enumerate() {
        if guess.as_ref().is_some_and(|guess| guess.column.date) {
            formats.extend(date_forms(&cells(index)));
        }
    }
    formats.sort_unstable();
    formats.dedup();
    if formats.is_empty() {
        formats.push("%d/%m/%Y");
    }
    let formats: Vec<String> = formats.into_iter().map(quoted).collect();
    let _ = writeln!(
        out,
        "date_formats = [{}] # ? by the first rows; never list %d/%m/%Y and %m/%d/%Y together",
        formats.join(", ")
    );
    out.push_str("allow_midnight_times = true # ? dates end with 00:00:00\n");
    out.push_str(
        "null_markers = [\"NULL\", \"N/A\", \".\"] # ? what the source writes for nothing\n",
    );
    out.push_str("unknown_columns = \"warn\"\n");
    out.push_str(
        "refuse_file_above_percent = 50 # ? more rows than this unreadable: no row is taken\n",
    );
    if above > 0 {
        let _ = writeln!(out, "header_within = {} # ? rows above the header", above + 1);
    }
    let ignored: Vec<String> = header
        .iter()
        .filter(|(guess, name)| guess.is_none() && !name.is_empty())
        .map(|(_, name)| quoted(name))
        .collect();
    let _ = writeln!(
        out,
        "# ? Nobody knows what these columns mean: move those that matter to [columns]."
    );
    let _ = writeln!(out, "ignored_columns = [{}]\n", unique(ignored).join(", "));
    out.push_str("[constants]\n\"type\" = \"advice.request\" # ? what each row is\n\n[columns]\n");
    for (guess, name) in header {
        let Some(guess) = guess else { continue };
        out.push_str(&line(guess, name));
    }
    out
}

fn line(guess: &Guess, name: &str) -> String {
    let column = &guess.column;
    let mut settings = format!("from = [{}]", quoted(name));
    if ALWAYS.contains(&column.field) {
        settings.push_str(", required = true");
    }
    if column.date {
        settings.push_str(", date = true");
    }
    if let Some(split) = &column.split {
        let _ = write!(settings, ", split = {}", quoted(split));
    }
    if let Some(codes) = &column.codes {
        let codes = codes.iter().map(|(code, ours)| format!("{} = {}", quoted(code), quoted(ours)));
        let _ = write!(settings, ", codes = {{ {} }}", codes.collect::<Vec<_>>().join(", "));
    }
    let mark = if guess.alike {
        " # ? only like a header that is known"
    } else if column.codes.is_some() {
        " # ? the codes are those of another source"
    } else {
        ""
    };
    format!("{} = {{ {settings} }}{mark}\n", quoted(column.field.path()))
}

/// The patterns of dates that every cell of a column fits; `%d/%m/%Y` before `%m/%d/%Y`.
fn date_forms(cells: &[&str]) -> Vec<&'static str> {
    let day = |text: &str| text.split([' ', 'T']).next().unwrap_or_default().len();
    let fits = |form: &&&str| {
        let pattern = super::dates::DatePattern::new(form).ok();
        pattern.is_some_and(|pattern| {
            !cells.is_empty()
                && cells.iter().all(|text| {
                    let short = text.get(..day(text)).unwrap_or(text);
                    pattern.parse(text).is_some() || pattern.parse(short).is_some()
                })
        })
    };
    DATE_FORMS.iter().find(fits).copied().into_iter().collect()
}

fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(fold(name))).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.chars().filter(|c| !c.is_control() || *c == '\n').collect())
        .to_string()
        .replace('\n', "\\n")
}

/// How a file seems to be written.
struct Dialect {
    kind: &'static str,
    encoding: &'static str,
    delimiter: &'static str,
}

impl Dialect {
    fn of(format: Format, bytes: &[u8]) -> Self {
        if format == Format::Xlsx {
            return Self { kind: "xlsx", encoding: "utf-8", delimiter: "," };
        }
        let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let encoding = if utf16 {
            "utf-16"
        } else if std::str::from_utf8(bytes).is_ok() {
            "utf-8"
        } else {
            "windows-1252"
        };
        // Delimiters are the same in all three, but for noughts between.
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
        let first = text.lines().take(HEADER_WITHIN).max_by_key(|line| line.len()).unwrap_or("");
        let count = |delimiter: &&str| first.matches(*delimiter).count();
        let delimiter = [",", "|", ";", "\t"].into_iter().rev().max_by_key(count).unwrap_or(",");
        Self { kind: "csv", encoding, delimiter }
    }

    /// A mapping that finds rows and knows no columns that could be there.
    fn mapping(&self) -> Option<Mapping> {
        let text = format!(
            "name = \"x\"\nversion = 1\nformat = [\"csv\", \"xlsx\"]\nencoding = \"{}\"\ndelimiter = {}\n\
             [workbook]\nformulas = \"cached\"\n[columns]\n\"id\" = {{ from = [\"x\"] }}\n",
            self.encoding,
            quoted(self.delimiter)
        );
        parse(&text).ok()
    }
}

fn no_header() -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "header-missing",
        Place::Whole,
        "no header of the first rows is like any that is known",
        "give the file a header row; a file without one is mapped by hand, see schemas/csv/mapping.md",
    )
}

/// The fields without which nothing can be sent.
const ALWAYS: [Field; 6] = [
    Field::ID,
    Field::CASE,
    Field::FAMILY_NAME,
    Field::GIVEN_NAMES,
    Field::DATE_OF_BIRTH,
    Field::NHS_NUMBER,
];
/// Forms of dates, the commonest first.
const DATE_FORMS: [&str; 9] = [
    "%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%Y-%b-%d", "%Y%m%d",
    "%m/%d/%Y",
];
/// How like a known header another must be, in thousandths.
const ALIKE: usize = 700;
/// The header is looked for in so many rows.
const HEADER_WITHIN: usize = 10;
/// So many rows are looked at for dates.
const SAMPLE_ROWS: usize = 50;
/// A longer header is prose, or a cell.
const HEADER_BYTES_MAX: usize = 120;

#[cfg(test)]
mod tests;
