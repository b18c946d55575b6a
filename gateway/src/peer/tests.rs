use super::*;

use crate::pki::{Practice, PracticePlan, VillainKind};

const NOW: &str = "2026-06-01T09:00:00Z";

fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

fn practice() -> Practice {
    let code = |code: &str| OrganisationCode::parse(code).expect("a code");
    let partners = [("la".to_owned(), code("334"))].into();
    Practice::mint(&PracticePlan { gateway: code("QHL"), partners, now: now(), days: 30 })
        .expect("minted")
}

fn peers(practice: &Practice, more: &str) -> Peers {
    let pin = practice.partner("la").expect("planned").client.pin();
    let text = format!(
        "[[partner]]\norganisation = \"334\"\nname = \"LA\"\nroles = [\"la-case-system\"]\n\
         pins = [\"{pin}\"]\nformat = \"csv\"\ncarrier = \"collect\"\n{more}"
    );
    let file = std::path::Path::new("partners.toml");
    Peers::new(Partners::parse(file, &text).expect("partners"))
}

#[test]
fn a_partners_certificate_is_recognised_within_its_dates() {
    let practice = practice();
    let peers = peers(&practice, "");
    let leaf = practice.partner("la").expect("planned").client.certificate_der();
    assert_eq!(peers.check(leaf, now()), Ok(()));
    let days = |days: i64| now() + jiff::SignedDuration::from_hours(24 * days);
    assert_eq!(peers.check(leaf, days(31)), Err(PeerRefusal::Expired));
    assert_eq!(peers.check(leaf, days(-1)), Err(PeerRefusal::NotYetValid));
}

#[test]
fn a_partner_that_is_not_enabled_is_nobody() {
    let practice = practice();
    let leaf = practice.partner("la").expect("planned").client.certificate_der();
    let refused = peers(&practice, "enabled = false\n").check(leaf, now());
    assert_eq!(refused, Err(PeerRefusal::Disabled));
}

#[test]
fn the_name_and_the_key_must_be_one_organisations() {
    let practice = practice();
    let peers = peers(&practice, "");
    for (kind, refusal) in [
        (VillainKind::UnknownKey, PeerRefusal::UnknownPin),
        (VillainKind::WrongOrganisation, PeerRefusal::WrongOrganisation),
        (VillainKind::NoOrganisation, PeerRefusal::NoOrganisation),
        (VillainKind::TwoOrganisations, PeerRefusal::SeveralOrganisations),
        (VillainKind::WildcardOrganisation, PeerRefusal::WrongOrganisation),
        (VillainKind::PaddedOrganisation, PeerRefusal::WrongOrganisation),
    ] {
        let villain = practice.villains().iter().find(|v| v.kind == kind).expect("minted");
        let found = peers.check(villain.issued.certificate_der(), now());
        assert_eq!(found, Err(refusal), "{kind:?}");
    }
}

#[test]
fn what_is_not_one_certificate_is_unreadable() {
    let practice = practice();
    let peers = peers(&practice, "");
    let mut longer = practice.partner("la").expect("planned").client.certificate_der().to_vec();
    longer.push(0);
    for bytes in [&longer[..], &longer[..40], b""] {
        assert_eq!(peers.check(bytes, now()), Err(PeerRefusal::Unreadable));
    }
}
