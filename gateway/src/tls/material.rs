//! The files behind a TLS configuration, read and parsed but not yet put to use.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::config::{TlsSection, readable_by_others};

use super::{RootCertStore, TlsError};

/// Everything one TLS configuration is made of.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) lists: Vec<(PathBuf, CertificateRevocationListDer<'static>)>,
    authorities_file: PathBuf,
}

impl Material {
    pub(super) fn read(settings: &TlsSection) -> Result<Self, TlsError> {
        let mut lists = Vec::new();
        for file in &settings.revocation_lists {
            let found = revocation_lists(file)?;
            lists.extend(found.into_iter().map(|list| (file.clone(), list)));
        }
        Ok(Self {
            chain: certificates(&settings.certificate)?,
            key: private_key(&settings.key)?,
            authorities: certificates(&settings.client_authorities)?,
            lists,
            authorities_file: settings.client_authorities.clone(),
        })
    }

    /// Checks callers' chains. With any list, unknown status and an outdated list mean no.
    pub(super) fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let roots = self.roots()?;
        let build = |lists: Vec<CertificateRevocationListDer<'static>>| {
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
                .with_crls(lists)
                .enforce_revocation_expiration()
                .build()
        };
        // Each list on its own first, so that a bad one is named.
        for (file, list) in &self.lists {
            guarded(file, || build(vec![list.clone()]))?;
        }
        let all = self.lists.iter().map(|(_, list)| list.clone()).collect();
        guarded(&self.authorities_file, || build(all))
    }

    /// Checks the chain and name of a partner's endpoint, by the same authorities and lists.
    pub(super) fn endpoint_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
        let roots = self.roots()?;
        guarded(&self.authorities_file, || {
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
                .with_crls(self.lists.iter().map(|(_, list)| list.clone()))
                .enforce_revocation_expiration()
                .build()
        })
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            roots.add(authority.clone()).map_err(|source| TlsError::Authority {
                file: self.authorities_file.clone(),
                source,
            })?;
        }
        Ok(Arc::new(roots))
    }
}

/// Runs the list parser where a panic cannot take the gateway down (RUSTSEC-2026-0104).
fn guarded<T, E: std::fmt::Display>(
    file: &Path,
    parse: impl FnOnce() -> Result<T, E>,
) -> Result<T, TlsError> {
    let unusable = |reason| TlsError::RevocationList { file: file.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(parsed) => parsed.map_err(|error| unusable(error.to_string())),
        Err(_) => Err(unusable("reading it made the parser panic".to_owned())),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = || TlsError::Missing { file: file.to_owned(), what: "certificate" };
    let bytes = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(missing)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { file: file.to_owned(), source };
    if readable_by_others(&std::fs::metadata(file).map_err(unreadable)?) {
        return Err(TlsError::Exposed { file: file.to_owned() });
    }
    let bytes = zeroize::Zeroizing::new(read(file)?);
    PrivateKeyDer::from_pem_slice(&bytes)
        .or(Err(TlsError::Missing { file: file.to_owned(), what: "private key" }))
}

/// Authorities publish lists as PEM or as plain DER; both are read.
fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let missing = || TlsError::Missing { file: file.to_owned(), what: "revocation list" };
    let bytes = read(file)?;
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(missing)
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

const DER_SEQUENCE: u8 = 0x30;
