//! NHS MESH: to a partner's mailbox, through our own, over mutual TLS.
//!
//! Owns: the connection that sending and [collecting](crate::intake::mesh) share, and what an
//! answer to sending means for a delivery. What MESH's calls say is `adapters::mesh`; the calls
//! themselves are [`exchange`]. It must never know the store, the rules or the keys that seal.
//!
//! Before you change this: a first POST makes a new message every time, and its recipient cannot
//! be relied on to tell two apart. So it is sent once. When its outcome is unknown, the delivery
//! ends as `unknown`, for a person; it is not tried again
//! ([`CarrierKind::tells_copies_apart`](crate::queue::CarrierKind::tells_copies_apart)). Later
//! chunks, and everything that only reads or repeats, are tried again, each time with a new token.
//!
//! The delivery's id is the `Mex-LocalID`. No header holds more than ids, codes and types.
//!
//! A connection, with the password and certificates it was made with, is used for a day; then all
//! of it is read again, and the mailbox is announced with a handshake, as MESH asks for.
//!
//! Not supported: parcels above what is read in one piece, because deliveries are held in memory.

pub mod exchange;

use std::sync::{Arc, Mutex, PoisonError};

use adapters::mesh::{Mailbox, MeshMessageId, WorkflowId};
use jiff::{SignedDuration, Timestamp};

use super::{Parcel, SendError};
use crate::app::App;
use crate::config::Partner;
use exchange::{Exchange, Letter, MeshError};

/// The carrier to mailboxes: one connection, made again every day and when trust changes.
#[derive(Debug, Default)]
pub struct MeshCarrier {
    made: Mutex<Option<(Timestamp, Arc<Exchange>)>>,
}

impl MeshCarrier {
    /// Says that certificates have changed: the connection is made again.
    pub fn renew(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The connection to MESH, for the mailbox of the configuration.
    pub fn exchange(&self, app: &App) -> Result<Arc<Exchange>, MeshError> {
        let settings = app.config.mesh.as_ref().ok_or(MeshError::NotSet)?;
        let now = app.clock.now();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, exchange)) = made.as_ref()
            && now.duration_since(*at).abs() < RENEWED_EVERY
        {
            return Ok(Arc::clone(exchange));
        }
        let exchange = Arc::new(Exchange::open(
            settings,
            &app.config.delivery,
            Arc::clone(&app.clock),
            Arc::clone(&app.entropy),
        )?);
        *made = Some((now, Arc::clone(&exchange)));
        Ok(exchange)
    }

    /// Sends a parcel to the mailbox of the partner it was opened for. The parcel is spent.
    pub async fn send(
        &self,
        app: &App,
        parcel: Parcel,
        partner: &Partner,
    ) -> Result<(), SendError> {
        let own = partner.enabled && partner.organisation == *parcel.recipient();
        let Some(to) = partner.mailbox.as_ref().filter(|_| own) else {
            return Err(SendError::Transient("the partner has no mailbox at present".to_owned()));
        };
        let Some(workflow) = workflow_for(app, partner, &parcel) else {
            return Err(SendError::Permanent(
                "no workflow id is set for this type of message".to_owned(),
            ));
        };
        let exchange = self.exchange(app).map_err(|error| before_sending(&error))?;
        exchange.greet().await.map_err(|error| before_sending(&error))?;
        let message = post(&exchange, to, &workflow, &parcel).await?;
        let delivery = parcel.delivery();
        tracing::info!(%delivery, %message, "delivery {delivery} is message {message} at MESH");
        Ok(())
    }
}

async fn post(
    exchange: &Exchange,
    to: &Mailbox,
    workflow: &WorkflowId,
    parcel: &Parcel,
) -> Result<MeshMessageId, SendError> {
    let local_id = parcel.delivery().to_string();
    let letter = Letter {
        to,
        workflow,
        local_id: &local_id,
        subject: parcel.kind().as_str(),
        content_type: parcel.media_type(),
        body: parcel.expose_body(),
    };
    exchange.send(&letter).await
}

/// The workflow id that a parcel travels under: the partner's own, else that of `[mesh]`.
fn workflow_for(app: &App, partner: &Partner, parcel: &Parcel) -> Option<WorkflowId> {
    let common = app.config.mesh.as_ref().map(|mesh| &mesh.workflows);
    let own = partner.workflows.id_for(parcel.kind());
    own.or_else(|| common?.id_for(parcel.kind())).cloned()
}

/// Nothing of the parcel has left: it is tried again, whatever the reason.
fn before_sending(error: &MeshError) -> SendError {
    SendError::Transient(error.to_string())
}

/// MESH asks for a handshake every 24 hours.
const RENEWED_EVERY: SignedDuration = SignedDuration::from_hours(24);
