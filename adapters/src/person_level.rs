//! Person-level XML of an authority: records to drafts through a mapping, like rows of a table.
//!
//! Owns how a mapping's paths find elements: `record` names the element that is one message, and
//! the `from` of a column is a path from the root, which shares as much of the record's own path
//! as it can (`Message/Persons/Person/UPN` is the UPN of the person around a request). It must
//! never know what makes a record acceptable, or how XML is made safe (that is
//! [`xml`](crate::xml)). Pages: `schemas/xml/mapping.md`.
//!
//! ```text
//! let mapping = Mapping::built_in("liquidlogic-xml-advice-request")?;
//! let reading = person_level::read(&xml::read(bytes, false)?, &mapping, "334")?;
//! ```
//!
//! Codes, dates, null markers, filters and lists are the mapping's, as in tables. Names are
//! compared exactly; namespaces are not, because exports of one report writer come with and
//! without one. Of several names for a field the first that stands there is read.
//!
//! Not supported: values computed from several elements, records inside records.

mod paths;

use std::collections::{BTreeMap, HashMap};

use schemas::{Draft, Field, Issue, PersonalBytes, Place};

use crate::limits::ROWS_MAX;
use crate::mapping::{Column, DateCell, FileKind, Mapping, UnknownColumns, Verdict};
use crate::xml::Document;
use crate::{Item, ReadError, ReadErrorKind, Reading};

use paths::{Around, Chain, Found};

/// Reads every record of a file.
pub(crate) fn read(
    document: &Document<'_>,
    mapping: &Mapping,
    record: &str,
    sender: &str,
) -> Result<Reading, ReadError> {
    mapping.takes(FileKind::Xml)?;
    let records = paths::records(&document.root, record);
    if records.len() > ROWS_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "records-too-many",
            document.root.place(""),
            "the file has more than 50,000 records",
            "send it in parts",
        ));
    }
    required(&records, mapping, document)?;
    let mut notes = unknown(document, mapping, record)?;
    if document.guessed {
        notes.push(Issue::warning(
            "leniency-guessed-encoding",
            None,
            Place::Whole,
            "the encoding was guessed, because it is not declared or declared wrongly",
            "declare the encoding that is used",
        ));
    }
    let mut seen = HashMap::new();
    let mut items = Vec::new();
    let mut dropped = Dropped::default();
    let mut around = Around::default();
    for chain in &records {
        let Some(flags) = judge(chain, mapping, &mut around, &mut dropped) else { continue };
        let mut reader =
            RecordReader { mapping, chain, around: &mut around, draft: Draft::default() };
        reader.draft.place = chain.place();
        reader.draft.notes = flags;
        reader.constants(sender);
        for column in &mapping.columns {
            reader.column(column);
        }
        reader.identify();
        reader.repeated(&mut seen);
        let raw = document.text.get(chain.span(mapping)).unwrap_or_default();
        let raw = PersonalBytes::new(raw.as_bytes().to_vec());
        items.push(Item { draft: reader.draft, raw });
    }
    notes.extend(dropped.into_iter().map(|(why, (place, count))| {
        let records = if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
        Issue::warning(
            "rows-dropped",
            None,
            place,
            &format!("{records} from here on left out: {why}"),
            "nothing needs doing if that is so; the mapping's filters decide it",
        )
    }));
    Ok(Reading { items, notes })
}

/// By the words of a filter: where it first took a record out, and how many it took.
type Dropped<'a> = BTreeMap<&'a str, (Place, usize)>;

