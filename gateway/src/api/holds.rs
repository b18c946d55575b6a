//! Deliveries that wait for a person, and what people ask, answer, decide and review about them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use jiff::{SignedDuration, Timestamp};
use schemas::OrganisationCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, cursor, inbox, records};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::holds::{self, Emergency, HoldDecision, HoldError, Party, Person};
use crate::peer::Role;
use crate::pipeline;
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::{Change, HoldFilter, HoldPlace};

/// Query parameters of the list of holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HoldsQuery {
    /// Only those held by this rule.
    rule: Option<String>,
    /// Only those on their way to this organisation.
    to: Option<String>,
    /// Only those whose record is this organisation's.
    from: Option<String>,
    /// Only those held for at least this many whole days.
    older_than: Option<u16>,
    /// Continue after the last line of the page before.
    cursor: Option<String>,
    /// At most this many lines, 1 to 200.
    limit: Option<u32>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<HoldsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || Problem::new(Kind::InvalidParameter, PARAMETERS);
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(HOLDS_LISTED);
    if !(1..=HOLDS_LISTED_MAX).contains(&limit) {
        return Err(parameters());
    }
    let code = |text: Option<&str>| {
        text.map(|text| OrganisationCode::parse(text).or(Err(parameters()))).transpose()
    };
    let own = caller.peer.organisation();
    let from = code(query.from.as_deref())?;
    let sender = if caller.has(Role::IgAuditor) { from } else { Some(own.clone()) };
    let days = query.older_than.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let until = days.and_then(|days| app.clock.now().checked_sub(days).ok());
    let filter =
        HoldFilter { sender, recipient: code(query.to.as_deref())?, rule: query.rule, until };
    let scope = format!("holds {own} {:?}", (&filter.sender, &filter.recipient, &filter.rule));
    let after = query.cursor.as_deref().map(|text| cursor::read::<(i64, DeliveryId)>(&scope, text));
    if after == Some(None) {
        return Err(parameters());
    }
    let place = |(micros, id)| {
        Timestamp::from_microsecond(micros).ok().map(|since| HoldPlace { since, id })
    };
    let after = after.flatten().and_then(place);
    let lines = holds::lines(&app, &filter, after, limit, &caller.actor).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| lines.len() == limit);
    let last = lines.last().filter(|_| full);
    let next =
        last.and_then(|line| cursor::write(&scope, (line.since.as_microsecond(), line.delivery)));
    let waiting = holds::waiting(&app, filter.sender.as_ref()).await?;
    let body = serde_json::json!({ "holds": lines, "waiting": waiting, "next": next });
    Ok(Json(body).into_response())
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
) -> Result<Response, Problem> {
    let id = inbox::delivery_id(&delivery)?;
    let viewer = (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation());
    let line = holds::line(&app, id, viewer, &caller.actor).await?;
    Ok(Json(line.ok_or_else(no_hold)?).into_response())
}

/// A person's decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    decision: Choice,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    #[serde(alias = "approve")]
    Release,
    Refuse,
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = inbox::delivery_id(&delivery)?;
    let acting = Acting::new(&caller, ("decide", id.0), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let reasons = holds::HOLD_REASONS.join(", ");
        let detail = format!("Send a decision (release or refuse) and a reason code: {reasons}.");
        Problem::new(Kind::InvalidParameter, detail)
    };
    let vote: Vote = read(&body, wrong)?;
    let decision = match vote.decision {
        Choice::Release => HoldDecision::Release,
        Choice::Refuse => HoldDecision::Refuse,
    };
    let said = (decision, vote.reason.as_str());
    let made = holds::decide(&app, &acting.person, id, said).await;
    let (state, change) = made_or_refused(&app, &caller, made).await?;
    let body = serde_json::json!({
        "delivery": id,
        "state": state,
        "next": if state == DeliveryState::Held {
            "a second person must vote, on the same ground, before it goes"
        } else {
            "nothing more is needed"
        },
    });
    acting.commit(&app, &body, change).await
}

/// A question to the sender or to the recipient.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    of: Party,
    question: String,
}

pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = inbox::delivery_id(&delivery)?;
    let acting = Acting::new(&caller, ("ask", id.0), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let questions = holds::QUESTIONS.join(", ");
        let detail = format!("Send whom to ask (sender or recipient) and a question: {questions}.");
        Problem::new(Kind::InvalidParameter, detail)
    };
    let asked: Asked = read(&body, wrong)?;
    let what = (asked.of, asked.question.as_str());
    let (line, change) = holds::ask(&app, &acting.person, id, what).await?;
    acting.commit(&app, &serde_json::json!({ "question": line }), change).await
}

/// An emergency.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broken {
    basis: String,
    reason: String,
}

pub(super) async fn break_glass(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = inbox::delivery_id(&delivery)?;
    let acting = Acting::new(&caller, ("break-glass", id.0), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let bases = holds::BREAK_GLASS_BASES.join(", ");
        let reasons = holds::BREAK_GLASS_REASONS.join(", ");
        let detail = format!("Send a basis ({bases}) and a reason code: {reasons}.");
        Problem::new(Kind::InvalidParameter, detail)
    };
    let broken: Broken = read(&body, wrong)?;
    let emergency = Emergency { basis: &broken.basis, reason: &broken.reason };
    let made = holds::break_glass(&app, &acting.person, id, emergency).await;
    let (review, change) = made_or_refused(&app, &caller, made).await?;
    let body = serde_json::json!({
        "delivery": id,
        "state": DeliveryState::Queued,
        "review": review,
        "next": format!("somebody else must review this: POST /v1/reviews/{review}/decision"),
    });
    acting.commit(&app, &body, change).await
}

