//! Questions about what passed with a partner on a day, and the statements made of it.
//!
//! A day is a stretch of the log: what was submitted between two entries. Stretches follow each
//! other without gap or overlap, so every item belongs to exactly one day, whatever clocks said.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::Store;
use super::change::Write;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::values;
use super::writes::one;
use crate::queue::{DeliveryId, DeliveryState, LegState, SubmissionId};

/// Which statement: of a partner, a day and a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatementId {
    /// The partner.
    pub partner: OrganisationCode,
    /// The civil day on which it closes.
    pub day: Date,
    /// From 1.
    pub version: u32,
}

/// A stretch of the log, from one entry to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first entry.
    pub from: u64,
    /// The entry after the last.
    pub until: u64,
}

/// A signed statement of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatement {
    /// Which.
    pub id: StatementId,
    /// What of the log it covers.
    pub span: Span,
    /// The signed statement, a compact JWS.
    pub signed: String,
}

/// A signed statement as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// Which.
    pub id: StatementId,
    /// What of the log it covers.
    pub span: Span,
    /// When it was made.
    pub made_at: Timestamp,
    /// The signed statement, a compact JWS.
    pub signed: String,
    /// Whether the partner agreed, once it has answered, and when it did.
    pub answered: Option<(bool, Timestamp)>,
}

/// A difference that a partner found in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDifference {
    /// Its id.
    pub id: Uuid,
    /// The statement.
    pub about: StatementId,
    /// The delivery, record or quarantined item.
    pub item: Uuid,
    /// What the partner says, by code.
    pub code: String,
}

/// A person's explanation of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The code of the explanation.
    pub code: String,
    /// The person, as a keyed pseudonym.
    pub person: String,
    /// That person's organisation.
    pub organisation: OrganisationCode,
}

/// A difference as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDifference {
    /// Its id.
    pub id: Uuid,
    /// The statement it is about.
    pub about: StatementId,
    /// The delivery, record or quarantined item.
    pub item: Uuid,
    /// What the partner says, by code.
    pub code: String,
    /// When the partner said so.
    pub raised_at: Timestamp,
    /// How it was explained, and when.
    pub explained: Option<(Explained, Timestamp)>,
}

/// A record on its way to one recipient, or to none, as a statement counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcelled {
    /// The record.
    pub record: RecordId,
    /// What kind of message.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its delivery; none for what goes to nobody.
    pub delivery: Option<ParcelledTo>,
}

/// The delivery of a [`Parcelled`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelledTo {
    /// The delivery.
    pub id: DeliveryId,
    /// Who receives it.
    pub recipient: OrganisationCode,
    /// The service within the recipient.
    pub service: Option<ServiceCode>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The rule or reason behind the state.
    pub reason: Option<String>,
    /// When it was opened.
    pub delivered_at: Option<Timestamp>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// Where its leg stands, for a request.
    pub leg: Option<LegState>,
}

/// Something that could not be accepted, as a statement counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its id.
    pub id: Uuid,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// The status that the submission was answered with.
    pub status: u16,
    /// The issues, as JSON; positions and rules, never values.
    pub issues: String,
    /// When.
    pub at: Timestamp,
    /// Whether it waited for the scanner, and was taken up again.
    pub retaken: bool,
}

impl Store {
    /// How many entries the log had just before an instant.
    pub async fn entries_before(&self, instant: Timestamp) -> Result<u64, StoreError> {
        let row = self.engine.row(&ENTRIES_BEFORE, values![instant]).await?;
        row.map_or(Ok(0), |row| row.count("size"))
    }

