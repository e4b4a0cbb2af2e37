//! What one node sends in a COPY … TO STDOUT, and what of it the client gets when the rows of
//! several nodes become one stream. Bytes in, bytes out; no I/O.
//!
//! A server sends each row, and a header line, as a CopyData of its own; a binary header comes in
//! front of the first row or of the trailer, in the same CopyData.

use std::ops::Range;

use bytes::{BufMut, Bytes};
use herd_plan::Envelope;
use herd_wire::frame::{FrameError, HEADER_BYTES, Header};
use herd_wire::message::{Reader, TransactionStatus};
use thiserror::Error;

use super::branch::copied_rows;
use crate::output::Output;

#[cfg(test)]
mod tests;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The signature, the flags and the length of the extension.
const BINARY_HEADER_BYTES_MIN: usize = SIGNATURE.len() + 8;
/// The end of a binary stream, where a row would give the number of its fields.
pub(super) const TRAILER: &[u8] = b"\xff\xff";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was asked.
    Resting,
    Asked,
    /// CopyOutResponse came, and no data yet.
    Open,
    Flowing,
    /// CopyDone came.
    Ended,
    /// CommandComplete came, with so many rows.
    Counted(u64),
    /// An error came.
    Failed,
    /// ReadyForQuery came, after so many rows; none after an error.
    Ready {
        rows: Option<u64>,
        status: TransactionStatus,
    },
}

/// What a node said beside its data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The whole CopyOutResponse.
    CopyOut(Bytes),
    /// The body of an ErrorResponse.
    Error(Bytes),
    Parameter {
        name: String,
        value: String,
    },
}

#[derive(Debug, Error)]
pub(super) enum StrandError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("unexpected message {tag:?} during COPY")]
    Unexpected { tag: char },
    #[error("invalid message {tag:?}")]
    Malformed { tag: char },
    #[error("invalid header of binary COPY data")]
    BinaryHeader,
}

/// One node's part of the stream.
#[derive(Debug)]
pub(super) struct Strand {
    envelope: Envelope,
    place: Place,
    state: State,
    passing: Passing,
}

/// Only the first part of the stream shows what stands in front of the rows; what stands behind
/// them is shown by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Later,
}

/// So many bytes of a CopyData are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passing {
    Shown(usize),
    Hidden(usize),
}

impl Strand {
    pub(super) fn new(envelope: Envelope, place: Place) -> Strand {
        Strand { envelope, place, state: State::Resting, passing: Passing::Hidden(0) }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn ask(&mut self) {
        self.state = State::Asked;
    }

    /// The client has a part of a CopyData.
    pub(super) fn is_inside_a_message(&self) -> bool {
        matches!(self.passing, Passing::Shown(1..))
    }

    /// Walks over `input` up to what the node says beside its data, up to its ReadyForQuery or to
    /// an incomplete frame; returns how many bytes are dealt with.
    pub(super) fn walk(
        &mut self,
        input: &[u8],
        output: &mut Output,
    ) -> Result<(usize, Option<Said>), StrandError> {
        let mut at = self.pass(input, 0, output);
        while self.passing == Passing::Hidden(0) && !matches!(self.state, State::Ready { .. }) {
            let rest = &input[at..];
            let Some(header) = Header::peek(rest)? else { break };
            if header.tag == b'd' {
                let Some(shown) = self.shown(header, rest)? else { break };
                self.state = State::Flowing;
                at = self.begin(header, shown, input, at, output);
                continue;
            }
            let Some(frame) = rest.get(..header.frame_bytes) else { break };
            let said = self.take(header.tag, frame)?;
            if header.tag != b'N' {
                output.cut(input, at, at + frame.len());
            }
            at += frame.len();
            if said.is_some() {
                return Ok((at, said));
            }
        }
        Ok((at, None))
    }

    /// What of a CopyData's body the client gets; `None` while that cannot be seen.
    fn shown(&self, header: Header, rest: &[u8]) -> Result<Option<Range<usize>>, StrandError> {
        let all = 0..header.frame_bytes - HEADER_BYTES;
        match (self.state, self.envelope) {
            (State::Open, Envelope::HeaderLine) if self.place == Place::Later => Ok(Some(0..0)),
            (State::Open, Envelope::Binary) => self.shown_of_binary(all.end, &rest[HEADER_BYTES..]),
            (State::Flowing, Envelope::Binary) if all.end == TRAILER.len() => {
                let body = rest.get(HEADER_BYTES..header.frame_bytes);
                Ok(body.map(|body| if body == TRAILER { 0..0 } else { all }))
            }
            (State::Open | State::Flowing, _) => Ok(Some(all)),
            _ => Err(StrandError::Unexpected { tag: 'd' }),
        }
    }

    /// The same for the first CopyData of a binary stream, of `length` bytes.
    fn shown_of_binary(
        &self,
        length: usize,
        body: &[u8],
    ) -> Result<Option<Range<usize>>, StrandError> {
        if length < BINARY_HEADER_BYTES_MIN {
            return Err(StrandError::BinaryHeader);
        }
        let Some((fixed, behind)) = body.split_at_checked(BINARY_HEADER_BYTES_MIN) else {
            return Ok(None);
        };
        let extension_bytes = fixed.last_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize);
        let rows_at = extension_bytes.and_then(|bytes| bytes.checked_add(BINARY_HEADER_BYTES_MIN));
        let Some(rows_at) = rows_at.filter(|&at| fixed.starts_with(SIGNATURE) && at <= length)
        else {
            return Err(StrandError::BinaryHeader);
        };
        let rows_end = if length - rows_at == TRAILER.len() {
            if body.len() < length {
                return Ok(None);
            }
            if body[rows_at..length] == *TRAILER { rows_at } else { length }
        } else {
            length
        };
        let seen = behind.len() + BINARY_HEADER_BYTES_MIN >= rows_at;
        let from = if self.place == Place::First { 0 } else { rows_at };
        Ok(seen.then_some(from..rows_end))
    }

