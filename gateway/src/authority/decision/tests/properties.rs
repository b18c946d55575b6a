//! What holds for every question and every ledger, whatever the rows say.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use schemas::MessageType;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker, Restriction};

use super::*;

fn any_entry() -> impl Strategy<Value = ConsentEntry> {
    let status = select(vec![
        ConsentStatus::Given,
        ConsentStatus::Given,
        ConsentStatus::Refused,
        ConsentStatus::Withdrawn,
        ConsentStatus::NotRecorded,
        ConsentStatus::Expired,
        ConsentStatus::Stale,
        ConsentStatus::Restricted,
        ConsentStatus::Lifted,
    ]);
    let kind = prop_oneof![3 => Just(ConsentKind::Sharing), 1 => Just(ConsentKind::Plan)];
    let by = proptest::option::of(select(vec![
        DecisionMaker::Parent,
        DecisionMaker::CompetentChild,
        DecisionMaker::YoungPerson,
        DecisionMaker::AlternativePerson,
        DecisionMaker::LocalAuthority,
    ]));
    let bounds = (
        proptest::option::of(any_party()),
        proptest::option::weighted(0.2, any_party()),
        proptest::collection::vec(select(DataClass::ALL.to_vec()), 0..3),
        any_restriction(),
    );
    let when = (0i64..80, proptest::option::of(-60i32..5), proptest::option::of(-400i32..400));
    let assessed = any::<bool>();
    (status, kind, by, bounds, when, assessed).prop_map(
        |(status, kind, given_by, bounds, (hours, decided, expires), assessed)| {
            let (excluded, recipient, classes, restriction) = bounds;
            let day = |days: i32| today().saturating_add(jiff::Span::new().days(days));
            ConsentEntry {
                kind,
                given_by,
                exclusions: excluded.into_iter().map(org).collect(),
                recipients: recipient.into_iter().map(org).collect(),
                classes,
                restriction: Some(restriction),
                recorded_at: ago(hours),
                decided_on: decided.map(day),
                expires_on: expires.map(day),
                assessed_on: assessed.then(today),
                ..entry(0, status)
            }
        },
    )
}

fn any_restriction() -> impl Strategy<Value = Restriction> {
    select(vec![
        Restriction::ProtectedAddress,
        Restriction::ThirdParty,
        Restriction::Adoption,
        Restriction::Sealed,
        Restriction::CourtLimits,
    ])
}

fn any_party() -> impl Strategy<Value = &'static str> {
    select(vec!["334", "RRK", "RXT", "RYW", "QHL", "RQ3"])
}

/// Who may send what to whom at all: most of all ways there are lead nowhere.
fn open_ways() -> Vec<(MessageType, &'static str, &'static str)> {
    const PARTIES: [&str; 5] = ["334", "RRK", "RXT", "RYW", "QHL"];
    let agreed = evidence(&[given()], &[]);
    let book = book_with_16la_on_record();
    let ways = MessageType::ALL.into_iter().flat_map(|kind| {
        PARTIES
            .into_iter()
            .flat_map(move |from| PARTIES.into_iter().map(move |to| (kind, from, to)))
    });
    ways.filter(|(kind, sender, recipient)| {
        let question = question(*kind, sender, recipient);
        decide(&question, &agreed, &book, now(), begun()).outcome != Outcome::Refuse
    })
    .collect()
}

fn any_question() -> impl Strategy<Value = Question> {
    static OPEN: LazyLock<Vec<(MessageType, &'static str, &'static str)>> =
        LazyLock::new(open_ways);
    let kind = select(MessageType::ALL.to_vec());
    let pass_on = proptest::option::of(-400i32..400);
    let way = prop_oneof![1 => (kind, any_party(), any_party()), 3 => select(OPEN.clone())];
    (way, pass_on).prop_map(|((kind, sender, recipient), days)| Question {
        decisions_pass_on: days.map(|days| today().saturating_add(jiff::Span::new().days(days))),
        ..question(kind, sender, recipient)
    })
}

fn any_votes() -> impl Strategy<Value = Vec<crate::authority::Override>> {
    let basis = select(vec![
        Basis::Statute,
        Basis::SafeguardingOverride,
        Basis::CourtOrTribunal,
        Basis::BestInterests,
        Basis::VitalInterests,
    ]);
    // Two people who agree on a ground, as it mostly goes, or anything.
    let two = basis.clone().prop_map(|basis| both_claim(basis).to_vec());
    let any = proptest::collection::vec(("p[1-3]", basis, -40i64..40), 0..4).prop_map(|votes| {
        votes.iter().map(|(who, basis, hours)| claim(who, *basis, ago(*hours))).collect()
    });
    prop_oneof![3 => any, 1 => two]
}

