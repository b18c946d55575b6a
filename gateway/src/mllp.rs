//! MLLP: how HL7 v2 messages are framed on a connection.
//!
//! A frame is `0x0B`, the message, `0x1C 0x0D` (HL7 v2, transport specification for MLLP,
//! release 1). [`Frames`] is a codec for `tokio-util`: frames may arrive in any pieces and several
//! at once. What stands between frames is passed over until the next `0x0B`; the final `0x0D` may
//! be missing; a frame that was cut short by a new one is dropped; one that is larger than the
//! limit is passed over to its end and reported, and the next is read as usual.
//!
//! It must never know what a message says, who sent it, or a socket; [`next`] reads from anything
//! that can be read, within a time.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::codec::{Decoder, Encoder};

/// The codec of one connection.
#[derive(Debug)]
pub struct Frames {
    frame_max: usize,
    state: State,
    /// How far the frame in hand was looked through.
    seen: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between frames.
    Outside,
    /// In a frame: its start byte is gone from the buffer.
    Inside,
    /// In a frame that is too large: it is passed over to its end.
    PassingOver,
}

/// What a connection brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Bytes),
    /// A message that is larger than the limit: how it begins, to answer it with.
    TooLarge(Bytes),
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] std::io::Error),
    /// A frame was begun and not finished in time.
    #[error("a frame was not finished in time")]
    TooSlow,
}

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the next frame begins.
    pub idle: Duration,
    /// From the first byte of a frame to its last.
    pub frame: Duration,
}

impl Frames {
    /// A codec that refuses frames whose message is larger than this, in bytes.
    pub fn new(frame_max: usize) -> Self {
        Self { frame_max, state: State::Outside, seen: 0 }
    }

    /// Whether a frame has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.state != State::Outside
    }
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if self.state == State::Outside {
            let Some(start) = buffer.iter().position(|byte| *byte == START) else {
                buffer.clear();
                return Ok(None);
            };
            buffer.advance(start + 1);
            self.state = State::Inside;
            self.seen = 0;
        }
        let unseen = buffer.iter().skip(self.seen);
        let end = unseen.clone().position(|byte| *byte == END).map(|at| self.seen + at);
        match (self.state, end) {
            (State::PassingOver, None) => {
                buffer.clear();
                self.seen = 0;
                Ok(None)
            }
            (State::PassingOver, Some(end)) => {
                buffer.advance(end + 1);
                self.state = State::Outside;
                self.decode(buffer)
            }
            (_, Some(end)) if end <= self.frame_max => {
                let content = buffer.split_to(end).freeze();
                buffer.advance(1);
                self.state = State::Outside;
                Ok(Some(Frame::Message(after_restart(&content))))
            }
            (_, None) if buffer.len() <= self.frame_max => {
                self.seen = buffer.len();
                Ok(None)
            }
            (_, _) => {
                let head = end.unwrap_or(buffer.len()).min(HEAD_BYTES);
                let head = buffer.split_to(head).freeze();
                self.state = State::PassingOver;
                self.seen = 0;
                Ok(Some(Frame::TooLarge(head)))
            }
        }
    }
}

impl Encoder<&[u8]> for Frames {
    type Error = std::io::Error;

    fn encode(&mut self, message: &[u8], buffer: &mut BytesMut) -> Result<(), std::io::Error> {
        buffer.reserve(message.len() + 3);
        buffer.put_u8(START);
        buffer.put_slice(message);
        buffer.put_slice(&[END, b'\r']);
        Ok(())
    }
}

/// A message with its frame around it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(START);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[END, b'\r']);
    frame
}

/// The next frame; `None` when the other end has closed, or has been silent for too long.
pub async fn next(
    stream: &mut (impl AsyncRead + Unpin),
    frames: &mut Frames,
    buffer: &mut BytesMut,
    patience: Patience,
) -> Result<Option<Frame>, FrameError> {
    let mut begun: Option<tokio::time::Instant> = None;
    loop {
        if let Some(frame) = frames.decode(buffer)? {
            return Ok(Some(frame));
        }
        let until = if frames.is_inside() {
            *begun.get_or_insert_with(tokio::time::Instant::now) + patience.frame
        } else {
            tokio::time::Instant::now() + patience.idle
        };
        match tokio::time::timeout_at(until, stream.read_buf(buffer)).await {
            Ok(Ok(0)) => return Ok(None),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if frames.is_inside() => return Err(FrameError::TooSlow),
            Err(_) => return Ok(None),
        }
    }
}

/// What follows the last start of a message inside a frame: a sender that broke off begins anew.
/// A lone `0x0B` is left alone: word processors use it for line breaks.
fn after_restart(content: &Bytes) -> Bytes {
    let restart = content.windows(RESTART.len()).rposition(|window| window == RESTART);
    restart.map_or_else(|| content.clone(), |at| content.slice(at + 1..))
}

const START: u8 = 0x0b;
const END: u8 = 0x1c;
const RESTART: &[u8] = b"\x0bMSH";
/// As much of a frame that is too large as is kept, to answer it: its first segment is shorter.
const HEAD_BYTES: usize = 4_096;

#[cfg(test)]
mod tests;
