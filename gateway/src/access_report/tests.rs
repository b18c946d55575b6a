use std::collections::BTreeMap;

use schemas::{MessageType, OrganisationCode, RecordId};
use uuid::Uuid;

use super::family;
use super::reading::{Sort, account, sort};
use super::*;
use crate::audit::alias::{self, Period};
use crate::audit::bundle::Base64Hash;
use crate::audit::{DecisionNote, EventKind, purpose::Purpose};
use crate::queue::DeliveryId;

const SUBJECT: SubjectKey = SubjectKey([1; 32]);

/// Every kind of entry that names a person, a record or a delivery anywhere in this program, and
/// what it is to somebody who asks who has seen a record.
const CONCERNING: [(EventKind, Sort); 35] = [
    (EventKind::RecordAccepted, Sort::Other),
    (EventKind::RecordTakenBack, Sort::Other),
    (EventKind::RecordQuarantined, Sort::NotGiven),
    (EventKind::SharingDecided, Sort::NotGiven),
    (EventKind::DeliveryCollected, Sort::Given),
    (EventKind::DeliveryAttempted, Sort::Given),
    (EventKind::DeliveryDelivered, Sort::Other),
    (EventKind::DeliveryDeferred, Sort::Other),
    (EventKind::DeliveryFailed, Sort::NotGiven),
    (EventKind::DeliveryUnknown, Sort::Other),
    (EventKind::DeliveryWithdrawn, Sort::NotGiven),
    (EventKind::DeliveryHeld, Sort::NotGiven),
    (EventKind::DeliveryRecalled, Sort::Other),
    (EventKind::DeliveryAcknowledged, Sort::Other),
    (EventKind::DeliveryResent, Sort::Looked),
    (EventKind::HoldDecided, Sort::Looked),
    (EventKind::HoldAsked, Sort::Looked),
    (EventKind::HoldAnswered, Sort::Looked),
    (EventKind::HoldViewed, Sort::Looked),
    (EventKind::HoldBroken, Sort::Looked),
    (EventKind::ReviewClosed, Sort::Looked),
    (EventKind::LegChanged, Sort::Other),
    (EventKind::LegReminded, Sort::Other),
    (EventKind::ClockChanged, Sort::Other),
    (EventKind::EvidenceMade, Sort::Looked),
    (EventKind::ConsentRecorded, Sort::Other),
    (EventKind::ConsentViewed, Sort::Looked),
    (EventKind::ConsentNotTold, Sort::NotGiven),
    (EventKind::ConsentPreviewed, Sort::Looked),
    (EventKind::IdentityRecorded, Sort::Other),
    (EventKind::CaseViewed, Sort::Looked),
    (EventKind::TransitionsViewed, Sort::Looked),
    (EventKind::JourneyViewed, Sort::Looked),
    (EventKind::BoardViewed, Sort::Looked),
    (EventKind::AuditViewed, Sort::Looked),
];

fn code(text: &str) -> OrganisationCode {
    OrganisationCode::parse(text).unwrap()
}

fn actor(organisation: &str) -> Actor {
    Actor { organisation: organisation.to_owned(), ..Actor::gateway() }
}

fn note(outcome: &str, authority: &str) -> DecisionNote {
    DecisionNote {
        outcome: outcome.to_owned(),
        authority: Some(authority.to_owned()),
        reference: Some("the provision".to_owned()),
        rule: "a-rule".to_owned(),
        rule_version: "authority-1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: BTreeMap::from([("contact".to_owned(), "protected-address".to_owned())]),
        reason: "A sentence that says why.".to_owned(),
    }
}

/// A log that is written newest last and read newest first.
#[derive(Default)]
struct Log(Vec<Entry>);

