//! From segments to a `Draft`: the envelope, the event and what it means, and the legs.

use jiff::tz::TimeZone;
use schemas::{Draft, Field as Canonical, LegId, MessageType};

use super::er7::{Field, Grammar, Segment};
use super::{content, documents, person};
use crate::Source;
use crate::feed::Leniency;
use crate::read_error::{ReadError, ReadErrorKind};

/// What is read: a document with its notice, or a report of results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// MDM: medical document management.
    Document(Event),
    /// ORU^R01: an unsolicited result.
    Report,
}

/// What an MDM event says (HL7 v2.8, 9.4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    /// T02, T04: a document, or its status with the document.
    Original,
    /// T06: an addition to a document.
    Addendum,
    /// T08, T10: a document in place of an earlier one.
    Correction,
}

/// The segments of one message, by what they are for.
pub(super) struct Parts<'a> {
    pub(super) header: Segment<'a>,
    pub(super) segments: Vec<Segment<'a>>,
    pub(super) grammar: &'a Grammar,
    pub(super) source: Source<'a>,
}

impl<'a> Parts<'a> {
    /// The first segment of a name.
    pub(super) fn first(&self, name: &str) -> Option<&Segment<'a>> {
        self.segments.iter().find(|segment| segment.name == name)
    }

    /// The segments of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Segment<'a>> {
        self.segments.iter().filter(move |segment| segment.name == name)
    }

    /// Whether the partner's feed allows something.
    pub(super) fn allows(&self, leniency: Leniency) -> bool {
        self.source.feed.allows(leniency)
    }
}

/// Reads a message that is split into segments.
pub(super) fn draft(
    mut segments: Vec<Segment<'_>>,
    source: Source<'_>,
    grammar: &Grammar,
) -> Result<Draft, ReadError> {
    let second = segments.iter().skip(1).find(|segment| segment.name == "MSH");
    if second.is_some() {
        return Err(shape(
            "hl7-several-messages",
            second,
            "the message holds more than one MSH segment",
            "send one message at a time",
        ));
    }
    let continued = segments.iter().find(|segment| matches!(segment.name, "DSC" | "ADD"));
    if continued.is_some() {
        return Err(shape(
            "hl7-continuation",
            continued,
            "continues in another message",
            "send the message whole",
        ));
    }
    if segments.is_empty() {
        return Err(shape("hl7-no-header", None, "holds no segment", "send a message"));
    }
    let header = segments.remove(0);
    let kind = envelope(&header, source)?;
    let parts = Parts { header, segments, grammar, source };
    let mut draft = Draft { leg_by_person: true, ..Draft::default() };
    message(&parts, kind, &mut draft);
    Ok(draft)
}

/// What MSH must say before the rest is looked at.
fn envelope(header: &Segment<'_>, source: Source<'_>) -> Result<Kind, ReadError> {
    let refuse = |rule: &str, number: u32, message: &str, next: &str| {
        let place = header.field(number).place();
        Err(ReadError::new(ReadErrorKind::Shape, rule, place, message, next))
    };
    if header.field(10).is_empty() {
        let next = "give every message a control id of its own";
        return refuse("hl7-control-id", 10, "there is no message control id", next);
    }
    let names = &source.feed.hl7;
    let facility = header.field(4);
    let called = |field: Field<'_>, name: &str| {
        field.component(1).text().is_some_and(|text| text == name)
            || field.component(2).text().is_some_and(|text| text == name)
    };
    let bound = if names.facility.is_empty() {
        called(facility, source.organisation)
    } else {
        names.facility.iter().any(|name| called(facility, name))
    };
    if !bound {
        let next = "send under the facility that is agreed, or ask the operator to add the name";
        let message = "names a sending facility that is not the organisation that is connected";
        return refuse("hl7-facility", 4, message, next);
    }
    let application = header.field(3);
    if !names.application.is_empty() && !names.application.iter().any(|n| called(application, n)) {
        let next = "send from the application that is agreed, or ask the operator to add the name";
        return refuse("hl7-application", 3, "names a sending application not agreed", next);
    }
    let version = header.field(12).component(1).text().unwrap_or_default();
    let mut numbers = version.split('.');
    let known = numbers.next() == Some("2")
        && numbers.next().is_some_and(|minor| matches!(minor, "3" | "4" | "5" | "6" | "7" | "8"));
    if !known {
        return refuse("hl7-version", 12, "is not a version that is read", "send 2.3 to 2.8");
    }
    let processing = header.field(11).component(1);
    if !processing.is("P") && !source.feed.allows(Leniency::Training) {
        let next = "send P for real use; a practice gateway may allow training";
        return refuse("hl7-processing-id", 11, "is not marked as production", next);
    }
    event_of(header)
}

