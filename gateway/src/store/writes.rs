//! The only statements that write audited tables. Nothing here runs outside a commit.
//!
//! Every update asserts how many rows it changed: a delivery that is not in a state that allows
//! the change, or a lease that is no longer held, fails the change, and with it all it wanted.

use jiff::Timestamp;
use schemas::OrganisationCode;

use super::change::{Change, NewConsent, Settlement, Write};
use super::engine::{Insert, Statement, Transaction, statements};
use super::error::{MOVED_ON, REMOVED_MEANWHILE, StoreError};
use super::log::Head;
use super::looks::LOOKS;
use super::plan::Plan;
use super::reconciliations;
use super::retention;
use super::transitions;
use super::value::{Value, name_of, values};
use super::{
    alerts, backups, clocks, documents, holds, identities, periods, restores, sends, watch,
};
use crate::queue::{DeliveryId, DeliveryState};

/// Reads the head of the log and keeps it locked until the transaction ends.
pub(super) async fn lock_head(tx: &mut Transaction) -> Result<Head, StoreError> {
    let rows = tx.rows(&LOCK_HEAD, values![]).await?;
    let missing =
        || StoreError::Contradiction { table: "audit_head", column: "id", row: "1".to_owned() };
    let row = rows.first().ok_or_else(missing)?;
    Ok(Head { size: row.count("size")?, frontier: row.bytes("frontier")? })
}

/// Applies the plan of these changes, and the new head of the log.
pub(super) async fn apply(
    tx: &mut Transaction,
    plan: &mut Plan,
    changes: &[&Change],
) -> Result<(), StoreError> {
    let rows = std::mem::take(&mut plan.rows);
    tx.insert(&SUBMISSIONS, rows.submissions).await?;
    tx.insert(&RECORDS, rows.records).await?;
    tx.insert(&DELIVERIES, rows.deliveries).await?;
    tx.insert(&LEGS, rows.legs).await?;
    tx.insert(&QUARANTINE, rows.quarantine).await?;
    tx.insert(&ENTRIES, rows.entries).await?;
    tx.insert(&LOOKS, rows.looks).await?;
    tx.insert(&REMOVALS, rows.removals).await?;
    for (_, writes) in changes.iter().flat_map(|change| &change.steps) {
        for write in writes {
            update(tx, write, plan.at()).await?;
        }
    }
    let (size, frontier) = (plan.head.size, plan.head.frontier.clone());
    one(tx, &MOVE_HEAD, values![size, frontier], "the log has a head").await?;
    tx.execute(&CHECKPOINT, values![size, plan.at(), plan.note.as_str()]).await?;
    if plan.makes_work() && tx.is_shared() {
        tx.rows(&NOTIFY, values![]).await?;
    }
    Ok(())
}

