//! What a document is, by its content: never by its name, nor by what its sender declares.
//!
//! Owns the five kinds of document the gateway can carry and how each is told from its bytes.
//! [`TypeFinder`] reads a document piece by piece and keeps no more of it than its last few bytes,
//! so that the size of a document does not matter. It must never know where the bytes come from.
//!
//! ```
//! use schemas::document_type::{DocumentType, TypeFinder};
//!
//! let mut finder = TypeFinder::default();
//! finder.take(b"%PD");
//! finder.take(b"F-1.7 ...");
//! assert_eq!(finder.finish(), Some(DocumentType::Pdf));
//! ```
//!
//! Limits: it tells kinds apart, it does not vouch for a document: that is a scanner's work. Not
//! supported: macros in any form, and encrypted Office files, because nothing in them can be
//! looked at; documents inside archives.

/// A kind of document that can be carried. Policy may accept fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentType {
    /// PDF (ISO 32000).
    Pdf,
    /// Rich Text Format.
    Rtf,
    /// TIFF images.
    Tiff,
    /// Word as a package of parts, without macros (ECMA-376 `.docx`).
    Docx,
    /// Word as it was before (MS-DOC in a compound file), without macros.
    Doc,
    /// Plain text in UTF-8.
    Text,
}

impl DocumentType {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Pdf, Self::Rtf, Self::Tiff, Self::Docx, Self::Doc, Self::Text];

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Rtf => "application/rtf",
            Self::Tiff => "image/tiff",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Doc => "application/msword",
            Self::Text => "text/plain",
        }
    }

    /// The word by which a policy accepts it: both forms of Word share one.
    pub fn policy_word(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Rtf => "rtf",
            Self::Tiff => "tiff",
            Self::Docx | Self::Doc => "word",
            Self::Text => "text",
        }
    }

    /// The kind with a media type, if it is one of ours.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == media_type)
    }
}

/// Finds what a document is while its bytes go by, in order.
#[derive(Debug, Default)]
pub struct TypeFinder {
    state: State,
    /// The head until it is long enough; then the last bytes, for what spans two pieces.
    carry: Vec<u8>,
    /// Whether the part was seen that makes a package a Word document.
    is_word: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not enough bytes yet.
    #[default]
    Head,
    /// Known, whatever follows.
    Known(DocumentType),
    /// A zip archive.
    Package,
    /// A compound file.
    Compound,
    /// Text so far; whether it had anything but white space.
    Text(bool),
    /// Nothing we carry.
    Refused,
}

impl TypeFinder {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.state {
            State::Known(_) | State::Refused => {}
            State::Head => {
                self.carry.extend_from_slice(bytes);
                if self.carry.len() >= HEAD_BYTES {
                    self.begin();
                }
            }
            State::Package => self.search(bytes, &[WORD_PART], &[MACROS_PART]),
            State::Compound => self.search(bytes, &[], &COMPOUND_REFUSED),
            State::Text(spoken) => self.text(bytes, spoken),
        }
    }

    /// What the document was, once all of it was taken; `None` when it is none we carry.
    pub fn finish(mut self) -> Option<DocumentType> {
        if self.state == State::Head {
            self.begin();
        }
        match self.state {
            State::Known(kind) => Some(kind),
            State::Package => self.is_word.then_some(DocumentType::Docx),
            State::Compound => Some(DocumentType::Doc),
            // What is left over would be the beginning of a character that never came.
            State::Text(spoken) => (spoken && self.carry.is_empty()).then_some(DocumentType::Text),
            State::Head | State::Refused => None,
        }
    }

    /// Decides by the head which way to go on, and goes over the head again in that way.
    fn begin(&mut self) {
        let head = std::mem::take(&mut self.carry);
        let known = SIGNATURES.iter().find(|(start, _)| head.starts_with(start));
        self.state = match known {
            Some((_, state)) => *state,
            None if starts_as_markup_or_script(&head) => State::Refused,
            None => State::Text(false),
        };
        self.take(&head);
    }

    fn search(&mut self, bytes: &[u8], wanted: &[&[u8]], refused: &[&[u8]]) {
        // What spans two pieces is found where they meet; the rest within the piece itself.
        let mut seam = std::mem::take(&mut self.carry);
        seam.extend(bytes.iter().take(PATTERN_BYTES_MAX));
        for part in [seam.as_slice(), bytes] {
            self.is_word |= wanted.iter().any(|pattern| holds(part, pattern));
            if refused.iter().any(|pattern| holds(part, pattern)) {
                self.state = State::Refused;
                return;
            }
        }
        let whole = if bytes.len() < PATTERN_BYTES_MAX { seam.as_slice() } else { bytes };
        let from = whole.len().saturating_sub(PATTERN_BYTES_MAX);
        self.carry = whole.get(from..).unwrap_or_default().to_vec();
    }

    fn text(&mut self, bytes: &[u8], spoken: bool) {
        let mut joined = std::mem::take(&mut self.carry);
        let bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            joined.as_slice()
        };
        let (text, rest) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, [].as_slice()),
            // The beginning of a character whose end comes with the next piece.
            Err(error) if error.error_len().is_none() => {
                let (text, rest) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(text).unwrap_or_default(), rest)
            }
            Err(_) => {
                self.state = State::Refused;
                return;
            }
        };
        let printable = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.state =
            if printable { State::Text(spoken || !text.trim().is_empty()) } else { State::Refused };
        self.carry = rest.to_vec();
    }
}

/// What a document is that is here whole.
pub fn of(bytes: &[u8]) -> Option<DocumentType> {
    let mut finder = TypeFinder::default();
    finder.take(bytes);
    finder.finish()
}

/// Markup would run in a browser, and a script in a shell.
fn starts_as_markup_or_script(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    head.starts_with(b"<") || head.starts_with(b"#!")
}

fn holds(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.windows(pattern.len()).any(|window| window == pattern)
}

const SIGNATURES: [(&[u8], State); 6] = [
    (b"%PDF-", State::Known(DocumentType::Pdf)),
    (b"{\\rtf", State::Known(DocumentType::Rtf)),
    (b"II*\0", State::Known(DocumentType::Tiff)),
    (b"MM\0*", State::Known(DocumentType::Tiff)),
    (b"PK\x03\x04", State::Package),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", State::Compound),
];
/// The main part of a Word document in a package (ECMA-376 part 1, 11.3.10).
const WORD_PART: &[u8] = b"word/document.xml";
/// The part that holds macros (MS-OFFMACRO2).
const MACROS_PART: &[u8] = b"vbaProject.bin";
/// Names within a compound file (UTF-16LE) that say it has macros, cannot be looked into, or is a
/// workbook or a presentation.
const COMPOUND_REFUSED: [&[u8]; 4] = [
    b"_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0",
    b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0",
    b"W\0o\0r\0k\0b\0o\0o\0k\0",
    b"P\0o\0w\0e\0r\0P\0o\0i\0n\0t\0 \0D\0o\0c\0u\0m\0e\0n\0t\0",
];
/// The longest of the patterns above, in bytes.
const PATTERN_BYTES_MAX: usize = 40;
/// How much is read before it is decided: more than any signature, and than white space in front
/// of markup usually is.
const HEAD_BYTES: usize = 512;

#[cfg(test)]
mod tests;