impl Log {
    fn say(&mut self, kind: EventKind, change: impl FnOnce(&mut Event)) {
        let mut event = Event::new(kind, actor("334"));
        event.subject = Some(SUBJECT);
        change(&mut event);
        let seq = u64::try_from(self.0.len()).unwrap();
        // 31 March 2026, 23:30 UTC: the next day in London, where summer time holds.
        let at_us = 1_775_000_000_000_000 - 1_800_000_000 + i64::try_from(seq).unwrap() * 1000;
        self.0.push(Entry { seq, at_us, id: Uuid::nil(), event });
    }

    /// Something of a type that goes to an organisation, by an authority.
    fn gave(&mut self, number: u128, kind: MessageType, authority: &str) {
        self.gave_to("RXT", number, kind, authority);
    }

    fn gave_to(&mut self, to: &str, number: u128, kind: MessageType, authority: &str) {
        self.say(EventKind::DeliveryCollected, |event| {
            event.actor = actor(to);
            event.record = Some(RecordId(Uuid::from_u128(number)));
            event.delivery = Some(DeliveryId(Uuid::from_u128(number)));
            event.message_type = Some(kind);
            event.counterparty = Some(code(to));
            event.decision = Some(note("release", authority));
        });
    }

    /// That an organisation sent a record.
    fn sent(&mut self, by: &str, number: u128, kind: MessageType) {
        self.say(EventKind::RecordAccepted, |event| {
            event.actor = actor(by);
            event.record = Some(RecordId(Uuid::from_u128(number)));
            event.message_type = Some(kind);
        });
    }

    /// A look of every kind that may ever be told, at a record and its delivery where it is at one.
    fn looked(&mut self, by: &str, number: u128) {
        for kind in [
            EventKind::CaseViewed,
            EventKind::ConsentViewed,
            EventKind::TransitionsViewed,
            EventKind::AuditViewed,
            EventKind::JourneyViewed,
            EventKind::EvidenceMade,
        ] {
            self.say(kind, |event| {
                event.actor = actor(by);
                if matches!(kind, EventKind::JourneyViewed | EventKind::EvidenceMade) {
                    event.record = Some(RecordId(Uuid::from_u128(number)));
                    event.delivery = Some(DeliveryId(Uuid::from_u128(number)));
                }
            });
        }
    }

    fn newest_first(&self) -> Vec<Entry> {
        self.0.iter().rev().cloned().collect()
    }
}

fn question() -> Question {
    Question { subject: SUBJECT, reason: Reason::Complaint, from: None, until: None }
}

fn names(code: &str) -> String {
    format!("Name of {code}")
}

/// 334 and 301 are local authorities.
fn told(log: &Log, question: &Question) -> Result<Vec<FamilyLine>, Unsafe> {
    family::lines(&log.newest_first(), question, &names, &|code| ["334", "301"].contains(&code))
}

fn family_of(log: &Log) -> Vec<FamilyLine> {
    told(log, &question()).unwrap()
}

#[test]
fn every_entry_about_a_person_is_a_line_or_is_counted() {
    let mut log = Log::default();
    for (kind, _) in CONCERNING {
        log.say(kind, |event| {
            event.record = Some(RecordId(Uuid::from_u128(1)));
            if kind == EventKind::SharingDecided {
                event.decision = Some(note("refuse", "consent"));
            }
        });
    }
    for (entry, (kind, expected)) in log.0.iter().zip(CONCERNING) {
        assert_eq!(sort(&entry.event), expected, "{kind:?}");
    }
    let account = account(&log.newest_first(), &question(), &names);
    let of = |wanted| CONCERNING.iter().filter(|(_, sort)| *sort == wanted).count();
    assert_eq!(account.seen.len(), of(Sort::Given) + of(Sort::Looked));
    assert_eq!(account.not_given.len(), of(Sort::NotGiven));
    let counted: u64 = account.other_entries.values().sum();
    assert_eq!(counted, u64::try_from(of(Sort::Other)).unwrap());
    assert!(account.seen.is_sorted_by(|one, next| one.entry > next.entry), "newest first");
}

