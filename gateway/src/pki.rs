//! A practice PKI: an authority, a gateway, partners, and villains with exactly one fault each.
//!
//! Owns: minting certificates for tests, the demo and the `pki` command. Everything is made fresh,
//! in memory, from operating-system randomness, and is worthless outside the run or the trial it
//! was made for. Key files are written for their owner only.
//!
//! Must never know: the configuration, or how a certificate is judged. `peer` and `tls` judge.
//!
//! Use: `let practice = Practice::mint(&plan)?; practice.write(dir)?;`
//!
//! Limits: P-256 keys only, one level of authority. Not supported: issuing certificates for real
//! use, because a practice authority has no safe place for its key.

mod villain;
mod writer;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemas::OrganisationCode;
use zeroize::Zeroizing;

use crate::config::Pin;
use crate::entropy::{Entropy, SystemEntropy};
use crate::peer::ORGANISATION_URN;

pub use villain::{Villain, VillainKind};

/// What to mint.
#[derive(Debug, Clone)]
pub struct PracticePlan {
    /// The organisation that runs the gateway.
    pub gateway: OrganisationCode,
    /// Partners by the name their files are to have: lower-case letters, digits and hyphens.
    pub partners: BTreeMap<String, OrganisationCode>,
    /// From when the certificates are valid.
    pub now: Timestamp,
    /// For how many days.
    pub days: u32,
}

/// A freshly minted practice PKI.
pub struct Practice {
    authority: Authority,
    gateway: Issued,
    partners: BTreeMap<String, PracticePartner>,
    villains: Vec<Villain>,
    now: Timestamp,
    days: u32,
}

/// A partner's two certificates: one to call with, one for its own endpoint.
#[derive(Debug)]
pub struct PracticePartner {
    /// The organisation.
    pub organisation: OrganisationCode,
    /// What it calls the gateway with.
    pub client: Issued,
    /// What its endpoint answers with.
    pub server: Issued,
}

/// A certificate and its key.
pub struct Issued {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
    serial: Vec<u8>,
    pin: Pin,
}

/// A certificate could not be minted, read or written.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Minting failed.
    #[error("a certificate could not be minted: {0}")]
    Mint(#[from] rcgen::Error),
    /// There was no randomness for a serial number.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
    /// A file name was refused.
    #[error("{0:?} cannot be a file name; use lower-case letters, digits and hyphens")]
    Name(String),
    /// A file could not be written.
    #[error("{} could not be written: {source}; use an empty folder", .file.display())]
    Write {
        /// The file.
        file: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A certificate could not be read.
    #[error("this is not a certificate in PEM form")]
    NotCertificate,
    /// What was asked for was not planned.
    #[error("no partner is called {0:?}")]
    UnknownPartner(String),
}

impl Practice {
    /// Mints everything. The first partner is the one the villains impersonate.
    pub fn mint(plan: &PracticePlan) -> Result<Self, PkiError> {
        let validity = Validity::days(plan.now, plan.days);
        let authority = Authority::mint("EHC Gateway practice authority", validity)?;
        let mut partners = BTreeMap::new();
        for (name, organisation) in &plan.partners {
            writer::check_name(name)?;
            let client = Profile::client(organisation, validity).issue(&authority, None)?;
            let server = Profile::server(organisation, validity).issue(&authority, None)?;
            let partner = PracticePartner { organisation: organisation.clone(), client, server };
            partners.insert(name.clone(), partner);
        }
        let mut profile = Profile::server(&plan.gateway, validity);
        profile.uses.push(ExtendedKeyUsagePurpose::ClientAuth);
        let gateway = profile.issue(&authority, None)?;
        let villains = match partners.values().next() {
            Some(victim) => villain::mint(&authority, victim, validity)?,
            None => Vec::new(),
        };
        Ok(Self { authority, gateway, partners, villains, now: plan.now, days: plan.days })
    }

    /// The authority's certificate, PEM.
    pub fn authority_pem(&self) -> String {
        self.authority.0.pem()
    }

    /// The gateway's certificate: for its listener and for its pushes.
    pub fn gateway(&self) -> &Issued {
        &self.gateway
    }

    /// A partner by the name it was planned with.
    pub fn partner(&self, name: &str) -> Result<&PracticePartner, PkiError> {
        self.partners.get(name).ok_or_else(|| PkiError::UnknownPartner(name.to_owned()))
    }

    /// All partners by name.
    pub fn partners(&self) -> impl Iterator<Item = (&str, &PracticePartner)> {
        self.partners.iter().map(|(name, partner)| (name.as_str(), partner))
    }

    /// Certificates that must not get in, each for one reason.
    pub fn villains(&self) -> &[Villain] {
        &self.villains
    }

    /// Another certificate for a partner, with a new key: what a renewal brings.
    pub fn renew(&self, name: &str) -> Result<Issued, PkiError> {
        let organisation = &self.partner(name)?.organisation;
        let validity = Validity::days(self.now, self.days);
        Profile::client(organisation, validity).issue(&self.authority, None)
    }

    /// The revocation list as minted: the villain that was revoked, and nobody else. PEM.
    pub fn revocation_list(&self) -> Result<String, PkiError> {
        self.revocation_list_with(&[], self.now, self.days)
    }

    /// A newer list that also revokes these, issued at an instant and valid for some days. PEM.
    pub fn revocation_list_with(
        &self,
        revoked: &[&Issued],
        now: Timestamp,
        days: u32,
    ) -> Result<String, PkiError> {
        let of_old = self.villains.iter().filter(|v| v.kind == VillainKind::Revoked);
        let serials = of_old.map(|v| &v.issued).chain(revoked.iter().copied());
        let serials: Vec<&[u8]> = serials.map(|issued| issued.serial.as_slice()).collect();
        self.authority.revocation_list(&serials, Validity::days(now, days))
    }
}

impl std::fmt::Debug for Practice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Practice").field("partners", &self.partners).finish_non_exhaustive()
    }
}

