//! What the gateway works by, and that another one is an entry of the log: files of policy, trust,
//! configuration, certificate and keys.
//!
//! Owns their fingerprints (`Piece`), which are held against those last in force at every start and
//! at every reload, and the two entries that name what changed: `trust.changed` for whoever may connect,
//! what may be shared and how it is worked on, `settings.changed` for configuration, certificate and
//! keys. Each names the pieces, the fingerprint of each and the one before. A fingerprint tells that
//! something is another and nothing of what it is; those of secret keys are keyed by the key itself.
//! Must never know what a file says.
//!
//! To use it: `Files` is filled while the parts are built ([`App::open`]), so that what is compared
//! is what was read. `at_start` and `at_reload` make the change to commit.
//!
//! Limits: what is changed and changed back while the gateway is down is not seen. An entry has the
//! fingerprints of at most `TOLD_MAX` pieces, and the names' number beyond. Not supported: approval
//! of changes by two people, because whoever may write these files owns the machine.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::{App, AppError};
use crate::audit::{Actor, Event, EventKind};
use crate::entropy::{hex, sha256, sha256_hex};
use crate::store::{Change, Write};
use crate::tls::TrustPrints;
use crate::vault::keyring::KeyFile;

/// One thing that the gateway works by, as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    name: String,
    print: String,
    version: Option<String>,
}

/// The files of policy, as they were read: for every name the text in force, the operator's own or the
/// one that comes with the gateway.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<String, Piece>);

impl Files {
    /// A file was read. `version` is what it says of itself, where decisions name that. A second text
    /// of the same name takes the place of the first.
    pub(crate) fn note(&mut self, name: &str, text: &str, version: Option<&str>) {
        let (print, version) = (sha256_hex(text.as_bytes()), version.map(str::to_owned));
        self.0.insert(name.to_owned(), Piece { name: name.to_owned(), print, version });
    }
}

impl Piece {
    fn new(name: &str, print: impl Into<String>) -> Self {
        Self { name: name.to_owned(), print: print.into(), version: None }
    }

    /// As it is kept: the fingerprint, and the version where there is one.
    fn kept(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.print),
            None => self.print.clone(),
        }
    }
}

/// A piece that is another than before.
struct News {
    piece: Piece,
    before: Option<String>,
    same_version: bool,
}

impl News {
    /// `None` when nothing is new.
    fn of(piece: Piece, kept: Option<&str>) -> Option<Self> {
        let (before, version) = match kept.map(|kept| kept.split_once(' ').unwrap_or((kept, ""))) {
            Some((print, version)) => (Some(print), version),
            None => (None, ""),
        };
        if before == Some(piece.print.as_str()) {
            return None;
        }
        let same_version =
            before.is_some() && piece.version.as_deref().is_some_and(|now| now == version);
        let before = before.filter(|before| *before != ABSENT).map(str::to_owned);
        Some(Self { piece, before, same_version })
    }
}

/// The changes that say what is another than when the gateway last ran, if anything is.
pub(crate) async fn at_start(app: &App, tls: &TrustPrints) -> Result<Option<Change>, AppError> {
    let kept = app.store.in_force().await?;
    let partners = app.peers.partners().canonical_text();
    let mut trust = trusted(&partners, tls);
    trust.extend(app.files().0.values().cloned());
    let mut own = own(app)?;
    own.push(Piece::new(CERTIFICATE, &tls.certificate));
    // What is not there any more is a change as well.
    for name in kept.keys() {
        if trust.iter().chain(&own).all(|piece| piece.name != *name) {
            let gone = Piece::new(name, ABSENT);
            if OWN.contains(&name.as_str()) { own.push(gone) } else { trust.push(gone) }
        }
    }
    let news = |pieces: Vec<Piece>| -> Vec<News> {
        let kept = |name: &str| kept.get(name).map(String::as_str);
        let one = |piece: Piece| {
            let before = kept(&piece.name);
            News::of(piece, before)
        };
        pieces.into_iter().filter_map(one).collect()
    };
    let trust = changed(EventKind::TrustChanged, START, news(trust));
    let own = changed(EventKind::SettingsChanged, START, news(own));
    Ok([trust, own].into_iter().flatten().reduce(Change::join))
}

