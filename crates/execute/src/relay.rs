//! Moves bytes between one client and one server until the server owes nothing more.
//!
//! Memory is bounded by one read buffer in each direction: whoever does not read stops the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use herd_node::{NodeError, Numbering, ServerConnection};
use herd_wire::frame::{FrameError, Header};
use herd_wire::message;
use thiserror::Error;
use tokio::io::AsyncWrite;

use crate::client::{ClientConnection, ClientLost};
use crate::interrupt::{Interrupt, Interrupts};
use crate::output::Output;
use crate::replies::{Event, Replies, RepliesError};

/// COPY data waiting for a server that does not read.
const COPY_PENDING_BYTES_MAX: usize = 128 * 1024;

#[derive(Debug, Error)]
pub enum RelayError {
    #[error("the client is gone")]
    ClientGone,
    #[error("the session was told to end")]
    Terminated,
    #[error(transparent)]
    Node(NodeError),
    #[error("the client broke the protocol: {0}")]
    Client(FrameError),
}

impl From<ClientLost> for RelayError {
    fn from(lost: ClientLost) -> RelayError {
        match lost {
            ClientLost::Gone => RelayError::ClientGone,
            ClientLost::Io(error) => {
                tracing::debug!(%error, "cannot write to the client");
                RelayError::ClientGone
            }
            ClientLost::Interrupted => RelayError::Terminated,
        }
    }
}

/// Whose bytes are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The server answers.
    Replies,
    /// The client sends COPY data; so many bytes of a frame are still to pass.
    CopyIn { passing_bytes: usize },
}

enum Woken {
    Server(io::Result<usize>),
    Client(io::Result<usize>),
    Wrote,
    Interrupt(Interrupt),
}

/// One exchange between a client and a server connection.
pub struct Relay<'a> {
    pub server: &'a mut ServerConnection,
    /// How the server numbers types, if not as the client knows them.
    pub numbering: Option<&'a Numbering>,
    pub client: &'a mut ClientConnection,
    pub replies: &'a mut Replies,
    /// What is still to be sent to the server.
    pub out: &'a mut BytesMut,
    pub output: &'a mut Output,
    pub interrupts: &'a Interrupts,
}

