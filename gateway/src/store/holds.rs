//! What waits for people: holds with their age, votes, questions, reviews, and what to send again.

use jiff::Timestamp;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::Store;
use super::deliveries::delivery;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use super::writes::one;
use crate::queue::{Delivery, DeliveryId, DeliveryState, SubmissionId};

/// Writes about what waits for people.
#[derive(Debug)]
pub enum HoldWrite {
    /// Somebody has voted on a delivery, as the pseudonym they have in every organisation. Fails
    /// when they did before, whoever they came from, or when it is not held.
    Voter(DeliveryId, String),
    /// A question about a held delivery. Fails when it is not held.
    Asked(NewQuestion),
    /// The answer to a question, by a person, with a code. Fails when it was answered.
    Answered(Uuid, String, String),
    /// One person released a delivery in an emergency; a review must follow.
    ReviewOpened(NewReview),
    /// A review is closed. Fails when it was, or when the reviewer is who released it.
    ReviewClosed(Uuid, Finding),
    /// What failed, or whose fate is not known, is queued again from this time on, with all its
    /// attempts. Fails for anything else.
    Resent(DeliveryId, Timestamp),
    /// A quarantined item went through the pipeline again; with the submission when that was accepted.
    Replayed(Uuid, Option<SubmissionId>),
}

/// A question about a held delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQuestion {
    /// Its id.
    pub id: Uuid,
    /// The held delivery.
    pub delivery: DeliveryId,
    /// The organisation that asks, and its person as a keyed pseudonym.
    pub asked_by: (OrganisationCode, String),
    /// The organisation that is to answer.
    pub asked_of: OrganisationCode,
    /// A code of the closed list.
    pub question: String,
    /// When.
    pub at: Timestamp,
}

/// A question as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredQuestion {
    /// What was asked.
    pub asked: NewQuestion,
    /// The code of the answer, who gave it, and when.
    pub answer: Option<(String, String, Timestamp)>,
}

/// One person's release in an emergency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// Its id.
    pub id: Uuid,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Whose person released it.
    pub organisation: OrganisationCode,
    /// Who, as a keyed pseudonym of their organisation.
    pub person: String,
    /// Who, as the pseudonym they have in every organisation.
    pub who: String,
    /// The ground claimed: `safeguarding-override` or `vital-interests`.
    pub basis: String,
    /// What the emergency was, as a code.
    pub reason: String,
    /// The rule that had held it.
    pub rule: String,
    /// When.
    pub at: Timestamp,
}

/// What a review found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the release was right.
    pub upheld: bool,
    /// Why, as a code.
    pub finding: String,
    /// The reviewer's organisation, and the reviewer as a keyed pseudonym.
    pub by: (OrganisationCode, String),
    /// The reviewer, as the pseudonym they have in every organisation.
    pub who: String,
}

/// A review as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReview {
    /// What is reviewed.
    pub review: NewReview,
    /// `upheld` or `not-upheld`, the code of the finding, and when; none while it is open.
    pub closed: Option<(String, String, Timestamp)>,
    /// Whose person closed it, and who, as a keyed pseudonym of that organisation.
    pub reviewer: Option<(String, String)>,
}

/// Which holds to list. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// Of this organisation's records.
    pub sender: Option<OrganisationCode>,
    /// On their way to this organisation.
    pub recipient: Option<OrganisationCode>,
    /// Held by this rule.
    pub rule: Option<String>,
    /// Held since then or earlier.
    pub until: Option<Timestamp>,
}

/// A place in the list of holds, oldest first: after this delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldPlace {
    /// Since when that delivery is held.
    pub since: Timestamp,
    /// That delivery.
    pub id: DeliveryId,
}

/// How many holds a rule has, and since when the oldest waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ageing {
    /// The rule.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// Since when the oldest waits.
    pub oldest: Timestamp,
}

impl Store {
    /// What is held and since when, oldest first.
    pub async fn held(
        &self,
        filter: &HoldFilter,
        after: Option<HoldPlace>,
        limit: u32,
    ) -> Result<Vec<(Delivery, Timestamp)>, StoreError> {
        let values = values![
            filter.sender.as_ref().map(OrganisationCode::as_str),
            filter.recipient.as_ref().map(OrganisationCode::as_str),
            filter.rule.clone(),
            filter.until.map_or(i64::MAX, Timestamp::as_microsecond),
            after.map_or(i64::MIN, |place| place.since.as_microsecond()),
            after.map(|place| place.id.0.as_bytes().to_vec()).unwrap_or_default(),
            limit,
        ];
        let rows = self.engine.rows(&HELD, values).await?;
        rows.iter().map(|row| Ok((delivery(row)?, row.time("held_at")?))).collect()
    }

