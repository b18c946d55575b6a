//! ATNA: an `AuditMessage` (DICOM PS3.15 A.5) as the message of syslog (RFC 5424, DICOM PS3.15 A.6).
//!
//! Not supported, and why: participants' network addresses. An entry holds organisations and
//! certificates, and an address of a partner's network says nothing about who acted.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::classes::{Class, Way};
use super::{Source, instant, leaf_hash};
use crate::audit::Entry;
use crate::telemetry::name_of;

/// The message with its header, without a line feed.
pub(super) fn syslog(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Vec<u8> {
    let said = audit_message(source, entry, leaf);
    wrapped(source, entry.seq, (&instant(entry), "DICOM+RFC3881"), said.as_bytes())
}

/// A message in UTF-8 with its header: when, and of what sort.
pub(super) fn wrapped(
    source: &Source<'_>,
    seq: u64,
    (at, sort): (&str, &str),
    said: &[u8],
) -> Vec<u8> {
    // From 1 to 2147483647 and round again (RFC 5424 section 7.3.1).
    let sequence = seq % SEQUENCE_MAX + 1;
    let head = format!(
        "<{PRIORITY}>1 {at} {host} ehc-gateway - {sort} [meta sequenceId=\"{sequence}\"] ",
        host = source.organisation,
    );
    let mut message = head.into_bytes();
    message.extend_from_slice(UTF_8_MARK);
    message.extend_from_slice(said);
    message
}

fn audit_message(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> String {
    let class = Class::of(&entry.event);
    let mut xml = Xml::default();
    xml.text("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
    event(&mut xml, entry, &class);
    participants(&mut xml, source, entry, &class);
    xml.open(
        "AuditSourceIdentification",
        &[("AuditEnterpriseSiteID", source.organisation), ("AuditSourceID", source.log)],
    );
    // 4: an application server.
    xml.coded("AuditSourceTypeCode", ("4", "DCM", "Application Server"));
    xml.close("AuditSourceIdentification");
    objects(&mut xml, source, entry, leaf);
    xml.close("AuditMessage");
    xml.0
}

fn event(xml: &mut Xml, entry: &Entry, class: &Class) {
    let at = instant(entry);
    let attributes = [
        ("EventActionCode", class.action),
        ("EventDateTime", at.as_str()),
        ("EventOutcomeIndicator", class.outcome.code()),
    ];
    xml.open("EventIdentification", &attributes);
    xml.coded("EventID", (class.id.0, "DCM", class.id.1));
    if let Some((code, meaning)) = class.kind {
        xml.coded("EventTypeCode", (code, "DCM", meaning));
    }
    let kind = name_of(entry.event.kind);
    xml.coded("EventTypeCode", (&kind, "urn:ehc-gateway:event", &kind));
    if let Some(note) = &entry.event.decision {
        let said = format!("{}: {}", note.rule, note.outcome);
        xml.element("EventOutcomeDescription", &said);
    }
    xml.coded("PurposeOfUse", (class.purpose.0, ACT_REASON, class.purpose.1));
    xml.close("EventIdentification");
}

/// Who did it; and for a disclosure where the data came from and went to.
fn participants(xml: &mut Xml, source: &Source<'_>, entry: &Entry, class: &Class) {
    let actor = &entry.event.actor;
    let other = entry.event.counterparty.as_ref().map(ToString::to_string);
    let own = source.organisation;
    let by = if actor.organisation == "gateway" { own } else { actor.organisation.as_str() };
    match class.disclosure {
        Some(Way::Out) => {
            let to = other.as_deref().unwrap_or(by);
            participant(xml, own, (None, None), by == own, Some(SOURCE));
            participant(xml, to, (actor.certificate.as_deref(), None), by == to, Some(DESTINATION));
        }
        Some(Way::In) => {
            participant(xml, by, (actor.certificate.as_deref(), None), true, Some(SOURCE));
            participant(xml, own, (None, None), false, Some(DESTINATION));
        }
        None => {
            let requestor = actor.person.is_none();
            let known = (actor.certificate.as_deref(), Some(actor.method.as_str()));
            participant(xml, by, known, requestor, None);
        }
    }
    if let Some(person) = &actor.person {
        participant(xml, person, (None, actor.role.as_deref()), true, None);
    }
}

fn participant(
    xml: &mut Xml,
    id: &str,
    (alternative, name): (Option<&str>, Option<&str>),
    requestor: bool,
    role: Option<(&str, &str)>,
) {
    let mut attributes = vec![("UserID", id)];
    attributes.extend(alternative.map(|known| ("AlternativeUserID", known)));
    attributes.extend(name.map(|name| ("UserName", name)));
    attributes.push(("UserIsRequestor", if requestor { "true" } else { "false" }));
    xml.open("ActiveParticipant", &attributes);
    if let Some((code, meaning)) = role {
        xml.coded("RoleIDCode", (code, "DCM", meaning));
    }
    xml.close("ActiveParticipant");
}

/// About whom, about what, and which entry of the log this is.
fn objects(xml: &mut Xml, source: &Source<'_>, entry: &Entry, leaf: &[u8]) {
    let event = &entry.event;
    if let Some(subject) = event.subject {
        object(xml, &subject.to_hex(), ("1", "1"), ("2", "Patient Number"), &[]);
    }
    let uuids = [
        (event.record.map(|record| record.0), "record"),
        (event.delivery.map(|delivery| delivery.0), "delivery"),
        (event.submission.map(|submission| submission.0), "submission"),
    ];
    for (id, what) in uuids {
        let Some(id) = id else { continue };
        let mut details = vec![("kind".to_owned(), what.to_owned())];
        if what == "record" {
            details
                .extend(event.message_type.map(|kind| ("message-type".to_owned(), name_of(kind))));
            let hashes = event.hashes.iter();
            details.extend(hashes.map(|(name, hash)| (format!("sha256-{name}"), hash.clone())));
        }
        // 2 and 3: a system object that is a report.
        object(xml, &format!("urn:uuid:{id}"), ("2", "3"), ("12", "URI"), &details);
    }
    let mut details = vec![("leaf-hash".to_owned(), leaf_hash(leaf))];
    if let Some(note) = &event.decision {
        details.extend(note.authority.clone().map(|one| ("authority".to_owned(), one)));
        details.extend(note.reference.clone().map(|one| ("reference".to_owned(), one)));
        details.extend(note.agreement.clone().map(|one| ("agreement".to_owned(), one)));
        details.push(("rule-version".to_owned(), note.rule_version.clone()));
    }
    details.extend(event.detail.iter().map(|(name, value)| (name.clone(), value.clone())));
    // 2 and 13: a system object that is a security resource.
    let id = format!("{}#{}", source.log, entry.seq);
    object(xml, &id, ("2", "13"), ("12", "URI"), &details);
}

fn object(
    xml: &mut Xml,
    id: &str,
    (kind, role): (&str, &str),
    (id_code, id_meaning): (&str, &str),
    details: &[(String, String)],
) {
    let attributes = [
        ("ParticipantObjectID", id),
        ("ParticipantObjectTypeCode", kind),
        ("ParticipantObjectTypeCodeRole", role),
    ];
    xml.open("ParticipantObjectIdentification", &attributes);
    xml.coded("ParticipantObjectIDTypeCode", (id_code, "RFC-3881", id_meaning));
    for (name, value) in details {
        let value = BASE64_STANDARD.encode(value);
        xml.open("ParticipantObjectDetail", &[("type", name.as_str()), ("value", &value)]);
        xml.close("ParticipantObjectDetail");
    }
    xml.close("ParticipantObjectIdentification");
}

/// XML without a line feed, and nothing in it that is not escaped.
#[derive(Debug, Default)]
struct Xml(String);

impl Xml {
    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.text("<");
        self.text(name);
        for (name, value) in attributes {
            self.text(" ");
            self.text(name);
            self.text("=\"");
            self.escaped(value);
            self.text("\"");
        }
        self.text(">");
    }

    fn close(&mut self, name: &str) {
        self.text("</");
        self.text(name);
        self.text(">");
    }

    fn element(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.escaped(text);
        self.close(name);
    }

    /// A code, its system and its meaning.
    fn coded(&mut self, name: &str, (code, system, meaning): (&str, &str, &str)) {
        let attributes =
            [("csd-code", code), ("codeSystemName", system), ("originalText", meaning)];
        self.open(name, &attributes);
        self.close(name);
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.text("&amp;"),
                '<' => self.text("&lt;"),
                '>' => self.text("&gt;"),
                '"' => self.text("&quot;"),
                // XML 1.0 has no other control characters.
                '\t' | '\n' | '\r' => {
                    // Writing to a string does not fail.
                    let _ = write!(self.0, "&#{};", u32::from(c));
                }
                c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => self.text("\u{fffd}"),
                c => self.0.push(c),
            }
        }
    }
}

/// Facility 10 (security and authorisation), severity 5 (notice), as DICOM PS3.15 A.6 has it.
const PRIORITY: u8 = 10 * 8 + 5;
/// What begins a message in UTF-8 (RFC 5424 section 6.4).
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const SEQUENCE_MAX: u64 = 2_147_483_647;
const ACT_REASON: &str = "2.16.840.1.113883.5.8";
const SOURCE: (&str, &str) = ("110153", "Source Role ID");
const DESTINATION: (&str, &str) = ("110152", "Destination Role ID");
