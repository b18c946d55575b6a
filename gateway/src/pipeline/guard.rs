//! The wrong-person guard: nothing attaches to a request or a case unless it is about the person.
//!
//! Owns the comparison (pseudonym *and* demographics must agree, by all that is known to mean one
//! person), the correlation of messages to a case, and the search for somebody else's NHS number
//! in what a message says. Pure but for the look-ups of what is known. It must never know consent,
//! and never tells a sender what is held: a refusal says that details do not agree, not which.
//!
//! Limits: numbers inside documents (PDF, images) are not looked for. A number is looked for in
//! free text only; ten digits in another grouping than 10 or 3-3-4 are not taken for one.
//! Not supported: correcting details by itself, because a person has to say that two are one
//! (`person.match`).

use std::collections::BTreeSet;

use schemas::catalogue::{Catalogue, ValueKind};
use schemas::record::Particulars;
use schemas::{
    Body, Field, Issue, MessageType, NhsNumber, OrganisationCode, Place, Record, RecordId,
};
use serde_json::Value;

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::answer::{Attachment, Keys};
use super::destinations::Destination;
use super::relations::case_pseudonym;
use crate::app::App;
use crate::audit::SubjectKey;
use crate::peer::Role;
use crate::store::{
    CaseKey, CasePerson, Change, IdentityWrite, Mark, StoreError, WatchWrite, Write,
};

/// What is known to mean one person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// Every pseudonym that means them.
    pub(super) pseudonyms: BTreeSet<SubjectKey>,
    /// The details they are known under.
    pub(super) details: BTreeSet<[u8; 32]>,
}

impl Known {
    /// What is known of the person whom a record or case is about.
    pub(super) async fn of(
        app: &App,
        subject: Option<SubjectKey>,
        demographics: Option<[u8; 32]>,
    ) -> Result<Self, StoreError> {
        let Some(subject) = subject else { return Ok(Self::default()) };
        let pseudonyms = app.store.pseudonyms_of(subject).await?;
        let mut details: BTreeSet<[u8; 32]> = demographics.into_iter().collect();
        if pseudonyms.len() > 1 || !details.is_empty() {
            details.extend(app.store.accepted_demographics(subject).await?);
        }
        Ok(Self { pseudonyms, details })
    }

    /// Whether a message is about this person: both keys must be there, and both must agree.
    pub(super) fn agrees(&self, keys: &Keys) -> bool {
        keys.subject.is_some_and(|subject| self.pseudonyms.contains(&subject))
            && keys.demographics.is_some_and(|details| self.details.contains(&details))
    }
}

