//! The files of a practice MESH: an authority of its own, certificates, passwords, a shared key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapters::mesh::Mailbox;
use jiff::Timestamp;
use schemas::OrganisationCode;

use super::super::{PracticeError, VALID_DAYS, write};
use crate::clock::Clock;
use crate::config::{DeliverySection, MeshSection};
use crate::delivery::mesh::exchange::{Exchange, MeshError};
use crate::entropy::SystemEntropy;
use crate::peer::Role;
use crate::pki::{Practice, PracticePlan};
use crate::secret_file;

/// The files of a practice MESH, in a folder of their own.
#[derive(Debug)]
pub struct MailboxFiles {
    dir: PathBuf,
    practice: Practice,
}

impl MailboxFiles {
    /// Mints them in a folder. Each owner of a mailbox gets a client certificate, by the name its
    /// files are to have; the server's names this machine.
    pub fn mint(
        dir: &Path,
        owners: &[(&str, OrganisationCode)],
        now: Timestamp,
    ) -> Result<Self, PracticeError> {
        let server = OrganisationCode::parse(SERVER).or(Err(PracticeError::Code(SERVER)))?;
        let owners = owners.iter().map(|(name, code)| ((*name).to_owned(), code.clone()));
        let partners: BTreeMap<String, OrganisationCode> = owners.collect();
        let plan = PracticePlan { gateway: server, partners, now, days: VALID_DAYS };
        let practice = Practice::mint(&plan)?;
        practice.write(&dir.join("pki"))?;
        secret_file::create(&dir.join("password"), PASSWORD.as_bytes())?;
        secret_file::create(&dir.join("wrong-password"), b"not-the-password\n")?;
        secret_file::create(&dir.join("shared-key"), SHARED_KEY.as_bytes())?;
        Ok(Self { dir: dir.to_owned(), practice })
    }

    /// Where the server's certificate, its key and the authority are.
    pub fn server(&self) -> [PathBuf; 3] {
        let pki = self.dir.join("pki");
        [
            pki.join("gateway/certificate.pem"),
            pki.join("gateway/key.pem"),
            pki.join("authority/certificate.pem"),
        ]
    }

    /// A certificate from another authority, with its key: a stranger's.
    pub fn stranger(&self) -> [PathBuf; 2] {
        let folder = self.dir.join("pki/villains/wrong-authority");
        [folder.join("certificate.pem"), folder.join("key.pem")]
    }

    /// The settings of an owner's `[mesh]` section, as text without its heading.
    pub fn settings(&self, owner: &str, mailbox: &Mailbox, server: SocketAddr) -> String {
        let dir = self.dir.display();
        let pin = self.practice.gateway().pin();
        format!(
            "base_url = \"https://localhost:{port}\"\n\
             mailbox = \"{mailbox}\"\n\
             password_file = \"{dir}/password\"\n\
             shared_key_file = \"{dir}/shared-key\"\n\
             certificate = \"{dir}/pki/partners/{owner}/certificate.pem\"\n\
             key = \"{dir}/pki/partners/{owner}/key.pem\"\n\
             authorities = \"{dir}/pki/authority/certificate.pem\"\n\
             server_pins = [\"{pin}\"]\n\
             poll_seconds = 1\n",
            port = server.port(),
        )
    }

    /// The same, read.
    pub fn section(
        &self,
        owner: &str,
        mailbox: &Mailbox,
        server: SocketAddr,
    ) -> Result<MeshSection, toml::de::Error> {
        toml::from_str(&self.settings(owner, mailbox, server))
    }

    /// An owner's own connection to the server, with some settings changed.
    pub fn exchange(
        &self,
        (owner, mailbox): (&str, &Mailbox),
        server: SocketAddr,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut MeshSection),
    ) -> Result<Exchange, MeshError> {
        let section = self.section(owner, mailbox, server);
        let mut section = section.map_err(|error| MeshError::Files(Box::new(error)))?;
        change(&mut section);
        let entropy = Arc::new(SystemEntropy::default());
        Exchange::open(&section, &DeliverySection::default(), clock, entropy)
    }

    /// The file that holds another password than the mailbox's.
    pub fn wrong_password(&self) -> PathBuf {
        self.dir.join("wrong-password")
    }

    /// A partners file for the server: who may connect at all.
    pub(super) fn callers(&self) -> Result<String, PracticeError> {
        let partners = self.practice.partners().map(|(name, partner)| {
            let (organisation, pin) = (partner.organisation.clone(), partner.client.pin());
            crate::config::Partner::new(organisation, name, Role::Operator, pin)
        });
        super::super::partners_file(partners.collect())
    }

    /// Writes a text file beside the others.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, PracticeError> {
        let file = self.dir.join(name);
        write(&file, text).map(|()| file)
    }
}

/// The password of every practice mailbox, as mesh-sandbox has it.
pub const PASSWORD: &str = "password";
/// The shared key of the practice environment.
pub const SHARED_KEY: &str = "TestKey";
/// The practice server's own code: NHS England's.
const SERVER: &str = "X26";
