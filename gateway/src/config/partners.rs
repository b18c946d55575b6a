//! `partners.toml`: the organisations that may connect, by the keys they connect with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use adapters::Format;
use adapters::feed::Feed;
use adapters::mesh::{Mailbox, Workflows};
use schemas::OrganisationCode;
use serde::{Deserialize, Serialize};

use crate::peer::Role;
use crate::queue::CarrierKind;

use super::ConfigError;
use super::document::{Document, FIX, Step};
use super::folders::{self, Watch};

/// One organisation that may connect, and how it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The organisation, by its code; its certificates must say the same.
    pub organisation: OrganisationCode,
    /// Its name, as other partners read it.
    pub name: String,
    /// What it may be here.
    pub roles: BTreeSet<Role>,
    /// The keys it connects with. Several, so that a renewal overlaps.
    #[serde(default)]
    pub pins: BTreeSet<Pin>,
    /// The format it is written to in, unless it asks for another.
    pub format: Format,
    /// The mapping file for its tabular extracts.
    #[serde(default)]
    pub mapping: Option<String>,
    /// How deliveries reach it.
    pub carrier: CarrierKind,
    /// Where pushes go.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The keys its endpoint answers with.
    #[serde(default)]
    pub server_pins: BTreeSet<Pin>,
    /// Its mailbox on NHS MESH: where parcels go with `carrier = "mesh"`, and how what it sends
    /// is known to be its own.
    #[serde(default)]
    pub mailbox: Option<Mailbox>,
    /// Workflow ids that are agreed with it alone, before those of `[mesh]`.
    #[serde(default, skip_serializing_if = "Workflows::is_empty")]
    pub workflows: Workflows,
    /// Use TLS 1.2 where its MLLP endpoint knows nothing newer.
    #[serde(default)]
    pub allow_tls12: bool,
    /// Where files are dropped for it. Relative to this file, unless it is absolute.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// What its feed may leave out or do differently.
    #[serde(default)]
    pub feed: Feed,
    /// The folder its exports are picked up from.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// Refuse it without hybrid post-quantum key exchange.
    #[serde(default)]
    pub require_hybrid: bool,
    /// Whether it may connect at all.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
}

impl Partner {
    /// A partner that collects from its inbox, and nothing else that differs from the defaults.
    pub fn new(organisation: OrganisationCode, name: &str, role: Role, pin: Pin) -> Self {
        Self {
            organisation,
            name: name.to_owned(),
            roles: [role].into(),
            pins: [pin].into(),
            format: Format::Json,
            mapping: None,
            carrier: CarrierKind::Collect,
            endpoint: None,
            server_pins: BTreeSet::new(),
            mailbox: None,
            workflows: Workflows::none(),
            folder: None,
            feed: Feed::default(),
            watch: None,
            allow_tls12: false,
            require_hybrid: false,
            enabled: true,
        }
    }
}

/// SHA-256 of a certificate's public key (its `SubjectPublicKeyInfo`), written `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin([u8; 32]);

/// Every partner, found by key or by organisation. Neither belongs to two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partners {
    by_organisation: BTreeMap<OrganisationCode, Partner>,
    by_pin: BTreeMap<Pin, OrganisationCode>,
}