impl Relay<'_> {
    /// Sends `out` and relays until every expected reply has come; `on_event` hears what passes,
    /// before the client does.
    ///
    /// Not cancel-safe: a server connection left in the middle must be closed.
    pub async fn run(mut self, mut on_event: impl FnMut(&Event)) -> Result<(), RelayError> {
        let mut flow = Flow::Replies;
        loop {
            self.deliver(&mut flow, &mut on_event).await?;
            if let Flow::CopyIn { .. } = flow {
                self.take_copy_data(&mut flow)?;
            }
            if flow == Flow::Replies && self.out.is_empty() && !self.replies.awaits_server() {
                self.forget_cancel_reason();
                return Ok(());
            }
            match std::future::poll_fn(|cx| self.poll(cx, flow)).await {
                Woken::Server(Ok(0)) => {
                    let lost = self.server.lost(io::ErrorKind::UnexpectedEof.into());
                    return Err(RelayError::Node(lost));
                }
                Woken::Server(Err(error)) => {
                    return Err(RelayError::Node(self.server.lost(error)));
                }
                Woken::Client(Ok(0) | Err(_)) => return Err(RelayError::ClientGone),
                Woken::Server(Ok(_)) | Woken::Client(Ok(_)) | Woken::Wrote => {}
                Woken::Interrupt(Interrupt::QueryTimeout) => self.cancel(),
                Woken::Interrupt(_) => return Err(RelayError::Terminated),
            }
        }
    }

    /// Hands to the client what the server has sent so far.
    async fn deliver(
        &mut self,
        flow: &mut Flow,
        on_event: &mut impl FnMut(&Event),
    ) -> Result<(), RelayError> {
        if self.server.read.is_empty() {
            return Ok(());
        }
        if let Some(reason) = self.interrupts.cancel_reason.take() {
            self.replies.explain_cancel(Some(reason));
        }
        self.deliver_known(flow, on_event).await?;
        while let (Some(wanted), Some(numbering)) = (self.replies.wanted(), self.numbering) {
            Box::pin(numbering.learn(wanted)).await;
            self.deliver_known(flow, on_event).await?;
        }
        Ok(())
    }

    /// The same, up to a type whose number is to be learnt.
    async fn deliver_known(
        &mut self,
        flow: &mut Flow,
        on_event: &mut impl FnMut(&Event),
    ) -> Result<(), RelayError> {
        let numbers = self.numbering.map(Numbering::numbers);
        let numbers = numbers.as_ref().map(|numbers| &***numbers);
        let walked = self.replies.walk(&self.server.read, self.output, numbers);
        let consumed = walked.map_err(|error| RelayError::Node(self.broken(&error)))?;
        for event in &self.output.events {
            match event {
                Event::CopyIn => {
                    self.replies.forget_sync_in_copy();
                    *flow = Flow::CopyIn { passing_bytes: 0 };
                }
                Event::Error(_) => *flow = Flow::Replies,
                Event::Parameter { name, value } => self.server.reported.set(name, value),
                _ => {}
            }
            on_event(event);
        }
        if consumed > 0 {
            let bytes = self.output.bytes(&self.server.read, consumed);
            self.client.write(bytes, self.interrupts).await?;
            self.server.read.advance(consumed);
        }
        self.output.clear();
        if self.replies.take_owed_sync() {
            self.out.extend_from_slice(&message::SYNC);
        }
        Ok(())
    }

    /// Moves COPY data from the client towards the server.
    fn take_copy_data(&mut self, flow: &mut Flow) -> Result<(), RelayError> {
        while let Flow::CopyIn { passing_bytes } = flow {
            if *passing_bytes > 0 {
                let passed = (*passing_bytes).min(self.client.read.len());
                self.out.extend_from_slice(&self.client.read[..passed]);
                self.client.read.advance(passed);
                *passing_bytes -= passed;
                if *passing_bytes > 0 {
                    return Ok(());
                }
            }
            if self.out.len() > COPY_PENDING_BYTES_MAX {
                return Ok(());
            }
            let Some(header) = Header::peek(&self.client.read).map_err(RelayError::Client)? else {
                return Ok(());
            };
            match header.tag {
                // Flush and Sync mean nothing to a server in COPY mode.
                b'H' | b'S' => self.client.read.advance(header.frame_bytes),
                b'X' => return Err(RelayError::ClientGone),
                b'd' => *passing_bytes = header.frame_bytes,
                _ if header.frame_bytes > self.client.read.len() => return Ok(()),
                tag => {
                    self.out.extend_from_slice(&self.client.read[..header.frame_bytes]);
                    self.client.read.advance(header.frame_bytes);
                    if tag == b'c' || tag == b'f' {
                        *flow = Flow::Replies;
                        if self.replies.awaits_flush() {
                            self.out.extend_from_slice(&message::FLUSH);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, flow: Flow) -> Poll<Woken> {
        if let Poll::Ready(woken) = self.poll_send(cx) {
            return Poll::Ready(woken);
        }
        if let Poll::Ready(read) = self.server.poll_read(cx) {
            return Poll::Ready(Woken::Server(read));
        }
        let wants_client = match flow {
            Flow::Replies => self.client.may_read_ahead(),
            Flow::CopyIn { .. } => self.out.len() <= COPY_PENDING_BYTES_MAX,
        };
        if wants_client && let Poll::Ready(read) = self.client.poll_read(cx) {
            return Poll::Ready(Woken::Client(read));
        }
        self.interrupts.poll(cx, &Interrupt::WHILE_RUNNING).map(Woken::Interrupt)
    }

    /// Writes what it can of `out`; ready only when that lets more COPY data in, or fails.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if self.out.is_empty() {
            return Poll::Pending;
        }
        let was_full = self.out.len() > COPY_PENDING_BYTES_MAX;
        while !self.out.is_empty() {
            match Pin::new(&mut self.server.stream).poll_write(cx, self.out) {
                Poll::Ready(Ok(written)) if written > 0 => self.out.advance(written),
                Poll::Ready(Ok(_)) => {
                    return Poll::Ready(Woken::Server(Err(io::ErrorKind::WriteZero.into())));
                }
                // The server may have said why before it closed.
                Poll::Ready(Err(_)) => self.out.clear(),
                Poll::Pending => break,
            }
        }
        if self.out.is_empty() && self.server.stream.is_encrypted() {
            let _ = Pin::new(&mut self.server.stream).poll_flush(cx);
        }
        if was_full && self.out.len() <= COPY_PENDING_BYTES_MAX {
            return Poll::Ready(Woken::Wrote);
        }
        Poll::Pending
    }

    /// A statement that has ended before it was cancelled leaves nothing to be explained.
    fn forget_cancel_reason(&mut self) {
        self.interrupts.cancel_reason.take();
        self.replies.explain_cancel(None);
    }

    fn cancel(&self) {
        let identity = std::sync::Arc::clone(&self.server.identity);
        tokio::spawn(async move {
            if let Err(error) = identity.cancel().await {
                tracing::warn!(%error, "cannot cancel a statement that ran into its timeout");
            }
        });
    }

    fn broken(&self, error: &RepliesError) -> NodeError {
        self.server.broken(&error.to_string())
    }
}