    /// Since when a delivery is held, or was when it was held last.
    pub async fn held_since(&self, id: DeliveryId) -> Result<Option<Timestamp>, StoreError> {
        let row = self.engine.row(&HELD_SINCE, values![id.0]).await?;
        row.map_or(Ok(None), |row| row.maybe_time("held_at"))
    }

    /// How many are held, by rule, and since when the oldest of each; of one sender's, or of all.
    pub async fn holds_by_rule(
        &self,
        sender: Option<&OrganisationCode>,
    ) -> Result<Vec<Ageing>, StoreError> {
        let sender = sender.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&HOLDS_BY_RULE, values![sender]).await?;
        rows.iter().map(ageing).collect()
    }

    /// The questions about a held delivery, oldest first.
    pub async fn questions_about(&self, id: DeliveryId) -> Result<Vec<StoredQuestion>, StoreError> {
        let rows = self.engine.rows(&QUESTIONS_ABOUT, values![id.0]).await?;
        rows.iter().map(question).collect()
    }

    /// The questions put by or to an organisation, or all: those that are open first.
    pub async fn questions_of(
        &self,
        organisation: Option<&OrganisationCode>,
        limit: u32,
    ) -> Result<Vec<StoredQuestion>, StoreError> {
        let own = organisation.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&QUESTIONS_OF, values![own, limit]).await?;
        rows.iter().map(question).collect()
    }

    /// The question with an id.
    pub async fn find_question(&self, id: Uuid) -> Result<Option<StoredQuestion>, StoreError> {
        let row = self.engine.row(&FIND_QUESTION, values![id]).await?;
        row.as_ref().map(question).transpose()
    }

    /// The reviews of what an organisation sent or was sent, or all; those that are open first,
    /// oldest first.
    pub async fn reviews(
        &self,
        organisation: Option<&OrganisationCode>,
        limit: u32,
    ) -> Result<Vec<(StoredReview, Delivery)>, StoreError> {
        let own = organisation.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&REVIEWS, values![own, limit]).await?;
        rows.iter().map(|row| Ok((review(row)?, delivery(row)?))).collect()
    }

    /// The review with an id.
    pub async fn find_review(&self, id: Uuid) -> Result<Option<StoredReview>, StoreError> {
        let row = self.engine.row(&FIND_REVIEW, values![id]).await?;
        row.as_ref().map(review).transpose()
    }

    /// The emergency under which a delivery was released, unless a later hold or a review that did
    /// not uphold it has ended that.
    pub async fn emergency_of(&self, id: DeliveryId) -> Result<Option<NewReview>, StoreError> {
        let row = self.engine.row(&EMERGENCY_OF, values![id.0]).await?;
        row.as_ref().map(review).transpose().map(|found| found.map(|found| found.review))
    }

    /// The open reviews of what an organisation sent, or was sent and may know of, or all: how
    /// many, and since when the oldest is open.
    pub async fn reviews_open(
        &self,
        organisation: Option<&OrganisationCode>,
    ) -> Result<Option<Ageing>, StoreError> {
        let own = organisation.map(OrganisationCode::as_str);
        let row = self.engine.row(&REVIEWS_OPEN, values![own]).await?;
        row.as_ref().map(ageing).transpose()
    }

    /// Deliveries in a state, oldest first; of one sender's records, or of all.
    pub async fn deliveries_in(
        &self,
        state: DeliveryState,
        sender: Option<&OrganisationCode>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sender = sender.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&DELIVERIES_IN, values![name_of(state), sender, limit]).await?;
        rows.iter().map(delivery).collect()
    }
}

