//! What the watch over the log keeps beside it: how far it has looked, who looked at whom lately,
//! what goes where, and by which marks somebody's own are told.
//!
//! All of it but the marks is worked out from the log, and could be again. Moving on is
//! bookkeeping: it is in the log only together with the alerts it raised.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::{MessageType, OrganisationCode};

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::values;
use super::writes::one;
use crate::audit::SubjectKey;

/// What is written for the watch.
#[derive(Debug)]
pub enum WatchWrite {
    /// Entries were looked at. Fails when another gateway did it first.
    Watched(Watched),
    /// The marks of whoever a record is about.
    SubjectMarks(SubjectKey, BTreeSet<Mark>),
    /// An organisation's staff, in place of the list before.
    Staff(OrganisationCode, Vec<StaffMember>),
}

/// Entries that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// The first of them.
    pub from: u64,
    /// The first after them.
    pub until: u64,
    /// When the watch began to know what goes where, if it did not before.
    pub began_at: Option<Timestamp>,
    /// The looks among them.
    pub looks: Vec<WatchedLook>,
    /// What went where.
    pub ways: Vec<WatchedWay>,
    /// Looks before this are forgotten.
    pub forget_before: Option<Timestamp>,
}

/// A look at a record or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedLook {
    /// The entry of the log.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Whose person or system.
    pub organisation: String,
    /// Who: a pseudonym, or `local`.
    pub person: Option<String>,
    /// At whose record.
    pub subject: Option<SubjectKey>,
    /// How many people were on a list.
    pub listed: u64,
}

/// A type of message that went from one organisation to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedWay {
    /// From whom.
    pub sender: String,
    /// To whom.
    pub recipient: OrganisationCode,
    /// What.
    pub kind: MessageType,
    /// When.
    pub at: Timestamp,
}

/// What a family name or a postcode is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A keyed hash of a family name, or of a part of one.
    Surname([u8; 32]),
    /// A keyed hash of a postcode.
    Postcode([u8; 32]),
}

impl Mark {
    fn parts(self) -> (&'static str, [u8; 32]) {
        match self {
            Self::Surname(mark) => ("surname", mark),
            Self::Postcode(mark) => ("postcode", mark),
        }
    }
}

/// One of an organisation's staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    /// Their pseudonym there.
    pub person: String,
    /// Their family names and postcodes, as marks.
    pub marks: BTreeSet<Mark>,
}

/// How far the watch has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedTo {
    /// The first entry that was not looked at.
    pub seq: u64,
    /// Since when it is known what goes where.
    pub began_at: Option<Timestamp>,
}

/// What somebody who looks has in common with whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InCommon {
    /// How many of the organisation's staff have the family name that both have; the rarest counts.
    pub surname_shared_by: Option<u64>,
    /// Whether both have a postcode.
    pub same_postcode: bool,
}

impl Store {
    /// How far the watch has looked.
    pub async fn watched_to(&self) -> Result<WatchedTo, StoreError> {
        let missing =
            || StoreError::Contradiction { table: "watch", column: "id", row: "1".to_owned() };
        let row = self.engine.row(&WATCHED_TO, values![]).await?.ok_or_else(missing)?;
        Ok(WatchedTo { seq: row.count("seq")?, began_at: row.maybe_time("began_at")? })
    }

    /// Moves the watch on past entries of which nothing was odd. Bookkeeping.
    pub async fn watch_on(&self, watched: &Watched) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        match move_on(&mut tx, watched).await {
            Ok(()) => tx.commit().await,
            Err(error) => {
                drop(tx.rollback().await);
                Err(error)
            }
        }
    }

    /// What a person, or a whole organisation, looked at after an instant and up to an entry, newest
    /// first, at most so many.
    pub async fn looks_since(
        &self,
        (organisation, person): (&str, Option<&str>),
        since: Timestamp,
        before: u64,
        limit: u32,
    ) -> Result<Vec<WatchedLook>, StoreError> {
        let values = values![organisation, person, since, before, limit];
        let statement = if person.is_some() { &LOOKS_OF_PERSON } else { &LOOKS_OF_ORGANISATION };
        let rows = self.engine.rows(statement, values).await?;
        let look = |row: &Row| {
            Ok(WatchedLook {
                seq: row.count("seq")?,
                at: row.time("at_us")?,
                organisation: row.text("organisation")?,
                person: row.maybe_text("person")?,
                subject: row.maybe_subject("subject")?,
                listed: row.count("listed")?,
            })
        };
        rows.iter().map(look).collect()
    }

    /// When a type of message last went from one organisation to another, or anything at all.
    pub async fn last_way(
        &self,
        sender: &str,
        recipient: &str,
        kind: Option<MessageType>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let kind = kind.map(|kind| kind.as_str().to_owned());
        let row = self.engine.row(&LAST_WAY, values![sender, recipient, kind]).await?;
        row.map_or(Ok(None), |row| row.maybe_time("last_at"))
    }

    /// What a person of an organisation has in common with whose record it is, under any pseudonym
    /// that means them.
    pub async fn in_common(
        &self,
        (organisation, person): (&str, &str),
        subject: SubjectKey,
    ) -> Result<InCommon, StoreError> {
        let mut found = InCommon::default();
        for one in self.pseudonyms_of(subject).await? {
            let rows = self.engine.rows(&IN_COMMON, values![organisation, person, one.0]).await?;
            for row in &rows {
                if row.text("kind")? == "postcode" {
                    found.same_postcode = true;
                } else {
                    let shared = row.count("shared")?;
                    let rarest = found.surname_shared_by.unwrap_or(u64::MAX).min(shared);
                    found.surname_shared_by = Some(rarest);
                }
            }
        }
        Ok(found)
    }
}

