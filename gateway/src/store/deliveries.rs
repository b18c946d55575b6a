//! Questions about deliveries, and the leases on them.
//!
//! A lease is bookkeeping: it says which worker may attempt a delivery until when, and is not
//! audited; the attempt is. Claiming touches the two lease columns and nothing else. A lease that
//! lapses lets the delivery be claimed again: that is how a worker that died is replaced, and why
//! a recipient may see a message twice.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use schemas::{OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use crate::audit::SubjectKey;
use crate::queue::{Delivery, DeliveryId, DeliveryState, Lease};

/// A place in an inbox: after this delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxPlace {
    /// Since when that delivery may go.
    pub available_at: Timestamp,
    /// That delivery.
    pub id: DeliveryId,
}

impl Store {
    /// The delivery with an id.
    pub async fn find_delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let row = self.engine.row(&FIND_DELIVERY, values![id.0]).await?;
        row.as_ref().map(delivery).transpose()
    }

    /// What a recipient may collect, in these states, oldest first. Deliveries that are pushed are
    /// not in the inbox.
    pub async fn inbox(
        &self,
        recipient: &OrganisationCode,
        states: &[DeliveryState],
        after: Option<InboxPlace>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let since = after.map_or(i64::MIN, |place| place.available_at.as_microsecond());
        let past = after.map(|place| place.id.0.as_bytes().to_vec()).unwrap_or_default();
        let mut values = values![recipient, self.clock.now(), since, past, limit];
        // A list has as many places as there are states; absent ones match nothing.
        let names = states.iter().map(|state| Some(name_of(*state)));
        let places = names.chain(std::iter::repeat(None)).take(STATES);
        values.extend(places.map(super::value::Value::Text));
        let rows = self.engine.rows(&INBOX, values).await?;
        rows.iter().map(delivery).collect()
    }

    /// All deliveries of a record.
    pub async fn deliveries_of(&self, record: RecordId) -> Result<Vec<Delivery>, StoreError> {
        let rows = self.engine.rows(&DELIVERIES_OF, values![record.0]).await?;
        rows.iter().map(delivery).collect()
    }

    /// What is still on its way about a person: queued or held. Ask under that person's exclusive
    /// guard, or the answer may be old before it arrives. All pseudonyms of the person count.
    pub async fn queued_for_subject(
        &self,
        subject: SubjectKey,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut queued = Vec::new();
        for one in self.pseudonyms_of(subject).await? {
            for row in self.engine.rows(&QUEUED_FOR_SUBJECT, values![one.0]).await? {
                queued.push(delivery(&row)?);
            }
        }
        Ok(queued)
    }

    /// Claims deliveries that are due to be pushed, at most `limit`, and at most `in_flight_max`
    /// for each recipient including those claimed before.
    ///
    /// About one person and to one recipient only the oldest is ever claimed, so their order is
    /// kept. Among several gateways the limit for each recipient may be exceeded for a moment.
    pub async fn lease_due(
        &self,
        now: Timestamp,
        lease_for: SignedDuration,
        limit: u32,
        in_flight_max: u32,
    ) -> Result<Vec<Lease>, StoreError> {
        let expires_at = now
            .checked_add(lease_for)
            .or(Err(StoreError::Conflict { rule: "a lease ends within the calendar" }))?;
        let mut tx = self.engine.begin().await?;
        let mut flying = in_flight(&mut tx, now).await?;
        let candidates = tx.rows(&LEASE_CANDIDATES, values![now, limit, in_flight_max]).await?;
        let mut leases = Vec::new();
        for row in &candidates {
            let count = flying.entry(row.organisation("recipient")?).or_default();
            if *count < u64::from(in_flight_max) {
                *count += 1;
                leases.push(self.claim(&mut tx, row.id("id")?, expires_at).await?);
            }
        }
        tx.commit().await?;
        Ok(leases)
    }

    /// Gives a lease back whose attempt ended without an outcome being written down, so that the
    /// delivery does not wait for the lease to lapse. What is in the log says whether it may have
    /// left, as when a lease lapses.
    pub async fn give_back(&self, delivery: DeliveryId, token: Uuid) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        tx.execute(&GIVE_BACK, values![delivery.0, token]).await?;
        tx.commit().await
    }

    async fn claim(
        &self,
        tx: &mut Transaction,
        id: Uuid,
        expires_at: Timestamp,
    ) -> Result<Lease, StoreError> {
        let mut token = [0u8; 16];
        self.entropy.fill(&mut token)?;
        let token = Uuid::from_bytes(token);
        let claimed = tx.execute(&CLAIM, values![id, token, expires_at]).await?;
        let rows = tx.rows(&FIND_DELIVERY, values![id]).await?;
        match (claimed, rows.first()) {
            (1, Some(row)) => Ok(Lease { delivery: delivery(row)?, token }),
            _ => Err(StoreError::LeaseLost),
        }
    }
}

