//! The types of message, by their names on the wire.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConsentStatus;

/// The enum, its list and its names from one table, so that they cannot part.
macro_rules! message_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Every type of message of the catalogue, M01 to M33. What each says is data: see
        /// [`catalogue`](crate::catalogue).
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        pub enum MessageType {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl MessageType {
            /// Every type, in the order of the catalogue.
            pub const ALL: [Self; 56] = [$(Self::$variant,)*];

            /// The name on the wire, for example `advice.request`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

message_types! {
    /// M01: a young child probably has special educational needs or a disability (Children and Families Act 2014, section 23).
    S23Notification = "s23.notification",
    /// M02: a request for an assessment is being considered (regulation 4(2)).
    EhcnaConsidering = "ehcna.considering",
    /// M03: whether the authority will assess (regulation 5).
    EhcnaDecision = "ehcna.decision",
    /// M04: an authority asks services for advice (SEND Regulations 2014, regulation 6(1)).
    AdviceRequest = "advice.request",
    /// M05: the service takes the request on.
    AdviceAccepted = "advice.accepted",
    /// M05: the service cannot take it on, with a reason.
    AdviceRejected = "advice.rejected",
    /// M05: another organisation should be asked.
    AdviceRedirected = "advice.redirected",
    /// M06: the advice. Stops the regulation 8 clock.
    AdviceResponse = "advice.response",
    /// M07: advice given before is sufficient, as one of the three parties says (regulation 6(4)).
    AdviceExistingSufficient = "advice.existing_sufficient",
    /// M08: the person is not known or was discharged.
    AdviceNil = "advice.nil",
    /// M09: regulation 8(2) a, b or c excuses lateness.
    AdviceException = "advice.exception",
    /// M10: the advice will be late, and nothing excuses it.
    AdviceLateForecast = "advice.late_forecast",
    /// M11: a reminder of advice that is owed.
    AdviceChaser = "advice.chaser",
    /// M12: a question about advice.
    AdviceClarify = "advice.clarify",
    /// M12: advice is corrected.
    AdviceAmend = "advice.amend",
    /// M13: the health sections of a draft plan, for review.
    PlanDraftHealthReview = "plan.draft_health_review",
    /// M14: whether section G is agreed (regulation 12(2)).
    PlanSectionGAgreement = "plan.section_g_agreement",
    /// M15: the draft plan was served on the family; its status only.
    PlanDraft = "plan.draft",
    /// M16: the final plan (regulation 13(2)); its disclosure is regulation 17's.
    PlanFinal = "plan.final",
    /// M17: no plan will be issued (regulation 10(2)).
    PlanNotIssued = "plan.not_issued",
    /// M18: a review that is due next term.
    ReviewTermList = "review.term_list",
    /// M19: an invitation to an annual review.
    ReviewInvite = "review.invite",
    /// M19: advice for an annual review.
    ReviewAdvice = "review.advice",
    /// M19: the report of an annual review.
    ReviewReport = "review.report",
    /// M19: the authority's decision after an annual review.
    ReviewDecision = "review.decision",
    /// M20: an amended plan (regulation 22).
    PlanAmended = "plan.amended",
    /// M21: a plan ceases (regulation 31).
    PlanCeased = "plan.ceased",
    /// M22: a plan passes to another authority (regulation 15).
    PlanTransfer = "plan.transfer",
    /// M22: another commissioning body is responsible (regulation 16).
    RcbChange = "rcb.change",
    /// M23: agreement to share was given.
    ConsentGrant = "consent.grant",
    /// M23: agreement to share was refused.
    ConsentRefuse = "consent.refuse",
    /// M23: agreement to share was withdrawn; effective at once.
    ConsentWithdraw = "consent.withdraw",
    /// M23: agreement was given by somebody who no longer decides.
    ConsentStale = "consent.stale",
    /// M23: a restriction on sharing begins or is lifted.
    ConsentRestriction = "consent.restriction",
    /// M24: likely need for adult continuing healthcare, at 14.
    TransitionNotify14 = "transition.notify_14",
    /// M25: a referral to an adult service.
    TransitionReferral = "transition.referral",
    /// M26: the health part of a plan for moving to adult services.
    TransitionHealthPlan = "transition.health_plan",
    /// M27: a child's needs assessment is asked for (Care Act 2014, section 58).
    CareAct58Request = "careact58.request",
    /// M27: its outcome.
    CareAct58Outcome = "careact58.outcome",
    /// M28: the checklist for adult continuing healthcare.
    ChcChecklist = "chc.checklist",
    /// M28: a referral for adult continuing healthcare.
    ChcReferral = "chc.referral",
    /// M28: the decision on adult continuing healthcare.
    ChcDecision = "chc.decision",
    /// M29: a referral for children's continuing care.
    CypCcReferral = "cyp_cc.referral",
    /// M29: the decision on children's continuing care.
    CypCcDecision = "cyp_cc.decision",
    /// M30: an appeal has health sections in issue.
    TribunalNotice = "tribunal.notice",
    /// M30: the tribunal recommends.
    TribunalRecommendation = "tribunal.recommendation",
    /// M30: the body responds to a recommendation.
    TribunalResponse = "tribunal.response",
    /// M31: how to reach the safeguarding team; never the concern itself.
    SafeguardingAlertLink = "safeguarding.alert_link",
    /// M32: a message arrived.
    TransportReceipt = "ack.transport",
    /// M32: a business acknowledgement of a message.
    Acknowledgement = "ack.business",
    /// M32: a message could not be used.
    Error = "error",
    /// M32: the sender takes a message back.
    Recall = "recall",
    /// M33: a person was matched to an identifier.
    PersonMatch = "person.match",
    /// M33: two records of a person became one.
    PersonMerge = "person.merge",
    /// M33: the person died.
    PersonDeath = "person.death",
    /// M33: an address is to be kept from others, or no longer.
    PersonAddressSafe = "person.address_safe",
}

/// Which member of the canonical message says what a type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `request`.
    Request,
    /// `triage`.
    Triage,
    /// `advice`.
    Advice,
    /// `nil`.
    Nil,
    /// `exception`.
    Exception,
    /// `transition`.
    Transition,
    /// `notice`.
    Notice,
    /// The `consent` member says it all.
    Decision,
    /// `particulars`: the names that the catalogue gives the type.
    Particulars,
}

impl Form {
    /// The name of the member.
    pub fn member(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Triage => "triage",
            Self::Advice => "advice",
            Self::Nil => "nil",
            Self::Exception => "exception",
            Self::Transition => "transition",
            Self::Notice => "notice",
            Self::Decision => "decision",
            Self::Particulars => "particulars",
        }
    }
}

