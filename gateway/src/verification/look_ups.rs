//! The look-ups of the log's periods, compared with its entries: who stands beside an entry must
//! have the leaf's alias, and a look-up is gone only where an entry says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Entry;
use crate::audit::alias::Period;
use crate::audit::found_by::FoundBy;
use crate::audit::verify::{Fault, FaultKind, LookUp, LookUpFault};
use crate::look_up;
use crate::store::{AuditRow, LogPeriod, Store, StoreError};

/// The periods of a log, and what its entries say of them.
pub(super) struct LookUps<'a> {
    store: &'a Store,
    periods: Vec<LogPeriod>,
    locked: BTreeSet<Period>,
    /// By period: the entry that says that its look-up was destroyed, and of which entries.
    told: BTreeMap<Period, (u64, (u64, u64))>,
}

impl<'a> LookUps<'a> {
    pub(super) async fn of(store: &'a Store) -> Result<Self, StoreError> {
        let periods = store.log_periods().await?;
        Ok(Self { store, periods, locked: BTreeSet::new(), told: BTreeMap::new() })
    }

    /// What an entry is found by as its leaf must have it, and how far that can be told.
    pub(super) fn beside(&mut self, row: &AuditRow, found_by: FoundBy) -> (FoundBy, LookUp) {
        if found_by.kind == look_up::DESTROYED {
            let told = Entry::parse(&row.leaf).ok();
            let told = told.and_then(|entry| look_up::destroyed_by(&entry.event));
            self.told.extend(told.map(|(period, stretch)| (period, (row.seq, stretch))));
        }
        // Outside any period the leaf has the pseudonym itself.
        let Some(period) = self.periods.iter().rev().find(|period| period.holds(row.seq)) else {
            return (found_by, LookUp::Kept);
        };
        if period.destroyed_at.is_some() {
            return (found_by, LookUp::Destroyed);
        }
        let Some(subject) = found_by.subject else { return (found_by, LookUp::Kept) };
        if self.locked.contains(&period.period) {
            return (found_by, LookUp::Locked);
        }
        if let Ok(alias) = self.store.alias_in(period, subject) {
            return (FoundBy { subject: Some(alias), ..found_by }, LookUp::Kept);
        }
        self.locked.insert(period.period);
        (found_by, LookUp::Locked)
    }

    /// What is wrong with the look-ups themselves.
    pub(super) fn faults(self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |first_bad, period, look_up| {
            faults.push(Fault { first_bad, what: FaultKind::LookUp { period, look_up } });
        };
        for LogPeriod { period, from, until, destroyed_at, .. } in self.periods {
            let told = self.told.get(&period).copied();
            match (destroyed_at, told) {
                (Some(_), Some((_, stretch))) if Some(stretch.1) == until && stretch.0 == from => {}
                (_, Some((entry, _))) => fault(Some(entry), period, LookUpFault::Back),
                (Some(_), None) => fault(Some(from), period, LookUpFault::Gone),
                (None, None) => {}
            }
        }
        for period in self.locked {
            fault(None, period, LookUpFault::Locked);
        }
        faults
    }
}