/// Makes the change; part of a commit.
pub(super) async fn update(tx: &mut Transaction, write: &WatchWrite) -> Result<(), StoreError> {
    match write {
        WatchWrite::Watched(watched) => move_on(tx, watched).await,
        WatchWrite::SubjectMarks(subject, marks) => {
            for mark in marks {
                let (kind, mark) = mark.parts();
                tx.execute(&SUBJECT_MARK, values![subject.0, kind, mark]).await?;
            }
            Ok(())
        }
        WatchWrite::Staff(organisation, staff) => {
            tx.execute(&NO_STAFF, values![organisation]).await?;
            for member in staff {
                for mark in &member.marks {
                    let (kind, mark) = mark.parts();
                    let values = values![organisation, member.person.as_str(), kind, mark];
                    tx.execute(&STAFF_MARK, values).await?;
                }
            }
            Ok(())
        }
    }
}

async fn move_on(tx: &mut Transaction, watched: &Watched) -> Result<(), StoreError> {
    let values = values![watched.from, watched.until, watched.began_at];
    one(tx, &WATCH_ON, values, LOOKED_AT).await?;
    for look in &watched.looks {
        let values = values![
            look.seq,
            look.at,
            look.organisation.as_str(),
            look.person.as_deref(),
            look.subject.map(|subject| subject.0),
            look.listed,
        ];
        tx.execute(&LOOK, values).await?;
    }
    for way in &watched.ways {
        let values = values![way.sender.as_str(), &way.recipient, way.kind.as_str(), way.at];
        tx.execute(&WAY, values).await?;
    }
    if let Some(before) = watched.forget_before {
        tx.execute(&FORGET, values![before]).await?;
    }
    Ok(())
}

statements! {
    WATCHED_TO = "watch::watched_to" on "watch":
        "select seq, began_at from watch where id = 1";
    LOOKS_OF_PERSON = "watch::looks_since" on "watched_looks":
        "select seq, at_us, organisation, person, subject, listed from watched_looks
        where organisation = $1 and person = $2 and at_us > $3 and seq < $4
        order by at_us desc, seq desc limit $5";
    LOOKS_OF_ORGANISATION = "watch::looks_since" on "watched_looks":
        "select seq, at_us, organisation, person, subject, listed from watched_looks
        where organisation = $1 and cast($2 as text) is null and at_us > $3 and seq < $4
        order by at_us desc, seq desc limit $5";
    LAST_WAY = "watch::last_way" on "watched_ways":
        "select max(last_at) as last_at from watched_ways
        where sender = $1 and recipient = $2 and (cast($3 as text) is null or kind = $3)";
    IN_COMMON = "watch::in_common" on "subject_marks":
        "select m.kind as kind, (select count(distinct o.person) from staff_marks o
            where o.organisation = s.organisation and o.kind = s.kind and o.mark = s.mark) as shared
        from staff_marks s join subject_marks m on m.kind = s.kind and m.mark = s.mark
        where s.organisation = $1 and s.person = $2 and m.subject = $3";
    WATCH_ON = "watch::move_on" on "watch":
        "update watch set seq = $2, began_at = coalesce(began_at, $3) where id = 1 and seq = $1";
    LOOK = "watch::move_on" on "watched_looks":
        "insert into watched_looks (seq, at_us, organisation, person, subject, listed)
        values ($1, $2, $3, $4, $5, $6)";
    WAY = "watch::move_on" on "watched_ways":
        "insert into watched_ways (sender, recipient, kind, last_at) values ($1, $2, $3, $4)
        on conflict (sender, recipient, kind) do update set last_at = excluded.last_at";
    FORGET = "watch::move_on" on "watched_looks":
        "delete from watched_looks where at_us < $1";
    SUBJECT_MARK = "watch::update" on "subject_marks":
        "insert into subject_marks (subject, kind, mark) values ($1, $2, $3)
        on conflict (subject, kind, mark) do nothing";
    NO_STAFF = "watch::update" on "staff_marks":
        "delete from staff_marks where organisation = $1";
    STAFF_MARK = "watch::update" on "staff_marks":
        "insert into staff_marks (organisation, person, kind, mark) values ($1, $2, $3, $4)
        on conflict (organisation, person, kind, mark) do nothing";
}

/// The rule of a conflict: another gateway has looked at these entries.
pub const LOOKED_AT: &str = "another gateway has looked at these entries";
