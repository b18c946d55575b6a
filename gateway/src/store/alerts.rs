//! Alerts of odd access, samples, and what people decided about them.
//!
//! What the watch itself keeps is in [`watch`](super::watch).

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::holds::Ageing;
use super::row::Row;
use super::value::values;
use super::writes::one;

/// What is written about alerts.
#[derive(Debug)]
pub enum AlertWrite {
    /// An alert is raised, or an access is put into a sample, with its entries.
    Raised(NewAlert, Vec<AlertEntry>),
    /// More of the same. Fails when the alert was closed meanwhile.
    Grown(Uuid, Timestamp, Vec<AlertEntry>),
    /// Somebody decided. Fails when it was closed, when it was escalated before and is again, or
    /// when it has other entries than the decision was made on.
    Decided(Uuid, AlertDecision),
    /// The review of the emergency that an alert is about was closed, which decides the alert.
    ReviewClosed(Uuid, AlertDecision),
    /// A sample was drawn. Fails when any of those days was drawn from before, for the same
    /// organisation, for all when it is for one, or for one when it is for all.
    Sampled(NewSample),
}

/// An alert as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Its reference.
    pub id: Uuid,
    /// The sample it was drawn in; none for an alert of a rule.
    pub sample: Option<Uuid>,
    /// The rule.
    pub rule: String,
    /// The version of the rules.
    pub rules_version: String,
    /// `low`, `medium` or `high`.
    pub severity: &'static str,
    /// `information-governance` or `own-organisation`.
    pub reviewers: &'static str,
    /// By when it should have been looked into.
    pub review_by: Timestamp,
    /// Whose person or system it was.
    pub organisation: String,
    /// To whom something went.
    pub counterparty: Option<OrganisationCode>,
    /// What more of the same has in common with it, hashed.
    pub likeness: [u8; 32],
    /// The review of the emergency that it is about.
    pub review: Option<Uuid>,
    /// When it was raised.
    pub at: Timestamp,
}

/// An entry of the log that an alert is about, and who acted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertEntry {
    /// Its place in the log.
    pub seq: u64,
    /// The organisation, or `gateway` at the machine's own prompt.
    pub organisation: String,
    /// The person, as that organisation's pseudonym.
    pub person: Option<String>,
}

/// What somebody decided about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDecision {
    /// `justified`, `not-justified` or `escalated`.
    pub outcome: String,
    /// Why, as a code.
    pub reason: String,
    /// The reviewer's organisation.
    pub organisation: String,
    /// The reviewer, as a keyed pseudonym of their organisation.
    pub person: String,
    /// The reviewer, as the pseudonym they have in every organisation.
    pub who: String,
    /// How many entries the alert had when it was decided.
    pub entries: u64,
    /// When.
    pub at: Timestamp,
}

/// An alert as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// Its reference.
    pub id: Uuid,
    /// The sample it was drawn in; none for an alert of a rule.
    pub sample: Option<Uuid>,
    /// The rule; `sample` for what was drawn.
    pub rule: String,
    /// The version of the rules.
    pub rules_version: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// `information-governance` or `own-organisation`.
    pub reviewers: String,
    /// By when it should have been looked into.
    pub review_by: Timestamp,
    /// Whose person or system it was.
    pub organisation: String,
    /// To whom something went.
    pub counterparty: Option<String>,
    /// The review of the emergency that it is about.
    pub review: Option<Uuid>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// The time of its newest entry.
    pub last_at: Timestamp,
    /// How many entries it has.
    pub entries: u64,
    /// When it was passed on.
    pub escalated_at: Option<Timestamp>,
    /// `justified` or `not-justified`, and when.
    pub closed: Option<(String, Timestamp)>,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSample {
    /// Its id.
    pub id: Uuid,
    /// The first day drawn from.
    pub from: Date,
    /// The last day drawn from.
    pub until: Date,
    /// The organisation whose accesses were drawn from; none means all.
    pub organisation: Option<OrganisationCode>,
    /// How many were wanted.
    pub wanted: u64,
    /// Out of how many.
    pub population: u64,
    /// The size of the checkpoint that the draw began from.
    pub size: u64,
    /// When.
    pub at: Timestamp,
}

