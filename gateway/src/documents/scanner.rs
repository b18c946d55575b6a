//! The scanner: clamd's `INSTREAM`, over a Unix socket or TCP on this machine.
//!
//! Owns the protocol (clamd(8): `zINSTREAM\0`, then pieces each with its length in four bytes, then
//! a length of nought; one answer ends in a nought byte) and what an answer means. Whatever is not
//! plainly "OK" is not clean: a scanner that is away, slow, cut off, full or unintelligible gives
//! [`Scan::NotScanned`], and what it should have looked at is held.
//!
//! Limits: one connection for each scan; a document larger than the scanner's own `StreamMaxLength`
//! stays not scanned. clamd says "OK" of what is over its other limits unless `AlertExceedsMax yes` is
//! set: operations says so. Not supported: TCP to another machine, because clamd has no encryption.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::config::{DocumentsSection, ScannerAddress};

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Nothing was found, or no scanner is configured.
    Clean,
    /// Something was found. What is not repeated: its name may quote the document's.
    Found,
    /// Nobody looked, and why, in our own words.
    NotScanned(&'static str),
}

/// A scanner that can be asked.
#[derive(Debug)]
pub struct Scanner {
    address: ScannerAddress,
    patience: Duration,
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// One scan while the bytes go by.
pub(super) struct Session {
    wire: Box<dyn Wire>,
    patience: Duration,
    /// Why it cannot come to an answer any more.
    broken: Option<&'static str>,
}

impl Scanner {
    /// A scanner at an address.
    pub fn new(address: ScannerAddress, settings: &DocumentsSection) -> Self {
        Self {
            address,
            patience: Duration::from_secs(settings.scanner_timeout_seconds.get().into()),
        }
    }

    /// Has it look at bytes that are here whole.
    pub(super) async fn scan(&self, bytes: &[u8]) -> Scan {
        let mut session = match self.begin().await {
            Ok(session) => session,
            Err(why) => return Scan::NotScanned(why),
        };
        session.take(bytes).await;
        session.finish().await
    }

    /// Begins a scan.
    pub(super) async fn begin(&self) -> Result<Session, &'static str> {
        let wire = tokio::time::timeout(CONNECT_WITHIN, self.connect()).await;
        let mut wire = wire.or(Err(AWAY))?.or(Err(AWAY))?;
        let asked = tokio::time::timeout(self.patience, wire.write_all(b"zINSTREAM\0")).await;
        asked.or(Err(SLOW))?.or(Err(CUT))?;
        Ok(Session { wire, patience: self.patience, broken: None })
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Wire>> {
        match &self.address {
            ScannerAddress::Unix(path) => unix(path).await,
            ScannerAddress::Tcp(address) => {
                Ok(Box::new(tokio::net::TcpStream::connect(address).await?))
            }
        }
    }
}

#[cfg(unix)]
async fn unix(path: &std::path::Path) -> std::io::Result<Box<dyn Wire>> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn unix(_path: &std::path::Path) -> std::io::Result<Box<dyn Wire>> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

impl Session {
    /// Sends it the next bytes.
    pub(super) async fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_BYTES) {
            if self.broken.is_some() {
                return;
            }
            let length = u32::try_from(piece.len()).unwrap_or(0).to_be_bytes();
            self.send(&length).await;
            self.send(piece).await;
        }
    }

    /// What it found.
    pub(super) async fn finish(mut self) -> Scan {
        self.send(&[0; 4]).await;
        // A scanner that had enough says why before it hangs up: its answer is read in any case.
        let mut answer = Vec::new();
        let mut limited = (&mut self.wire).take(ANSWER_BYTES_MAX);
        let read = tokio::time::timeout(self.patience, limited.read_to_end(&mut answer)).await;
        let whole = matches!(read, Ok(Ok(_))) || answer.ends_with(b"\0");
        if read.is_err() && !whole {
            return Scan::NotScanned(self.broken.unwrap_or(SLOW));
        }
        judge(&answer, self.broken)
    }

    async fn send(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        match tokio::time::timeout(self.patience, self.wire.write_all(bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => self.broken = Some(CUT),
            Err(_) => self.broken = Some(SLOW),
        }
    }
}

/// What an answer means. Only the one that says "OK" after everything was sent is clean.
fn judge(answer: &[u8], broken: Option<&'static str>) -> Scan {
    let Some(text) = answer.strip_suffix(b"\0").and_then(|text| std::str::from_utf8(text).ok())
    else {
        return Scan::NotScanned(broken.unwrap_or(CUT));
    };
    if text.starts_with("stream: ") && text.ends_with(" FOUND") {
        return Scan::Found;
    }
    if text.contains("size limit exceeded") {
        return Scan::NotScanned(TOO_LARGE);
    }
    if text.ends_with(" ERROR") {
        return Scan::NotScanned("the scanner failed");
    }
    match (text, broken) {
        ("stream: OK", None) => Scan::Clean,
        (_, Some(why)) => Scan::NotScanned(why),
        (_, None) => Scan::NotScanned("the scanner's answer was not understood"),
    }
}

const AWAY: &str = "the scanner cannot be reached";
const SLOW: &str = "the scanner did not answer in time";
const CUT: &str = "the scanner hung up";
const TOO_LARGE: &str = "the document is larger than the scanner takes";
/// Reaching a socket of this machine takes no time at all, unless nobody listens.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How much goes to the scanner in one piece: clamd's own clients send less.
const PIECE_BYTES: usize = 64 * 1024;
/// An answer is one line.
const ANSWER_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests;
