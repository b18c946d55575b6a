//! Which message type travels under which workflow id. Configuration, never knowledge: no id is
//! registered for advice yet.

use std::collections::BTreeMap;

use schemas::MessageType;
use serde::{Deserialize, Serialize};

use super::WorkflowId;

/// Workflow ids by message type, and one for everything else (`"*"`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Workflows(BTreeMap<Key, WorkflowId>);

/// A message type, or every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Key {
    Type(MessageType),
    Other,
}

impl Workflows {
    /// The placeholders in place of ids that nobody has registered yet.
    pub fn placeholders() -> Self {
        let answer = "EHC_ADVICE_RESP";
        let named = [
            (Key::Type(MessageType::AdviceRequest), "EHC_ADVICE_REQ"),
            (Key::Type(MessageType::AdviceAccepted), answer),
            (Key::Type(MessageType::AdviceRejected), answer),
            (Key::Type(MessageType::AdviceRedirected), answer),
            (Key::Type(MessageType::AdviceResponse), answer),
            (Key::Type(MessageType::AdviceExistingSufficient), answer),
            (Key::Type(MessageType::AdviceNil), answer),
            (Key::Type(MessageType::AdviceException), answer),
            (Key::Type(MessageType::AdviceLateForecast), answer),
            (Key::Other, "EHC_MESSAGE"),
        ];
        let ids = named.into_iter().filter_map(|(key, id)| Some((key, WorkflowId::parse(id)?)));
        Self(ids.collect())
    }

    /// No ids at all: everything is as set elsewhere.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The workflow id for a message type.
    pub fn id_for(&self, kind: MessageType) -> Option<&WorkflowId> {
        self.0.get(&Key::Type(kind)).or_else(|| self.0.get(&Key::Other))
    }

    /// Whether messages are expected under an id. A receipt is expected under `_ACK`.
    pub fn knows(&self, id: &WorkflowId) -> bool {
        self.0.values().any(|known| known == id || known.receipt() == *id)
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids that are still placeholders, each once.
    pub fn unregistered(&self) -> Vec<&WorkflowId> {
        let mut ids: Vec<&WorkflowId> = self.0.values().filter(|id| is_placeholder(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Every row: a message type's name or `*`, and the id.
    pub fn rows(&self) -> impl Iterator<Item = (String, &WorkflowId)> {
        self.0.iter().map(|(key, id)| (String::from(key.clone()), id))
    }
}

impl Default for Workflows {
    fn default() -> Self {
        Self::none()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        match key {
            Key::Type(kind) => kind.as_str().to_owned(),
            Key::Other => "*".to_owned(),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Other);
        }
        let kind = MessageType::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.map(Self::Type).ok_or_else(|| {
            "this is no message type the gateway carries; fix: write one, for example \
             \"advice.request\", or \"*\" for every other"
                .to_owned()
        })
    }
}

/// Whether an id is one of ours in place of one that NHS England has still to register.
pub fn is_placeholder(id: &WorkflowId) -> bool {
    id.as_str().starts_with("EHC_")
}
