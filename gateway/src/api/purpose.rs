//! The purpose of a look: the header `EHC-Purpose`, read where requests come in.
//!
//! Owns which routes are looks, and what is refused: a code that is not on the list, and, where
//! `[audit] require_purpose` is set, a look at something about a child without one. What was said goes
//! with the caller into whatever entry the request leaves. Routes that ask for a `reason` in their body
//! have their purpose there; acts have their own reasons; neither reads the header.

use axum::http::HeaderMap;

use super::problem::{Kind, Problem};
use super::{Route, RouteId};
use crate::app::App;
use crate::audit::purpose::Purpose;

/// What a route has to do with purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purposes {
    /// The header is not read.
    Unread,
    /// What is said is kept; machines ask here by themselves, so that it is never required.
    Taken,
    /// A person looks at something about a child: it is kept, and required where the setting says so.
    Wanted,
}

/// What a route has to do with purposes.
#[rustfmt::skip]
pub fn purposes(route: RouteId) -> Purposes {
    match route {
        RouteId::Journey | RouteId::ExplainRecord | RouteId::ShowRecall | RouteId::ShowCase
        | RouteId::FindCase | RouteId::Board | RouteId::Clocks | RouteId::Evidence
        | RouteId::Transitions | RouteId::ShowTransition | RouteId::FindConsents
        | RouteId::PreviewConsent | RouteId::ConsentEvidence | RouteId::ConsentDocument
        | RouteId::Holds | RouteId::ShowHold | RouteId::Questions | RouteId::Reviews
        | RouteId::Alerts | RouteId::ShowAlert | RouteId::LegalHolds | RouteId::RetentionDue
        | RouteId::DeletionCertificates | RouteId::DeletionCertificate | RouteId::Entries => Purposes::Wanted,
        // Systems fetch and compare on their own, and what goes out says why by its authority.
        RouteId::Inbox | RouteId::Collect | RouteId::Document | RouteId::Notice
        | RouteId::Deliveries | RouteId::Performance | RouteId::Reconciliations
        | RouteId::ShowReconciliation | RouteId::Differences | RouteId::Tile => Purposes::Taken,
        // Questions to the log have a reason in their body; what follows are acts, or of nobody.
        RouteId::WhoHasSeen | RouteId::MakeReport | RouteId::SearchLog | RouteId::Submit
        | RouteId::Rehearse | RouteId::Recall | RouteId::AnswerReconciliation
        | RouteId::ExplainDifference | RouteId::Acknowledge | RouteId::BeginDocument
        | RouteId::AppendDocument | RouteId::ShowDocument | RouteId::SayOfClock
        | RouteId::RecordConsent | RouteId::DecideHold | RouteId::AskAboutHold
        | RouteId::BreakGlass | RouteId::AnswerQuestion | RouteId::CloseReview
        | RouteId::DecideAlert | RouteId::SampleAccesses | RouteId::ListStaff | RouteId::Resend
        | RouteId::PlaceLegalHold | RouteId::LiftLegalHold | RouteId::Checkpoint
        | RouteId::ShowCheckpoint | RouteId::Reports | RouteId::Inclusion | RouteId::Consistency
        | RouteId::Keys | RouteId::WhoAmI | RouteId::Describe | RouteId::Capability
        | RouteId::ProcessMessage => Purposes::Unread,
    }
}

/// The purpose that a request says, or why it is refused.
pub(super) fn said(
    app: &App,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Option<Purpose>, Problem> {
    let asks = purposes(route.id);
    if asks == Purposes::Unread {
        return Ok(None);
    }
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next().filter(|value| !value.as_bytes().trim_ascii().is_empty());
    let refused = |problem: &str| {
        let codes = Purpose::codes().join(", ");
        let next = format!("{problem} Send one of {codes} in the header EHC-Purpose.");
        Err(Problem::new(Kind::InvalidParameter, next))
    };
    match value {
        None if asks == Purposes::Wanted && app.config.audit.require_purpose => {
            refused("This gateway asks whoever looks for which purpose they do.")
        }
        None => Ok(None),
        Some(_) if values.next().is_some() => refused("More than one purpose is named."),
        Some(value) => match value.to_str().ok().and_then(|code| Purpose::parse(code.trim())) {
            Some(purpose) => Ok(Some(purpose)),
            None => refused("The purpose is not one of the list."),
        },
    }
}

/// The header that says it.
const HEADER: &str = "ehc-purpose";