/// Which alerts to list. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only those about this organisation's people and systems that it looks into itself.
    pub own: Option<OrganisationCode>,
    /// Only those of this rule.
    pub rule: Option<String>,
    /// Only alerts of rules (`false`), or only what was drawn in samples (`true`).
    pub sampled: Option<bool>,
    /// Only open ones (`true`), or only closed ones (`false`).
    pub open: Option<bool>,
    /// Raised then or later.
    pub from: Option<Timestamp>,
    /// Raised before then.
    pub before: Option<Timestamp>,
}

/// A place in the list of alerts, oldest first: after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertPlace {
    /// When it was raised.
    pub raised_at: Timestamp,
    /// Its reference.
    pub id: Uuid,
}

impl Store {
    /// Alerts, oldest first.
    pub async fn alerts(
        &self,
        filter: &AlertFilter,
        after: Option<AlertPlace>,
        limit: u32,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        let values = values![
            filter.own.as_ref().map(OrganisationCode::as_str),
            filter.rule.clone(),
            filter.sampled.map(i64::from),
            filter.open.map(i64::from),
            filter.from.map_or(i64::MIN, Timestamp::as_microsecond),
            filter.before.map_or(i64::MAX, Timestamp::as_microsecond),
            after.map_or(i64::MIN, |place| place.raised_at.as_microsecond()),
            after.map(|place| place.id.as_bytes().to_vec()).unwrap_or_default(),
            limit,
        ];
        self.engine.rows(&ALERTS, values).await?.iter().map(alert).collect()
    }

    /// The alert with a reference.
    pub async fn find_alert(&self, id: Uuid) -> Result<Option<StoredAlert>, StoreError> {
        let row = self.engine.row(&FIND_ALERT, values![id]).await?;
        row.as_ref().map(alert).transpose()
    }

    /// The open alert of a rule with a likeness that was raised then or later.
    pub async fn open_alert_like(
        &self,
        rule: &str,
        likeness: [u8; 32],
        since: Timestamp,
    ) -> Result<Option<Uuid>, StoreError> {
        let row = self.engine.row(&OPEN_LIKE, values![rule, likeness, since]).await?;
        row.map(|row| row.id("id")).transpose()
    }

    /// The open alert about an emergency.
    pub async fn open_alert_of_review(&self, review: Uuid) -> Result<Option<Uuid>, StoreError> {
        let row = self.engine.row(&OPEN_OF_REVIEW, values![review]).await?;
        row.map(|row| row.id("id")).transpose()
    }

    /// The entries an alert is about, in the order of the log, from a place in it on.
    pub async fn alert_entries(
        &self,
        id: Uuid,
        from: u64,
        limit: u32,
    ) -> Result<Vec<AlertEntry>, StoreError> {
        let rows = self.engine.rows(&ALERT_ENTRIES, values![id, from, limit]).await?;
        let entry = |row: &Row| {
            Ok(AlertEntry {
                seq: row.count("seq")?,
                organisation: row.text("organisation")?,
                person: row.maybe_text("person")?,
            })
        };
        rows.iter().map(entry).collect()
    }