    /// What a partner sent in a stretch of the log, one line for each recipient.
    pub async fn sent_by(
        &self,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Parcelled>, StoreError> {
        self.parcelled(&SENT_BY, partner, span).await
    }

    /// What was sent to a partner in a stretch of the log, as far as the partner may know of it.
    pub async fn sent_to(
        &self,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Parcelled>, StoreError> {
        self.parcelled(&SENT_TO, partner, span).await
    }

    /// What a partner sent before a stretch of the log and that is not settled, or that something
    /// happened to within the stretch.
    pub async fn carried_by(
        &self,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Parcelled>, StoreError> {
        self.parcelled(&CARRIED_BY, partner, span).await
    }

    /// The same of what was sent to a partner, as far as the partner may know of it.
    pub async fn carried_to(
        &self,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Parcelled>, StoreError> {
        self.parcelled(&CARRIED_TO, partner, span).await
    }

    async fn parcelled(
        &self,
        statement: &super::engine::Statement,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Parcelled>, StoreError> {
        let rows = self.engine.rows(statement, values![partner, span.from, span.until]).await?;
        rows.iter().map(parcelled).collect()
    }

    /// What a partner sent in a stretch of the log and that could not be accepted.
    pub async fn refused_of(
        &self,
        partner: &OrganisationCode,
        span: Span,
    ) -> Result<Vec<Refused>, StoreError> {
        let rows = self.engine.rows(&REFUSED_OF, values![partner, span.from, span.until]).await?;
        rows.iter().map(refused).collect()
    }

    /// The statements of a partner, newest first; the newest version of each day.
    pub async fn statements_of(
        &self,
        partner: &OrganisationCode,
        limit: u32,
    ) -> Result<Vec<StoredStatement>, StoreError> {
        let rows = self.engine.rows(&STATEMENTS_OF, values![partner, limit]).await?;
        rows.iter().map(statement).collect()
    }

    /// A partner's statement of a day: of one version, or the newest.
    pub async fn statement(
        &self,
        partner: &OrganisationCode,
        day: Date,
        version: Option<u32>,
    ) -> Result<Option<StoredStatement>, StoreError> {
        let values = values![partner, day, version.map(i64::from)];
        let row = self.engine.row(&STATEMENT, values).await?;
        row.as_ref().map(statement).transpose()
    }

    /// The last statement of a partner before a day, newest version.
    pub async fn statement_before(
        &self,
        partner: &OrganisationCode,
        day: Date,
    ) -> Result<Option<StoredStatement>, StoreError> {
        let row = self.engine.row(&STATEMENT_BEFORE, values![partner, day]).await?;
        row.as_ref().map(statement).transpose()
    }

    /// The first statement of a partner after a day.
    pub async fn statement_after(
        &self,
        partner: &OrganisationCode,
        day: Date,
    ) -> Result<Option<StoredStatement>, StoreError> {
        let row = self.engine.row(&STATEMENT_AFTER, values![partner, day]).await?;
        row.as_ref().map(statement).transpose()
    }

    /// The differences of a partner, or of all, that are open or were explained since an instant;
    /// oldest first.
    pub async fn differences(
        &self,
        partner: Option<&OrganisationCode>,
        explained_since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<StoredDifference>, StoreError> {
        let partner = partner.map(OrganisationCode::as_str);
        let values = values![partner, explained_since, limit];
        let rows = self.engine.rows(&DIFFERENCES, values).await?;
        rows.iter().map(difference).collect()
    }

    /// How many differences of a partner, or of all, are open, and since when the oldest is.
    pub async fn open_differences(
        &self,
        partner: Option<&OrganisationCode>,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        let partner = partner.map(OrganisationCode::as_str);
        match self.engine.row(&OPEN_DIFFERENCES, values![partner]).await? {
            Some(row) => Ok((row.count("still_open")?, row.maybe_time("oldest")?)),
            None => Ok((0, None)),
        }
    }

    /// The difference with an id.
    pub async fn find_difference(&self, id: Uuid) -> Result<Option<StoredDifference>, StoreError> {
        let row = self.engine.row(&FIND_DIFFERENCE, values![id]).await?;
        row.as_ref().map(difference).transpose()
    }
}

/// Writes a statement, its answer, a difference or its explanation.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &Write,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Write::Statement(NewStatement { id, span, signed }) = write {
        let values = values![
            &id.partner,
            id.day,
            id.version,
            span.from,
            span.until,
            now,
            signed.as_bytes().to_vec(),
        ];
        tx.execute(&INSERT_STATEMENT, values).await?;
    }
    if let Write::StatementAnswered(id, agreed) = write {
        let answer = if *agreed { "agreed" } else { "differs" };
        let values = values![&id.partner, id.day, id.version, answer, now];
        one(tx, &ANSWER_STATEMENT, values, "a statement is answered once").await?;
    }
    if let Write::Difference(new) = write {
        let about = &new.about;
        let values = values![
            new.id,
            &about.partner,
            about.day,
            about.version,
            new.item,
            new.code.as_str(),
            now,
        ];
        tx.execute(&INSERT_DIFFERENCE, values).await?;
    }
    if let Write::DifferenceExplained(id, said) = write {
        let values =
            values![*id, said.code.as_str(), said.person.as_str(), &said.organisation, now];
        one(tx, &EXPLAIN_DIFFERENCE, values, "a difference is explained once").await?;
    }
    Ok(())
}

fn parcelled(row: &Row) -> Result<Parcelled, StoreError> {
    let delivery = match row.maybe_id("id")? {
        Some(id) => Some(ParcelledTo {
            id: DeliveryId(id),
            recipient: row.organisation("recipient")?,
            service: row
                .maybe_text("service")?
                .map(|code| ServiceCode::parse(&code).or(Err(row.contradiction("service"))))
                .transpose()?,
            state: row.name("state")?,
            reason: row.maybe_text("reason")?,
            delivered_at: row.maybe_time("delivered_at")?,
            acknowledged_at: row.maybe_time("acknowledged_at")?,
            leg: row.maybe_name("leg_state")?,
        }),
        None => None,
    };
    Ok(Parcelled {
        record: RecordId(row.id("record_id")?),
        kind: row.name("kind")?,
        sender: row.organisation("sender")?,
        submission: SubmissionId(row.id("submission_id")?),
        accepted_at: row.time("accepted_at")?,
        delivery,
    })
}

fn refused(row: &Row) -> Result<Refused, StoreError> {
    Ok(Refused {
        id: row.id("id")?,
        submission: SubmissionId(row.id("submission_id")?),
        status: u16::try_from(row.int("status")?).or(Err(row.contradiction("status")))?,
        issues: row.text("issues")?,
        at: row.time("at_us")?,
        retaken: row.maybe_time("taken_at")?.is_some(),
    })
}

fn version(row: &Row) -> Result<u32, StoreError> {
    u32::try_from(row.int("version")?).or(Err(row.contradiction("version")))
}

fn statement_id(row: &Row) -> Result<StatementId, StoreError> {
    Ok(StatementId {
        partner: row.organisation("partner")?,
        day: row.date("day")?,
        version: version(row)?,
    })
}

fn statement(row: &Row) -> Result<StoredStatement, StoreError> {
    let answer = row.maybe_text("answer")?.map(|answer| answer == "agreed");
    Ok(StoredStatement {
        id: statement_id(row)?,
        span: Span { from: row.count("from_entry")?, until: row.count("until_entry")? },
        made_at: row.time("made_at")?,
        signed: String::from_utf8(row.bytes("statement")?)
            .or(Err(row.contradiction("statement")))?,
        answered: answer.zip(row.maybe_time("answered_at")?),
    })
}

fn difference(row: &Row) -> Result<StoredDifference, StoreError> {
    let explained = match row.maybe_text("explanation")? {
        Some(code) => Some((
            Explained {
                code,
                person: row.text("explained_by")?,
                organisation: row.organisation("explained_for")?,
            },
            row.time("explained_at")?,
        )),
        None => None,
    };
    Ok(StoredDifference {
        id: row.id("id")?,
        about: statement_id(row)?,
        item: row.id("item")?,
        code: row.text("code")?,
        raised_at: row.time("raised_at")?,
        explained,
    })
}

statements! {
    ENTRIES_BEFORE = "reconciliations::entries_before" on "checkpoints":
        "select coalesce(max(size), 0) as size from checkpoints where at_us < $1";
    SENT_BY = "reconciliations::sent_by" on "records":
        "select d.id, r.id as record_id, r.kind, r.sender, r.submission_id, r.accepted_at,
            d.recipient, d.service, d.state, d.reason, d.delivered_at, d.acknowledged_at,
            l.state as leg_state
        from submissions s
        join records r on r.submission_id = s.id
        left join deliveries d on d.record_id = r.id
        left join legs l on l.id = d.id
        where s.audit_seq >= $2 and s.audit_seq < $3 and r.sender = $1
        order by r.accepted_at, r.id, d.audit_seq, d.id";
    SENT_TO = "reconciliations::sent_to" on "deliveries":
        "select d.id, r.id as record_id, r.kind, r.sender, r.submission_id, r.accepted_at,
            d.recipient, d.service, d.state, d.reason, d.delivered_at, d.acknowledged_at,
            l.state as leg_state
        from submissions s
        join records r on r.submission_id = s.id
        join deliveries d on d.record_id = r.id
        left join legs l on l.id = d.id
        where s.audit_seq >= $2 and s.audit_seq < $3 and d.recipient = $1
            and d.state <> 'held' and (d.state <> 'withdrawn' or d.delivered_at is not null)
        order by r.accepted_at, r.id, d.audit_seq, d.id";
    CARRIED_BY = "reconciliations::carried_by" on "deliveries":
        "select d.id, r.id as record_id, r.kind, r.sender, r.submission_id, r.accepted_at,
            d.recipient, d.service, d.state, d.reason, d.delivered_at, d.acknowledged_at,
            l.state as leg_state
        from deliveries d
        join records r on r.id = d.record_id
        join submissions s on s.id = r.submission_id
        left join legs l on l.id = d.id
        where r.sender = $1 and s.audit_seq < $2 and d.id in (
                select o.id from deliveries o
                where o.state in ('queued', 'held', 'failed', 'unknown')
                union
                select e.delivery_id from audit_entries e
                where e.seq >= $2 and e.seq < $3 and e.delivery_id is not null)
        order by r.accepted_at, r.id, d.audit_seq, d.id";
    CARRIED_TO = "reconciliations::carried_to" on "deliveries":
        "select d.id, r.id as record_id, r.kind, r.sender, r.submission_id, r.accepted_at,
            d.recipient, d.service, d.state, d.reason, d.delivered_at, d.acknowledged_at,
            l.state as leg_state
        from deliveries d
        join records r on r.id = d.record_id
        join submissions s on s.id = r.submission_id
        left join legs l on l.id = d.id
        where d.recipient = $1 and s.audit_seq < $2
            and d.state <> 'held' and (d.state <> 'withdrawn' or d.delivered_at is not null)
            and d.id in (
                select o.id from deliveries o
                where o.recipient = $1 and o.state in ('queued', 'failed', 'unknown')
                union
                select e.delivery_id from audit_entries e
                where e.seq >= $2 and e.seq < $3 and e.delivery_id is not null)
        order by r.accepted_at, r.id, d.audit_seq, d.id";
    REFUSED_OF = "reconciliations::refused_of" on "quarantine":
        "select q.id, q.submission_id, q.issues, q.at_us, s.status, h.taken_at
        from submissions s
        join quarantine q on q.submission_id = s.id
        left join held_messages h on h.id = q.id
        where s.audit_seq >= $2 and s.audit_seq < $3 and s.sender = $1
        order by q.at_us, q.id";
    STATEMENTS_OF = "reconciliations::statements_of" on "reconciliations":
        "select partner, day, version, from_entry, until_entry, made_at, statement, answer,
            answered_at
        from reconciliations s
        where partner = $1 and not exists (
            select 1 from reconciliations n
            where n.partner = s.partner and n.day = s.day and n.version > s.version)
        order by day desc limit $2";
    STATEMENT = "reconciliations::statement" on "reconciliations":
        "select partner, day, version, from_entry, until_entry, made_at, statement, answer,
            answered_at
        from reconciliations
        where partner = $1 and day = $2 and (cast($3 as bigint) is null or version = $3)
        order by version desc limit 1";
    STATEMENT_BEFORE = "reconciliations::statement_before" on "reconciliations":
        "select partner, day, version, from_entry, until_entry, made_at, statement, answer,
            answered_at
        from reconciliations where partner = $1 and day < $2
        order by day desc, version desc limit 1";
    STATEMENT_AFTER = "reconciliations::statement_after" on "reconciliations":
        "select partner, day, version, from_entry, until_entry, made_at, statement, answer,
            answered_at
        from reconciliations where partner = $1 and day > $2
        order by day, version limit 1";
    DIFFERENCES = "reconciliations::differences" on "differences":
        "select id, partner, day, version, item, code, raised_at, explanation, explained_by,
            explained_for, explained_at
        from differences
        where (cast($1 as text) is null or partner = $1)
            and (explanation is null
                or (cast($2 as bigint) is not null and explained_at >= $2))
        order by raised_at, id limit $3";
    OPEN_DIFFERENCES = "reconciliations::open_differences" on "differences":
        "select count(*) as still_open, min(raised_at) as oldest
        from differences
        where explanation is null and (cast($1 as text) is null or partner = $1)";
    FIND_DIFFERENCE = "reconciliations::find_difference" on "differences":
        "select id, partner, day, version, item, code, raised_at, explanation, explained_by,
            explained_for, explained_at
        from differences where id = $1";
    INSERT_STATEMENT = "reconciliations::update" on "reconciliations":
        "insert into reconciliations (partner, day, version, from_entry, until_entry, made_at,
            statement)
        values ($1, $2, $3, $4, $5, $6, $7)";
    ANSWER_STATEMENT = "reconciliations::update" on "reconciliations":
        "update reconciliations set answer = $4, answered_at = $5
        where partner = $1 and day = $2 and version = $3 and answer is null";
    INSERT_DIFFERENCE = "reconciliations::update" on "differences":
        "insert into differences (id, partner, day, version, item, code, raised_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    EXPLAIN_DIFFERENCE = "reconciliations::update" on "differences":
        "update differences set explanation = $2, explained_by = $3, explained_for = $4,
            explained_at = $5
        where id = $1 and explanation is null";
}
