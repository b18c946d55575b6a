//! Row by row: the header found, rows that are no records left out, the rest made into drafts.

use std::collections::{HashMap, VecDeque};

use schemas::{Draft, Field, Issue, PersonalBytes, Place};

use super::cells::RowReader;
use super::filters::{self, Dropped};
use super::header::{self, Header};
use super::{TableRow, trimmed};
use crate::limits::COLUMNS_MAX;
use crate::mapping::Mapping;
use crate::{Item, ReadError, ReadErrorKind, Reading};

/// The rows of a table below its header, with what is not a record left out.
pub(crate) struct Body<'m, 'a, I> {
    /// The columns.
    pub(crate) header: Header<'m>,
    mapping: &'m Mapping,
    rows: I,
    /// Rows read ahead: the last of a file may be no records, by the mapping.
    ahead: VecDeque<TableRow<'a>>,
    blank: Vec<Place>,
    skipped: Option<(Place, u64)>,
    dropped: Dropped,
    /// What there is to say about the file so far.
    pub(crate) notes: Vec<Issue>,
}

impl<'m, 'a, I: Iterator<Item = Result<TableRow<'a>, ReadError>>> Body<'m, 'a, I> {
    /// Finds the header of a table.
    pub(crate) fn begin(
        mapping: &'m Mapping,
        mut rows: I,
        mut notes: Vec<Issue>,
    ) -> Result<Self, ReadError> {
        let header = match mapping.width {
            Some(width) => Header::declared(mapping, width),
            None => find_header(mapping, &mut rows, &mut notes)?,
        };
        Ok(Self {
            header,
            mapping,
            rows,
            ahead: VecDeque::new(),
            blank: Vec::new(),
            skipped: None,
            dropped: Dropped::default(),
            notes,
        })
    }

    /// The next row that may be a record, with what stops it.
    pub(crate) fn next_row(&mut self) -> Result<Option<(TableRow<'a>, Vec<Issue>)>, ReadError> {
        loop {
            while self.ahead.len() <= self.mapping.trailer_rows {
                let Some(row) = self.rows.next().transpose()? else { return Ok(None) };
                if row.is_blank() {
                    self.blank.push(row.at.row());
                    continue;
                }
                // Blank rows at the end are what spreadsheets leave; between rows something may
                // be lost.
                self.notes.extend(self.blank.drain(..).map(blank_row));
                self.ahead.push_back(row);
            }
            let Some(mut row) = self.ahead.pop_front() else { return Ok(None) };
            if self.is_total(&row) {
                let (_, count) = self.skipped.get_or_insert((row.at.row(), 0));
                *count += 1;
                continue;
            }
            if let Some(fault) = self.fault(&mut row) {
                return Ok(Some((row, vec![fault])));
            }
            if let Some(issues) =
                filters::judge(&row, &self.header, self.mapping, &mut self.dropped)
            {
                return Ok(Some((row, issues)));
            }
        }
    }

    /// What there is to say about the file, after the last row.
    pub(crate) fn finish(mut self) -> Vec<Issue> {
        if let Some(row) = self.ahead.front() {
            self.notes.push(Issue::warning(
                "trailer-skipped",
                None,
                row.at.row(),
                "the last rows were left out, as the mapping says",
                "nothing needs doing",
            ));
        }
        if let Some((place, count)) = self.skipped {
            let rows = if count == 1 { "1 row" } else { "rows" };
            self.notes.push(Issue::warning(
                "rows-skipped",
                None,
                place,
                &format!("{rows} from here on that hold totals, by the mapping, left out"),
                "nothing needs doing",
            ));
        }
        self.notes.extend(self.dropped.notes());
        self.notes
    }

    fn is_total(&self, row: &TableRow<'_>) -> bool {
        let first = row.cells.iter().map(|cell| trimmed(&cell.text)).find(|text| !text.is_empty());
        first.is_some_and(|first| self.mapping.is_total(first))
    }

    /// Why the cells of a row must not be read: they may stand in the wrong columns.
    fn fault(&self, row: &mut TableRow<'_>) -> Option<Issue> {
        if let Some(fault) = row.fault.take() {
            return Some(fault);
        }
        let width = self.header.width;
        if self.mapping.trailing_delimiter && row.cells.len() == width + 1 {
            row.cells.pop_if(|cell| cell.text.is_empty());
        }
        let cells = row.cells.len();
        let fewer = cells < width && !row.at.keeps_no_empty_cells();
        (fewer || cells > width).then(|| {
            Issue::error(
                "row-ragged",
                None,
                row.at.row(),
                if fewer {
                    "the row has fewer cells than the header"
                } else {
                    "the row has more cells than the header"
                },
                "look for an unquoted delimiter or line break in this row or the one before",
            )
        })
    }
}

/// Reads a table through its mapping: one item per row.
///
/// `sender` fills [`Field::SENDER`] when neither a column nor a constant of the mapping does.
pub(crate) fn read<'a>(
    rows: impl Iterator<Item = Result<TableRow<'a>, ReadError>>,
    mapping: &Mapping,
    sender: &str,
    notes: Vec<Issue>,
) -> Result<Reading, ReadError> {
    let mut body = Body::begin(mapping, rows, notes)?;
    let mut maker =
        DraftMaker { mapping, sender, seen: HashMap::new(), said: Vec::new(), refused: 0 };
    let mut items = Vec::new();
    while let Some((row, faults)) = body.next_row()? {
        let draft = maker.draft(&body.header, &row, faults);
        items.push(Item { draft, raw: PersonalBytes::new(row.raw) });
    }
    threshold(mapping, maker.refused, items.len())?;
    let mut notes = body.finish();
    notes.extend(maker.said);
    Ok(Reading { items, notes })
}

