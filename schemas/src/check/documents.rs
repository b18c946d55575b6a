//! The rules for documents: their type is what their content says, and their name is made safe.

use super::Check;
use crate::document_type;
use crate::draft::{DraftAttachment, DraftReference, Standing};
use crate::issue::Issue;
use crate::personal::PersonalText;
use crate::record::{Attachment, StoredDocument};

impl Check<'_> {
    pub(super) fn attachments(&mut self) -> Vec<Attachment> {
        let draft = self.draft;
        draft.attachments.iter().filter_map(|attachment| self.attachment(attachment)).collect()
    }

    /// The documents that were sent on their own before.
    pub(super) fn stored(&mut self) -> Vec<StoredDocument> {
        let draft = self.draft;
        draft.references.iter().filter_map(|reference| self.reference(reference)).collect()
    }

    fn attachment(&mut self, attachment: &DraftAttachment) -> Option<Attachment> {
        let Some(kind) = document_type::of(attachment.content.expose()) else {
            self.issues.push(Issue::error(
                "attachment-type",
                None,
                attachment.place.clone(),
                "a document is not of an accepted type (its content decides, not its name)",
                "send PDF, RTF, TIFF, Word or plain text",
            ));
            return None;
        };
        Some(Attachment {
            name: safe_name(&attachment.name),
            media_type: kind.media_type().to_owned(),
            content: attachment.content.clone(),
        })
    }

    fn reference(&mut self, reference: &DraftReference) -> Option<StoredDocument> {
        let id = uuid::Uuid::try_parse(reference.document.trim()).ok();
        if let (Some(id), Standing::Ready { size, sha256, media_type }) = (id, &reference.standing)
        {
            let name = safe_name(&reference.name);
            let (media_type, size, sha256) = (media_type.clone(), *size, *sha256);
            return Some(StoredDocument { id, name, media_type, size, sha256 });
        }
        let (rule, message, next) = fault(&reference.standing);
        let place = reference.place.clone();
        self.issues.push(Issue::error(rule, None, place, message, next));
        None
    }
}

fn fault(standing: &Standing) -> (&'static str, &'static str, &'static str) {
    match standing {
        Standing::Unknown | Standing::Ready { .. } => (
            "document-unknown",
            "names a document that your organisation has not uploaded here",
            "upload it first (POST /v1/documents) and use the id of the answer",
        ),
        Standing::Incomplete => (
            "document-incomplete",
            "names a document of which not everything has been uploaded",
            "upload the rest, then send the message again under a new idempotency key",
        ),
        Standing::BeingChecked => (
            "document-being-checked",
            "names a document that is still being checked",
            "wait until its state is ready, then send the message again under a new idempotency key",
        ),
        Standing::Refused => (
            "document-refused",
            "names a document that was refused",
            "look at its reason (GET /v1/documents/{id}), put it right and upload it again",
        ),
        Standing::Flagged => (
            "document-flagged",
            "has a document in which the scanner found something",
            "do not send it again; tell your information security team and the operator",
        ),
        Standing::NotScanned => (
            "document-not-scanned",
            "has a document that the scanner could not look at yet, so it is held",
            "wait: it is scanned when the scanner answers again; the operator sees that it is held",
        ),
    }
}

/// A name that is safe in a file system and a header: letters, digits, `-`, `_` and `.`.
fn safe_name(name: &PersonalText) -> PersonalText {
    let name: String = name
        .expose()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .take(100)
        .collect();
    let name = if name.trim_matches('.').is_empty() { "document".to_owned() } else { name };
    PersonalText::new(name)
}
