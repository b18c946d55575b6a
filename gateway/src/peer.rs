//! Who is calling: from a verified certificate to a known organisation, or a refusal.
//!
//! Owns: what makes a certificate *this partner's*: its public key is pinned and enabled, the
//! organisation in its subject alternative name is exactly one and is that partner's, and it is
//! within its dates. A common name proves nothing and is never looked at.
//!
//! Must never know: HTTP, records, or how a chain is verified. That is `tls`, and only `tls` can
//! make the `VerifiedLeaf` that [`Peers::identify`] asks for.
//!
//! Use: handlers take the [`Peer`] that the listener put into the request. Nothing else makes one.
//!
//! Limits: one organisation per certificate. A certificate that names two is refused, not split.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use schemas::catalogue::{Catalogue, Direction};
use schemas::{MessageType, OrganisationCode};
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::audit::Actor;
use crate::config::{Partner, Partners, Pin};
use crate::tls::{KeyExchange, VerifiedLeaf};

/// What a partner may be here. What each may do is decided where it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A local authority's case system: asks for advice, records consent.
    LaCaseSystem,
    /// A trust's system: receives requests and gives advice.
    HealthTrust,
    /// An integrated care board.
    Icb,
    /// Reads the audit log and nothing else.
    IgAuditor,
    /// Runs the gateway: sees states, never records.
    Operator,
}

impl Role {
    /// Whether an organisation of this role sends a type of message (`domain.md` section 6,
    /// direction).
    pub fn sends(self, kind: MessageType) -> bool {
        let direction = Catalogue::built_in().find(kind.as_str()).map(|entry| entry.direction);
        match self {
            Self::LaCaseSystem => {
                matches!(direction, Some(Direction::AuthorityToHealth | Direction::Either))
            }
            Self::HealthTrust | Self::Icb => matches!(
                direction,
                Some(Direction::HealthToAuthority | Direction::WithinHealth | Direction::Either)
            ),
            Self::IgAuditor | Self::Operator => false,
        }
    }
}

/// An organisation that proved who it is on this connection.
///
/// Only [`Peers`] makes one, and only from a chain that `tls` verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    organisation: OrganisationCode,
    name: String,
    roles: BTreeSet<Role>,
    pin: Pin,
    serial: String,
    not_after: Timestamp,
    key_exchange: KeyExchange,
}

/// Why a certificate that comes from the right authority is still not a partner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PeerRefusal {
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No partner has this key.
    #[error("no partner has this key")]
    UnknownPin,
    /// The partner is switched off.
    #[error("this partner is not enabled")]
    Disabled,
    /// It names no organisation.
    #[error("the certificate names no organisation in its subject alternative names")]
    NoOrganisation,
    /// It names more than one.
    #[error("the certificate names more than one organisation")]
    SeveralOrganisations,
    /// It names another organisation than the one its key belongs to.
    #[error("the certificate names another organisation than its key belongs to")]
    WrongOrganisation,
    /// It is not valid yet.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// It is no longer valid.
    #[error("the certificate has expired")]
    Expired,
    /// Its partner must use hybrid post-quantum key exchange and did not.
    #[error("this partner must use hybrid post-quantum key exchange")]
    NotHybrid,
}

/// The partners in force: replaced whole, read without waiting.
#[derive(Debug)]
pub struct Peers {
    partners: ArcSwap<Partners>,
    generation: AtomicU64,
}

impl Peers {
    /// The partners to begin with.
    pub fn new(partners: Partners) -> Self {
        Self { partners: ArcSwap::from_pointee(partners), generation: AtomicU64::new(0) }
    }

    /// The partners in force now.
    pub fn partners(&self) -> Arc<Partners> {
        self.partners.load_full()
    }

    /// Puts other partners in force, for new connections and for requests on open ones.
    pub fn replace(&self, partners: Partners) {
        self.partners.store(Arc::new(partners));
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// How often the partners were replaced.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Whose certificate this is, now. Asked after the handshake and again for later requests.
    pub fn identify(&self, leaf: &VerifiedLeaf, now: Timestamp) -> Result<Peer, PeerRefusal> {
        let partners = self.partners.load();
        let (partner, facts) = recognise(&partners, leaf.der(), now)?;
        if partner.require_hybrid && !leaf.key_exchange().is_hybrid() {
            return Err(PeerRefusal::NotHybrid);
        }
        Ok(Peer {
            organisation: partner.organisation.clone(),
            name: partner.name.clone(),
            roles: partner.roles.clone(),
            pin: facts.pin,
            serial: facts.serial,
            not_after: facts.not_after,
            key_exchange: leaf.key_exchange(),
        })
    }

    /// The same question inside the handshake, before there is a verified connection.
    pub(crate) fn check(&self, der: &[u8], now: Timestamp) -> Result<(), PeerRefusal> {
        recognise(&self.partners.load(), der, now).map(|_| ())
    }
}

impl Role {
    /// The role as it is written in the partners file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LaCaseSystem => "la-case-system",
            Self::HealthTrust => "health-trust",
            Self::Icb => "icb",
            Self::IgAuditor => "ig-auditor",
            Self::Operator => "operator",
        }
    }
}

