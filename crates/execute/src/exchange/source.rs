//! A node that gives rows.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use herd_node::{NodeError, ServerConnection};
use herd_wire::frame::{HEADER_BYTES, Header};
use herd_wire::message::{self, Reader};
use tokio::io::AsyncWriteExt;

use super::{Giver, Request, Tally};

/// All columns in binary.
const BINARY_RESULT: [u8; 4] = [0, 1, 0, 1];
/// Rows are handed on in portions of about this size.
const PORTION_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    Asked,
    /// An error came; ReadyForQuery will.
    Failed,
}

/// What there was to hear.
#[derive(Debug)]
pub(super) enum Heard {
    /// Rows, and there may be more.
    Part,
    /// Everything up to ReadyForQuery.
    All,
    /// The body of an ErrorResponse.
    Error(Bytes),
}

pub(super) struct Source<'c> {
    pub(super) connection: &'c mut ServerConnection,
    types: Vec<Vec<u32>>,
    state: State,
    /// Bytes of a long row that are still to pass.
    passing_bytes: usize,
    pub(super) passed: Passed,
}

/// What has passed and was not counted yet.
#[derive(Debug, Default)]
pub(super) struct Passed {
    rows: u64,
    bytes: u64,
}

impl Passed {
    pub(super) fn take(&mut self) -> Passed {
        std::mem::take(self)
    }

    pub(super) fn count(self, tally: &Tally) {
        tally.add(self.rows, self.bytes);
    }
}

impl<'c> Source<'c> {
    pub(super) fn new(giver: Giver<'c>) -> Source<'c> {
        let Giver { connection, types } = giver;
        Source {
            connection,
            types,
            state: State::Resting,
            passing_bytes: 0,
            passed: Passed::default(),
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.state == State::Resting
    }

    pub(super) async fn ask(&mut self, place: usize, request: &Request) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        let types = self.types.get(place).map_or(&[][..], Vec::as_slice);
        message::parse(&mut out, b"", &request.text, types);
        let rest = [request.parameters.as_slice(), &BINARY_RESULT].concat();
        message::bind(&mut out, b"", b"", &rest);
        message::execute(&mut out, b"", 0);
        out.extend_from_slice(&message::SYNC);
        self.state = State::Asked;
        let sent = self.connection.stream.write_all(&out).await;
        sent.map_err(|error| self.connection.lost(error))
    }

    /// Puts rows that have come into `outbox`, as CopyData.
    pub(super) fn hear(&mut self, outbox: &mut BytesMut) -> Result<Heard, NodeError> {
        while self.state != State::Resting {
            self.pass(outbox);
            if self.passing_bytes > 0 || outbox.len() >= PORTION_BYTES {
                return Ok(Heard::Part);
            }
            let peeked = Header::peek(&self.connection.read);
            let Some(header) = peeked.map_err(|error| self.broken(&error.to_string()))? else {
                return Ok(Heard::Part);
            };
            if header.tag == b'D' {
                outbox.put_u8(b'd');
                self.connection.read.advance(1);
                self.passing_bytes = header.frame_bytes - 1;
                self.passed.rows += 1;
                self.passed.bytes += header.frame_bytes as u64;
                continue;
            }
            if self.connection.read.len() < header.frame_bytes {
                return Ok(Heard::Part);
            }
            let frame = self.connection.read.split_to(header.frame_bytes).freeze();
            if let Some(error) = self.take(header.tag, frame.slice(HEADER_BYTES..))? {
                return Ok(Heard::Error(error));
            }
        }
        Ok(Heard::All)
    }

    fn pass(&mut self, outbox: &mut BytesMut) {
        let passed = self.passing_bytes.min(self.connection.read.len());
        outbox.extend_from_slice(&self.connection.read[..passed]);
        self.connection.read.advance(passed);
        self.passing_bytes -= passed;
    }

    /// A whole message that is no row.
    fn take(&mut self, tag: u8, body: Bytes) -> Result<Option<Bytes>, NodeError> {
        match tag {
            b'1' | b'2' | b'C' | b'I' | b'N' | b'A' => {}
            b'E' => {
                self.state = State::Failed;
                return Ok(Some(body));
            }
            b'Z' => self.state = State::Resting,
            b'S' => {
                let mut reader = Reader::new(&body);
                if let (Ok(name), Ok(value)) = (reader.string(), reader.string()) {
                    let text = String::from_utf8_lossy;
                    self.connection.reported.set(&text(name), &text(value));
                }
            }
            _ => return Err(self.broken("unexpected message while it gave rows")),
        }
        Ok(None)
    }

    pub(super) fn check_received(&self, received: io::Result<usize>) -> Result<(), NodeError> {
        match received {
            Ok(0) => Err(self.connection.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.connection.lost(error)),
        }
    }

    /// Stops what it does, and hears it out.
    pub(super) async fn settle(&mut self) -> Result<(), NodeError> {
        if self.state == State::Asked {
            self.connection.identity.cancel().await?;
        }
        let mut dropped = BytesMut::new();
        while !self.is_at_rest() {
            if let Heard::Part = self.hear(&mut dropped)? {
                let received = std::future::poll_fn(|cx| self.connection.poll_read(cx)).await;
                self.check_received(received)?;
            }
            dropped.clear();
        }
        Ok(())
    }

    fn broken(&self, reason: &str) -> NodeError {
        self.connection.broken(reason)
    }
}
