//! Questions about how records belong together: cases, what supersedes what, what was recalled.

use std::collections::HashMap;

use jiff::Timestamp;
use schemas::{LegId, MessageType, OrganisationCode, RecordId, ServiceCode};

use super::Store;
use super::change::Relations;
use super::engine::statements;
use super::error::StoreError;
use super::row::Row;
use super::value::{Value, values};
use crate::audit::SubjectKey;
use crate::queue::{CaseId, DeliveryId, DeliveryState};

/// A message of a case. No content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseMessage {
    /// The record.
    pub record: RecordId,
    /// What kind of message.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The leg it answers.
    pub about: Option<LegId>,
    /// How it stands to earlier records.
    pub relations: Relations,
    /// The record that took its place.
    pub superseded_by: Option<RecordId>,
}

/// One delivery of a record with its times: whether it was opened, and acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Who receives it.
    pub recipient: OrganisationCode,
    /// The service within the recipient.
    pub service: Option<ServiceCode>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The rule or reason behind the state.
    pub reason: Option<String>,
    /// How often it was pushed.
    pub attempts: u64,
    /// When it was opened: collected or pushed.
    pub delivered_at: Option<Timestamp>,
    /// When its recipient acknowledged it last.
    pub acknowledged_at: Option<Timestamp>,
}

impl Taken {
    /// Whether its bytes have left, or may have: a push whose fate is not known counts.
    pub fn may_have_left(&self) -> bool {
        use DeliveryState::{
            Accepted, Delivered, Failed, Held, Queued, Rejected, Unknown, Withdrawn,
        };
        match self.state {
            Delivered | Accepted | Rejected | Unknown => true,
            Queued | Held | Withdrawn | Failed => self.delivered_at.is_some() || self.attempts > 0,
        }
    }
}

/// What a line of an inbox stands to, for its recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Related {
    /// The recipient's earlier delivery that it takes the place of.
    pub supersedes: Option<DeliveryId>,
    /// The recipient's newer delivery that took its place.
    pub superseded_by: Option<DeliveryId>,
    /// The record that it takes back, and the code of the reason.
    pub recalls: Option<(RecordId, String)>,
}

impl Store {
    /// The messages of a case, oldest first.
    pub async fn messages_of_case(
        &self,
        case: CaseId,
        limit: u32,
    ) -> Result<Vec<CaseMessage>, StoreError> {
        let rows = self.engine.rows(&MESSAGES_OF_CASE, values![case.0, limit]).await?;
        rows.iter().map(message).collect()
    }

    /// Whether an organisation has a record about this person in a case.
    pub async fn case_is_about(
        &self,
        case: CaseId,
        sender: &OrganisationCode,
        subject: SubjectKey,
    ) -> Result<bool, StoreError> {
        let values = values![case.0, sender, subject.0];
        Ok(self.engine.row(&CASE_IS_ABOUT, values).await?.is_some())
    }

    /// The record that took the place of another.
    pub async fn superseded_by(&self, record: RecordId) -> Result<Option<RecordId>, StoreError> {
        let row = self.engine.row(&SUPERSEDED_BY, values![record.0]).await?;
        row.map(|row| row.id("id").map(RecordId)).transpose()
    }

    /// The recalls of a record, oldest first.
    pub async fn recalls_of(&self, record: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let rows = self.engine.rows(&RECALLS_OF, values![record.0]).await?;
        rows.iter().map(|row| row.id("id").map(RecordId)).collect()
    }

    /// The deliveries of a record with their times. Ask under the record's exclusive guard where
    /// the answer decides what goes.
    pub async fn taken(&self, record: RecordId) -> Result<Vec<Taken>, StoreError> {
        let rows = self.engine.rows(&TAKEN, values![record.0]).await?;
        rows.iter().map(taken).collect()
    }

