//! The partner API: one table of routes, one way in, handlers of a dozen lines.
//!
//! [`ROUTES`] says for every route who may call it and whether a person must be named; the router,
//! the API description and the safety tests are all made from it, so a route cannot be added
//! without being classified; its answers must leave an entry or are withheld (`totality`). Every request passes `entry`: a caller is identified, roles are
//! enforced, refusals are audited, and one line is logged at the end.

pub mod problem;
pub mod witness;

mod alerts;
mod audit;
mod audit_search;
mod board;
mod cases;
mod clocks;
mod consents;
mod cursor;
mod deliveries;
mod documents;
mod fhir;
mod health;
mod holds;
mod inbox;
mod openapi;
mod purpose;
mod recalls;
mod reconciliations;
mod records;
mod reports;
mod retention;
mod totality;
mod transitions;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::peer::{Peer, Role};
use crate::pipeline::Sender;
use crate::store::{Change, Notice};
use problem::{Kind, Problem};

pub use health::admin_router;
pub use openapi::document as openapi_document;
pub use purpose::{Purposes, purposes};
pub use totality::leaves_nothing;

/// A route: what it is for and who may call it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Which handler.
    pub id: RouteId,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub roles: &'static [Role],
    /// Whether the person who acts must be named in `EHC-Acting-User`.
    pub person: bool,
    /// Who answers.
    handler: fn() -> MethodRouter<Arc<App>>,
}

/// Every handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described by its route's summary")]
pub enum RouteId {
    Submit,
    Rehearse,
    Journey,
    Recall,
    ShowRecall,
    Notice,
    ShowCase,
    FindCase,
    Reconciliations,
    ShowReconciliation,
    AnswerReconciliation,
    Differences,
    ExplainDifference,
    ExplainRecord,
    Inbox,
    Collect,
    Document,
    Acknowledge,
    BeginDocument,
    AppendDocument,
    ShowDocument,
    Board,
    Clocks,
    SayOfClock,
    Performance,
    Evidence,
    Transitions,
    ShowTransition,
    RecordConsent,
    FindConsents,
    PreviewConsent,
    ConsentEvidence,
    ConsentDocument,
    Holds,
    ShowHold,
    DecideHold,
    AskAboutHold,
    BreakGlass,
    Questions,
    AnswerQuestion,
    Reviews,
    CloseReview,
    Alerts,
    ShowAlert,
    DecideAlert,
    SampleAccesses,
    ListStaff,
    Deliveries,
    Resend,
    LegalHolds,
    PlaceLegalHold,
    LiftLegalHold,
    RetentionDue,
    DeletionCertificates,
    DeletionCertificate,
    Checkpoint,
    ShowCheckpoint,
    Entries,
    WhoHasSeen,
    Reports,
    MakeReport,
    SearchLog,
    Tile,
    Inclusion,
    Consistency,
    Keys,
    WhoAmI,
    Describe,
    Capability,
    ProcessMessage,
}

const EVERYONE: &[Role] =
    &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::IgAuditor, Role::Operator];
const PARTNERS: &[Role] = &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb];
const BOARD_READERS: &[Role] = &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::IgAuditor];
const CONSENT_RECORDERS: &[Role] = &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb];
const CONSENT_READERS: &[Role] = &[Role::LaCaseSystem, Role::IgAuditor];
const HOLD_DECIDERS: &[Role] = &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::IgAuditor];
const SENDERS: &[Role] = &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::Operator];
const JOURNEY_READERS: &[Role] =
    &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::IgAuditor];
const RECALL_READERS: &[Role] =
    &[Role::LaCaseSystem, Role::HealthTrust, Role::Icb, Role::IgAuditor];
const AUDITORS: &[Role] = &[Role::IgAuditor];
const DIFFERENCE_READERS: &[Role] = EVERYONE;
const DIFFERENCE_EXPLAINERS: &[Role] = &[Role::IgAuditor, Role::Operator];

