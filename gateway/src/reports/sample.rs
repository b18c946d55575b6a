//! Report 9: a random sample of accesses for managers to confirm, that nobody can pick.
//!
//! Each access has a lot: the SHA-256 of the root of the log and its number. The lowest lots are
//! drawn. The root is of the head that holds the asking itself, whose entry has random bytes in
//! it, so that it cannot be known before it is asked; and anybody with the log can draw again.
//!
//! What counts as an access by a person is the same as for the draw into the queue of sign-offs
//! ([`odd_access`](crate::odd_access)), which is drawn once. This one is a new draw with each asking,
//! and each asking is in the log: it is for a look on paper, and no draw of record.

use super::gathering::{begin, end, gather, of_kinds};
use super::rows::{ENTRY, Marks, Names, entry_row};
use super::{Ask, Cell, Kind, LogHead, Made, ReportError, Sheet, odd};
use crate::app::App;
use crate::audit::Entry;
use crate::entropy::{hex, sha256};
use crate::odd_access::{ACCESSES, is_by_a_person, observe};
use crate::store::AlertFilter;

/// How a sample is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Draw {
    /// How many accesses; twenty when left out.
    pub accesses: Option<usize>,
    /// The head to draw from again, by its size, as a cover says it; a new one when left out.
    pub again: Option<u64>,
}

impl Draw {
    pub(super) fn contradiction(self) -> Option<&'static str> {
        let wrong = self.accesses.is_some_and(|many| many == 0 || many > ACCESSES_MAX);
        if wrong { Some("a sample has 1 to 1000 accesses") } else { None }
    }
}

pub(super) async fn made(
    app: &App,
    ask: &Ask,
    asked: u64,
    log: &LogHead,
) -> Result<Made, ReportError> {
    let head = match ask.draw.again {
        Some(size) => LogHead::of_size(app, size).await?,
        None => log.clone(),
    };
    let before = ask.draw.again.map_or(asked, |_| head.size.saturating_sub(1));
    let mut filter = of_kinds(ask, &ACCESSES);
    filter.organisation = ask.organisation.as_ref().map(ToString::to_string);
    let gathered = gather(app, &filter, before).await?;
    let by_people: Vec<&Entry> = gathered.entries.iter().filter(|entry| is_access(entry)).collect();
    let wanted = ask.draw.accesses.unwrap_or(ACCESSES_DEFAULT);
    let drawn = drawn(&head.root, &by_people, wanted);
    let names: Names<'_> = &|code| app.name_of_code(code);
    let filter = AlertFilter {
        sampled: Some(true),
        from: begin(ask),
        before: end(ask),
        ..AlertFilter::default()
    };
    let (signed, more) = odd::signed_off("Signed off", app, ask, &filter).await?;
    let mut made = Made::from(vec![sheet(&drawn, names, Marks::of_draw(head.size)), signed]);
    made.notes.extend(more);
    let of = by_people.len();
    made.limits.push(format!("{} of {of} accesses by people", drawn.len()));
    made.notes.extend(gathered.note("accesses"));
    Ok(made
        .note(format!(
            "Drawn by the root of the log at {} entries ({}). Draw again with --again {}.",
            head.size, head.root, head.size
        ))
        .note(SIGNED_OFF))
}

fn is_access(entry: &Entry) -> bool {
    observe(entry, None).is_some_and(|seen| is_by_a_person(&seen))
}

/// The accesses with the lowest lots, lowest first.
fn drawn<'a>(root: &str, entries: &[&'a Entry], wanted: usize) -> Vec<(String, &'a Entry)> {
    let mut lots: Vec<([u8; 32], &Entry)> =
        entries.iter().map(|entry| (lot(root, entry.seq), *entry)).collect();
    lots.sort_by_key(|(lot, entry)| (*lot, entry.seq));
    lots.into_iter().take(wanted).map(|(lot, entry)| (hex(&lot), entry)).collect()
}

/// The lot of an entry: what `printf '%s %s' ROOT ENTRY | sha256sum` says.
fn lot(root: &str, seq: u64) -> [u8; 32] {
    sha256(format!("{root} {seq}").as_bytes())
}

fn sheet(drawn: &[(String, &Entry)], names: Names<'_>, marks: Marks) -> Sheet {
    let mut columns = vec![("lot", Kind::Text)];
    columns.extend(ENTRY);
    let for_a_person = ["manager", "legitimate (yes or no)", "confirmed on"];
    columns.extend(for_a_person.map(|name| (name, Kind::Text)));
    let mut sheet = Sheet::new("Sample", &columns);
    for (lot, entry) in drawn {
        let mut row = vec![lot.chars().take(LOT_CHARS).collect::<String>().into()];
        row.extend(entry_row(entry, names, marks));
        row.extend(for_a_person.map(|_| Cell::Nothing));
        sheet.rows.push(row);
    }
    sheet
}

/// How many are drawn when nothing is said: what a manager confirms in one sitting.
const ACCESSES_DEFAULT: usize = 20;
const ACCESSES_MAX: usize = 1_000;
/// Enough of a lot to see the order.
const LOT_CHARS: usize = 16;

const SIGNED_OFF: &str = "Each asking draws anew, and each is in the log: how often somebody drew, audit search shows. The draw of record is POST /v1/alerts/sample, which draws a day once, puts the accesses into the queue, and has each signed off by somebody else than who made it; the second table has what became of those. The last three columns are for a manager who works on paper. Both draw from the same accesses: by named people, and at the machine's own prompt; not what a system did without naming a person.";

#[cfg(test)]
mod tests;
