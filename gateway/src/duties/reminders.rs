//! Reminders of advice that is owed: 14, 7 and 2 days before the date that counts, on it, and a
//! week after (M11).
//!
//! For every leg whose clock runs, the newest reminder that has fallen due and was not made yet:
//! one `advice.chaser` to the service, made on behalf of the authority that asked, and a copy to
//! that authority. It names the leg, the service and the date, and no child. A leg that is excused
//! is reminded of its new date. After a pause only the newest reminder is made up for.

use schemas::deadlines::Reminder;
use schemas::{Draft, Field, LegId, MessageType, OrganisationCode, Place};

use super::DutyError;
use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::board::Facts;
use crate::pipeline;
use crate::queue::{DeliveryId, Leg};
use crate::store::{Change, ClockWrite, Write};

/// Makes the reminders of today; gives how many legs were reminded of.
pub(super) async fn remind(app: &App) -> Result<usize, DutyError> {
    let mut made = 0;
    let mut after = None;
    loop {
        let legs = app.store.running_legs(after, LEGS_AT_ONCE).await?;
        let Some(last) = legs.last() else { return Ok(made) };
        after = Some(*last);
        for leg in legs {
            made += usize::from(remind_of(app, leg).await?);
        }
    }
}

async fn remind_of(app: &App, leg: LegId) -> Result<bool, DutyError> {
    let Some(leg) = app.store.find_leg(leg).await?.filter(|leg| leg.state.is_open()) else {
        return Ok(false);
    };
    let request = app.store.find_record(leg.record).await?;
    if let Some(subject) = request.and_then(|request| request.subject)
        && pipeline::reminders_ended(app, subject).await?
    {
        return Ok(false);
    }
    let due_on = Facts::from(&leg).date_that_counts();
    let reminders = app.rules.reminders(due_on).or(Err(DutyError::Ours("the reminders")))?;
    let today = app.clock.today();
    // What was due before the service was asked is not made up for.
    let fallen = reminders.into_iter().filter(|r| r.on <= today && r.on > leg.received_on);
    let Some(reminder) = fallen.max_by_key(|reminder| reminder.on) else { return Ok(false) };
    let before = app.store.reminders_of(leg.id).await?;
    if before.iter().any(|b| b.due_on == due_on && b.offset_days == reminder.offset_days) {
        return Ok(false);
    }
    let to_service = message(app, &leg, &leg.recipient, (due_on, reminder)).await?;
    // The authority's own copy; it asked, and should know that it reminded.
    let copy = message(app, &leg, &leg.sender, (due_on, reminder)).await?;
    let (Some(record), Some(copy)) = (to_service, copy) else {
        let chain = "authority or the check refused it";
        tracing::error!(leg = %leg.id, error = chain, "a reminder could not be made");
        return Ok(false);
    };
    let mut event = Event::new(EventKind::LegReminded, Actor::gateway())
        .with("days_from_due", reminder.offset_days)
        .with("due_on", due_on)
        .with("copy", copy);
    event.record = Some(record);
    event.delivery = Some(DeliveryId(leg.id.0));
    event.counterparty = Some(leg.recipient.clone());
    let reminded = ClockWrite::Reminded {
        leg: leg.id,
        due_on,
        offset_days: reminder.offset_days,
        record,
        copy,
    };
    app.store.commit(Change::because(event).write(Write::Clock(reminded))).await?;
    Ok(true)
}

/// Puts one reminder on its way; the record, or `None` when it was not accepted.
async fn message(
    app: &App,
    leg: &Leg,
    to: &OrganisationCode,
    (due_on, reminder): (jiff::civil::Date, Reminder),
) -> Result<Option<schemas::RecordId>, DutyError> {
    let key = format!("chaser {} {due_on} {} {to}", leg.id, reminder.offset_days);
    let mut draft = Draft::default();
    let says = [
        (Field::TYPE, MessageType::AdviceChaser.as_str().to_owned()),
        (Field::RECIPIENT, to.to_string()),
        (Field::LEG, leg.id.to_string()),
    ];
    for (field, text) in says {
        draft.set(field, text, Place::Whole);
    }
    let said = [
        ("particulars.due_on", due_on.to_string()),
        ("particulars.days_from_due", reminder.offset_days.to_string()),
        ("particulars.service_asked", leg.service.to_string()),
        ("particulars.legs_outstanding", leg.id.to_string()),
    ];
    for (path, text) in said {
        if let Some(field) = Field::from_path(path) {
            draft.set(field, text, Place::Whole);
        }
    }
    let answer = pipeline::issue(app, &leg.sender, draft, &key).await?;
    Ok(answer.record())
}

/// How many legs are looked at in one question.
const LEGS_AT_ONCE: u32 = 200;