#[test]
fn a_release_says_what_went_what_was_cut_to_whom_and_why() {
    let mut log = Log::default();
    log.gave(1, MessageType::AdviceRequest, "statute");
    let account = account(&log.newest_first(), &question(), &names);
    let line = &account.seen[0];
    assert_eq!(line.what, "fetched \"Request for advice and information\" (advice.request)");
    assert_eq!(line.organisation_name, "Name of RXT");
    assert_eq!(line.authority.as_deref(), Some("statute"));
    assert_eq!(line.why, "A sentence that says why. (the provision)");
    assert!(line.classes.contains(&"education".to_owned()));
    assert!(!line.classes.contains(&"contact".to_owned()), "it was cut");
    assert_eq!(line.cut["contact"], "protected-address");
    assert_eq!(line.when, "2026-04-01 00:03", "by London's clocks");
    let of_rxt = &account.organisations[0];
    assert_eq!((of_rxt.given, of_rxt.looks, of_rxt.not_given), (1, 0, 0));
}

#[test]
fn each_attempt_has_its_own_outcome_and_a_failure_after_one_is_no_second_line() {
    let mut log = Log::default();
    let delivery = Some(DeliveryId(Uuid::from_u128(5)));
    for kind in [
        EventKind::DeliveryAttempted,
        EventKind::DeliveryDeferred,
        EventKind::DeliveryAttempted,
        EventKind::DeliveryFailed,
        EventKind::DeliveryAttempted,
    ] {
        log.say(kind, |event| event.delivery = delivery);
    }
    let account = account(&log.newest_first(), &question(), &names);
    let outcomes: Vec<_> = account.seen.iter().map(|line| line.outcome.unwrap()).collect();
    assert_eq!(
        outcomes,
        [
            "no answer is recorded: it may have arrived",
            "refused by the recipient's system, or given up",
            "not known to have arrived; tried again",
        ]
    );
    assert!(account.not_given.is_empty(), "{:?}", account.not_given);
}

#[test]
fn only_the_days_that_are_asked_about_have_lines_by_londons_days() {
    let mut log = Log::default();
    log.gave(1, MessageType::AdviceRequest, "statute");
    let day = |day| jiff::civil::date(2026, 4, 1).saturating_add(jiff::Span::new().days(day));
    for (from, until, lines) in [
        (Some(day(0)), Some(day(0)), 1),
        (None, Some(day(-1)), 0),
        (Some(day(1)), None, 0),
        (None, None, 1),
    ] {
        let question = Question { from, until, ..question() };
        assert_eq!(account(&log.newest_first(), &question, &names).seen.len(), lines);
        assert_eq!(told(&log, &question).unwrap().len(), lines);
    }
}

#[test]
fn a_family_is_told_organisations_by_name_in_plain_words() {
    let mut log = Log::default();
    log.sent("334", 1, MessageType::AdviceRequest);
    log.gave(1, MessageType::AdviceRequest, "statute");
    log.say(EventKind::JourneyViewed, |event| {
        event.record = Some(RecordId(Uuid::from_u128(1)));
        event.actor.person = Some("abcdef0123456789".to_owned());
        event.actor.role = Some("send-officer".to_owned());
    });
    let lines = family_of(&log);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1].what, "was given: Request for advice and information");
    assert_eq!(lines[1].why, "The law about special educational needs asks for this or allows it.");
    let text = serde_json::to_string(&lines).unwrap();
    for secret in ["abcdef", "send-officer", "a-rule", "protected", "contact", "A sentence"] {
        assert!(!text.contains(secret), "{secret} is told: {text}");
    }
}