impl Partners {
    /// Reads a partners file whole.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::from_document(&Document::read(path)?)
    }

    /// The same from text that stands for the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::from_document(&Document::new(path, text.to_owned()))
    }

    /// The partner that a key belongs to, enabled or not.
    pub fn by_pin(&self, pin: &Pin) -> Option<&Partner> {
        self.by_pin.get(pin).and_then(|organisation| self.by_organisation(organisation))
    }

    /// The partner with a code, enabled or not.
    pub fn by_organisation(&self, organisation: &OrganisationCode) -> Option<&Partner> {
        self.by_organisation.get(organisation)
    }

    /// The partner with a mailbox, enabled or not.
    pub fn by_mailbox(&self, mailbox: &Mailbox) -> Option<&Partner> {
        self.iter().find(|partner| partner.mailbox.as_ref() == Some(mailbox))
    }

    /// All of them, by code.
    pub fn iter(&self) -> impl Iterator<Item = &Partner> {
        self.by_organisation.values()
    }

    /// The content in one fixed form, whatever order and spacing the file had: for a fingerprint.
    pub fn canonical_text(&self) -> String {
        let line = |partner: &Partner| serde_json::to_string(partner).unwrap_or_default() + "\n";
        self.iter().map(line).collect()
    }

    fn from_document(document: &Document) -> Result<Self, ConfigError> {
        let raw: Raw = document.parse()?;
        if raw.partner.is_empty() {
            // Most likely a file that is still being written; nobody could connect with it.
            return Err(document.error(&[], "there is no partner here", "add a [[partner]] entry"));
        }
        let mut partners = Self::default();
        for (index, mut partner) in raw.partner.into_iter().enumerate() {
            let at = |setting| [Step::Key("partner"), Step::Index(index), Step::Key(setting)];
            if let Some((setting, problem, fix)) = fault(&partner) {
                return Err(document.error(&at(setting), problem, fix));
            }
            folders::resolve(&mut partner, document.file());
            if let Some((setting, problem, fix)) = folders::overlap(&partner, partners.iter()) {
                return Err(document.error(&at(setting), problem, fix));
            }
            let organisation = partner.organisation.clone();
            for pin in &partner.pins {
                if partners.by_pin.insert(*pin, organisation.clone()).is_some() {
                    let problem = format!("the pin {pin} belongs to two partners");
                    let fix = "give each organisation a key of its own";
                    return Err(document.error(&at("pins"), &problem, fix));
                }
            }
            if let Some(mailbox) = &partner.mailbox
                && partners.by_mailbox(mailbox).is_some()
            {
                let problem = format!("the mailbox {mailbox} belongs to two partners");
                let fix = "give each organisation its own mailbox, or leave one out";
                return Err(document.error(&at("mailbox"), &problem, fix));
            }
            if partners.by_organisation.insert(organisation.clone(), partner).is_some() {
                let problem = format!("{} is here twice", organisation.as_str());
                let fix = "keep one entry; list overlapping keys in its pins";
                return Err(document.error(&at("organisation"), &problem, fix));
            }
        }
        Ok(partners)
    }
}

impl Pin {
    /// A pin from the hash itself.
    pub fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Parses `sha256:` and sixty-four hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
        let bytes = digits.chunks_exact(2).filter_map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        });
        let bytes: Vec<u8> = bytes.collect();
        (digits.len() == 64).then(|| bytes.try_into().ok().map(Self)).flatten()
    }

    /// The sixty-four hexadecimal digits alone, as the audit log has them.
    pub fn to_hex(&self) -> String {
        crate::entropy::hex(&self.0)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.to_string()
    }
}

impl TryFrom<String> for Pin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!(
                "this is not a pin{FIX}write \"sha256:\" and the 64 hexadecimal digits of the \
                 certificate's public key (`ehc-gateway pki pin CERTIFICATE` prints it)"
            )
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    partner: Vec<Partner>,
}

