//! Who waits for a lock on which node, for the watch for deadlocks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use herd_session::LockWait;
use herd_sidecar::{ControlError, ControlPools};
use herd_types::NodeId;
use tokio::time::timeout;

/// A node that takes longer has nothing to say this time. What waits for longer has waited when the
/// first node was asked.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// What is prepared blocks without a process, and waits for nobody.
const LOCK_WAITS_SQL: &str = "
    SELECT l.pid, b.pid
    FROM pg_locks l, unnest(pg_blocking_pids(l.pid)) b(pid)
    WHERE NOT l.granted AND l.waitstart < clock_timestamp() - make_interval(secs => $1)
      AND b.pid <> 0";

/// Asks all nodes at once. What is told has begun before.
pub async fn now(pools: Arc<ControlPools>) -> Vec<LockWait> {
    let asked = pools.nodes().into_iter().map(|node| {
        let pools = &pools;
        async move {
            match timeout(ASK_TIMEOUT, ask(pools, node)).await {
                Ok(Ok(waits)) => waits,
                Ok(Err(error)) => {
                    tracing::debug!(%node, %error, "cannot ask who waits for a lock");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            }
        }
    });
    join_all(asked).await.concat()
}

async fn ask(pools: &ControlPools, node: NodeId) -> Result<Vec<LockWait>, ControlError> {
    let mut waits = Vec::new();
    let lasting_secs = ASK_TIMEOUT.as_secs_f64();
    for row in pools.query(node, LOCK_WAITS_SQL, &[&lasting_secs]).await? {
        waits.push(LockWait { node, waiter: row.try_get(0)?, blocker: row.try_get(1)? });
    }
    Ok(waits)
}
