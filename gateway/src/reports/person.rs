//! Report 2: what one person did, when, and against what their colleagues did.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::gathering::{begin, end, gather};
use super::rows::{ENTRY, Marks, Names, entry_row};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{Actor, Entry, SubjectKey};
use crate::clock::london_time;
use crate::store::LogFilter;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let Some(person) = &ask.person else { return Ok(Made::default()) };
    let at_the_machine = ask.at_the_machine.then(|| Actor::gateway().organisation);
    let of = ask.organisation.as_ref().map(ToString::to_string).or(at_the_machine);
    let whole = LogFilter { from: begin(ask), until: end(ask), ..LogFilter::default() };
    let filter = LogFilter { person: Some(person.clone()), ..whole.clone() };
    let own = gather(app, &filter, asked).await?;
    let filter = LogFilter { organisation: of, ..whole };
    let theirs = gather(app, &filter, asked).await?;
    let names: Names<'_> = &|code| app.name_of_code(code);
    let hours = &app.odd_access().hours;
    let is_odd = |entry: &Entry| !hours.are_open(entry.at(), app.rules.bank_holidays());
    let mut made = Made::from(vec![
        actions(&own.entries, (names, Marks::of(asked)), &is_odd),
        by_day(&own.entries, &is_odd),
        compared(&theirs.entries, person),
    ]);
    made.notes.extend(own.note("this person"));
    made.notes.extend(theirs.note("this organisation"));
    Ok(made.note(HOURS).note(AT_THE_MACHINE))
}

/// A row for each thing that the person did.
fn actions(entries: &[Entry], (names, marks): (Names<'_>, Marks), is_odd: OutOfHours<'_>) -> Sheet {
    let mut columns = ENTRY.to_vec();
    columns.push(("out of hours", Kind::Text));
    let mut sheet = Sheet::new("Actions", &columns);
    for entry in entries {
        let mut row = entry_row(entry, names, marks);
        row.push(if is_odd(entry) { "yes".into() } else { "no".into() });
        sheet.rows.push(row);
    }
    sheet
}

/// How much the person did on each day.
fn by_day(entries: &[Entry], is_odd: OutOfHours<'_>) -> Sheet {
    #[derive(Default)]
    struct Day {
        actions: u64,
        out_of_hours: u64,
        children: BTreeSet<SubjectKey>,
    }
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    for entry in entries {
        let day = days.entry(london_time(entry.at()).date()).or_default();
        day.actions = day.actions.saturating_add(1);
        day.out_of_hours = day.out_of_hours.saturating_add(u64::from(is_odd(entry)));
        day.children.extend(entry.event.subject);
    }
    let columns = [
        ("day", Kind::Date),
        ("actions", Kind::Number),
        ("out of hours", Kind::Number),
        ("children named", Kind::Number),
    ];
    let mut sheet = Sheet::new("By day", &columns);
    let row = |(day, counts): (Date, Day)| {
        let children = u64::try_from(counts.children.len()).unwrap_or(u64::MAX);
        vec![day.into(), counts.actions.into(), counts.out_of_hours.into(), children.into()]
    };
    sheet.rows = days.into_iter().rev().map(row).collect();
    sheet
}

/// The person beside the others of the organisation, of whom nobody is named.
fn compared(entries: &[Entry], person: &str) -> Sheet {
    let mut by_person: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        if let Some(who) = &entry.event.actor.person {
            let count = by_person.entry(who).or_default();
            *count = count.saturating_add(1);
        }
    }
    let own = by_person.remove(person).unwrap_or_default();
    let mut others: Vec<u64> = by_person.into_values().collect();
    others.sort_unstable();
    let median = others.get(others.len() / 2).copied();
    let most = others.last().copied();
    let more = others.iter().filter(|count| **count > own).count();
    let number = |count: usize| Cell::from(u64::try_from(count).unwrap_or(u64::MAX));
    let columns = [("what", Kind::Text), ("value", Kind::Number)];
    let mut sheet = Sheet::new("Beside colleagues", &columns);
    sheet.rows = vec![
        vec!["actions of this person".into(), own.into()],
        vec!["others of the organisation who acted".into(), number(others.len())],
        vec!["actions of the one in the middle of them".into(), median.into()],
        vec!["actions of the most active of them".into(), most.into()],
        vec!["of them, more active than this person".into(), number(more)],
    ];
    sheet
}

/// Whether something was done when nobody works, by the rules of odd access.
type OutOfHours<'a> = &'a dyn Fn(&Entry) -> bool;

const HOURS: &str = "Out of hours is what the rules of odd access say, by London's clocks. A clinician's hours may be others.";
const AT_THE_MACHINE: &str = "The log knows a person by the name that their system gave with each request. What was done at the gateway's own machine names a login there, which is asked for as a user of gateway: it is as good as that machine, and where several use one login it names them all.";

#[cfg(test)]
mod tests;