/// What the event in MSH-9 says; it counts where EVN-1 differs.
fn event_of(header: &Segment<'_>) -> Result<Kind, ReadError> {
    let refuse = |rule: &str, number: u32, message: &str, next: &str| {
        let place = header.field(number).place();
        Err(ReadError::new(ReadErrorKind::Shape, rule, place, message, next))
    };
    let event = header.field(9);
    match (event.component(1).raw().trim(), event.component(2).raw().trim()) {
        ("MDM", "T02" | "T04") => Ok(Kind::Document(Event::Original)),
        ("MDM", "T06") => Ok(Kind::Document(Event::Addendum)),
        ("MDM", "T08" | "T10") => Ok(Kind::Document(Event::Correction)),
        ("MDM", "T01" | "T03" | "T05" | "T07" | "T09") => {
            let message = "says something of a document without bringing it, and nothing is \
                           recorded of that";
            let next = "send the event with its document: T02, T04, T06, T08 or T10";
            refuse("document-not-in-message", 9, message, next)
        }
        ("MDM", "T11") => {
            let message = "asks to cancel a document; what was delivered cannot be taken back";
            let next = "send a replacement (T10) with its document, and speak to the authority";
            refuse("document-cancelled", 9, message, next)
        }
        ("ORU", "R01") => Ok(Kind::Report),
        _ => {
            let next = "send MDM (T02, T04, T06, T08 or T10) or ORU^R01";
            refuse("hl7-event", 9, "is not a message that is read", next)
        }
    }
}

fn message(parts: &Parts<'_>, kind: Kind, draft: &mut Draft) {
    let header = &parts.header;
    draft.set(Canonical::SENDER, parts.source.organisation, header.field(4).place());
    if let Some(event) = parts.first("EVN").map(|segment| segment.field(1))
        && !event.is_empty()
        && event.raw().trim() != header.field(9).component(2).raw().trim()
    {
        let next = "send the same event in MSH-9 and EVN-1";
        parts.grammar.warn(
            "hl7-event-differs",
            event.place(),
            "differs from MSH-9, which counts",
            next,
        );
    }
    let (becomes, opening) = match kind {
        Kind::Document(event) => (document(parts, event, draft), opening(event)),
        Kind::Report => (report(parts, draft), None),
    };
    if becomes.needs_a_recipient() {
        // It answers no request that would say whom it is for.
        let to = header.field(6).component(1);
        draft.set(Canonical::RECIPIENT, to.text().unwrap_or_default(), to.place());
    }
    legs(parts, draft);
    match parts.first("PID") {
        Some(pid) => person::read(pid, parts, draft),
        None => parts.grammar.fault(
            "hl7-no-person",
            header.field(9).place(),
            "has no PID segment",
            "say whom the document is about",
        ),
    }
    content::read(parts, becomes, opening, draft);
    documents::limits(draft);
    parts.source.feed.complete(draft);
}

/// What the summary begins with, so that a reader of the advice knows what it is beside the one
/// before: the canonical message has no field for it.
fn opening(event: Event) -> Option<&'static str> {
    match event {
        Event::Addendum => Some("This adds to a document sent before; both count."),
        Event::Correction => Some("This replaces a document sent before."),
        Event::Original => None,
    }
}