/// Applies a write about what waits for people; part of a commit.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &HoldWrite,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        HoldWrite::Voter(id, who) => {
            let rule = "the same person has voted before, or it is not held";
            one(tx, &VOTER, values![id.0, who.as_str()], rule).await
        }
        HoldWrite::Asked(new) => {
            let (organisation, person) = &new.asked_by;
            let values = values![
                new.delivery.0,
                new.id,
                organisation,
                person.as_str(),
                &new.asked_of,
                new.question.as_str(),
                new.at,
            ];
            one(tx, &ASKED, values, "only about what is held is anything asked").await
        }
        HoldWrite::Answered(id, person, answer) => {
            let values = values![*id, person.as_str(), answer.as_str(), now];
            one(tx, &ANSWERED, values, "a question is answered once").await
        }
        HoldWrite::ReviewOpened(new) => {
            let values = values![
                new.delivery.0,
                new.id,
                &new.organisation,
                new.person.as_str(),
                new.who.as_str(),
                new.basis.as_str(),
                new.reason.as_str(),
                new.rule.as_str(),
                new.at,
            ];
            one(tx, &REVIEW_OPENED, values, "only what is held is released in an emergency").await
        }
        HoldWrite::ReviewClosed(id, finding) => {
            let (organisation, person) = &finding.by;
            let outcome = if finding.upheld { "upheld" } else { "not-upheld" };
            let values = values![
                *id,
                outcome,
                finding.finding.as_str(),
                organisation,
                person.as_str(),
                now,
                finding.who.as_str(),
            ];
            let rule = "a review is closed once, by somebody else";
            one(tx, &REVIEW_CLOSED, values, rule).await
        }
        HoldWrite::Resent(id, at) => {
            let rule = "only what failed, or whose fate is not known, is sent again";
            one(tx, &RESENT, values![id.0, *at], rule).await
        }
        HoldWrite::Replayed(id, accepted) => {
            let rule = "what was accepted is not replayed";
            one(tx, &REPLAYED, values![*id], rule).await?;
            match accepted {
                Some(submission) => one(tx, &RESOLVED, values![*id, now, submission.0], rule).await,
                None => Ok(()),
            }
        }
    }
}

fn ageing(row: &Row) -> Result<Ageing, StoreError> {
    Ok(Ageing { rule: row.text("rule")?, count: row.count("held")?, oldest: row.time("oldest")? })
}

fn question(row: &Row) -> Result<StoredQuestion, StoreError> {
    let answer = match (row.maybe_text("answer")?, row.maybe_text("answerer")?) {
        (Some(answer), Some(by)) => Some((answer, by, row.time("answered_at")?)),
        (_, _) => None,
    };
    Ok(StoredQuestion {
        asked: NewQuestion {
            id: row.id("id")?,
            delivery: DeliveryId(row.id("delivery_id")?),
            asked_by: (row.organisation("asked_by")?, row.text("asker")?),
            asked_of: row.organisation("asked_of")?,
            question: row.text("question")?,
            at: row.time("asked_at")?,
        },
        answer,
    })
}

fn review(row: &Row) -> Result<StoredReview, StoreError> {
    let closed = match (row.maybe_text("outcome")?, row.maybe_text("finding")?) {
        (Some(outcome), Some(finding)) => Some((outcome, finding, row.time("closed_at")?)),
        (_, _) => None,
    };
    Ok(StoredReview {
        review: NewReview {
            id: row.id("review_id")?,
            delivery: DeliveryId(row.id("delivery_id")?),
            organisation: row.organisation("organisation")?,
            person: row.text("person")?,
            who: row.text("who")?,
            basis: row.text("basis")?,
            reason: row.text("review_reason")?,
            rule: row.text("rule")?,
            at: row.time("opened_at")?,
        },
        closed,
        reviewer: row.maybe_text("reviewed_by")?.zip(row.maybe_text("reviewer")?),
    })
}

