//! Accountability for decisions about sharing: why a record may go, and what other rules would
//! have made of the past (UK GDPR, Article 5(2)).
//!
//! Owns gathering, from store and log, what [`authority`] needs to explain a
//! decision or to make past ones again. It decides nothing, and must never open a record: no
//! decision depends on what a record says.
//!
//! Use: [`of_record`] for every step of the decisions about one record; [`Replay`] for all the
//! decisions in the log, in order, each with the evidence as it stood.
//!
//! Limits: a step by step explanation is made now, under the rules in force, beside what the log
//! says was decided then. The log is the evidence; the explanation is not.

use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, DecisionNote};
use crate::authority::{self, explanation};
use crate::journey;
use crate::pipeline;
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::StoreError;

mod replay;

pub use replay::{Past, Replay};

/// The decisions about one record.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The record.
    pub record: RecordId,
    /// What kind of message it is.
    pub message_type: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The day for which the steps are said.
    pub on: Date,
    /// The version of the rules and agreements in force.
    pub rule_version: String,
    /// What was decided, from the log, oldest first.
    pub decided: Vec<journey::Step>,
    /// Each delivery as it would be decided now. None for a recipient: what the family decided
    /// about others is not theirs to see.
    pub now: Vec<Line>,
}

/// One delivery as it would be decided now.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The delivery.
    pub delivery: DeliveryId,
    /// To whom.
    pub recipient: OrganisationCode,
    /// What has become of it.
    pub state: DeliveryState,
    /// The decision.
    pub decision: DecisionNote,
    /// The classes of data that would go.
    pub classes: Vec<&'static str>,
    /// Every step of it in words.
    pub steps: Vec<explanation::Step>,
}

/// Explains the decisions about a record to a viewer, as [`journey::of_record`] shows its journey:
/// its sender sees all, a recipient what concerns it once something has gone to it, `None` as
/// viewer everything. Looking is an entry in the log. `Ok(None)` when there is nothing to see.
pub async fn of_record(
    app: &App,
    record: RecordId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Explained>, StoreError> {
    let Some(journey) = journey::of_record(app, record, viewer, actor).await? else {
        return Ok(None);
    };
    let Some(stored) = app.store.find_record(record).await? else { return Ok(None) };
    let (now, today) = (app.clock.now(), app.clock.today());
    let book = app.rule_book();
    let mut lines = Vec::new();
    if viewer.is_none_or(|viewer| *viewer == journey.sender) {
        for delivery in app.store.deliveries_of(record).await? {
            let question = pipeline::question(&delivery, &stored);
            let evidence = pipeline::evidence(app, &question, Some(delivery.id)).await?;
            let explained = authority::explain(&question, &evidence, book, now, today);
            lines.push(Line {
                delivery: delivery.id,
                recipient: delivery.recipient,
                state: delivery.state,
                decision: explained.decision.note(),
                classes: explained.decision.classes.iter().map(|class| class.as_str()).collect(),
                steps: explained.steps,
            });
        }
    }
    Ok(Some(Explained {
        record,
        message_type: journey.message_type,
        sender: journey.sender,
        on: today,
        rule_version: book.version(),
        decided: journey.steps.into_iter().filter(|step| step.decision.is_some()).collect(),
        now: lines,
    }))
}
