//! Witnesses of the practice gateway's log, which trusts run: their files, ready for the binary.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{PracticeError, Stage, free_port, partners_file, write};
use crate::config::WitnessConfig;
use crate::entropy::SystemEntropy;
use crate::witness::Witness;

/// The files of a witness.
#[derive(Debug, Clone)]
pub struct WitnessFiles {
    /// Its configuration file.
    pub config: PathBuf,
    /// Its public key.
    pub vkey: String,
    /// Where it is asked.
    pub address: SocketAddr,
}

impl Stage {
    /// Makes a witness that the community trust runs and the gateway asks, from its next start on.
    /// `more` is added to `[audit]`, such as `require_witness = true`.
    pub fn appoint_witness(&self, log: &str, more: &str) -> Result<WitnessFiles, PracticeError> {
        let files = self.witness("trust-ryw", ("server.pem", "server-key.pem"), log)?;
        let config = std::fs::read_to_string(&self.config)
            .map_err(|error| PracticeError::File(self.config.clone(), error))?;
        let WitnessFiles { vkey, address, .. } = &files;
        let text = format!(
            "{config}\n[audit]\n{more}\n[[audit.witnesses]]\nvkey = \"{vkey}\"\nurl = \"https://{address}\"\npartner = \"RYW\"\n"
        );
        write(&self.config, &text)?;
        Ok(files)
    }

    /// Makes a witness that the mental health trust runs, which comes and looks by itself.
    pub fn visiting_witness(&self, log: &str) -> Result<WitnessFiles, PracticeError> {
        self.witness("trust-rxt", ("certificate.pem", "key.pem"), log)
    }

    fn witness(
        &self,
        name: &str,
        (certificate, key): (&str, &str),
        log: &str,
    ) -> Result<WitnessFiles, PracticeError> {
        let folder = self.plan.dir.join("witnesses").join(name);
        let made = std::fs::create_dir_all(&folder);
        made.map_err(|error| PracticeError::File(folder.clone(), error))?;
        write(&folder.join("partners.toml"), &partners_file(vec![self.gateway_as_partner()?])?)?;
        // Nobody listens there before the witness does, a moment later.
        let address = free_port(&mut Vec::new())?;
        let config = folder.join("witness.toml");
        let text = CONFIG
            .replace("{name}", &format!("{name}.example/witness"))
            .replace("{folder}", &format!("../../pki/partners/{name}"))
            .replace("{certificate}", certificate)
            .replace("{key}", key)
            .replace("{listen}", &address.to_string())
            .replace("{vkey}", log)
            .replace("{gateway}", &self.address.to_string());
        write(&config, &text)?;
        let made = Witness::make(&WitnessConfig::load(&config)?, &SystemEntropy::default())?;
        Ok(WitnessFiles { config, vkey: made, address })
    }

    /// The public key of the practice gateway's log, before the gateway has started.
    pub fn log_vkey(&self) -> Result<String, PracticeError> {
        let (key, origin) = (self.plan.dir.join("keys/log-signing.key"), "ehc-gateway/EHCGW");
        let signer = crate::audit::checkpoint::LogSigner::load(&key, origin);
        Ok(signer.map_err(crate::app::AppError::from).map_err(PracticeError::Keys)?.vkey())
    }
}

const CONFIG: &str = r#"# A practice witness: made-up people only.
name = "{name}"
key = "witness.key"
state = "state.json"
listen = "{listen}"
partners = "partners.toml"

[tls]
certificate = "{folder}/{certificate}"
key = "{folder}/{key}"
client_authorities = "../../pki/authority/certificate.pem"

[[log]]
vkey = "{vkey}"
url = "https://{gateway}"
gateway = "EHCGW"
"#;