/// What is wrong with one partner on its own: the setting, the problem and the fix.
fn fault(partner: &Partner) -> Option<(&'static str, &'static str, &'static str)> {
    if partner.name.trim().is_empty() || partner.name.chars().any(char::is_control) {
        return Some((
            "name",
            "the name is empty or not plain text",
            "write the organisation's name",
        ));
    }
    if partner.roles.is_empty() {
        return Some(("roles", "a partner needs a role", "add one, for example \"health-trust\""));
    }
    // Whoever is reached through MESH alone need not connect here.
    let connects = partner.carrier != CarrierKind::Mesh;
    if partner.pins.is_empty() && partner.enabled && connects {
        let fix = "add the pin of its certificate, or set enabled = false until you have it";
        return Some(("pins", "a partner that may connect needs a pin", fix));
    }
    if partner.allow_tls12 && (partner.carrier != CarrierKind::Mllp || partner.require_hybrid) {
        let problem = "TLS 1.2 is for MLLP alone, and has no hybrid key exchange";
        return Some(("allow_tls12", problem, "remove it; everything else is TLS 1.3"));
    }
    if let Some(fault) = folders::fault(partner) {
        return Some(fault);
    }
    match (partner.carrier, &partner.endpoint) {
        (CarrierKind::HttpsPush, None) => {
            Some(("carrier", "https-push needs an endpoint", "add endpoint = \"https://...\""))
        }
        (CarrierKind::HttpsPush, Some(endpoint)) => endpoint_fault(endpoint).or_else(|| {
            let fix = "add the pin of the certificate its endpoint answers with";
            let problem = "https-push needs server_pins";
            partner.server_pins.is_empty().then_some(("carrier", problem, fix))
        }),
        (CarrierKind::Collect, Some(_)) => {
            let fix = "remove it, or set carrier = \"https-push\"";
            Some(("endpoint", "a partner that collects has no endpoint", fix))
        }
        (CarrierKind::Collect, None) | (CarrierKind::DropFolder, _) => None,
        (CarrierKind::FhirMessage, _) => fhir_message_fault(partner),
        (CarrierKind::Mllp, endpoint) => mllp_fault(partner, endpoint.as_deref()),
        (CarrierKind::Mesh, Some(_)) => {
            let fix = "remove it; parcels go to its mailbox";
            Some(("endpoint", "a partner that is reached through MESH has no endpoint", fix))
        }
        (CarrierKind::Mesh, None) => {
            let fix = "add mailbox = \"...\" with its mailbox id in upper case";
            let problem = "mesh needs the partner's mailbox";
            partner.mailbox.is_none().then_some(("carrier", problem, fix))
        }
    }
}

/// A partner that is sent FHIR messages has an endpoint, its pins, and a FHIR format.
fn fhir_message_fault(partner: &Partner) -> Option<(&'static str, &'static str, &'static str)> {
    let Some(endpoint) = &partner.endpoint else {
        let fix = "add endpoint = \"https://.../$process-message\"";
        return Some(("carrier", "fhir-message needs an endpoint", fix));
    };
    if let Some(fault) = endpoint_fault(endpoint) {
        return Some(fault);
    }
    if partner.server_pins.is_empty() {
        let fix = "add the pin of the certificate its endpoint answers with";
        return Some(("carrier", "fhir-message needs server_pins", fix));
    }
    let fhir = matches!(partner.format, Format::Fhir | Format::FhirXml);
    let fix = "set format = \"fhir\" or \"fhir-xml\"";
    (!fhir).then_some(("format", "fhir-message sends FHIR and nothing else", fix))
}

fn mllp_fault(
    partner: &Partner,
    endpoint: Option<&str>,
) -> Option<(&'static str, &'static str, &'static str)> {
    let Some(endpoint) = endpoint else {
        return Some(("carrier", "mllp needs an endpoint", "add endpoint = \"mllps://host:port\""));
    };
    if mllp_address(endpoint).is_none() {
        let fix = "write mllps://host:port and nothing else";
        return Some(("endpoint", "this is not an endpoint that MLLP can be sent to", fix));
    }
    if partner.server_pins.is_empty() {
        let fix = "add the pin of the certificate its endpoint answers with";
        return Some(("carrier", "mllp needs server_pins", fix));
    }
    let fix = "set format = \"hl7\"";
    (partner.format != Format::Hl7).then_some(("format", "mllp carries HL7 v2 only", fix))
}

/// The host and port of an endpoint written `mllps://host:port`.
pub(crate) fn mllp_address(endpoint: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(endpoint).ok()?;
    let bare = url.scheme() == "mllps"
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|_| bare)?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port()?))
}

fn endpoint_fault(endpoint: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let url = reqwest::Url::parse(endpoint).ok().filter(|url| {
        url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    let fix = "write https://host:port/path, without user name, query or fragment";
    url.is_none().then_some(("endpoint", "this is not an endpoint the gateway may push to", fix))
}

fn default_enabled() -> bool {
    true
}