    /// Who acted in an alert's entries: each organisation with each of its people, once.
    pub async fn acted_in_alert(
        &self,
        id: Uuid,
    ) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let rows = self.engine.rows(&ACTED_IN, values![id]).await?;
        rows.iter().map(|row| Ok((row.text("organisation")?, row.maybe_text("person")?))).collect()
    }

    /// What was decided about an alert, oldest first: its sign-off.
    pub async fn alert_decisions(&self, id: Uuid) -> Result<Vec<AlertDecision>, StoreError> {
        let rows = self.engine.rows(&DECISIONS, values![id]).await?;
        let decision = |row: &Row| {
            Ok(AlertDecision {
                outcome: row.text("outcome")?,
                reason: row.text("reason")?,
                organisation: row.text("organisation")?,
                person: row.text("person")?,
                who: row.text("who")?,
                entries: row.count("entries")?,
                at: row.time("at_us")?,
            })
        };
        rows.iter().map(decision).collect()
    }

    /// How many alerts are open, by rule, and since when the oldest of each; of one organisation's,
    /// or of all.
    pub async fn alerts_by_rule(
        &self,
        own: Option<&OrganisationCode>,
    ) -> Result<Vec<Ageing>, StoreError> {
        let own = own.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&BY_RULE, values![own]).await?;
        let ageing = |row: &Row| {
            Ok(Ageing {
                rule: row.text("rule")?,
                count: row.count("held")?,
                oldest: row.time("oldest")?,
            })
        };
        rows.iter().map(ageing).collect()
    }

    /// An earlier draw that has a day and an organisation in common with one that is wanted.
    pub async fn sample_over(
        &self,
        (from, until): (Date, Date),
        organisation: Option<&OrganisationCode>,
    ) -> Result<Option<NewSample>, StoreError> {
        let organisation = organisation.map_or("", OrganisationCode::as_str);
        let row = self.engine.row(&SAMPLE_OVER, values![from, until, organisation]).await?;
        row.as_ref().map(sample).transpose()
    }

    /// The newest checkpoint that was signed before an instant.
    pub async fn checkpoint_before(
        &self,
        at: Timestamp,
    ) -> Result<Option<super::StoredCheckpoint>, StoreError> {
        let row = self.engine.row(&CHECKPOINT_BEFORE, values![at]).await?;
        let checkpoint = |row: Row| {
            Ok(super::StoredCheckpoint {
                size: row.count("seq")?,
                at: row.time("at_us")?,
                note: row.text("note")?,
            })
        };
        row.map(checkpoint).transpose()
    }
}

/// Makes the change; part of a commit.
pub(super) async fn update(tx: &mut Transaction, write: &AlertWrite) -> Result<(), StoreError> {
    match write {
        AlertWrite::Raised(new, entries) => raised(tx, new, entries).await,
        AlertWrite::Grown(id, at, entries) => {
            let more = u64::try_from(entries.len()).unwrap_or(0);
            one(tx, &GROWN, values![*id, *at, more], "a closed alert does not grow").await?;
            put(tx, *id, entries).await
        }
        AlertWrite::Decided(id, decision) => {
            decided(tx, *id, decision).await?;
            if decision.outcome == ESCALATED {
                let rule = "an alert is passed on once, while it is open";
                let values = values![*id, decision.at, decision.entries];
                return one(tx, &ESCALATE, values, rule).await;
            }
            let values = values![*id, decision.outcome.as_str(), decision.at, decision.entries];
            one(tx, &CLOSE, values, "an alert is closed once, as it was looked into").await
        }
        AlertWrite::ReviewClosed(id, decision) => {
            decided(tx, *id, decision).await?;
            let values = values![*id, decision.outcome.as_str(), decision.at];
            one(tx, &CLOSE_BY_REVIEW, values, "an alert is closed once").await
        }
        AlertWrite::Sampled(new) => {
            let organisation = new.organisation.as_ref().map_or("", OrganisationCode::as_str);
            let values = values![
                new.id,
                new.from,
                new.until,
                organisation,
                new.wanted,
                new.population,
                new.size,
                new.at,
            ];
            one(tx, &SAMPLED, values, DRAWN_ONCE).await
        }
    }
}

