//! One node's side of a COPY: what is sent to it, and what it answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use herd_node::{NodeError, ServerConnection};
use herd_types::NodeId;
use herd_wire::frame::{self, HEADER_BYTES};
use herd_wire::message::{Reader, TransactionStatus};
use tokio::io::AsyncWrite;

use super::line_map::LineMap;
use super::outbox::Outbox;

#[derive(Debug)]
pub(super) struct Branch<'a> {
    pub connection: &'a mut ServerConnection,
    pub outbox: Outbox,
    pub lines: LineMap,
    /// Rows that were sent for this node alone, or for all.
    pub rows_sent: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// COPY is on its way.
    Asked,
    /// The node takes data.
    Copying,
    /// CommandComplete came, with so many rows.
    Counted(u64),
    /// An error came.
    Failed,
    /// ReadyForQuery came, after so many rows; none after an error.
    Ready { rows: Option<u64>, status: TransactionStatus },
}

/// What a node has said.
#[derive(Debug)]
pub(super) enum Heard {
    /// The whole CopyInResponse.
    CopyIn(Bytes),
    /// The body of a NoticeResponse.
    Notice(Bytes),
    /// The body of an ErrorResponse.
    Error(Bytes),
    /// Something that only matters to the branch.
    Progress,
}

impl<'a> Branch<'a> {
    pub(super) fn new(connection: &'a mut ServerConnection) -> Branch<'a> {
        let state = State::Asked;
        let (outbox, lines) = Default::default();
        Branch { connection, outbox, lines, rows_sent: 0, state }
    }

    pub(super) fn node(&self) -> NodeId {
        self.connection.node()
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Sends complete frames when there are at least `bytes_min` of them, and receives: ready
    /// when something came.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        bytes_min: usize,
    ) -> Poll<Result<(), NodeError>> {
        if self.outbox.sealed().len() >= bytes_min {
            self.poll_write(cx);
        }
        match ready!(self.connection.poll_read(cx)) {
            Ok(0) => Poll::Ready(Err(self.connection.lost(io::ErrorKind::UnexpectedEof.into()))),
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(self.connection.lost(error))),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) {
        while !self.outbox.sealed().is_empty() {
            let stream = Pin::new(&mut self.connection.stream);
            match stream.poll_write(cx, self.outbox.sealed()) {
                Poll::Ready(Ok(written)) if written > 0 => self.outbox.advance(written),
                // The server may have said why before it closed: reading will tell.
                Poll::Ready(_) => self.outbox = Outbox::default(),
                Poll::Pending => return,
            }
        }
        if self.connection.stream.is_encrypted() {
            // A failure shows when the connection is read.
            let _ = Pin::new(&mut self.connection.stream).poll_flush(cx);
        }
    }

    /// The next of what was received.
    pub(super) fn hear(&mut self) -> Result<Option<Heard>, NodeError> {
        let found = frame::first(&self.connection.read);
        let found = found.map_err(|error| self.connection.broken(&error.to_string()))?;
        let Some((header, _)) = found else { return Ok(None) };
        let whole = self.connection.read.split_to(header.frame_bytes).freeze();
        let body = whole.slice(HEADER_BYTES..);
        match (header.tag, self.state) {
            (b'G', State::Asked) => {
                self.state = State::Copying;
                return Ok(Some(Heard::CopyIn(whole)));
            }
            (b'E', _) => {
                self.state = State::Failed;
                self.outbox.abandon();
                return Ok(Some(Heard::Error(body)));
            }
            (b'N', _) => return Ok(Some(Heard::Notice(body))),
            (b'C', State::Copying) => {
                let rows = copied_rows(&body);
                let rows = rows.ok_or_else(|| self.connection.broken("invalid COPY tag"))?;
                self.state = State::Counted(rows);
            }
            (b'Z', state) => {
                let status = body.first().copied().and_then(TransactionStatus::from_byte);
                let status =
                    status.ok_or_else(|| self.connection.broken("invalid ReadyForQuery"))?;
                let rows = match state {
                    State::Counted(rows) => Some(rows),
                    _ => None,
                };
                self.state = State::Ready { rows, status };
            }
            (b'S', _) => self.note_parameter(&body)?,
            // Notifications wait for nobody here: a session that listens is pinned elsewhere.
            (b'A', _) => {}
            (tag, _) => {
                let reason = format!("unexpected message {:?} during COPY", char::from(tag));
                return Err(self.connection.broken(&reason));
            }
        }
        Ok(Some(Heard::Progress))
    }

    /// Takes the COPY back, and listens until the node is at rest.
    pub(super) async fn give_up(&mut self) -> Result<(), NodeError> {
        let mut told = false;
        loop {
            match self.state {
                State::Ready { .. } => return Ok(()),
                State::Copying if !told => {
                    self.outbox.fail("the COPY failed elsewhere");
                    told = true;
                }
                State::Asked | State::Copying | State::Counted(_) | State::Failed => {}
            }
            if self.hear()?.is_none() {
                std::future::poll_fn(|cx| self.poll(cx, 1)).await?;
            }
        }
    }

    fn note_parameter(&mut self, body: &[u8]) -> Result<(), NodeError> {
        let mut reader = Reader::new(body);
        let (Ok(name), Ok(value)) = (reader.string(), reader.string()) else {
            return Err(self.connection.broken("invalid ParameterStatus"));
        };
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        self.connection.reported.set(&name, &value);
        Ok(())
    }
}

/// `COPY 42`
pub(super) fn copied_rows(body: &[u8]) -> Option<u64> {
    let tag = std::str::from_utf8(body.strip_suffix(b"\0")?).ok()?;
    tag.strip_prefix("COPY ")?.parse().ok()
}
