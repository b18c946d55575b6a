use proptest::prelude::*;

use super::*;

fn decode_all(frames: &mut Frames, bytes: &[u8], pieces: usize) -> Vec<Frame> {
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    for piece in bytes.chunks(pieces.max(1)) {
        buffer.extend_from_slice(piece);
        while let Some(frame) = frames.decode(&mut buffer).expect("it is decoded") {
            found.push(frame);
        }
    }
    found
}

fn message(text: &str) -> Frame {
    Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn frames_are_found_whatever_pieces_they_come_in() {
    let stream =
        b"\r\nnoise\x0bMSH|one\r\x1c\r\x0bMSH|two\x1c\r\n\x0bMSH|three\r\x1c\x0bMSH|four\x1c";
    let expected =
        vec![message("MSH|one\r"), message("MSH|two"), message("MSH|three\r"), message("MSH|four")];
    for pieces in 1..stream.len() {
        assert_eq!(decode_all(&mut Frames::new(100), stream, pieces), expected, "{pieces}");
    }
}

#[test]
fn a_frame_cut_short_by_a_new_one_is_dropped_and_a_lone_mark_is_kept() {
    let stream = b"\x0bMSH|cut\x0bMSH|whole\x0bline\x1c\r";
    let found = decode_all(&mut Frames::new(100), stream, 3);
    assert_eq!(found, vec![message("MSH|whole\u{b}line")]);
}

#[test]
fn a_frame_that_is_too_large_is_reported_and_the_next_is_read() {
    let mut stream = framed(&[b"MSH|".as_slice(), &[b'x'; 200]].concat());
    stream.extend(framed(b"MSH|small"));
    for pieces in [1, 7, 50, 1_000] {
        let found = decode_all(&mut Frames::new(100), &stream, pieces);
        assert_eq!(found.len(), 2, "{pieces}");
        assert!(matches!(&found[0], Frame::TooLarge(head) if head.starts_with(b"MSH|x")));
        assert_eq!(found[1], message("MSH|small"));
    }
    let exact = framed(&[b'x'; 100]);
    assert!(matches!(decode_all(&mut Frames::new(100), &exact, 9)[0], Frame::Message(_)));
}

#[tokio::test]
async fn a_frame_that_is_not_finished_is_given_up_and_silence_ends_quietly() {
    let patience = Patience { idle: Duration::from_millis(50), frame: Duration::from_millis(50) };
    let (mut here, mut there) = tokio::io::duplex(1_000);
    tokio::io::AsyncWriteExt::write_all(&mut there, b"\x0bMSH|never").await.expect("it is written");
    let (mut frames, mut buffer) = (Frames::new(100), BytesMut::new());
    let slow = next(&mut here, &mut frames, &mut buffer, patience).await;
    assert!(matches!(slow, Err(FrameError::TooSlow)));
    let (mut frames, mut buffer) = (Frames::new(100), BytesMut::new());
    let silent = next(&mut here, &mut frames, &mut buffer, patience).await;
    assert!(matches!(silent, Ok(None)));
}

proptest! {
    #[test]
    fn what_is_framed_is_found_again(
        messages in prop::collection::vec("MSH[ -~\r]{0,80}", 0..5), pieces in 1_usize..50,
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|text| framed(text.as_bytes())).collect();
        let expected: Vec<Frame> = messages.iter().map(|text| message(text)).collect();
        prop_assert_eq!(decode_all(&mut Frames::new(100), &stream, pieces), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_pile_up(
        bytes in prop::collection::vec(any::<u8>(), 0..500), pieces in 1_usize..50,
    ) {
        let mut frames = Frames::new(60);
        let mut buffer = BytesMut::new();
        for piece in bytes.chunks(pieces) {
            buffer.extend_from_slice(piece);
            while frames.decode(&mut buffer).expect("it is decoded").is_some() {}
            prop_assert!(buffer.len() <= 60);
        }
    }
}
