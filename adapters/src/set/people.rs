//! Who is meant: people found by their ids, through merges, with their identifiers and addresses.
//!
//! Knows the rows about people. Never guesses: whatever could mean two people stops the request.

use std::collections::{HashMap, HashSet};

use schemas::{Draft, Field, Issue, NhsNumber, Place};

use super::rows::{EntityRow, EntityRows};
use crate::mapping::KeyRole;

/// The people of a set.
pub(super) struct People<'a> {
    rows: HashMap<&'a str, Vec<&'a EntityRow>>,
    identifiers: HashMap<&'a str, Vec<&'a EntityRow>>,
    addresses: HashMap<&'a str, Vec<&'a EntityRow>>,
    /// The NHS numbers that more than one current person has.
    shared: HashSet<String>,
}

impl<'a> People<'a> {
    /// Arranges the rows about people by person.
    pub(super) fn new(
        people: &'a EntityRows,
        identifiers: &'a EntityRows,
        addresses: &'a EntityRows,
    ) -> Self {
        let mut found = Self {
            rows: by_person(people),
            identifiers: by_person(identifiers),
            addresses: by_person(addresses),
            shared: HashSet::new(),
        };
        found.shared = found.shared_numbers();
        found
    }

    /// Tells a draft who it is about.
    pub(super) fn describe(&self, id: &str, place: &Place, draft: &mut Draft) {
        let Some((id, row)) = self.current(id, place, draft) else { return };
        draft.set(Field::LA_PERSON_ID, id, row.key_place(KeyRole::Person));
        take(row, draft);
        for identifier in self.identifiers.get(id).into_iter().flatten() {
            self.identify(identifier, draft);
        }
        self.locate(id, draft);
    }

    /// The person an id stands for now, through merges.
    fn current<'b>(
        &'b self,
        id: &'b str,
        place: &Place,
        draft: &mut Draft,
    ) -> Option<(&'b str, &'a EntityRow)> {
        let mut id = id;
        for _ in 0..MERGES_MAX {
            let row = match self.rows.get(id).map(Vec::as_slice) {
                None | Some([]) => {
                    draft.notes.push(Issue::error(
                        "person-unknown",
                        Some(Field::LA_PERSON_ID),
                        place.clone(),
                        "is about a person who is not in the set",
                        "include everybody the requests are about, in deltas too",
                    ));
                    return None;
                }
                Some([row]) => *row,
                Some([_, second, ..]) => {
                    draft.notes.push(Issue::error(
                        "person-duplicate",
                        Some(Field::LA_PERSON_ID),
                        second.at.row(),
                        "stands in the set twice, so nobody can say which row is right",
                        "export each person once",
                    ));
                    return None;
                }
            };
            match (row.key(KeyRole::Change), row.key(KeyRole::MergedInto)) {
                (Some("deleted"), _) => {
                    draft.notes.push(Issue::error(
                        "person-deleted",
                        Some(Field::LA_PERSON_ID),
                        row.at.row(),
                        "the person was deleted at the source",
                        "check the request; nothing is sent about a person who was deleted",
                    ));
                    return None;
                }
                (_, Some(into)) => {
                    draft.notes.push(Issue::warning(
                        "person-merged",
                        Some(Field::LA_PERSON_ID),
                        row.at.row(),
                        "the person was merged into another, whose details were taken",
                        "nothing needs doing if the merge is right",
                    ));
                    id = into;
                }
                (Some("merged"), None) => break,
                (_, None) => return Some((id, row)),
            }
        }
        draft.notes.push(Issue::error(
            "person-merge-unclear",
            Some(Field::LA_PERSON_ID),
            place.clone(),
            "the person was merged, and into whom cannot be found",
            "name in `merged_into` a person who is current",
        ));
        None
    }

    fn identify(&self, row: &EntityRow, draft: &mut Draft) {
        draft.notes.extend(row.draft.notes.iter().cloned());
        let Some(value) = row.key(KeyRole::Value) else { return };
        let place = row.key_place(KeyRole::Value);
        let field = match row.key(KeyRole::Kind) {
            Some("nhs-number") => Field::NHS_NUMBER,
            Some("upn") => Field::UPN,
            _ => return,
        };
        let again = draft.first(field).is_some_and(|before| before.text.expose() != value);
        if again {
            draft.notes.push(Issue::error(
                "identifier-twice",
                Some(field),
                place.clone(),
                "the person has two different ones",
                "export the current one only",
            ));
        }
        if field == Field::NHS_NUMBER && digits(value).is_some_and(|n| self.shared.contains(&n)) {
            draft.notes.push(Issue::error(
                "nhs-number-shared",
                Some(field),
                place.clone(),
                "two people of the set have the same number",
                "merge them at the source if they are one, or correct the number",
            ));
        }
        if draft.first(field).is_none() {
            draft.set(field, value, place);
        }
    }

    /// The address without an end; two of them are said, and neither is taken.
    fn locate(&self, id: &str, draft: &mut Draft) {
        let rows = self.addresses.get(id).map(Vec::as_slice).unwrap_or_default();
        let current: Vec<_> =
            rows.iter().filter(|row| row.key(KeyRole::EndsOn).is_none()).collect();
        match current.as_slice() {
            [] => {}
            [row] => take(row, draft),
            [_, second, ..] => draft.notes.push(Issue::warning(
                "address-unclear",
                Some(Field::ADDRESS),
                second.at.row(),
                "the person has two addresses that have not ended; neither was taken",
                "end the earlier one at the source",
            )),
        }
    }

    fn shared_numbers(&self) -> HashSet<String> {
        let mut owners: HashMap<String, &str> = HashMap::new();
        let mut shared = HashSet::new();
        let gone = |id: &str| {
            let rows = self.rows.get(id).into_iter().flatten();
            rows.clone().any(|row| {
                row.key(KeyRole::Change).is_some_and(|change| change != "current")
                    || row.key(KeyRole::MergedInto).is_some()
            })
        };
        for (id, rows) in &self.identifiers {
            if gone(id) {
                continue;
            }
            let numbers = rows.iter().filter(|row| row.key(KeyRole::Kind) == Some("nhs-number"));
            for number in numbers.filter_map(|row| row.key(KeyRole::Value).and_then(digits)) {
                let owner = *owners.entry(number.clone()).or_insert(id);
                if owner != *id {
                    shared.insert(number);
                }
            }
        }
        shared
    }
}

/// Adds what a row says, and what is wrong with it, to a draft.
pub(super) fn take(row: &EntityRow, draft: &mut Draft) {
    draft.notes.extend(row.draft.notes.iter().cloned());
    draft.fields.extend(row.draft.fields.iter().cloned());
}

fn by_person(rows: &EntityRows) -> HashMap<&str, Vec<&EntityRow>> {
    let mut found: HashMap<&str, Vec<&EntityRow>> = HashMap::new();
    for row in &rows.rows {
        if let Some(id) = row.key(KeyRole::Person) {
            found.entry(id).or_default().push(row);
        }
    }
    found
}

fn digits(number: &str) -> Option<String> {
    NhsNumber::parse(number).ok().map(|number| number.expose().to_owned())
}

/// The most merges in a row: more are a loop.
const MERGES_MAX: usize = 10;
