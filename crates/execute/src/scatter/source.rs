//! A node that gives rows.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use herd_node::{NodeError, Numbering, ServerConnection};
use herd_wire::frame::{HEADER_BYTES, Header};
use herd_wire::message::{self, Reader};
use tokio::io::AsyncWriteExt;

use super::{Asking, Member};

/// No name of a client's.
const PORTAL: &[u8] = b"herd scatter";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    /// It has been asked for rows.
    Giving,
    /// There are more rows, for which it has not been asked.
    Suspended,
    /// It has given all.
    Spent,
    /// An error came.
    Failed,
}

/// Whether it was told that this is all, so that ReadyForQuery comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Said,
    Owed,
}

/// What there was to hear.
#[derive(Debug)]
pub(super) enum Heard {
    /// A whole DataRow is at hand.
    Row { bytes: usize },
    /// There are more rows, for which it has to be asked.
    Suspended,
    /// There are no more rows.
    Spent,
    /// A whole RowDescription.
    Description(Bytes),
    /// A whole NoticeResponse.
    Notice(Bytes),
    /// The body of an ErrorResponse.
    Error(Bytes),
    /// More has to be read first.
    Nothing,
}

pub(super) struct Source<'c> {
    pub(super) connection: &'c mut ServerConnection,
    pub(super) numbering: Option<&'c Numbering>,
    types: Vec<u32>,
    state: State,
    end: End,
    portion_rows: u32,
}

impl<'c> Source<'c> {
    pub(super) fn new(member: Member<'c>) -> Source<'c> {
        let Member { connection, numbering, types } = member;
        let (state, end) = (State::Resting, End::Said);
        Source { connection, numbering, types, state, end, portion_rows: 0 }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.state == State::Resting
    }

    pub(super) async fn ask(&mut self, asking: &Asking) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        if let Some(original) = &asking.original {
            message::parse(&mut out, b"", original, &self.types);
        }
        message::parse(&mut out, b"", &asking.text, &self.types);
        let rest = [asking.parameters.as_slice(), &asking.formats].concat();
        message::bind(&mut out, PORTAL, b"", &rest);
        message::describe_portal(&mut out, PORTAL);
        self.portion_rows = asking.portion_rows();
        message::execute(&mut out, PORTAL, self.portion_rows);
        self.state = State::Giving;
        self.end = if self.portion_rows == 0 { End::Said } else { End::Owed };
        match self.end {
            End::Said => put_end(&mut out),
            End::Owed => out.extend_from_slice(&message::FLUSH),
        }
        self.send(&out).await
    }

    pub(super) async fn ask_more(&mut self) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        message::execute(&mut out, PORTAL, self.portion_rows);
        out.extend_from_slice(&message::FLUSH);
        self.state = State::Giving;
        self.send(&out).await
    }

    /// No more rows are needed.
    pub(super) async fn finish(&mut self) -> Result<(), NodeError> {
        if self.end == End::Said {
            return Ok(());
        }
        self.end = End::Said;
        let mut out = BytesMut::new();
        put_end(&mut out);
        self.send(&out).await
    }

    /// A row that is at hand.
    pub(super) fn row(&self, bytes: usize) -> &[u8] {
        &self.connection.read[..bytes]
    }

    pub(super) fn drop_row(&mut self, bytes: usize) {
        self.connection.read.advance(bytes);
    }

    pub(super) fn hear(&mut self) -> Result<Heard, NodeError> {
        while self.state != State::Resting {
            let peeked = Header::peek(&self.connection.read);
            let Some(header) = peeked.map_err(|error| self.broken(&error.to_string()))? else {
                return Ok(Heard::Nothing);
            };
            if self.connection.read.len() < header.frame_bytes {
                return Ok(Heard::Nothing);
            }
            if header.tag == b'D' {
                return Ok(Heard::Row { bytes: header.frame_bytes });
            }
            let frame = self.connection.read.split_to(header.frame_bytes).freeze();
            if let Some(heard) = self.take(header.tag, frame)? {
                return Ok(heard);
            }
        }
        Ok(Heard::Spent)
    }

    /// A whole message that is no row.
    fn take(&mut self, tag: u8, frame: Bytes) -> Result<Option<Heard>, NodeError> {
        let body = frame.slice(HEADER_BYTES..);
        match tag {
            b'1' | b'2' | b'3' | b'A' => {}
            b'T' => return Ok(Some(Heard::Description(frame))),
            b'N' => return Ok(Some(Heard::Notice(frame))),
            b'C' => {
                self.state = State::Spent;
                return Ok(Some(Heard::Spent));
            }
            b's' => {
                self.state = State::Suspended;
                return Ok(Some(Heard::Suspended));
            }
            b'E' => {
                self.state = State::Failed;
                return Ok(Some(Heard::Error(body)));
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
        if self.state == State::Giving {
            self.connection.identity.cancel().await?;
        }
        self.finish().await?;
        while !self.is_at_rest() {
            match self.hear()? {
                Heard::Row { bytes } => self.drop_row(bytes),
                Heard::Nothing => {
                    let received = std::future::poll_fn(|cx| self.connection.poll_read(cx)).await;
                    self.check_received(received)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn send(&mut self, out: &[u8]) -> Result<(), NodeError> {
        let sent = self.connection.stream.write_all(out).await;
        sent.map_err(|error| self.connection.lost(error))?;
        let flushed = self.connection.stream.flush().await;
        flushed.map_err(|error| self.connection.lost(error))
    }

    fn broken(&self, reason: &str) -> NodeError {
        self.connection.broken(reason)
    }
}

fn put_end(out: &mut BytesMut) {
    message::close_portal(out, PORTAL);
    out.extend_from_slice(&message::SYNC);
}
