//! One person in an emergency: which grounds, against what, and since when.

use schemas::MessageType;
use schemas::catalogue::DataClass;
use schemas::record::{ConsentStatus, Restriction};

use crate::authority::decision::{Outcome, decide};
use crate::authority::fixtures::{
    ago, book, both_claim, entry, given, now, question, request, restricted, today,
};
use crate::authority::rules::Basis;
use crate::authority::{BreakGlass, ConsentEntry, Decision, Evidence, Override};

fn decided(consents: &[ConsentEntry], emergency: Option<BreakGlass>) -> Decision {
    let evidence = Evidence { consents: consents.to_vec(), overrides: Vec::new(), emergency };
    decide(&request(), &evidence, &book(), now(), today())
}

fn in_an_emergency(basis: Basis) -> BreakGlass {
    BreakGlass { basis, at: now() }
}

#[test]
fn one_person_releases_in_an_emergency_what_an_objection_holds() {
    let refused = [entry(1, ConsentStatus::Refused)];
    assert_eq!(decided(&refused, None).outcome, Outcome::Hold);
    for basis in [Basis::VitalInterests, Basis::SafeguardingOverride] {
        let decision = decided(&refused, Some(in_an_emergency(basis)));
        assert!(decision.outcome.is_release(), "{basis:?}: {}", decision.reason);
        assert_eq!(decision.rule, "break-glass");
        assert_eq!(decision.authority.as_deref(), Some(basis.as_str()));
        assert!(decision.reason.contains("Somebody else must review that"));
    }
}

#[test]
fn no_other_ground_is_an_emergency() {
    let refused = [entry(1, ConsentStatus::Refused)];
    for basis in [
        Basis::Statute,
        Basis::CourtOrTribunal,
        Basis::BestInterests,
        Basis::Consent,
        Basis::RecordKeeping,
    ] {
        assert_eq!(
            decided(&refused, Some(in_an_emergency(basis))).outcome,
            Outcome::Hold,
            "{basis:?}"
        );
    }
}

#[test]
fn one_person_alone_sets_aside_no_seal_no_adoption_and_no_court() {
    for restriction in [Restriction::Sealed, Restriction::Adoption, Restriction::CourtLimits] {
        let ledger = [entry(1, ConsentStatus::Refused), restricted(2, restriction)];
        for basis in [Basis::VitalInterests, Basis::SafeguardingOverride] {
            let decision = decided(&ledger, Some(in_an_emergency(basis)));
            assert!(!decision.outcome.is_release(), "{restriction:?}: {}", decision.reason);
        }
    }
}

#[test]
fn an_emergency_keeps_a_protected_address_cut() {
    let refused = entry(1, ConsentStatus::Refused);
    let ledger = [refused.clone(), restricted(2, Restriction::ProtectedAddress)];
    let emergency = Some(in_an_emergency(Basis::VitalInterests));
    let open = decided(&[refused], emergency);
    assert!(open.classes.contains(&DataClass::Contact), "there is an address to cut");
    let cut = decided(&ledger, emergency);
    assert_eq!(cut.outcome, Outcome::ReleaseReduced, "{}", cut.reason);
    assert!(!cut.classes.contains(&DataClass::Contact), "{}", cut.reason);
}

#[test]
fn one_person_alone_does_not_give_a_protected_address_to_whoever_cannot_do_without_it() {
    // A referral to continuing care is of no use without an address: it waits whole.
    let referral = question(MessageType::ChcReferral, "RYW", "QHL");
    let ask = |consents: &[ConsentEntry], overrides: &[Override], emergency| {
        let consents = consents.to_vec();
        let evidence = Evidence { consents, overrides: overrides.to_vec(), emergency };
        decide(&referral, &evidence, &book(), now(), today())
    };
    let protected = [restricted(1, Restriction::ProtectedAddress)];
    assert_eq!(ask(&protected, &[], None).outcome, Outcome::Hold);
    for basis in [Basis::VitalInterests, Basis::SafeguardingOverride] {
        let alone = Some(in_an_emergency(basis));
        assert!(ask(&[], &[], alone).outcome.is_release(), "but for the address: {basis:?}");
        let decision = ask(&protected, &[], alone);
        assert_eq!(decision.outcome, Outcome::Hold, "{basis:?}: {}", decision.reason);
        let two = ask(&protected, &both_claim(basis), None);
        assert!(two.outcome.is_release(), "two people may: {basis:?}: {}", two.reason);
    }
}

#[test]
fn an_emergency_does_not_outlive_what_was_recorded_after_it() {
    let late = entry(1, ConsentStatus::Refused);
    let before = Some(BreakGlass { basis: Basis::VitalInterests, at: ago(72) });
    assert_eq!(decided(&[late], before).outcome, Outcome::Hold);
}

#[test]
fn an_emergency_changes_nothing_where_nothing_is_held() {
    let with = decided(&[given()], Some(in_an_emergency(Basis::VitalInterests)));
    let without = decided(&[given()], None);
    assert_eq!(with, without);
}
