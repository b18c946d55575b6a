//! Questions about agreement to share: the ledger, votes on what is held, the trust in force.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemas::RecordId;

use super::Store;
use super::engine::statements;
use super::error::StoreError;
use super::row::Row;
use super::value::values;
use crate::audit::SubjectKey;
use crate::authority::{ConsentEntry, Override};
use crate::queue::DeliveryId;

impl Store {
    /// A person's consent ledger, oldest first, under every pseudonym that means them. Where
    /// entries were recorded under several, their versions are those of the ledger as one.
    pub async fn consents_for(&self, subject: SubjectKey) -> Result<Vec<ConsentEntry>, StoreError> {
        self.consents_of(&BTreeSet::from([subject])).await
    }

    /// The same of a person who is about to be known under several pseudonyms.
    pub async fn consents_of(
        &self,
        subjects: &BTreeSet<SubjectKey>,
    ) -> Result<Vec<ConsentEntry>, StoreError> {
        let mut ledgers = Vec::new();
        for one in self.pseudonyms_of_all(subjects).await? {
            let entries = self.consents_under(one).await?;
            if !entries.is_empty() {
                ledgers.push(entries);
            }
        }
        if ledgers.len() <= 1 {
            return Ok(ledgers.into_iter().flatten().collect());
        }
        let mut ledger: Vec<ConsentEntry> = ledgers.into_iter().flatten().collect();
        ledger.sort_by_key(|entry| (entry.recorded_at, entry.version));
        for (version, entry) in (1u32..).zip(&mut ledger) {
            entry.version = version;
        }
        Ok(ledger)
    }

    /// What was recorded of a person under one pseudonym alone, oldest first.
    pub async fn consents_under(
        &self,
        subject: SubjectKey,
    ) -> Result<Vec<ConsentEntry>, StoreError> {
        let rows = self.engine.rows(&CONSENTS_FOR, values![subject.0]).await?;
        rows.iter().map(consent).collect()
    }

    /// Agreements given by somebody who no longer decides, of people about whom decisions passed on
    /// in these days (both included), with nothing recorded after them: the person's pseudonym and
    /// the entry.
    pub async fn passed_on(
        &self,
        from: Date,
        to: Date,
        limit: u32,
    ) -> Result<Vec<(SubjectKey, ConsentEntry)>, StoreError> {
        let rows = self.engine.rows(&PASSED_ON, values![from, to, limit]).await?;
        rows.iter().map(with_subject).collect()
    }

    /// Agreements whose last day was in these days (both included), with nothing recorded after
    /// them.
    pub async fn lapsed(
        &self,
        from: Date,
        to: Date,
        limit: u32,
    ) -> Result<Vec<(SubjectKey, ConsentEntry)>, StoreError> {
        let rows = self.engine.rows(&LAPSED, values![from, to, limit]).await?;
        rows.iter().map(with_subject).collect()
    }

    /// Votes to release a held delivery, oldest first.
    pub async fn overrides_for(&self, delivery: DeliveryId) -> Result<Vec<Override>, StoreError> {
        let rows = self.engine.rows(&OVERRIDES_FOR, values![delivery.0]).await?;
        let vote = |row: &Row| {
            Ok(Override {
                person: row.text("person")?,
                organisation: row.organisation("organisation")?,
                basis: row.name("basis")?,
                at: row.time("at_us")?,
            })
        };
        rows.iter().map(vote).collect()
    }
}

fn with_subject(row: &Row) -> Result<(SubjectKey, ConsentEntry), StoreError> {
    Ok((SubjectKey(row.hash("subject")?), consent(row)?))
}

fn consent(row: &Row) -> Result<ConsentEntry, StoreError> {
    Ok(ConsentEntry {
        version: u32::try_from(row.int("version")?).or(Err(row.contradiction("version")))?,
        status: row.name("status")?,
        kind: row.name("kind")?,
        given_by: row.maybe_name("given_by")?,
        decided_on: row.maybe_date("decided_on")?,
        expires_on: row.maybe_date("expires_on")?,
        purposes: row.list("purposes")?,
        exclusions: row.list("exclusions")?,
        recipients: row.list("recipients")?,
        classes: row.list("classes")?,
        restriction: row.maybe_name("restriction")?,
        assessed_on: row.maybe_date("assessed_on")?,
        record: RecordId(row.id("id")?),
        recorded_by: row.organisation("recorded_by")?,
        recorded_at: row.time("recorded_at")?,
    })
}

statements! {
    CONSENTS_FOR = "consents::consents_for" on "consents":
        "select version, status, kind, given_by, decided_on, expires_on, purposes, exclusions,
            recipients, classes, restriction, assessed_on, recorded_by, recorded_at, record_id as id
        from consents where subject = $1 order by version";
    PASSED_ON = "consents::passed_on" on "consents":
        "select c.subject, c.version, c.status, c.kind, c.given_by, c.decided_on, c.expires_on,
            c.purposes, c.exclusions, c.recipients, c.classes, c.restriction, c.assessed_on,
            c.recorded_by, c.recorded_at, c.record_id as id
        from consents c
        where c.subject in (
                select r.subject from records r
                where r.decisions_pass_on >= $1 and r.decisions_pass_on <= $2)
            and c.status = 'given'
            and (c.given_by is null or c.given_by in ('parent', 'local-authority'))
            and not exists (
                select 1 from consents n
                where n.subject = c.subject and n.kind = c.kind and n.version > c.version
                    and n.status not in ('not-recorded', 'restricted', 'lifted'))
        order by c.subject, c.version limit $3";
    LAPSED = "consents::lapsed" on "consents":
        "select c.subject, c.version, c.status, c.kind, c.given_by, c.decided_on, c.expires_on,
            c.purposes, c.exclusions, c.recipients, c.classes, c.restriction, c.assessed_on,
            c.recorded_by, c.recorded_at, c.record_id as id
        from consents c
        where c.expires_on >= $1 and c.expires_on <= $2 and c.status = 'given'
            and not exists (
                select 1 from consents n
                where n.subject = c.subject and n.kind = c.kind and n.version > c.version
                    and n.status not in ('not-recorded', 'restricted', 'lifted'))
        order by c.expires_on, c.subject limit $3";
    OVERRIDES_FOR = "consents::overrides_for" on "overrides":
        "select person, organisation, basis, at_us, delivery_id as id
        from overrides where delivery_id = $1 order by at_us, person";
}
