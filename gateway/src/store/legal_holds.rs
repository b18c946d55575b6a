//! Legal holds: what must not be removed while somebody may still ask for it.

use jiff::Timestamp;
use schemas::OrganisationCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::restores;
use super::row::Row;
use super::value::{name_of, values};
use super::writes::one;
use crate::audit::SubjectKey;
use crate::queue::CaseId;

/// What a legal hold is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldScope {
    /// Everything about a person.
    Person(SubjectKey),
    /// Everything of a case.
    Case(CaseId),
    /// Everything there is: an inquiry.
    Everything,
}

/// The name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeName {
    /// A person.
    Person,
    /// A case.
    Case,
    /// Everything.
    Everything,
}

/// Who acted about a legal hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldActor {
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// The person, as a keyed pseudonym of their organisation.
    pub person: String,
    /// The pseudonym they have in every organisation.
    pub who: String,
}

/// A legal hold as it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLegalHold {
    /// Its id.
    pub id: Uuid,
    /// What it is on.
    pub scope: HeldScope,
    /// Why, a code.
    pub reason: String,
    /// The reference of whoever ordered it.
    pub reference: String,
    /// By whom.
    pub by: HoldActor,
}

/// How a legal hold was lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// Why, a code.
    pub reason: String,
    /// By whom.
    pub by: HoldActor,
}

/// A legal hold as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLegalHold {
    /// What was placed.
    pub hold: NewLegalHold,
    /// When.
    pub placed_at: Timestamp,
    /// How and when it was lifted, if it was.
    pub lifted: Option<(Lifted, Timestamp)>,
}

impl HeldScope {
    /// Its name.
    pub fn name(self) -> ScopeName {
        match self {
            Self::Person(_) => ScopeName::Person,
            Self::Case(_) => ScopeName::Case,
            Self::Everything => ScopeName::Everything,
        }
    }
}

impl Store {
    /// Every legal hold there ever was, oldest first; few.
    pub async fn legal_holds(&self) -> Result<Vec<StoredLegalHold>, StoreError> {
        let rows = self.engine.rows(&LEGAL_HOLDS, values![]).await?;
        rows.iter().map(hold).collect()
    }

    /// The legal hold with an id.
    pub async fn legal_hold(&self, id: Uuid) -> Result<Option<StoredLegalHold>, StoreError> {
        let row = self.engine.row(&LEGAL_HOLD, values![id]).await?;
        row.as_ref().map(hold).transpose()
    }
}

/// Legal holds are those that were read, and none may have been lost: a restored database has
/// forgotten those that were placed since the backup.
pub(super) async fn are(tx: &mut Transaction, placed: u64, lifted: u64) -> Result<(), StoreError> {
    if restores::is_held(tx).await? {
        return Err(StoreError::HeldAfterRestore);
    }
    let rows = tx.rows(&COUNTS, values![]).await?;
    let Some(row) = rows.first() else { return Err(StoreError::Conflict { rule: HOLDS_MOVED }) };
    if (row.count("placed")?, row.count("lifted")?) == (placed, lifted) {
        Ok(())
    } else {
        Err(StoreError::Conflict { rule: HOLDS_MOVED })
    }
}

pub(super) async fn place(
    tx: &mut Transaction,
    new: &NewLegalHold,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (subject, case) = match new.scope {
        HeldScope::Person(subject) => (Some(subject.0), None),
        HeldScope::Case(case) => (None, Some(case.0)),
        HeldScope::Everything => (None, None),
    };
    let values = values![
        new.id,
        name_of(new.scope.name()),
        subject,
        case,
        new.reason.as_str(),
        new.reference.as_str(),
        &new.by.organisation,
        new.by.person.as_str(),
        new.by.who.as_str(),
        now,
    ];
    tx.execute(&PLACE, values).await.map(drop)
}

pub(super) async fn lift(
    tx: &mut Transaction,
    id: Uuid,
    lifted: &Lifted,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = values![
        id,
        lifted.reason.as_str(),
        &lifted.by.organisation,
        lifted.by.person.as_str(),
        lifted.by.who.as_str(),
        now,
    ];
    one(tx, &LIFT, values, "a legal hold is lifted once, by another person").await
}

fn hold(row: &Row) -> Result<StoredLegalHold, StoreError> {
    let scope = match row.name("scope")? {
        ScopeName::Person => HeldScope::Person(SubjectKey(row.hash("subject")?)),
        ScopeName::Case => HeldScope::Case(CaseId(row.id("case_id")?)),
        ScopeName::Everything => HeldScope::Everything,
    };
    let lifted = match row.maybe_time("lifted_at")? {
        None => None,
        Some(at) => Some((
            Lifted {
                reason: row.text("lifted_reason")?,
                by: HoldActor {
                    organisation: row.organisation("lifted_for")?,
                    person: row.text("lifted_by")?,
                    who: row.text("lifted_who")?,
                },
            },
            at,
        )),
    };
    Ok(StoredLegalHold {
        hold: NewLegalHold {
            id: row.id("id")?,
            scope,
            reason: row.text("reason")?,
            reference: row.text("reference")?,
            by: HoldActor {
                organisation: row.organisation("placed_for")?,
                person: row.text("placed_by")?,
                who: row.text("placed_who")?,
            },
        },
        placed_at: row.time("placed_at")?,
        lifted,
    })
}

/// The rule by which a removal fails when legal holds changed since they were read.
pub const HOLDS_MOVED: &str = "the legal holds have changed meanwhile";

statements! {
    LEGAL_HOLDS = "legal_holds::legal_holds" on "legal_holds":
        "select id, scope, subject, case_id, reason, reference, placed_for, placed_by, placed_who,
            placed_at, lifted_reason, lifted_for, lifted_by, lifted_who, lifted_at
        from legal_holds order by placed_at, id";
    LEGAL_HOLD = "legal_holds::legal_hold" on "legal_holds":
        "select id, scope, subject, case_id, reason, reference, placed_for, placed_by, placed_who,
            placed_at, lifted_reason, lifted_for, lifted_by, lifted_who, lifted_at
        from legal_holds where id = $1";
    COUNTS = "legal_holds::are" on "legal_holds":
        "select count(*) as placed, count(lifted_at) as lifted from legal_holds";
    PLACE = "legal_holds::place" on "legal_holds":
        "insert into legal_holds (id, scope, subject, case_id, reason, reference, placed_for,
            placed_by, placed_who, placed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    LIFT = "legal_holds::lift" on "legal_holds":
        "update legal_holds set lifted_reason = $2, lifted_for = $3, lifted_by = $4,
            lifted_who = $5, lifted_at = $6
        where id = $1 and lifted_at is null and placed_who <> $5";
}
