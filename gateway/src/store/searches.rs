//! Search of the log: entries by what stands beside them, newest first.
//!
//! Each statement begins at the index of one member and looks at no entry that does not have it;
//! the other members are compared on the way. Which member leads is decided here, by how few
//! entries usually have it. A time is turned into places of the log first, by halving, so that no
//! statement walks through what is too new or too old. Without any member but a time, places are
//! all there is, and the key of the log is the index.
//!
//! Limits: the gateway's clock may have been set back by up to [`CLOCK_SET_BACK_US`] between two
//! entries without an entry being missed by its time. What an entry is found by is a copy of it;
//! whether the copies are true is for the verification ([`FoundBy`](crate::audit::found_by::FoundBy)).

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::OrganisationCode;

use super::Store;
use super::engine::{Statement, statements};
use super::error::StoreError;
use super::log::entry;
use super::value::{Value, name_of, values};
use crate::audit::{Entry, EventKind, SubjectKey};

/// Which entries of the log are wanted: those that have all of what is set. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of any of these kinds; of every kind when there are none.
    pub kinds: Vec<EventKind>,
    /// Done by this organisation, or by `gateway`.
    pub organisation: Option<String>,
    /// Done by this person, a keyed pseudonym.
    pub person: Option<String>,
    /// With this other organisation: who receives, or whose record it is.
    pub counterparty: Option<OrganisationCode>,
    /// With a decision that relied on this authority, by its code.
    pub authority: Option<String>,
    /// With this decision; where nothing was decided, with this outcome.
    pub outcome: Option<String>,
    /// For this reason, by its code.
    pub reason: Option<String>,
    /// Concerning this person, under any pseudonym that means them, looks at lists included.
    pub subject: Option<SubjectKey>,
    /// Committed at this instant or later.
    pub from: Option<Timestamp>,
    /// Committed before this instant.
    pub until: Option<Timestamp>,
}

impl LogFilter {
    /// The statement that begins at the index of the member that fewest entries have.
    pub(super) fn leading(&self) -> &'static Statement {
        if self.subject.is_some() {
            &BY_SUBJECT
        } else if self.person.is_some() {
            &BY_PERSON
        } else if self.reason.is_some() {
            &BY_REASON
        } else if self.outcome.is_some() {
            &BY_OUTCOME
        } else if self.authority.is_some() {
            &BY_AUTHORITY
        } else if self.counterparty.is_some() {
            &BY_COUNTERPARTY
        } else if !self.kinds.is_empty() {
            &BY_KIND
        } else if self.organisation.is_some() {
            &BY_ORGANISATION
        } else {
            &BY_PLACE
        }
    }

    /// The values of a statement: one kind, the places from and before which, and how many.
    pub(super) fn values(
        &self,
        kind: Option<EventKind>,
        (from, before): (u64, u64),
        limit: u32,
    ) -> Vec<Value> {
        values![
            kind.map(name_of),
            self.organisation.clone(),
            self.person.clone(),
            self.counterparty.as_ref().map(OrganisationCode::as_str),
            self.authority.clone(),
            self.outcome.clone(),
            self.reason.clone(),
            self.from.map_or(i64::MIN, Timestamp::as_microsecond),
            self.until.map_or(i64::MAX, Timestamp::as_microsecond),
            from,
            before,
            limit,
        ]
    }
}