/// An MDM message. Gives the type it becomes.
fn document(parts: &Parts<'_>, event: Event, draft: &mut Draft) -> MessageType {
    let grammar = parts.grammar;
    let Some(txa) = parts.first("TXA") else {
        let place = parts.header.field(9).place();
        grammar.fault("hl7-no-document-header", place, "has no TXA segment", "send one");
        return MessageType::AdviceResponse;
    };
    if parts.all("TXA").count() > 1 {
        grammar.fault(
            "hl7-several-documents",
            txa.place(),
            "is there twice",
            "send one document at a time",
        );
    }
    let kind = kind_named(&txa.field(2)).unwrap_or(MessageType::AdviceResponse);
    draft.set(Canonical::TYPE, kind.as_str(), txa.field(2).place());
    document_number(txa, event, parts, draft);
    if matches!(event, Event::Addendum | Event::Correction) && txa.field(13).is_empty() {
        grammar.fault(
            "hl7-parent-missing",
            txa.field(13).place(),
            "does not say which document it adds to or replaces",
            "send the parent's document number",
        );
    }
    standing(txa, parts);
    let dates =
        [8, 7, 6, 4].into_iter().map(|number| txa.field(number)).chain([parts.header.field(7)]);
    set_date(dates.filter(|field| !field.is_empty()), kind, draft);
    let authors = [9, 10, 5].into_iter().map(|number| txa.field(number));
    if kind == MessageType::AdviceResponse {
        person::author(authors.flat_map(|field| field.repeats().collect::<Vec<_>>()), draft);
    }
    kind
}

/// The document's number, with who issued it: what tells one message from another. An edit keeps
/// the number of what it edits, so the time of the edit belongs to it.
fn document_number(txa: &Segment<'_>, event: Event, parts: &Parts<'_>, draft: &mut Draft) {
    let number = txa.field(12).first();
    let Some(mut id) = entity(&number) else {
        draft.set(Canonical::ID, "", number.place());
        return;
    };
    let parent = txa.field(13).first();
    let own = number.raw() != parent.raw();
    if event == Event::Correction
        && let Some(earlier) = entity(&parent)
    {
        draft.set(Canonical::SUPERSEDES, earlier, parent.place());
    }
    if event == Event::Correction && (parts.header.field(9).component(2).is("T08") || !own) {
        let edited = txa.field(8).repeats().last().filter(|field| !field.is_empty());
        let mark = edited.unwrap_or_else(|| parts.header.field(10)).component(1).text();
        id = format!("{id}:{}", mark.unwrap_or_default());
    }
    draft.set(Canonical::ID, id, number.place());
}

/// An entity identifier with its issuer in front.
pub(super) fn entity(field: &Field<'_>) -> Option<String> {
    let id = field.component(1).text()?;
    let issuer = field.component(2).text().or_else(|| field.component(3).text());
    Some(issuer.map_or_else(|| id.clone(), |issuer| format!("{issuer}/{id}")))
}

/// Whether the document may be passed on: authenticated, available, not restricted.
fn standing(txa: &Segment<'_>, parts: &Parts<'_>) {
    let grammar = parts.grammar;
    let completion = txa.field(17);
    if !completion.is_one_of(&["LA", "AU"]) {
        not_authenticated(parts, &completion);
    }
    let availability = txa.field(19);
    if availability.is_one_of(&["CA", "OB", "UN"]) {
        grammar.fault(
            "document-not-available",
            availability.place(),
            "says that the document is cancelled, obsolete or unavailable",
            "send a document that is in force",
        );
    }
    let confidentiality = txa.field(18);
    if confidentiality.first().component(1).is_one_of(&["R", "V"]) {
        grammar.fault(
            "hl7-restricted",
            confidentiality.place(),
            "marks the document as restricted, which a person must decide about",
            "speak to the authority before it is shared",
        );
    }
}

/// A document that nobody has authenticated is held back, unless the feed allows drafts.
pub(super) fn not_authenticated(parts: &Parts<'_>, field: &Field<'_>) {
    let message = "says that nobody has authenticated the document, or says nothing of it";
    let next = "send it again when it is authenticated (TXA-17 AU or LA, results F)";
    if parts.allows(Leniency::Drafts) {
        parts.grammar.warn("document-not-authenticated", field.place(), message, next);
    } else {
        parts.grammar.fault("document-not-authenticated", field.place(), message, next);
    }
}

