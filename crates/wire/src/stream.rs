//! One connection to a client or a node, plain or encrypted, without dynamic dispatch.
//!
//! It does not buffer: what is read and when is decided by those who own the bytes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

const KEEPALIVE_IDLE_SECONDS: u64 = 60;
const KEEPALIVE_INTERVAL_SECONDS: u64 = 10;
const KEEPALIVE_PROBES: u32 = 6;

/// A connection. The encrypted ones are boxed, so that the plain ones stay small.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    TlsServer(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    TlsClient(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Ip(SocketAddr),
    /// The user on this machine, where the system tells.
    Unix {
        uid: Option<u32>,
    },
}

impl Stream {
    /// Takes a TCP connection over: no delay for small writes, and probes for peers that vanished.
    pub fn from_tcp(tcp: TcpStream) -> io::Result<Stream> {
        tcp.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(KEEPALIVE_IDLE_SECONDS))
            .with_interval(Duration::from_secs(KEEPALIVE_INTERVAL_SECONDS))
            .with_retries(KEEPALIVE_PROBES);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
        Ok(Stream::Tcp(tcp))
    }

    #[must_use]
    pub fn from_unix(unix: UnixStream) -> Stream {
        Stream::Unix(unix)
    }

    pub fn peer(&self) -> io::Result<Peer> {
        match self {
            Stream::Tcp(tcp) => tcp.peer_addr().map(Peer::Ip),
            Stream::Unix(unix) => {
                Ok(Peer::Unix { uid: unix.peer_cred().ok().map(|credentials| credentials.uid()) })
            }
            Stream::TlsServer(tls) => tls.get_ref().0.peer_addr().map(Peer::Ip),
            Stream::TlsClient(tls) => tls.get_ref().0.peer_addr().map(Peer::Ip),
        }
    }

    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            Stream::TlsServer(_) | Stream::TlsClient(_) => true,
        }
    }

    /// Whether a read is worth trying, so that an idle connection needs no read buffer; an
    /// encrypted one always says yes.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(tcp) => tcp.poll_read_ready(cx),
            Stream::Unix(unix) => unix.poll_read_ready(cx),
            Stream::TlsServer(_) | Stream::TlsClient(_) => Poll::Ready(Ok(())),
        }
    }

    /// Waits until a read is worth trying, so that an idle connection needs no read buffer.
    /// A hint: the read may still find nothing. Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(tcp) => tcp.readable().await,
            Stream::Unix(unix) => unix.readable().await,
            Stream::TlsServer(tls) => {
                let (tcp, session) = tls.get_ref();
                if session.wants_read() { tcp.readable().await } else { Ok(()) }
            }
            Stream::TlsClient(tls) => {
                let (tcp, session) = tls.get_ref();
                if session.wants_read() { tcp.readable().await } else { Ok(()) }
            }
        }
    }

    /// Writes all of it, through any encryption.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    /// Whether the socket already holds bytes that nobody has read. Only plain TCP is asked: it is
    /// what stands between a request for encryption and the handshake.
    pub(crate) async fn holds_unread_bytes(&self) -> io::Result<bool> {
        let Stream::Tcp(tcp) = self else { return Ok(false) };
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        std::future::poll_fn(|context| match tcp.poll_peek(context, &mut buffer) {
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(count > 0)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(false)),
        })
        .await
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Unix(unix) => Pin::new(unix).poll_read(context, buffer),
            Stream::TlsServer(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
            Stream::TlsClient(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Unix(unix) => Pin::new(unix).poll_write(context, bytes),
            Stream::TlsServer(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
            Stream::TlsClient(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Stream::Unix(unix) => Pin::new(unix).poll_write_vectored(context, slices),
            Stream::TlsServer(tls) => Pin::new(tls.as_mut()).poll_write_vectored(context, slices),
            Stream::TlsClient(tls) => Pin::new(tls.as_mut()).poll_write_vectored(context, slices),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(tcp) => tcp.is_write_vectored(),
            Stream::Unix(unix) => unix.is_write_vectored(),
            Stream::TlsServer(tls) => tls.is_write_vectored(),
            Stream::TlsClient(tls) => tls.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Unix(unix) => Pin::new(unix).poll_flush(context),
            Stream::TlsServer(tls) => Pin::new(tls.as_mut()).poll_flush(context),
            Stream::TlsClient(tls) => Pin::new(tls.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Unix(unix) => Pin::new(unix).poll_shutdown(context),
            Stream::TlsServer(tls) => Pin::new(tls.as_mut()).poll_shutdown(context),
            Stream::TlsClient(tls) => Pin::new(tls.as_mut()).poll_shutdown(context),
        }
    }
}
