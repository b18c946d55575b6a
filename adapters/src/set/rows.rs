//! The rows of one file of a set: their fields and the keys that join them.

use std::collections::BTreeMap;

use schemas::{Draft, Issue, Place};

use crate::mapping::{KeyRole, Mapping};
use crate::table::{self, Body, RowPlace, TableRow};
use crate::{ReadError, csv};

/// The rows of one file.
#[derive(Debug)]
pub(super) struct EntityRows {
    /// How many there are.
    pub(super) count: u64,
    /// The rows, in order.
    pub(super) rows: Vec<EntityRow>,
}

impl EntityRows {
    /// A file that is not there has no rows.
    pub(super) const NONE: &'static Self = &Self { count: 0, rows: Vec::new() };
}

/// One row.
#[derive(Debug)]
pub(super) struct EntityRow {
    /// Where it stands.
    pub(super) at: RowPlace,
    /// Its fields, and what is wrong with it.
    pub(super) draft: Draft,
    /// Its bytes.
    pub(super) raw: Vec<u8>,
    keys: BTreeMap<KeyRole, (String, Place)>,
}

impl EntityRow {
    /// What a key of the row says; none when it is empty.
    pub(super) fn key(&self, role: KeyRole) -> Option<&str> {
        self.keys.get(&role).map(|(text, _)| text.as_str())
    }

    /// Where a key stands, or the row.
    pub(super) fn key_place(&self, role: KeyRole) -> Place {
        self.keys.get(&role).map_or_else(|| self.at.row(), |(_, place)| place.clone())
    }
}

/// Reads a file through the mapping of its entity.
pub(super) fn read(
    bytes: &[u8],
    mapping: &Mapping,
    number: u32,
    notes: &mut Vec<Issue>,
) -> Result<EntityRows, ReadError> {
    let text = csv::decode(bytes, mapping)?;
    let rows = csv::rows_of(&text, mapping, Some(number), notes)?;
    let mut body = Body::begin(mapping, rows, Vec::new())?;
    let mut said = Vec::new();
    let mut read = EntityRows { count: 0, rows: Vec::new() };
    while let Some((row, faults)) = body.next_row()? {
        read.count += 1;
        let readable = faults.is_empty();
        let mut draft = Draft { place: row.at.row(), notes: faults, ..Draft::default() };
        let mut keys = BTreeMap::new();
        if readable {
            draft = table::fields(mapping, &body.header, &row, draft, &mut said);
            keys = self::keys(mapping, &body, &row, &mut draft);
        }
        read.rows.push(EntityRow { at: row.at, draft, raw: row.raw, keys });
    }
    notes.extend(body.finish());
    notes.extend(said);
    Ok(read)
}

/// Counts the rows of a file that is not read, below its header.
pub(super) fn count(bytes: &[u8], mapping: &Mapping, number: u32) -> Result<u64, ReadError> {
    let text = csv::decode(bytes, mapping)?;
    let mut count: u64 = 0;
    for row in csv::rows_of(&text, mapping, Some(number), &mut Vec::new())? {
        count += u64::from(!row?.is_blank());
    }
    Ok(count.saturating_sub(1))
}

fn keys<'a, I: Iterator<Item = Result<TableRow<'a>, ReadError>>>(
    mapping: &Mapping,
    body: &Body<'_, 'a, I>,
    row: &TableRow<'_>,
    draft: &mut Draft,
) -> BTreeMap<KeyRole, (String, Place)> {
    let mut keys = BTreeMap::new();
    for (index, key) in &body.header.keys {
        let Some(cell) = row.cells.get(*index) else { continue };
        let text = table::plain(&cell.text);
        if mapping.is_null(text) {
            continue;
        }
        let place = row.at.cell(*index);
        let said = if key.codes.is_empty() { Some(text) } else { key.code(text) };
        match said {
            Some(said) => {
                keys.insert(key.role, (said.to_owned(), place));
            }
            None => draft.notes.push(Issue::error(
                "code-unmapped",
                None,
                place,
                "is not a code that the mapping knows",
                "correct it, or add the code to the mapping's code map",
            )),
        }
    }
    keys
}