impl Peer {
    /// The organisation.
    pub fn organisation(&self) -> &OrganisationCode {
        &self.organisation
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything it may be here.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// Whether it has a role.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The fingerprint of the key it proved to hold.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// The serial number of its certificate, in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// When its certificate ends, so that the partner can be told in time.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// How the connection's keys were agreed.
    pub fn key_exchange(&self) -> KeyExchange {
        self.key_exchange
    }

    /// The peer as the audit log names it. The person is left to who can make pseudonyms.
    pub fn actor(&self) -> Actor {
        Actor {
            organisation: self.organisation.as_str().to_owned(),
            method: "mutual-tls".to_owned(),
            certificate: Some(self.pin.to_hex()),
            person: None,
            role: None,
            purpose: None,
        }
    }
}

impl PeerRefusal {
    /// The stable code of the refusal, for the audit log and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "certificate-unreadable",
            Self::UnknownPin => "key-unknown",
            Self::Disabled => "partner-disabled",
            Self::NoOrganisation => "organisation-missing",
            Self::SeveralOrganisations => "organisation-ambiguous",
            Self::WrongOrganisation => "organisation-mismatch",
            Self::NotYetValid => "certificate-not-yet-valid",
            Self::Expired => "certificate-expired",
            Self::NotHybrid => "key-exchange-not-hybrid",
        }
    }
}

/// The pin of a certificate: SHA-256 of its public key as it stands in the certificate.
pub fn pin_of(der: &[u8]) -> Result<Pin, PeerRefusal> {
    parse(der).map(|certificate| pin(&certificate))
}

/// Whether a certificate is a given organisation's own: its only organisation, and one of the keys.
pub(crate) fn is_organisation(
    der: &[u8],
    organisation: &OrganisationCode,
    pins: &BTreeSet<Pin>,
) -> Result<(), PeerRefusal> {
    let certificate = parse(der)?;
    if !pins.contains(&pin(&certificate)) {
        return Err(PeerRefusal::UnknownPin);
    }
    if organisation_of(&certificate)? != *organisation {
        return Err(PeerRefusal::WrongOrganisation);
    }
    Ok(())
}

/// What a certificate says that a peer carries with it.
struct Facts {
    pin: Pin,
    serial: String,
    not_after: Timestamp,
}

fn recognise<'a>(
    partners: &'a Partners,
    der: &[u8],
    now: Timestamp,
) -> Result<(&'a Partner, Facts), PeerRefusal> {
    let certificate = parse(der)?;
    let pin = pin(&certificate);
    let partner = partners.by_pin(&pin).ok_or(PeerRefusal::UnknownPin)?;
    if !partner.enabled {
        return Err(PeerRefusal::Disabled);
    }
    if organisation_of(&certificate)? != partner.organisation {
        return Err(PeerRefusal::WrongOrganisation);
    }
    let validity = certificate.validity();
    if now.as_second() < validity.not_before.timestamp() {
        return Err(PeerRefusal::NotYetValid);
    }
    if now.as_second() > validity.not_after.timestamp() {
        return Err(PeerRefusal::Expired);
    }
    let not_after = Timestamp::from_second(validity.not_after.timestamp());
    let serial = crate::entropy::hex(certificate.raw_serial());
    Ok((partner, Facts { pin, serial, not_after: not_after.unwrap_or(Timestamp::MAX) }))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PeerRefusal> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(PeerRefusal::Unreadable),
    }
}

fn pin(certificate: &X509Certificate<'_>) -> Pin {
    Pin::new(crate::entropy::sha256(certificate.public_key().raw))
}

/// The one organisation a certificate names. Other names in it are beside the point, but a second
/// organisation, or one that cannot be read, is not.
fn organisation_of(certificate: &X509Certificate<'_>) -> Result<OrganisationCode, PeerRefusal> {
    let names = certificate.subject_alternative_name().or(Err(PeerRefusal::Unreadable))?;
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let mut named = names.iter().filter_map(|name| {
        let GeneralName::URI(uri) = name else { return None };
        organisation_in(uri)
    });
    match (named.next(), named.next()) {
        (None, _) => Err(PeerRefusal::NoOrganisation),
        (Some(_), Some(_)) => Err(PeerRefusal::SeveralOrganisations),
        (Some(code), None) => OrganisationCode::parse(code)
            .ok()
            .filter(|organisation| organisation.as_str() == code)
            .ok_or(PeerRefusal::WrongOrganisation),
    }
}

/// The code in a URI of ours. The scheme and the namespace of a URN are not case-sensitive.
fn organisation_in(uri: &str) -> Option<&str> {
    let start = uri.get(..ORGANISATION_URN.len())?;
    start.eq_ignore_ascii_case(ORGANISATION_URN).then(|| uri.get(ORGANISATION_URN.len()..))?
}

/// How a certificate names an organisation: this, and the code in capitals.
pub const ORGANISATION_URN: &str = "urn:ehc-gateway:organisation:";

#[cfg(test)]
mod tests;
