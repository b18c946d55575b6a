//! No answer without its entry: looked at where requests come in, not left to each handler.
//!
//! A route's answer that says something must have left an entry in the log, or it is withheld. What touches
//! nothing of anybody is listed here with its reason; an answer that turned out to name nobody says so
//! itself ([`names_nobody`]). Whoever asks for what there is not, for them, leaves an entry too.
//!
//! What was answered before, word for word, is not looked at: it left its entry then.

use axum::response::{IntoResponse, Response};

use super::problem::{Kind, Problem};
use super::{Caller, Route, RouteId};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::store::{Change, Notice};

/// An answer that names nobody: an empty list, a tile of hashes.
#[derive(Debug, Clone, Copy)]
struct NamesNobody;

/// Says of an answer that it names nobody.
pub(super) fn names_nobody(mut response: Response) -> Response {
    response.extensions_mut().insert(NamesNobody);
    response
}

/// Why a route leaves no entry; `None` for every route whose answers must have left one.
pub fn leaves_nothing(route: RouteId) -> Option<&'static str> {
    OF_NOBODY.iter().find(|(id, _)| *id == route).map(|(_, why)| *why)
}

/// Lets an answer go if it left its entry, and writes down what was refused.
pub(super) async fn witnessed(
    app: &App,
    (route, caller): (&Route, &Caller),
    notice: &Notice,
    response: Response,
) -> Response {
    if notice.left_an_entry() || leaves_nothing(route.id).is_some() {
        return response;
    }
    let problem = response.extensions().get::<Problem>().map(Problem::kind);
    match problem {
        Some(kind) if REFUSALS.contains(&kind) => {
            let event = Event::new(EventKind::AccessRefused, caller.actor.clone())
                .with("route", route.path)
                .with("rule", kind.code());
            match app.store.commit(Change::because(event)).await {
                Ok(_) => response,
                Err(error) => Problem::from(error).into_response(),
            }
        }
        Some(_) => response,
        None => {
            let before = response.headers().contains_key("idempotency-replayed");
            let nobody = response.extensions().get::<NamesNobody>().is_some();
            if before || nobody || !response.status().is_success() {
                return response;
            }
            tracing::error!(route = route.path, "an answer left no entry and was withheld");
            Problem::new(Kind::Internal, "Quote the reference to the operator.").into_response()
        }
    }
}

/// What somebody is refused because of who they are, or because there is no such thing for them.
const REFUSALS: [Kind; 4] =
    [Kind::NotFound, Kind::NoLongerAvailable, Kind::NotPermitted, Kind::NotYoursToDecide];

/// Every route that leaves no entry, and why.
const OF_NOBODY: [(RouteId, &str); 12] = [
    (RouteId::Checkpoint, "a size and a hash; witnesses ask every minute"),
    (RouteId::ShowCheckpoint, "the caller shows a size and a hash; one that is not known is found"),
    (RouteId::Inclusion, "hashes"),
    (RouteId::Consistency, "hashes"),
    (RouteId::Keys, "public keys"),
    (RouteId::WhoAmI, "the caller's own certificate and roles"),
    (RouteId::Describe, "the same for everybody"),
    (RouteId::Capability, "the same for everybody"),
    (RouteId::Reports, "the same for everybody"),
    (RouteId::BeginDocument, "its beginning is an entry; begun again it is where it was"),
    (RouteId::AppendDocument, "a piece of an upload, which is an entry when it begins and ends"),
    (RouteId::ShowDocument, "how far the caller's own upload is"),
];