/// A report of results. Gives the type it becomes.
fn report(parts: &Parts<'_>, draft: &mut Draft) -> MessageType {
    let kind = MessageType::AdviceResponse;
    draft.set(Canonical::TYPE, kind.as_str(), parts.header.field(9).place());
    let Some(request) = parts.first("OBR") else {
        let place = parts.header.field(9).place();
        parts.grammar.fault("hl7-no-report", place, "has no OBR segment", "send one");
        return kind;
    };
    let filler = request.field(3).first();
    let corrected = request.field(25).is("C");
    let id = entity(&filler).map(|id| {
        let mark = request.field(22).text().filter(|_| corrected);
        mark.map_or_else(|| id.clone(), |mark| format!("{id}:{mark}"))
    });
    if let Some(id) = id {
        draft.set(Canonical::ID, id, filler.place());
    } else {
        let control = parts.header.field(10);
        draft.set(Canonical::ID, control.text().unwrap_or_default(), control.place());
    }
    let status = request.field(25);
    if status.is("X") {
        let next = "send the report that is in force, and speak to the authority";
        parts.grammar.fault(
            "document-cancelled",
            status.place(),
            "says that there is no report",
            next,
        );
    } else if !status.is_empty() && !status.is_one_of(&["F", "C"]) {
        not_authenticated(parts, &status);
    }
    let dates = [request.field(22), request.field(7), parts.header.field(7)];
    set_date(dates.into_iter().filter(|field| !field.is_empty()), kind, draft);
    person::interpreter(&request.field(32).first(), parts, draft);
    kind
}

/// The type of ours that a document type names; no trust's own types have such names.
fn kind_named(field: &Field<'_>) -> Option<MessageType> {
    let name = field.component(1).raw().trim();
    MessageType::ALL.into_iter().find(|kind| super::document_type(*kind) == name)
}

/// Our own number for the request, in the places where others keep the placer's.
fn legs(parts: &Parts<'_>, draft: &mut Draft) {
    let mut found: Option<LegId> = None;
    let places = [("TXA", 14), ("ORC", 2), ("OBR", 2)];
    for (name, number) in places {
        for field in parts.all(name).flat_map(|s| s.field(number).repeats().collect::<Vec<_>>()) {
            let text = field.component(1).text().unwrap_or_default();
            let Ok(leg) = LegId::parse(&text) else { continue };
            if found.is_some_and(|before| before != leg) {
                parts.grammar.fault(
                    "hl7-legs-differ",
                    field.place(),
                    "names another request than a segment before it",
                    "answer one request in one message",
                );
            } else if found.is_none() {
                found = Some(leg);
                draft.set(Canonical::LEG, text, field.place());
            }
        }
    }
}

fn set_date<'a>(mut fields: impl Iterator<Item = Field<'a>>, kind: MessageType, draft: &mut Draft) {
    if kind != MessageType::AdviceResponse {
        return;
    }
    if let Some(field) = fields.next() {
        // TXA-8 repeats: the last edit counts.
        let last = field.repeats().last().unwrap_or(field);
        draft.set(Canonical::ADVICE_DATE, civil(last.component(1).raw()), last.place());
    }
}

/// The civil date in England of a time as HL7 writes it. What is not one is given back as it is.
pub(super) fn civil(text: &str) -> String {
    let text = text.trim();
    let day = match (text.get(..4), text.get(4..6), text.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => return text.to_owned(),
    };
    let offset = text.rfind(['+', '-']).filter(|at| *at >= 8).and_then(|at| text.get(at..));
    let clock = text.get(8..12).filter(|clock| clock.chars().all(|c| c.is_ascii_digit()));
    let (Some(offset), Some(clock)) = (offset, clock) else { return day };
    let (Some(hour), Some(minute)) = (clock.get(..2), clock.get(2..)) else { return day };
    let Some((hours, minutes)) = offset.get(..3).zip(offset.get(3..5)) else { return day };
    let instant = format!("{day}T{hour}:{minute}:00{hours}:{minutes}").parse::<jiff::Timestamp>();
    let (Ok(instant), Ok(zone)) = (instant, TimeZone::get("Europe/London")) else { return day };
    zone.to_datetime(instant).date().to_string()
}

fn shape(rule: &str, segment: Option<&Segment<'_>>, message: &str, next: &str) -> ReadError {
    let place = segment.map_or(schemas::Place::Whole, Segment::place);
    ReadError::new(ReadErrorKind::Shape, rule, place, message, next)
}