async fn raised(
    tx: &mut Transaction,
    new: &NewAlert,
    entries: &[AlertEntry],
) -> Result<(), StoreError> {
    let values = values![
        new.id,
        new.rule.as_str(),
        new.rules_version.as_str(),
        new.severity,
        new.reviewers,
        new.review_by,
        new.organisation.as_str(),
        new.counterparty.as_ref().map(OrganisationCode::as_str),
        new.likeness,
        new.review,
        new.sample,
        new.at,
        u64::try_from(entries.len()).unwrap_or(0),
    ];
    one(tx, &RAISED, values, "an alert is raised once").await?;
    put(tx, new.id, entries).await
}

async fn put(tx: &mut Transaction, id: Uuid, entries: &[AlertEntry]) -> Result<(), StoreError> {
    for entry in entries {
        let values = values![id, entry.seq, entry.organisation.as_str(), entry.person.as_deref()];
        one(tx, &ENTRY, values, "an entry is in an alert once").await?;
    }
    Ok(())
}

async fn decided(
    tx: &mut Transaction,
    id: Uuid,
    decision: &AlertDecision,
) -> Result<(), StoreError> {
    let values = values![
        id,
        decision.at,
        decision.outcome.as_str(),
        decision.reason.as_str(),
        decision.organisation.as_str(),
        decision.person.as_str(),
        decision.who.as_str(),
        decision.entries,
    ];
    let rule = "an alert is decided once, and never by who acted";
    one(tx, &DECIDED, values, rule).await
}

fn sample(row: &Row) -> Result<NewSample, StoreError> {
    let of = row.text("organisation")?;
    let organisation = if of.is_empty() { None } else { Some(row.organisation("organisation")?) };
    Ok(NewSample {
        id: row.id("id")?,
        from: row.date("from_on")?,
        until: row.date("until_on")?,
        organisation,
        wanted: row.count("wanted")?,
        population: row.count("population")?,
        size: row.count("size")?,
        at: row.time("drawn_at")?,
    })
}

fn alert(row: &Row) -> Result<StoredAlert, StoreError> {
    let closed = match (row.maybe_text("outcome")?, row.maybe_time("closed_at")?) {
        (Some(outcome), Some(at)) => Some((outcome, at)),
        (_, _) => None,
    };
    Ok(StoredAlert {
        id: row.id("id")?,
        sample: row.maybe_id("sample_id")?,
        rule: row.text("rule")?,
        rules_version: row.text("rules_version")?,
        severity: row.text("severity")?,
        reviewers: row.text("reviewers")?,
        review_by: row.time("review_by")?,
        organisation: row.text("organisation")?,
        counterparty: row.maybe_text("counterparty")?,
        review: row.maybe_id("review_id")?,
        raised_at: row.time("raised_at")?,
        last_at: row.time("last_at")?,
        entries: row.count("entries")?,
        escalated_at: row.maybe_time("escalated_at")?,
        closed,
    })
}