fn numbered(mut consents: Vec<ConsentEntry>) -> Vec<ConsentEntry> {
    for (entry, version) in consents.iter_mut().zip(1..) {
        entry.version = version;
    }
    consents
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    (proptest::collection::vec(any_entry(), 0..6), any_votes())
        .prop_map(|(consents, votes)| evidence(&numbered(consents), &votes))
}

/// Every book that a property must hold for: the duty to share off, done by people, on record.
fn any_book() -> impl Strategy<Value = RuleBook> {
    select(vec![book(), book_with_16la(), book_with_16la_on_record()])
}

fn begun() -> Date {
    date(2026, 10, 1)
}

/// The same values each time.
fn sampled<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..SAMPLES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// In how many of the samples something comes about.
fn often<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    comes: impl Fn(T) -> bool,
) -> usize {
    sampled(strategy).into_iter().map(comes).filter(|comes| *comes).count()
}

/// As many as the properties below try.
const SAMPLES: usize = 256;

#[test]
fn what_is_asked_comes_to_every_outcome() {
    let all = sampled((any_question(), any_evidence(), any_book()));
    let outcomes: Vec<Outcome> = all
        .iter()
        .map(|(question, evidence, book)| decide(question, evidence, book, now(), begun()).outcome)
        .collect();
    for outcome in [Outcome::Release, Outcome::ReleaseReduced, Outcome::Hold, Outcome::Refuse] {
        let count = outcomes.iter().filter(|one| **one == outcome).count();
        assert!(count >= 10, "{outcome:?} comes about {count} times: {outcomes:?}");
    }
}

#[test]
fn restrictions_and_objections_meet_what_they_change() {
    let asked = || (any_question(), any_evidence(), any_restriction(), any_book());
    let changed = often(asked(), |(question, evidence, kind, book)| {
        let before = decide(&question, &evidence, &book, now(), begun());
        let mut more = evidence;
        more.consents.push(ConsentEntry { recorded_at: ago(80), ..restricted(99, kind) });
        before.outcome.is_release() && decide(&question, &more, &book, now(), begun()) != before
    });
    assert!(changed >= 10, "a restriction changes a release {changed} times");
    let objected = often(asked(), |(question, evidence, _, book)| {
        let evidence = Evidence { overrides: Vec::new(), ..evidence };
        let before = decide(&question, &evidence, &book, now(), begun());
        let mut more = evidence;
        more.consents.push(ConsentEntry { given_by: None, ..entry(99, ConsentStatus::Withdrawn) });
        before.outcome.is_release()
            && !decide(&question, &more, &book, now(), begun()).outcome.is_release()
    });
    assert!(objected >= 10, "an objection stops a release {objected} times");
    let crossed = often(asked(), |(question, evidence, kind, book)| {
        let mut more = Evidence { overrides: Vec::new(), ..evidence };
        more.consents.push(ConsentEntry { recorded_at: now(), ..restricted(99, kind) });
        let decision = decide(&question, &more, &book, now(), begun());
        let kept = decision.authority.as_deref() == Some("record-keeping");
        decision.outcome.is_release() && !kept
    });
    assert!(crossed >= 10, "what a restriction only cuts is released {crossed} times");
}

#[test]
fn courts_and_single_people_meet_what_they_could_release() {
    let by_court = often((any_question(), any_evidence(), any_book()), |(question, more, book)| {
        let mut more = more;
        let limits = restricted(99, Restriction::CourtLimits);
        more.consents.push(ConsentEntry { recorded_at: ago(80), ..limits });
        let decision = decide(&question, &more, &book, now(), begun());
        decision.outcome.is_release() && decision.authority.as_deref() == Some("court-or-tribunal")
    });
    assert!(by_court >= 2, "a court lifts its limits {by_court} times");
    let held = often((any_question(), any_evidence()), |(question, evidence)| {
        let unvoted = Evidence { overrides: Vec::new(), ..evidence };
        ask(&question, &unvoted).outcome == Outcome::Hold
    });
    assert!(held >= 10, "something is held that one person could release {held} times");
}

