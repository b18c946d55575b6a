//! What a row says about itself: deleted, a test, not to be shared.
//!
//! Knows the filters of a mapping and the cells they look at. Never holds a value in a note.

use schemas::{Field, Issue, Place};

use super::header::Header;
use super::{TableRow, trimmed};
use crate::mapping::{Filter, Mapping, Verdict};

/// What became of rows that filters took out, for one note per filter.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    counts: Vec<(String, Place, u64)>,
}

impl Dropped {
    fn add(&mut self, why: &str, place: Place) {
        match self.counts.iter_mut().find(|(known, _, _)| known == why) {
            Some((_, _, count)) => *count += 1,
            None => self.counts.push((why.to_owned(), place, 1)),
        }
    }

    /// One note for each filter that took rows out.
    pub(super) fn notes(self) -> impl Iterator<Item = Issue> {
        self.counts.into_iter().map(|(why, place, count)| {
            let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
            Issue::warning(
                "rows-dropped",
                None,
                place,
                &format!("{rows} from here on left out: {why}"),
                "nothing needs doing if that is so; the mapping's filters decide it",
            )
        })
    }
}

/// Whether a row is a record: none when a filter takes it out, else the filters that refuse it.
pub(super) fn judge(
    row: &TableRow<'_>,
    header: &Header<'_>,
    mapping: &Mapping,
    dropped: &mut Dropped,
) -> Option<Vec<Issue>> {
    let mut issues = Vec::new();
    for (index, filter) in &header.filters {
        let text = row.cells.get(*index).map(|cell| trimmed(&cell.text)).unwrap_or_default();
        let text = if mapping.is_null(text) { "" } else { text };
        match filter.verdict(text) {
            Some(Verdict::Keep) => {}
            Some(Verdict::Drop) => {
                dropped.add(&filter.why, row.at.row());
                return None;
            }
            Some(Verdict::Refuse) => issues.push(flagged(filter, row.at.cell(*index))),
            None => issues.push(unclear(filter, row.at.cell(*index))),
        }
    }
    Some(issues)
}

fn flagged(filter: &Filter, place: Place) -> Issue {
    Issue::error(
        "row-flagged",
        None::<Field>,
        place,
        &format!("the source marks this row: {}", filter.why),
        "a person must decide; if it may go, correct the mark at the source and send it again",
    )
}

fn unclear(filter: &Filter, place: Place) -> Issue {
    Issue::error(
        "filter-unclear",
        None::<Field>,
        place,
        &format!("does not say whether this holds: {}", filter.why),
        "correct it, or add the value to the filter in the mapping",
    )
}
