//! The connections of one role to one database on one node, and the clients that wait for one.
//!
//! A connection comes back only after ReadyForQuery said idle; a lease that is dropped instead of
//! returned closes its connection.

mod upkeep;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use herd_config::Pool as PoolConfig;
use herd_wire::connect::Credential;
use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::oneshot;

use crate::limits::{KNOWN_STARTS_MAX, LIFETIME_JITTER};
use crate::pools::NodePool;
use crate::{
    Lease, NodeError, Numbering, PoolCounts, Reported, ServerConnection, ServerIdentity, Settings,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    pub database: String,
    pub role: String,
}

#[derive(Debug)]
pub struct Pool {
    key: PoolKey,
    node: Arc<NodePool>,
    /// None at the home node.
    numbering: Option<Arc<Numbering>>,
    config: ArcSwap<PoolConfig>,
    inner: Mutex<Inner>,
    waited_us: AtomicU64,
    opened: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    /// Used last is taken first, so that surplus connections grow old and are closed.
    #[expect(clippy::vec_box, reason = "it moves between pool, lease and queue as it is")]
    idle: Vec<Box<ServerConnection>>,
    open: Vec<Arc<ServerIdentity>>,
    opening: usize,
    waiting: VecDeque<oneshot::Sender<Granted>>,
    credential: Credential,
    /// Connections opened before are replaced when they come back.
    renewed_at: Option<Instant>,
    /// What servers report after given start-up settings.
    known_starts: HashMap<Vec<(String, String)>, Reported>,
}

#[derive(Debug)]
enum Granted {
    Connection(Box<ServerConnection>),
    /// A place in the pool: open a connection.
    Place,
}

enum Taken {
    Connection(Box<ServerConnection>),
    Place,
    Wait(oneshot::Receiver<Granted>),
}

impl Pool {
    pub(crate) fn new(
        key: PoolKey,
        node: Arc<NodePool>,
        numbering: Option<Arc<Numbering>>,
        config: Arc<PoolConfig>,
        credential: Credential,
    ) -> Pool {
        let inner = Inner {
            idle: Vec::new(),
            open: Vec::new(),
            opening: 0,
            waiting: VecDeque::new(),
            credential,
            renewed_at: None,
            known_starts: HashMap::new(),
        };
        Pool {
            key,
            node,
            numbering,
            config: ArcSwap::new(config),
            inner: Mutex::new(inner),
            waited_us: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }
    }

    #[must_use]
    pub fn key(&self) -> &PoolKey {
        &self.key
    }

    #[must_use]
    pub fn node(&self) -> &Arc<NodePool> {
        &self.node
    }

    /// How the node numbers types and relations, if not as clients know them.
    #[must_use]
    pub fn numbering(&self) -> Option<&Numbering> {
        self.numbering.as_deref()
    }

    /// The role's newest proof of identity serves for connections opened from now on.
    pub fn set_credential(&self, credential: Credential) {
        self.inner.lock().credential = credential;
    }

    /// A connection for a transaction, preferably one that has the settings `wanted` already.
    ///
    /// Cancel-safe: whoever stops waiting leaves the queue.
    pub async fn lease(self: &Arc<Self>, wanted: &Arc<Settings>) -> Result<Lease, NodeError> {
        self.node.pass_pause().await;
        loop {
            let taken = self.take(wanted)?;
            let granted = match taken {
                Taken::Connection(connection) => Granted::Connection(connection),
                Taken::Place => Granted::Place,
                Taken::Wait(queue) => self.wait(queue).await?,
            };
            match granted {
                Granted::Connection(connection) => {
                    if let Some(lease) = self.verify(connection).await {
                        return Ok(lease);
                    }
                }
                Granted::Place => return Box::pin(self.open()).await,
            }
        }
    }

    fn take(&self, wanted: &Arc<Settings>) -> Result<Taken, NodeError> {
        let mut inner = self.inner.lock();
        if !inner.idle.is_empty() {
            let fitting = inner.idle.iter().rposition(|c| Arc::ptr_eq(&c.applied, wanted));
            let fitting = fitting.or_else(|| inner.idle.iter().rposition(|c| c.applied == *wanted));
            let at = fitting.unwrap_or(inner.idle.len() - 1);
            return Ok(Taken::Connection(inner.idle.remove(at)));
        }
        let config = self.config.load();
        if inner.open.len() + inner.opening < config.size_max {
            inner.opening += 1;
            return Ok(Taken::Place);
        }
        inner.waiting.retain(|waiter| !waiter.is_closed());
        if inner.waiting.len() >= config.waiting_max {
            return Err(NodeError::TooManyWaiting {
                node: self.node.name().to_owned(),
                waiting_max: config.waiting_max,
            });
        }
        let (grant, queue) = oneshot::channel();
        inner.waiting.push_back(grant);
        Ok(Taken::Wait(queue))
    }

    async fn wait(&self, queue: oneshot::Receiver<Granted>) -> Result<Granted, NodeError> {
        let began = Instant::now();
        let mut waiting = Waiting { pool: self, queue };
        let wait_max = self.config.load().wait_max;
        let granted = tokio::time::timeout(wait_max, &mut waiting.queue).await;
        let waited = began.elapsed();
        self.waited_us.fetch_add(microseconds(waited), Ordering::Relaxed);
        match granted {
            Ok(Ok(granted)) => Ok(granted),
            _ => Err(NodeError::WaitedTooLong { node: self.node.name().to_owned(), waited }),
        }
    }

