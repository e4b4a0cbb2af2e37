//! One connection to a node, and what the sessions before have left on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use herd_types::{ClientId, NodeId};
use herd_wire::connect::{LoggedIn, NodeAddress};
use herd_wire::frame::{self, HEADER_BYTES};
use herd_wire::message::{self, Reader, TransactionStatus};
use herd_wire::stream::Stream;
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use crate::limits::{
    CANCEL_TIMEOUT, CHECK_TIMEOUT, NOTICES_MAX, READ_BUFFER_BYTES, READ_BUFFER_KEPT_BYTES_MAX,
    SETTINGS_TIMEOUT,
};
use crate::{NodeError, PreparedCache, Reported, Settings};

/// Who a server connection is, for cancel requests and for SHOW SERVERS.
#[derive(Debug)]
pub struct ServerIdentity {
    pub node: NodeId,
    pub node_name: String,
    pub process_id: i32,
    pub opened_at: Instant,
    address: NodeAddress,
    cancel_key: Vec<u8>,
    /// The client that holds it; zero while it is idle.
    holder: AtomicU64,
}

impl ServerIdentity {
    /// Cancels whatever the connection runs. When it returns, the signal has been delivered.
    pub async fn cancel(&self) -> Result<(), NodeError> {
        let request = herd_wire::connect::cancel(
            &self.address,
            self.process_id,
            &self.cancel_key,
            CANCEL_TIMEOUT,
        );
        request.await.map_err(|source| NodeError::Connect { node: self.node_name.clone(), source })
    }

    #[must_use]
    pub fn holder(&self) -> Option<ClientId> {
        match self.holder.load(Ordering::Relaxed) {
            0 => None,
            id => Some(ClientId(id)),
        }
    }

    pub fn set_holder(&self, holder: Option<ClientId>) {
        self.holder.store(holder.map_or(0, |id| id.0), Ordering::Relaxed);
    }
}

/// The result of a statement of Herd's own.
#[derive(Debug, Default)]
pub struct Answer {
    pub rows: Vec<Vec<Option<Bytes>>>,
    pub tag: String,
    /// Bodies of NoticeResponse.
    pub notices: Vec<Bytes>,
}

fn read_row(body: &Bytes) -> Result<Vec<Option<Bytes>>, message::Malformed> {
    let mut reader = Reader::new(body);
    let count = reader.u16()?;
    (0..count).map(|_| Ok(reader.value()?.map(|value| body.slice_ref(value)))).collect()
}

