//! Which nodes answer. Observing only: what follows from it is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use herd_catalog::Catalog;
use herd_types::NodeId;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::ControlPools;

const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The last probe of a node.
#[derive(Clone, Debug)]
pub struct NodeHealth {
    pub answers: bool,
    pub round_trip: Duration,
    pub error: Option<String>,
    /// When it began to answer, or ceased to.
    pub since: Instant,
}

/// The last probes of all nodes.
#[derive(Debug, Default)]
pub struct Health {
    nodes: RwLock<BTreeMap<NodeId, NodeHealth>>,
}

impl Health {
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<NodeHealth> {
        self.nodes.read().get(&node).cloned()
    }
}

/// Probes all nodes at intervals, each on its own, until `stop` is cancelled.
pub async fn watch(
    health: Arc<Health>,
    pools: Arc<ControlPools>,
    catalog: impl Fn() -> Arc<Catalog>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(PROBE_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let catalog = catalog();
        let probes = catalog.nodes().map(|node| probe(&health, &pools, node.id, &node.name));
        futures::future::join_all(probes).await;
    }
}

async fn probe(health: &Health, pools: &ControlPools, node: NodeId, name: &str) {
    let began = Instant::now();
    let asked = tokio::time::timeout(PROBE_TIMEOUT, pools.query(node, "SELECT", &[])).await;
    let error = match asked {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => {
            let trouble = pools.trouble(node);
            Some(trouble.unwrap_or_else(|| format!("no answer within {PROBE_TIMEOUT:?}")))
        }
    };
    let before = health.of(node);
    let answers = error.is_none();
    let same = before.as_ref().filter(|before| before.answers == answers);
    let now = NodeHealth {
        answers,
        round_trip: began.elapsed(),
        error,
        since: same.map_or_else(Instant::now, |before| before.since),
    };
    health.nodes.write().insert(node, now.clone());
    let answered = before.is_none_or(|before| before.answers);
    match (&now.error, answered) {
        (Some(error), true) => tracing::warn!(node = name, %error, "a node does not answer"),
        (None, false) => tracing::info!(node = name, "a node answers again"),
        _ => {}
    }
}
