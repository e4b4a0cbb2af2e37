//! All pools of one worker: by node, then by role and database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use herd_config::Pool as PoolConfig;
use herd_types::NodeId;
use herd_wire::connect::{Credential, Login, NodeAddress, log_in};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use crate::{NodeError, Numberings, Pool, PoolKey, ServerConnection};

/// The pools of one worker.
#[derive(Debug)]
pub struct Pools {
    nodes: RwLock<HashMap<NodeId, Arc<NodePool>>>,
    config: ArcSwap<PoolConfig>,
    paused: watch::Receiver<bool>,
    numberings: Arc<Numberings>,
}

/// The pools of one node in one worker, under one bound for all their connections.
#[derive(Debug)]
pub struct NodePool {
    id: NodeId,
    name: String,
    address: ArcSwap<NodeAddress>,
    connections: Arc<Semaphore>,
    /// All that there are of `connections`, taken or not.
    permits: Mutex<usize>,
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    paused: watch::Receiver<bool>,
}

impl Pools {
    /// `config` is this worker's share; while `paused` holds true, nothing is leased.
    #[must_use]
    pub fn new(
        config: PoolConfig,
        paused: watch::Receiver<bool>,
        numberings: Arc<Numberings>,
    ) -> Pools {
        let config = ArcSwap::from_pointee(config);
        Pools { nodes: RwLock::default(), config, paused, numberings }
    }

    /// Another share than before, for pools that there are and those to come.
    pub fn configure(&self, config: PoolConfig) {
        let config = Arc::new(config);
        self.config.store(Arc::clone(&config));
        for node in self.nodes.read().values() {
            node.resize(config.node_connections_max);
            for pool in node.pools.lock().values() {
                pool.configure(Arc::clone(&config));
            }
        }
    }

    /// Adds a node, or tells where it is now.
    pub fn set_node(&self, id: NodeId, name: &str, address: NodeAddress) {
        let mut nodes = self.nodes.write();
        if let Some(node) = nodes.get(&id) {
            node.address.store(Arc::new(address));
            return;
        }
        let connections_max = self.config.load().node_connections_max;
        let node = NodePool {
            id,
            name: name.to_owned(),
            address: ArcSwap::from_pointee(address),
            connections: Arc::new(Semaphore::new(connections_max)),
            permits: Mutex::new(connections_max),
            pools: Mutex::default(),
            paused: self.paused.clone(),
        };
        nodes.insert(id, Arc::new(node));
    }

    pub fn node(&self, id: NodeId) -> Result<Arc<NodePool>, NodeError> {
        self.nodes.read().get(&id).cloned().ok_or_else(|| NodeError::Unknown(id.to_string()))
    }

    /// The pool of a role and database on a node, made when it is not there yet.
    pub fn pool(
        &self,
        id: NodeId,
        key: &PoolKey,
        credential: &Credential,
    ) -> Result<Arc<Pool>, NodeError> {
        let node = self.node(id)?;
        let mut pools = node.pools.lock();
        if let Some(pool) = pools.get(key) {
            return Ok(Arc::clone(pool));
        }
        let config = self.config.load_full();
        let numbering = self.numberings.of(id, &key.database);
        let credential = credential.clone();
        let pool = Pool::new(key.clone(), Arc::clone(&node), numbering, config, credential);
        let pool = Arc::new(pool);
        pools.insert(key.clone(), Arc::clone(&pool));
        Ok(pool)
    }

    #[must_use]
    pub fn all(&self) -> Vec<Arc<Pool>> {
        let nodes = self.nodes.read();
        nodes
            .values()
            .flat_map(|node| node.pools.lock().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Closes what is stale, forgets pools that nobody uses, and opens what the minimum asks for.
    pub async fn maintain(&self) {
        let nodes: Vec<_> = self.nodes.read().values().cloned().collect();
        for node in nodes {
            node.resize(self.config.load().node_connections_max);
            node.pools.lock().retain(|_, pool| pool.close_stale() || Arc::strong_count(pool) > 1);
            let pools: Vec<_> = node.pools.lock().values().cloned().collect();
            for pool in pools {
                pool.fill().await;
            }
        }
    }
}

impl NodePool {
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn address(&self) -> Arc<NodeAddress> {
        self.address.load_full()
    }

    pub(crate) async fn pass_pause(&self) {
        if *self.paused.borrow() {
            let mut paused = self.paused.clone();
            // The sender lives as long as the process; without it nothing can be paused.
            let _ = paused.wait_for(|paused| !paused).await;
        }
    }

    /// Logs in as the role; waits when the node has as many connections as it may.
    pub(crate) async fn open(
        &self,
        key: &PoolKey,
        credential: &Credential,
        config: &PoolConfig,
        lifetime: Duration,
    ) -> Result<ServerConnection, NodeError> {
        let permit = match Arc::clone(&self.connections).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.evict_idle();
                let free = Arc::clone(&self.connections).acquire_owned();
                let waited_too_long = || NodeError::WaitedTooLong {
                    node: self.name.clone(),
                    waited: config.wait_max,
                };
                let free = tokio::time::timeout(config.wait_max, free).await;
                free.map_err(|_| waited_too_long())?.map_err(|_| waited_too_long())?
            }
        };
        let address = self.address();
        let login = Login { user: &key.role, database: &key.database, settings: &[] };
        let logged_in = log_in(&address, &login, credential, config.connect_timeout)
            .await
            .map_err(|source| NodeError::Connect { node: self.name.clone(), source })?;
        Ok(ServerConnection::new(
            self.id,
            &self.name,
            NodeAddress::clone(&address),
            logged_in,
            config.prepared_max,
            lifetime,
            permit,
        ))
    }

    /// More connections are allowed at once, fewer as soon as those that there are have been closed.
    fn resize(&self, connections_max: usize) {
        let mut permits = self.permits.lock();
        if let Some(more) = connections_max.checked_sub(*permits) {
            self.connections.add_permits(more);
            *permits = connections_max;
            return;
        }
        *permits -= self.connections.forget_permits(*permits - connections_max);
        for _ in connections_max..*permits {
            self.evict_idle();
        }
    }

    fn evict_idle(&self) {
        let pools: Vec<_> = self.pools.lock().values().cloned().collect();
        if pools.iter().any(|pool| pool.evict_idle()) {
            tracing::debug!(node = %self.name, "closed an idle connection to make room for another role");
        }
    }
}
