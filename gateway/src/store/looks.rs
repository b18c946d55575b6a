//! Whose lines a list had that somebody looked at.
//!
//! Written in the commit of the look, with the salts behind the hash in its entry
//! ([`Looked`]). Must never know what the list was of.

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
}

pub(super) const LOOKS: Insert = Insert {
    name: "looks::rows",
    table: "looks",
    cells: &[("seq", "?"), ("subject", "?"), ("salt", "?")],
};