/// Whether a record is read: none when a filter takes it out, else what filters say against it.
fn judge<'a, 'x>(
    chain: &Chain<'x>,
    mapping: &'a Mapping,
    around: &mut Around<'x>,
    dropped: &mut Dropped<'a>,
) -> Option<Vec<Issue>> {
    let mut flags = Vec::new();
    for filter in &mapping.filters {
        let found = chain.find(around, &filter.from);
        let value = found.first();
        let text = value.map(|value| value.text.trim()).filter(|text| !mapping.is_null(text));
        let place = value.map_or_else(|| chain.place(), |value| value.place.clone());
        match filter.verdict(text.unwrap_or_default()) {
            Some(Verdict::Keep) => {}
            Some(Verdict::Drop) => {
                dropped.entry(&filter.why).or_insert((place, 0)).1 += 1;
                return None;
            }
            Some(Verdict::Refuse) => flags.push(Issue::error(
                "row-flagged",
                None,
                place,
                &format!("the source marks this record: {}", filter.why),
                "a person must decide; if it may go, correct the mark and send it again",
            )),
            None => flags.push(Issue::error(
                "filter-unclear",
                None,
                place,
                &format!("does not say whether this holds: {}", filter.why),
                "correct it, or add the value to the filter in the mapping",
            )),
        }
    }
    Some(flags)
}