/// The change that says what is about to be another while the gateway runs; `partners` is their
/// canonical text, before and after. `None` when nothing is.
pub(crate) fn at_reload(
    (partners_before, before): (&str, &TrustPrints),
    (partners_after, after): (&str, &TrustPrints),
) -> Option<Change> {
    let all = |partners, tls: &TrustPrints| {
        let mut pieces = trusted(partners, tls);
        pieces.push(Piece::new(CERTIFICATE, &tls.certificate));
        pieces
    };
    let pairs = all(partners_after, after).into_iter().zip(all(partners_before, before));
    let news = pairs.filter_map(|(piece, before)| News::of(piece, Some(&before.print)));
    changed(EventKind::TrustChanged, RELOAD, news.collect())
}

/// Who may connect.
fn trusted(partners: &str, tls: &TrustPrints) -> Vec<Piece> {
    vec![
        Piece::new("partners", sha256_hex(partners.as_bytes())),
        Piece::new("authorities", &tls.authorities),
        Piece::new("revocation-lists", &tls.revocation_lists),
    ]
}

/// What the gateway is itself.
fn own(app: &App) -> Result<Vec<Piece>, AppError> {
    let config = &app.config;
    let pseudonyms = app.vault.pseudonyms().recognition("key", b"fingerprint");
    let wrapping = KeyFile::load(&config.keys.wrapping)?.fingerprint();
    let mut pieces = vec![
        Piece::new("configuration", file(config.file())?),
        Piece::new("log-signing-key", sha256_hex(app.log_vkey.as_bytes())),
        Piece::new("wrapping-keys", hex(&wrapping)),
        Piece::new("pseudonym-key", hex(&sha256(&pseudonyms))),
    ];
    // A gateway that makes no backups needs none.
    if config.backup.keys.exists() {
        let backup = KeyFile::load(&config.backup.keys)?.fingerprint();
        pieces.push(Piece::new(BACKUP_KEYS, hex(&backup)));
    }
    Ok(pieces)
}

fn file(path: &Path) -> Result<String, AppError> {
    let bytes = std::fs::read(path).map_err(|error| AppError::DataFile {
        file: path.display().to_string(),
        message: error.to_string(),
    })?;
    Ok(sha256_hex(&bytes))
}

/// The change of one kind; and the warning, where decisions from here on name the version that those
/// before name.
fn changed(kind: EventKind, when: &str, news: Vec<News>) -> Option<Change> {
    if news.is_empty() {
        return None;
    }
    let names: Vec<&str> = news.iter().take(TOLD_MAX).map(|one| one.piece.name.as_str()).collect();
    let mut event =
        Event::new(kind, Actor::local()).with("what", names.join(" ")).with("when", when);
    if let Some(more) = news.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        event = event.with("more", more);
    }
    for News { piece, before, .. } in news.iter().take(TOLD_MAX) {
        event = event.with(&piece.name, &piece.print);
        if let Some(before) = before {
            event = event.with(&format!("{}.before", piece.name), before);
        }
    }
    let same = news.iter().filter(|one| one.same_version);
    let same: Vec<&str> = same.map(|one| one.piece.name.as_str()).collect();
    if !same.is_empty() {
        let what = same.join(" ");
        tracing::warn!(
            what,
            "a file of policy is another under the version it had; raise its version, because decisions name versions"
        );
        event = event.with("same_version", what);
    }
    let writes = news.into_iter().map(|one| {
        let kept = one.piece.kept();
        Write::InForce(one.piece.name, kept)
    });
    Some(writes.fold(Change::because(event), Change::write))
}

const CERTIFICATE: &str = "certificate";
const BACKUP_KEYS: &str = "backup-keys";
/// What the gateway is itself; all other names are trust.
const OWN: [&str; 6] = [
    "configuration",
    CERTIFICATE,
    "log-signing-key",
    "wrapping-keys",
    "pseudonym-key",
    BACKUP_KEYS,
];
/// In the place of the fingerprint of what is not there any more.
const ABSENT: &str = "absent";
const START: &str = "at-start";
const RELOAD: &str = "while-running";
/// The most pieces whose fingerprints an entry has: the shipped mappings and files fit thrice, and a
/// leaf stays under a fifth of what a tile's bundle can hold.
const TOLD_MAX: usize = 60;

#[cfg(test)]
mod tests;