impl Issued {
    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The key, PEM (PKCS #8). It is wiped when dropped.
    pub fn expose_key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// The pin to write into `partners.toml`.
    pub fn pin(&self) -> Pin {
        self.pin
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("pin", &self.pin).finish_non_exhaustive()
    }
}

/// The pin of the first certificate in a PEM file.
pub fn pin_of_pem(pem: &[u8]) -> Result<Pin, PkiError> {
    let certificate = CertificateDer::from_pem_slice(pem).or(Err(PkiError::NotCertificate))?;
    crate::peer::pin_of(&certificate).or(Err(PkiError::NotCertificate))
}

/// From when to when.
#[derive(Clone, Copy)]
struct Validity {
    from: i64,
    to: i64,
}

impl Validity {
    /// A little before an instant, for clocks that disagree, until days after it.
    fn days(now: Timestamp, days: u32) -> Self {
        let from = now.as_second().saturating_sub(CLOCK_SKEW_SECONDS);
        Self { from, to: now.as_second().saturating_add(i64::from(days) * DAY_SECONDS) }
    }

    fn moved(self, days: i64) -> Self {
        let by = days * DAY_SECONDS;
        Self { from: self.from.saturating_add(by), to: self.to.saturating_add(by) }
    }
}

/// A certificate authority with its key.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn mint(name: &str, validity: Validity) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        set_validity(&mut params, validity);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn revocation_list(&self, serials: &[&[u8]], validity: Validity) -> Result<String, PkiError> {
        let at = |second: i64| rcgen::date_time_ymd(1970, 1, 1) + since_epoch(second);
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: at(validity.from),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(validity.from),
            next_update: at(validity.to),
            crl_number: SerialNumber::from(u64::try_from(validity.from).unwrap_or(1)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.0)?.pem()?)
    }
}

/// What a certificate is to say.
struct Profile {
    organisations: Vec<String>,
    hosts: bool,
    uses: Vec<ExtendedKeyUsagePurpose>,
    validity: Validity,
    authority: bool,
    critical: bool,
}

impl Profile {
    fn client(organisation: &OrganisationCode, validity: Validity) -> Self {
        Self {
            organisations: vec![organisation.as_str().to_owned()],
            hosts: false,
            uses: vec![ExtendedKeyUsagePurpose::ClientAuth],
            validity,
            authority: false,
            critical: false,
        }
    }

    fn server(organisation: &OrganisationCode, validity: Validity) -> Self {
        let uses = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self { hosts: true, uses, ..Self::client(organisation, validity) }
    }

    /// Issued by an authority, with a new key unless one is given.
    fn issue(&self, authority: &Authority, key: Option<&KeyPair>) -> Result<Issued, PkiError> {
        let (params, key, serial) = self.prepare(key)?;
        Issued::new(&params.signed_by(&key, &authority.0)?, key, serial)
    }

    /// Issued by itself.
    fn issue_self_signed(&self, key: Option<&KeyPair>) -> Result<Issued, PkiError> {
        let (params, key, serial) = self.prepare(key)?;
        Issued::new(&params.self_signed(&key)?, key, serial)
    }

    fn prepare(
        &self,
        key: Option<&KeyPair>,
    ) -> Result<(CertificateParams, KeyPair, Vec<u8>), PkiError> {
        let key = match key {
            Some(key) => KeyPair::from_pem(&Zeroizing::new(key.serialize_pem()))?,
            None => KeyPair::generate()?,
        };
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "practice only; look at the names below");
        for organisation in &self.organisations {
            let name = Ia5String::try_from(format!("{ORGANISATION_URN}{organisation}"))?;
            params.subject_alt_names.push(SanType::URI(name));
        }
        if self.hosts {
            params.subject_alt_names.push(SanType::DnsName(Ia5String::try_from("localhost")?));
            params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        }
        params.is_ca = if self.authority {
            IsCa::Ca(BasicConstraints::Constrained(0))
        } else {
            IsCa::ExplicitNoCa
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clone_from(&self.uses);
        params.use_authority_key_identifier_extension = true;
        if self.critical {
            let content = vec![0x05, 0x00];
            let mut unknown = rcgen::CustomExtension::from_oid_content(UNKNOWN_OID, content);
            unknown.set_criticality(true);
            params.custom_extensions.push(unknown);
        }
        set_validity(&mut params, self.validity);
        let serial = serial()?;
        params.serial_number = Some(serial.clone());
        Ok((params, key, serial.to_bytes()))
    }
}

impl Issued {
    fn new(
        certificate: &rcgen::Certificate,
        key: KeyPair,
        serial: Vec<u8>,
    ) -> Result<Self, PkiError> {
        let pin = crate::peer::pin_of(certificate.der()).or(Err(PkiError::NotCertificate))?;
        let certificate_pem = certificate.pem();
        Ok(Self { certificate: certificate.der().clone(), certificate_pem, key, serial, pin })
    }
}

/// A positive serial number of sixteen random bytes, as authorities must use.
fn serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0u8; 16];
    SystemEntropy::default().fill(&mut bytes)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(validity.from);
    params.not_after = epoch + since_epoch(validity.to);
}

fn since_epoch(second: i64) -> Duration {
    Duration::from_secs(u64::try_from(second).unwrap_or(0))
}

const CLOCK_SKEW_SECONDS: i64 = 300;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// The enterprise number set aside for documentation (RFC 5612).
const UNKNOWN_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 32473, 1];

#[cfg(test)]
mod tests;
