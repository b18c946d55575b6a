//! One draft for each request for advice: its case, its person, the decision about sharing, its
//! documents.

use std::collections::{HashMap, HashSet};

use schemas::{Draft, DraftAttachment, Field, Issue, PersonalBytes, PersonalText, Place};

use super::people::{People, take};
use super::rows::{EntityRow, EntityRows};
use super::{DOCUMENTS, Sha256Hex};
use crate::Item;
use crate::archive::Part;
use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX};
use crate::mapping::{Entity, KeyRole, Mapping};

/// What requests are joined with.
pub(super) struct Joiner<'a> {
    mapping: &'a Mapping,
    sender: &'a str,
    people: People<'a>,
    cases: HashMap<&'a str, Vec<&'a EntityRow>>,
    consents: HashMap<&'a str, Vec<&'a EntityRow>>,
    index: HashMap<&'a str, Vec<&'a EntityRow>>,
    documents: Vec<Part>,
    sha256: Sha256Hex,
}

impl<'a> Joiner<'a> {
    /// Arranges the files of a set by what joins them.
    pub(super) fn new(
        mapping: &'a Mapping,
        sender: &'a str,
        of: &dyn Fn(Entity) -> &'a EntityRows,
        documents: Vec<Part>,
        sha256: Sha256Hex,
    ) -> Self {
        let people =
            People::new(of(Entity::Person), of(Entity::PersonIdentifier), of(Entity::Address));
        Self {
            mapping,
            sender,
            people,
            cases: by(KeyRole::Case, of(Entity::EhcRequest)),
            consents: by(KeyRole::Case, of(Entity::Consent)),
            index: by(KeyRole::Request, of(Entity::DocumentIndex)),
            documents,
            sha256,
        }
    }

    /// One item for each request.
    pub(super) fn items(&self, requests: &EntityRows, notes: &mut Vec<Issue>) -> Vec<Item> {
        let mut seen = HashMap::new();
        let items = requests.rows.iter().map(|row| {
            let mut draft = self.draft(row);
            if let Some(id) = draft.first(Field::ID) {
                let place = id.place.clone();
                let first = seen.entry(id.text.expose().to_owned()).or_insert_with(|| row.at.row());
                if *first != row.at.row() {
                    draft.notes.push(Issue::error(
                        "row-duplicate",
                        Some(Field::ID),
                        place,
                        &format!("has the same reference as the row on {first}"),
                        "send each request once, with its own reference",
                    ));
                }
            }
            Item { draft, raw: PersonalBytes::new(row.raw.clone()) }
        });
        let items: Vec<Item> = items.collect();
        notes.extend(self.unindexed());
        items
    }

    fn draft(&self, row: &EntityRow) -> Draft {
        let mut draft = Draft { place: row.at.row(), ..Draft::default() };
        for (field, value) in &self.mapping.constants {
            draft.set(*field, value.clone(), row.at.row());
        }
        if draft.first(Field::SENDER).is_none() {
            draft.set(Field::SENDER, self.sender, Place::Whole);
        }
        take(row, &mut draft);
        if row.key(KeyRole::Change) == Some("deleted") {
            draft.notes.push(Issue::error(
                "request-deleted",
                None,
                row.key_place(KeyRole::Change),
                "the request was deleted at the source",
                "if it was sent before, tell those who were asked: nothing can be recalled",
            ));
        }
        if let Some(case) = row.key(KeyRole::Case) {
            let place = row.key_place(KeyRole::Case);
            draft.set(Field::CASE, case, place.clone());
            self.case(case, &place, &mut draft);
            self.consent(case, &mut draft);
        }
        self.attach(&mut draft);
        draft
    }

    fn case(&self, case: &str, place: &Place, draft: &mut Draft) {
        let rows = self.cases.get(case).map(Vec::as_slice).unwrap_or_default();
        let (rule, message) = match rows {
            [row] if row.key(KeyRole::Change) == Some("deleted") => {
                ("case-deleted", "the case was deleted at the source")
            }
            [row] => {
                take(row, draft);
                if let Some(person) = row.key(KeyRole::Person) {
                    self.people.describe(person, &row.key_place(KeyRole::Person), draft);
                }
                return;
            }
            [] => ("case-unknown", "is about a case that is not in the set"),
            [_, _, ..] => ("case-duplicate", "is about a case that stands in the set twice"),
        };
        draft.notes.push(Issue::error(
            rule,
            Some(Field::CASE),
            place.clone(),
            message,
            "export every case the requests are about once, in deltas too",
        ));
    }

