//! What a server owes for the messages it was sent, and what of its answers the client sees.
//!
//! Bytes in, bytes and events out; no I/O. Messages of Herd's own are hidden, messages that were
//! answered without the server are put in at their place, everything else passes untouched.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use herd_node::{Numbers, Wanted};
use herd_wire::frame::{FrameError, HEADER_BYTES, Header};
use herd_wire::message::TransactionStatus;
use thiserror::Error;

use crate::cancel_reason::is_cancelled;
use crate::expected::{Expected, Shown, Token};
use crate::output::Output;
use crate::renumber::has_numbers;
use crate::subject::Subject;

mod end;

use self::end::End;

/// A reply other than row data is read whole; an error message longer than this is no error message.
const WHOLE_FRAME_BYTES_MAX: usize = 64 << 20;

/// What the session has to know of what passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Done(Token),
    /// The message with this token failed, or was never looked at because an earlier one failed.
    Lost(Token),
    Error(Bytes),
    /// The bodies of ParameterDescription and, for a statement that gives rows, RowDescription.
    Described {
        token: Token,
        parameters: Bytes,
        row: Option<Bytes>,
    },
    Parameter {
        name: String,
        value: String,
    },
    CopyIn,
    /// The CommandComplete of one statement of a query string, whole.
    Completed(Bytes),
    /// A definition has run: what was prepared before may not fit any more.
    Defined(Subject),
    Ready(TransactionStatus),
}

#[derive(Debug, Error)]
pub enum RepliesError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the server sent an unexpected message {tag:?}")]
    Unexpected { tag: char },
    #[error(
        "the server sent a message of {bytes} bytes where at most {WHOLE_FRAME_BYTES_MAX} are read"
    )]
    TooLong { bytes: usize },
}

/// The replies still owed by one server connection.
#[derive(Debug, Default)]
pub struct Replies {
    queue: VecDeque<Expected>,
    /// Bytes of a long row that are still to pass.
    passing_bytes: usize,
    passing_hidden: bool,
    /// An error has been seen in the simple query at the head.
    query_failed: bool,
    owes_sync: bool,
    /// The walk stopped at a number that is not known; if it still is not, it passes for unknown.
    wanted: Option<Wanted>,
    end: End,
    /// An ErrorResponse that is told instead of one that tells of a cancel request.
    cancel_reason: Option<Bytes>,
}

impl Replies {
    pub fn expect(&mut self, expected: Expected) {
        self.queue.push_back(expected);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.passing_bytes == 0
    }

