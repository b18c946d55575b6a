//! Exports of the log in the forms that other machines take. Nothing proves them but the log itself:
//! each line has the place and the leaf hash of its entry.

use std::io::Write;

use jiff::Timestamp;

use super::exporting::{Exported, Wanted, event, last_before, of_case};
use super::{VerificationError, rows};
use crate::app::App;
use crate::audit::Entry;
use crate::audit::forms::{Form, Source};
use crate::audit::verify::Row;
use crate::clock::london_day_ends;
use crate::store::Change;

/// Writes the entries that are wanted in a form, one a line, in the order of the log. That it is done, of
/// what, in which form and why (a code) is an entry of the log before the first byte is written.
/// `None`, and nothing written, when no message belongs to the case. `seen` is told how many entries
/// have been looked at.
pub async fn export_as(
    app: &App,
    (wanted, form): (&Wanted, Form),
    reason: &str,
    to: &mut impl Write,
    mut seen: impl FnMut(u64),
) -> Result<Option<Exported>, VerificationError> {
    let event = event(app, wanted, reason).with("form", form.name());
    app.store.commit(Change::because(event)).await?;
    // What is committed from here on is for the next export.
    let size = app.log_size().await?;
    let organisation = app.organisation().to_string();
    let source = Source { log: app.origin(), organisation: &organisation };
    let mut entries = 0u64;
    let mut write = |row: &Row, span: (i64, i64)| {
        let entry = Entry::parse(&row.leaf).or(Err(VerificationError::Entry(row.seq)))?;
        if (span.0..span.1).contains(&entry.at_us) {
            to.write_all(&form.line(&source, &entry, &row.leaf))?;
            entries = entries.saturating_add(1);
        }
        Ok::<_, VerificationError>(entry.at_us < span.1)
    };
    let chosen = match wanted {
        Wanted::Whole | Wanted::Period(..) => None,
        Wanted::Case(case) => Some(of_case(&app.store, *case).await?),
        Wanted::Partner(partner) => Some(app.store.places_naming(partner).await?),
    };
    if let Some(mut seqs) = chosen {
        seqs.retain(|seq| *seq < size);
        if seqs.is_empty() && matches!(wanted, Wanted::Case(_)) {
            return Ok(None);
        }
        for some in seqs.chunks(AT_ONCE) {
            for row in app.store.audit_rows_at(some).await? {
                seen(row.seq);
                write(&row.into(), ALWAYS)?;
            }
        }
        return Ok(Some(Exported { entries, size }));
    }
    let span = span(wanted);
    let before = last_before(&app.store, span.0, size).await?;
    let mut from = before.map_or(0, |before| before.size);
    while from < size {
        let rows = rows(&app.store, from).await?;
        let Some(last) = rows.last() else { break };
        from = last.seq.saturating_add(1);
        for row in rows.iter().filter(|row| row.seq < size) {
            if !write(row, span)? {
                return Ok(Some(Exported { entries, size }));
            }
        }
        seen(from);
    }
    Ok(Some(Exported { entries, size }))
}

/// From which instant and before which, in microseconds since 1970 UTC.
fn span(wanted: &Wanted) -> (i64, i64) {
    let us = |at: Timestamp| at.as_microsecond();
    match wanted {
        Wanted::Period(from, until) => {
            let from = from.map(|from| london_day_ends(from.yesterday().unwrap_or(from)));
            let until = until.map(london_day_ends);
            (from.map_or(ALWAYS.0, us), until.map_or(ALWAYS.1, us))
        }
        Wanted::Whole | Wanted::Case(_) | Wanted::Partner(_) => ALWAYS,
    }
}

const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);
/// Chosen entries that are read together.
const AT_ONCE: usize = 256;
