//! What all sessions of a process share, and what those of one worker share.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use herd_catalog::Catalog;
use herd_config::Config;
use herd_execute::Decisions;
use herd_execute::define::{Block, Completed, DefineError};
use herd_execute::{SpareBuffers, Subject};
use herd_node::Pools;
use herd_plan::Planner;
use herd_plan::ddl::{Draft, Outcome};
use herd_types::{ClientError, NodeId};
use herd_wire::auth::{MockSecret, RolePassword};
use herd_wire::scram::ScramVerifier;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::define::{ClientNode, ClientNodes};
use crate::metrics::Metrics;
use crate::registry::Clients;
use crate::routines::RoutineBook;
use crate::statements::{Interner, SharedInterner};

/// A future of a trait object.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the control plane knows of a role.
#[derive(Clone, Debug)]
pub struct RoleRecord {
    pub password: Option<RolePassword>,
    pub can_login: bool,
    pub is_superuser: bool,
}

/// Where roles are looked up. `None` when there is no such role.
pub trait Roles: Send + Sync {
    fn find<'a>(&'a self, role: &'a str) -> Boxed<'a, Result<Option<RoleRecord>, ClientError>>;
    /// Roles may have changed: what is remembered of them does not count any more.
    fn forget(&self);
}

/// Runs DDL, one definition at a time in the whole process.
pub trait Definitions: Send + Sync {
    fn resolve(&self, draft: Draft, nodes: ClientNodes) -> Boxed<'_, Result<Outcome, DefineError>>;
    fn run(&self, draft: Draft, nodes: ClientNodes) -> Boxed<'_, Result<Completed, DefineError>>;
    fn open_block(&self) -> Boxed<'_, Result<Block<ClientNode>, DefineError>>;
    fn define_in<'a>(
        &'a self,
        block: &'a mut Block<ClientNode>,
        draft: Draft,
        nodes: ClientNodes,
        home: ClientNode,
    ) -> Boxed<'a, Result<Completed, DefineError>>;
    fn commit_block(
        &self,
        block: Block<ClientNode>,
        nodes: ClientNodes,
        home: ClientNode,
    ) -> Boxed<'_, Result<(), DefineError>>;
}

/// Jobs of the control plane, for SHOW JOBS: id, kind, state, description, progress, error.
pub trait Jobs: Send + Sync {
    fn list(&self) -> Vec<[Option<String>; 6]>;
}

/// What a node said when it was last asked for a sign of life.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// Why it does not answer, if so.
    pub error: Option<String>,
    pub since: Instant,
}

/// Whether nodes answer, for SHOW NODES. `None` before one was asked.
pub trait NodeStates: Send + Sync {
    fn of(&self, node: NodeId) -> Option<NodeState>;
}

/// Operator commands reach the process through this.
pub trait Operator: Send + Sync {
    fn reload(&self) -> Result<(), ClientError>;
    fn drain(&self);
}

/// Shared by the whole process.
pub struct Gateway {
    pub config: ArcSwap<Config>,
    /// Verifiers of the configuration's own users, made once: that takes time, and their salt must
    /// not change from login to login.
    pub static_users: ArcSwap<StaticUsers>,
    pub catalog: Arc<ArcSwap<Catalog>>,
    pub clients: Arc<Clients>,
    pub metrics: Metrics,
    pub roles: Arc<dyn Roles>,
    pub routines: RoutineBook,
    pub operator: Arc<dyn Operator>,
    pub jobs: Arc<dyn Jobs>,
    pub node_states: Arc<dyn NodeStates>,
    pub definitions_runner: Arc<dyn Definitions>,
    pub decisions: Arc<dyn Decisions>,
    /// True while a definition is being committed: nothing is planned meanwhile.
    pub held: Arc<watch::Sender<bool>>,
    /// True while PAUSE holds.
    pub paused: watch::Sender<bool>,
    /// True once the process takes no new clients and lets the old ones go.
    pub draining: watch::Sender<bool>,
    pub workers: Mutex<Vec<Arc<Worker>>>,
    /// Counts definitions: a statement understood or prepared before may not fit any more.
    pub definitions: AtomicU64,
    /// Secret of this process, from which unknown users get their salt.
    pub mock_secret: MockSecret,
}

/// Shared by the sessions of one thread.
pub struct Worker {
    pub gateway: Arc<Gateway>,
    pub pools: Pools,
    pub planner: Mutex<Planner>,
    pub statements: SharedInterner,
    pub(crate) spare_buffers: Arc<SpareBuffers>,
}

/// Users whose passwords the configuration gives.
#[derive(Debug, Default)]
pub struct StaticUsers {
    verifiers: HashMap<String, ScramVerifier>,
}

impl StaticUsers {
    #[must_use]
    pub fn of(config: &Config) -> StaticUsers {
        let verifier = |user: &herd_config::StaticUser| {
            (user.name.clone(), ScramVerifier::make(user.password.reveal()))
        };
        StaticUsers { verifiers: config.auth.users.iter().map(verifier).collect() }
    }

    #[must_use]
    pub fn verifier(&self, user: &str) -> Option<&ScramVerifier> {
        self.verifiers.get(user)
    }
}

impl Gateway {
    /// Another configuration, as far as that takes effect while Herd runs.
    pub fn reconfigure(&self, config: Config) {
        self.static_users.store(Arc::new(StaticUsers::of(&config)));
        self.config.store(Arc::new(config));
    }

    pub fn catalog(&self) -> arc_swap::Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    /// Statements prepared so far are prepared anew under other names when they come again.
    pub fn note_definition(&self, subject: Subject) {
        if subject == Subject::Role {
            self.roles.forget();
        }
        self.definitions.fetch_add(1, Ordering::AcqRel);
        for worker in self.workers.lock().iter() {
            worker.statements.lock().clear();
            if subject == Subject::Role {
                // Connections of a role that was dropped, or made anew, are somebody else's.
                for pool in worker.pools.all() {
                    pool.renew();
                }
            }
        }
    }

    /// Waits while a definition is being committed.
    pub(crate) async fn pass_hold(&self) {
        if *self.held.borrow() {
            // The sender lives as long as the gateway.
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
    }

    #[must_use]
    pub fn node_name(&self, id: NodeId) -> String {
        self.catalog().node(id).map_or_else(|| id.to_string(), |node| node.name.clone())
    }
}

impl Worker {
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, pools: Pools) -> Worker {
        let cache_bytes_max = gateway.config.load().limits.plan_cache_bytes_max;
        Worker {
            gateway,
            pools,
            planner: Mutex::new(Planner::new(cache_bytes_max)),
            statements: Mutex::new(Interner::new(cache_bytes_max)),
            spare_buffers: Arc::default(),
        }
    }
}
