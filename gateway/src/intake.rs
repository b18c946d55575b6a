//! How bytes come in other than through the API: a listener, a mailbox, a folder.
//!
//! Owns what all of them share: bytes of a known partner go through
//! [`pipeline::receive`] like any request, under a key that makes a
//! second copy harmless, and are acknowledged at their source only after that answered. It must
//! never know formats beyond their names, SQL, or keys.

pub mod acknowledgements;
pub mod folder;
pub mod mesh;
pub mod mllp;
pub mod report;

use adapters::Format;
use schemas::PersonalBytes;

use crate::app::App;
use crate::audit::Actor;
use crate::config::Partner;
use crate::pipeline::{self, Answer, RawMessage, ReceiveError, Sender};

/// What came in for the pipeline, and the key by which a second copy is known.
#[derive(Debug)]
pub struct Arrival {
    /// How it is written.
    pub format: Format,
    /// The mapping to read it with; the partner's own when none is named.
    pub mapping: Option<String>,
    /// The bytes.
    pub bytes: PersonalBytes,
    /// The key: the same for a second copy of the same thing, and for nothing else.
    pub key: String,
}

/// Takes what came in from a partner. Everything the answer says is durable when this returns.
pub async fn take(
    app: &App,
    partner: &Partner,
    actor: Actor,
    arrival: Arrival,
) -> Result<Answer, ReceiveError> {
    let Arrival { format, mapping, bytes, key } = arrival;
    let sender = Sender::partner(partner, actor);
    pipeline::receive(app, &sender, RawMessage { format, mapping, bytes, key }).await
}