impl Store {
    /// The newest entries that a filter takes, newest first, from before a place. The next page is
    /// what stands before the last entry of this one.
    pub async fn entries_matching(
        &self,
        filter: &LogFilter,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let statement = filter.leading();
        let places = self.places_within(filter, before).await?;
        let kinds: Vec<Option<EventKind>> = match filter.kinds.as_slice() {
            [] => vec![None],
            kinds => kinds.iter().copied().map(Some).collect(),
        };
        let subjects = match filter.subject {
            Some(subject) => self.pseudonyms_of(subject).await?.into_iter().map(Some).collect(),
            None => vec![None],
        };
        let mut found = BTreeMap::new();
        for subject in subjects {
            for kind in &kinds {
                let mut values = filter.values(*kind, places, limit);
                values.extend(subject.map(|subject| Value::from(subject.0)));
                for row in &self.engine.rows(statement, values).await? {
                    found.insert(row.count("seq")?, entry(row)?);
                }
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(found.into_values().rev().take(limit).collect())
    }

    /// The newest entries of the filter's kinds about messages that an organisation sent, newest
    /// first, from before a place. Entries of deliveries name the recipient only; who sent stands
    /// with the record. It begins at the kinds, of which there is at least one, and looks at no person.
    pub async fn entries_about_messages_of(
        &self,
        sender: &OrganisationCode,
        filter: &LogFilter,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let places = self.places_within(filter, before).await?;
        let mut found = BTreeMap::new();
        for kind in &filter.kinds {
            let mut values = filter.values(Some(*kind), places, limit);
            values.push(Value::from(sender));
            for row in &self.engine.rows(&BY_SENDER, values).await? {
                found.insert(row.count("seq")?, entry(row)?);
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(found.into_values().rev().take(limit).collect())
    }

    /// The places between which entries of the filter's time stand; the second not included.
    async fn places_within(
        &self,
        filter: &LogFilter,
        before: u64,
    ) -> Result<(u64, u64), StoreError> {
        let from = match filter.from {
            Some(from) => {
                let early = from.as_microsecond().saturating_sub(CLOCK_SET_BACK_US);
                self.first_place_at(early).await?
            }
            None => 0,
        };
        let until = match filter.until {
            Some(until) => {
                let late = until.as_microsecond().saturating_add(CLOCK_SET_BACK_US);
                self.first_place_at(late).await?
            }
            None => u64::MAX,
        };
        Ok((from, before.min(until)))
    }

    /// The first place from which on entries were committed at an instant or later.
    async fn first_place_at(&self, at_us: i64) -> Result<u64, StoreError> {
        let newest = self.engine.row(&NEWEST, values![]).await?;
        let end = newest.map_or(Ok(0), |row| row.count("seq"))?.saturating_add(1);
        let (mut low, mut high) = (0_u64, end);
        while low < high {
            let middle = low.midpoint(high);
            match self.engine.row(&TIME_AT, values![middle]).await? {
                Some(row) if row.int("at_us")? < at_us => low = row.count("seq")?.saturating_add(1),
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }
}

/// A search that begins with this condition. The placeholders are the same in each.
macro_rules! matching {
    ($leading:literal) => {
        concat!(
            "select seq, leaf, subject from audit_entries where ",
            $leading,
            " and seq < $11 and seq >= $10 and at_us >= $8 and at_us < $9
            and (cast($1 as text) is null or kind = $1)
            and (cast($2 as text) is null or organisation = $2)
            and (cast($3 as text) is null or person = $3)
            and (cast($4 as text) is null or counterparty = $4)
            and (cast($5 as text) is null or authority = $5)
            and (cast($6 as text) is null or outcome = $6)
            and (cast($7 as text) is null or reason = $7)
            order by seq desc limit $12"
        )
    };
}

statements! {
    BY_SUBJECT = "searches::entries_matching" on "audit_entries":
        matching!("seq in (
            select a.seq from audit_entries a where a.subject = $13
            union
            select a.seq from records r join audit_entries a on a.record_id = r.id
            where r.subject = $13
            union
            select a.seq from records r join deliveries d on d.record_id = r.id
                join audit_entries a on a.delivery_id = d.id
            where r.subject = $13
            union
            select l.seq from looks l where l.subject = $13)
        and not exists (select 1 from log_periods p
            where p.destroyed_at is not null and seq >= p.from_seq and seq < p.until_seq)");
    BY_PERSON = "searches::entries_matching" on "audit_entries": matching!("person = $3");
    BY_REASON = "searches::entries_matching" on "audit_entries": matching!("reason = $7");
    BY_OUTCOME = "searches::entries_matching" on "audit_entries": matching!("outcome = $6");
    BY_AUTHORITY = "searches::entries_matching" on "audit_entries": matching!("authority = $5");
    BY_COUNTERPARTY = "searches::entries_matching" on "audit_entries":
        matching!("counterparty = $4");
    BY_KIND = "searches::entries_matching" on "audit_entries": matching!("kind = $1");
    BY_ORGANISATION = "searches::entries_matching" on "audit_entries":
        matching!("organisation = $2");
    BY_PLACE = "searches::entries_matching" on "audit_entries": matching!("seq >= 0");
    BY_SENDER = "searches::entries_about_messages_of" on "audit_entries":
        matching!("kind = $1 and exists (select 1 from records r
            where r.id = audit_entries.record_id and r.sender = $13)");
    NEWEST = "searches::first_place_at" on "audit_entries":
        "select seq from audit_entries order by seq desc limit 1";
    TIME_AT = "searches::first_place_at" on "audit_entries":
        "select seq, at_us from audit_entries where seq >= $1 order by seq limit 1";
}

/// How far back the clock may have been set between two entries, in microseconds: a day.
const CLOCK_SET_BACK_US: i64 = 24 * 60 * 60 * 1_000_000;