impl MessageType {
    /// The type with this name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The form of what it says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are the catalogue's")]
    pub fn form(self) -> Form {
        match self {
            Self::AdviceRequest => Form::Request,
            Self::AdviceAccepted | Self::AdviceRejected | Self::AdviceRedirected => Form::Triage,
            Self::AdviceResponse => Form::Advice,
            Self::AdviceNil => Form::Nil,
            Self::AdviceException => Form::Exception,
            Self::TransitionHealthPlan => Form::Transition,
            Self::TransportReceipt | Self::Acknowledgement | Self::Error => Form::Notice,
            _ if self.is_about_consent() => Form::Decision,
            _ => Form::Particulars,
        }
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
                | Self::AdviceExistingSufficient
                | Self::AdviceLateForecast
        )
    }

    /// Whether this says what was decided about sharing, and nothing else.
    pub fn is_about_consent(self) -> bool {
        matches!(
            self,
            Self::ConsentGrant
                | Self::ConsentRefuse
                | Self::ConsentWithdraw
                | Self::ConsentStale
                | Self::ConsentRestriction
        )
    }

    /// What the type itself says was decided; `None` where the message must say it.
    pub fn says_of_consent(self) -> Option<ConsentStatus> {
        let said = [
            (Self::ConsentGrant, ConsentStatus::Given),
            (Self::ConsentRefuse, ConsentStatus::Refused),
            (Self::ConsentWithdraw, ConsentStatus::Withdrawn),
            (Self::ConsentStale, ConsentStatus::Stale),
        ];
        said.into_iter().find_map(|(kind, status)| (kind == self).then_some(status))
    }

    /// Whether it can go without saying whom it is about: notices about a message or a leg.
    pub fn may_name_nobody(self) -> bool {
        matches!(
            self,
            Self::TransportReceipt
                | Self::Acknowledgement
                | Self::Error
                | Self::Recall
                | Self::AdviceChaser
        )
    }

    /// Whether the message itself must say whom it is for: no request and no leg does.
    pub fn needs_a_recipient(self) -> bool {
        // A recall without one is for everybody who has what it takes back.
        let elsewhere = matches!(self, Self::AdviceRequest | Self::Recall)
            || self.is_about_consent()
            || (self.answers_a_leg() && self != Self::AdviceExistingSufficient);
        !elsewhere
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
