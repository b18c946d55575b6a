//! What stands beside an entry in the store, altered in every way: each column that it is searched
//! by, and who was on the list that it says was looked at.

use uuid::Uuid;

use super::tally::Kind;
use crate::audit::found_by::FoundBy;
use crate::audit::verify::{Beside, LookUp, Row};
use crate::audit::{Entry, SubjectKey, looked};

/// What the store has beside an entry that nobody touched.
pub(super) fn of(row: &Row) -> anyhow::Result<Beside> {
    let entry = Entry::parse(&row.leaf)?;
    let looked = entry.event.detail.get(looked::HASH).cloned();
    Ok(Beside { found_by: FoundBy::of(&entry), looked, look_up: LookUp::Kept })
}

/// The same with one thing altered, for each thing.
pub(super) fn altered(beside: &Beside) -> Vec<(Kind, Beside)> {
    let other = |text: &Option<String>| match text {
        Some(text) => Some(format!("{text}-")),
        None => Some("hidden".to_owned()),
    };
    let gone_or_other = |id: Option<Uuid>| id.is_none().then(|| Uuid::from_u64_pair(9, 9));
    let edits: [&dyn Fn(&mut FoundBy); 11] = [
        &|found| found.kind.push('-'),
        &|found| found.at_us = found.at_us.wrapping_add(1),
        &|found| found.organisation.clear(),
        &|found| found.person = other(&found.person),
        &|found| found.counterparty = other(&found.counterparty),
        &|found| found.authority = other(&found.authority),
        &|found| found.outcome = other(&found.outcome),
        &|found| found.reason = other(&found.reason),
        &|found| found.record = gone_or_other(found.record),
        &|found| found.delivery = gone_or_other(found.delivery),
        &|found| found.subject = found.subject.is_none().then_some(SubjectKey([9; 32])),
    ];
    let edited = edits.into_iter().map(|edit| {
        let mut beside = beside.clone();
        edit(&mut beside.found_by);
        (Kind::Misfiled, beside)
    });
    let looked = beside.looked.is_none().then(|| "another".to_owned());
    edited.chain([(Kind::LookEdited, Beside { looked, ..beside.clone() })]).collect()
}
