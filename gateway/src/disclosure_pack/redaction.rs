//! What a person must go through before anything is given away: a list to be worked, by record and
//! class of data. Pure. It decides nothing, and a line may come to nothing.

use schemas::MessageType;
use schemas::catalogue::{Catalogue, DataClass};
use schemas::record::Restriction;

use super::{is_accepted, is_unsafe_address};
use crate::audit::{Entry, SubjectKey};
use crate::authority::ConsentEntry;
use crate::reports::{Cell, Kind, Sheet, entry_time};

/// One thing to look for.
struct Check {
    code: &'static str,
    /// The classes of data it may be in; none means the message as a whole.
    classes: &'static [DataClass],
    look_for: &'static str,
    provision: &'static str,
    who: &'static str,
}

/// What there is to go through, by record and class.
pub(super) fn list(
    entries: &[&Entry],
    ledger: &[ConsentEntry],
    subject: SubjectKey,
    restricted: bool,
) -> Sheet {
    let mut sheet = Sheet::new(TITLE, &COLUMNS);
    let recorded = |which: Restriction| ledger.iter().any(|e| e.restriction == Some(which));
    for entry in entries.iter().filter(|entry| is_accepted(entry)) {
        let Some(kind) = entry.event.message_type else { continue };
        let mut checks: Vec<&Check> = ALWAYS.iter().collect();
        checks.extend(ON_RECORD.iter().filter(|(which, _)| recorded(*which)).map(|(_, c)| c));
        if restricted && !recorded(Restriction::ProtectedAddress) {
            checks.extend([&UNSAFE_ADDRESS]);
        }
        checks.extend(
            OF_TYPES.iter().filter(|(of, _)| kind.as_str().starts_with(of)).map(|(_, c)| c),
        );
        if is_unsafe_address(kind) {
            checks.extend([&UNSAFE_ADDRESS]);
        }
        if entry.event.subject != Some(subject) {
            checks.extend([&MERGED]);
        }
        checks.sort_by_key(|check| check.code);
        checks.dedup_by_key(|check| check.code);
        let classes = classes(kind);
        for check in checks {
            sheet.rows.extend(rows(entry, kind, check, &classes));
        }
    }
    sheet
}

/// The classes of data that a message of a type may hold.
fn classes(kind: MessageType) -> Vec<DataClass> {
    let entry = Catalogue::built_in().find(kind.as_str());
    entry.map(|entry| entry.data_classes.iter().copied().collect()).unwrap_or_default()
}

/// A line for each class that a check is about and the message may hold; one for the whole message
/// where a check is about that.
fn rows(entry: &Entry, kind: MessageType, check: &Check, held: &[DataClass]) -> Vec<Vec<Cell>> {
    let of = |class: &str| -> Vec<Cell> {
        let mut row: Vec<Cell> = vec![
            entry.event.record.map(|record| record.to_string()).into(),
            kind.as_str().into(),
            entry_time(entry),
            entry.event.actor.organisation.clone().into(),
            class.into(),
            check.code.into(),
            check.look_for.into(),
            check.provision.into(),
            check.who.into(),
        ];
        row.extend([Cell::Nothing, Cell::Nothing, Cell::Nothing]);
        row
    };
    if check.classes.is_empty() {
        return vec![of("all of it")];
    }
    check
        .classes
        .iter()
        .filter(|class| held.contains(class))
        .map(|class| of(class.as_str()))
        .collect()
}

const WORDS: &[DataClass] =
    &[DataClass::Education, DataClass::Health, DataClass::SocialCare, DataClass::Documents];

/// What is gone through in every message.
const ALWAYS: [Check; 6] = [
    Check {
        code: "third-parties",
        classes: &[
            DataClass::Contact,
            DataClass::Education,
            DataClass::Health,
            DataClass::SocialCare,
            DataClass::Consent,
            DataClass::Documents,
        ],
        look_for: "Information about or from other people: parents, carers, brothers and sisters, neighbours, whoever raised a concern.",
        provision: "Data Protection Act 2018, Schedule 2, paragraph 16",
        who: "information governance",
    },
    Check {
        code: "practitioners",
        classes: WORDS,
        look_for: "Names of staff. Health, social care and education workers who acted as such are normally told; others are third parties.",
        provision: "Data Protection Act 2018, Schedule 2, paragraph 17",
        who: "information governance",
    },
    Check {
        code: "serious-harm-health",
        classes: &[DataClass::Health, DataClass::Documents],
        look_for: "Health data that would be likely to cause serious harm to the health of anybody. Ask the appropriate health professional before telling or withholding.",
        provision: "Data Protection Act 2018, Schedule 3, paragraphs 5 and 6",
        who: "the appropriate health professional",
    },
    Check {
        code: "serious-harm-social-care",
        classes: &[DataClass::SocialCare, DataClass::Documents],
        look_for: "Social work data that would be likely to prejudice that work because of serious harm to anybody.",
        provision: "Data Protection Act 2018, Schedule 3, paragraph 11",
        who: "the social work lead",
    },
    Check {
        code: "serious-harm-education",
        classes: &[DataClass::Education, DataClass::Documents],
        look_for: "Education data that would be likely to cause serious harm to the health of anybody.",
        provision: "Data Protection Act 2018, Schedule 3, paragraph 19",
        who: "information governance, with the setting",
    },
    Check {
        code: "child-abuse",
        classes: WORDS,
        look_for: "Whether the child is or was at risk of abuse, when somebody else asks for them: not where it is against the child's interests.",
        provision: "Data Protection Act 2018, Schedule 3, paragraph 21",
        who: "the safeguarding lead",
    },
];

