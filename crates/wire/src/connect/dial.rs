//! From an address to a stream, encrypted where it must be.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use pgwire::messages::response::SslResponse;
use pgwire::messages::startup::SslRequest;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::address::socket_path;
use super::{ConnectError, Endpoint, NodeAddress};
use crate::error::put;
use crate::stream::Stream;
use crate::tls::{EndPoint, TlsToNode};

/// Connects, and encrypts where the address demands it, for someone else to speak the protocol.
pub async fn dial(address: &NodeAddress, deadline: Instant) -> Result<Stream, ConnectError> {
    let reached = timeout_at(deadline, reach(address, deadline)).await;
    reached.map_err(|_| ConnectError::TimedOut)?.map(|reached| reached.stream)
}

/// A way to a node, on which nothing of PostgreSQL's has been said.
pub(super) struct Reached {
    pub stream: Stream,
    /// Of the node's certificate, for channel binding.
    pub end_point: Option<EndPoint>,
}

/// Must be bounded by the caller too: the handshake does not look at `deadline`.
pub(super) async fn reach(
    address: &NodeAddress,
    deadline: Instant,
) -> Result<Reached, ConnectError> {
    let (host, port) = match &address.endpoint {
        Endpoint::Tcp { host, port } => (host, *port),
        Endpoint::Unix { directory, port } => {
            let unix = UnixStream::connect(socket_path(directory, *port)).await;
            let stream = Stream::from_unix(unix.map_err(|e| unreachable(&address.endpoint, e))?);
            return Ok(Reached { stream, end_point: None });
        }
    };
    let tcp = connect_any(&address.endpoint, resolve(host, port).await?, deadline).await?;
    match &address.tls {
        TlsToNode::Off => Ok(Reached { stream: tcp, end_point: None }),
        TlsToNode::Required(connector) => encrypt(tcp, host, connector).await,
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    let found = lookup_host((host, port))
        .await
        .map_err(|source| ConnectError::Resolve { host: host.to_owned(), source })?;
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress { host: host.to_owned() });
    }
    Ok(addresses)
}

/// Tries one address after the other; one that does not answer takes its share of the time only.
async fn connect_any(
    endpoint: &Endpoint,
    addresses: Vec<SocketAddr>,
    deadline: Instant,
) -> Result<Stream, ConnectError> {
    let mut last_error = io::Error::from(io::ErrorKind::TimedOut);
    for (tried, address) in addresses.iter().enumerate() {
        let untried = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / untried;
        match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(Stream::from_tcp(tcp)?),
            Ok(Err(error)) => last_error = error,
            Err(_) => last_error = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(unreachable(endpoint, last_error))
}

async fn encrypt(
    mut stream: Stream,
    host: &str,
    connector: &TlsConnector,
) -> Result<Reached, ConnectError> {
    let mut request = BytesMut::new();
    put(&mut request, &SslRequest::new());
    stream.send(&request).await?;
    // Anything but a yes is a no: what an unencrypted error says could come from anybody.
    if stream.read_u8().await? != SslResponse::BYTE_ACCEPT {
        return Err(ConnectError::TlsRefused);
    }
    if stream.holds_unread_bytes().await? {
        return Err(ConnectError::Protocol("received unencrypted data after SSL response"));
    }
    let Stream::Tcp(tcp) = stream else {
        return Err(ConnectError::TlsRefused);
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| ConnectError::InvalidServerName { host: host.to_owned() })?;
    let tls = connector.connect(name, tcp).await.map_err(ConnectError::Tls)?;
    let certificate = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let end_point = certificate.and_then(|certificate| EndPoint::of(certificate));
    Ok(Reached { stream: Stream::TlsClient(Box::new(tls)), end_point })
}

fn unreachable(endpoint: &Endpoint, source: io::Error) -> ConnectError {
    ConnectError::Unreachable { endpoint: endpoint.to_string(), source }
}