/// Refuses a file of which too many rows could not be read.
pub(crate) fn threshold(mapping: &Mapping, refused: usize, rows: usize) -> Result<(), ReadError> {
    let Some(percent) = mapping.refuse_file_above_percent else { return Ok(()) };
    if refused * 100 <= rows * usize::from(percent) {
        return Ok(());
    }
    Err(ReadError::new(
        ReadErrorKind::Shape,
        "rows-refused-too-many",
        Place::Whole,
        &format!(
            "{refused} of {rows} rows could not be read, more than the {percent} in a hundred \
             that the mapping allows"
        ),
        "the layout may have changed: run `ehc-gateway mapping check` on the file",
    ))
}

/// Adds what the cells of a row say to a draft; `said` holds what is said once for a column.
pub(crate) fn fields(
    mapping: &Mapping,
    header: &Header<'_>,
    row: &TableRow<'_>,
    draft: Draft,
    said: &mut Vec<Issue>,
) -> Draft {
    let mut reader = RowReader { mapping, at: row.at, draft, said };
    for (index, column) in &header.columns {
        if let Some(cell) = row.cells.get(*index) {
            reader.cell(column, *index, cell);
        }
    }
    reader.draft
}

/// What stays the same from row to row, and the references seen so far.
struct DraftMaker<'m> {
    mapping: &'m Mapping,
    sender: &'m str,
    seen: HashMap<String, Place>,
    /// What is said once for its column: every row has it.
    said: Vec<Issue>,
    refused: usize,
}

impl DraftMaker<'_> {
    fn draft(&mut self, header: &Header<'_>, row: &TableRow<'_>, faults: Vec<Issue>) -> Draft {
        let place = row.at.row();
        let unreadable = faults.iter().any(|fault| UNREADABLE.contains(&fault.rule.as_str()));
        let mut draft = Draft {
            place: place.clone(),
            leg_by_person: self.mapping.leg_by_person,
            notes: faults,
            ..Draft::default()
        };
        for (field, value) in &self.mapping.constants {
            draft.set(*field, value.clone(), place.clone());
        }
        if draft.first(Field::SENDER).is_none() && !header.has(Field::SENDER) {
            draft.set(Field::SENDER, self.sender, Place::Whole);
        }
        if !unreadable {
            draft = fields(self.mapping, header, row, draft, &mut self.said);
            self.identify(header, &mut draft);
            self.repeated(&mut draft, &place);
        }
        // What the source marks is no sign that the layout has changed.
        let unread = |issue: &Issue| issue.is_error() && issue.rule != "row-flagged";
        self.refused += usize::from(draft.notes.iter().any(unread));
        draft
    }

    /// Makes the reference of a row from its fields, for files without a column for it.
    fn identify(&self, header: &Header<'_>, draft: &mut Draft) {
        let Some(identity) = &self.mapping.identity else { return };
        if header.has(Field::ID) || draft.first(Field::ID).is_some() {
            return;
        }
        let mut parts = vec![identity.prefix.clone()];
        let mut place = None;
        for field in &identity.fields {
            let Some(first) = draft.first(*field) else { return };
            place.get_or_insert_with(|| first.place.clone());
            parts.extend(draft.all(*field).map(|located| located.text.expose().to_owned()));
        }
        parts.retain(|part| !part.is_empty());
        if let Some(place) = place {
            draft.set(Field::ID, parts.join("-"), place);
        }
    }

    fn repeated(&mut self, draft: &mut Draft, row: &Place) {
        let Some(id) = draft.first(Field::ID) else { return };
        let place = id.place.clone();
        let first = self.seen.entry(id.text.expose().to_owned()).or_insert_with(|| row.clone());
        if first != row {
            draft.notes.push(Issue::error(
                "row-duplicate",
                Some(Field::ID),
                place,
                &format!("has the same reference as the row on {first}"),
                "send each request once, with its own reference",
            ));
        }
    }
}

/// Rules after which the cells of a row are not read at all.
const UNREADABLE: [&str; 3] = ["row-ragged", "quote-stray", "cell-merged"];

fn find_header<'m, 'a>(
    mapping: &'m Mapping,
    rows: &mut impl Iterator<Item = Result<TableRow<'a>, ReadError>>,
    notes: &mut Vec<Issue>,
) -> Result<Header<'m>, ReadError> {
    let mut first = None;
    for number in 1..=mapping.header_within {
        let Some(mut row) = rows.next().transpose()? else { break };
        let alone = mapping.header_within == 1;
        if !alone && !Header::fits(&row, mapping) {
            first.get_or_insert(row.at.row());
            continue;
        }
        if let Some(fault) = row.fault.take() {
            let Issue { rule, place, message, next, .. } = fault;
            return Err(ReadError::new(ReadErrorKind::Syntax, &rule, place, &message, &next));
        }
        if mapping.trailing_delimiter {
            row.cells.pop_if(|cell| cell.text.is_empty());
        }
        if row.cells.len() > COLUMNS_MAX {
            return Err(header::missing(row.at.row()));
        }
        if number > 1 {
            notes.push(Issue::warning(
                "preamble-skipped",
                None,
                first.unwrap_or_default(),
                "the rows above the header were left out, as the mapping says",
                "nothing needs doing",
            ));
        }
        return Header::recognise(&row, mapping, notes);
    }
    match first {
        Some(place) => Err(header::missing(place)),
        None => Err(empty()),
    }
}

fn empty() -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "file-empty",
        Place::Whole,
        "the file is empty",
        "send a header row and the rows; a header row alone says that there is nothing",
    )
}

fn blank_row(place: Place) -> Issue {
    Issue::warning(
        "row-blank",
        None,
        place,
        "a blank row stands between others and was left out",
        "check that nothing was cut from the export",
    )
}