impl Batch<'_> {
    /// Refuses a message of a case that is about somebody else; else says about whom the case is,
    /// where the authority itself opens it.
    pub(super) async fn correlate(
        &mut self,
        record: &Record,
        facts: &Facts,
        owner: Option<OrganisationCode>,
        place: &Place,
    ) -> Result<Result<Option<(CaseKey, CasePerson)>, Issue>, ReceiveError> {
        let message = record.message();
        let (Some(case), Some(subject), Some(demographics), Some(owner)) =
            (&message.case, facts.subject, facts.demographics, owner)
        else {
            return Ok(Ok(None));
        };
        if is_about_identity(facts.kind) {
            return Ok(Ok(None));
        }
        let reference = case_pseudonym(self.app, &owner, case.expose());
        let key = CaseKey { owner: owner.clone(), reference };
        let about = CasePerson { subject, demographics };
        let known = match self.cases.get(&key) {
            Some(known) => Some(*known),
            None => self.app.store.find_case(&key).await?,
        };
        let Some(known) = known else {
            // Only the authority says about whom its own case is.
            if owner != self.sender.organisation {
                return Ok(Ok(None));
            }
            return Ok(Ok(Some((key, about))));
        };
        let person = Known::of(self.app, Some(known.subject), Some(known.demographics)).await?;
        let keys = Keys { subject: Some(subject), demographics: Some(demographics) };
        if person.agrees(&keys) || self.number_added(record, &owner, &person, demographics) {
            return Ok(Ok(None));
        }
        Ok(Err(Issue::error(
            "case-person-changed",
            Some(Field::CASE),
            place.clone(),
            "is a case whose earlier messages are about a person with other details",
            "check the case and the person; when they are one person, send person.match first",
        )))
    }

    /// Whose case reference a message carries: an authority's own, or that of the authority it is
    /// sent to.
    pub(super) fn whose_case(
        &self,
        attachment: Option<&Attachment>,
        destinations: &[Destination],
    ) -> Option<OrganisationCode> {
        if self.sender.roles.contains(&Role::LaCaseSystem) {
            return Some(self.sender.organisation.clone());
        }
        let asked_by = attachment.map(|attachment| attachment.leg.sender.clone());
        asked_by.or_else(|| destinations.first().map(|to| to.recipient.clone()))
    }

    /// The write that remembers who acted for the sender: they do not approve their own message.
    pub(super) fn acted_for(&self, record: &Record, facts: &Facts) -> Option<Write> {
        let acting = record.message().acting.as_ref()?;
        let who = self.app.vault.pseudonyms().anywhere(acting.user.expose());
        Some(Write::Identity(IdentityWrite::ActedFor(facts.id, who)))
    }

    /// The write that remembers by which marks an access to somebody's own is told.
    pub(super) fn marks(&self, record: &Record, facts: &Facts) -> Option<Write> {
        let about = record.message().subject.as_ref()?;
        let names = self.app.vault.pseudonyms();
        let surnames = names.surname_marks(about.family_name.expose()).into_iter();
        let postcode = about.postcode.as_ref().and_then(|one| names.postcode_mark(one.expose()));
        let marks = surnames.map(Mark::Surname).chain(postcode.map(Mark::Postcode)).collect();
        Some(Write::Watch(WatchWrite::SubjectMarks(facts.subject?, marks)))
    }

    /// The write that remembers about whom a case is, once the record that opens it is accepted.
    pub(super) fn open_case(&mut self, (key, about): (CaseKey, CasePerson), by: RecordId) -> Write {
        self.cases.insert(key.clone(), about);
        Write::Identity(IdentityWrite::CaseOpened(key, about, by))
    }

    /// Adds writes to the change of the record that was just accepted.
    pub(super) fn add_to_accepted(&mut self, writes: Vec<Write>) {
        if let Some(change) = self.changes.pop() {
            self.changes.push(writes.into_iter().fold(change, Change::write));
        }
    }

    /// Whether the case began before the person's NHS number was known: the same details, and the
    /// authority's own id for the person is the one it began with.
    fn number_added(
        &self,
        record: &Record,
        owner: &OrganisationCode,
        known: &Known,
        demographics: [u8; 32],
    ) -> bool {
        let id = record.message().subject.as_ref().and_then(|one| one.la_person_id.as_ref());
        let own = id.map(|id| self.app.vault.pseudonyms().key_of_person_id(id.expose(), owner));
        known.details.contains(&demographics)
            && own.is_some_and(|own| known.pseudonyms.contains(&own))
    }
}

/// The events about who somebody is: they may name two numbers, and change whom a case is about.
pub(super) fn is_about_identity(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::PersonMatch
            | MessageType::PersonMerge
            | MessageType::PersonDeath
            | MessageType::PersonAddressSafe
    )
}

/// What an event about identity says; `None` for every other message.
pub(super) fn identifying(record: &Record) -> Option<&Particulars> {
    let Body::Particulars(said) = &record.message().body else { return None };
    is_about_identity(record.message().kind).then_some(said)
}