#[test]
fn a_family_is_not_told_that_something_was_given_that_only_was_tried() {
    let mut log = Log::default();
    let mut push = |kind: EventKind| {
        log.say(kind, |event| {
            event.delivery = Some(DeliveryId(Uuid::from_u128(5)));
            event.record = Some(RecordId(Uuid::from_u128(5)));
            event.message_type = Some(MessageType::AdviceRequest);
            event.counterparty = Some(code("RYW"));
            event.decision = Some(note("release", "statute"));
        });
    };
    push(EventKind::DeliveryAttempted);
    push(EventKind::DeliveryDeferred);
    let whats = |log: &Log| family_of(log).into_iter().map(|line| line.what).collect::<Vec<_>>();
    let title = "Request for advice and information";
    assert_eq!(whats(&log), [format!("was sent, and may have received: {title}")]);
    let mut push = |kind: EventKind| {
        let last = log.0.last().unwrap().event.clone();
        log.say(kind, |event| *event = Event { kind, ..last });
    };
    push(EventKind::DeliveryAttempted);
    push(EventKind::DeliveryDelivered);
    assert_eq!(whats(&log), [format!("was given: {title}")]);
}

#[test]
fn what_a_family_must_not_be_told_leaves_no_trace() {
    let mut plain = Log::default();
    plain.gave(1, MessageType::AdviceRequest, "statute");
    let mut full = Log::default();
    full.gave(1, MessageType::AdviceRequest, "statute");
    // Safeguarding, identity, agreement; overrides; something held, looked at and broken.
    full.gave(2, MessageType::SafeguardingAlertLink, "statute");
    full.gave(3, MessageType::PersonMerge, "statute");
    full.gave(4, MessageType::ConsentRestriction, "statute");
    full.gave(5, MessageType::PlanFinal, "safeguarding-override");
    full.gave(6, MessageType::PlanFinal, "best-interests");
    full.gave(7, MessageType::PlanFinal, "court-or-tribunal");
    full.gave(8, MessageType::PlanFinal, "statute");
    for kind in [
        EventKind::HoldBroken,
        EventKind::DeliveryHeld,
        EventKind::SharingDecided,
        EventKind::HoldViewed,
        EventKind::HoldDecided,
        EventKind::JourneyViewed,
        EventKind::EvidenceMade,
        EventKind::ConsentPreviewed,
        EventKind::DeliveryWithdrawn,
        EventKind::IdentityRecorded,
        EventKind::QuarantineViewed,
    ] {
        full.say(kind, |event| {
            event.record = Some(RecordId(Uuid::from_u128(8)));
            event.delivery = Some(DeliveryId(Uuid::from_u128(8)));
            event.decision = Some(note("hold", "statute"));
        });
    }
    // Whoever was given something on an override looks, and whoever sent what is not told; the one
    // has had something of the same record, the other is an authority.
    full.gave_to("RYY", 10, MessageType::AdviceRequest, "safeguarding-override");
    full.looked("RYY", 10);
    full.gave_to("RYY", 1, MessageType::AdviceRequest, "safeguarding-override");
    full.looked("RYY", 1);
    full.sent("301", 11, MessageType::SafeguardingAlertLink);
    full.looked("301", 11);
    full.looked("301", 1);
    // Whoever may be told has looked at what may not: at another's leg of a record that may be told.
    full.gave_to("RYY", 12, MessageType::TransitionHealthPlan, "best-interests");
    full.say(EventKind::EvidenceMade, |event| {
        event.actor = actor("RXT");
        event.record = Some(RecordId(Uuid::from_u128(1)));
        event.delivery = Some(DeliveryId(Uuid::from_u128(12)));
    });
    full.say(EventKind::TransitionsViewed, |event| event.actor = actor("RXT"));
    full.say(EventKind::ConsentViewed, |event| event.actor = actor("RXT"));
    // Asked in vain, by anybody.
    for who in ["301", "RXT", "334"] {
        full.say(EventKind::ConsentNotTold, |event| event.actor = actor(who));
    }
    // What stands under the name of before an adoption.
    full.gave(9, MessageType::AdviceRequest, "statute");
    full.0.last_mut().unwrap().event.subject = Some(SubjectKey([2; 32]));
    assert_eq!(family_of(&full), family_of(&plain));

    // Where nothing at all may be told, nobody looked at anything but the log.
    let mut hidden = Log::default();
    hidden.gave(5, MessageType::PlanFinal, "safeguarding-override");
    for who in ["RXT", "334", "301"] {
        hidden.looked(who, 5);
    }
    assert_eq!(family_of(&hidden), []);
    hidden.looked("gateway", 5);
    let whats: Vec<String> = family_of(&hidden).into_iter().map(|line| line.what).collect();
    assert_eq!(whats, ["looked at the record of who has seen what"]);
}