/// A file of records none of which has an element that the mapping requires is another file.
fn required(
    records: &[Chain<'_>],
    mapping: &Mapping,
    document: &Document<'_>,
) -> Result<(), ReadError> {
    let mut around = Around::default();
    let columns = mapping.columns.iter().filter(|column| column.required);
    let columns = columns.map(|column| (&column.from, column.field.path()));
    let filters = mapping.filters.iter().filter(|filter| filter.required);
    let filters = filters.map(|filter| (&filter.from, "a filter"));
    for (from, what) in columns.chain(filters) {
        let found = records.iter().any(|chain| !chain.find(&mut around, from).is_empty());
        if !found && !records.is_empty() {
            return Err(ReadError::new(
                ReadErrorKind::Shape,
                "element-missing",
                document.root.place(""),
                &format!("no record has an element for {what}, which must be known"),
                "export it too, under a name of the mapping; the mapping page says which",
            ));
        }
    }
    Ok(())
}

/// Elements the mapping does not name, each kind once.
fn unknown(
    document: &Document<'_>,
    mapping: &Mapping,
    record: &str,
) -> Result<Vec<Issue>, ReadError> {
    let strangers = paths::strangers(&document.root, mapping, record);
    let mut notes = Vec::new();
    for element in strangers.iter().take(STRANGERS_MAX) {
        if mapping.unknown_columns == UnknownColumns::Refuse {
            return Err(ReadError::new(
                ReadErrorKind::Shape,
                "element-unknown",
                element.place(""),
                "the element here is not one that the mapping names",
                "name it in the mapping, as a field's or as ignored",
            ));
        }
        notes.push(Issue::warning(
            "element-unknown",
            None,
            element.place(""),
            "the element here, and others of its name, are not named by the mapping and left out",
            "name it in the mapping, as a field's or as ignored",
        ));
    }
    Ok(notes)
}

struct RecordReader<'a, 'x> {
    mapping: &'a Mapping,
    chain: &'a Chain<'x>,
    around: &'a mut Around<'x>,
    draft: Draft,
}

impl RecordReader<'_, '_> {
    fn constants(&mut self, sender: &str) {
        let place = self.draft.place.clone();
        for (field, value) in &self.mapping.constants {
            self.draft.set(*field, value.clone(), place.clone());
        }
        let has_sender = self.draft.first(Field::SENDER).is_some()
            || self.mapping.columns.iter().any(|column| column.field == Field::SENDER);
        if !has_sender {
            self.draft.set(Field::SENDER, sender, Place::Whole);
        }
    }

    fn column(&mut self, column: &Column) {
        let found = self.chain.find(self.around, &column.from);
        if found.len() > VALUES_MAX {
            return self.refuse("values-too-many", column.field, &found, TOO_MANY, TOO_MANY_NEXT);
        }
        for value in found.iter() {
            let text = value.text.trim();
            if value.holds_elements {
                self.refuse(
                    "element-not-text",
                    column.field,
                    std::slice::from_ref(value),
                    "holds elements where the mapping expects text",
                    "name the element inside it in the mapping",
                );
                continue;
            }
            let parts: Vec<&str> = match &column.split {
                Some(separator) => text.split(separator.as_str()).map(str::trim).collect(),
                None => vec![text],
            };
            if parts.len() > VALUES_MAX {
                return self.refuse(
                    "values-too-many",
                    column.field,
                    &found,
                    TOO_MANY,
                    TOO_MANY_NEXT,
                );
            }
            for part in parts.into_iter().filter(|part| !self.mapping.is_null(part)) {
                self.value(column, value, part);
            }
        }
    }

    fn value(&mut self, column: &Column, at: &Found<'_>, text: &str) {
        let field = column.field;
        let place = at.place.clone();
        if column.date {
            return self.date(field, at, text);
        }
        let code = column.codes.as_ref().map(|codes| codes.get(text));
        if code == Some(None) {
            self.refuse(
                "code-unmapped",
                field,
                std::slice::from_ref(at),
                "is not a code that the mapping knows",
                "correct it, or add the code to the mapping's code map",
            );
        }
        let value = code.flatten().map_or(text, String::as_str);
        self.draft.set(field, value, place);
    }

    fn date(&mut self, field: Field, at: &Found<'_>, text: &str) {
        let (rule, message, next) = match self.mapping.date(text) {
            DateCell::Date(date, _) => return self.draft.set(field, date, at.place.clone()),
            DateCell::Placeholder => {
                self.draft.notes.push(Issue::warning(
                    "date-placeholder",
                    Some(field),
                    at.place.clone(),
                    "held the source's no-date",
                    "nothing needs doing if the export is right",
                ));
                return;
            }
            DateCell::TwoDigitYear => (
                "date-two-digit-year",
                "has a year of two digits",
                "export dates with four-digit years; the century is never guessed",
            ),
            DateCell::Impossible | DateCell::Serial => (
                "date-impossible",
                "is not a date that exists, in a form that the mapping names",
                "correct it, or add the form to the mapping's date_formats",
            ),
        };
        self.refuse(rule, field, std::slice::from_ref(at), message, next);
        self.draft.set(field, text, at.place.clone());
    }

    /// Makes the reference of a record from its fields, for files without an element for it.
    fn identify(&mut self) {
        let Some(identity) = &self.mapping.identity else { return };
        if self.draft.first(Field::ID).is_some() {
            return;
        }
        let mut parts = vec![identity.prefix.clone()];
        for field in &identity.fields {
            if self.draft.first(*field).is_none() {
                return;
            }
            parts.extend(self.draft.all(*field).map(|located| located.text.expose().to_owned()));
        }
        parts.retain(|part| !part.is_empty());
        self.draft.set(Field::ID, parts.join("-"), self.chain.place());
    }

    fn repeated(&mut self, seen: &mut HashMap<String, u64>) {
        let Some(id) = self.draft.first(Field::ID) else { return };
        let place = id.place.clone();
        let known = seen.insert(id.text.expose().to_owned(), self.chain.line());
        if let Some(first) = known {
            self.draft.notes.push(Issue::error(
                "record-duplicate",
                Some(Field::ID),
                place,
                &format!("has the same reference as a record before it, on line {first}"),
                "send each request once, with its own reference",
            ));
        }
    }

    fn refuse(&mut self, rule: &str, field: Field, at: &[Found<'_>], message: &str, next: &str) {
        let place = at.first().map_or_else(|| self.chain.place(), |found| found.place.clone());
        self.draft.notes.push(Issue::error(rule, Some(field), place, message, next));
    }
}

/// The most values of one field of one record.
const VALUES_MAX: usize = 100;
const TOO_MANY: &str = "holds more than 100 values";
const TOO_MANY_NEXT: &str = "check the separator in the mapping; attach long lists as documents";
/// The most kinds of unknown elements that are listed; more are another file.
const STRANGERS_MAX: usize = 50;

#[cfg(test)]
mod tests;
