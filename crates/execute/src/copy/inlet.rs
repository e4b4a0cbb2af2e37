//! What a client sends while a COPY runs: pieces of the stream, and its end. No I/O.

use bytes::{Buf, BufMut, BytesMut};
use herd_types::{ClientError, SqlState};
use herd_wire::frame::{HEADER_BYTES, Header};
use herd_wire::message::Reader;

/// CopyFail's reason; longer ones are no reasons.
const REASON_BYTES_MAX: usize = 64 << 10;

/// Reads frames that may arrive in pieces.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    /// Of a CopyData frame, still to come.
    passing: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// So many bytes at the front of the buffer are of the stream.
    Data(usize),
    /// Nothing can be told before more has arrived.
    Incomplete,
    Done,
    /// The client gives up.
    Failed(String),
    /// The client takes its leave.
    Terminated,
}

impl Inlet {
    /// What comes next in `buffer`; everything but data is consumed.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Input, ClientError> {
        loop {
            if self.passing > 0 && !buffer.is_empty() {
                return Ok(Input::Data(self.passing.min(buffer.len())));
            }
            let Some(header) = Header::peek(buffer).map_err(|error| broken(&error.to_string()))?
            else {
                return Ok(Input::Incomplete);
            };
            match header.tag {
                b'd' => {
                    buffer.advance(HEADER_BYTES);
                    self.passing = header.frame_bytes - HEADER_BYTES;
                    continue;
                }
                b'c' | b'f' | b'H' | b'S' | b'X' => {}
                tag => {
                    let message =
                        format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                    return Err(broken(&message));
                }
            }
            if header.frame_bytes > REASON_BYTES_MAX {
                return Err(broken("invalid message length"));
            }
            if header.frame_bytes > buffer.len() {
                return Ok(Input::Incomplete);
            }
            let frame = buffer.split_to(header.frame_bytes);
            match header.tag {
                b'c' => return Ok(Input::Done),
                b'f' => {
                    let reason = Reader::new(&frame[HEADER_BYTES..]).string();
                    let reason = reason.map_err(|error| broken(&error.to_string()))?;
                    return Ok(Input::Failed(String::from_utf8_lossy(reason).into_owned()));
                }
                b'X' => return Ok(Input::Terminated),
                // Flush and Sync mean nothing in COPY mode.
                _ => {}
            }
        }
    }

    /// The COPY ends before the client does: what it has begun becomes a frame again, for
    /// whoever reads on.
    pub(super) fn put_back(&mut self, buffer: &mut BytesMut) {
        let passing = std::mem::take(&mut self.passing);
        if passing == 0 {
            return;
        }
        let rest = buffer.split();
        let length = u32::try_from(passing + 4).expect("it is shorter than the frame was");
        buffer.put_u8(b'd');
        buffer.put_u32(length);
        buffer.extend_from_slice(&rest);
    }

    /// The first `bytes` of the data have been taken from `buffer`.
    pub(super) fn took(&mut self, buffer: &mut BytesMut, bytes: usize) {
        buffer.advance(bytes);
        self.passing -= bytes;
    }
}

fn broken(message: &str) -> ClientError {
    ClientError::fatal(SqlState::PROTOCOL_VIOLATION, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_passes_as_it_comes_and_the_rest_only_whole() {
        let bytes = b"d\0\0\0\x08abcdS\0\0\0\x04d\0\0\0\x04c\0\0\0\x04Q";
        let mut inlet = Inlet::default();
        let mut buffer = BytesMut::new();
        let mut heard = Vec::new();
        for byte in bytes {
            buffer.extend_from_slice(&[*byte]);
            match inlet.next(&mut buffer).expect("a valid message") {
                Input::Data(count) => {
                    heard.extend_from_slice(&buffer[..count]);
                    inlet.took(&mut buffer, count);
                }
                Input::Incomplete => {}
                Input::Done => {
                    assert_eq!(heard, b"abcd");
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn what_does_not_belong_into_a_copy_breaks_the_protocol() {
        for bytes in [b"Q\0\0\0\x05\0".as_slice(), b"d\0\0\0\x03", b"f\x10\0\0\0"] {
            let heard = Inlet::default().next(&mut BytesMut::from(bytes));
            assert_eq!(heard.expect_err("refused").sqlstate, SqlState::PROTOCOL_VIOLATION);
        }
    }

    #[test]
    fn a_frame_that_was_begun_can_be_put_back() {
        let mut inlet = Inlet::default();
        let mut buffer = BytesMut::from(b"d\0\0\0\x08abcdS".as_slice());
        assert_eq!(inlet.next(&mut buffer), Ok(Input::Data(4)));
        inlet.took(&mut buffer, 3);
        inlet.put_back(&mut buffer);
        assert_eq!(buffer.as_ref(), b"d\0\0\0\x05dS");
    }

    #[test]
    fn a_client_can_give_up_with_a_reason() {
        let mut buffer = BytesMut::from(b"f\0\0\0\x08why\0".as_slice());
        let heard = Inlet::default().next(&mut buffer);
        assert_eq!(heard, Ok(Input::Failed("why".into())));
    }
}