async fn update(tx: &mut Transaction, write: &Write, now: Timestamp) -> Result<(), StoreError> {
    match write {
        Write::Submission(_)
        | Write::Record(_)
        | Write::Delivery(_)
        | Write::Quarantine(_)
        | Write::Looked(_) => Ok(()),
        Write::Leg(new) => clocks::remember(tx, new.id, now).await,
        Write::Clock(write) => clocks::update(tx, write, now).await,
        Write::Consent(new) => consent(tx, new, now).await,
        Write::Settle { delivery, token, settlement } => {
            let (statement, mut rest) = settling(settlement, now)?;
            let mut values = values![delivery.0, *token];
            values.append(&mut rest);
            match tx.execute(statement, values).await? {
                1 => new_votes(tx, *delivery, held_by(settlement)).await,
                _ => Err(StoreError::LeaseLost),
            }
        }
        Write::Stop(id, state, reason) => stop(tx, (*id, *state, reason), now).await,
        Write::TakenBack(id, (state, attempts), rule) => {
            let values = values![id.0, *rule, name_of(*state), *attempts];
            one(tx, &TAKEN_BACK, values, MOVED_ON).await
        }
        Write::Statement(_)
        | Write::StatementAnswered(..)
        | Write::Difference(_)
        | Write::DifferenceExplained(..) => reconciliations::update(tx, write, now).await,
        Write::Collected(..) | Write::Acknowledged(..) | Write::Undelivered(..) => {
            arrived(tx, write).await
        }
        Write::LegChanged { .. }
        | Write::LegReopened(..)
        | Write::LegWithheld(_)
        | Write::LegRestarted(_) => leg(tx, write, now).await,
        Write::Override(id, vote) => {
            let basis = vote.basis.as_str();
            let values = values![id.0, vote.person.as_str(), &vote.organisation, basis, vote.at];
            one(tx, &OVERRIDE, values, "only what is held is voted on").await
        }
        Write::Resume(id, at) => {
            let rule = "only what is held, failed or of unknown fate is resumed";
            one(tx, &RESUME, values![id.0, *at], rule).await
        }
        Write::InForce(name, print) => in_force(tx, name, print).await,
        Write::Sending(new) => sends::enter(tx, new, now).await,
        Write::Sent(id) => sends::leave(tx, *id).await,
        Write::RestoreFound(shown) => restores::found(tx, shown, now).await,
        Write::BackupMade(new) => backups::made(tx, new, now).await,
        Write::RestoreConfirmed { lost_size, reason } => {
            restores::confirmed(tx, (*lost_size, reason), now).await
        }
        Write::DutyDone(name, period) => {
            let values = values![*name, period.as_str(), now];
            one(tx, &DUTY_DONE, values, "a duty is done once, by the gateway that took it on").await
        }
        Write::LookUpDestroyed(gone) => periods::destroy(tx, gone, now).await,
        Write::Transition(write) => transitions::update(tx, write).await,
        Write::DocumentBegun(_)
        | Write::DocumentMoved { .. }
        | Write::MessageHeld(..)
        | Write::MessageTaken(_) => documents::update(tx, write, now).await,
        Write::Hold(write) => holds::update(tx, write, now).await,
        Write::Identity(write) => identities::update(tx, write, now).await,
        Write::Alert(write) => alerts::update(tx, write).await,
        Write::Watch(write) => watch::update(tx, write).await,
        Write::Retention(write) => retention::update(tx, write, now).await,
    }
}

/// What is in force from now on.
async fn in_force(tx: &mut Transaction, name: &str, print: &str) -> Result<(), StoreError> {
    tx.execute(&IN_FORCE, values![name, print]).await.map(drop)
}

/// What became of a delivery at its recipient.
async fn arrived(tx: &mut Transaction, write: &Write) -> Result<(), StoreError> {
    if let Write::Collected(id, at) = write {
        let rule = "only what is queued, delivered or acknowledged is collected";
        return match one(tx, &COLLECTED, values![id.0, *at], rule).await {
            Err(StoreError::Conflict { .. }) if retention::is_removed_from(tx, *id).await? => {
                Err(StoreError::Conflict { rule: REMOVED_MEANWHILE })
            }
            collected => collected,
        };
    }
    if let Write::Acknowledged(id, state, reason, at) = write {
        let states = [DeliveryState::Accepted, DeliveryState::Rejected];
        let state = one_of(*state, &states, "it is acknowledged as accepted or rejected")?;
        let rule = "what is held or withdrawn is not acknowledged";
        return one(tx, &ACKNOWLEDGED, values![id.0, state, reason.clone(), *at], rule).await;
    }
    if let Write::Undelivered(id, reason) = write {
        let rule = "only what was handed over, and not acknowledged, comes back";
        return one(tx, &UNDELIVERED, values![id.0, reason.as_str()], rule).await;
    }
    Ok(())
}

/// Changes a leg, and remembers how it stood from when to when.
async fn leg(tx: &mut Transaction, write: &Write, now: Timestamp) -> Result<(), StoreError> {
    if let Write::LegChanged { leg, from, state, answered_on, expected_on } = write {
        let values = values![leg.0, name_of(*state), *answered_on, *expected_on, name_of(*from)];
        one(tx, &LEG_CHANGED, values, "the leg has changed meanwhile").await?;
        return clocks::remember(tx, *leg, now).await;
    }
    if let Write::LegReopened(leg, from) = write {
        let values = values![leg.0, name_of(*from)];
        one(tx, &LEG_REOPENED, values, "the leg has changed meanwhile").await?;
        return clocks::remember(tx, *leg, now).await;
    }
    if let Write::LegWithheld(leg) = write {
        return match tx.execute(&LEG_WITHHELD, values![leg.0]).await? {
            0 => Ok(()),
            _ => clocks::remember(tx, *leg, now).await,
        };
    }
    let Write::LegRestarted(new) = write else { return Ok(()) };
    let values = values![
        new.id.0,
        new.received_on,
        new.statutory_due,
        new.operational_due,
        new.rule_version.as_str(),
        name_of(new.state),
        new.alternative_due,
    ];
    one(tx, &LEG_RESTARTED, values, "only a withheld leg begins again").await?;
    clocks::remember(tx, new.id, now).await
}