    /// An idle connection may have died meanwhile.
    async fn verify(self: &Arc<Self>, mut connection: Box<ServerConnection>) -> Option<Lease> {
        let now = Instant::now();
        if self.is_stale(&connection, now) || connection.is_disturbed() {
            self.discard(connection);
            return None;
        }
        let unused = now.duration_since(connection.idle_since);
        let mut lease = self.lend(connection);
        if unused >= self.config.load().check_after && lease.connection().check().await.is_err() {
            return None;
        }
        Some(lease)
    }

    fn lend(self: &Arc<Self>, connection: Box<ServerConnection>) -> Lease {
        Lease::new(connection, Arc::clone(self))
    }

    async fn open(self: &Arc<Self>) -> Result<Lease, NodeError> {
        let place = OpeningPlace { pool: self };
        let credential = self.inner.lock().credential.clone();
        let jitter = rand::rng().random_range(1.0 - LIFETIME_JITTER..1.0 + LIFETIME_JITTER);
        let config = self.config.load_full();
        let lifetime = config.lifetime.mul_f64(jitter);
        let connection = self.node.open(&self.key, &credential, &config, lifetime).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.inner.lock().open.push(Arc::clone(&connection.identity));
        drop(place);
        Ok(self.lend(Box::new(connection)))
    }

    /// Takes back a connection whose transaction has ended.
    pub(crate) fn give_back(&self, mut connection: Box<ServerConnection>) {
        connection.identity.set_holder(None);
        let now = Instant::now();
        if self.is_stale(&connection, now) || !connection.read.is_empty() {
            self.discard(connection);
            return;
        }
        connection.idle_since = now;
        let mut inner = self.inner.lock();
        if inner.open.len() > self.config.load().size_max {
            drop(inner);
            self.discard(connection);
            return;
        }
        let mut granted = Granted::Connection(connection);
        while let Some(waiter) = inner.waiting.pop_front() {
            match waiter.send(granted) {
                Ok(()) => return,
                Err(refused) => granted = refused,
            }
        }
        if let Granted::Connection(connection) = granted {
            inner.idle.push(connection);
        }
    }

    fn is_stale(&self, connection: &ServerConnection, now: Instant) -> bool {
        let opened_at = connection.identity.opened_at;
        now >= connection.expires_at
            || self.inner.lock().renewed_at.is_some_and(|renewed_at| opened_at < renewed_at)
    }

    /// Other bounds and times hold from now on. Connections keep the lifetime with which they were
    /// opened; those that are too many are closed as they come back.
    pub(crate) fn configure(&self, config: Arc<PoolConfig>) {
        self.config.store(config);
        let mut inner = self.inner.lock();
        for _ in 0..inner.waiting.len() {
            self.grant_place(&mut inner);
        }
    }

    /// What its connections have prepared is of no use any more: they are replaced one by one.
    pub fn renew(&self) {
        self.inner.lock().renewed_at = Some(Instant::now());
    }

    pub(crate) fn discard(&self, connection: Box<ServerConnection>) {
        self.forget(&connection.identity);
        connection.terminate();
    }

    /// A connection is gone: its place goes to the first who waits.
    pub(crate) fn forget(&self, identity: &Arc<ServerIdentity>) {
        let mut inner = self.inner.lock();
        inner.open.retain(|open| !Arc::ptr_eq(open, identity));
        self.grant_place(&mut inner);
    }

    fn grant_place(&self, inner: &mut Inner) {
        if inner.open.len() + inner.opening >= self.config.load().size_max {
            return;
        }
        while let Some(waiter) = inner.waiting.pop_front() {
            inner.opening += 1;
            if waiter.send(Granted::Place).is_ok() {
                return;
            }
            inner.opening -= 1;
        }
    }

    #[must_use]
    pub fn counts(&self) -> PoolCounts {
        let inner = self.inner.lock();
        PoolCounts {
            idle: inner.idle.len(),
            active: inner.open.len() - inner.idle.len(),
            opening: inner.opening,
            waiting: inner.waiting.iter().filter(|waiter| !waiter.is_closed()).count(),
            opened_total: self.opened.load(Ordering::Relaxed),
            waited_us_total: self.waited_us.load(Ordering::Relaxed),
        }
    }

    #[must_use]
    pub fn servers(&self) -> Vec<Arc<ServerIdentity>> {
        self.inner.lock().open.clone()
    }

    /// What a session with these start-up settings is told, if one was seen before.
    #[must_use]
    pub fn known_start(&self, settings: &[(String, String)]) -> Option<Reported> {
        self.inner.lock().known_starts.get(settings).cloned()
    }

    pub fn remember_start(&self, settings: Vec<(String, String)>, reported: Reported) {
        let mut inner = self.inner.lock();
        if inner.known_starts.len() >= KNOWN_STARTS_MAX {
            inner.known_starts.clear();
        }
        inner.known_starts.insert(settings, reported);
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Gives the place back if opening fails or is given up.
struct OpeningPlace<'a> {
    pool: &'a Pool,
}

impl Drop for OpeningPlace<'_> {
    fn drop(&mut self) {
        let mut inner = self.pool.inner.lock();
        inner.opening -= 1;
        self.pool.grant_place(&mut inner);
    }
}

/// A place in the queue; what was granted to one who has just left goes on to the next.
struct Waiting<'a> {
    pool: &'a Pool,
    queue: oneshot::Receiver<Granted>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.close();
        match self.queue.try_recv() {
            Ok(Granted::Connection(connection)) => self.pool.give_back(connection),
            Ok(Granted::Place) => {
                let mut inner = self.pool.inner.lock();
                inner.opening -= 1;
                self.pool.grant_place(&mut inner);
            }
            Err(_) => {}
        }
    }
}
