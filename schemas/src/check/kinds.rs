//! The rules that one type of message has and others have not, beyond the names it needs.
//!
//! What is impossible or what the law forbids is an error: a decision in the future, a date before
//! the one it follows, fifteen days that are fewer. What the law leaves open, or what only shows
//! that a date was missed, is a warning: the message says what happened, and that must travel.

mod ages;
mod identity;
mod plans;

use jiff::civil::Date;

use super::Check;
use crate::catalogue::Catalogue;
use crate::draft::Field;
use crate::identifiers::MessageId;
use crate::issue::Issue;
use crate::record::{Message, MessageType, Particulars, Subject};

/// What the rules of one type look at.
struct Said<'a> {
    kind: MessageType,
    subject: Option<&'a Subject>,
    particulars: &'a Particulars,
}

impl Check<'_> {
    /// Every rule of the type. Asked once the names it has were read.
    pub(super) fn of_the_kind(
        &mut self,
        kind: MessageType,
        subject: Option<&Subject>,
        particulars: &Particulars,
    ) {
        let said = Said { kind, subject, particulars };
        self.happened(&said);
        self.in_order(&said);
        self.ages(&said);
        self.identities(&said);
        self.plans(&said);
        if kind == MessageType::AdviceLateForecast
            && said.date("forecast_on").is_some_and(|on| on < self.today)
        {
            self.doubt(
                "forecast_on",
                "date-in-past",
                "has passed already",
                "send the advice, or the date on which it is now forecast",
            );
        }
        if kind == MessageType::SafeguardingAlertLink {
            self.route_only(&said);
        }
    }

    /// What holds between the references of any message.
    pub(super) fn references(&mut self, message: &Message) {
        let itself = |other: Option<&str>| other == Some(message.id.expose());
        if itself(message.supersedes.as_ref().map(MessageId::expose)) {
            let place = self.place(Field::SUPERSEDES);
            let next = "give the message a reference of its own, and name the earlier one here";
            let words = "is the reference of this message itself";
            self.fault(Field::SUPERSEDES, &place, "supersedes-itself", words, next);
        }
    }

    /// Documents that a type does not bring. Nothing is lost without a word: a release leaves out
    /// what its type has no place for.
    pub(super) fn documents_fit(&mut self, kind: MessageType) {
        let places = self.draft.attachments.iter().map(|document| &document.place);
        let mut places = places.chain(self.draft.references.iter().map(|document| &document.place));
        let Some(place) = places.next().cloned() else { return };
        let entry = Catalogue::built_in().find(kind.as_str());
        if entry.is_none_or(|entry| entry.attachments != "none") {
            return;
        }
        let words = "has a document, and this type of message brings none";
        let next = "send it with the message that it belongs to";
        let rule = "attachment-not-for-type";
        self.issues.push(if kind == MessageType::SafeguardingAlertLink {
            Issue::error(rule, None, place, words, next)
        } else {
            Issue::warning(rule, None, place, words, next)
        });
    }

    /// What is said to have happened cannot be in the future.
    fn happened(&mut self, said: &Said<'_>) {
        let met = said.is_one_of(&[MessageType::ReviewReport, MessageType::ReviewDecision]);
        let held = if met {
            Some("meeting_on")
        } else {
            said.kind.changes_identity().then_some("effective_on")
        };
        for name in HAPPENED.into_iter().chain(held) {
            if let Some(field) = field(name) {
                self.not_in_future(field, said.date(name));
            }
        }
    }

    fn in_order(&mut self, said: &Said<'_>) {
        for (earlier, later) in IN_ORDER {
            if said.date(earlier).zip(said.date(later)).is_some_and(|(first, then)| then < first) {
                self.refuse(
                    later,
                    "dates-out-of-order",
                    &format!("is before `{earlier}`, which comes first"),
                    "check both dates",
                );
            }
        }
    }

    /// A pointer to the safeguarding route is no place for the concern itself.
    fn route_only(&mut self, said: &Said<'_>) {
        let route = said.particulars.text("contact_route");
        if route.is_some_and(|route| route.chars().count() > ROUTE_CHARS_MAX) {
            self.refuse(
                "contact_route",
                "safeguarding-route-only",
                "is longer than a way to reach a team; the concern itself never travels here",
                "send the name and number of the team alone, and speak to it about the concern",
            );
        }
    }

    fn refuse(&mut self, name: &str, rule: &str, message: &str, next: &str) {
        if let Some(field) = field(name) {
            let place = self.place(field);
            self.fault(field, &place, rule, message, next);
        }
    }

    fn doubt(&mut self, name: &str, rule: &str, message: &str, next: &str) {
        if let Some(field) = field(name) {
            let place = self.place(field);
            self.warn(field, &place, rule, message, next);
        }
    }
}

impl Said<'_> {
    fn date(&self, name: &str) -> Option<Date> {
        self.particulars.date(name)
    }

    fn is_one_of(&self, kinds: &[MessageType]) -> bool {
        kinds.contains(&self.kind)
    }
}

fn field(name: &str) -> Option<Field> {
    Catalogue::built_in().field(name).map(Field::of_content)
}

/// Names of what has happened when it is told.
const HAPPENED: [&str; 17] = [
    "parent_informed_on",
    "discussion_offered_on",
    "discussed_on",
    "assessment_requested_on",
    "decided_on",
    "agreed_on",
    "served_on",
    "issued_on",
    "amendments_sent_on",
    "notice_sent_on",
    "aware_on",
    "requested_on",
    "completed_on",
    "referred_on",
    "appeal_registered_on",
    "recommended_on",
    "responded_on",
];

/// Names of which the second cannot be before the first, wherever a message has both.
const IN_ORDER: [(&str, &str); 12] = [
    ("parent_informed_on", "discussed_on"),
    ("discussion_offered_on", "discussed_on"),
    ("assessment_requested_on", "decided_on"),
    ("requested_on", "decided_on"),
    ("papers_by", "meeting_on"),
    ("meeting_on", "decided_on"),
    ("meeting_on", "amendments_sent_on"),
    ("notice_sent_on", "issued_on"),
    ("issued_on", "appeal_by"),
    ("decided_on", "appeal_by"),
    ("appeal_registered_on", "respond_by"),
    ("recommended_on", "respond_by"),
];

/// Room for the name of a team, a telephone number and an address, and for no account of a concern.
const ROUTE_CHARS_MAX: usize = 120;

#[cfg(test)]
mod tests;