pub(super) async fn questions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let lines = holds::questions(&app, &person_of(&caller)).await?;
    Ok(Json(serde_json::json!({ "questions": lines })).into_response())
}

/// The answer to a question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    answer: String,
}

pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(question): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&question).or(Err(no_hold()))?;
    let acting = Acting::new(&caller, ("answer", id), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let detail = format!("Send an answer: {}.", holds::ANSWERS.join(", "));
        Problem::new(Kind::InvalidParameter, detail)
    };
    let answered: Answered = read(&body, wrong)?;
    let change = holds::answer(&app, &acting.person, id, &answered.answer).await?;
    let body = serde_json::json!({ "question": id, "answer": answered.answer });
    acting.commit(&app, &body, change).await
}

pub(super) async fn reviews(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let own = (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation());
    let lines = holds::reviews(&app, own, &caller.actor).await?;
    let waiting = holds::reviews_waiting(&app, own).await?;
    Ok(Json(serde_json::json!({ "reviews": lines, "waiting": waiting })).into_response())
}

/// What a review found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    outcome: ReviewOutcome,
    finding: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum ReviewOutcome {
    Upheld,
    NotUpheld,
}

pub(super) async fn close_review(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(review): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&review).or(Err(no_hold()))?;
    let acting = Acting::new(&caller, ("review", id), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let findings = holds::FINDINGS.join(", ");
        let detail = format!("Send an outcome (upheld or not-upheld) and a finding: {findings}.");
        Problem::new(Kind::InvalidParameter, detail)
    };
    let reviewed: Reviewed = read(&body, wrong)?;
    let upheld = reviewed.outcome == ReviewOutcome::Upheld;
    let found = (upheld, reviewed.finding.as_str());
    let made = holds::close_review(&app, &acting.person, id, found).await;
    let change = made_or_refused(&app, &caller, made).await?;
    let body = serde_json::json!({ "review": id, "upheld": upheld });
    acting.commit(&app, &body, change).await
}

/// One thing that a named person does once, under an idempotency key.
pub(super) struct Acting<'a> {
    caller: &'a Caller,
    person: Person,
    key: String,
    request: Vec<u8>,
}

impl<'a> Acting<'a> {
    pub(super) fn new(
        caller: &'a Caller,
        (what, id): (&str, Uuid),
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, Problem> {
        let key = records::idempotency_key(headers)?;
        let person = person_of(caller);
        let named = person.actor.person.as_deref().unwrap_or_default();
        let request = records::request_bytes(&format!("{what} {named}"), DeliveryId(id), body);
        Ok(Self { caller, person, key, request })
    }

    /// Who acts.
    pub(super) fn person(&self) -> &Person {
        &self.person
    }

    /// The answer that was given before under this key.
    pub(super) async fn before(&self, app: &App) -> Result<Option<Response>, Problem> {
        let sender = self.caller.sender();
        let before = pipeline::answered_before(app, &sender, &self.key, &self.request).await?;
        Ok(before.map(records::answered))
    }

    pub(super) async fn commit(
        &self,
        app: &App,
        body: &serde_json::Value,
        change: Change,
    ) -> Result<Response, Problem> {
        let sender = self.caller.sender();
        let once = (self.key.as_str(), self.request.as_slice());
        Ok(records::answered(pipeline::commit_once(app, &sender, once, body, change).await?))
    }
}

/// A refusal of somebody who must leave it to others is in the log.
pub(super) async fn made_or_refused<T>(
    app: &App,
    caller: &Caller,
    made: Result<T, HoldError>,
) -> Result<T, Problem> {
    if matches!(made, Err(HoldError::NotYours(_))) {
        let event = Event::new(EventKind::AccessRefused, caller.actor.clone())
            .with("rule", Kind::NotYoursToDecide.code());
        app.store.commit(Change::because(event)).await?;
    }
    Ok(made?)
}

fn person_of(caller: &Caller) -> Person {
    Person {
        organisation: caller.peer.organisation().clone(),
        actor: caller.actor.clone(),
        who: caller.who.clone().unwrap_or_default(),
        sees_all: caller.has(Role::IgAuditor),
    }
}

/// The body as what is expected; the problem says what that is.
pub(super) fn read<T: DeserializeOwned>(
    body: &Bytes,
    wrong: impl Fn() -> Problem,
) -> Result<T, Problem> {
    serde_json::from_slice(body).or(Err(wrong()))
}

fn no_hold() -> Problem {
    Problem::new(Kind::NotFound, "Nothing with this id waits for your organisation's people.")
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NotFound => no_hold(),
            HoldError::NotYours(why) => Self::new(Kind::NotYoursToDecide, why),
            HoldError::AlreadyDecided(why) => Self::new(Kind::AlreadyDecided, why),
            HoldError::Code(why) => Self::new(
                Kind::InvalidParameter,
                format!("{why} GET /v1/openapi.json has the lists."),
            ),
            HoldError::Release(error) => error.into(),
            HoldError::Store(error) => error.into(),
            HoldError::Entropy(error) => pipeline::ReceiveError::Entropy(error).into(),
        }
    }
}

const PARAMETERS: &str = "Parameters are rule, from, to (organisation codes), older-than (days), limit (1 to 200) and cursor, the `next` of the page before.";
/// Holds listed at once when no limit is given.
const HOLDS_LISTED: u32 = 100;
/// The most holds listed at once; each is read with its votes, questions and history.
const HOLDS_LISTED_MAX: u32 = 200;
