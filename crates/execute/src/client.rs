//! The client's socket: bytes received and not yet dealt with, and bytes written in full.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use herd_wire::frame::{FrameError, Header};
use herd_wire::stream::Stream;
use tokio::io::AsyncWrite;

use crate::Interrupts;
use crate::interrupt::Interrupt;
use crate::spare::SpareBuffers;

/// What a client connection reads at once.
const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Read ahead of the statement that runs, for pipelines and to notice a client that left.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub struct ClientConnection {
    pub stream: Stream,
    pub read: BytesMut,
    spare: Arc<SpareBuffers>,
}

/// Why nothing more can be written or read.
#[derive(Debug)]
pub enum ClientLost {
    Gone,
    Io(io::Error),
    Interrupted,
}

impl ClientConnection {
    #[must_use]
    pub fn new(stream: Stream, spare: Arc<SpareBuffers>) -> ClientConnection {
        ClientConnection { stream, read: BytesMut::new(), spare }
    }

    /// Reads what is there; zero bytes mean that the client is gone. The buffer of an idle client
    /// is allocated only when there is something to read.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.is_empty() {
            ready!(self.stream.poll_read_ready(cx))?;
            if self.read.capacity() == 0 {
                self.read = self.spare.take();
            }
        }
        self.read.reserve(READ_BUFFER_BYTES);
        tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read)
    }

    #[must_use]
    pub fn may_read_ahead(&self) -> bool {
        self.read.len() < READ_AHEAD_BYTES_MAX
    }

    /// The next frame, when it is all there.
    pub fn next_frame(&self) -> Result<Option<Header>, FrameError> {
        let header = Header::peek(&self.read)?;
        Ok(header.filter(|header| header.frame_bytes <= self.read.len()))
    }

    /// A client that is silent needs no buffer: another one of the same worker may have it.
    pub fn lend_buffer(&mut self) {
        if self.read.is_empty() {
            self.spare.put(std::mem::take(&mut self.read));
        }
    }

    /// Writes all of it, or until the session is told to end.
    pub async fn write(
        &mut self,
        mut bytes: &[u8],
        interrupts: &Interrupts,
    ) -> Result<(), ClientLost> {
        while !bytes.is_empty() {
            let written = std::future::poll_fn(|cx| self.poll_write(cx, bytes, interrupts)).await?;
            bytes.advance(written);
        }
        if self.stream.is_encrypted() {
            std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_flush(cx))
                .await
                .map_err(ClientLost::Io)?;
        }
        Ok(())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        interrupts: &Interrupts,
    ) -> Poll<Result<usize, ClientLost>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(ClientLost::Gone)),
            Poll::Ready(Ok(written)) => Poll::Ready(Ok(written)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(ClientLost::Io(error))),
            Poll::Pending => {
                ready!(interrupts.poll(cx, &[Interrupt::Terminate]));
                Poll::Ready(Err(ClientLost::Interrupted))
            }
        }
    }
}