/// Every route of the partner API.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { id: RouteId::Submit, method: "POST", path: "/v1/messages", summary: "Submit one message (JSON, FHIR) or a batch (CSV); answered with a signed receipt.", roles: PARTNERS, person: false, handler: || routing::post(records::submit) },
    Route { id: RouteId::Rehearse, method: "POST", path: "/v1/messages/dry-run", summary: "Say what submitting this would do; nothing is stored.", roles: PARTNERS, person: false, handler: || routing::post(records::rehearse) },
    Route { id: RouteId::Journey, method: "GET", path: "/v1/records/{record}/journey", summary: "What happened to a record, step by step.", roles: JOURNEY_READERS, person: true, handler: || routing::get(records::journey) },
    Route { id: RouteId::ExplainRecord, method: "GET", path: "/v1/records/{record}/authority", summary: "Why a record may go to each recipient or not: what was decided, and every step of it in words.", roles: JOURNEY_READERS, person: true, handler: || routing::get(records::authority) },
    Route { id: RouteId::Recall, method: "POST", path: "/v1/records/{record}/recall", summary: "Take a record back: what was not opened is withdrawn, whoever opened it is told.", roles: PARTNERS, person: true, handler: || routing::post(recalls::recall) },
    Route { id: RouteId::ShowRecall, method: "GET", path: "/v1/records/{record}/recall", summary: "How the recall of a record stands: who had opened it, who has acknowledged.", roles: RECALL_READERS, person: false, handler: || routing::get(recalls::show) },
    Route { id: RouteId::Notice, method: "GET", path: "/v1/records/{record}/notice", summary: "The signed notice that a record was superseded or recalled.", roles: PARTNERS, person: false, handler: || routing::get(recalls::notice) },
    Route { id: RouteId::ShowCase, method: "GET", path: "/v1/cases/{case}", summary: "The messages of a case that the caller sent or was sent.", roles: RECALL_READERS, person: true, handler: || routing::get(cases::show) },
    Route { id: RouteId::FindCase, method: "POST", path: "/v1/cases/find", summary: "Find a case by its reference, or by a record of it.", roles: RECALL_READERS, person: true, handler: || routing::post(cases::find) },
    Route { id: RouteId::Reconciliations, method: "GET", path: "/v1/reconciliations", summary: "The caller's signed statements of what passed each day.", roles: PARTNERS, person: false, handler: || routing::get(reconciliations::list) },
    Route { id: RouteId::ShowReconciliation, method: "GET", path: "/v1/reconciliations/{day}", summary: "One day's signed statement.", roles: PARTNERS, person: false, handler: || routing::get(reconciliations::show) },
    Route { id: RouteId::AnswerReconciliation, method: "POST", path: "/v1/reconciliations/{day}/answer", summary: "Agree with a day's statement, or say what differs.", roles: PARTNERS, person: false, handler: || routing::post(reconciliations::answer) },
    Route { id: RouteId::Differences, method: "GET", path: "/v1/differences", summary: "Differences that partners found and nobody has explained yet.", roles: DIFFERENCE_READERS, person: false, handler: || routing::get(reconciliations::differences) },
    Route { id: RouteId::ExplainDifference, method: "POST", path: "/v1/differences/{difference}/explanation", summary: "Explain a difference, as a named person, by a code.", roles: DIFFERENCE_EXPLAINERS, person: true, handler: || routing::post(reconciliations::explain) },
    Route { id: RouteId::Inbox, method: "GET", path: "/v1/inbox", summary: "List what waits for the caller; no content.", roles: PARTNERS, person: false, handler: || routing::get(inbox::list) },
    Route { id: RouteId::Collect, method: "GET", path: "/v1/inbox/{delivery}", summary: "Fetch one delivery in the format named by Accept.", roles: PARTNERS, person: false, handler: || routing::get(inbox::collect) },
    Route { id: RouteId::Document, method: "GET", path: "/v1/inbox/{delivery}/documents/{number}", summary: "Fetch one document of a delivery, counted from 1; a large one in ranges.", roles: PARTNERS, person: false, handler: || routing::get(inbox::document) },
    Route { id: RouteId::Acknowledge, method: "POST", path: "/v1/inbox/{delivery}/acknowledgement", summary: "Say that a delivery was accepted into the caller's system, or rejected and why.", roles: PARTNERS, person: false, handler: || routing::post(inbox::acknowledge) },
    Route { id: RouteId::BeginDocument, method: "POST", path: "/v1/documents", summary: "Begin to upload a document of up to 5 GiB that messages then name by its id.", roles: PARTNERS, person: false, handler: || routing::post(documents::begin) },
    Route { id: RouteId::AppendDocument, method: "POST", path: "/v1/documents/{document}/content", summary: "Send the next bytes of a document, from the offset in Upload-Offset on.", roles: PARTNERS, person: false, handler: || routing::post(documents::append) },
    Route { id: RouteId::ShowDocument, method: "GET", path: "/v1/documents/{document}", summary: "How a document of the caller stands, and where its upload goes on.", roles: PARTNERS, person: false, handler: || routing::get(documents::show) },
    Route { id: RouteId::Board, method: "GET", path: "/v1/board", summary: "Who owes what to whom by when.", roles: BOARD_READERS, person: false, handler: || routing::get(board::board) },
    Route { id: RouteId::Clocks, method: "GET", path: "/v1/clocks", summary: "The statutory clocks of cases: who owes what by which provision and when.", roles: BOARD_READERS, person: false, handler: || routing::get(clocks::list) },
    Route { id: RouteId::SayOfClock, method: "POST", path: "/v1/clocks/{clock}", summary: "Say that what the caller owes was done, or which exception excuses it.", roles: PARTNERS, person: true, handler: || routing::post(clocks::say) },
    Route { id: RouteId::Performance, method: "GET", path: "/v1/performance", summary: "How each service kept the six weeks in a month, as it stood on any day (JSON or CSV).", roles: BOARD_READERS, person: false, handler: || routing::get(clocks::performance) },
    Route { id: RouteId::Evidence, method: "GET", path: "/v1/legs/{leg}/evidence", summary: "Everything there is to show about one leg, in one file that proves itself.", roles: BOARD_READERS, person: false, handler: || routing::get(clocks::evidence) },
    Route { id: RouteId::Transitions, method: "GET", path: "/v1/transitions", summary: "Young people on the way to adulthood: what is missing, most urgent first.", roles: PARTNERS, person: false, handler: || routing::get(transitions::list) },
    Route { id: RouteId::ShowTransition, method: "GET", path: "/v1/transitions/{transition}", summary: "One young person's checklist on the way to adulthood, with its evidence and history.", roles: PARTNERS, person: true, handler: || routing::get(transitions::show) },
    Route { id: RouteId::RecordConsent, method: "POST", path: "/v1/consents", summary: "Record that agreement to share was given or withdrawn; effective when answered.", roles: CONSENT_RECORDERS, person: false, handler: || routing::post(consents::record) },
    Route { id: RouteId::FindConsents, method: "POST", path: "/v1/consents/find", summary: "Read what is recorded of agreement to share about one person.", roles: CONSENT_READERS, person: true, handler: || routing::post(consents::find) },
    Route { id: RouteId::PreviewConsent, method: "POST", path: "/v1/consents/preview", summary: "Say what recording a decision about sharing would stop, what goes on, and what has gone to whom; nothing is recorded.", roles: CONSENT_RECORDERS, person: true, handler: || routing::post(consents::preview) },
    Route { id: RouteId::ConsentEvidence, method: "GET", path: "/v1/consents/{record}/evidence", summary: "What the caller recorded a decision about sharing with: the reference of the signed form, and its documents.", roles: CONSENT_RECORDERS, person: true, handler: || routing::get(consents::evidence) },
    Route { id: RouteId::ConsentDocument, method: "GET", path: "/v1/consents/{record}/evidence/{number}", summary: "Fetch one document of that evidence, counted from 1.", roles: CONSENT_RECORDERS, person: true, handler: || routing::get(consents::document) },
    Route { id: RouteId::Holds, method: "GET", path: "/v1/holds", summary: "List what waits for a person's decision, oldest first: since when, why, votes, questions and whose move it is.", roles: HOLD_DECIDERS, person: false, handler: || routing::get(holds::list) },
    Route { id: RouteId::ShowHold, method: "GET", path: "/v1/holds/{delivery}", summary: "One delivery that waits for a person's decision.", roles: HOLD_DECIDERS, person: false, handler: || routing::get(holds::show) },
    Route { id: RouteId::DecideHold, method: "POST", path: "/v1/holds/{delivery}/decision", summary: "Vote to release a held delivery (two people are needed), or refuse it.", roles: HOLD_DECIDERS, person: true, handler: || routing::post(holds::decide) },
    Route { id: RouteId::AskAboutHold, method: "POST", path: "/v1/holds/{delivery}/questions", summary: "Ask the sender or the recipient about a held delivery; it stays held.", roles: HOLD_DECIDERS, person: true, handler: || routing::post(holds::ask) },
    Route { id: RouteId::BreakGlass, method: "POST", path: "/v1/holds/{delivery}/break-glass", summary: "Release a held delivery alone, in an emergency; somebody else must review it.", roles: HOLD_DECIDERS, person: true, handler: || routing::post(holds::break_glass) },
    Route { id: RouteId::Questions, method: "GET", path: "/v1/questions", summary: "List the questions about held deliveries that the caller asked or is asked.", roles: HOLD_DECIDERS, person: false, handler: || routing::get(holds::questions) },
    Route { id: RouteId::AnswerQuestion, method: "POST", path: "/v1/questions/{question}/answer", summary: "Answer a question about a held delivery, once.", roles: PARTNERS, person: true, handler: || routing::post(holds::answer) },
    Route { id: RouteId::Reviews, method: "GET", path: "/v1/reviews", summary: "List releases in an emergency of what the caller sent or was sent, with their reviews.", roles: HOLD_DECIDERS, person: false, handler: || routing::get(holds::reviews) },
    Route { id: RouteId::CloseReview, method: "POST", path: "/v1/reviews/{review}/decision", summary: "Say whether a release in an emergency was right; somebody else than who released it.", roles: HOLD_DECIDERS, person: true, handler: || routing::post(holds::close_review) },
    Route { id: RouteId::Alerts, method: "GET", path: "/v1/alerts", summary: "List alerts of odd access and samples that wait for a person, oldest first; nobody is named.", roles: HOLD_DECIDERS, person: true, handler: || routing::get(alerts::list) },
    Route { id: RouteId::ShowAlert, method: "GET", path: "/v1/alerts/{alert}", summary: "One alert: the entries of the log it is about, and its sign-off.", roles: HOLD_DECIDERS, person: true, handler: || routing::get(alerts::show) },
    Route { id: RouteId::DecideAlert, method: "POST", path: "/v1/alerts/{alert}/decision", summary: "Sign an alert off as justified or not, or pass it on; never who did what it is about.", roles: HOLD_DECIDERS, person: true, handler: || routing::post(alerts::decide) },
    Route { id: RouteId::SampleAccesses, method: "POST", path: "/v1/alerts/sample", summary: "Draw accesses of past days at random, for line managers to confirm; nobody picks.", roles: AUDITORS, person: true, handler: || routing::post(alerts::sample) },
    Route { id: RouteId::ListStaff, method: "POST", path: "/v1/staff", summary: "List the caller's staff, so that an access to somebody's own is told; only keyed hashes are kept.", roles: PARTNERS, person: true, handler: || routing::post(alerts::staff) },
    Route { id: RouteId::Deliveries, method: "GET", path: "/v1/deliveries", summary: "List deliveries of the caller's records that failed, or whose fate is not known.", roles: SENDERS, person: false, handler: || routing::get(deliveries::list) },
    Route { id: RouteId::Resend, method: "POST", path: "/v1/deliveries/{delivery}/resend", summary: "Send a delivery again that failed, or whose fate is not known.", roles: SENDERS, person: true, handler: || routing::post(deliveries::resend) },
    Route { id: RouteId::LegalHolds, method: "GET", path: "/v1/retention/holds", summary: "List legal holds: what they are on, why, who placed and who lifted them.", roles: AUDITORS, person: true, handler: || routing::get(retention::holds) },
    Route { id: RouteId::PlaceLegalHold, method: "POST", path: "/v1/retention/holds", summary: "Put a legal hold on a person, a case or everything: nothing of it is removed.", roles: AUDITORS, person: true, handler: || routing::post(retention::place) },
    Route { id: RouteId::LiftLegalHold, method: "POST", path: "/v1/retention/holds/{hold}/lift", summary: "Lift a legal hold; somebody else than who placed it.", roles: AUDITORS, person: true, handler: || routing::post(retention::lift) },
    Route { id: RouteId::RetentionDue, method: "GET", path: "/v1/retention/due", summary: "What is due for removal under the retention schedule, and what keeps some of it.", roles: AUDITORS, person: true, handler: || routing::get(retention::due) },
    Route { id: RouteId::DeletionCertificates, method: "GET", path: "/v1/retention/certificates", summary: "List the certificates of deletion, newest first.", roles: AUDITORS, person: true, handler: || routing::get(retention::certificates) },
    Route { id: RouteId::DeletionCertificate, method: "GET", path: "/v1/retention/certificates/{certificate}", summary: "A signed certificate of deletion: what was removed, by which rule, with the proofs.", roles: AUDITORS, person: true, handler: || routing::get(retention::certificate) },
    Route { id: RouteId::Checkpoint, method: "GET", path: "/v1/audit/checkpoint", summary: "The newest signed checkpoint of the audit log; cosigned=true for the newest that witnesses have cosigned.", roles: EVERYONE, person: false, handler: || routing::get(audit::checkpoint) },
    Route { id: RouteId::ShowCheckpoint, method: "POST", path: "/v1/audit/checkpoints", summary: "Show the gateway a checkpoint the caller keeps; one it does not know means it was restored, and nothing is released.", roles: EVERYONE, person: false, handler: || routing::post(audit::show) },
    Route { id: RouteId::Entries, method: "GET", path: "/v1/audit/entries", summary: "Entries of the audit log as JSON lines, for verification.", roles: EVERYONE, person: false, handler: || routing::get(audit::entries) },
    Route { id: RouteId::WhoHasSeen, method: "POST", path: "/v1/audit/who-has-seen", summary: "Who has seen a person's record or was sent it, and why; with the entries and their proofs when asked.", roles: AUDITORS, person: true, handler: || routing::post(audit::who_has_seen) },
    Route { id: RouteId::Reports, method: "GET", path: "/v1/reports", summary: "The reports of information governance and the question that each answers.", roles: AUDITORS, person: false, handler: || routing::get(reports::list) },
    Route { id: RouteId::MakeReport, method: "POST", path: "/v1/reports/{report}", summary: "Make a report for a reason: as JSON with its cover, or as CSV or a workbook when a form is named.", roles: AUDITORS, person: true, handler: || routing::post(reports::make) },
    Route { id: RouteId::SearchLog, method: "POST", path: "/v1/audit/search", summary: "Entries of the log by child, person, organisation, kind, purpose, authority, outcome and time, newest first.", roles: AUDITORS, person: true, handler: || routing::post(audit_search::search) },
    Route { id: RouteId::Tile, method: "GET", path: "/v1/audit/tile/{*tile}", summary: "A tile of hashes or entries of the log, as C2SP tlog-tiles has them.", roles: EVERYONE, person: false, handler: || routing::get(audit::tile) },
    Route { id: RouteId::Inclusion, method: "GET", path: "/v1/audit/entries/{seq}/proof", summary: "The proof that an entry is in the log.", roles: EVERYONE, person: false, handler: || routing::get(audit::inclusion) },
    Route { id: RouteId::Consistency, method: "GET", path: "/v1/audit/consistency", summary: "The proof that one checkpoint extends another.", roles: EVERYONE, person: false, handler: || routing::get(audit::consistency) },
    Route { id: RouteId::Keys, method: "GET", path: "/v1/audit/keys", summary: "The public keys that receipts and checkpoints are verified with.", roles: EVERYONE, person: false, handler: || routing::get(audit::keys) },
    Route { id: RouteId::WhoAmI, method: "GET", path: "/v1/whoami", summary: "How the gateway sees the caller: organisation, roles, certificate, key exchange.", roles: EVERYONE, person: false, handler: || routing::get(health::who_am_i) },
    Route { id: RouteId::Describe, method: "GET", path: "/v1/openapi.json", summary: "This description.", roles: EVERYONE, person: false, handler: || routing::get(openapi::describe) },
    Route { id: RouteId::Capability, method: "GET", path: "/fhir/metadata", summary: "The CapabilityStatement: what this gateway does as a FHIR R4 endpoint.", roles: EVERYONE, person: false, handler: || routing::get(fhir::capability) },
    Route { id: RouteId::ProcessMessage, method: "POST", path: "/fhir/$process-message", summary: "Submit one FHIR message Bundle; answered with a response message and a signed receipt.", roles: PARTNERS, person: false, handler: || routing::post(fhir::process_message) },
];

