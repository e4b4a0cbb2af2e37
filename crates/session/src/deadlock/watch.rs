//! Looks for deadlocks at intervals, as long as there may be any.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use herd_types::ClientId;
use tokio_util::sync::CancellationToken;

use super::{Backend, Candidate, Deadlock, LockWait, find};
use crate::gateway::Gateway;
use crate::registry::ClientHandle;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Fewer clients on several nodes cannot wait for each other in a way that no node sees.
const SPANNING_CLIENTS_MIN: usize = 2;

/// Runs until `stop` is cancelled. `lock_waits` asks the nodes who waits, and tells
/// nothing that is younger than its question.
pub async fn watch_deadlocks<Asked>(
    gateway: Arc<Gateway>,
    lock_waits: impl Fn() -> Asked,
    stop: CancellationToken,
) where
    Asked: Future<Output = Vec<LockWait>>,
{
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if gateway.clients.spanning() < SPANNING_CLIENTS_MIN {
            continue;
        }
        let waits = lock_waits().await;
        if waits.is_empty() {
            continue;
        }
        for deadlock in find(&waits, &holders(&gateway), &candidates(&gateway)) {
            end(&gateway, &deadlock).await;
        }
    }
}

/// Which client has which connection.
fn holders(gateway: &Gateway) -> HashMap<Backend, ClientId> {
    let mut holders = HashMap::new();
    for worker in gateway.workers.lock().iter() {
        for server in worker.pools.all().iter().flat_map(|pool| pool.servers()) {
            if let Some(client) = server.holder() {
                let backend = Backend { node: server.node, process_id: server.process_id };
                holders.insert(backend, client);
            }
        }
    }
    holders
}

/// The youngest transaction first: it loses the least.
fn candidates(gateway: &Gateway) -> Vec<Candidate> {
    let since = |client: Arc<ClientHandle>| client.spanning_since().map(|since| (since, client));
    let mut spanning: Vec<_> = gateway.clients.all().into_iter().filter_map(since).collect();
    spanning.sort_by_key(|(since, client)| Reverse((*since, client.id)));
    let candidate = |(_, client): (Instant, Arc<ClientHandle>)| Candidate {
        client: client.id,
        running: client.running_on(),
    };
    spanning.into_iter().map(candidate).collect()
}

async fn end(gateway: &Gateway, deadlock: &Deadlock) {
    let catalog = gateway.catalog();
    let error = deadlock.error(&catalog);
    let clients = gateway.clients.all();
    let victim = clients.iter().find(|client| client.id == deadlock.victim);
    let Some(victim) = victim else { return };
    if victim.fail(deadlock.waits_on, &error).await {
        gateway.metrics.deadlocks.inc();
        let waits = deadlock.describe(&catalog).replace('\n', " ");
        tracing::info!(victim = %victim.id, waits, "a deadlock over several nodes is ended");
    }
}
