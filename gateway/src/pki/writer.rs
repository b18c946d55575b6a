//! A practice PKI as files, the keys for their owner only.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Issued, PkiError, Practice};

impl Practice {
    /// Writes everything below a folder, and says what was written.
    ///
    /// `authority/` has the certificate, its key and the revocation list; `gateway/`,
    /// `partners/<name>/` and `villains/<kind>/` have `certificate.pem` and `key.pem`; a partner
    /// also has `server.pem` and `server-key.pem` for its endpoint. No file is overwritten.
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, PkiError> {
        let mut written = Vec::new();
        let authority = dir.join("authority");
        let key = zeroize::Zeroizing::new(self.authority.0.key().serialize_pem());
        put(&mut written, authority.join("certificate.pem"), &self.authority_pem(), PUBLIC)?;
        put(&mut written, authority.join("key.pem"), &key, SECRET)?;
        put(&mut written, authority.join("revoked.pem"), &self.revocation_list()?, PUBLIC)?;
        put_pair(
            &mut written,
            &dir.join("gateway"),
            ("certificate.pem", "key.pem"),
            &self.gateway,
        )?;
        for (name, partner) in self.partners() {
            let folder = dir.join("partners").join(name);
            put_pair(&mut written, &folder, ("certificate.pem", "key.pem"), &partner.client)?;
            put_pair(&mut written, &folder, ("server.pem", "server-key.pem"), &partner.server)?;
        }
        for villain in self.villains() {
            let folder = dir.join("villains").join(villain.kind.name());
            put_pair(&mut written, &folder, ("certificate.pem", "key.pem"), &villain.issued)?;
        }
        Ok(written)
    }
}

/// Whether a partner's name can be the name of a folder.
pub(super) fn check_name(name: &str) -> Result<(), PkiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
        return Err(PkiError::Name(name.to_owned()));
    }
    Ok(())
}

fn put_pair(
    written: &mut Vec<PathBuf>,
    folder: &Path,
    (certificate, key): (&str, &str),
    issued: &Issued,
) -> Result<(), PkiError> {
    put(written, folder.join(certificate), issued.certificate_pem(), PUBLIC)?;
    put(written, folder.join(key), &issued.expose_key_pem(), SECRET)
}

fn put(written: &mut Vec<PathBuf>, file: PathBuf, text: &str, mode: u32) -> Result<(), PkiError> {
    let result = (|| {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options, mode);
        options.open(&file)?.write_all(text.as_bytes())
    })();
    result.map_err(|source| PkiError::Write { file: file.clone(), source })?;
    written.push(file);
    Ok(())
}

#[cfg(unix)]
fn restrict(options: &mut std::fs::OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

#[cfg(not(unix))]
fn restrict(_options: &mut std::fs::OpenOptions, _mode: u32) {}

const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;
