//! Certificates that must not get in. Each is right in every respect but one.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use super::{
    Authority, Issued, PkiError, PracticePartner, Profile, Validity, serial, set_validity,
};

/// A certificate with one fault.
#[derive(Debug)]
pub struct Villain {
    /// The fault.
    pub kind: VillainKind,
    /// The certificate and its key.
    pub issued: Issued,
}

/// What is wrong with a villain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VillainKind {
    /// It ended yesterday.
    Expired,
    /// It begins in a year.
    NotYetValid,
    /// Another authority issued it.
    WrongAuthority,
    /// Another authority that bears our authority's name issued it.
    ImpostorAuthority,
    /// It vouches for itself.
    SelfSigned,
    /// It may be used by servers only.
    ServerOnly,
    /// It is an authority's own certificate.
    AuthorityAsLeaf,
    /// A partner's certificate issued it, not the authority.
    IssuedByPartner,
    /// It carries a critical extension that nobody understands.
    CriticalExtension,
    /// It was revoked.
    Revoked,
    /// No partner has its key.
    UnknownKey,
    /// It names another organisation than its key belongs to.
    WrongOrganisation,
    /// It names no organisation.
    NoOrganisation,
    /// It names two.
    TwoOrganisations,
    /// It names all of them.
    WildcardOrganisation,
    /// It names an organisation and then something after a NUL byte's usual stand-in.
    PaddedOrganisation,
}

impl VillainKind {
    /// The name its files have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongAuthority => "wrong-authority",
            Self::ImpostorAuthority => "impostor-authority",
            Self::SelfSigned => "self-signed",
            Self::ServerOnly => "server-only",
            Self::AuthorityAsLeaf => "authority-as-leaf",
            Self::IssuedByPartner => "issued-by-partner",
            Self::CriticalExtension => "critical-extension",
            Self::Revoked => "revoked",
            Self::UnknownKey => "unknown-key",
            Self::WrongOrganisation => "wrong-organisation",
            Self::NoOrganisation => "no-organisation",
            Self::TwoOrganisations => "two-organisations",
            Self::WildcardOrganisation => "wildcard-organisation",
            Self::PaddedOrganisation => "padded-organisation",
        }
    }
}

/// Every kind, each otherwise a perfect copy of the victim's certificate, its key included.
pub(super) fn mint(
    authority: &Authority,
    victim: &PracticePartner,
    validity: Validity,
) -> Result<Vec<Villain>, PkiError> {
    let key = &victim.client.key;
    let client = |validity| Profile::client(&victim.organisation, validity);
    let copy = || client(validity);
    let named = |organisations: &[&str]| Profile {
        organisations: organisations.iter().map(|&code| code.to_owned()).collect(),
        ..copy()
    };
    let own = victim.organisation.as_str();
    let other_authority = Authority::mint("Another authority", validity)?;
    let impostor = Authority::mint("EHC Gateway practice authority", validity)?;
    let lifetime = (validity.to - validity.from) / super::DAY_SECONDS + 1;
    let server_only = Profile { uses: vec![ExtendedKeyUsagePurpose::ServerAuth], ..copy() };
    let by_authority = [
        (VillainKind::Expired, client(validity.moved(-lifetime))),
        (VillainKind::NotYetValid, client(validity.moved(365))),
        (VillainKind::ServerOnly, server_only),
        (VillainKind::AuthorityAsLeaf, Profile { authority: true, ..copy() }),
        (VillainKind::CriticalExtension, Profile { critical: true, ..copy() }),
        (VillainKind::Revoked, copy()),
        (VillainKind::WrongOrganisation, named(&["X99"])),
        (VillainKind::NoOrganisation, named(&[])),
        (VillainKind::TwoOrganisations, named(&[own, "X99"])),
        (VillainKind::WildcardOrganisation, named(&["*"])),
        (VillainKind::PaddedOrganisation, named(&[&format!("{own}%00X99")])),
    ];
    let mut villains = Vec::new();
    let mut add = |kind, issued| villains.push(Villain { kind, issued });
    for (kind, profile) in by_authority {
        add(kind, profile.issue(authority, Some(key))?);
    }
    add(VillainKind::UnknownKey, copy().issue(authority, None)?);
    add(VillainKind::WrongAuthority, copy().issue(&other_authority, Some(key))?);
    add(VillainKind::ImpostorAuthority, copy().issue(&impostor, Some(key))?);
    add(VillainKind::SelfSigned, copy().issue_self_signed(Some(key))?);
    add(VillainKind::IssuedByPartner, issued_by_partner(authority, &copy(), key, validity)?);
    Ok(villains)
}

/// A chain of two: the authority, a partner's ordinary certificate, and one that it issued.
fn issued_by_partner(
    authority: &Authority,
    profile: &Profile,
    key: &KeyPair,
    validity: Validity,
) -> Result<Issued, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "A partner that issues certificates");
    params.is_ca = IsCa::ExplicitNoCa;
    params.serial_number = Some(serial()?);
    set_validity(&mut params, validity);
    let middle = rcgen::CertifiedIssuer::signed_by(params, KeyPair::generate()?, &authority.0)?;
    let middle_pem = middle.pem();
    let mut issued = profile.issue(&Authority(middle), Some(key))?;
    issued.certificate_pem.push_str(&middle_pem);
    Ok(issued)
}
