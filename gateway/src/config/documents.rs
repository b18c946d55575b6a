//! `[documents]`: where large documents are kept, which kinds are accepted, and what scans them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemas::document_type::DocumentType;
use serde::Deserialize;

use super::ConfigError;
use super::document::{Document, FIX, Step};

/// `[documents]`, with paths resolved and defaults filled in.
#[derive(Debug, Clone)]
pub struct DocumentsSection {
    /// Where sealed segments are kept.
    pub keeping: KeepingSection,
    /// The scanner, if there is one.
    pub scanner: Option<ScannerAddress>,
    /// How long the scanner may take over one piece, and over its answer.
    pub scanner_timeout_seconds: NonZeroU32,
    /// The largest document accepted, in MiB: at most 5,120.
    pub size_max_mib: NonZeroU32,
    /// After how long without a byte an unfinished upload is given up.
    pub abandoned_after_hours: NonZeroU32,
    accept: Vec<String>,
}

/// Where sealed segments are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepingSection {
    /// A folder, by default `documents` in the data folder.
    Folder(PathBuf),
    /// An S3-compatible store.
    S3(S3Section),
}

/// `[documents.s3]`: an S3-compatible store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Section {
    /// The store's address, for stores other than AWS: `https`, or `http` on this machine.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What the names of objects begin with, for example `ehc/`.
    #[serde(default)]
    pub prefix: String,
    /// The id of the access key: not a secret.
    pub access_key_id: String,
    /// The file that holds the secret of the access key.
    pub secret_key_file: PathBuf,
}

/// Where the scanner listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ScannerAddress {
    /// A Unix socket: `unix:/run/clamav/clamd.ctl`.
    Unix(PathBuf),
    /// TCP on this machine: `tcp:127.0.0.1:3310`.
    Tcp(SocketAddr),
}

impl TryFrom<String> for ScannerAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let address = text.strip_prefix("tcp:").and_then(|text| text.parse::<SocketAddr>().ok());
        match address {
            Some(address) if address.ip().is_loopback() => Ok(Self::Tcp(address)),
            Some(_) => Err(format!(
                "the scanner is on another machine, and clamd has no encryption{FIX}run it on this one: unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310"
            )),
            None => Err(format!(
                "this is not where a scanner can be{FIX}write unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310"
            )),
        }
    }
}

impl DocumentsSection {
    /// Whether policy accepts a kind of document.
    pub fn accepts(&self, kind: DocumentType) -> bool {
        self.accept.iter().any(|word| word == kind.policy_word())
    }

    /// The largest document accepted, in bytes.
    pub fn size_max(&self) -> u64 {
        u64::from(self.size_max_mib.get()).saturating_mul(1024 * 1024)
    }

    /// The paths in it, for making them start at the configuration file.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let path = match &mut self.keeping {
            KeepingSection::Folder(folder) => folder,
            KeepingSection::S3(s3) => &mut s3.secret_key_file,
        };
        std::iter::once(path)
    }

    /// The file with a secret, if one is named.
    pub(super) fn secret(&self) -> Option<&Path> {
        match &self.keeping {
            KeepingSection::Folder(_) => None,
            KeepingSection::S3(s3) => Some(&s3.secret_key_file),
        }
    }
}

/// The section as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDocuments {
    folder: Option<PathBuf>,
    s3: Option<S3Section>,
    accept: Vec<String>,
    scanner: Option<ScannerAddress>,
    scanner_timeout_seconds: NonZeroU32,
    size_max_mib: NonZeroU32,
    abandoned_after_hours: NonZeroU32,
}

impl Default for RawDocuments {
    fn default() -> Self {
        Self {
            folder: None,
            s3: None,
            accept: WORDS.map(str::to_owned).to_vec(),
            scanner: None,
            scanner_timeout_seconds: NonZeroU32::MIN.saturating_add(119),
            size_max_mib: NonZeroU32::MIN.saturating_add(SIZE_MAX_MIB - 1),
            abandoned_after_hours: NonZeroU32::MIN.saturating_add(47),
        }
    }
}

impl RawDocuments {
    /// The section, or what is wrong with it.
    pub(super) fn checked(
        self,
        data_dir: &Path,
        document: &Document,
    ) -> Result<DocumentsSection, ConfigError> {
        let wrong = |steps: &[Step<'_>], problem: &str, fix: &str| {
            Err(document.error(&[&[Step::Key("documents")], steps].concat(), problem, fix))
        };
        for (at, word) in self.accept.iter().enumerate() {
            if !WORDS.contains(&word.as_str()) {
                let problem = "this is not a kind of document that can be accepted";
                let fix = format!("use some of: {}", WORDS.join(", "));
                return wrong(&[Step::Key("accept"), Step::Index(at)], problem, &fix);
            }
        }
        if self.accept.is_empty() {
            let problem = "no kind of document is accepted";
            return wrong(&[Step::Key("accept")], problem, "name at least one, for example pdf");
        }
        if self.size_max_mib.get() > SIZE_MAX_MIB {
            let problem = "size_max_mib is more than a document can have";
            return wrong(&[Step::Key("size_max_mib")], problem, "use at most 5120 (5 GiB)");
        }
        let keeping = match (self.folder, self.s3) {
            (Some(_), Some(_)) => {
                let problem = "documents are kept in a folder or in S3, not both";
                return wrong(&[Step::Key("folder")], problem, "remove folder or [documents.s3]");
            }
            (folder, None) => {
                KeepingSection::Folder(folder.unwrap_or_else(|| data_dir.join("documents")))
            }
            (None, Some(s3)) => {
                if let Some((setting, problem, fix)) = s3.fault() {
                    return wrong(&[Step::Key("s3"), Step::Key(setting)], problem, fix);
                }
                KeepingSection::S3(s3)
            }
        };
        Ok(DocumentsSection {
            keeping,
            scanner: self.scanner,
            scanner_timeout_seconds: self.scanner_timeout_seconds,
            size_max_mib: self.size_max_mib,
            abandoned_after_hours: self.abandoned_after_hours,
            accept: self.accept,
        })
    }
}

impl S3Section {
    fn fault(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let endpoint = self.endpoint.as_deref().unwrap_or("https://");
        let local = endpoint.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let local = local.and_then(|host| host.parse::<SocketAddr>().ok());
        if !(endpoint.starts_with("https://") || local.is_some_and(|at| at.ip().is_loopback())) {
            return Some((
                "endpoint",
                "the store is not reached by https",
                "use https://, or http:// with a loopback address and port",
            ));
        }
        if self.bucket.is_empty() || self.bucket.contains('/') {
            return Some(("bucket", "this is not the name of a bucket", "write its name alone"));
        }
        if !(self.prefix.is_empty() || self.prefix.ends_with('/')) {
            return Some(("prefix", "the prefix does not end in a slash", "end it with /"));
        }
        None
    }
}

/// The kinds of document by the words of a policy.
const WORDS: [&str; 5] = ["pdf", "word", "rtf", "tiff", "text"];
/// 5 GiB.
const SIZE_MAX_MIB: u32 = 5120;