    /// A row has been passed in part.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing_bytes > 0
    }

    /// Nothing at all is awaited from the server: only answers of Herd's own are left, if any.
    #[must_use]
    pub fn awaits_server(&self) -> bool {
        self.passing_bytes > 0
            || self.queue.iter().any(|expected| !matches!(expected, Expected::Answer(_)))
    }

    /// A hidden message failed in front of a simple query, which the server therefore skips: it
    /// needs a Sync to go on. True once.
    pub fn take_owed_sync(&mut self) -> bool {
        std::mem::take(&mut self.owes_sync)
    }

    /// The walk has stopped at a number whose counterpart is not known: learn it and walk on.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        self.wanted
    }

    /// What the client is told if the server now says that the statement was cancelled.
    pub fn explain_cancel(&mut self, reason: Option<Bytes>) {
        self.cancel_reason = reason;
    }

    /// The server is in COPY mode, where it ignores a Sync that was sent right behind.
    pub fn forget_sync_in_copy(&mut self) {
        if matches!(self.queue.get(1), Some(Expected::Ready { .. })) {
            self.queue.remove(1);
        }
    }

    /// The server says that it has executed something only when it is asked to, by Sync or Flush.
    #[must_use]
    pub fn awaits_flush(&self) -> bool {
        matches!(self.queue.front(), Some(Expected::Execute { .. }))
    }

    /// Answers at the head, when no server byte is awaited before them.
    pub fn take_answers(&mut self, out: &mut BytesMut) {
        while let Some(Expected::Answer(bytes)) = self.queue.front() {
            out.extend_from_slice(bytes);
            self.queue.pop_front();
        }
    }

    /// Walks over the frames in `input`; returns how many bytes are dealt with. The rest is an
    /// incomplete frame, comes after the last expected reply, or names what `numbers` lacks.
    pub fn walk(
        &mut self,
        input: &[u8],
        output: &mut Output,
        numbers: Option<&Numbers>,
    ) -> Result<usize, RepliesError> {
        let mut at = self.pass(input, output);
        self.insert_answers(input, at, output);
        while self.passing_bytes == 0 {
            let rest = &input[at..];
            let Some(header) = Header::peek(rest)? else { break };
            if rest.len() < header.frame_bytes {
                if !is_row_data(header.tag) {
                    if header.frame_bytes > WHOLE_FRAME_BYTES_MAX {
                        return Err(RepliesError::TooLong { bytes: header.frame_bytes });
                    }
                    break;
                }
                self.passing_hidden = self.is_hidden(header.tag)?;
                self.passing_bytes = header.frame_bytes;
                let passed = self.pass(rest, &mut Output::default());
                if self.passing_hidden {
                    output.cut(input, at, at + passed);
                }
                at += passed;
                break;
            }
            let end = at + header.frame_bytes;
            let numbers = numbers.filter(|_| has_numbers(header.tag));
            match numbers {
                Some(numbers) if self.lacks(&input[at..end], numbers) => break,
                Some(numbers) => self.take_numbered(header.tag, input, at..end, numbers, output)?,
                None => self.take(header.tag, input, at..end, output)?,
            }
            at = end;
            self.insert_answers(input, at, output);
        }
        Ok(at)
    }

    /// The continuation of a row that is longer than the buffer.
    fn pass(&mut self, input: &[u8], output: &mut Output) -> usize {
        let passed = self.passing_bytes.min(input.len());
        if self.passing_hidden && passed > 0 {
            output.cut(input, 0, passed);
        }
        self.passing_bytes -= passed;
        passed
    }

    fn insert_answers(&mut self, input: &[u8], at: usize, output: &mut Output) {
        while let Some(Expected::Answer(bytes)) = self.queue.front() {
            output.insert(input, at, bytes);
            self.queue.pop_front();
        }
    }

    fn is_hidden(&self, tag: u8) -> Result<bool, RepliesError> {
        match self.queue.front() {
            Some(Expected::Execute { hidden, .. }) => Ok(*hidden),
            Some(_) => Ok(false),
            None => Err(RepliesError::Unexpected { tag: tag as char }),
        }
    }

    fn take(
        &mut self,
        tag: u8,
        input: &[u8],
        span: std::ops::Range<usize>,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        let body = &input[span.start + HEADER_BYTES..span.end];
        match tag {
            b'D' | b'd' | b'T' | b'H' | b'c' | b't' | b'n' => {}
            b'N' => {
                self.place_in_string(input, &span, output);
                return Ok(());
            }
            b'A' => return Ok(()),
            b'S' => {
                output.events.extend(parameter(body));
                return Ok(());
            }
            b'E' => return self.fail(input, span, output),
            b'Z' => return self.ready(body, input, span, output),
            b'G' | b'W' => {
                output.events.push(Event::CopyIn);
                return Ok(());
            }
            b'C' => output.events.extend(Subject::of(body).map(Event::Defined)),
            b'1' | b'2' | b'3' | b'I' | b's' | b'V' => {}
            _ => return Err(RepliesError::Unexpected { tag: tag as char }),
        }
        self.reply(tag, input, span, output)
    }

    /// A reply that belongs to the message at the head.
    fn reply(
        &mut self,
        tag: u8,
        input: &[u8],
        span: std::ops::Range<usize>,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        let unexpected = || RepliesError::Unexpected { tag: tag as char };
        let (finished, hidden, token) = match self.queue.front().ok_or_else(unexpected)? {
            Expected::Part { .. } if tag == b'C' => {
                output.events.push(Event::Completed(Bytes::copy_from_slice(&input[span.clone()])));
                (false, true, None)
            }
            Expected::Portion if tag == b'C' => {
                output.events.push(Event::Completed(Bytes::copy_from_slice(&input[span.clone()])));
                (true, true, None)
            }
            Expected::Portion if tag == b'D' => (false, false, None),
            Expected::Query { .. } | Expected::Part { .. } => (false, false, None),
            Expected::Single { tag: wanted, hidden, token } if *wanted == tag => {
                (true, *hidden, *token)
            }
            Expected::Shape { .. } => return self.hear_shape(tag, input, span, None, output),
            Expected::DescribeStatement if tag == b't' => (false, false, None),
            Expected::DescribeStatement | Expected::DescribePortal
                if matches!(tag, b'T' | b'n') =>
            {
                (true, false, None)
            }
            Expected::Execute { hidden, token } => match tag {
                b'C' | b'I' => (true, *hidden, *token),
                b's' => (true, *hidden, None),
                b'D' | b'd' | b'H' | b'c' => (false, *hidden, None),
                _ => return Err(unexpected()),
            },
            _ => return Err(unexpected()),
        };
        if hidden {
            output.cut(input, span.start, span.end);
        }
        if finished {
            output.events.extend(token.map(Event::Done));
            self.queue.pop_front();
        }
        Ok(())
    }

    fn fail(
        &mut self,
        input: &[u8],
        span: std::ops::Range<usize>,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        let body = &input[span.start + HEADER_BYTES..span.end];
        let reason = self.cancel_reason.take_if(|_| is_cancelled(body));
        match (self.queue.front(), reason) {
            (Some(Expected::Refusal(bytes)), _) => {
                output.cut(input, span.start, span.end);
                output.edited.extend_from_slice(bytes);
            }
            (_, Some(frame)) => {
                output.cut(input, span.start, span.end);
                output.edited.extend_from_slice(&frame);
                output.events.push(Event::Error(frame.slice(HEADER_BYTES..)));
            }
            _ => {
                output.events.push(Event::Error(Bytes::copy_from_slice(body)));
                self.place_in_string(input, &span, output);
            }
        }
        if matches!(self.queue.front(), Some(Expected::Query { .. } | Expected::Part { .. })) {
            self.query_failed = true;
            return Ok(());
        }
        self.skip_to_ready(output);
        Ok(())
    }

    /// An error or a notice about one statement of a query string tells where in the string.
    fn place_in_string(&self, input: &[u8], span: &std::ops::Range<usize>, output: &mut Output) {
        let Some(Expected::Part { characters_before }) = self.queue.front() else { return };
        let body = &input[span.start + HEADER_BYTES..span.end];
        if let Some(moved) = herd_wire::error::moved(body, *characters_before) {
            output.cut(input, span.start, span.end);
            herd_wire::message::frame(&mut output.edited, input[span.start], |out| {
                out.extend_from_slice(&moved);
            });
        }
    }

    /// After an error the server skips to the next Sync; a simple query is skipped as well.
    fn skip_to_ready(&mut self, output: &mut Output) {
        while let Some(expected) = self.queue.front() {
            match expected {
                Expected::Ready { .. } => return,
                Expected::Query { token } => {
                    output.events.extend(token.map(Event::Lost));
                    self.queue[0] = Expected::Ready { shown: Shown::AsItIs };
                    self.owes_sync = true;
                    return;
                }
                Expected::Part { .. } => {
                    self.queue[0] = Expected::Ready { shown: Shown::No };
                    self.owes_sync = true;
                    return;
                }
                Expected::Single { token, .. } | Expected::Execute { token, .. } => {
                    output.events.extend(token.map(Event::Lost));
                }
                _ => {}
            }
            self.queue.pop_front();
        }
    }
}

/// Messages that may be longer than any buffer, and of which nothing but the end matters.
fn is_row_data(tag: u8) -> bool {
    matches!(tag, b'D' | b'd' | b'V')
}

fn parameter(body: &[u8]) -> Option<Event> {
    let mut reader = herd_wire::message::Reader::new(body);
    let name = std::str::from_utf8(reader.string().ok()?).ok()?;
    let value = std::str::from_utf8(reader.string().ok()?).ok()?;
    Some(Event::Parameter { name: name.to_owned(), value: value.to_owned() })
}

mod described;
#[cfg(test)]
mod tests;
