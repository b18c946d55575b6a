//! Acknowledgements: what to answer to a message, and what an answer to ours says.
//!
//! Original mode (MSH-15 and MSH-16 empty): one `ACK` with AA, AE or AR. Enhanced mode (either is
//! there): CA, CE or CR as MSH-15 asks, then AA, AE or AR as MSH-16 asks (HL7 v2.8, 2.9). A code
//! says what is true: AA and CA only when the message was taken and is durable; AE and CE when we
//! failed and the sender should try again; AR and CR when it was refused and should not be sent
//! again as it is. After CE or CR no second answer follows.

use jiff::Timestamp;
use schemas::{Issue, Place};

/// What an answer needs to know of a message. Read leniently, so that even a message that cannot
/// be read is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    field: char,
    encoding: String,
    from: [String; 2],
    to: [String; 2],
    event: String,
    control_id: String,
    processing: String,
    version: String,
    accept: String,
    application: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Taken, or known already; durable.
    Taken,
    /// Not taken because of us: the sender should try again.
    Failed,
    /// Refused because of what it says or who sends it.
    Refused,
}

/// The code of an acknowledgement (table 0008).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Application accept.
    Aa,
    /// Application error: may be sent again.
    Ae,
    /// Application reject: not to be sent again as it is.
    Ar,
    /// Commit accept.
    Ca,
    /// Commit error.
    Ce,
    /// Commit reject.
    Cr,
}

/// What the answer to a message of ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The code.
    pub code: Code,
    /// Whether it is about the message that was sent (MSA-2 is its control id).
    pub matches: bool,
}

impl Code {
    /// The code as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aa => "AA",
            Self::Ae => "AE",
            Self::Ar => "AR",
            Self::Ca => "CA",
            Self::Ce => "CE",
            Self::Cr => "CR",
        }
    }

    /// What it says became of the message.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Aa | Self::Ca => Outcome::Taken,
            Self::Ae | Self::Ce => Outcome::Failed,
            Self::Ar | Self::Cr => Outcome::Refused,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Aa, Self::Ae, Self::Ar, Self::Ca, Self::Ce, Self::Cr];
        all.into_iter().find(|code| code.as_str() == text)
    }
}

