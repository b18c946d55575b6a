//! What a message says that the checklist needs, and how it fared with its receivers.
//!
//! Owns the choice of what is kept: a date of birth, a few dates, a named worker, a receiving
//! service and flags. It is sealed as soon as it is taken from a record ([`Said::of`]) and opened
//! only to work out a checklist; nothing of it stands in a column of the database.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use schemas::record::Particulars;
use schemas::transition::{Duty, Says};
use schemas::{Body, MessageType, OrganisationCode, PersonalText, Record, RecordId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::peer::Role;
use crate::queue::{DeliveryId, DeliveryState};

/// The types of message from which a case is known and its items are judged.
pub const KINDS: [MessageType; 26] = [
    MessageType::EhcnaConsidering,
    MessageType::EhcnaDecision,
    MessageType::AdviceRequest,
    MessageType::PlanFinal,
    MessageType::PlanNotIssued,
    MessageType::PlanAmended,
    MessageType::PlanCeased,
    MessageType::ReviewTermList,
    MessageType::ReviewInvite,
    MessageType::ReviewAdvice,
    MessageType::ReviewReport,
    MessageType::ReviewDecision,
    MessageType::TransitionNotify14,
    MessageType::TransitionReferral,
    MessageType::TransitionHealthPlan,
    MessageType::CareAct58Request,
    MessageType::CareAct58Outcome,
    MessageType::ChcChecklist,
    MessageType::ChcReferral,
    MessageType::ChcDecision,
    MessageType::CypCcReferral,
    MessageType::CypCcDecision,
    MessageType::PlanDraftHealthReview,
    MessageType::PlanSectionGAgreement,
    MessageType::PlanDraft,
    MessageType::PersonDeath,
];

/// What one message says. Personal data: sealed wherever it is kept, and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The date of birth.
    pub born: Date,
    /// The day the message is about: of the plan, the meeting, the decision.
    pub on: Option<Date>,
    /// The named worker.
    pub named_worker: Option<PersonalText>,
    /// The adult service that receives.
    pub receiving_service: Option<PersonalText>,
    /// When adult services take over.
    pub transfer_on: Option<Date>,
    /// The first day of a package.
    pub starts_on: Option<Date>,
    /// It says that the person is in Year 9 or above, or moves to adult services.
    pub tracks: bool,
    /// It says that adult services will be needed.
    pub adult_care: bool,
    /// A decision on continuing care: whether it was in favour.
    pub eligible: Option<bool>,
    /// A plan ceases for a reason that ends the case here: another authority, abroad, death.
    pub leaves: bool,
}

/// One message about a person, as the checklist sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The record.
    pub record: RecordId,
    /// Its type.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// What the sender is.
    pub sender_is: BTreeSet<Duty>,
    /// The day on which the gateway accepted it.
    pub accepted_on: Date,
    /// What it says.
    pub said: Said,
    /// To whom it went or is going.
    pub handed: Vec<Handed>,
}

/// A message on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The receiver.
    pub to: OrganisationCode,
    /// What the receiver is.
    pub to_is: BTreeSet<Duty>,
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// The reason of a rejection.
    pub reason: Option<String>,
    /// When the receiver last said whether it accepts.
    pub answered_on: Option<Date>,
}

impl Said {
    /// What a record says, if it concerns the checklist at all.
    pub fn of(record: &Record) -> Option<Self> {
        let message = record.message();
        let born = message.subject.as_ref()?.date_of_birth;
        if !KINDS.contains(&message.kind) {
            return None;
        }
        let nothing = Self {
            born,
            on: None,
            named_worker: None,
            receiving_service: None,
            transfer_on: None,
            starts_on: None,
            tracks: moves_on(message.kind),
            adult_care: moves_on(message.kind) || continuing_care(message.kind),
            eligible: None,
            leaves: false,
        };
        Some(match &message.body {
            Body::Request(request) => {
                Self { on: Some(request.requested_on), tracks: request.year_9_or_above, ..nothing }
            }
            Body::Transition(plan) => Self {
                on: Some(plan.plan_date),
                named_worker: Some(plan.named_worker.clone()),
                transfer_on: plan.transfer_on,
                ..nothing
            },
            Body::Particulars(particulars) => nothing.with(particulars),
            Body::Triage(_)
            | Body::Advice(_)
            | Body::Nil(_)
            | Body::Exception(_)
            | Body::Notice(_)
            | Body::Decision(_) => nothing,
        })
    }

