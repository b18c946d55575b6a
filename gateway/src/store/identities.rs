//! Who people are: pseudonyms that mean one person, deaths, cases, and who acted for a sender.
//!
//! What is kept about a person stays under the pseudonym it came in under. Every question about a
//! person (ledger, guards, legs, what is on its way, history) is asked for all pseudonyms that
//! mean that person, so that what one says follows the person to the others.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{OrganisationCode, RecordId};

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::sends;
use super::value::{name_of, values};
use crate::audit::SubjectKey;

/// Writes about who people are.
#[derive(Debug)]
pub enum IdentityWrite {
    /// Who acted for the sender of a record, as the pseudonym they have in every organisation.
    ActedFor(RecordId, String),
    /// A case is about this person. Fails when it is about another one meanwhile.
    CaseOpened(CaseKey, CasePerson, RecordId),
    /// An event about a person's identity.
    Identity(NewIdentity),
}

/// A case: the authority, and a keyed hash of its reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseKey {
    /// The authority whose reference it is.
    pub owner: OrganisationCode,
    /// A keyed hash of the reference.
    pub reference: [u8; 32],
}

/// About whom a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CasePerson {
    /// The pseudonym.
    pub subject: SubjectKey,
    /// HMAC of date of birth and family name.
    pub demographics: [u8; 32],
}

/// What an identity event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// Two identifiers are one person's.
    Match,
    /// Two records became one.
    Merge,
    /// The person died.
    Death,
}

/// An event about a person's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentity {
    /// The record that says so.
    pub record: RecordId,
    /// What it says.
    pub kind: IdentityKind,
    /// The pseudonym used before.
    pub old: SubjectKey,
    /// The pseudonym used from then on; for a death the same.
    pub subject: SubjectKey,
    /// HMAC of date of birth and family name as now known.
    pub demographics: [u8; 32],
    /// The date from which it holds.
    pub effective_on: Date,
    /// Who said so.
    pub recorded_by: OrganisationCode,
    /// When.
    pub recorded_at: Timestamp,
}

impl Store {
    /// Every pseudonym that means the same person, this one included.
    pub async fn pseudonyms_of(
        &self,
        subject: SubjectKey,
    ) -> Result<BTreeSet<SubjectKey>, StoreError> {
        self.pseudonyms_of_all(&BTreeSet::from([subject])).await
    }

    /// The same for several people together.
    pub async fn pseudonyms_of_all(
        &self,
        subjects: &BTreeSet<SubjectKey>,
    ) -> Result<BTreeSet<SubjectKey>, StoreError> {
        let mut known = subjects.clone();
        let mut ask: Vec<SubjectKey> = subjects.iter().copied().collect();
        while let Some(next) = ask.pop() {
            for row in self.engine.rows(&ALIASES, values![next.0]).await? {
                for column in ["old_subject", "subject"] {
                    let found = row.maybe_subject(column)?;
                    ask.extend(found.filter(|found| known.insert(*found)));
                }
            }
        }
        Ok(known)
    }

    /// The details of a person that identity events have said are right, besides those of their
    /// records.
    pub async fn accepted_demographics(
        &self,
        subject: SubjectKey,
    ) -> Result<BTreeSet<[u8; 32]>, StoreError> {
        let mut accepted = BTreeSet::new();
        for one in self.pseudonyms_of(subject).await? {
            for row in self.engine.rows(&ALIASES, values![one.0]).await? {
                accepted.insert(row.hash("demographics")?);
            }
        }
        Ok(accepted)
    }

    /// The pseudonym that a record said somebody has, who had another one before.
    pub async fn said_to_be(
        &self,
        record: RecordId,
        old: SubjectKey,
    ) -> Result<Option<SubjectKey>, StoreError> {
        let row = self.engine.row(&SAID_TO_BE, values![record.0, old.0]).await?;
        row.map(|row| row.hash("subject").map(SubjectKey)).transpose()
    }

    /// Since when it is on record that a person died, if it is.
    pub async fn death_of(&self, subject: SubjectKey) -> Result<Option<Timestamp>, StoreError> {
        let mut newest = None;
        for one in self.pseudonyms_of(subject).await? {
            if let Some(row) = self.engine.row(&DEATH_OF, values![one.0]).await? {
                newest = newest.max(Some(row.time("recorded_at")?));
            }
        }
        Ok(newest)
    }