impl Header {
    /// The header of a message; `None` when it does not begin with one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        let line = bytes.get(..end.min(HEADER_BYTES_MAX))?;
        let line = String::from_utf8_lossy(line);
        let field = line.strip_prefix("MSH")?.chars().next().filter(char::is_ascii_punctuation)?;
        let fields: Vec<&str> = line.split(field).collect();
        let text = |number: usize| {
            let text = fields.get(number - 1).copied().unwrap_or_default();
            text.chars().filter(|c| !c.is_control()).take(FIELD_CHARS_MAX).collect::<String>()
        };
        Some(Self {
            field,
            encoding: text(2),
            from: [text(3), text(4)],
            to: [text(5), text(6)],
            event: text(9),
            control_id: text(10),
            processing: text(11),
            version: text(12),
            accept: text(15).trim().to_owned(),
            application: text(16).trim().to_owned(),
        })
    }

    /// The control id (MSH-10), as it stands.
    pub fn control_id(&self) -> &str {
        &self.control_id
    }

    /// The message and event, when it is one of those that are read: safe for a log.
    pub fn event(&self) -> &'static str {
        let mut parts = self.event.split(self.component());
        let named = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let known = EVENTS.iter().find(|(kind, event, _)| (*kind, *event) == named);
        known.map_or("other", |(_, _, name)| name)
    }

    /// The codes to answer with, in order. Empty when the sender asked for no answer.
    pub fn answers(&self, outcome: Outcome) -> Vec<Code> {
        let (commit, application) = match outcome {
            Outcome::Taken => (Code::Ca, Code::Aa),
            Outcome::Failed => (Code::Ce, Code::Ae),
            Outcome::Refused => (Code::Cr, Code::Ar),
        };
        if self.accept.is_empty() && self.application.is_empty() {
            return vec![application];
        }
        let good = outcome == Outcome::Taken;
        let wanted = |condition: &str| match condition {
            "AL" => true,
            "ER" => !good,
            "SU" => good,
            // NE; and in enhanced mode an empty one asks for nothing.
            _ => false,
        };
        let mut codes = Vec::new();
        if wanted(&self.accept) {
            codes.push(commit);
        }
        if wanted(&self.application) && (good || codes.is_empty()) {
            codes.push(application);
        }
        codes
    }

    /// One acknowledgement. `control_id` is its own, fresh; errors among `issues` become ERR
    /// segments (one in versions before 2.5 for each, with its place). Holds no value of the
    /// message but what its header names itself by.
    pub fn acknowledge(
        &self,
        code: Code,
        control_id: &str,
        at: Timestamp,
        issues: &[Issue],
    ) -> Vec<u8> {
        let f = self.field;
        let c = self.component();
        let time = at.strftime("%Y%m%d%H%M%S+0000");
        let new = self.minor() >= 4;
        let event = self.event.split(c).nth(1).unwrap_or_default();
        let kind = match event {
            "" => "ACK".to_owned(),
            event if new => format!("ACK{c}{event}{c}ACK"),
            _ => "ACK".to_owned(),
        };
        let [application, facility] = &self.to;
        let [to_application, to_facility] = &self.from;
        let (processing, version) = (&self.processing, &self.version);
        let encoding = &self.encoding;
        let mut text = format!(
            "MSH{f}{encoding}{f}{application}{f}{facility}{f}{to_application}{f}{to_facility}{f}\
             {time}{f}{f}{kind}{f}{control_id}{f}{processing}{f}{version}\r\
             MSA{f}{}{f}{}\r",
            code.as_str(),
            self.control_id,
        );
        let errors = issues.iter().filter(|issue| issue.is_error()).take(ERRORS_MAX);
        for issue in errors.filter(|_| code.outcome() != Outcome::Taken) {
            text.push_str(&self.error(issue));
        }
        text.into_bytes()
    }

    fn error(&self, issue: &Issue) -> String {
        let (f, c) = (self.field, self.component());
        let sub = self.encoding.chars().nth(3).unwrap_or('&');
        let (number, meaning) = condition(issue);
        let location = match &issue.place {
            Place::Segment { name, nth, field: 0, .. } => format!("{name}{c}{nth}"),
            Place::Segment { name, nth, field, component: 0 } => {
                format!("{name}{c}{nth}{c}{field}")
            }
            // ERL counts repetitions between field and component.
            Place::Segment { name, nth, field, component } if self.minor() >= 5 => {
                format!("{name}{c}{nth}{c}{field}{c}1{c}{component}")
            }
            Place::Segment { name, nth, field, .. } => format!("{name}{c}{nth}{c}{field}"),
            Place::Whole
            | Place::Cell { .. }
            | Place::Row { .. }
            | Place::Text { .. }
            | Place::Sheet { .. } => String::new(),
        };
        if self.minor() < 5 {
            // ERR-1: segment, sequence, field, and the code with its meaning and ours.
            let pad = c.to_string().repeat(3_usize.saturating_sub(location.matches(c).count()));
            return format!("ERR{f}{location}{pad}{number}{sub}{}\r", self.safe(&issue.rule));
        }
        let (rule, words) =
            (self.safe(&issue.rule), self.safe(&format!("{}; {}", issue.message, issue.next)));
        format!(
            "ERR{f}{f}{location}{f}{number}{c}{meaning}{c}HL70357{f}E{f}{rule}{c}{words}{c}99EHC\r"
        )
    }

    /// Our own words between the sender's separators.
    fn safe(&self, text: &str) -> String {
        let separators: Vec<char> = self.encoding.chars().chain([self.field]).collect();
        let plain = text
            .chars()
            .map(|ch| if separators.contains(&ch) || ch.is_control() { ' ' } else { ch });
        plain.take(FIELD_CHARS_MAX).collect()
    }

    fn component(&self) -> char {
        self.encoding.chars().next().unwrap_or('^')
    }

    /// The minor version; 5 when it is not stated.
    fn minor(&self) -> u8 {
        let version = self.version.split(self.component()).next().unwrap_or_default();
        version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(5)
    }
}