    fn with(self, particulars: &Particulars) -> Self {
        let text = |name| particulars.text(name).map(PersonalText::new);
        let year_group = particulars.text("year_group").and_then(|year| year.parse::<i16>().ok());
        let says = |name| particulars.flag(name) == Some(true);
        let moving = says("moving_to_adult_services");
        let decision = particulars.text("chc_decision").or(particulars.text("cyp_cc_decision"));
        Self {
            on: DAYS.iter().find_map(|name| particulars.date(name)),
            named_worker: text("named_worker"),
            receiving_service: text("receiving_service"),
            transfer_on: particulars.date("planned_on"),
            starts_on: particulars.date("starts_on"),
            tracks: self.tracks
                || moving
                || says("preparing_for_adulthood")
                || year_group.is_some_and(|year| year >= YEAR_9),
            adult_care: self.adult_care || moving,
            eligible: decision.map(|decision| decision == "eligible"),
            leaves: particulars.text("cease_reason").is_some_and(|why| LEAVES.contains(&why)),
            ..self
        }
    }

    /// Whether it makes a case before the age does.
    pub(crate) fn is_early(&self) -> bool {
        self.tracks
    }

    /// As bytes to be sealed at once.
    pub(crate) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).ok().map(Zeroizing::new)
    }

    /// From bytes that were sealed.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether it says this.
    pub(super) fn says(&self, what: Says) -> bool {
        match what {
            Says::NamedWorker => self.named_worker.is_some(),
            Says::ReceivingService => self.receiving_service.is_some(),
            Says::StartsOn => self.starts_on.is_some(),
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said(hidden)")
    }
}

impl Evidence {
    /// The day it is about, and never one after the gateway accepted it.
    pub(super) fn on(&self) -> Date {
        self.said.on.map_or(self.accepted_on, |on| on.min(self.accepted_on))
    }

    /// Whether an organisation has it: sent it, or it went to it.
    pub fn is_with(&self, organisation: &OrganisationCode) -> bool {
        self.sender == *organisation
            || self.handed.iter().any(|handed| handed.to == *organisation && handed.is_out())
    }
}

impl Handed {
    /// Whether it went, or may go without anybody deciding again.
    pub fn is_out(&self) -> bool {
        !matches!(self.state, DeliveryState::Held | DeliveryState::Withdrawn)
    }
}

/// What an organisation of these roles is on the checklist.
pub(super) fn duties<'a>(roles: impl IntoIterator<Item = &'a Role>) -> BTreeSet<Duty> {
    let duty = |role: &Role| match role {
        Role::LaCaseSystem => Some(Duty::Authority),
        Role::HealthTrust => Some(Duty::Health),
        Role::Icb => Some(Duty::CommissioningBody),
        Role::IgAuditor | Role::Operator => None,
    };
    roles.into_iter().filter_map(duty).collect()
}

/// M24 to M28: messages of the move itself.
pub(super) fn moves_on(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::TransitionNotify14
            | MessageType::TransitionReferral
            | MessageType::TransitionHealthPlan
            | MessageType::CareAct58Request
            | MessageType::CareAct58Outcome
            | MessageType::ChcChecklist
            | MessageType::ChcReferral
            | MessageType::ChcDecision
    )
}

/// M29: children's continuing care.
pub(super) fn continuing_care(kind: MessageType) -> bool {
    matches!(kind, MessageType::CypCcReferral | MessageType::CypCcDecision)
}

/// The names under which a type says the day it is about; a type has one of them.
const DAYS: [&str; 8] = [
    "issued_on",
    "completed_on",
    "referred_on",
    "decided_on",
    "ceased_on",
    "requested_on",
    "meeting_on",
    "effective_on",
];
/// Reasons of the yearly return for which a case ends here: another authority, abroad, death.
const LEAVES: [&str; 3] = ["5", "7", "8"];
const YEAR_9: i16 = 9;
