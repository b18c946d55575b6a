//! Questions about a held delivery, put to its sender or its recipient, and their answers.
//!
//! Both are codes. A question tells whoever is asked that something of a type waits, from whom, and
//! what is asked; never about whom it is. Nothing is released because of an answer: people read it
//! and vote.

use jiff::Timestamp;
use schemas::{MessageType, OrganisationCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{HoldError, Person, held_for, viewed};
use crate::app::App;
use crate::audit::EventKind;
use crate::pipeline::delivery_event;
use crate::queue::DeliveryId;
use crate::store::{Change, HoldWrite, NewQuestion, StoredQuestion, Write};

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The organisation whose record it is.
    Sender,
    /// The organisation that would receive it.
    Recipient,
}

/// A question as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct QuestionLine {
    /// Its id.
    pub id: Uuid,
    /// The held delivery.
    pub delivery: DeliveryId,
    /// What kind of message waits; where the list is about one delivery, that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    /// The organisation that asks.
    pub asked_by: OrganisationCode,
    /// The organisation that is to answer.
    pub asked_of: OrganisationCode,
    /// The code of the question.
    pub question: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The code of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
}

impl From<StoredQuestion> for QuestionLine {
    fn from(stored: StoredQuestion) -> Self {
        let StoredQuestion { asked, answer } = stored;
        Self {
            id: asked.id,
            delivery: asked.delivery,
            message_type: None,
            asked_by: asked.asked_by.0,
            asked_of: asked.asked_of,
            question: asked.question,
            asked_at: asked.at,
            answered_at: answer.as_ref().map(|(.., at)| *at),
            answer: answer.map(|(answer, ..)| answer),
        }
    }
}

/// The change that asks something about a held delivery, and the question.
pub async fn ask(
    app: &App,
    person: &Person,
    id: DeliveryId,
    (party, question): (Party, &str),
) -> Result<(QuestionLine, Change), HoldError> {
    let (delivery, stored) = held_for(app, person, id).await?;
    if !QUESTIONS.contains(&question) {
        return Err(HoldError::Code("Use a question of the list."));
    }
    let asked_of = match party {
        Party::Sender => delivery.sender.clone(),
        Party::Recipient => delivery.recipient.clone(),
    };
    let new = NewQuestion {
        id: app.make_id()?,
        delivery: id,
        asked_by: (person.organisation.clone(), person.actor.person.clone().unwrap_or_default()),
        asked_of,
        question: question.to_owned(),
        at: app.clock.now(),
    };
    let event = delivery_event(EventKind::HoldAsked, &delivery, &stored, &person.actor)
        .with("question", question)
        .with("asked_of", &new.asked_of);
    let line = QuestionLine::from(StoredQuestion { asked: new.clone(), answer: None });
    Ok((line, Change::because(event).write(Write::Hold(HoldWrite::Asked(new)))))
}

/// The change that answers a question put to the person's organisation.
pub async fn answer(
    app: &App,
    person: &Person,
    id: Uuid,
    answer: &str,
) -> Result<Change, HoldError> {
    let stored = app.store.find_question(id).await?.ok_or(HoldError::NotFound)?;
    if stored.asked.asked_of != person.organisation {
        return Err(HoldError::NotFound);
    }
    if stored.answer.is_some() {
        return Err(HoldError::AlreadyDecided("The question was answered before."));
    }
    if !ANSWERS.contains(&answer) {
        return Err(HoldError::Code("Use an answer of the list."));
    }
    let id_of_delivery = stored.asked.delivery;
    let delivery = app.store.find_delivery(id_of_delivery).await?.ok_or(HoldError::NotFound)?;
    let record = app.store.find_record(delivery.record).await?.ok_or(HoldError::NotFound)?;
    let mut event = delivery_event(EventKind::HoldAnswered, &delivery, &record, &person.actor)
        .with("question", &stored.asked.question)
        .with("answer", answer);
    event.counterparty = Some(stored.asked.asked_by.0.clone());
    let by = person.actor.person.clone().unwrap_or_default();
    Ok(Change::because(event).write(Write::Hold(HoldWrite::Answered(id, by, answer.to_owned()))))
}

/// The questions that the person's organisation asked or is asked; those that are open first.
pub async fn questions(app: &App, person: &Person) -> Result<Vec<QuestionLine>, HoldError> {
    let own = (!person.sees_all).then_some(&person.organisation);
    let stored = app.store.questions_of(own, LISTED_MAX).await?;
    let mut lines = Vec::with_capacity(stored.len());
    let mut records = Vec::with_capacity(stored.len());
    for question in stored {
        let delivery = app.store.find_delivery(question.asked.delivery).await?;
        records.extend(delivery.as_ref().map(|delivery| delivery.record));
        let message_type = delivery.map(|delivery| delivery.kind);
        lines.push(QuestionLine { message_type, ..question.into() });
    }
    viewed(app, &person.actor, "questions", records.into_iter()).await?;
    Ok(lines)
}

/// What may be asked about a held delivery.
pub const QUESTIONS: [&str; 8] = [
    "is-this-the-right-person",
    "who-decides-today",
    "does-the-restriction-still-hold",
    "is-the-legal-duty-confirmed",
    "is-there-a-court-order",
    "is-there-information-about-others",
    "is-this-the-right-service",
    "is-it-still-needed",
];

/// What may be answered.
pub const ANSWERS: [&str; 4] = ["yes", "no", "not-known", "call-us"];

/// The most questions listed at once; more open ones is a day's work for nobody.
const LISTED_MAX: u32 = 500;
