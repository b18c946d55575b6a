//! Notices: business receipts both ways, and the reports of MESH.

use adapters::mesh::Incoming;
use schemas::record::RejectionReason;
use schemas::{Field, PersonalBytes};
use uuid::Uuid;

use super::{Became, Exchange, Later, Message, actor};
use crate::app::App;
use crate::audit::{Actor, EventKind};
use crate::delivery::SendError;
use crate::delivery::mesh::exchange::Letter;
use crate::pipeline::{Answer, CollectError, Sender, delivery_event};
use crate::queue::{CarrierKind, DeliveryId, DeliveryState};
use crate::store::{Change, StoreError, Write};

/// A partner's business receipt: an `ack.business` about one of our deliveries to it.
pub(super) async fn receipt(
    app: &App,
    message: &Message<'_>,
    bytes: &PersonalBytes,
) -> Result<Became, Later> {
    let partner = message.partner;
    let Some((delivery, state, reason)) = read_receipt(message, bytes) else {
        return Ok(Became::Left("unusable-receipt"));
    };
    let own = &partner.organisation;
    let sender = Sender::partner(partner, actor());
    let said = (state, reason);
    match crate::journey::acknowledge(app, own, &sender.actor, delivery, said).await {
        Ok(None) => Ok(Became::ReceiptApplied),
        Ok(Some(change)) => {
            app.store.commit(change).await.map_err(CollectError::from)?;
            Ok(Became::ReceiptApplied)
        }
        Err(CollectError::NotFound | CollectError::Stopped) => Ok(Became::ReceiptUnmatched),
        Err(error) => Err(error.into()),
    }
}

/// What a receipt says: about which delivery, accepted or rejected, and why.
fn read_receipt(
    message: &Message<'_>,
    bytes: &PersonalBytes,
) -> Option<(DeliveryId, DeliveryState, Option<RejectionReason>)> {
    let source = adapters::Source {
        organisation: message.partner.organisation.as_str(),
        mapping: None,
        feed: &message.partner.feed,
    };
    let format = message.settings.formats.get(&message.workflow).copied();
    let format = format.unwrap_or(message.partner.format);
    // A partner whose own format has no receipts sends them as ours does.
    let formats = [format, adapters::Format::Json];
    let mut formats = formats.into_iter().filter(|format| !format.is_tabular());
    let reading = formats.find_map(|f| adapters::read(f, bytes.expose(), source).ok())?;
    let [item] = reading.items.as_slice() else { return None };
    let text = |field| item.draft.first(field).map(|found| found.text.expose().to_owned());
    let id = Uuid::try_parse(&text(Field::NOTICE_ABOUT)?).ok().map(DeliveryId)?;
    let code = text(Field::NOTICE_CODE).and_then(|code| {
        serde_json::from_value::<RejectionReason>(serde_json::Value::String(code)).ok()
    });
    match text(Field::NOTICE_OUTCOME)?.as_str() {
        "accepted" => Some((id, DeliveryState::Accepted, None)),
        "rejected" => Some((id, DeliveryState::Rejected, Some(code?))),
        _ => None,
    }
}

/// Sends our own business receipt for what was taken in. Its local id is the submission's, so a
/// second one after a crash is known as such. A receipt that can never be sent keeps nothing up.
pub(super) async fn send_receipt(
    app: &App,
    message: &Message<'_>,
    answer: &Answer,
) -> Result<(), Later> {
    let to = message.partner.mailbox.as_ref().or(message.headers.from.as_ref());
    let Some(to) = to else { return Ok(()) };
    let accepted = (200..300).contains(&answer.status);
    let submission = answer.submission;
    let about = message.headers.local_id.as_deref().filter(|id| plain_reference(id));
    let about = about.unwrap_or(message.headers.id.as_str());
    let mut notice = serde_json::json!({
        "about": about,
        "outcome": if accepted { "accepted" } else { "rejected" },
    });
    if !accepted && let Some(members) = notice.as_object_mut() {
        members.insert("code".to_owned(), "SCHEMA".into());
    }
    let body = serde_json::json!({
        "type": "ack.business",
        "id": format!("ack-{submission}"),
        "sender": app.organisation(),
        "recipient": message.partner.organisation,
        "notice": notice,
    })
    .to_string();
    let (workflow, local_id) = (message.workflow.receipt(), format!("ack-{submission}"));
    let letter = Letter {
        to,
        workflow: &workflow,
        local_id: &local_id,
        subject: "ack.business",
        content_type: "application/json",
        body: body.as_bytes(),
    };
    match message.exchange.send(&letter).await {
        Ok(_) => {
            app.metrics.mesh("receipt-sent");
            Ok(())
        }
        Err(SendError::Transient(reason)) => {
            tracing::warn!(%submission, reason, "the receipt for {submission} waits");
            Err(Later::Receipt)
        }
        // It may have arrived, or never will: the message itself is kept either way.
        Err(SendError::Unknown(reason) | SendError::Permanent(reason)) => {
            app.metrics.mesh("receipt-failed");
            tracing::warn!(%submission, reason, "the receipt for {submission} was not taken");
            Ok(())
        }
    }
}

/// Whether a sender's local id can stand as a reference in a message of ours.
fn plain_reference(id: &str) -> bool {
    schemas::MessageId::parse(id).is_ok()
}

/// A report of MESH that one of our messages did not arrive. Which one is asked of MESH itself, by
/// the linked id: it knows our local id of it, and answers the sender only.
pub(super) async fn report(
    app: &App,
    exchange: &Exchange,
    headers: &Incoming,
) -> Result<Became, Later> {
    let Some(linked) = &headers.linked else { return Ok(Became::Left("report-unlinked")) };
    let Some(tracking) = exchange.track(linked).await? else {
        return Ok(Became::Left("report-unmatched"));
    };
    let local = tracking.local_id.unwrap_or_default();
    let code = headers.code.as_deref().unwrap_or("none");
    if local.starts_with("ack-") {
        tracing::warn!(local, code, "a business receipt of ours did not arrive");
        return Ok(Became::ReportApplied);
    }
    let id = Uuid::try_parse(&local).ok().map(DeliveryId);
    let Some(id) = id else { return Ok(Became::Left("report-unmatched")) };
    let delivery = app.store.find_delivery(id).await.map_err(CollectError::from)?;
    let delivery = delivery.filter(|delivery| delivery.carrier == CarrierKind::Mesh);
    let Some(delivery) = delivery else { return Ok(Became::Left("report-unmatched")) };
    let stored = app.store.find_record(delivery.record).await.map_err(CollectError::from)?;
    let Some(stored) = stored else { return Ok(Became::Left("report-unmatched")) };
    let event = delivery_event(EventKind::DeliveryFailed, &delivery, &stored, &Actor::gateway())
        .with("outcome", "MESH reports that it did not arrive")
        .with("code", code);
    let mut change = Change::because(event);
    // Whoever acknowledged it has it, whatever MESH reports; and the same report may come again.
    if matches!(delivery.state, DeliveryState::Delivered | DeliveryState::Unknown) {
        change = change.write(Write::Undelivered(id, format!("mesh-{code}")));
    } else if delivery.state == DeliveryState::Failed {
        return Ok(Became::ReportApplied);
    }
    match app.store.commit(change).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(Became::ReportApplied),
        Err(error) => Err(CollectError::from(error).into()),
    }
}