statements! {
    ALERTS = "alerts::alerts" on "alerts":
        "select id, sample_id, rule, rules_version, severity, reviewers, review_by, organisation,
            counterparty, review_id, raised_at, last_at, entries, escalated_at, outcome, closed_at
        from alerts
        where (cast($1 as text) is null
                or (organisation = $1 and reviewers = 'own-organisation'))
            and (cast($2 as text) is null or rule = $2)
            and (cast($3 as bigint) is null
                or case when sample_id is null then 0 else 1 end = cast($3 as bigint))
            and (cast($4 as bigint) is null
                or case when outcome is null then 1 else 0 end = cast($4 as bigint))
            and raised_at >= $5 and raised_at < $6 and (raised_at, id) > ($7, $8)
        order by raised_at, id limit $9";
    FIND_ALERT = "alerts::find_alert" on "alerts":
        "select id, sample_id, rule, rules_version, severity, reviewers, review_by, organisation,
            counterparty, review_id, raised_at, last_at, entries, escalated_at, outcome, closed_at
        from alerts where id = $1";
    OPEN_LIKE = "alerts::open_alert_like" on "alerts":
        "select id from alerts
        where rule = $1 and likeness = $2 and raised_at >= $3 and outcome is null
        order by raised_at desc limit 1";
    OPEN_OF_REVIEW = "alerts::open_alert_of_review" on "alerts":
        "select id from alerts where review_id = $1 and outcome is null";
    ALERT_ENTRIES = "alerts::alert_entries" on "alert_entries":
        "select alert_id as id, seq, organisation, person from alert_entries
        where alert_id = $1 and seq >= $2 order by seq limit $3";
    ACTED_IN = "alerts::acted_in_alert" on "alert_entries":
        "select distinct organisation, person from alert_entries where alert_id = $1
        order by organisation, person";
    DECISIONS = "alerts::alert_decisions" on "alert_decisions":
        "select alert_id as id, at_us, outcome, reason, organisation, person, who, entries
        from alert_decisions where alert_id = $1 order by at_us, outcome";
    BY_RULE = "alerts::alerts_by_rule" on "alerts":
        "select rule, count(*) as held, min(raised_at) as oldest from alerts
        where outcome is null and (cast($1 as text) is null
            or (organisation = $1 and reviewers = 'own-organisation'))
        group by rule order by rule";
    CHECKPOINT_BEFORE = "alerts::checkpoint_before" on "checkpoints":
        "select size as seq, at_us, note from checkpoints where at_us < $1
        order by size desc limit 1";
    RAISED = "alerts::raised" on "alerts":
        "insert into alerts (id, rule, rules_version, severity, reviewers, review_by,
            organisation, counterparty, likeness, review_id, sample_id, raised_at, last_at, entries)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)";
    ENTRY = "alerts::put" on "alert_entries":
        "insert into alert_entries (alert_id, seq, organisation, person) values ($1, $2, $3, $4)";
    GROWN = "alerts::update" on "alerts":
        "update alerts set last_at = $2, entries = entries + $3
        where id = $1 and outcome is null";
    DECIDED = "alerts::decided" on "alert_decisions":
        "insert into alert_decisions (alert_id, at_us, outcome, reason, organisation, person, who,
            entries)
        select a.id, $2, $3, $4, $5, $6, $7, $8 from alerts a
        where a.id = $1 and a.outcome is null
            and not exists (select 1 from alert_decisions d
                where d.alert_id = $1 and (d.outcome = $3 or d.who = $7))
            and not exists (select 1 from alert_entries e
                where e.alert_id = $1 and e.organisation = $5 and e.person = $6)";
    ESCALATE = "alerts::update" on "alerts":
        "update alerts set escalated_at = $2
        where id = $1 and outcome is null and escalated_at is null and entries = $3";
    CLOSE = "alerts::update" on "alerts":
        "update alerts set outcome = $2, closed_at = $3
        where id = $1 and outcome is null and entries = $4";
    CLOSE_BY_REVIEW = "alerts::update" on "alerts":
        "update alerts set outcome = $2, closed_at = $3 where id = $1 and outcome is null";
    SAMPLED = "alerts::update" on "samples":
        "insert into samples (id, from_on, until_on, organisation, wanted, population, size,
            drawn_at)
        select $1, cast($2 as text), cast($3 as text), cast($4 as text), cast($5 as bigint),
            cast($6 as bigint), cast($7 as bigint), cast($8 as bigint)
        where not exists (select 1 from samples s
            where s.from_on <= cast($3 as text) and s.until_on >= cast($2 as text)
                and (s.organisation = cast($4 as text) or s.organisation = ''
                    or cast($4 as text) = ''))";
    SAMPLE_OVER = "alerts::sample_over" on "samples":
        "select id, from_on, until_on, organisation, wanted, population, size, drawn_at
        from samples
        where from_on <= $2 and until_on >= $1
            and (organisation = $3 or organisation = '' or cast($3 as text) = '')
        order by drawn_at, id limit 1";
}

/// The outcome that passes an alert on.
pub const ESCALATED: &str = "escalated";
/// The rule of a conflict: what was drawn once is not drawn again.
pub const DRAWN_ONCE: &str = "these days, or some of them, were drawn from before";
