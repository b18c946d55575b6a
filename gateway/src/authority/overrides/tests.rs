//! One person in an emergency: which grounds, against what, and since when.

use schemas::record::{ConsentStatus, Restriction};

use crate::authority::decision::{Outcome, decide};
use crate::authority::fixtures::{ago, book, entry, given, now, request, restricted, today};
use crate::authority::rules::Basis;
use crate::authority::{BreakGlass, ConsentEntry, Decision, Evidence};

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
    let ledger = [entry(1, ConsentStatus::Refused), restricted(2, Restriction::ProtectedAddress)];
    let decision = decided(&ledger, Some(in_an_emergency(Basis::VitalInterests)));
    let contact = schemas::catalogue::DataClass::Contact;
    assert!(
        !decision.outcome.is_release() || !decision.classes.contains(&contact),
        "{}",
        decision.reason
    );
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