#[test]
fn a_family_is_told_of_looks_by_whoever_the_list_names_and_by_the_authority_that_asked() {
    let mut log = Log::default();
    log.sent("334", 1, MessageType::TransitionReferral);
    log.gave(1, MessageType::TransitionReferral, "statute");
    for who in ["RXT", "334", "gateway"] {
        log.looked(who, 1);
    }
    let lines = family_of(&log);
    let of = |who: &str| {
        let name = names(who);
        lines.iter().filter(|line| line.organisation == name).count()
    };
    // A trust does not read the ledger; what it was given is a line, too.
    assert_eq!((of("RXT"), of("334"), of("gateway")), (6, 6, 6), "{lines:?}");
    let whys: Vec<&str> = lines.iter().map(|line| line.why).collect();
    assert_eq!(whys.iter().filter(|why| why.contains("does not say why")).count(), 17);
}

#[test]
fn a_family_is_told_of_no_purpose() {
    let mut plain = Log::default();
    let mut said = Log::default();
    for (log, purpose) in
        [(&mut plain, None), (&mut said, Some(Purpose::Asked(Reason::StaffInvestigation)))]
    {
        log.sent("334", 1, MessageType::AdviceRequest);
        log.gave(1, MessageType::AdviceRequest, "statute");
        log.say(EventKind::CaseViewed, |event| {
            let actor = Actor { purpose, ..actor("334") };
            *event = Event { subject: event.subject, ..Event::new(EventKind::CaseViewed, actor) };
        });
    }
    assert!(said.0[2].event.detail.contains_key("purpose"));
    assert_eq!(family_of(&said), family_of(&plain));
}

#[test]
fn a_look_says_its_purpose_or_that_none_was_said() {
    let mut log = Log::default();
    let mut look = |kind: EventKind, purpose: Option<Purpose>| {
        log.say(kind, |event| {
            let actor = Actor { purpose, ..actor("334") };
            *event = Event { subject: event.subject, ..Event::new(kind, actor) };
        });
    };
    look(EventKind::CaseViewed, Some(Purpose::DirectWork));
    look(EventKind::CaseViewed, None);
    for purpose in [None, Some(Purpose::Asked(Reason::Complaint)), None] {
        look(EventKind::BoardViewed, purpose);
    }
    for entry in &mut log.0[2..] {
        entry.event.detail.insert("looked_at".to_owned(), "00".to_owned());
    }
    log.say(EventKind::ConsentNotTold, |event| {
        *event = event.clone().with("rule", "not-concerned");
    });
    log.gave(7, MessageType::AdviceRequest, "statute");
    let last = log.0.last_mut().unwrap();
    last.event = last.event.clone().with("purpose", "direct-work");
    let account = account(&log.newest_first(), &question(), &names);
    let whys: Vec<&str> = account.seen.iter().map(|line| line.why.as_str()).collect();
    let fetched = "A sentence that says why. (the provision); purpose: work on the child's case (direct-work)";
    assert_eq!(whys, [fetched, "not said", "work on the child's case (direct-work)"]);
    assert_eq!(account.seen[2].purpose.as_deref(), Some("direct-work"));
    let in_vain = &account.not_given[0];
    assert_eq!(in_vain.what, "asked what is recorded of agreement to share, and was told nothing");
    assert_eq!((in_vain.why.as_str(), in_vain.given), ("rule: not-concerned", false));
    let lists: Vec<(&str, u64)> =
        account.lists.iter().map(|list| (list.why.as_str(), list.looks)).collect();
    assert_eq!(lists, [("not said", 2), ("a complaint (complaint)", 1)]);
}