#[test]
fn fewer_classes_take_something_away() {
    let scoped = |classes: &[DataClass]| ConsentEntry { classes: classes.to_vec(), ..given() };
    let out = || (any_question(), select(DataClass::ALL.to_vec()), any_book());
    let by_family = often(out(), |(question, out, book)| {
        let question = Question { decisions_pass_on: None, ..question };
        let kept: Vec<_> = DataClass::ALL.into_iter().filter(|class| *class != out).collect();
        let classes = |classes: &[DataClass]| {
            let evidence = evidence(&[scoped(classes)], &[]);
            decide(&question, &evidence, &book, now(), begun()).classes
        };
        classes(&DataClass::ALL) != classes(&kept)
    });
    assert!(by_family >= 10, "the family's agreement narrows {by_family} times");
    let narrowed = DataClass::ALL.map(|out| (out, book_of(&without(out), RULES)));
    let by_bodies = often(out(), |(question, out, _)| {
        let narrower = narrowed.iter().find(|(class, _)| *class == out).unwrap();
        let evidence = evidence(&[given()], &[]);
        let wide = decide(&question, &evidence, &book(), now(), today()).classes;
        wide != decide(&question, &evidence, &narrower.1, now(), today()).classes
    });
    assert!(by_bodies >= 10, "the bodies' agreement narrows {by_bodies} times");
}

/// The agreements between bodies without one class.
fn without(out: DataClass) -> String {
    AGREEMENTS
        .replace(&format!("\"{out}\", "), "")
        .replace(&format!(", \"{out}\"]\nfrom"), "]\nfrom")
}

