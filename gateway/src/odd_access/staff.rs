//! Whose own: an organisation lists its staff, and what is kept of them is keyed hashes.
//!
//! A user id becomes the pseudonym that person has in the log, a family name and a postcode become
//! marks that can be compared with those of records, and nothing else stays. A new list takes the
//! place of the one before, so that leavers are forgotten.

use std::collections::BTreeMap;

use schemas::OrganisationCode;
use serde::Deserialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::store::{Change, Mark, StaffMember, WatchWrite, Write};

/// One of an organisation's staff, as the organisation lists them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffEntry {
    /// The user id that their system sends in `EHC-Acting-User`.
    pub user: String,
    /// Family names, present and former; at most 4.
    #[serde(default)]
    pub surnames: Vec<String>,
    /// Postcodes of where they live; at most 4.
    #[serde(default)]
    pub postcodes: Vec<String>,
}

/// Why a list was not taken. Never with a value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StaffError {
    /// It names more people than an organisation has.
    #[error("the list has more than {STAFF_MAX} people")]
    TooMany,
    /// An entry cannot be used.
    #[error("entry {at} of the list {problem}")]
    Entry {
        /// Its place, from 1.
        at: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The change that puts a list in the place of an organisation's list before, and how many people
/// it names. The log has the number, and nothing of them.
pub fn list_staff(
    app: &App,
    organisation: &OrganisationCode,
    actor: &Actor,
    entries: &[StaffEntry],
) -> Result<(usize, Change), StaffError> {
    if entries.len() > STAFF_MAX {
        return Err(StaffError::TooMany);
    }
    let names = app.vault.pseudonyms();
    let mut staff: BTreeMap<String, StaffMember> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let wrong = |problem| StaffError::Entry { at: at + 1, problem };
        if entry.user.trim().is_empty() || entry.user.len() > USER_CHARS_MAX {
            return Err(wrong("has no user id, or one that is too long"));
        }
        if entry.surnames.len() > MARKS_MAX || entry.postcodes.len() > MARKS_MAX {
            return Err(wrong("has more than 4 family names or postcodes"));
        }
        let person = names.person(organisation, &entry.user);
        let member = staff
            .entry(person.clone())
            .or_insert_with(|| StaffMember { person, marks: std::collections::BTreeSet::new() });
        for name in &entry.surnames {
            let marks = names.surname_marks(name);
            if marks.is_empty() {
                return Err(wrong("has a family name without letters"));
            }
            member.marks.extend(marks.into_iter().map(Mark::Surname));
        }
        for postcode in &entry.postcodes {
            let mark = names.postcode_mark(postcode);
            let mark = mark.ok_or_else(|| wrong("has a postcode that is none"))?;
            member.marks.insert(Mark::Postcode(mark));
        }
    }
    let count = staff.len();
    let event = Event::new(EventKind::StaffListed, actor.clone()).with("people", count);
    let staff = WatchWrite::Staff(organisation.clone(), staff.into_values().collect());
    Ok((count, Change::because(event).write(Write::Watch(staff))))
}

/// The most people one organisation lists: the largest trusts have some 30,000 staff.
pub const STAFF_MAX: usize = 40_000;
/// As long as the header that names a person may be.
const USER_CHARS_MAX: usize = 100;
/// Names by birth, by marriage and by use; a place or two.
const MARKS_MAX: usize = 4;
