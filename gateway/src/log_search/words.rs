//! What an entry says, in words that need no explanation. Pure.
//!
//! Every kind is named, so that a new one has to be told.

use std::borrow::Cow;

use crate::access_report;
use crate::audit::log_look::{LogLook, WHAT};
use crate::audit::{Entry, Event, EventKind as Kind};

/// What happened, and why as far as it was said.
pub(super) fn of(entry: &Entry) -> (String, String) {
    let event = &entry.event;
    (access_report::words(event, event.message_type), access_report::why(event))
}

/// What happened: to stand before the message that it happened to, or alone.
pub(crate) fn phrase(event: &Event) -> Cow<'static, str> {
    let alone = event.record.is_none() && event.delivery.is_none() && event.message_type.is_none();
    let decided = event.decision.as_ref().map_or("", |note| note.outcome.as_str());
    let told = match (event.kind, event.detail.get(WHAT).map(String::as_str)) {
        (Kind::AuditViewed, what) => return look_at_log(event, what),
        (Kind::ConsentViewed, _) if alone => "read what is recorded of agreement to share",
        (Kind::SharingDecided, _) if decided == "hold" => "held: ",
        (Kind::SharingDecided, _) if decided.starts_with("release") => "may go: ",
        (Kind::BoardViewed, _) if event.detail.contains_key("clocks") => {
            "looked at the statutory clocks of cases"
        }
        (Kind::BoardViewed, _) if event.detail.contains_key("month") => {
            "looked at a month's figures"
        }
        (Kind::SinkChanged, _)
            if event.detail.get("state").is_some_and(|state| state == "lost") =>
        {
            "a second place for the log was lost"
        }
        (kind, Some(what)) if alone => {
            let more = LOOKS.iter().find(|(of, code, _)| *of == kind && *code == what);
            more.map_or_else(|| of_kind(kind), |(_, _, words)| words)
        }
        (kind, _) => of_kind(kind),
    };
    Cow::Borrowed(told)
}

/// Looks at the log: by their codes, which a newer version may have more of.
fn look_at_log(event: &Event, what: Option<&str>) -> Cow<'static, str> {
    let Some(code) = what else { return Cow::Borrowed("read entries of the log") };
    match LogLook::parse(code) {
        Some(LogLook::Search) if event.subject.is_some() => {
            Cow::Borrowed("searched the log for the child")
        }
        Some(look) => Cow::Borrowed(look.in_words()),
        None => Cow::Owned(format!("looked at something of the log ({code})")),
    }
}

/// What was looked at, where one kind of look is at several things.
const LOOKS: [(Kind, &str, &str); 15] = [
    (Kind::StandingViewed, "inbox", "looked at what waits for them"),
    (Kind::StandingViewed, "deliveries", "looked at what did not arrive"),
    (Kind::StandingViewed, "reconciliations", "looked at which days were compared with them"),
    (Kind::StandingViewed, "statement", "looked at a day's statement"),
    (Kind::StandingViewed, "differences", "looked at differences that are not explained"),
    (Kind::StandingViewed, "case", "looked up a case"),
    (Kind::StandingViewed, "recall", "looked at how taking a message back stands"),
    (Kind::StandingViewed, "notice", "fetched the notice that a message was taken back"),
    (Kind::StandingViewed, "rehearsal", "asked what sending a message would do"),
    (Kind::HoldViewed, "questions", "looked at questions about what is held"),
    (Kind::HoldViewed, "reviews", "looked at releases in an emergency"),
    (Kind::RetentionViewed, "due", "looked at what is due for removal"),
    (Kind::RetentionViewed, "legal-holds", "looked at legal holds"),
    (Kind::RetentionViewed, "certificates", "looked at the list of certificates of removal"),
    (Kind::RetentionViewed, "certificate", "fetched a certificate of removal"),
];

