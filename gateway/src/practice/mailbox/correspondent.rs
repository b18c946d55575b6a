//! A practice trust that speaks through its mailbox.

use std::time::Duration;

use adapters::mesh::{Incoming, Mailbox, MeshMessageId, WorkflowId};

use crate::delivery::SendError;
use crate::delivery::mesh::exchange::{Exchange, Letter, MeshError};

/// A trust's side of the exchange, for the demo and the tests.
#[derive(Debug)]
pub struct Correspondent {
    exchange: Exchange,
    gateway: Mailbox,
}

/// A message that was collected: its headers and its body.
#[derive(Debug)]
pub struct Received {
    /// The headers.
    pub headers: Incoming,
    /// The body, whole and decompressed.
    pub body: Vec<u8>,
}

impl Correspondent {
    /// A trust with a connection of its own, that writes to the gateway's mailbox.
    pub fn new(exchange: Exchange, gateway: Mailbox) -> Self {
        Self { exchange, gateway }
    }

    /// The connection itself.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Sends a body under a workflow id, with the trust's own id of it.
    pub async fn send(
        &self,
        workflow: &WorkflowId,
        local_id: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<MeshMessageId, SendError> {
        let to = &self.gateway;
        let letter = Letter { to, workflow, local_id, subject: "", content_type, body };
        self.exchange.send(&letter).await
    }

    /// What waits in the trust's inbox.
    pub async fn list(&self) -> Result<Vec<MeshMessageId>, MeshError> {
        Ok(self.exchange.list(None, None).await?.messages)
    }

    /// Downloads a message. It stays in the inbox until it is acknowledged.
    pub async fn download(&self, id: &MeshMessageId) -> Result<Received, MeshError> {
        let arriving = self.exchange.fetch(id).await?;
        let headers = arriving.headers.clone();
        let body = self.exchange.rest(arriving, adapters::limits::SUBMISSION_BYTES_MAX).await?;
        Ok(Received { headers, body })
    }

    /// Tells MESH that the trust keeps a message.
    pub async fn acknowledge(&self, id: &MeshMessageId) -> Result<(), MeshError> {
        self.exchange.acknowledge(id).await
    }

    /// Waits for the next message, at most this long; downloads and acknowledges it.
    pub async fn collect(&self, at_most: Duration) -> Result<Option<Received>, MeshError> {
        for _ in 0..=at_most.as_millis() / 50 {
            if let Some(id) = self.list().await?.first() {
                let letter = self.download(id).await?;
                self.acknowledge(id).await?;
                return Ok(Some(letter));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }

    /// Sends a business receipt for a message of the gateway's: an `ack.business` of its own.
    pub async fn send_receipt(
        &self,
        organisation: &str,
        received: &Incoming,
        outcome: &str,
        code: Option<&str>,
    ) -> Result<Option<MeshMessageId>, SendError> {
        let (Some(workflow), Some(about)) = (&received.workflow, &received.local_id) else {
            return Ok(None);
        };
        let id = format!("ack-{about}");
        let mut notice = serde_json::json!({ "about": about, "outcome": outcome });
        if let (Some(members), Some(code)) = (notice.as_object_mut(), code) {
            members.insert("code".to_owned(), code.into());
        }
        let body = serde_json::json!({
            "type": "ack.business", "id": id, "sender": organisation, "notice": notice,
        });
        let body = body.to_string();
        let sent = self.send(&workflow.receipt(), &id, "application/json", body.as_bytes()).await;
        sent.map(Some)
    }
}