    /// The newest decision about sharing; two of one day that are not the same stop the request.
    fn consent(&self, case: &str, draft: &mut Draft) {
        let rows = self.consents.get(case).map(Vec::as_slice).unwrap_or_default();
        let day = |row: &EntityRow| {
            row.draft.first(Field::CONSENT_DATE).map(|date| date.text.expose().to_owned())
        };
        let Some(newest) = rows.iter().map(|row| day(row)).max() else { return };
        let newest: Vec<_> = rows.iter().filter(|row| day(row) == newest).collect();
        let Some((first, others)) = newest.split_first() else { return };
        let said = |row: &EntityRow| -> Vec<(Field, PersonalText)> {
            row.draft.fields.iter().map(|(field, l)| (*field, l.text.clone())).collect()
        };
        take(first, draft);
        if let Some(other) = others.iter().find(|other| said(other) != said(first)) {
            draft.notes.push(Issue::error(
                "consent-unclear",
                Some(Field::CONSENT_STATUS),
                other.at.row(),
                "two decisions about sharing bear the same day and differ",
                "export the one that stands",
            ));
        }
    }

    fn attach(&self, draft: &mut Draft) {
        let Some(id) = draft.first(Field::ID).map(|id| id.text.expose().to_owned()) else { return };
        let rows = self.index.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        if let Some(row) = rows.get(DOCUMENTS_MAX) {
            return draft.notes.push(document_fault(
                row,
                "documents-too-many",
                "the request has more than 20 documents",
                "send the most important ones",
            ));
        }
        for row in rows {
            match self.document(row) {
                Ok(attachment) => draft.attachments.push(attachment),
                Err(issues) => draft.notes.extend(issues),
            }
        }
    }

    fn document(&self, row: &EntityRow) -> Result<DraftAttachment, Vec<Issue>> {
        if row.draft.notes.iter().any(Issue::is_error) {
            return Err(row.draft.notes.clone());
        }
        let fault = |rule, message, next| Err(vec![document_fault(row, rule, message, next)]);
        let name = row.key(KeyRole::DocumentName).unwrap_or_default();
        let part = self.documents.iter().find(|p| p.name.strip_prefix(DOCUMENTS) == Some(name));
        let Some(part) = part else {
            return fault(
                "document-missing",
                "a document that the index lists is not in the set",
                "put it into the folder `documents`",
            );
        };
        if part.bytes.len() > DOCUMENT_BYTES_MAX {
            return fault(
                "attachment-too-large",
                "the document is larger than 10 MiB",
                "send it by the upload for large documents",
            );
        }
        let hash = row.key(KeyRole::DocumentHash).unwrap_or_default();
        if !hash.eq_ignore_ascii_case(&(self.sha256)(&part.bytes)) {
            return fault(
                "document-hash",
                "the document is not the one the index lists: its SHA-256 differs",
                "write the index last, and send the set again",
            );
        }
        Ok(DraftAttachment {
            name: PersonalText::new(name),
            media_type: row.key(KeyRole::DocumentType).unwrap_or_default().to_owned(),
            content: PersonalBytes::new(part.bytes.clone()),
            place: row.key_place(KeyRole::DocumentName),
        })
    }

    /// Documents that no request names.
    fn unindexed(&self) -> Option<Issue> {
        let rows = self.index.values().flatten();
        let named: HashSet<&str> = rows.filter_map(|row| row.key(KeyRole::DocumentName)).collect();
        let count = self
            .documents
            .iter()
            .filter_map(|part| part.name.strip_prefix(DOCUMENTS))
            .filter(|name| !named.contains(name))
            .count();
        (count > 0).then(|| {
            Issue::warning(
                "documents-unindexed",
                None,
                Place::Whole,
                &format!("{count} documents are in no row of document_index; they were left out"),
                "list them, or leave them out of the set",
            )
        })
    }
}

fn document_fault(row: &EntityRow, rule: &str, message: &str, next: &str) -> Issue {
    Issue::error(rule, None, row.key_place(KeyRole::DocumentName), message, next)
}

fn by(role: KeyRole, rows: &EntityRows) -> HashMap<&str, Vec<&EntityRow>> {
    let mut found: HashMap<&str, Vec<&EntityRow>> = HashMap::new();
    for row in &rows.rows {
        if let Some(key) = row.key(role) {
            found.entry(key).or_default().push(row);
        }
    }
    found
}