/// Who calls, as every handler sees it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) actor: Actor,
    /// The person who acts, as the pseudonym they have in every organisation.
    pub(crate) who: Option<String>,
}

impl Caller {
    fn sender(&self) -> Sender {
        Sender {
            organisation: self.peer.organisation().clone(),
            roles: self.peer.roles().iter().copied().collect(),
            actor: self.actor.clone(),
        }
    }

    fn has(&self, role: Role) -> bool {
        self.peer.has_role(role)
    }
}

/// The router of the partner API, to be served behind mutual TLS only.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let guard = middleware::from_fn_with_state((Arc::clone(app), Some(route)), entry);
        router = router.route(route.path, (route.handler)().route_layer(guard));
    }
    let guard = middleware::from_fn_with_state((Arc::clone(app), None), entry);
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(axum::extract::DefaultBodyLimit::max(adapters::limits::SUBMISSION_BYTES_MAX))
        .layer(guard)
        .with_state(Arc::clone(app))
}

/// The URI of a problem type: a section of `docs/problems.md`.
pub fn problem_type(code: &str) -> String {
    format!("urn:ehc-gateway:problem:{code}")
}

async fn nothing_here() -> Problem {
    Problem::new(Kind::NotFound, "There is no such route. GET /v1/openapi.json describes them all.")
}