    /// About whom a case is, when anything of it was accepted.
    pub async fn find_case(&self, case: &CaseKey) -> Result<Option<CasePerson>, StoreError> {
        let row = self.engine.row(&FIND_CASE, values![&case.owner, case.reference]).await?;
        row.as_ref().map(person).transpose()
    }

    /// Whether an organisation has sent, or was sent, anything about a person.
    pub async fn has_dealt_with(
        &self,
        organisation: &OrganisationCode,
        subject: SubjectKey,
    ) -> Result<bool, StoreError> {
        for one in self.pseudonyms_of(subject).await? {
            let dealt = self.engine.row(&HAS_DEALT_WITH, values![one.0, organisation]).await?;
            if dealt.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who acted for the sender of a record, as the pseudonym they have in every organisation.
    pub async fn acted_for(&self, record: RecordId) -> Result<Option<String>, StoreError> {
        let row = self.engine.row(&WHO_ACTED, values![record.0]).await?;
        row.map(|row| row.text("who")).transpose()
    }
}

/// Applies a write about who people are; part of a commit.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &IdentityWrite,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        IdentityWrite::ActedFor(record, who) => {
            tx.execute(&ACTED_FOR, values![record.0, who.as_str()]).await.map(drop)
        }
        IdentityWrite::CaseOpened(case, about, record) => {
            let values =
                values![&case.owner, case.reference, about.subject.0, about.demographics, record.0];
            if tx.execute(&CASE_OPENED, values).await? == 1 {
                return Ok(());
            }
            let rows = tx.rows(&FIND_CASE, values![&case.owner, case.reference]).await?;
            match rows.first().map(person).transpose()? {
                Some(same) if same == *about => Ok(()),
                _ => {
                    Err(StoreError::Conflict { rule: "the case is about another person meanwhile" })
                }
            }
        }
        IdentityWrite::Identity(new) => {
            // What is leaving about either goes first; what comes later asks again.
            sends::nobody(tx, new.old, now).await?;
            sends::nobody(tx, new.subject, now).await?;
            let values = values![
                new.record.0,
                name_of(new.kind),
                new.old.0,
                new.subject.0,
                new.demographics,
                new.effective_on,
                &new.recorded_by,
                new.recorded_at,
            ];
            tx.execute(&IDENTITY, values).await.map(drop)
        }
    }
}

fn person(row: &Row) -> Result<CasePerson, StoreError> {
    let subject = row.maybe_subject("subject")?.ok_or_else(|| row.contradiction("subject"))?;
    Ok(CasePerson { subject, demographics: row.hash("demographics")? })
}

statements! {
    ALIASES = "identities::pseudonyms_of" on "identities":
        "select old_subject, subject, demographics from identities
        where old_subject = $1 or subject = $1";
    SAID_TO_BE = "identities::said_to_be" on "identities":
        "select subject from identities where record_id = $1 and old_subject = $2";
    DEATH_OF = "identities::death_of" on "identities":
        "select recorded_at from identities where subject = $1 and kind = 'death'
        order by recorded_at desc limit 1";
    FIND_CASE = "identities::find_case" on "cases":
        "select subject, demographics from cases where owner = $1 and reference = $2";
    HAS_DEALT_WITH = "identities::has_dealt_with" on "records":
        "select r.id from records r where r.subject = $1 and (r.sender = $2 or exists (
            select 1 from deliveries d where d.record_id = r.id and d.recipient = $2
                and d.state not in ('held', 'withdrawn')))
        limit 1";
    WHO_ACTED = "identities::acted_for" on "record_people":
        "select who from record_people where record_id = $1";
    ACTED_FOR = "identities::update" on "record_people":
        "insert into record_people (record_id, who) values ($1, $2)";
    CASE_OPENED = "identities::update" on "cases":
        "insert into cases (owner, reference, subject, demographics, record_id)
        values ($1, $2, $3, $4, $5) on conflict (owner, reference) do nothing";
    IDENTITY = "identities::update" on "identities":
        "insert into identities (record_id, kind, old_subject, subject, demographics, effective_on,
            recorded_by, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
}
