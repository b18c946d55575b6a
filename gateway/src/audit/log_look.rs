//! What somebody looked at in the log: the codes of `audit.viewed`, each with its words.
//!
//! Every such entry is begun here, so that no code can come up that has no words. Fetching entries one
//! page or tile after another has no code: the entry says which.

use super::{Actor, Event, EventKind};

/// What was looked at in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLook {
    /// Who has seen a child's record.
    WhoHasSeen,
    /// Entries by who, what, when and why.
    Search,
    /// A report.
    Report,
    /// A report was handed over as files.
    ReportExport,
    /// Which entry vouches for a file.
    ReportCheck,
    /// What is held about a child, to be disclosed.
    DisclosurePack,
    /// That was handed over.
    DisclosurePackMade,
    /// Entries were handed over as a file.
    Export,
    /// Whether the log is whole.
    Verify,
    /// The log was written out as static files.
    Publish,
    /// What other rules would have decided.
    Rehearsal,
    /// What destroying a year's look-up would do.
    LookUp,
    /// Which of some users have which pseudonyms.
    WhoIs,
}

impl LogLook {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::WhoHasSeen,
        Self::Search,
        Self::Report,
        Self::ReportExport,
        Self::ReportCheck,
        Self::DisclosurePack,
        Self::DisclosurePackMade,
        Self::Export,
        Self::Verify,
        Self::Publish,
        Self::Rehearsal,
        Self::LookUp,
        Self::WhoIs,
    ];

    /// Its code in the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::WhoHasSeen => "who-has-seen",
            Self::Search => "search",
            Self::Report => "report",
            Self::ReportExport => "report-export",
            Self::ReportCheck => "report-check",
            Self::DisclosurePack => "disclosure-pack",
            Self::DisclosurePackMade => "disclosure-pack-made",
            Self::Export => "export",
            Self::Verify => "verify",
            Self::Publish => "publish",
            Self::Rehearsal => "rehearsal",
            Self::LookUp => "look-up",
            Self::WhoIs => "who-is",
        }
    }

    /// From its code; `None` for one of another version of this program.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|look| look.code() == code)
    }

    /// What whoever looked did, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::WhoHasSeen => "asked who has seen the record",
            Self::Search => "searched the log",
            Self::Report => "asked for a report",
            Self::ReportExport => "took out a report as files",
            Self::ReportCheck => "checked whether a file is a report that was taken out",
            Self::DisclosurePack => "asked for a disclosure pack",
            Self::DisclosurePackMade => "took out a disclosure pack",
            Self::Export => "took out entries of the log as a file",
            Self::Verify => "checked that the log is whole",
            Self::Publish => "wrote the log out for others to check",
            Self::Rehearsal => "tried other sharing rules on past decisions",
            Self::LookUp => "asked what would go if a year's look-up were destroyed",
            Self::WhoIs => "asked which users have which pseudonyms",
        }
    }

    /// The event of such a look.
    pub fn event(self, actor: Actor) -> Event {
        Event::new(EventKind::AuditViewed, actor).with(WHAT, self.code())
    }
}

/// The detail of an entry that has the code.
pub const WHAT: &str = "what";

#[cfg(test)]
mod tests;
