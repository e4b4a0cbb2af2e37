//! The threads that serve clients, each with a runtime and a share of every pool of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use herd_config::{Config, Pool as PoolConfig};
use herd_node::{Numberings, Pools};
use herd_session::{Gateway, Lobby, Worker};
use herd_wire::startup::GreetingPolicy;
use herd_wire::stream::Stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Accepted connections on their way to a worker.
const HANDOVER_MAX: usize = 1024;
const MAINTAIN_INTERVAL: Duration = Duration::from_secs(1);

/// A connection that was accepted on another thread.
pub enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

struct Arrival {
    accepted: Accepted,
    policy: GreetingPolicy,
    place: Counted,
}

/// Where clients come in to a worker.
#[derive(Clone)]
pub struct Entrance {
    arrivals: mpsc::Sender<Arrival>,
    clients: Arc<AtomicUsize>,
}

impl Entrance {
    /// Those who have arrived and not left, whether they have logged in or not.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// # Errors
    /// When the worker has ended.
    pub async fn admit(&self, accepted: Accepted, policy: GreetingPolicy) -> Result<()> {
        let place = Counted::new(&self.clients);
        let arrival = Arrival { accepted, policy, place };
        self.arrivals.send(arrival).await.ok().context("the worker has ended")
    }
}

pub struct WorkerThread {
    entrance: Entrance,
    thread: JoinHandle<()>,
}

impl WorkerThread {
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    pub fn join(self) {
        drop(self.entrance);
        if self.thread.join().is_err() {
            tracing::error!("a worker thread panicked");
        }
    }
}

pub fn start(
    gateway: &Arc<Gateway>,
    numberings: &Arc<Numberings>,
    config: &Config,
    stop: &CancellationToken,
) -> Result<Vec<WorkerThread>> {
    let lobby = Arc::new(Lobby::default());
    (0..config.listen.workers)
        .map(|index| {
            let pools = Pools::new(
                share(&config.pool, config.listen.workers, index),
                gateway.paused.subscribe(),
                Arc::clone(numberings),
            );
            for (node, name, address) in super::control::addresses(&gateway.catalog(), config)? {
                pools.set_node(node, &name, address);
            }
            let worker = Arc::new(Worker::new(Arc::clone(gateway), pools));
            gateway.workers.lock().push(Arc::clone(&worker));
            spawn(index, worker, Arc::clone(&lobby), stop.clone())
        })
        .collect()
}

/// The part of a pool that one of several workers has.
pub fn share(whole: &PoolConfig, workers: usize, index: usize) -> PoolConfig {
    let part = |total: usize| (total / workers + usize::from(index < total % workers)).max(1);
    PoolConfig {
        size_max: part(whole.size_max),
        size_min: whole.size_min / workers,
        node_connections_max: part(whole.node_connections_max),
        waiting_max: part(whole.waiting_max),
        ..whole.clone()
    }
}

fn spawn(
    index: usize,
    worker: Arc<Worker>,
    lobby: Arc<Lobby>,
    stop: CancellationToken,
) -> Result<WorkerThread> {
    let (arrivals, queue) = mpsc::channel(HANDOVER_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a worker's runtime")?;
    let thread = std::thread::Builder::new()
        .name(format!("herd-worker-{index}"))
        .spawn(move || runtime.block_on(run(worker, lobby, queue, stop)))
        .context("cannot start a worker thread")?;
    Ok(WorkerThread { entrance: Entrance { arrivals, clients: Arc::default() }, thread })
}

async fn run(
    worker: Arc<Worker>,
    lobby: Arc<Lobby>,
    mut queue: mpsc::Receiver<Arrival>,
    stop: CancellationToken,
) {
    let maintained = Arc::clone(&worker);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(MAINTAIN_INTERVAL);
        loop {
            ticks.tick().await;
            maintained.pools.maintain().await;
        }
    });
    loop {
        let arrival = tokio::select! {
            arrival = queue.recv() => arrival,
            () = stop.cancelled() => return,
        };
        let Some(arrival) = arrival else { return };
        let stream = match open(arrival.accepted) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a client left before it was served");
                continue;
            }
        };
        let session =
            herd_session::serve(Arc::clone(&worker), Arc::clone(&lobby), stream, arrival.policy);
        tokio::spawn(async move {
            session.await;
            drop(arrival.place);
        });
    }
}

fn open(accepted: Accepted) -> std::io::Result<Stream> {
    match accepted {
        Accepted::Tcp(tcp) => Stream::from_tcp(tokio::net::TcpStream::from_std(tcp)?),
        Accepted::Unix(unix) => Ok(Stream::from_unix(tokio::net::UnixStream::from_std(unix)?)),
    }
}

/// One client more on a worker, for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
