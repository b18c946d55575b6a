//! The types of message that are carried, by their names on the wire.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The types of message the gateway carries in full. The whole catalogue, M01 to M33, is data:
/// see [`catalogue`](crate::catalogue).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum MessageType {
    /// M04: an authority asks services for advice (SEND Regulations 2014, regulation 6(1)).
    #[serde(rename = "advice.request")]
    AdviceRequest,
    /// M05: the service takes the request on.
    #[serde(rename = "advice.accepted")]
    AdviceAccepted,
    /// M05: the service cannot take it on, with a reason.
    #[serde(rename = "advice.rejected")]
    AdviceRejected,
    /// M05: another organisation should be asked.
    #[serde(rename = "advice.redirected")]
    AdviceRedirected,
    /// M06: the advice. Stops the regulation 8 clock.
    #[serde(rename = "advice.response")]
    AdviceResponse,
    /// M08: the person is not known or was discharged.
    #[serde(rename = "advice.nil")]
    AdviceNil,
    /// M09: regulation 8(2) a, b or c excuses lateness.
    #[serde(rename = "advice.exception")]
    AdviceException,
    /// M23: agreement to share was given.
    #[serde(rename = "consent.grant")]
    ConsentGrant,
    /// M23: agreement to share was withdrawn; effective at once.
    #[serde(rename = "consent.withdraw")]
    ConsentWithdraw,
    /// M26: the health part of a plan for moving to adult services.
    #[serde(rename = "transition.health_plan")]
    TransitionHealthPlan,
    /// M32: a business acknowledgement of a message.
    #[serde(rename = "ack.business")]
    Acknowledgement,
    /// M32: a message could not be used.
    #[serde(rename = "error")]
    Error,
}

impl MessageType {
    /// Every type carried in full.
    pub const ALL: [Self; 12] = [
        Self::AdviceRequest,
        Self::AdviceAccepted,
        Self::AdviceRejected,
        Self::AdviceRedirected,
        Self::AdviceResponse,
        Self::AdviceNil,
        Self::AdviceException,
        Self::ConsentGrant,
        Self::ConsentWithdraw,
        Self::TransitionHealthPlan,
        Self::Acknowledgement,
        Self::Error,
    ];

    /// The name on the wire, for example `advice.request`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdviceRequest => "advice.request",
            Self::AdviceAccepted => "advice.accepted",
            Self::AdviceRejected => "advice.rejected",
            Self::AdviceRedirected => "advice.redirected",
            Self::AdviceResponse => "advice.response",
            Self::AdviceNil => "advice.nil",
            Self::AdviceException => "advice.exception",
            Self::ConsentGrant => "consent.grant",
            Self::ConsentWithdraw => "consent.withdraw",
            Self::TransitionHealthPlan => "transition.health_plan",
            Self::Acknowledgement => "ack.business",
            Self::Error => "error",
        }
    }

    /// The type with this name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether this answers one leg of a request for advice.
    pub fn answers_a_leg(self) -> bool {
        matches!(
            self,
            Self::AdviceAccepted
                | Self::AdviceRejected
                | Self::AdviceRedirected
                | Self::AdviceResponse
                | Self::AdviceNil
                | Self::AdviceException
        )
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