statements! {
    HELD = "holds::held" on "deliveries":
        "select l.id, l.record_id, l.kind, l.sender, l.recipient, l.service, l.carrier, l.state,
            l.attempts, l.available_at, l.delivered_at, l.reason, d.held_at
        from delivery_lines l join deliveries d on d.id = l.id
        where d.state = 'held'
            and (cast($1 as text) is null or l.sender = $1)
            and (cast($2 as text) is null or l.recipient = $2)
            and (cast($3 as text) is null or l.reason = $3)
            and d.held_at <= $4 and (d.held_at, d.id) > ($5, $6)
        order by d.held_at, d.id limit $7";
    HELD_SINCE = "holds::held_since" on "deliveries":
        "select id, held_at from deliveries where id = $1";
    HOLDS_BY_RULE = "holds::holds_by_rule" on "deliveries":
        "select coalesce(d.reason, 'unknown') as rule, count(*) as held, min(d.held_at) as oldest
        from deliveries d join records r on r.id = d.record_id
        where d.state = 'held' and (cast($1 as text) is null or r.sender = $1)
        group by coalesce(d.reason, 'unknown') order by 1";
    QUESTIONS_ABOUT = "holds::questions_about" on "hold_questions":
        "select id, delivery_id, asked_by, asker, asked_of, question, asked_at, answer, answerer,
            answered_at
        from hold_questions where delivery_id = $1 order by asked_at, id";
    QUESTIONS_OF = "holds::questions_of" on "hold_questions":
        "select id, delivery_id, asked_by, asker, asked_of, question, asked_at, answer, answerer,
            answered_at
        from hold_questions
        where cast($1 as text) is null or asked_of = $1 or asked_by = $1
        order by case when answer is null then 0 else 1 end, asked_at, id limit $2";
    FIND_QUESTION = "holds::find_question" on "hold_questions":
        "select id, delivery_id, asked_by, asker, asked_of, question, asked_at, answer, answerer,
            answered_at
        from hold_questions where id = $1";
    REVIEWS = "holds::reviews" on "reviews":
        "select v.id as review_id, v.delivery_id, v.organisation, v.person, v.who, v.basis,
            v.reason as review_reason, v.rule, v.opened_at, v.outcome, v.finding, v.closed_at,
            v.reviewed_by, v.reviewer, l.id, l.record_id, l.kind, l.sender, l.recipient, l.service, l.carrier, l.state,
            l.attempts, l.available_at, l.delivered_at, l.reason
        from reviews v join delivery_lines l on l.id = v.delivery_id
        where cast($1 as text) is null or l.sender = $1 or (l.recipient = $1
            and l.state <> 'held' and (l.state <> 'withdrawn' or l.delivered_at is not null))
        order by case when v.outcome is null then 0 else 1 end, v.opened_at, v.id limit $2";
    FIND_REVIEW = "holds::find_review" on "reviews":
        "select id as review_id, delivery_id, organisation, person, who, basis,
            reason as review_reason, rule, opened_at, outcome, finding, closed_at, reviewed_by,
            reviewer
        from reviews where id = $1";
    EMERGENCY_OF = "holds::emergency_of" on "reviews":
        "select v.id as review_id, v.delivery_id, v.organisation, v.person, v.who, v.basis,
            v.reason as review_reason, v.rule, v.opened_at, v.outcome, v.finding, v.closed_at,
            v.reviewed_by, v.reviewer
        from reviews v join deliveries d on d.id = v.delivery_id
        where d.id = $1 and v.opened_at >= d.held_at
            and (v.outcome is null or v.outcome = 'upheld')
        order by v.opened_at desc limit 1";
    REVIEWS_OPEN = "holds::reviews_open" on "reviews":
        "select 'review' as rule, count(*) as held, min(v.opened_at) as oldest
        from reviews v join delivery_lines l on l.id = v.delivery_id
        where v.outcome is null and (cast($1 as text) is null or l.sender = $1 or (l.recipient = $1
            and l.state <> 'held' and (l.state <> 'withdrawn' or l.delivered_at is not null)))
        having count(*) > 0";
    DELIVERIES_IN = "holds::deliveries_in" on "deliveries":
        "select id, record_id, kind, sender, recipient, service, carrier, state, attempts,
            available_at, delivered_at, reason
        from delivery_lines
        where state = $1 and (cast($2 as text) is null or sender = $2)
        order by available_at, id limit $3";
    VOTER = "holds::update" on "voters":
        "insert into voters (delivery_id, who)
        select d.id, $2 from deliveries d where d.id = $1 and d.state = 'held'
            and not exists (select 1 from voters v where v.delivery_id = $1 and v.who = $2)";
    ASKED = "holds::update" on "hold_questions":
        "insert into hold_questions (id, delivery_id, asked_by, asker, asked_of, question, asked_at)
        select $2, id, $3, $4, $5, $6, $7 from deliveries where id = $1 and state = 'held'";
    ANSWERED = "holds::update" on "hold_questions":
        "update hold_questions set answerer = $2, answer = $3, answered_at = $4
        where id = $1 and answer is null";
    REVIEW_OPENED = "holds::update" on "reviews":
        "insert into reviews (id, delivery_id, organisation, person, who, basis, reason, rule,
            opened_at)
        select $2, id, $3, $4, $5, $6, $7, $8, $9 from deliveries where id = $1 and state = 'held'";
    REVIEW_CLOSED = "holds::update" on "reviews":
        "update reviews set outcome = $2, finding = $3, reviewed_by = $4, reviewer = $5,
            closed_at = $6
        where id = $1 and outcome is null and who <> $7 and person <> $5";
    RESENT = "holds::update" on "deliveries":
        "update deliveries set state = 'queued', reason = null, available_at = $2, attempts = 0
        where id = $1 and state in ('failed', 'unknown')";
    REPLAYED = "holds::update" on "quarantine":
        "update quarantine set replays = replays + 1 where id = $1 and resolved_at is null";
    RESOLVED = "holds::update" on "quarantine":
        "update quarantine set resolved_at = $2, resolved_as = $3
        where id = $1 and resolved_at is null";
}
