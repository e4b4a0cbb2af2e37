//! Looks after all clients of the process at intervals: timeouts and draining.
//!
//! One pass over the registry costs less than a timer for every statement.

use std::sync::Arc;
use std::time::Duration;

use herd_config::Timeouts;
use herd_execute::Interrupt;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::registry::{ClientHandle, Phase};

/// Timeouts are kept to this precision.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Runs until `stop` is cancelled.
pub async fn sweep(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let timeouts = gateway.config.load().timeouts.clone();
        let draining = *gateway.draining.borrow();
        if !draining && !has_timeouts(&timeouts) {
            continue;
        }
        for client in gateway.clients.all() {
            if draining {
                client.interrupts.raise(Interrupt::Drain);
            }
            check(&client, &timeouts);
        }
    }
}

fn has_timeouts(timeouts: &Timeouts) -> bool {
    [timeouts.query, timeouts.idle_in_transaction, timeouts.idle_client]
        .iter()
        .any(|timeout| !timeout.is_zero())
}

fn check(client: &ClientHandle, timeouts: &Timeouts) {
    let (phase, since) = client.phase();
    let (limit, interrupt) = match phase {
        Phase::Running => (timeouts.query, Interrupt::QueryTimeout),
        Phase::InTransaction => (timeouts.idle_in_transaction, Interrupt::IdleInTransaction),
        Phase::Idle => (timeouts.idle_client, Interrupt::IdleClient),
    };
    if !limit.is_zero() && since >= limit {
        client.interrupts.raise(interrupt);
    }
}