async fn stop(
    tx: &mut Transaction,
    (id, state, reason): (DeliveryId, DeliveryState, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let states = [DeliveryState::Held, DeliveryState::Withdrawn];
    let name = one_of(state, &states, "a delivery is stopped to held or withdrawn")?;
    let rule = "only what is queued or held is stopped";
    one(tx, &STOP, values![id.0, name, reason, now], rule).await?;
    new_votes(tx, id, state == DeliveryState::Held).await
}

fn held_by(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Stopped(DeliveryState::Held, _))
}

/// Takes the votes off a delivery that is held anew: they were about an earlier hold.
async fn new_votes(tx: &mut Transaction, id: DeliveryId, held: bool) -> Result<(), StoreError> {
    if held {
        tx.execute(&NEW_VOTES, values![id.0]).await?;
        tx.execute(&NEW_VOTERS, values![id.0]).await?;
    }
    Ok(())
}

/// The statement that settles a lease this way, and its values after the id and the token.
fn settling(
    settlement: &Settlement,
    now: Timestamp,
) -> Result<(&'static Statement, Vec<Value>), StoreError> {
    use DeliveryState::{Failed, Held, Unknown, Withdrawn};
    Ok(match settlement {
        Settlement::Attempting => (&ATTEMPTING, values![now]),
        Settlement::Delivered(at) => (&DELIVERED, values![*at]),
        Settlement::Deferred(until) => (&DEFERRED, values![*until]),
        Settlement::Stopped(state, reason) => {
            let states = [Held, Withdrawn, Failed, Unknown];
            let rule = "an attempt ends held, withdrawn, failed or unknown";
            (&STOPPED, values![one_of(*state, &states, rule)?, reason.as_str(), now])
        }
    })
}

async fn consent(tx: &mut Transaction, new: &NewConsent, now: Timestamp) -> Result<(), StoreError> {
    if let Some(expected) = new.expected
        && sends::entries(tx, new.subject).await? != u64::from(expected)
    {
        return Err(StoreError::LedgerMoved);
    }
    if new.restricts {
        sends::nobody(tx, new.subject, now).await?;
    }
    let entry = &new.entry;
    let organisations = |codes: &[OrganisationCode]| {
        let codes: Vec<&str> = codes.iter().map(OrganisationCode::as_str).collect();
        serde_json::Value::from(codes).to_string()
    };
    let classes: Vec<&str> = entry.classes.iter().map(|class| class.as_str()).collect();
    let values = values![
        new.subject.0,
        new.record.0,
        name_of(entry.status),
        name_of(entry.kind),
        entry.given_by.map(name_of),
        entry.decided_on,
        entry.expires_on,
        serde_json::Value::from(entry.purposes.clone()).to_string(),
        organisations(&entry.exclusions),
        organisations(&entry.recipients),
        serde_json::Value::from(classes).to_string(),
        entry.restriction.map(name_of),
        entry.assessed_on,
        &entry.recorded_by,
        entry.recorded_at,
    ];
    tx.execute(&CONSENT, values).await.map(drop)
}

/// Runs an update that must change exactly one row.
pub(super) async fn one(
    tx: &mut Transaction,
    statement: &Statement,
    values: Vec<Value>,
    rule: &'static str,
) -> Result<(), StoreError> {
    match tx.execute(statement, values).await? {
        1 => Ok(()),
        _ => Err(StoreError::Conflict { rule }),
    }
}

fn one_of(
    state: DeliveryState,
    states: &[DeliveryState],
    rule: &'static str,
) -> Result<String, StoreError> {
    if states.contains(&state) { Ok(name_of(state)) } else { Err(StoreError::Conflict { rule }) }
}

