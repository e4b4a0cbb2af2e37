//! All clients of this process: who they are, what they do, and how to reach them from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use futures::future::join_all;
use herd_execute::Interrupts;
use herd_execute::exchange::Tally;
use herd_node::ServerIdentity;
use herd_types::{ClientError, ClientId};
use herd_wire::cancel::CancelKey;
use herd_wire::startup::ProtocolMinor;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::deadlock::Backend;

/// Process ids that clients are given before they start again.
const PROCESS_IDS: u64 = 1 << 30;
/// A statement is shown up to this length.
const SHOWN_STATEMENT_BYTES_MAX: usize = 1024;

/// What a session is about, for SHOW CLIENTS and for the timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Idle,
    Running,
    InTransaction,
}

impl Phase {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Running => "active",
            Phase::InTransaction => "idle in transaction",
        }
    }
}

/// One client, as others see it.
#[derive(Debug)]
pub struct ClientHandle {
    pub id: ClientId,
    pub database: String,
    pub role: String,
    pub peer: String,
    pub connected_at: Instant,
    pub interrupts: Interrupts,
    pub cancel_key: CancelKey,
    phase: AtomicU8,
    /// Milliseconds since `connected_at`.
    phase_since_ms: AtomicU64,
    /// Microseconds since `connected_at`; zero while its transaction is on one node at most.
    spanning_since_us: AtomicU64,
    /// How many clients are spanning.
    spanning_clients: Arc<AtomicUsize>,
    running: Mutex<Running>,
    cancels_done: Notify,
    /// Cancel requests so far.
    cancels: AtomicU64,
    shown: Mutex<Shown>,
    /// By the query that runs.
    pub brought: Tally,
}

/// The server connections that a cancel request reaches.
#[derive(Debug, Default)]
struct Running {
    servers: SmallVec<[Arc<ServerIdentity>; 1]>,
    cancels_in_flight: u32,
}

/// What SHOW CLIENTS and SHOW QUERIES tell beside the phase.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub application_name: String,
    pub pins: String,
    /// As the client sent it.
    pub statement: Vec<u8>,
}

impl ClientHandle {
    pub fn enter(&self, phase: Phase) {
        let since = u64::try_from(self.connected_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.phase_since_ms.store(since, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The phase, and for how long.
    #[must_use]
    pub fn phase(&self) -> (Phase, Duration) {
        let phase = match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Running,
            _ => Phase::InTransaction,
        };
        let since = Duration::from_millis(self.phase_since_ms.load(Ordering::Relaxed));
        (phase, self.connected_at.elapsed().saturating_sub(since))
    }

    pub fn show_statement(&self, sql: &[u8]) {
        let end = sql.len().min(SHOWN_STATEMENT_BYTES_MAX);
        let mut shown = self.shown.lock();
        shown.statement.clear();
        shown.statement.extend_from_slice(&sql[..end]);
    }

    pub fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock());
    }

    #[must_use]
    pub fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }

    #[must_use]
    pub fn server(&self) -> Option<Arc<ServerIdentity>> {
        self.running.lock().servers.first().cloned()
    }

    /// From now on a cancel request of this client goes to `server`.
    pub fn runs_on(&self, server: &Arc<ServerIdentity>) {
        self.runs_on_all(std::iter::once(server));
    }

    /// From now on a cancel request of this client goes to all of `servers`.
    pub fn runs_on_all<'a>(&self, servers: impl Iterator<Item = &'a Arc<ServerIdentity>>) {
        let mut running = self.running.lock();
        running.servers.clear();
        for server in servers {
            server.set_holder(Some(self.id));
            running.servers.push(Arc::clone(server));
        }
    }

    /// From now on a cancel request reaches nothing. True if one was still on its way: then the
    /// server must be asked for a sign of life before another client may use it.
    pub async fn runs_nowhere(&self) -> bool {
        {
            let mut running = self.running.lock();
            running.servers.clear();
            if running.cancels_in_flight == 0 {
                return false;
            }
        }
        loop {
            let done = self.cancels_done.notified();
            if self.running.lock().cancels_in_flight == 0 {
                return true;
            }
            done.await;
        }
    }

    /// How many cancel requests have come: one that comes between two statements of a query string
    /// finds nothing that runs.
    pub fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }

    /// Cancels what the client runs at this moment, or nothing.
    pub async fn cancel(&self) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
        self.cancel_on(|_| true, || ()).await;
    }

    /// Cancels what the client runs on this connection, for a reason that it is told. False when
    /// it does not run anything there any more.
    pub async fn fail(&self, backend: Backend, error: &ClientError) -> bool {
        let reason = &self.interrupts.cancel_reason;
        self.cancel_on(|server| backend_of(server) == backend, || reason.give(error)).await
    }

    /// `prepare` runs before anything is cancelled, if there is anything to be.
    async fn cancel_on(
        &self,
        is_meant: impl Fn(&ServerIdentity) -> bool,
        prepare: impl FnOnce(),
    ) -> bool {
        let servers: SmallVec<[Arc<ServerIdentity>; 1]> = {
            let mut running = self.running.lock();
            let meant = running.servers.iter().filter(|server| is_meant(server));
            let servers: SmallVec<_> = meant.cloned().collect();
            if servers.is_empty() {
                return false;
            }
            running.cancels_in_flight += 1;
            prepare();
            servers
        };
        let passed_on = join_all(servers.iter().map(|server| server.cancel())).await;
        for error in passed_on.into_iter().filter_map(Result::err) {
            tracing::warn!(client = %self.id, %error, "cannot pass on a cancel request");
        }
        self.running.lock().cancels_in_flight -= 1;
        self.cancels_done.notify_waiters();
        true
    }

    /// The connections that a cancel request reaches now.
    pub fn running_on(&self) -> Vec<Backend> {
        self.running.lock().servers.iter().map(|server| backend_of(server)).collect()
    }

    /// Since when its transaction is on several nodes, if it is.
    pub fn spanning_since(&self) -> Option<Instant> {
        match self.spanning_since_us.load(Ordering::Relaxed) {
            0 => None,
            since => Some(self.connected_at + Duration::from_micros(since)),
        }
    }
}

