//! What OBX and NTE rows say: words, documents, and our own fields by name.

use schemas::{Draft, Field as Canonical, MessageType};

use super::documents::{self, Piece};
use super::er7::{Field, Segment};
use super::reader::{Parts, not_authenticated};

/// One observation.
pub(super) struct Row<'a, 'b> {
    pub(super) segment: &'b Segment<'a>,
    pub(super) value: Field<'a>,
    pub(super) kind: Field<'a>,
    /// OBX-3.
    pub(super) code: Field<'a>,
    comments: Vec<Field<'a>>,
}

impl<'a> Row<'a, '_> {
    /// Whether OBX-3 is a code of our own.
    pub(super) fn is_ours(&self) -> bool {
        self.code.component(3).is(super::OURS)
    }

    /// OBX-1.
    pub(super) fn number(&self) -> Option<u32> {
        self.segment.field(1).raw().trim().parse().ok()
    }

    fn label(&self) -> Option<String> {
        self.code.component(2).text().or_else(|| self.code.component(1).text())
    }

    /// The repetitions of the value.
    pub(super) fn values(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.value.repeats()
    }
}

/// Reads every row. What is left over as words becomes the summary of the advice, after its
/// opening.
pub(super) fn read(parts: &Parts<'_>, kind: MessageType, opening: Option<&str>, draft: &mut Draft) {
    let mut words: Vec<String> = opening.into_iter().map(str::to_owned).collect();
    let mut words_at = opening.map(|_| parts.header.field(9).place());
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for row in rows(parts) {
        if !counts(&row, parts) {
            continue;
        }
        if row.kind.is("RP") {
            parts.grammar.fault(
                "document-by-reference",
                row.value.place(),
                "points to a document somewhere else, and nothing is fetched",
                "send the document inside the message (OBX-2 ED)",
            );
        } else if let Some(found) = documents::pieces(&row, pieces.last(), parts.grammar) {
            pieces.extend(found);
        } else if row.is_ours() && !row.code.component(1).is(Canonical::SUMMARY.path()) {
            ours(&row, parts, draft);
        } else {
            let lines = said(&row, parts);
            if !lines.is_empty() {
                words_at.get_or_insert_with(|| row.value.place());
            }
            words.extend(lines);
        }
    }
    documents::attach(pieces, parts, draft);
    let text = words.join("\n");
    let Some(place) = words_at.filter(|_| !text.trim().is_empty()) else { return };
    if kind == MessageType::AdviceResponse {
        draft.set(Canonical::SUMMARY, text.trim_end(), place);
    } else {
        parts.grammar.warn(
            "hl7-text-not-read",
            place,
            "holds words that this type of message has no place for",
            "send them as advice, or in a field of their own",
        );
    }
}

/// The rows in the order of OBX-1 within each order, with the comments that follow them.
fn rows<'a, 'b>(parts: &'b Parts<'a>) -> Vec<Row<'a, 'b>> {
    let mut groups: Vec<Vec<Row<'a, 'b>>> = vec![Vec::new()];
    for segment in &parts.segments {
        match segment.name {
            "OBR" => groups.push(Vec::new()),
            "OBX" => {
                let row = Row {
                    segment,
                    value: segment.field(5),
                    kind: segment.field(2),
                    code: segment.field(3),
                    comments: Vec::new(),
                };
                if let Some(group) = groups.last_mut() {
                    group.push(row);
                }
            }
            "NTE" => {
                if let Some(row) = groups.last_mut().and_then(|group| group.last_mut()) {
                    row.comments.push(segment.field(3));
                }
            }
            _ => {}
        }
    }
    for group in &mut groups {
        let numbers: Vec<Option<u32>> = group.iter().map(Row::number).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let unique = sorted.windows(2).all(|pair| pair.first() != pair.last());
        if numbers != sorted && unique && numbers.iter().all(Option::is_some) {
            if let Some(row) = group.first() {
                let next = "send rows in the order of OBX-1";
                let place = row.segment.field(1).place();
                parts.grammar.warn("hl7-rows-out-of-order", place, "rows are not in order", next);
            }
            group.sort_by_key(Row::number);
        }
    }
    groups.into_iter().flatten().collect()
}

/// Whether a row says something in force (table 0085).
fn counts(row: &Row<'_, '_>, parts: &Parts<'_>) -> bool {
    let status = row.segment.field(11);
    if status.is_one_of(&["D", "W"]) {
        parts.grammar.fault(
            "hl7-row-withdrawn",
            status.place(),
            "says that the row is deleted or wrong",
            "send a replacement (T10) without the row",
        );
        return false;
    }
    if status.is_one_of(&["X", "N"]) {
        let next = "nothing; the row says nothing and is passed over";
        parts.grammar.warn("hl7-row-empty", status.place(), "says that there is no value", next);
        return false;
    }
    if !status.is_empty() && !status.is_one_of(&["F", "C", "U", "O"]) {
        not_authenticated(parts, &status);
    }
    !row.value.is_empty() || row.comments.iter().any(|comment| !comment.is_empty())
}

/// A row in our own coding system: a field of the canonical message, by its path.
fn ours(row: &Row<'_, '_>, parts: &Parts<'_>, draft: &mut Draft) {
    let code = row.code.component(1);
    let path = code.raw().trim();
    let field = Canonical::from_path(path).filter(|field| super::is_carried(*field));
    match field {
        Some(field) => {
            if let Some(text) = row.value.text() {
                draft.set(field, text, row.value.place());
            }
        }
        None if super::OTHER_ROWS.contains(&path) => {}
        None => parts.grammar.warn(
            "hl7-row-not-read",
            code.place(),
            "is not a field that a row may carry",
            "use a code of the mapping table, or send words as TX",
        ),
    }
}

/// The words of a row: its lines, and those of its comments.
fn said(row: &Row<'_, '_>, parts: &Parts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let kind = row.kind;
    if kind.is_one_of(&["TX", "FT"]) || row.is_ours() {
        // Many systems write a line of text as a repetition.
        lines.extend(row.values().map(|value| value.lines().unwrap_or_default()));
    } else if kind.is_one_of(&LABELLED) {
        let values: Vec<String> = row.values().filter_map(|value| shown(&value, &kind)).collect();
        let unit = row.segment.field(6).component(1).text().map(|unit| format!(" {unit}"));
        let value = format!("{}{}", values.join(", "), unit.unwrap_or_default());
        if !values.is_empty() {
            lines.push(match row.label() {
                Some(label) => format!("{label}: {value}"),
                None => value,
            });
        }
    } else if !row.value.is_empty() {
        parts.grammar.fault(
            "hl7-value-type",
            kind.place(),
            "is not a type of value that is read, and nothing is left out in silence",
            "send words as TX or FT and documents as ED",
        );
    }
    lines.extend(row.comments.iter().filter_map(Field::lines));
    lines
}

/// A value as a person reads it: the words of a code, else its first part.
fn shown(value: &Field<'_>, kind: &Field<'_>) -> Option<String> {
    if kind.is_one_of(&["CE", "CWE", "CNE", "CF"]) {
        return value.component(2).text().or_else(|| value.component(1).text());
    }
    if kind.is("SN") {
        let parts: Vec<String> = value.components().filter_map(|part| part.text()).collect();
        return (!parts.is_empty()).then(|| parts.join(""));
    }
    value.text()
}

/// Types of values that are shown with what they are.
const LABELLED: [&str; 13] =
    ["ST", "CE", "CWE", "CNE", "CF", "IS", "ID", "NM", "SN", "DT", "TM", "TS", "DTM"];
