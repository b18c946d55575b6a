//! Pieces in order and whole. Guards that may not let bytes leave any more are in the journeys.

use super::Handover;

#[test]
fn the_pieces_are_the_body_in_order() {
    for (piece, count) in [(3, 4), (10, 1), (usize::MAX, 1), (0, 10)] {
        let mut handover = Handover::new(b"abcdefghij", None, piece);
        let (mut body, mut pieces) = (Vec::new(), 0);
        while let Some(piece) = handover.next_piece() {
            body.extend_from_slice(&piece.unwrap());
            pieces += 1;
            assert_eq!(usize::try_from(handover.left()).unwrap(), 10 - body.len());
        }
        assert_eq!((body.as_slice(), pieces), (b"abcdefghij".as_slice(), count), "{piece}");
    }
}

#[test]
fn nothing_is_handed_over_of_an_empty_body() {
    assert_eq!(Handover::new(b"", None, 1).next_piece(), None);
}
