//! Where a node is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::tls::TlsToNode;

/// Where a node is and how the way to it is protected.
#[derive(Clone, Debug)]
pub struct NodeAddress {
    pub endpoint: Endpoint,
    /// Meaningless on Unix sockets, which never encrypt.
    pub tls: TlsToNode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A name or an IP address; names are resolved on every connection.
    Tcp { host: String, port: u16 },
    /// The socket is named after the port.
    Unix { directory: PathBuf, port: u16 },
}

impl NodeAddress {
    /// As libpq reads it: a host that starts with a slash is the directory of a Unix socket.
    #[must_use]
    pub fn new(host: &str, port: u16, tls: TlsToNode) -> NodeAddress {
        let endpoint = if host.starts_with('/') {
            Endpoint::Unix { directory: PathBuf::from(host), port }
        } else {
            Endpoint::Tcp { host: host.to_owned(), port }
        };
        NodeAddress { endpoint, tls }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix { directory, port } => {
                write!(f, "{}", socket_path(directory, *port).display())
            }
        }
    }
}

pub(super) fn socket_path(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}