statements! {
    LOCK_HEAD = "writes::lock_head" on "audit_head":
        "select size, frontier from audit_head where id = 1", postgres: " for update";
    MOVE_HEAD = "writes::apply" on "audit_head":
        "update audit_head set size = $1, frontier = $2 where id = 1";
    CHECKPOINT = "writes::apply" on "checkpoints":
        "insert into checkpoints (size, at_us, note) values ($1, $2, $3)";
    NOTIFY = "writes::apply" on "deliveries":
        "select 1 as sent", postgres: " from pg_notify('ehc_work', '')";
    CONSENT = "writes::consent" on "consents":
        "insert into consents (subject, version, record_id, status, kind, given_by, decided_on,
            expires_on, purposes, exclusions, recipients, classes, restriction, assessed_on,
            recorded_by, recorded_at)
        select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
            $13, $14, $15
        from consents where subject = $1";
    DUTY_DONE = "writes::update" on "duties":
        "update duties set done_at = $3 where name = $1 and period = $2 and done_at is null";
    ATTEMPTING = "writes::settling" on "deliveries":
        "update deliveries set attempts = attempts + 1
        where id = $1 and lease_token = $2 and state = 'queued' and lease_expires_at > $3";
    DELIVERED = "writes::settling" on "deliveries":
        "update deliveries set state = 'delivered', delivered_at = coalesce(delivered_at, $3),
            reason = null, lease_token = null, lease_expires_at = null
        where id = $1 and lease_token = $2 and state = 'queued'";
    DEFERRED = "writes::settling" on "deliveries":
        "update deliveries set available_at = $3, lease_token = null, lease_expires_at = null
        where id = $1 and lease_token = $2 and state = 'queued'";
    STOPPED = "writes::settling" on "deliveries":
        "update deliveries set state = $3, reason = $4, lease_token = null,
            lease_expires_at = null, held_at = case when $3 = 'held' then $5 else held_at end
        where id = $1 and lease_token = $2 and state = 'queued'";
    COLLECTED = "writes::update" on "deliveries":
        "update deliveries set state = case when state = 'queued' then 'delivered' else state end,
            delivered_at = coalesce(delivered_at, $2), lease_token = null, lease_expires_at = null
        where id = $1 and state in ('queued', 'delivered', 'accepted', 'rejected')
            and exists (
                select 1 from records r
                where r.id = deliveries.record_id and r.removed_at is null)";
    NEW_VOTES = "writes::new_votes" on "overrides":
        "delete from overrides where delivery_id = $1";
    NEW_VOTERS = "writes::new_votes" on "voters":
        "delete from voters where delivery_id = $1";
    STOP = "writes::stop" on "deliveries":
        "update deliveries set state = $2, reason = $3, lease_token = null,
            lease_expires_at = null,
            held_at = case when $2 = 'held' and state = 'queued' then $4 else held_at end
        where id = $1 and state in ('queued', 'held')";
    TAKEN_BACK = "writes::update" on "deliveries":
        "update deliveries set state = 'withdrawn', reason = $2, lease_token = null,
            lease_expires_at = null
        where id = $1 and state = $3 and attempts = $4 and state <> 'withdrawn'";
    ACKNOWLEDGED = "writes::update" on "deliveries":
        "update deliveries set state = $2, reason = $3, acknowledged_at = $4, lease_token = null,
            lease_expires_at = null
        where id = $1
            and state in ('queued', 'delivered', 'accepted', 'rejected', 'unknown', 'failed')";
    UNDELIVERED = "writes::update" on "deliveries":
        "update deliveries set state = 'failed', reason = $2
        where id = $1 and state in ('delivered', 'unknown')";
    LEG_CHANGED = "writes::update" on "legs":
        "update legs set state = $2, answered_on = coalesce($3, answered_on),
            expected_on = coalesce($4, expected_on)
        where id = $1 and state = $5";
    LEG_WITHHELD = "writes::update" on "legs":
        "update legs set state = 'withheld'
        where id = $1 and state in ('waiting', 'accepted', 'exception', 'partial')";
    LEG_REOPENED = "writes::update" on "legs":
        "update legs set state = case when expected_on is null then 'accepted' else 'exception' end,
            answered_on = null, part_on = null, remainder_on = null
        where id = $1 and state = $2";
    LEG_RESTARTED = "writes::update" on "legs":
        "update legs set received_on = $2, statutory_due = $3, operational_due = $4,
            rule_version = $5, state = $6, alternative_due = $7
        where id = $1 and state = 'withheld'";
    OVERRIDE = "writes::update" on "overrides":
        "insert into overrides (delivery_id, person, organisation, basis, at_us)
        select id, $2, $3, $4, $5 from deliveries where id = $1 and state = 'held'";
    RESUME = "writes::update" on "deliveries":
        "update deliveries set state = 'queued', reason = null, available_at = $2
        where id = $1 and state in ('held', 'failed', 'unknown')";
    IN_FORCE = "writes::update" on "in_force":
        "insert into in_force (name, fingerprint) values ($1, $2)
        on conflict (name) do update set fingerprint = excluded.fingerprint";
}