/// How many deliveries each recipient has under a lease that has not lapsed.
async fn in_flight(
    tx: &mut Transaction,
    now: Timestamp,
) -> Result<HashMap<OrganisationCode, u64>, StoreError> {
    let rows = tx.rows(&IN_FLIGHT, values![now]).await?;
    rows.iter().map(|row| Ok((row.organisation("recipient")?, row.count("flying")?))).collect()
}

pub(super) fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    let service = row
        .maybe_text("service")?
        .map(|code| ServiceCode::parse(&code).or(Err(row.contradiction("service"))));
    Ok(Delivery {
        id: DeliveryId(row.id("id")?),
        record: RecordId(row.id("record_id")?),
        kind: row.name("kind")?,
        sender: row.organisation("sender")?,
        recipient: row.organisation("recipient")?,
        service: service.transpose()?,
        carrier: row.name("carrier")?,
        state: row.name("state")?,
        attempts: u32::try_from(row.int("attempts")?).or(Err(row.contradiction("attempts")))?,
        available_at: row.time("available_at")?,
        delivered_at: row.maybe_time("delivered_at")?,
        reason: row.maybe_text("reason")?,
    })
}

statements! {
    FIND_DELIVERY = "deliveries::find_delivery" on "deliveries":
        "select id, record_id, kind, sender, recipient, service, carrier, state, attempts,
            available_at, delivered_at, reason
        from delivery_lines where id = $1";
    INBOX = "deliveries::inbox" on "deliveries":
        "select id, record_id, kind, sender, recipient, service, carrier, state, attempts,
            available_at, delivered_at, reason
        from delivery_lines
        where recipient = $1 and carrier = 'collect' and available_at <= $2
            and (available_at, id) > ($3, $4)
            and state in ($6, $7, $8, $9, $10, $11, $12, $13)
            and record_id in (select r.id from records r where r.removed_at is null)
        order by available_at, id limit $5";
    DELIVERIES_OF = "deliveries::deliveries_of" on "deliveries":
        "select id, record_id, kind, sender, recipient, service, carrier, state, attempts,
            available_at, delivered_at, reason
        from delivery_lines where record_id = $1 order by audit_seq, id";
    QUEUED_FOR_SUBJECT = "deliveries::queued_for_subject" on "deliveries":
        "select id, record_id, kind, sender, recipient, service, carrier, state, attempts,
            available_at, delivered_at, reason
        from delivery_lines where subject = $1 and state in ('queued', 'held')
        order by audit_seq, id";
    IN_FLIGHT = "deliveries::in_flight" on "deliveries":
        "select recipient, count(*) as flying from deliveries
        where lease_expires_at is not null and lease_expires_at > $1
        group by recipient";
    LEASE_CANDIDATES = "deliveries::lease_due" on "deliveries":
        "select d.id, d.recipient from deliveries d
        where d.state = 'queued' and d.carrier <> 'collect' and d.available_at <= $1
            and (d.lease_expires_at is null or d.lease_expires_at <= $1)
            and d.recipient not in (
                select f.recipient from deliveries f
                where f.lease_expires_at is not null and f.lease_expires_at > $1
                group by f.recipient having count(*) >= $3)
            and not exists (
                select 1 from deliveries e
                where e.subject = d.subject and e.state = 'queued' and e.recipient = d.recipient
                    and e.carrier = d.carrier
                    and (e.audit_seq, e.id) < (d.audit_seq, d.id))
        order by d.available_at, d.id limit $2", postgres: " for update of d skip locked";
    GIVE_BACK = "deliveries::give_back" on "deliveries":
        "update deliveries set lease_token = null, lease_expires_at = null
        where id = $1 and lease_token = $2 and state = 'queued'";
    CLAIM = "deliveries::claim" on "deliveries":
        "update deliveries set lease_token = $2, lease_expires_at = $3
        where id = $1 and state = 'queued'";
}

/// How many states a delivery may be in.
const STATES: usize = 8;
