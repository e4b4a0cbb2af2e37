//! Sockets on which clients arrive, and which worker each goes to.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use herd_config::{Config, Listen};
use herd_session::Gateway;
use herd_wire::startup::{ClientTls, GreetingPolicy};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::client_tls;
use super::worker::{Accepted, Entrance, WorkerThread};

const BACKLOG: i32 = 4096;
/// After accept failed, for lack of file descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long those who were accepted last may take to log in before a drain begins.
const ARRIVAL_WAIT_MAX: Duration = Duration::from_secs(1);
const ARRIVAL_POLL: Duration = Duration::from_millis(10);

/// Addresses that are ours; nobody can connect yet.
pub struct Bound {
    tcp: Vec<Socket>,
    http: Option<Socket>,
}

pub struct Listeners {
    pub clients: Vec<Listener>,
    pub http: Option<std::net::TcpListener>,
}

pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removed when the listener goes, unless another Herd's has taken its place.
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // Someone may have removed it in this moment.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<u64> {
    Ok(std::fs::symlink_metadata(path)?.ino())
}

pub fn bind(listen: &Listen) -> Result<Bound> {
    let bound = |address: &SocketAddr| {
        bind_tcp(*address, listen.reuse_port).with_context(|| format!("cannot listen on {address}"))
    };
    let tcp = listen.addresses.iter().map(bound).collect::<Result<_>>()?;
    let http = listen.http.as_ref().map(bound).transpose()?;
    Ok(Bound { tcp, http })
}

fn bind_tcp(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

impl Bound {
    /// From now on clients can connect, and wait to be accepted.
    pub fn listen(self, listen: &Listen) -> Result<Listeners> {
        let listening = |socket: Socket| -> io::Result<std::net::TcpListener> {
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        let mut clients = Vec::new();
        for (socket, address) in self.tcp.into_iter().zip(&listen.addresses) {
            let listener = listening(socket).and_then(TcpListener::from_std);
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            clients.push(Listener::Tcp(listener));
        }
        if let Some(directory) = &listen.unix_directory {
            let (listener, file) = bind_unix(directory, listen)?;
            clients.push(Listener::Unix(listener, file));
        }
        let http = self.http.map(listening).transpose().context("cannot listen for HTTP")?;
        Ok(Listeners { clients, http })
    }
}

fn bind_unix(directory: &Path, listen: &Listen) -> Result<(UnixListener, SocketFile)> {
    let port = listen.addresses.first().map_or(6432, SocketAddr::port);
    let path = directory.join(format!(".s.PGSQL.{port}"));
    let is_stale = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(&path).is_err();
    if is_stale {
        std::fs::remove_file(&path)
            .with_context(|| format!("cannot remove the stale socket {}", path.display()))?;
    }
    // Made beside and moved, it takes the place of the other Herd's, whose clients stay with it.
    let made = match listen.reuse_port {
        true => directory.join(format!(".s.PGSQL.{port}.{}", std::process::id())),
        false => path.clone(),
    };
    let bound = || -> io::Result<(UnixListener, SocketFile)> {
        let listener = UnixListener::bind(&made)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&made, mode)?;
        std::fs::rename(&made, &path)?;
        let file = SocketFile { inode: inode(&path)?, path: path.clone() };
        Ok((listener, file))
    };
    bound().with_context(|| format!("cannot listen on {}", path.display()))
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Listener::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0.into_std()?),
            Listener::Unix(listener, _) => Accepted::Unix(listener.accept().await?.0.into_std()?),
        })
    }

    /// Closes the socket. Those who are connected already are not sent away.
    fn close(self) -> io::Result<Vec<Accepted>> {
        let mut rest = Vec::new();
        match self {
            Listener::Tcp(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    rest.push(Accepted::Tcp(stream));
                }
            }
            Listener::Unix(listener, _file) => {
                let listener = listener.into_std()?;
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    rest.push(Accepted::Unix(stream));
                }
            }
        }
        Ok(rest)
    }
}

/// Whoever is accepted goes to the worker with the fewest clients.
struct Distributor {
    workers: Vec<Entrance>,
    policy: Arc<ArcSwap<GreetingPolicy>>,
}

impl Distributor {
    async fn hand_over(&self, accepted: Accepted) {
        let least = self.workers.iter().min_by_key(|worker| worker.clients());
        let Some(worker) = least else { return };
        let mut policy = GreetingPolicy::clone(&self.policy.load());
        if matches!(accepted, Accepted::Unix(_)) {
            policy.tls = ClientTls::Refused;
        }
        if worker.admit(accepted, policy).await.is_err() {
            tracing::debug!("a client arrived while the workers were ending");
        }
    }

    async fn accept_on(&self, listener: Listener, stop: CancellationToken) {
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok(accepted) => self.hand_over(accepted).await,
                Err(error) => pause(&error).await,
            }
        }
        match listener.close() {
            Ok(rest) => {
                for accepted in rest {
                    self.hand_over(accepted).await;
                }
            }
            Err(error) => tracing::debug!(%error, "clients were not accepted at the end"),
        }
    }
}

/// How clients are greeted, with the certificate that lies there now.
pub fn policy(config: &Config) -> Result<GreetingPolicy> {
    let tls = client_tls(config)?;
    Ok(GreetingPolicy { tls, startup_bytes_max: config.limits.startup_bytes_max })
}

/// The door for clients, until it is closed.
pub struct Door {
    distributor: Arc<Distributor>,
    accepting: TaskTracker,
    stop: CancellationToken,
}

impl Door {
    pub fn open(
        listeners: Vec<Listener>,
        workers: &[WorkerThread],
        policy: Arc<ArcSwap<GreetingPolicy>>,
    ) -> Door {
        let workers = workers.iter().map(WorkerThread::entrance).collect();
        let distributor = Arc::new(Distributor { workers, policy });
        let (accepting, stop) = (TaskTracker::new(), CancellationToken::new());
        for listener in listeners {
            let (distributor, stop) = (Arc::clone(&distributor), stop.clone());
            accepting.spawn(async move { distributor.accept_on(listener, stop).await });
        }
        accepting.close();
        Door { distributor, accepting, stop }
    }

    /// Nobody arrives after this; those who have arrived have logged in, or had the time to.
    pub async fn close(self, gateway: &Gateway) {
        self.stop.cancel();
        self.accepting.wait().await;
        let arrived = || self.distributor.workers.iter().map(Entrance::clients).sum();
        let logged_in = async {
            while gateway.clients.len() < arrived() {
                tokio::time::sleep(ARRIVAL_POLL).await;
            }
        };
        // Who is not in by then hears that Herd is shutting down.
        let _ = tokio::time::timeout(ARRIVAL_WAIT_MAX, logged_in).await;
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a client");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
