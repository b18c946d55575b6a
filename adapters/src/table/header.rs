//! Which column of a file feeds which field.

use schemas::{Field, Issue, Place};

use super::{RowPlace, TableCell, TableRow};
use crate::mapping::{Column, Filter, Key, Mapping, UnknownColumns};
use crate::{ReadError, ReadErrorKind};

/// The columns of a table, recognised.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// How many cells a row has.
    pub(crate) width: usize,
    /// The index of each column the mapping names, from 0, in the order of the file.
    pub(crate) columns: Vec<(usize, &'a Column)>,
    /// The index of each column that says something about the row itself.
    pub(crate) filters: Vec<(usize, &'a Filter)>,
    /// The index of each column that joins files of a set.
    pub(crate) keys: Vec<(usize, &'a Key)>,
    /// A hash of each header, as headers are compared.
    pub(crate) marks: Vec<u64>,
    /// The indexes of columns the mapping does not name at all.
    pub(crate) unknown: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Recognises the header row. Says column numbers and the mapping's own names, never what the
    /// row holds: where the header is missing, it is a child's details.
    pub(super) fn recognise(
        row: &TableRow<'_>,
        mapping: &'a Mapping,
        notes: &mut Vec<Issue>,
    ) -> Result<Self, ReadError> {
        let mut header = Self::find(&row.cells, mapping, row.at)?;
        if header.columns.is_empty() && header.keys.is_empty() {
            return Err(missing(row.at.row()));
        }
        header.complete(mapping, row.at)?;
        for index in &header.unknown {
            match mapping.unknown_columns {
                UnknownColumns::Refuse => return Err(not_named(row.at.cell(*index))),
                UnknownColumns::Warn => notes.push(not_named_note(row.at.cell(*index))),
            }
        }
        if row.at.keeps_no_empty_cells() {
            let last = row.cells.iter().rposition(|cell| !cell.is_blank());
            header.width = last.map_or(0, |last| last + 1);
        }
        Ok(header)
    }

    /// Whether a row among others is the header: every required column of the mapping is there.
    pub(super) fn fits(row: &TableRow<'_>, mapping: &'a Mapping) -> bool {
        let found = Self::find(&row.cells, mapping, row.at);
        let found = found.and_then(|header| header.complete(mapping, row.at).map(|()| header));
        found.is_ok_and(|header| !header.columns.is_empty() || !header.keys.is_empty())
    }

    /// The columns of a file without a header, by their places in the mapping.
    pub(super) fn declared(mapping: &'a Mapping, width: usize) -> Self {
        let at = |column: &'a Column| column.at.map(|at| (at, column));
        let filter = |filter: &'a Filter| filter.at.map(|at| (at, filter));
        let mut columns: Vec<_> = mapping.columns.iter().filter_map(at).collect();
        columns.sort_by_key(|(index, _)| *index);
        Self {
            width,
            columns,
            filters: mapping.filters.iter().filter_map(filter).collect(),
            keys: Vec::new(),
            marks: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn find(
        names: &[TableCell<'_>],
        mapping: &'a Mapping,
        at: RowPlace,
    ) -> Result<Self, ReadError> {
        let mut header = Self {
            width: names.len(),
            columns: Vec::new(),
            filters: Vec::new(),
            keys: Vec::new(),
            marks: names.iter().map(|name| mark(&name.text)).collect(),
            unknown: Vec::new(),
        };
        for (index, name) in names.iter().enumerate() {
            let name = name.text.as_ref();
            let mut named = mapping.ignores(name);
            if let Some(filter) = mapping.filters.iter().find(|filter| filter.names(name)) {
                let twice = header.filters.iter().find(|(_, f)| std::ptr::eq(*f, filter));
                if let Some((first, _)) = twice {
                    return Err(twice_named(*first, index, at, "the same flag of a row"));
                }
                header.filters.push((index, filter));
                named = true;
            }
            if let Some(key) = mapping.keys.iter().find(|key| key.names(name)) {
                if let Some((first, _)) = header.keys.iter().find(|(_, k)| k.role == key.role) {
                    return Err(twice_named(*first, index, at, "the same key"));
                }
                header.keys.push((index, key));
                named = true;
            }
            if let Some(column) = mapping.column(name) {
                if let Some((first, _)) =
                    header.columns.iter().find(|(_, c)| c.field == column.field)
                {
                    return Err(twice_named(*first, index, at, column.field.path()));
                }
                header.columns.push((index, column));
                named = true;
            }
            let absent = at.keeps_no_empty_cells() && super::trimmed(name).is_empty();
            if !named && !absent {
                header.unknown.push(index);
            }
        }
        Ok(header)
    }

    fn complete(&self, mapping: &Mapping, at: RowPlace) -> Result<(), ReadError> {
        let found = |field: Field| self.columns.iter().any(|(_, column)| column.field == field);
        let columns = mapping.columns.iter();
        let columns = columns.filter(|column| column.required && !found(column.field));
        let columns =
            columns.map(|column| format!("{} ({})", column.from.join(" or "), column.field));
        let filters = mapping.filters.iter().filter(|filter| {
            filter.required && !self.filters.iter().any(|(_, f)| std::ptr::eq(*f, *filter))
        });
        let filters = filters.map(|filter| filter.from.join(" or "));
        let keys = mapping.keys.iter();
        let keys = keys
            .filter(|key| key.required && !self.keys.iter().any(|(_, k)| k.role == key.role))
            .map(|key| key.from.join(" or "));
        let missing: Vec<String> = columns.chain(filters).chain(keys).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ReadError::new(
            ReadErrorKind::Shape,
            "column-missing",
            at.row(),
            &format!("the header lacks columns that the mapping requires: {}", missing.join(", ")),
            "add them to the export, or add the export's own headers to the mapping",
        ))
    }

    /// Whether a column feeds this field.
    pub(crate) fn has(&self, field: Field) -> bool {
        self.columns.iter().any(|(_, column)| column.field == field)
    }
}

/// A hash of a header (FNV-1a, 64 bits), to know it again without keeping it.
fn mark(header: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    crate::mapping::fold(header).bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// No row is a header.
pub(super) fn missing(place: Place) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "header-missing",
        place,
        "no column of the mapping is recognised; the header row may be missing, or the \
         delimiter may be another",
        "send the header row first, and check the delimiter in the mapping",
    )
}

fn twice_named(first: usize, second: usize, at: RowPlace, what: &str) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "header-duplicate",
        at.cell(second),
        &format!("columns {} and {} both claim to be {what}", first + 1, second + 1),
        "export the column once, or name one of the two in the mapping's ignored_columns",
    )
}

fn not_named(place: Place) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "column-unknown",
        place,
        "the mapping does not name this column",
        "add it to the mapping as a column or to ignored_columns, or leave it out of the export",
    )
}

fn not_named_note(place: Place) -> Issue {
    Issue::warning(
        "column-unknown",
        None,
        place,
        "the mapping does not name this column; it was left out",
        "add it to the mapping as a column or to ignored_columns",
    )
}