    /// What a recipient's deliveries stand to. Each has an entry, also when it stands to nothing.
    pub async fn related(
        &self,
        recipient: &OrganisationCode,
        deliveries: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, Related>, StoreError> {
        let mut found = HashMap::new();
        for some in deliveries.chunks(AT_ONCE) {
            let ids = some.iter().map(|id| Some(id.0.as_bytes().to_vec()));
            let ids = ids.chain(std::iter::repeat(None)).take(AT_ONCE);
            let mut values = values![recipient];
            values.extend(ids.map(Value::Blob));
            for row in &self.engine.rows(&RELATED, values).await? {
                let recalls = row.maybe_id("recalls")?.map(RecordId);
                let related = Related {
                    supersedes: row.maybe_id("earlier")?.map(DeliveryId),
                    superseded_by: row.maybe_id("newer")?.map(DeliveryId),
                    recalls: recalls.zip(row.maybe_text("recall_reason")?),
                };
                found.insert(DeliveryId(row.id("id")?), related);
            }
        }
        Ok(found)
    }
}

fn message(row: &Row) -> Result<CaseMessage, StoreError> {
    Ok(CaseMessage {
        record: RecordId(row.id("id")?),
        kind: row.name("kind")?,
        sender: row.organisation("sender")?,
        accepted_at: row.time("accepted_at")?,
        about: row.maybe_id("about")?.map(LegId),
        relations: super::records::relations(row)?,
        superseded_by: row.maybe_id("superseded_by")?.map(RecordId),
    })
}

fn taken(row: &Row) -> Result<Taken, StoreError> {
    let service = row.maybe_text("service")?.map(|code| ServiceCode::parse(&code));
    Ok(Taken {
        delivery: DeliveryId(row.id("id")?),
        recipient: row.organisation("recipient")?,
        service: service.transpose().or(Err(row.contradiction("service")))?,
        state: row.name("state")?,
        reason: row.maybe_text("reason")?,
        attempts: row.count("attempts")?,
        delivered_at: row.maybe_time("delivered_at")?,
        acknowledged_at: row.maybe_time("acknowledged_at")?,
    })
}

statements! {
    MESSAGES_OF_CASE = "relations::messages_of_case" on "records":
        "select r.id, r.kind, r.sender, r.accepted_at, r.about, r.case_id, r.supersedes, r.recalls,
            r.recall_reason, n.id as superseded_by
        from records r
        join submissions s on s.id = r.submission_id
        left join records n on n.supersedes = r.id
        where r.case_id = $1 order by s.audit_seq, r.id limit $2";
    CASE_IS_ABOUT = "relations::case_is_about" on "records":
        "select id from records where case_id = $1 and sender = $2 and subject = $3 limit 1";
    SUPERSEDED_BY = "relations::superseded_by" on "records":
        "select id from records where supersedes = $1";
    RECALLS_OF = "relations::recalls_of" on "records":
        "select id from records where recalls = $1 order by accepted_at, id";
    TAKEN = "relations::taken" on "deliveries":
        "select id, recipient, service, state, reason, attempts, delivered_at, acknowledged_at
        from deliveries where record_id = $1 order by audit_seq, id";
    RELATED = "relations::related" on "deliveries":
        "select d.id, r.recalls, r.recall_reason,
            (select p.id from deliveries p
                where p.record_id = r.supersedes and p.recipient = $1
                    and coalesce(p.service, '') = coalesce(d.service, '')
                    and p.delivered_at is not null
                order by p.id limit 1) as earlier,
            (select p.id from records n join deliveries p on p.record_id = n.id
                where n.supersedes = d.record_id and p.recipient = $1
                    and coalesce(p.service, '') = coalesce(d.service, '')
                    and p.state <> 'held' and (p.state <> 'withdrawn' or p.delivered_at is not null)
                order by p.id limit 1) as newer
        from deliveries d join records r on r.id = d.record_id
        where d.recipient = $1 and d.id in (
            $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
}

/// How many deliveries are looked up in one statement.
const AT_ONCE: usize = 16;
