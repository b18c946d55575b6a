//! The rules for documents: their type is what their content says, and their name is made safe.

use super::Check;
use crate::draft::DraftAttachment;
use crate::issue::Issue;
use crate::personal::PersonalText;
use crate::record::Attachment;

impl Check<'_> {
    pub(super) fn attachments(&mut self) -> Vec<Attachment> {
        let draft = self.draft;
        draft.attachments.iter().filter_map(|attachment| self.attachment(attachment)).collect()
    }

    fn attachment(&mut self, attachment: &DraftAttachment) -> Option<Attachment> {
        let bytes = attachment.content.expose();
        let media_type = media_type_of(bytes);
        let Some(media_type) = media_type else {
            self.issues.push(Issue::error(
                "attachment-type",
                None,
                attachment.place.clone(),
                "a document is not of an accepted type (its content decides, not its name)",
                "send PDF, RTF, TIFF, Word or plain text",
            ));
            return None;
        };
        let name: String = attachment
            .name
            .expose()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .take(100)
            .collect();
        let name = if name.trim_matches('.').is_empty() { "document".to_owned() } else { name };
        Some(Attachment {
            name: PersonalText::new(name),
            media_type: media_type.to_owned(),
            content: attachment.content.clone(),
        })
    }
}

/// The media type of a document by its first bytes, if it is one we accept.
fn media_type_of(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 6] = [
        (b"%PDF-", "application/pdf"),
        (b"{\\rtf", "application/rtf"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"PK\x03\x04", WORD),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    ];
    let known = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start));
    if let Some((_, media_type)) = known {
        // Any zip archive starts alike; a Word document has parts whose names begin so.
        let is_word = || bytes.windows(WORD_PART.len()).any(|window| window == WORD_PART);
        return (*media_type != WORD || is_word()).then_some(media_type);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let printable = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    let markup = text.trim_start().starts_with('<');
    (!text.trim().is_empty() && printable && !markup).then_some("text/plain")
}

const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const WORD_PART: &[u8] = b"word/";
