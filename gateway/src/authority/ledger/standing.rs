//! Whether agreement can be relied on today, for this purpose and this recipient.
//!
//! Owns the order in which its limits are looked at: who said what, from when and until when,
//! for what and to whom, and whether whoever gave it still decides.

use schemas::OrganisationCode;
use schemas::catalogue::DataClass;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

use super::{History, Ledger, is_parental};
use crate::authority::ConsentEntry;

/// Whether consent can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::authority) enum Standing {
    Valid,
    Missing,
    Refused,
    Withdrawn,
    NotBegun,
    Expired,
    OtherPurpose,
    /// It names recipients, and this is none of them.
    OtherRecipient,
    /// It names classes of data, and one that the recipient cannot do without is not among them.
    OtherClasses,
    /// Given by somebody who no longer decides.
    Stale,
    /// Given by one person with parental responsibility while another objects, as far as the
    /// ledger can tell.
    Disputed,
    /// Given by a child as competent, or by an alternative person, without the assessment on
    /// record on which that rests.
    CapacityNotRecorded,
}

/// What consent is asked to cover.
#[derive(Debug, Clone, Copy)]
pub(in crate::authority) struct Ask<'a> {
    pub(in crate::authority) kind: ConsentKind,
    pub(in crate::authority) purposes: &'a [String],
    pub(in crate::authority) recipient: &'a OrganisationCode,
    /// The classes without which the message is of no use.
    pub(in crate::authority) needs: &'a std::collections::BTreeSet<DataClass>,
}

impl Standing {
    /// Every one.
    pub(in crate::authority) const ALL: [Self; 12] = [
        Self::Valid,
        Self::Missing,
        Self::Refused,
        Self::Withdrawn,
        Self::NotBegun,
        Self::Expired,
        Self::OtherPurpose,
        Self::OtherRecipient,
        Self::OtherClasses,
        Self::Stale,
        Self::Disputed,
        Self::CapacityNotRecorded,
    ];

    /// What it means, for people.
    pub(in crate::authority) fn in_words(self) -> &'static str {
        match self {
            Self::Valid => "valid today, and covers this",
            Self::Missing => "no agreement",
            Self::Refused => "a refusal",
            Self::Withdrawn => "a withdrawal",
            Self::NotBegun => "dated in the future",
            Self::Expired => "agreement that has expired",
            Self::OtherPurpose => "agreement for another purpose",
            Self::OtherRecipient => "agreement for other recipients",
            Self::OtherClasses => "agreement for other classes of data",
            Self::Stale => "agreement by somebody who no longer decides",
            Self::Disputed => "disputed between people with parental responsibility",
            Self::CapacityNotRecorded => "agreement without the assessment it rests on",
        }
    }
}

impl<'a> Ledger<'a> {
    /// Whether consent of this kind covers what is asked today.
    pub(in crate::authority) fn standing(&self, ask: &Ask<'_>) -> Standing {
        let voice = self.of(ask.kind).voice();
        let Some(entry) = voice.newest() else { return Standing::Missing };
        match entry.status {
            ConsentStatus::Given => self.covers(voice, entry, ask),
            ConsentStatus::Withdrawn => Standing::Withdrawn,
            ConsentStatus::Refused => self.refused(voice, ask),
            ConsentStatus::NotRecorded
            | ConsentStatus::Expired
            | ConsentStatus::Stale
            | ConsentStatus::Restricted
            | ConsentStatus::Lifted => Standing::Missing,
        }
    }

    /// The classes that the agreement relied on covers; none means all.
    pub(in crate::authority) fn scope(&self, kind: ConsentKind) -> &'a [DataClass] {
        self.of(kind).voice().given.map(|entry| &*entry.classes).unwrap_or_default()
    }

    /// A refusal while another person with parental responsibility agrees is a disagreement
    /// (Children Act 1989, section 2(7): each may act alone, but an objection goes to a person).
    fn refused(&self, voice: &History<'a>, ask: &Ask<'_>) -> Standing {
        let refusal =
            |entry: &ConsentEntry| entry.status == ConsentStatus::Refused && is_parental(entry);
        let only_refusals = voice.stops.entries().all(|(_, entry)| refusal(entry));
        let agreed = voice.given.filter(|entry| is_parental(entry));
        let disputed = only_refusals
            && agreed.is_some_and(|entry| self.covers(voice, entry, ask) == Standing::Valid);
        if disputed { Standing::Disputed } else { Standing::Refused }
    }

    fn covers(&self, voice: &History<'a>, entry: &ConsentEntry, ask: &Ask<'_>) -> Standing {
        let today = self.today;
        let same = |covered: &String| {
            ask.purposes.iter().any(|purpose| covered.trim().eq_ignore_ascii_case(purpose))
        };
        // Whoever agrees to share agrees to say whom it is about.
        let in_scope = |class| class == DataClass::Identity || entry.classes.contains(&class);
        if entry.decided_on.is_some_and(|day| today < day) {
            Standing::NotBegun
        } else if entry.expires_on.is_some_and(|day| day < today)
            || voice.lapsed.is_some_and(|one| one.status == ConsentStatus::Expired)
        {
            Standing::Expired
        } else if !entry.purposes.is_empty() && !entry.purposes.iter().any(same) {
            Standing::OtherPurpose
        } else if !entry.recipients.is_empty() && !entry.recipients.contains(ask.recipient) {
            Standing::OtherRecipient
        } else if !entry.classes.is_empty() && !ask.needs.iter().copied().all(in_scope) {
            Standing::OtherClasses
        } else if voice.lapsed.is_some() || self.is_stale(entry) {
            Standing::Stale
        } else if lacks_assessment(entry) {
            Standing::CapacityNotRecorded
        } else if is_parental(entry) && voice.objected {
            Standing::Disputed
        } else {
            Standing::Valid
        }
    }

    /// Whether agreement was given by somebody who decided then and does not now. At the end of
    /// compulsory school age the young person decides. Agreement whose giver is not recorded
    /// cannot be shown to be the young person's own.
    fn is_stale(&self, given: &ConsentEntry) -> bool {
        self.has_passed()
            && match given.given_by {
                None | Some(DecisionMaker::Parent | DecisionMaker::LocalAuthority) => true,
                Some(
                    DecisionMaker::YoungPerson
                    | DecisionMaker::AlternativePerson
                    | DecisionMaker::CompetentChild,
                ) => false,
            }
    }
}

/// Whether agreement rests on an assessment that is not on record. A child under 16 decides when
/// competent (Gillick); an alternative person decides when the young person lacks capacity for
/// this decision (SEND Regulations 2014, regulations 63 to 65; Mental Capacity Act 2005, section
/// 2): capacity is specific to decision and time, so when it was assessed must be recorded.
fn lacks_assessment(given: &ConsentEntry) -> bool {
    match given.given_by {
        Some(DecisionMaker::CompetentChild | DecisionMaker::AlternativePerson) => {
            given.assessed_on.is_none()
        }
        None
        | Some(
            DecisionMaker::Parent | DecisionMaker::YoungPerson | DecisionMaker::LocalAuthority,
        ) => false,
    }
}
