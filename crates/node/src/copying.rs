//! COPY of Herd's own, from one connection and to others.

use bytes::{Bytes, BytesMut};
use herd_wire::message::{self, TransactionStatus};
use tokio::io::AsyncWriteExt;

use crate::{NodeError, ServerConnection};

impl ServerConnection {
    /// Begins a COPY TO STDOUT of Herd's own: its data is read by [`ServerConnection::next_copied`].
    ///
    /// Not cancel-safe: a connection left in the middle must be dropped.
    pub async fn begin_copy_out(&mut self, sql: &[u8]) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        message::query(&mut out, sql);
        self.write(&out).await?;
        let mut failure = None;
        loop {
            let (tag, body) = self.next_frame().await?;
            match (tag, failure) {
                (b'H', _) => return Ok(()),
                (b'E', None) => failure = Some(body),
                (b'Z', Some(body)) => return Err(NodeError::Server(body)),
                (b'Z', None) => return Err(self.broken("COPY has not begun")),
                (_, before) => failure = before,
            }
        }
    }

    /// The next row; `None` when the COPY is over and the connection has nothing more to say.
    ///
    /// Not cancel-safe either.
    pub async fn next_copied(&mut self) -> Result<Option<Bytes>, NodeError> {
        let mut failure = None;
        loop {
            let (tag, body) = self.next_frame().await?;
            match tag {
                b'd' if failure.is_none() => return Ok(Some(body)),
                b'E' => failure = failure.or(Some(body)),
                b'Z' => return failure.map_or(Ok(None), |body| Err(NodeError::Server(body))),
                _ => {}
            }
        }
    }

    /// Sends data of a COPY FROM STDIN that [`ServerConnection::begin_copy`] has begun.
    ///
    /// Not cancel-safe either.
    pub async fn put_copied(&mut self, data: &[u8]) -> Result<(), NodeError> {
        let mut out = BytesMut::with_capacity(data.len() + message::COPY_DONE.len());
        message::frame(&mut out, b'd', |out| out.extend_from_slice(data));
        self.write(&out).await
    }

    /// Ends it; where the transaction stands.
    ///
    /// Not cancel-safe either.
    pub async fn end_copy(&mut self) -> Result<TransactionStatus, NodeError> {
        self.tell(&message::COPY_DONE).await.map(|(_, status)| status)
    }

    async fn write(&mut self, out: &[u8]) -> Result<(), NodeError> {
        self.stream.write_all(out).await.map_err(|source| self.lost(source))?;
        self.stream.flush().await.map_err(|source| self.lost(source))
    }
}
