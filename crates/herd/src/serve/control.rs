//! The control plane as the sessions see it, and the tasks that run beside them.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result};
use herd_catalog::Catalog;
use herd_config::{ClientCertificates, Config, NodeConfig};
use herd_session::{Boxed, Gateway, NodeState, NodeStates, RoleRecord, Roles};
use herd_sidecar::{ControlPools, Health, RoleDirectory, RoleEntry};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::auth::{RolePassword, StoredPassword};
use herd_wire::connect::NodeAddress;
use herd_wire::startup::ClientTls;
use herd_wire::tls::{TlsFiles, TlsIdentity, TlsToNode, Verification};
use prometheus::{IntGaugeVec, Opts};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::lock_waits;

/// Looks roles up on the control runtime, where the control connections live.
pub struct HerdRoles {
    directory: Arc<RoleDirectory>,
    runtime: Handle,
}

impl HerdRoles {
    pub fn new(directory: Arc<RoleDirectory>, runtime: Handle) -> HerdRoles {
        HerdRoles { directory, runtime }
    }
}

impl Roles for HerdRoles {
    fn forget(&self) {
        self.directory.forget_all();
    }

    fn find<'a>(&'a self, role: &'a str) -> Boxed<'a, Result<Option<RoleRecord>, ClientError>> {
        let directory = Arc::clone(&self.directory);
        let role = role.to_owned();
        let found = self.runtime.spawn(async move { directory.find(&role).await });
        Box::pin(async move {
            let ended =
                |_| ClientError::fatal(SqlState::CANNOT_CONNECT_NOW, "Herd is shutting down");
            match found.await.map_err(ended)? {
                Ok(entry) => Ok(entry.map(record)),
                Err(error) => {
                    tracing::warn!(%error, "cannot look up a role");
                    Err(error.to_client())
                }
            }
        })
    }
}

/// A password in a form that is not known lets nobody in.
fn record(entry: RoleEntry) -> RoleRecord {
    let stored = entry.password.and_then(|text| text.parse::<StoredPassword>().ok());
    RoleRecord {
        password: stored.map(|stored| RolePassword { stored, valid_until: entry.valid_until }),
        can_login: entry.can_login,
        is_superuser: entry.is_superuser,
    }
}

/// Health, for SHOW NODES.
pub struct HerdNodeStates(pub Arc<Health>);

impl NodeStates for HerdNodeStates {
    fn of(&self, node: NodeId) -> Option<NodeState> {
        let health = self.0.of(node)?;
        Some(NodeState { error: health.error, since: health.since })
    }
}

/// Starts health probes, the sweeper, the reading of functions and the watch for deadlocks on the
/// current runtime.
pub fn start(
    gateway: &Arc<Gateway>,
    pools: &Arc<ControlPools>,
    health: &Arc<Health>,
    stop: &CancellationToken,
) {
    let catalog = {
        let gateway = Arc::clone(gateway);
        move || gateway.catalog.load_full()
    };
    tokio::spawn(herd_sidecar::watch(Arc::clone(health), Arc::clone(pools), catalog, stop.clone()));
    tokio::spawn(herd_session::sweep(Arc::clone(gateway), stop.clone()));
    tokio::spawn(herd_session::keep_routines(Arc::clone(gateway), stop.clone()));
    let lock_waits = {
        let pools = Arc::clone(pools);
        move || lock_waits::now(Arc::clone(&pools))
    };
    tokio::spawn(herd_session::watch_deadlocks(Arc::clone(gateway), lock_waits, stop.clone()));
}

