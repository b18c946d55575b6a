//! Faults of the protocol, by a socket that misbehaves. What a real clamd finds is in `tests/it`.

use tokio::net::{UnixListener, UnixStream};

use super::*;

/// A scanner that reads a little or everything, says something, and hangs up.
enum Script {
    /// Reads to the end of the stream, then answers.
    Answer(&'static [u8]),
    /// Answers after so many bytes, while more are sent.
    Early(usize, &'static [u8]),
    /// Reads everything and never answers.
    Silent,
    /// Does not even read.
    Deaf,
}

async fn play(mut wire: UnixStream, script: Script) {
    match script {
        Script::Answer(text) => {
            read_stream(&mut wire).await;
            wire.write_all(text).await.unwrap();
        }
        Script::Early(bytes, text) => {
            let mut some = vec![0; bytes];
            wire.read_exact(&mut some).await.unwrap();
            wire.write_all(text).await.unwrap();
        }
        Script::Silent => {
            read_stream(&mut wire).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Script::Deaf => tokio::time::sleep(Duration::from_secs(30)).await,
    }
}

/// Reads a stream as clamd does; its bytes.
async fn read_stream(wire: &mut UnixStream) -> Vec<u8> {
    let mut command = [0; 10];
    wire.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"zINSTREAM\0");
    let mut bytes = Vec::new();
    loop {
        let mut length = [0; 4];
        wire.read_exact(&mut length).await.unwrap();
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        if length == 0 {
            return bytes;
        }
        let mut piece = vec![0; length];
        wire.read_exact(&mut piece).await.unwrap();
        bytes.extend(piece);
    }
}

/// What a scan of so many bytes comes to with a scanner that plays a script.
async fn scanned(script: Script, bytes: usize) -> Scan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scanner");
    let listener = UnixListener::bind(&path).unwrap();
    let player = tokio::spawn(async move {
        let (wire, _) = listener.accept().await.unwrap();
        play(wire, script).await;
    });
    let scanner =
        Scanner { address: ScannerAddress::Unix(path), patience: Duration::from_millis(400) };
    let scan = scanner.scan(&vec![7; bytes]).await;
    player.abort();
    scan
}

#[tokio::test]
async fn only_a_plain_ok_is_clean() {
    assert_eq!(scanned(Script::Answer(b"stream: OK\0"), 200_000).await, Scan::Clean);
    let found = b"stream: Made.Up.Name FOUND\0";
    assert_eq!(scanned(Script::Answer(found), 10).await, Scan::Found);
    for garbage in [
        b"stream: OK".as_slice(),
        b"stream: OK\nmore\0",
        b"OK\0",
        b"",
        b"\0",
        b"\xff\xfe\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
    ] {
        let scan = scanned(Script::Answer(garbage), 10).await;
        assert!(matches!(scan, Scan::NotScanned(_)), "{garbage:?}: {scan:?}");
    }
}

#[tokio::test]
async fn a_scanner_that_is_away_slow_or_cut_off_has_not_scanned() {
    let nowhere = ScannerAddress::Unix("/nowhere/at/all".into());
    let scanner = Scanner { address: nowhere, patience: Duration::from_millis(100) };
    assert_eq!(scanner.scan(b"x").await, Scan::NotScanned(AWAY));
    assert_eq!(scanned(Script::Silent, 10).await, Scan::NotScanned(SLOW));
    assert_eq!(scanned(Script::Deaf, 4_000_000).await, Scan::NotScanned(SLOW));
    let cut = scanned(Script::Early(500, b""), 4_000_000).await;
    assert_eq!(cut, Scan::NotScanned(CUT));
}

#[tokio::test]
async fn a_scanner_that_had_enough_is_heard_and_an_ok_before_the_end_is_not() {
    let full = b"INSTREAM size limit exceeded. ERROR\0";
    assert_eq!(scanned(Script::Early(500, full), 4_000_000).await, Scan::NotScanned(TOO_LARGE));
    let early = scanned(Script::Early(500, b"stream: OK\0"), 4_000_000).await;
    assert!(matches!(early, Scan::NotScanned(_)), "{early:?}");
}
