//! Closing what a pool has too much of, and opening what it has too little of.

use std::sync::Arc;
use std::time::Instant;

use super::Pool;

impl Pool {
    /// Closes the idle connection that was used longest ago, to make room on the node.
    pub(crate) fn evict_idle(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.idle.is_empty() {
            return false;
        }
        let connection = inner.idle.remove(0);
        inner.open.retain(|open| !Arc::ptr_eq(open, &connection.identity));
        drop(inner);
        connection.terminate();
        true
    }

    /// Closes what is idle for too long or too old; true while it is worth keeping the pool.
    pub(crate) fn close_stale(&self) -> bool {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        let config = self.config.load();
        let mut surplus = inner.open.len().saturating_sub(config.size_min);
        let mut excess = inner.open.len().saturating_sub(config.size_max);
        let (keep, close): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.idle).into_iter().partition(|c| {
                let unused = now.duration_since(c.idle_since) >= config.idle_max && surplus > 0;
                let stale = unused || now >= c.expires_at || excess > 0;
                surplus -= usize::from(stale && surplus > 0);
                excess -= usize::from(stale && excess > 0);
                !stale
            });
        inner.idle = keep;
        for connection in close {
            inner.open.retain(|open| !Arc::ptr_eq(open, &connection.identity));
            connection.terminate();
        }
        !(inner.open.is_empty() && inner.opening == 0 && inner.waiting.is_empty())
    }

    /// Opens one connection if there are fewer than the minimum.
    pub(crate) async fn fill(self: &Arc<Self>) {
        let missing = {
            let mut inner = self.inner.lock();
            let missing = inner.open.len() + inner.opening < self.config.load().size_min;
            inner.opening += usize::from(missing);
            missing
        };
        if !missing {
            return;
        }
        match self.open().await {
            Ok(lease) => lease.give_back(),
            Err(error) => tracing::warn!(%error, "cannot fill a pool to its minimum"),
        }
    }
}