    /// Starts to pass a CopyData of which `shown` is for the client; returns where it has come to.
    fn begin(
        &mut self,
        header: Header,
        shown: Range<usize>,
        input: &[u8],
        at: usize,
        output: &mut Output,
    ) -> usize {
        let body_bytes = header.frame_bytes - HEADER_BYTES;
        if shown.is_empty() {
            self.passing = Passing::Hidden(header.frame_bytes);
            return self.pass(input, at, output);
        }
        if shown == (0..body_bytes) {
            self.passing = Passing::Shown(header.frame_bytes);
            return self.pass(input, at, output);
        }
        let from = at + HEADER_BYTES + shown.start;
        output.cut(input, at, from);
        let length = u32::try_from(shown.len() + 4).expect("it is shorter than the frame was");
        output.edited.put_u8(b'd');
        output.edited.put_u32(length);
        self.passing = Passing::Shown(shown.len());
        let passed = self.pass(input, from, output);
        if shown.end < body_bytes {
            // A trailer is cut off only when all of its frame is there.
            self.passing = Passing::Hidden(body_bytes - shown.end);
            return self.pass(input, passed, output);
        }
        passed
    }

    /// The continuation of a CopyData, from `at`; returns up to where it goes.
    fn pass(&mut self, input: &[u8], at: usize, output: &mut Output) -> usize {
        let available = input.len() - at;
        match &mut self.passing {
            Passing::Shown(bytes) => {
                let passed = available.min(*bytes);
                *bytes -= passed;
                if *bytes == 0 {
                    self.passing = Passing::Hidden(0);
                }
                at + passed
            }
            Passing::Hidden(bytes) => {
                let passed = available.min(*bytes);
                *bytes -= passed;
                if passed > 0 {
                    output.cut(input, at, at + passed);
                }
                at + passed
            }
        }
    }

    /// A whole frame that is not data.
    fn take(&mut self, tag: u8, frame: &[u8]) -> Result<Option<Said>, StrandError> {
        let body = &frame[HEADER_BYTES..];
        let malformed = StrandError::Malformed { tag: char::from(tag) };
        match (tag, self.state) {
            (b'H', State::Asked) => {
                self.state = State::Open;
                return Ok(Some(Said::CopyOut(Bytes::copy_from_slice(frame))));
            }
            (b'c', State::Open | State::Flowing) => self.state = State::Ended,
            (b'C', State::Ended) => {
                self.state = State::Counted(copied_rows(body).ok_or(malformed)?);
            }
            (b'E', _) => {
                self.state = State::Failed;
                return Ok(Some(Said::Error(Bytes::copy_from_slice(body))));
            }
            (b'Z', state @ (State::Counted(_) | State::Failed)) => {
                let status = body.first().copied().and_then(TransactionStatus::from_byte);
                let rows = match state {
                    State::Counted(rows) => Some(rows),
                    _ => None,
                };
                self.state = State::Ready { rows, status: status.ok_or(malformed)? };
            }
            (b'S', _) => return parameter(body).ok_or(malformed).map(Some),
            (b'N' | b'A', _) => {}
            _ => return Err(StrandError::Unexpected { tag: char::from(tag) }),
        }
        Ok(None)
    }
}

fn parameter(body: &[u8]) -> Option<Said> {
    let mut reader = Reader::new(body);
    let name = String::from_utf8_lossy(reader.string().ok()?).into_owned();
    let value = String::from_utf8_lossy(reader.string().ok()?).into_owned();
    Some(Said::Parameter { name, value })
}