fn too_many() -> Problem {
    Problem::new(
        Kind::TemporarilyUnavailable,
        "Your organisation has too many requests in hand. Wait for some to be answered, then send this one again.",
    )
}

type EntryState = (Arc<App>, Option<&'static Route>);

/// The one way in. The outer layer (no route) authenticates, logs and renders problems; the inner
/// one, which knows the route, enforces roles and the naming of a person.
async fn entry(
    State((app, route)): State<EntryState>,
    matched: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(route) = route else { return outermost(&app, matched, request, next).await };
    let caller = request.extensions().get::<Caller>().cloned();
    let asked = (request.method().as_str(), request.headers());
    match permit(&app, route, asked, caller).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let notice = Notice::default();
            let response = notice.over(next.run(request)).await;
            totality::witnessed(&app, (route, &caller), &notice, response).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn permit(
    app: &App,
    route: &Route,
    (method, headers): (&str, &HeaderMap),
    caller: Option<Caller>,
) -> Result<Caller, Problem> {
    if method != route.method {
        // HEAD would count as a collection though no body leaves.
        return Err(nothing_here().await);
    }
    let mut caller =
        caller.ok_or_else(|| Problem::new(Kind::Internal, "No caller was identified."))?;
    if !route.roles.iter().any(|role| caller.has(*role)) {
        let event = Event::new(EventKind::AccessRefused, caller.actor.clone())
            .with("route", route.path)
            .with("rule", "role");
        app.store.commit(Change::because(event)).await?;
        return Err(Problem::new(
            Kind::NotPermitted,
            "No role of your organisation may call this route. Ask the operator if it should.",
        ));
    }
    if route.person && caller.actor.person.is_none() {
        return Err(Problem::new(
            Kind::InvalidParameter,
            "A person acts here: name them in the EHC-Acting-User header, and their role in EHC-Acting-Role.",
        ));
    }
    caller.actor.purpose = purpose::said(app, route, headers)?;
    Ok(caller)
}

async fn outermost(
    app: &App,
    matched: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let reference = app.make_id().map(|id| id.to_string()).unwrap_or_default();
    // Only methods we know become labels.
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => "other",
    };
    let exchange = fhir::Exchange::of(&request);
    let peer = request.extensions().get::<Peer>().cloned();
    let organisation = peer.as_ref().map(|peer| peer.organisation().to_string());
    if let Some(peer) = &peer {
        app.metrics.partner(peer.organisation(), peer.key_exchange().name());
    }
    let response = match identify(app, peer, request.headers()) {
        Ok(caller) => {
            let place = app.take_place(caller.peer.organisation());
            request.extensions_mut().insert(caller);
            let within = app.config.gateway.request_timeout();
            let answer = async {
                match place {
                    Some(_place) => next.run(request).await,
                    None => too_many().into_response(),
                }
            };
            match tokio::time::timeout(within, answer).await {
                Ok(response) => response,
                Err(_) => Problem::new(
                    Kind::TemporarilyUnavailable,
                    "It took too long. Send the request again with the same idempotency key.",
                )
                .into_response(),
            }
        }
        Err(problem) => problem.into_response(),
    };
    let mut response = match (response.extensions().get::<Problem>().cloned(), &exchange) {
        (Some(problem), Some(exchange)) => exchange.render(&problem, &reference),
        (Some(problem), None) => problem.render(&reference),
        (None, _) => response,
    };
    if let Ok(value) = HeaderValue::from_str(&reference) {
        response.headers_mut().insert("x-request-id", value);
    }
    if let Some(exchange) = exchange {
        exchange.echo(&mut response);
    }
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let status = response.status().as_u16();
    let took = started.elapsed();
    app.metrics.request(route, method, status, took);
    tracing::info!(
        reference,
        route,
        method,
        status,
        organisation = organisation.as_deref().unwrap_or("unknown"),
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "{reference} {method} {route} {status}",
    );
    response
}

/// Who calls. The listener has looked at the certificate again before this request.
fn identify(app: &App, peer: Option<Peer>, headers: &HeaderMap) -> Result<Caller, Problem> {
    let peer =
        peer.ok_or_else(|| Problem::new(Kind::Internal, "The connection has no identity."))?;
    let names = app.vault.pseudonyms();
    let user = acting_user(headers);
    let person = user.map(|user| names.person(peer.organisation(), user));
    let who = user.map(|user| names.anywhere(user));
    // A closed list: whatever else stands there may be a name, and the log is for ever.
    let role = header_text(headers, "ehc-acting-role").map(|role| {
        let role = role.to_ascii_lowercase().replace(' ', "-");
        ACTING_ROLES.into_iter().find(|known| *known == role).unwrap_or("other")
    });
    let actor = Actor { person, role: role.map(str::to_owned), ..peer.actor() };
    Ok(Caller { peer, actor, who })
}

/// The user id of the person who acts, as their organisation's system vouches for it.
fn acting_user(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, "ehc-acting-user")
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.map(str::trim).filter(|text| !text.is_empty() && text.len() <= HEADER_CHARS_MAX)
}

/// The roles of people that the log knows by name.
const ACTING_ROLES: [&str; 8] = [
    "send-officer",
    "send-manager",
    "clinician",
    "clinical-officer",
    "administrator",
    "information-governance",
    "integrator",
    "system",
];

/// The longest acting-user or acting-role header.
const HEADER_CHARS_MAX: usize = 100;
