//! What an entry says, in words. Pure.

use crate::access_report;
use crate::audit::{Entry, Event, EventKind};
use crate::telemetry::name_of;

/// What happened, and why as far as it was said.
pub(super) fn of(entry: &Entry) -> (String, String) {
    let event = &entry.event;
    let (phrase, message, why) = access_report::in_words(event);
    let unnamed = phrase == format!("{}: ", name_of(event.kind));
    let words = words(event, unnamed).map_or(phrase, str::to_owned);
    let what = if message.is_empty() {
        words.trim_end_matches([':', ' ']).to_owned()
    } else if words.ends_with(' ') {
        format!("{words}{message}")
    } else {
        format!("{words}: {message}")
    };
    (what, why)
}

/// Words for what is no look at a child's record and no release of it; or that is told otherwise
/// than there.
fn words(event: &Event, unnamed: bool) -> Option<&'static str> {
    let released = event.decision.as_ref().is_some_and(|note| note.outcome.starts_with("release"));
    if event.kind == EventKind::SharingDecided && released {
        return Some("may go");
    }
    if event.kind == EventKind::AuditViewed {
        let what = event.detail.get("what").map(String::as_str);
        let looks = LOOKS.iter().find(|(code, _)| Some(*code) == what);
        return Some(looks.map_or("read entries of the log", |(_, words)| words));
    }
    let found = PHRASES.iter().find(|(kind, _)| unnamed && *kind == event.kind);
    found.map(|(_, words)| *words)
}

/// What was looked at in the log.
const LOOKS: [(&str, &str); 6] = [
    ("who-has-seen", "asked who has seen a child's record"),
    (super::WHAT, "searched the log"),
    (crate::who_is::WHAT, "asked which users have which pseudonyms"),
    ("export", "exported entries of the log"),
    ("verify", "verified the log"),
    ("publish", "published the log"),
];

const PHRASES: [(EventKind, &str); 37] = [
    (EventKind::RecordAccepted, "was accepted"),
    (EventKind::RecordTakenBack, "was superseded or recalled"),
    (EventKind::RecordQuarantined, "was not accepted, and is kept with its reasons"),
    (EventKind::MessageRefused, "could not be read"),
    (EventKind::SubmissionReceived, "messages came in and were answered"),
    (EventKind::DeliveryDelivered, "arrived"),
    (EventKind::DeliveryDeferred, "did not arrive, and is tried again"),
    (EventKind::DeliveryUnknown, "may or may not have arrived"),
    (EventKind::DeliveryRecalled, "was taken back after it was opened"),
    (EventKind::DeliveryAcknowledged, "was acknowledged by its recipient"),
    (EventKind::LegChanged, "an answer changed what is owed"),
    (EventKind::ClockChanged, "a statutory clock changed"),
    (EventKind::LegReminded, "a service was reminded"),
    (EventKind::ConsentRecorded, "agreement to share was recorded"),
    (EventKind::IdentityRecorded, "it was recorded who somebody is"),
    (EventKind::QuarantineViewed, "looked at what was not accepted"),
    (EventKind::QuarantineReplayed, "had taken in again what was not accepted"),
    (EventKind::RestoreFound, "the database was found to be a restored backup"),
    (EventKind::RestoreConfirmed, "a restore was confirmed"),
    (EventKind::DocumentBegun, "the upload of a document began"),
    (EventKind::DocumentStored, "a document came in"),
    (EventKind::DocumentHeld, "a document is held"),
    (EventKind::DocumentRefused, "a document was refused"),
    (EventKind::DocumentAbandoned, "an upload was given up"),
    (EventKind::MessageRetaken, "a message was taken up again"),
    (EventKind::ReconciliationMade, "a day was reconciled"),
    (EventKind::ReconciliationViewed, "looked at what passed on a day"),
    (EventKind::ReconciliationAnswered, "a day's statement was answered"),
    (EventKind::DifferenceExplained, "a difference was explained"),
    (EventKind::BoardViewed, "looked at the board"),
    (EventKind::TransitionsWorkedOut, "the way to adulthood was worked out"),
    (EventKind::DutyDone, "the gateway did what was due"),
    (EventKind::AccessRefused, "asked for something it may not have"),
    (EventKind::ConnectionRefused, "connections were refused"),
    (EventKind::TrustChanged, "trust, rules, agreements or other files of policy changed"),
    (EventKind::GatewayStarted, "the gateway started"),
    (EventKind::GatewayStopped, "the gateway stopped"),
];
