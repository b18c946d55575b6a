//! Reload in two steps, so that a change of trust can be written down before it takes effect.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Partners;
use crate::entropy::{hex, sha256};

use super::{Live, Material, ServerTls, TlsError};

/// What a reload would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustChange {
    /// The gateway's own certificate or key.
    Certificate,
    /// The authorities that certificates must come from.
    Authorities,
    /// The revocation lists.
    RevocationLists,
    /// The partners, as their canonical text is to be.
    Partners {
        /// See [`Partners::canonical_text`].
        canonical_text: String,
    },
}

impl TrustChange {
    /// A word for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Authorities => "authorities",
            Self::RevocationLists => "revocation-lists",
            Self::Partners { .. } => "partners",
        }
    }
}

/// What the watcher has to say.
#[derive(Debug)]
pub enum TrustNews {
    /// These changes take effect if the answer is yes; otherwise they are proposed again. With what
    /// the files would then look like.
    Changing(Vec<TrustChange>, TrustPrints),
    /// The files changed but cannot be used; the last good ones stay in force.
    Kept(TlsError),
}

/// A reload that was read, parsed and built, and is not yet in force.
#[derive(Debug)]
pub struct Prepared {
    live: Live,
    partners: Option<Partners>,
    changes: Vec<TrustChange>,
}

/// Fingerprints of the files behind a listener, in hexadecimal: of content, not of dates or line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPrints {
    /// Of the certificate chain and its key.
    pub certificate: String,
    /// Of the authorities' certificates.
    pub authorities: String,
    /// Of the revocation lists.
    pub revocation_lists: String,
}

impl Prepared {
    /// What it would change.
    pub fn changes(&self) -> &[TrustChange] {
        &self.changes
    }

    fn news(&self) -> TrustNews {
        TrustNews::Changing(self.changes.clone(), self.live.fingerprints.prints())
    }
}

impl ServerTls {
    /// What the files in force look like.
    pub fn prints(&self) -> TrustPrints {
        self.live.load().fingerprints.prints()
    }

    /// Reads the files again. `None` when nothing changed; an error leaves everything as it is.
    pub fn prepare(&self) -> Result<Option<Prepared>, TlsError> {
        let now = self.live.load();
        let material = Material::read(&self.settings)?;
        let fingerprints = Fingerprints::of(&material, self.partners_file.as_deref())?;
        if fingerprints == now.fingerprints {
            return Ok(None);
        }
        let partners = self.changed_partners()?;
        let number = now.number.wrapping_add(1);
        let offer = (self.allow_tls12, number);
        let live = Live::build(&material, &self.settings, &self.peers, &self.clock, offer)?;
        let mut changes = now.fingerprints.changes(&fingerprints);
        changes.extend(
            partners.as_ref().map(|partners| TrustChange::Partners {
                canonical_text: partners.canonical_text(),
            }),
        );
        Ok(Some(Prepared { live: Live { fingerprints, ..live }, partners, changes }))
    }

    /// Puts a prepared reload in force. Open connections stay open; their next request is checked.
    pub fn apply(&self, prepared: Prepared) {
        if let Some(partners) = prepared.partners {
            self.peers.replace(partners);
        }
        self.live.store(Arc::new(prepared.live));
    }

    /// Reads the files again and puts them in force at once. What changed, if anything.
    pub fn reload(&self) -> Result<Vec<TrustChange>, TlsError> {
        let Some(prepared) = self.prepare()? else { return Ok(Vec::new()) };
        let changes = prepared.changes.clone();
        self.apply(prepared);
        Ok(changes)
    }

    /// Looks at the files every `reload_seconds` until told to stop. `observe` writes the change
    /// down before it takes effect, and says whether it may. The same failure is told once.
    pub async fn watch<F, Fut>(self: Arc<Self>, shutdown: CancellationToken, observe: F)
    where
        F: Fn(TrustNews) -> Fut,
        Fut: Future<Output = bool>,
    {
        let every = Duration::from_secs(self.settings.reload_seconds.get().into());
        let mut told = String::new();
        while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let tls = Arc::clone(&self);
            let prepared = tokio::task::spawn_blocking(move || tls.prepare()).await;
            match prepared {
                Ok(Ok(None)) => told.clear(),
                Ok(Ok(Some(prepared))) => {
                    told.clear();
                    if prepared.changes.is_empty() || observe(prepared.news()).await {
                        self.apply(prepared);
                    }
                }
                Ok(Err(error)) if error.to_string() == told => {}
                Ok(Err(error)) => {
                    told = error.to_string();
                    observe(TrustNews::Kept(error)).await;
                }
                Err(_) => {
                    tracing::error!("reading the TLS files panicked; the last good ones stay");
                }
            }
        }
    }

    fn changed_partners(&self) -> Result<Option<Partners>, TlsError> {
        let Some(file) = &self.partners_file else { return Ok(None) };
        let partners = Partners::load(file)?;
        Ok((partners != *self.peers.partners()).then_some(partners))
    }
}

/// What the files in force looked like. Content, not dates: a copied file keeps its date.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Fingerprints {
    certificate: [u8; 32],
    authorities: [u8; 32],
    lists: [u8; 32],
    partners: [u8; 32],
}

impl Fingerprints {
    pub(super) fn of(material: &Material, partners: Option<&Path>) -> Result<Self, TlsError> {
        let partners = match partners {
            None => Vec::new(),
            Some(file) => std::fs::read(file)
                .map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })?,
        };
        Ok(Self { partners: sha256(&partners), ..Self::before_partners(material) })
    }

    /// Without the partners file, so that the first look reads it: it may have changed since the
    /// caller did.
    pub(super) fn before_partners(material: &Material) -> Self {
        let lists: Vec<&[u8]> = material.lists.iter().map(|(_, list)| list.as_ref()).collect();
        let key = sha256(material.key.secret_der());
        let chain = material.chain.iter().map(AsRef::as_ref);
        let chain: Vec<&[u8]> = chain.chain([key.as_slice()]).collect();
        let authorities: Vec<&[u8]> = material.authorities.iter().map(AsRef::as_ref).collect();
        Self {
            certificate: fingerprint(&chain),
            authorities: fingerprint(&authorities),
            lists: fingerprint(&lists),
            partners: [0; 32],
        }
    }

    fn prints(&self) -> TrustPrints {
        TrustPrints {
            certificate: hex(&self.certificate),
            authorities: hex(&self.authorities),
            revocation_lists: hex(&self.lists),
        }
    }

    fn changes(&self, new: &Self) -> Vec<TrustChange> {
        let changed = [
            (self.certificate != new.certificate, TrustChange::Certificate),
            (self.authorities != new.authorities, TrustChange::Authorities),
            (self.lists != new.lists, TrustChange::RevocationLists),
        ];
        changed.into_iter().filter(|(changed, _)| *changed).map(|(_, change)| change).collect()
    }
}

/// One hash over several pieces, none of which can be mistaken for the end of another.
fn fingerprint(pieces: &[&[u8]]) -> [u8; 32] {
    let hashes: Vec<u8> = pieces.iter().flat_map(|piece| sha256(piece)).collect();
    sha256(&hashes)
}
