//! Whose lines a list had that somebody looked at.
//!
//! Written in the commit of the look, with the salts behind the hash in its entry
//! ([`Looked`]). Must never know what the list was of.

use std::collections::BTreeSet;

use schemas::RecordId;

use super::Store;
use super::engine::{Insert, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{Value, values};
use crate::audit::SubjectKey;
use crate::audit::looked::{Looked, Salted};

impl Store {
    /// Who was on the list that an entry says was looked at, in order of pseudonym.
    pub async fn looked_at(&self, seq: u64) -> Result<Looked, StoreError> {
        let rows = self.engine.rows(&LOOKED_AT, values![seq]).await?;
        let people: Result<Vec<Salted>, StoreError> = rows.iter().map(salted).collect();
        Ok(Looked::from(people?))
    }

    /// Whom these records are about, each once, under the pseudonyms that the records have.
    pub async fn people_of(
        &self,
        records: &[RecordId],
    ) -> Result<BTreeSet<SubjectKey>, StoreError> {
        let mut people = BTreeSet::new();
        let records: BTreeSet<RecordId> = records.iter().copied().collect();
        let records: Vec<RecordId> = records.into_iter().collect();
        for some in records.chunks(RECORDS) {
            let ids = some.iter().map(|record| Some(record.0.as_bytes().to_vec()));
            let ids = ids.chain(std::iter::repeat(None)).take(RECORDS).map(Value::Blob);
            for row in &self.engine.rows(&PEOPLE_OF, ids.collect()).await? {
                people.extend(row.maybe_subject("subject")?);
            }
        }
        Ok(people)
    }

    /// Every look at a list, in order of its entry, from a place on: its entry and who was on it.
    /// At least one whole look, when there are any; the next begins after the last.
    pub async fn looks_from(&self, seq: u64) -> Result<Vec<(u64, Looked)>, StoreError> {
        let mut looks: Vec<(u64, Vec<Salted>)> = Vec::new();
        for row in &self.engine.rows(&LOOKS_FROM, values![seq, LOOKS_AT_ONCE]).await? {
            let (seq, one) = (row.count("seq")?, salted(row)?);
            match looks.last_mut().filter(|(last, _)| *last == seq) {
                Some((_, people)) => people.push(one),
                None => looks.push((seq, vec![one])),
            }
        }
        Ok(looks.into_iter().map(|(seq, people)| (seq, Looked::from(people))).collect())
    }
}

/// The rows of a look, for an entry.
pub(super) fn rows(looked: &Looked, seq: u64) -> Vec<Vec<Value>> {
    let rows = looked.people().iter();
    rows.map(|one| values![seq, one.subject.0, one.salt.to_vec()]).collect()
}

fn salted(row: &Row) -> Result<Salted, StoreError> {
    let salt = row.bytes("salt")?.try_into().or(Err(row.contradiction("salt")))?;
    Ok(Salted { subject: SubjectKey(row.hash("subject")?), salt })
}

statements! {
    LOOKED_AT = "looks::looked_at" on "looks":
        "select seq, subject, salt from looks where seq = $1 order by subject";
    LOOKS_FROM = "looks::looks_from" on "looks":
        "select seq, subject, salt from looks where seq in (
            select distinct seq from looks where seq >= $1 order by seq limit $2)
        order by seq, subject";
    PEOPLE_OF = "looks::people_of" on "records":
        "select distinct subject from records
        where subject is not null and id in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
            $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
            $30, $31, $32)";
}

pub(super) const LOOKS: Insert = Insert {
    name: "looks::rows",
    table: "looks",
    cells: &[("seq", "?"), ("subject", "?"), ("salt", "?")],
};

/// How many records one statement asks about.
const RECORDS: usize = 32;

/// How many looks are read at once; each may be at a list of hundreds.
const LOOKS_AT_ONCE: u32 = 200;
