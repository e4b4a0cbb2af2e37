//! Sockets on which clients arrive, and which worker each goes to.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use herd_config::Config;
use herd_session::Gateway;
use herd_wire::startup::{ClientTls, GreetingPolicy};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::control::client_tls;
use super::worker::{Accepted, Arrival, WorkerThread};

const BACKLOG: i32 = 4096;
/// After accept failed, for lack of file descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Option<(UnixListener, SocketFile)>,
}

/// Removed when the listener goes.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Someone may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn bind(config: &Config) -> Result<Listeners> {
    let mut tcp = Vec::new();
    for address in &config.listen.addresses {
        let domain = Domain::for_address(*address);
        let bound = || -> std::io::Result<TcpListener> {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(config.listen.reuse_port)?;
            socket.set_nonblocking(true)?;
            socket.bind(&(*address).into())?;
            socket.listen(BACKLOG)?;
            TcpListener::from_std(socket.into())
        };
        tcp.push(bound().with_context(|| format!("cannot listen on {address}"))?);
    }
    let unix = match &config.listen.unix_directory {
        None => None,
        Some(directory) => Some(bind_unix(directory, config)?),
    };
    Ok(Listeners { tcp, unix })
}

fn bind_unix(directory: &Path, config: &Config) -> Result<(UnixListener, SocketFile)> {
    let port = config.listen.addresses.first().map_or(6432, std::net::SocketAddr::port);
    let path = directory.join(format!(".s.PGSQL.{port}"));
    let is_stale = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(&path).is_err();
    if is_stale {
        std::fs::remove_file(&path)
            .with_context(|| format!("cannot remove the stale socket {}", path.display()))?;
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&path, mode)
        .with_context(|| format!("cannot open {} to clients", path.display()))?;
    Ok((listener, SocketFile(path)))
}

/// Whoever is accepted goes to the worker with the fewest clients.
#[derive(Clone)]
struct Distributor {
    workers: Vec<(mpsc::Sender<Arrival>, Arc<AtomicUsize>)>,
    policy: GreetingPolicy,
}

impl Distributor {
    async fn hand_over(&self, accepted: Accepted) {
        let least = self.workers.iter().min_by_key(|(_, clients)| clients.load(Ordering::Relaxed));
        let Some((worker, _)) = least else { return };
        let arrival = Arrival { accepted, policy: self.policy.clone() };
        if worker.send(arrival).await.is_err() {
            tracing::debug!("a client arrived while the workers were ending");
        }
    }
}

/// Accepts until `shutdown`; the sockets are closed then.
pub fn accept_on(
    listeners: Listeners,
    gateway: &Arc<Gateway>,
    workers: &[WorkerThread],
    config: &Config,
    shutdown: &CancellationToken,
) -> Result<()> {
    let tls = client_tls(config)?;
    let policy = GreetingPolicy { tls, startup_bytes_max: config.limits.startup_bytes_max };
    let distributor = Distributor {
        workers: workers.iter().map(|worker| (worker.arrivals(), worker.clients())).collect(),
        policy,
    };
    for listener in listeners.tcp {
        let distributor = distributor.clone();
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
                match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => distributor.hand_over(Accepted::Tcp(stream)).await,
                    Err(error) => pause(&error).await,
                }
            }
        });
    }
    if let Some((listener, file)) = listeners.unix {
        let distributor = Distributor {
            policy: GreetingPolicy { tls: ClientTls::Refused, ..distributor.policy.clone() },
            ..distributor
        };
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
                match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => distributor.hand_over(Accepted::Unix(stream)).await,
                    Err(error) => pause(&error).await,
                }
            }
            drop(file);
        });
    }
    let _ = gateway;
    Ok(())
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "cannot accept a client");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