#[test]
fn a_warning_about_an_address_stops_the_version_for_a_family() {
    let mut log = Log::default();
    log.say(EventKind::RecordAccepted, |event| {
        event.message_type = Some(MessageType::PersonAddressSafe);
    });
    assert_eq!(told(&log, &question()), Err(Unsafe::Restricted));
}

#[test]
fn a_family_is_told_nothing_by_machine_of_years_that_name_nobody_and_a_warning_goes_before_that() {
    let mut log = Log::default();
    log.gave(1, MessageType::AdviceRequest, "statute");
    let mut report = report_of(&log);
    assert_eq!(family::refusal(&report, false), None);
    report.older_left_out = true;
    assert_eq!(family::refusal(&report, false), Some(Unsafe::TooLong));
    report.look_ups_destroyed.push(Standing {
        period: Period::of_year(2026),
        first_entry: 0,
        last_entry: Some(9),
        may_be_destroyed_from: None,
        destroyed: None,
    });
    assert_eq!(family::refusal(&report, false), Some(Unsafe::LookUpDestroyed));
    assert_eq!(family::refusal(&report, true), Some(Unsafe::Restricted));
    log.say(EventKind::RecordAccepted, |event| {
        event.message_type = Some(MessageType::PersonAddressSafe);
    });
    report.entries = log.newest_first();
    assert_eq!(family::refusal(&report, false), Some(Unsafe::Restricted));
}

fn report_of(log: &Log) -> Report {
    let entries = log.newest_first();
    Report {
        reason: Reason::Complaint,
        from: None,
        until: None,
        entry: 0,
        account: account(&entries, &question(), &names),
        older_left_out: false,
        older_lists_left_out: false,
        look_ups_destroyed: Vec::new(),
        entries,
    }
}

#[test]
fn without_openings_a_proof_names_one_person_only() {
    let mut log = Log::default();
    log.gave(1, MessageType::AdviceRequest, "statute");
    log.say(EventKind::AuditViewed, |event| event.subject = None);
    log.gave(2, MessageType::AdviceRequest, "statute");
    assert_eq!(same_person::stranger(&log.newest_first(), &[]), None);
    log.say(EventKind::JourneyViewed, |event| event.subject = Some(SubjectKey([2; 32])));
    assert_eq!(same_person::stranger(&log.newest_first(), &[]), Some(3));
}

#[test]
fn a_person_s_older_pseudonym_passes_before_there_were_aliases_and_not_after() {
    let [now, older] = [SubjectKey([7; 32]), SubjectKey([2; 32])];
    let opening = |year, subject, of: u8| Opening {
        period: Period::of_year(year),
        subject,
        opening: Base64Hash([of; 32]),
    };
    let aliased = alias::of(&[5; 32], now);
    let mut log = Log::default();
    for subject in [older, now, aliased] {
        log.say(EventKind::JourneyViewed, |event| event.subject = Some(subject));
    }
    let of_year = opening(2027, now, 5);
    let stranger =
        |log: &Log, openings: &[Opening]| same_person::stranger(&log.newest_first(), openings);
    assert_eq!(stranger(&log, std::slice::from_ref(&of_year)), Some(0), "who was it before?");
    let openings = [of_year, opening(0, older, 0)];
    assert_eq!(stranger(&log, &openings), None);
    log.say(EventKind::JourneyViewed, |event| event.subject = Some(older));
    assert_eq!(stranger(&log, &openings), Some(3), "leaves name aliases by then");
}

#[test]
fn the_codes_of_reasons_are_those_that_are_read() {
    for code in Reason::CODES {
        let reason = Reason::parse(code).unwrap();
        assert_eq!(crate::telemetry::name_of(reason), code);
    }
    assert_eq!(Reason::parse("curiosity"), None);
}