/// Starts the HTTP pages on the current runtime.
pub fn start_http(
    gateway: &Arc<Gateway>,
    health: &Arc<Health>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<()> {
    let pages = pages(gateway, health)?;
    tokio::spawn(async move {
        if let Err(error) = herd_http::serve(listener, pages, stop).await {
            tracing::error!(%error, "cannot serve HTTP");
        }
    });
    Ok(())
}

fn pages(gateway: &Arc<Gateway>, health: &Arc<Health>) -> Result<herd_http::Pages> {
    let registry = gateway.metrics.registry.clone();
    let gauge = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    };
    let labels = ["node", "database", "role", "state"];
    let pools = gauge("herd_pool_connections", "Server connections by pool and state.", &labels)?;
    let labels = ["node", "database", "role"];
    let waiting = gauge("herd_pool_waiting", "Clients that wait for a connection.", &labels)?;
    let up = gauge("herd_node_up", "Whether the node answered its last probe.", &["node"])?;
    let refresh = {
        let (gateway, health) = (Arc::clone(gateway), Arc::clone(health));
        move || {
            pools.reset();
            waiting.reset();
            for worker in gateway.workers.lock().iter() {
                for pool in worker.pools.all() {
                    let (node, key) = (pool.node().name(), pool.key());
                    let counts = pool.counts();
                    for (state, count) in [
                        ("idle", counts.idle),
                        ("active", counts.active),
                        ("opening", counts.opening),
                    ] {
                        pools
                            .with_label_values(&[node, &key.database, &key.role, state])
                            .add(i64::try_from(count).unwrap_or(i64::MAX));
                    }
                    waiting
                        .with_label_values(&[node, &key.database, &key.role])
                        .add(i64::try_from(counts.waiting).unwrap_or(i64::MAX));
                }
            }
            for node in gateway.catalog().nodes() {
                let answers = health.of(node.id).is_some_and(|health| health.answers);
                up.with_label_values(&[&node.name]).set(i64::from(answers));
            }
        }
    };
    let readiness = {
        let (gateway, health) = (Arc::clone(gateway), Arc::clone(health));
        move || readiness(&gateway, &health)
    };
    Ok(herd_http::Pages { registry, refresh: Arc::new(refresh), readiness: Arc::new(readiness) })
}

fn readiness(gateway: &Gateway, health: &Health) -> Result<(), String> {
    if *gateway.draining.borrow() {
        return Err("draining".to_owned());
    }
    let catalog = gateway.catalog();
    match health.of(catalog.home()) {
        Some(home) if home.answers => Ok(()),
        Some(home) => Err(home.error.unwrap_or_else(|| "the home node does not answer".to_owned())),
        None => Err("the home node has not been probed yet".to_owned()),
    }
}

/// Where the nodes of the catalog are, and how to speak to them.
pub fn addresses(catalog: &Catalog, config: &Config) -> Result<Vec<(NodeId, String, NodeAddress)>> {
    let found = |node: &herd_catalog::Node| {
        let known = config.nodes.iter().find(|known| known.name == node.name);
        let address = match known {
            Some(known) => address(known)?,
            None => NodeAddress::new(&node.host, node.port, TlsToNode::Off),
        };
        Ok((node.id, node.name.clone(), address))
    };
    catalog.nodes().map(found).collect()
}

fn address(node: &NodeConfig) -> Result<NodeAddress> {
    let tls = if node.tls {
        TlsToNode::required(node.tls_authority.as_deref(), Verification::Host)
            .with_context(|| format!("TLS to node \"{}\"", node.name))?
    } else {
        TlsToNode::Off
    };
    Ok(NodeAddress::new(&node.host, node.port, tls))
}

/// What listeners offer to clients.
pub fn client_tls(config: &Config) -> Result<ClientTls> {
    let Some(tls) = &config.tls else { return Ok(ClientTls::Refused) };
    let clients = match &tls.client_certificates {
        ClientCertificates::Ignored => herd_wire::tls::ClientCertificates::Ignored,
        ClientCertificates::Allowed { authority } => {
            herd_wire::tls::ClientCertificates::Allowed { authority: authority.clone() }
        }
        ClientCertificates::Required { authority } => {
            herd_wire::tls::ClientCertificates::Required { authority: authority.clone() }
        }
    };
    let files = TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone(), clients };
    let identity = TlsIdentity::load(&files).context("cannot load Herd's certificate")?;
    Ok(if tls.required { ClientTls::Required(identity) } else { ClientTls::Offered(identity) })
}