/// What is gone through where a restriction is or was recorded.
const ON_RECORD: [(Restriction, Check); 5] = [
    (Restriction::ProtectedAddress, UNSAFE_ADDRESS),
    (
        Restriction::ThirdParty,
        Check {
            code: "recorded-third-party",
            classes: &[],
            look_for: "It is on record that there is information about somebody else in what was shared.",
            provision: "Data Protection Act 2018, Schedule 2, paragraph 16",
            who: "information governance",
        },
    ),
    (
        Restriction::Adoption,
        Check {
            code: "adoption",
            classes: &[],
            look_for: "Anything that tells of an adoption, or ties together records from before and after one.",
            provision: "Data Protection Act 2018, Schedule 4, paragraph 3",
            who: "the adoption lead, with the Caldicott guardian",
        },
    ),
    (
        Restriction::Sealed,
        Check {
            code: "sealed-items",
            classes: &[],
            look_for: "Items that were recorded as sealed.",
            provision: "the decision that sealed them",
            who: "the Caldicott guardian",
        },
    ),
    (
        Restriction::CourtLimits,
        Check {
            code: "court-limits",
            classes: &[],
            look_for: "What a court has said may not be disclosed.",
            provision: "the order itself",
            who: "legal services",
        },
    ),
];

const UNSAFE_ADDRESS: Check = Check {
    code: "protected-address",
    classes: &[],
    look_for: "The address, and whatever tells where the child lives or is treated: school, surgery, hospital, names of services.",
    provision: "UK GDPR, Article 5(1)(f); Data Protection Act 2018, Schedule 3 (serious harm)",
    who: "the Caldicott guardian",
};

const MERGED: Check = Check {
    code: "joined-record",
    classes: &[],
    look_for: "This stands under another number or id that was recorded to mean the same person. Is it, and may the two be told together?",
    provision: "UK GDPR, Article 5(1)(d) and (f)",
    who: "information governance",
};

/// What is gone through in some types of message, by how their names begin.
const OF_TYPES: [(&str, Check); 4] = [
    (
        "plan.",
        Check {
            code: "plan-disclosure",
            classes: &[],
            look_for: "An EHC plan may be disclosed without the child's or young person's consent only for the purposes that are listed.",
            provision: "SEND Regulations 2014, regulation 17; Data Protection Act 2018, Schedule 4, paragraph 4",
            who: "the SEND manager",
        },
    ),
    (
        "safeguarding.",
        Check {
            code: "safeguarding-concern",
            classes: &[],
            look_for: "That a concern was raised, and by whom.",
            provision: "Data Protection Act 2018, Schedule 2, paragraphs 2 and 16; Schedule 3, paragraph 21",
            who: "the safeguarding lead",
        },
    ),
    (
        "tribunal.",
        Check {
            code: "legal-privilege",
            classes: &[],
            look_for: "Advice of lawyers, and what was written for an appeal.",
            provision: "Data Protection Act 2018, Schedule 2, paragraph 19",
            who: "legal services",
        },
    ),
    (
        "person.",
        Check {
            code: "identity-events",
            classes: &[],
            look_for: "That records were matched or merged, or that somebody has died, where that tells of somebody else.",
            provision: "Data Protection Act 2018, Schedule 2, paragraph 16",
            who: "information governance",
        },
    ),
];

const COLUMNS: [(&str, Kind); 12] = [
    ("record", Kind::Text),
    ("message type", Kind::Text),
    ("accepted (London)", Kind::Time),
    ("ask for it at", Kind::Text),
    ("data", Kind::Text),
    ("check", Kind::Text),
    ("look for", Kind::Text),
    ("provision", Kind::Text),
    ("who decides", Kind::Text),
    ("decided by", Kind::Text),
    ("decided on", Kind::Text),
    ("what was left out", Kind::Text),
];

/// The title of the list.
pub(super) const TITLE: &str = "To redact";