#[derive(Debug)]
pub struct ServerConnection {
    pub stream: Stream,
    /// Bytes received and not yet dealt with.
    pub read: BytesMut,
    pub identity: Arc<ServerIdentity>,
    /// The settings in force outside of any transaction.
    pub applied: Arc<Settings>,
    pub reported: Reported,
    pub prepared: PreparedCache,
    /// The client whose use of sequences is all that the server remembers of them.
    pub sequences_of: Option<ClientId>,
    pub(crate) expires_at: Instant,
    pub(crate) idle_since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl ServerConnection {
    pub(crate) fn new(
        node: NodeId,
        node_name: &str,
        address: NodeAddress,
        logged_in: LoggedIn,
        statements_max: usize,
        lifetime: Duration,
        permit: OwnedSemaphorePermit,
    ) -> ServerConnection {
        let now = Instant::now();
        let identity = ServerIdentity {
            node,
            node_name: node_name.to_owned(),
            process_id: logged_in.process_id,
            opened_at: now,
            address,
            cancel_key: logged_in.cancel_key,
            holder: AtomicU64::new(0),
        };
        ServerConnection {
            stream: logged_in.stream,
            read: logged_in.leftover,
            identity: Arc::new(identity),
            applied: Arc::default(),
            reported: Reported::new(logged_in.parameters),
            prepared: PreparedCache::new(statements_max),
            sequences_of: None,
            expires_at: now + lifetime,
            idle_since: now,
            _permit: permit,
        }
    }

    #[must_use]
    pub fn node(&self) -> NodeId {
        self.identity.node
    }

    #[must_use]
    pub fn node_name(&self) -> &str {
        &self.identity.node_name
    }

    /// Reads what is there into `read`; zero bytes mean that the server is gone.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.is_empty() && self.read.capacity() > READ_BUFFER_KEPT_BYTES_MAX {
            self.read = BytesMut::new();
        }
        self.read.reserve(READ_BUFFER_BYTES / 2);
        tokio_util::io::poll_read_buf(std::pin::Pin::new(&mut self.stream), cx, &mut self.read)
    }

    /// Whether the server closed it, or said something unasked: an idle connection is silent.
    pub(crate) fn is_disturbed(&mut self) -> bool {
        if !self.read.is_empty() {
            return true;
        }
        let mut byte = [0u8; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let stream = std::pin::Pin::new(&mut self.stream);
        tokio::io::AsyncRead::poll_read(stream, &mut cx, &mut buffer).is_ready()
    }

    /// Asks for a sign of life.
    pub(crate) async fn check(&mut self) -> Result<(), NodeError> {
        self.within(CHECK_TIMEOUT, message::SYNC.to_vec()).await.map(drop)
    }

    /// Runs statements of Herd's own, unseen by the client.
    ///
    /// Not cancel-safe: a connection left in the middle must be dropped.
    pub async fn simple(&mut self, sql: &[u8]) -> Result<(Answer, TransactionStatus), NodeError> {
        let mut out = BytesMut::new();
        message::query(&mut out, sql);
        self.tell(&out).await
    }

    /// The same with any messages after which one ReadyForQuery comes.
    ///
    /// Not cancel-safe either.
    pub async fn tell(&mut self, out: &[u8]) -> Result<(Answer, TransactionStatus), NodeError> {
        self.stream.write_all(out).await.map_err(|source| self.lost(source))?;
        self.stream.flush().await.map_err(|source| self.lost(source))?;
        self.read_answer().await
    }

    /// Asks for a text to be prepared, without a name and without using it.
    ///
    /// Not cancel-safe: a connection left in the middle must be dropped.
    pub async fn parse(&mut self, sql: &[u8]) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        message::parse(&mut out, b"", sql, &[]);
        out.extend_from_slice(&message::SYNC);
        self.tell(&out).await.map(drop)
    }

    /// Begins a COPY FROM STDIN of Herd's own: the server takes data when it returns.
    ///
    /// Not cancel-safe either.
    pub async fn begin_copy(&mut self, sql: &[u8]) -> Result<(), NodeError> {
        let mut out = BytesMut::new();
        message::query(&mut out, sql);
        self.stream.write_all(&out).await.map_err(|source| self.lost(source))?;
        self.stream.flush().await.map_err(|source| self.lost(source))?;
        let mut failure = None;
        loop {
            let (tag, body) = self.next_frame().await?;
            match (tag, failure) {
                (b'G', _) => return Ok(()),
                (b'E', None) => failure = Some(body),
                (b'Z', Some(body)) => return Err(NodeError::Server(body)),
                (b'Z', None) => return Err(self.broken("COPY has not begun")),
                (_, before) => failure = before,
            }
        }
    }

    /// Brings the connection to `wanted`, one round trip if it is not there already.
    pub async fn restore(&mut self, wanted: &Arc<Settings>) -> Result<(), NodeError> {
        if Arc::ptr_eq(&self.applied, wanted) {
            return Ok(());
        }
        if self.applied != *wanted {
            let mut out = BytesMut::new();
            message::query(&mut out, &wanted.restore_from(&self.applied));
            self.within(SETTINGS_TIMEOUT, out.to_vec()).await?;
        }
        self.applied = Arc::clone(wanted);
        Ok(())
    }

    async fn within(&mut self, limit: Duration, request: Vec<u8>) -> Result<Answer, NodeError> {
        let node = self.node_name().to_owned();
        let exchange = async {
            self.stream.write_all(&request).await.map_err(|source| self.lost(source))?;
            self.read_answer().await
        };
        let (answer, _) = tokio::time::timeout(limit, exchange)
            .await
            .map_err(|_| NodeError::Silent { node, waited: limit })??;
        Ok(answer)
    }

    async fn read_answer(&mut self) -> Result<(Answer, TransactionStatus), NodeError> {
        let mut answer = Answer::default();
        let mut failure = None;
        loop {
            let (tag, body) = self.next_frame().await?;
            match tag {
                b'D' => answer.rows.push(self.data_row(&body)?),
                b'C' => answer.tag = self.string(&body)?,
                b'S' => self.note_parameter(&body)?,
                b'N' if answer.notices.len() < NOTICES_MAX => answer.notices.push(body),
                b'E' if failure.is_none() => failure = Some(body),
                b'Z' => {
                    let status = body.first().copied().and_then(TransactionStatus::from_byte);
                    let status = status.ok_or_else(|| self.broken("invalid ReadyForQuery"))?;
                    return match failure {
                        Some(body) => Err(NodeError::Server(body)),
                        None => Ok((answer, status)),
                    };
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn next_frame(&mut self) -> Result<(u8, Bytes), NodeError> {
        loop {
            let found = frame::first(&self.read)
                .map_err(|error| NodeError::frame(&self.identity.node_name, error))?
                .map(|(header, _)| header);
            if let Some(header) = found {
                let mut whole = self.read.split_to(header.frame_bytes).freeze();
                return Ok((header.tag, whole.split_off(HEADER_BYTES)));
            }
            let received = std::future::poll_fn(|cx| self.poll_read(cx)).await;
            match received {
                Ok(0) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(source) => return Err(self.lost(source)),
            }
        }
    }

    fn data_row(&self, body: &Bytes) -> Result<Vec<Option<Bytes>>, NodeError> {
        read_row(body).map_err(|message::Malformed| self.broken("invalid DataRow"))
    }

    fn string(&self, body: &[u8]) -> Result<String, NodeError> {
        let text = Reader::new(body).string().map_err(|_| self.broken("invalid string"))?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn note_parameter(&mut self, body: &[u8]) -> Result<(), NodeError> {
        let mut reader = Reader::new(body);
        let (Ok(name), Ok(value)) = (reader.string(), reader.string()) else {
            return Err(self.broken("invalid ParameterStatus"));
        };
        self.reported.set(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
        Ok(())
    }

    #[must_use]
    pub fn lost(&self, source: io::Error) -> NodeError {
        NodeError::Lost { node: self.node_name().to_owned(), source }
    }

    #[must_use]
    pub fn broken(&self, reason: &str) -> NodeError {
        NodeError::Protocol { node: self.node_name().to_owned(), reason: reason.to_owned() }
    }

    /// Says goodbye and closes, in the background.
    pub(crate) fn terminate(mut self: Box<Self>) {
        tokio::spawn(async move {
            let goodbye = async {
                self.stream.write_all(&message::TERMINATE).await?;
                self.stream.shutdown().await
            };
            // The peer may be gone already; the socket closes either way.
            let _ = tokio::time::timeout(CHECK_TIMEOUT, goodbye).await;
        });
    }
}