/// What happened, by its kind. What ends in a space goes on with the message.
#[rustfmt::skip]
fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::RecordAccepted => "was accepted", Kind::RecordTakenBack => "was replaced by a newer one, or taken back",
        Kind::RecordQuarantined => "was not accepted, and is kept with its reasons", Kind::MessageRefused => "could not be read",
        Kind::SubmissionReceived => "messages came in and were answered", Kind::SharingDecided => "not given: ",
        Kind::DeliveryCollected => "fetched ", Kind::DeliveryAttempted => "was sent ",
        Kind::DeliveryDelivered => "arrived", Kind::DeliveryDeferred => "did not arrive, and is tried again",
        Kind::DeliveryFailed => "did not arrive: ", Kind::DeliveryUnknown => "may or may not have arrived",
        Kind::DeliveryWithdrawn => "will not go, or not again: ", Kind::DeliveryHeld => "was held back: ",
        Kind::DeliveryRecalled => "was taken back after it was opened", Kind::DeliveryAcknowledged => "was acknowledged by its recipient",
        Kind::HoldDecided => "voted about what was held: ", Kind::LegChanged => "an answer changed what is owed",
        Kind::ClockChanged => "a statutory clock changed", Kind::LegReminded => "a service was reminded",
        Kind::EvidenceMade => "made an evidence pack of ", Kind::ConsentRecorded => "agreement to share, or its withdrawal, was recorded",
        Kind::IdentityRecorded => "it was recorded who somebody is", Kind::HoldAsked => "asked about what is held: ",
        Kind::HoldAnswered => "answered about what is held: ", Kind::HoldViewed => "looked at what is held: ",
        Kind::HoldBroken => "released alone in an emergency: ", Kind::ReviewClosed => "reviewed a release in an emergency: ",
        Kind::DeliveryResent => "had sent again: ", Kind::QuarantineViewed => "looked at what was not accepted",
        Kind::QuarantineReplayed => "had taken in again what was not accepted", Kind::ConsentViewed => "read what agreement was recorded with: ",
        Kind::ConsentNotTold => "asked what is recorded of agreement to share, and was told nothing",
        Kind::ConsentPreviewed => "asked what a decision about sharing would do", Kind::RestoreFound => "the database was found to be a restored backup; nothing goes out",
        Kind::RestoreConfirmed => "somebody confirmed that a restored database has caught up", Kind::BackupMade => "a backup was made",
        Kind::BackupRestored => "the database was restored from a backup", Kind::DocumentBegun => "the upload of a document began",
        Kind::DocumentStored => "a document came in", Kind::DocumentHeld => "a document is held back because of what the virus scanner found, or could not see",
        Kind::DocumentRefused => "a document was refused", Kind::DocumentAbandoned => "an upload was given up",
        Kind::MessageRetaken => "a message was taken up again", Kind::CaseViewed => "looked at the messages of the case",
        Kind::ReconciliationMade => "a day was compared with a partner", Kind::ReconciliationViewed => "looked at what passed on a day",
        Kind::ReconciliationAnswered => "a partner answered a day's statement", Kind::DifferenceExplained => "explained a difference that a partner found",
        Kind::BoardViewed => "looked at the board", Kind::StandingViewed => "looked at how it stands: ",
        Kind::TransitionsViewed => "looked at the way to adulthood", Kind::TransitionsWorkedOut => "the way to adulthood was worked out for the day",
        Kind::JourneyViewed => "looked at what happened to ", Kind::AuditViewed => "looked at something of the log",
        Kind::AlertRaised => "an odd access was noticed, or one was drawn to be checked", Kind::AlertGrown => "more of the same odd access was noticed",
        Kind::AlertViewed => "looked at odd accesses", Kind::AlertDecided => "decided about an odd access",
        Kind::AccessSampled => "had accesses drawn at random, to be checked", Kind::StaffListed => "an organisation listed its staff",
        Kind::RecordRemoved => "a message was removed for good, because its time was over", Kind::ContentRemoved => "other stored content was removed for good, because its time was over",
        Kind::DeletionCertified => "a certificate of removal was signed", Kind::LegalHoldPlaced => "put a legal hold on, so that nothing of it is removed",
        Kind::LegalHoldLifted => "lifted a legal hold", Kind::RetentionViewed => "looked at removals and legal holds",
        Kind::LookUpDestroyed => "what tells whom a year's entries are about was destroyed", Kind::DutyDone => "the gateway did what was due",
        Kind::AccessRefused => "asked for something it may not have", Kind::ConnectionRefused => "connections were refused",
        Kind::TrustChanged => "trust, rules, agreements or other files of policy changed", Kind::SettingsChanged => "the gateway started with other settings, certificates or keys",
        Kind::SinkChanged => "a second place for the log caught up again", Kind::GatewayStarted => "the gateway started",
        Kind::GatewayStopped => "the gateway stopped",
    }
}
