//! What a business acknowledgement that came as a message does to the delivery it is about.
//!
//! `about` names a delivery when it is the id under which we delivered to this very sender (in
//! FHIR, our `MessageHeader.id`). Anything else is a reference of the sender's own and is passed on
//! as it stands. It must never tell a sender whether a delivery of somebody else exists.

use schemas::Record;
use schemas::record::{Body, NoticeOutcome};
use uuid::Uuid;

use super::admission::Batch;
use super::{CollectError, ReceiveError};
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::Change;

impl Batch<'_> {
    /// The change that a record makes to a delivery by acknowledging it; `None` when it does not.
    pub(super) async fn acknowledged(
        &self,
        record: &Record,
    ) -> Result<Option<Change>, ReceiveError> {
        let Body::Notice(notice) = &record.message().body else { return Ok(None) };
        let Some(outcome) = notice.outcome else { return Ok(None) };
        let Ok(id) = Uuid::try_parse(notice.about.expose()) else { return Ok(None) };
        let state = match outcome {
            NoticeOutcome::Accepted => DeliveryState::Accepted,
            NoticeOutcome::Rejected => DeliveryState::Rejected,
        };
        let (own, actor) = (&self.sender.organisation, &self.sender.actor);
        let said = (state, notice.code);
        match crate::journey::acknowledge(self.app, own, actor, DeliveryId(id), said).await {
            Ok(change) => Ok(change),
            // Not theirs, or stopped before it went: there is nothing to acknowledge.
            Err(CollectError::NotFound | CollectError::Stopped | CollectError::Removed) => Ok(None),
            Err(CollectError::Store(error)) => Err(error.into()),
            Err(CollectError::Vault(error)) => Err(error.into()),
            Err(
                CollectError::Format(_)
                | CollectError::NoDocument
                | CollectError::Document(_)
                | CollectError::Ours(_),
            ) => Err(ReceiveError::Ours("the acknowledgement")),
        }
    }
}