fn backend_of(server: &ServerIdentity) -> Backend {
    Backend { node: server.node, process_id: server.process_id }
}

/// Held as long as a client's transaction is on several nodes. Within another it changes nothing.
#[derive(Debug)]
pub struct Spanning {
    client: Arc<ClientHandle>,
    is_outermost: bool,
}

impl Spanning {
    #[must_use]
    pub fn begin(client: &Arc<ClientHandle>) -> Spanning {
        let since = client.connected_at.elapsed().as_micros().max(1);
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        let is_outermost = client
            .spanning_since_us
            .compare_exchange(0, since, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_outermost {
            client.spanning_clients.fetch_add(1, Ordering::Relaxed);
        }
        Spanning { client: Arc::clone(client), is_outermost }
    }
}

impl Drop for Spanning {
    fn drop(&mut self) {
        if self.is_outermost {
            self.client.spanning_since_us.store(0, Ordering::Relaxed);
            self.client.spanning_clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The clients of this process, by the process id that each was given for its cancel requests.
#[derive(Debug, Default)]
pub struct Clients {
    by_process_id: DashMap<i32, Arc<ClientHandle>>,
    next_id: AtomicU64,
    spanning: Arc<AtomicUsize>,
}

/// A client's place in the registry, given up when the session ends.
#[derive(Debug)]
pub struct Registered {
    clients: Arc<Clients>,
    pub handle: Arc<ClientHandle>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.clients.by_process_id.remove(&self.handle.cancel_key.process_id);
    }
}

impl Clients {
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_process_id.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_process_id.is_empty()
    }

    /// How many have a transaction on several nodes.
    #[must_use]
    pub fn spanning(&self) -> usize {
        self.spanning.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        let mut all: Vec<_> =
            self.by_process_id.iter().map(|entry| Arc::clone(entry.value())).collect();
        all.sort_by_key(|handle| handle.id);
        all
    }

    pub fn register(
        self: &Arc<Self>,
        role: &str,
        database: &str,
        peer: String,
        minor: ProtocolMinor,
    ) -> Registered {
        let id = ClientId(self.next_id.fetch_add(1, Ordering::Relaxed) + 1);
        // Clients may read it as a process id: positive, and different for each.
        let process_id = i32::try_from(id.0 % PROCESS_IDS).map_or(1, |id| id + 1);
        let handle = Arc::new(ClientHandle {
            id,
            database: database.to_owned(),
            role: role.to_owned(),
            peer,
            connected_at: Instant::now(),
            interrupts: Interrupts::default(),
            cancel_key: CancelKey::generate(process_id, minor),
            phase: AtomicU8::new(Phase::Idle as u8),
            phase_since_ms: AtomicU64::new(0),
            spanning_since_us: AtomicU64::new(0),
            spanning_clients: Arc::clone(&self.spanning),
            running: Mutex::default(),
            cancels_done: Notify::new(),
            cancels: AtomicU64::new(0),
            shown: Mutex::default(),
            brought: Tally::default(),
        });
        self.by_process_id.insert(process_id, Arc::clone(&handle));
        Registered { clients: Arc::clone(self), handle }
    }

    /// Serves a cancel request; a key that nobody has is ignored, as PostgreSQL does.
    pub async fn cancel(&self, key: &CancelKey) {
        let handle = self.by_process_id.get(&key.process_id).map(|entry| Arc::clone(entry.value()));
        if let Some(handle) = handle
            && handle.cancel_key == *key
        {
            handle.cancel().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(clients: &Arc<Clients>) -> Registered {
        clients.register("herd", "herd", "here".to_owned(), ProtocolMinor::Zero)
    }

    #[test]
    fn a_client_spans_nodes_as_long_as_the_outermost_says_so() {
        let clients = Arc::new(Clients::default());
        let client = register(&clients);
        assert_eq!((clients.spanning(), client.handle.spanning_since()), (0, None));
        let outer = Spanning::begin(&client.handle);
        let since = client.handle.spanning_since();
        assert!(since.is_some());
        drop(Spanning::begin(&client.handle));
        assert_eq!((clients.spanning(), client.handle.spanning_since()), (1, since));
        drop(outer);
        assert_eq!((clients.spanning(), client.handle.spanning_since()), (0, None));
    }

    #[tokio::test]
    async fn who_runs_nothing_there_is_not_made_to_fail() {
        let clients = Arc::new(Clients::default());
        let client = register(&clients);
        let backend = Backend { node: herd_types::NodeId(1), process_id: 1 };
        let error = ClientError::error(herd_types::SqlState::DEADLOCK_DETECTED, "no");
        assert!(!client.handle.fail(backend, &error).await);
        assert_eq!(client.handle.interrupts.cancel_reason.take(), None);
    }
}