/// A header to answer with when a message has none.
pub fn no_header() -> Header {
    Header {
        field: '|',
        encoding: "^~\\&".to_owned(),
        from: Default::default(),
        to: Default::default(),
        event: String::new(),
        control_id: String::new(),
        processing: "P".to_owned(),
        version: "2.5".to_owned(),
        accept: String::new(),
        application: String::new(),
    }
}

/// Reads the answer to a message whose control id is `sent`. `None` when it is no acknowledgement.
/// Its own header may say anything: one engine in use calls every answer `ACK`.
pub fn read(bytes: &[u8], sent: &str) -> Option<Acknowledgement> {
    let header = Header::of(bytes)?;
    let text = String::from_utf8_lossy(bytes);
    let mut segments = text.split(['\r', '\n']).filter(|line| !line.is_empty());
    let said = segments.find(|line| line.starts_with("MSA"))?;
    let mut fields = said.split(header.field).skip(1);
    let code = Code::parse(fields.next()?.trim())?;
    let matches = fields.next().is_some_and(|about| about.trim() == sent);
    Some(Acknowledgement { code, matches })
}

/// The HL7 condition that is nearest to one of our rules (table 0357), and its meaning.
fn condition(issue: &Issue) -> (u16, &'static str) {
    match issue.rule.as_str() {
        "missing" | "subject-identifier-missing" | "hl7-parent-missing" | "hl7-control-id" => {
            (101, "Required field missing")
        }
        "hl7-no-person" | "hl7-no-document-header" | "hl7-no-report" | "hl7-segment" => {
            (100, "Segment sequence error")
        }
        "hl7-base64"
        | "date-impossible"
        | "identifier-length"
        | "identifier-characters"
        | "identifier-check-digit"
        | "too-long" => (102, "Data type error"),
        "code-unknown" => (103, "Table value not found"),
        "hl7-event" => (200, "Unsupported message type"),
        "document-cancelled" | "document-not-in-message" => (201, "Unsupported event code"),
        "hl7-processing-id" => (202, "Unsupported processing id"),
        "hl7-version" => (203, "Unsupported version id"),
        "leg-unknown" | "leg-not-found" | "identity-mismatch" => (204, "Unknown key identifier"),
        "id-reused" | "control-id-reused" => (205, "Duplicate key identifier"),
        _ => (207, "Application internal error"),
    }
}

/// What a log may call a message.
const EVENTS: [(&str, &str, &str); 12] = [
    ("MDM", "T01", "MDM^T01"),
    ("MDM", "T02", "MDM^T02"),
    ("MDM", "T03", "MDM^T03"),
    ("MDM", "T04", "MDM^T04"),
    ("MDM", "T05", "MDM^T05"),
    ("MDM", "T06", "MDM^T06"),
    ("MDM", "T07", "MDM^T07"),
    ("MDM", "T08", "MDM^T08"),
    ("MDM", "T09", "MDM^T09"),
    ("MDM", "T10", "MDM^T10"),
    ("MDM", "T11", "MDM^T11"),
    ("ORU", "R01", "ORU^R01"),
];
/// As much of a header as is looked at, in bytes: its fields are short.
const HEADER_BYTES_MAX: usize = 4_096;
/// As much of one field as is written back.
const FIELD_CHARS_MAX: usize = 250;
/// The most ERR segments of one answer.
const ERRORS_MAX: usize = 20;