proptest! {
    #[test]
    fn nothing_is_released_without_an_authority_its_provision_and_an_agreement(
        question in any_question(), evidence in any_evidence(), book in any_book(),
    ) {
        let decision = decide(&question, &evidence, &book, now(), begun());
        if decision.outcome.is_release() {
            prop_assert!(decision.authority.is_some());
            prop_assert!(decision.reference.is_some_and(|provision| !provision.is_empty()));
            let own = question.sender == question.recipient;
            prop_assert_eq!(decision.agreement.is_none(), own);
            prop_assert!(decision.classes.contains(&DataClass::Identity));
        } else {
            prop_assert!(decision.classes.is_empty() && decision.cut.is_empty());
        }
        prop_assert_eq!(decision.outcome == Outcome::Refuse, decision.authority.is_none());
    }

    #[test]
    fn nothing_crosses_a_restriction_but_records_and_notices(
        question in any_question(),
        consents in proptest::collection::vec(any_entry(), 0..5),
        kind in any_restriction(),
        book in any_book(),
    ) {
        let mut consents = numbered(consents);
        consents.push(ConsentEntry { recorded_at: now(), ..restricted(99, kind) });
        let decision = decide(&question, &evidence(&consents, &[]), &book, now(), begun());
        if !decision.outcome.is_release() || decision.authority.as_deref() == Some("record-keeping") {
            return Ok(());
        }
        match kind {
            Restriction::ProtectedAddress => {
                prop_assert!(!decision.classes.contains(&DataClass::Contact));
            }
            Restriction::ThirdParty => {
                prop_assert!(!decision.classes.contains(&DataClass::Documents));
            }
            Restriction::Adoption | Restriction::Sealed | Restriction::CourtLimits => {
                prop_assert!(false, "{decision:?}");
            }
        }
    }

    #[test]
    fn a_court_s_limits_are_lifted_by_nothing_but_a_court(
        question in any_question(), evidence in any_evidence(), book in any_book(),
    ) {
        let mut evidence = evidence;
        let limits = restricted(99, Restriction::CourtLimits);
        evidence.consents.push(ConsentEntry { recorded_at: ago(80), ..limits });
        let decision = decide(&question, &evidence, &book, now(), begun());
        if decision.outcome.is_release() {
            let authority = decision.authority.unwrap_or_default();
            prop_assert!(["court-or-tribunal", "record-keeping"].contains(&authority.as_str()));
        }
    }

    #[test]
    fn one_more_restriction_never_gives_more(
        question in any_question(), evidence in any_evidence(), kind in any_restriction(),
        book in any_book(),
    ) {
        let before = decide(&question, &evidence, &book, now(), begun());
        let mut more = evidence.clone();
        more.consents.push(ConsentEntry { recorded_at: ago(80), ..restricted(99, kind) });
        let after = decide(&question, &more, &book, now(), begun());
        prop_assert!(!after.outcome.is_release() || before.outcome.is_release());
        prop_assert!(after.classes.is_subset(&before.classes), "{before:?} {after:?}");
    }

    #[test]
    fn one_more_objection_never_gives_more(
        question in any_question(), evidence in any_evidence(), refused in any::<bool>(),
        kind in prop_oneof![Just(ConsentKind::Sharing), Just(ConsentKind::Plan)],
        book in any_book(),
    ) {
        let evidence = Evidence { overrides: Vec::new(), ..evidence };
        let status = if refused { ConsentStatus::Refused } else { ConsentStatus::Withdrawn };
        let before = decide(&question, &evidence, &book, now(), begun());
        let mut more = evidence.clone();
        more.consents.push(ConsentEntry { kind, given_by: None, ..entry(99, status) });
        let after = decide(&question, &more, &book, now(), begun());
        prop_assert!(!after.outcome.is_release() || before.outcome.is_release());
        prop_assert!(after.classes.is_subset(&before.classes), "{before:?} {after:?}");
    }

    #[test]
    fn fewer_classes_in_an_agreement_of_the_family_never_give_more(
        question in any_question(),
        classes in proptest::collection::btree_set(select(DataClass::ALL.to_vec()), 1..7),
        taken in any::<Index>(),
        book in any_book(),
    ) {
        let scoped = |classes: &BTreeSet<DataClass>| ConsentEntry {
            classes: classes.iter().copied().collect(), ..given()
        };
        let mut fewer = classes.clone();
        let out = *taken.get(&classes.iter().copied().collect::<Vec<_>>());
        fewer.remove(&out);
        // Naming no class means all of them, so the last one is not taken away.
        prop_assume!(!fewer.is_empty());
        let question = Question { decisions_pass_on: None, ..question };
        let ask = |classes: &BTreeSet<DataClass>| {
            decide(&question, &evidence(&[scoped(classes)], &[]), &book, now(), begun())
        };
        let (wide, narrow, all) = (ask(&classes), ask(&fewer), ask(&DataClass::ALL.into()));
        prop_assert!(narrow.classes.is_subset(&wide.classes), "{wide:?} {narrow:?}");
        prop_assert!(wide.classes.is_subset(&all.classes), "{all:?} {wide:?}");
    }

    #[test]
    fn fewer_classes_in_an_agreement_between_bodies_never_give_more(
        question in any_question(), evidence in any_evidence(),
        out in select(DataClass::ALL.to_vec()),
    ) {
        let narrower = without(out);
        let wide = decide(&question, &evidence, &book(), now(), today());
        let narrow = decide(&question, &evidence, &book_of(&narrower, RULES), now(), today());
        if question.sender != question.recipient {
            prop_assert!(narrow.classes.is_subset(&wide.classes), "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn decisions_replay_identically(
        question in any_question(), evidence in any_evidence(), book in any_book(),
    ) {
        let first = decide(&question, &evidence, &book, now(), begun());
        let again = decide(&question, &evidence.clone(), &book.clone(), now(), begun());
        prop_assert_eq!(&first, &again);
        let explained = crate::authority::explain(&question, &evidence, &book, now(), begun());
        prop_assert_eq!(first, explained.decision);
    }

    #[test]
    fn the_order_of_evidence_does_not_matter(
        question in any_question(), evidence in any_evidence(), turn in any::<Index>(),
    ) {
        let mut shuffled = evidence.clone();
        shuffled.consents.reverse();
        shuffled.overrides.reverse();
        let half = if shuffled.consents.is_empty() { 0 } else { turn.index(shuffled.consents.len()) };
        shuffled.consents.rotate_left(half);
        prop_assert_eq!(ask(&question, &evidence), ask(&question, &shuffled));
    }

    #[test]
    fn nothing_that_rests_on_consent_goes_after_the_one_who_decides_withdrew(
        question in any_question(), evidence in any_evidence(),
    ) {
        let question = Question { kind: MessageType::TransitionHealthPlan, ..question };
        let mut evidence = evidence;
        // Nobody recorded who withdrew: it stops whoever decides.
        let withdrawn = ConsentEntry { given_by: None, ..entry(99, ConsentStatus::Withdrawn) };
        evidence.consents.push(ConsentEntry { recorded_at: now(), ..withdrawn });
        let decision = ask(&question, &evidence);
        if question.sender != question.recipient {
            prop_assert_eq!(decision.outcome, Outcome::Refuse);
        }
    }

    #[test]
    fn one_person_alone_releases_nothing(question in any_question(), evidence in any_evidence()) {
        let alone = Evidence {
            overrides: Basis::CLAIMS.iter().map(|basis| claim("p1", *basis, now())).collect(),
            ..evidence
        };
        let unvoted = Evidence { overrides: Vec::new(), ..alone.clone() };
        prop_assert_eq!(ask(&question, &alone).outcome, ask(&question, &unvoted).outcome);
    }

    #[test]
    fn every_decision_names_its_rule_its_version_and_a_plain_reason(
        question in any_question(), evidence in any_evidence(),
    ) {
        let decision = ask(&question, &evidence);
        prop_assert!(!decision.rule.is_empty());
        prop_assert_eq!(&decision.rule_version, &book().version());
        prop_assert!(decision.reason.ends_with('.'), "{}", decision.reason);
        let digits = decision.reason.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        prop_assert!(digits.unwrap_or(0) <= 4, "{}", decision.reason);
    }
}