/// An issue for every text in which somebody else's NHS number stands; a warning where the
/// person's own number is not given, so that nothing tells whose it is.
pub(super) fn numbers_of_others(record: &Record, place: &Place) -> Vec<Issue> {
    let message = record.message();
    let own = message.subject.as_ref().and_then(|subject| subject.nhs_number.as_ref());
    let Ok(said) = serde_json::from_slice::<Value>(&record.expose_json()) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    collect_texts(&said, String::new(), &mut texts);
    let mut seen = Vec::new();
    let mut issues = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| is_free_text(path, &message.body)) {
        let others: Vec<NhsNumber> =
            numbers_in(text).into_iter().filter(|number| Some(number) != own).collect();
        if others.is_empty() {
            continue;
        }
        seen.extend(others);
        let (field, place) = (Field::from_path(path), place.clone());
        issues.push(Issue::error(
            "another-persons-number",
            field,
            place,
            "holds an NHS number that is not this person's",
            "check that the message is about the right person, take the other number out, and send it again",
        ));
    }
    let one_only = seen.first().is_some_and(|first| seen.iter().all(|number| number == first));
    if own.is_none() && one_only {
        return issues
            .into_iter()
            .map(|issue| {
                Issue::warning(
                    "nhs-number-in-text",
                    Field::from_path(&issue.field),
                    issue.place,
                    "holds an NHS number, and none is given for the person",
                    "give the person's NHS number in its own field, or take this one out",
                )
            })
            .collect();
    }
    issues
}

/// Every text of a message with its path; members of lists have the path of their list.
fn collect_texts(value: &Value, path: String, texts: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => texts.push((path, text.clone())),
        Value::Array(members) => {
            for member in members {
                collect_texts(member, path.clone(), texts);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect_texts(member, format!("{path}{dot}{name}"), texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether people write freely there: not references, codes, dates or numbers of their own kind.
fn is_free_text(path: &str, body: &Body) -> bool {
    if let (Some(name), Body::Particulars(_)) = (path.strip_prefix("particulars."), body) {
        let kind = Catalogue::built_in().field(name).map(|field| field.kind);
        return kind.is_none_or(|kind| {
            matches!(kind, ValueKind::Line | ValueKind::Text | ValueKind::Texts)
        });
    }
    !NOT_FREE.contains(&path)
}

/// The valid NHS numbers that stand in a text: ten digits in one group, or grouped 3-3-4.
pub(super) fn numbers_in(text: &str) -> Vec<NhsNumber> {
    let mut found = Vec::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut joined = false;
    for c in text.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_digit() {
            if !joined || runs.is_empty() {
                runs.push(Run::default());
            }
            joined = true;
            if let Some(run) = runs.last_mut() {
                run.digits.push(c);
            }
        } else if joined && matches!(c, ' ' | '-' | '\u{a0}' | '\u{2011}') {
            // One separator between groups; a second one ends the number.
            joined = false;
        } else {
            let touches = joined && c.is_alphabetic();
            if let Some(run) = runs.last_mut().filter(|_| touches) {
                run.is_code = true;
            }
            found.extend(whole_numbers(&std::mem::take(&mut runs)));
            joined = c.is_alphabetic();
            if joined {
                runs.push(Run { is_code: true, ..Run::default() });
            }
        }
    }
    found
}

/// A group of digits; a code when letters touch it.
#[derive(Debug, Default)]
struct Run {
    digits: String,
    is_code: bool,
}

fn whole_numbers(runs: &[Run]) -> Vec<NhsNumber> {
    let plain = |run: &Run, length: usize| !run.is_code && run.digits.len() == length;
    let single = runs.iter().filter(|run| plain(run, 10)).map(|run| run.digits.clone());
    let grouped = runs.windows(3).filter_map(|three| match three {
        [a, b, c] if plain(a, 3) && plain(b, 3) && plain(c, 4) => {
            Some(format!("{}{}{}", a.digits, b.digits, c.digits))
        }
        _ => None,
    });
    single.chain(grouped).filter_map(|digits| NhsNumber::parse(&digits).ok()).collect()
}

/// Members that are references, codes, dates or contact details, not free text.
const NOT_FREE: [&str; 23] = [
    "type",
    "id",
    "supersedes",
    "sender",
    "recipient",
    "case",
    "leg",
    "acting.user",
    "acting.role",
    "subject.nhs_number",
    "subject.la_person_id",
    "subject.upn",
    "subject.date_of_birth",
    "subject.postcode",
    "consent.reference",
    "request.requested_on",
    "request.services",
    "request.reply_to",
    "request.replaces_leg",
    "triage.redirect_to",
    "notice.about",
    "advice.date",
    "advice.author_registration",
];

#[cfg(test)]
mod tests;