/// Every insert of many rows, for the test that prepares them.
#[cfg(test)]
pub(super) const INSERTS: [&Insert; 8] =
    [&SUBMISSIONS, &RECORDS, &DELIVERIES, &LEGS, &QUARANTINE, &ENTRIES, &LOOKS, &REMOVALS];

const SUBMISSIONS: Insert = Insert {
    name: "writes::submissions",
    table: "submissions",
    cells: &[
        ("id", "?"),
        ("sender", "?"),
        ("idempotency_key", "?"),
        ("request_hash", "?"),
        ("status", "?"),
        ("answer", "?"),
        ("answer_type", "?"),
        ("original", "?"),
        ("received_at", "?"),
        ("audit_seq", "?"),
    ],
};

const RECORDS: Insert = Insert {
    name: "writes::records",
    table: "records",
    cells: &[
        ("id", "?"),
        ("submission_id", "?"),
        ("kind", "?"),
        ("sender", "?"),
        ("recipients", "?"),
        ("envelope", "?"),
        ("identity", "?"),
        ("fingerprint", "?"),
        ("subject", "?"),
        ("demographics", "?"),
        ("label", "?"),
        ("about", "?"),
        ("decisions_pass_on", "?"),
        ("accepted_at", "?"),
        ("case_id", "?"),
        ("supersedes", "?"),
        ("recalls", "?"),
        ("recall_reason", "?"),
    ],
};

const DELIVERIES: Insert = Insert {
    name: "writes::deliveries",
    table: "deliveries",
    cells: &[
        ("id", "?"),
        ("record_id", "?"),
        ("subject", "(select r.subject from records r where r.id = ?)"),
        ("audit_seq", "?"),
        ("recipient", "?"),
        ("service", "?"),
        ("carrier", "?"),
        ("state", "?"),
        ("reason", "?"),
        ("available_at", "?"),
        ("held_at", "?"),
    ],
};

const LEGS: Insert = Insert {
    name: "writes::legs",
    table: "legs",
    cells: &[
        ("id", "?"),
        ("received_on", "?"),
        ("statutory_due", "?"),
        ("operational_due", "?"),
        ("rule_version", "?"),
        ("state", "?"),
        ("alternative_due", "?"),
    ],
};

const QUARANTINE: Insert = Insert {
    name: "writes::quarantine",
    table: "quarantine",
    cells: &[
        ("id", "?"),
        ("submission_id", "?"),
        ("sender", "?"),
        ("sealed", "?"),
        ("issues", "?"),
        ("at_us", "?"),
    ],
};

const ENTRIES: Insert = Insert {
    name: "writes::entries",
    table: "audit_entries",
    cells: &[
        ("seq", "?"),
        ("leaf", "?"),
        ("nodes", "?"),
        ("record_id", "?"),
        ("delivery_id", "?"),
        ("subject", "?"),
        ("kind", "?"),
        ("at_us", "?"),
        ("organisation", "?"),
        ("person", "?"),
        ("counterparty", "?"),
        ("authority", "?"),
        ("outcome", "?"),
        ("reason", "?"),
    ],
};

const REMOVALS: Insert = Insert {
    name: "writes::removals",
    table: "removals",
    cells: &[
        ("entry", "?"),
        ("what", "?"),
        ("item", "?"),
        ("class", "?"),
        ("sha256", "?"),
        ("rule_version", "?"),
        ("at_us", "?"),
    ],
};
