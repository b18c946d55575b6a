//! No stream, in whatever pieces, makes the frame codec panic or keep more than its limit.
#![no_main]

use gateway::mllp::Frames;
use bytes::BytesMut;
use tokio_util::codec::Decoder;

const FRAME_MAX: usize = 64;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (pieces, bytes) = input;
    let mut frames = Frames::new(FRAME_MAX);
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(usize::from(pieces).max(1)) {
        buffer.extend_from_slice(piece);
        while let Ok(Some(_)) = frames.decode(&mut buffer) {}
        assert!(buffer.len() <= FRAME_MAX);
    }
});
