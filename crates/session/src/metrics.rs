//! What sessions count.

use std::time::Instant;

use herd_execute::exchange::Tally;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use crate::trouble::Trouble;

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 14] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The process's counters. Every field is registered once, when the process starts.
#[derive(Clone)]
pub struct Metrics {
    pub registry: Registry,
    simple: Histogram,
    extended: Histogram,
    pub refused: IntCounterVec,
    pub nodes_lost: IntCounter,
    pub logins: IntCounterVec,
    pub clients: IntGauge,
    pub cancels: IntCounter,
    pub deadlocks: IntCounter,
    brought_rows: IntCounter,
    brought_bytes: IntCounter,
}

impl Metrics {
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let latency = HistogramVec::new(
            HistogramOpts::new(
                "herd_statement_seconds",
                "Time from a statement's last byte to its ReadyForQuery, by shape and protocol.",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
            &["shape", "protocol"],
        )?;
        let refused = IntCounterVec::new(
            Opts::new("herd_refused_total", "Statements that Herd refused, by SQLSTATE."),
            &["sqlstate"],
        )?;
        let logins = IntCounterVec::new(
            Opts::new("herd_logins_total", "Logins of clients, by outcome."),
            &["outcome"],
        )?;
        let nodes_lost =
            IntCounter::new("herd_node_losses_total", "Server connections that broke in use.")?;
        let clients = IntGauge::new("herd_clients", "Clients connected now.")?;
        let cancels = IntCounter::new("herd_cancels_total", "Cancel requests received.")?;
        let deadlocks = IntCounter::new(
            "herd_deadlocks_total",
            "Transactions that were made to fail because of a deadlock over several nodes.",
        )?;
        let brought_rows = IntCounter::new(
            "herd_brought_rows_total",
            "Rows that were brought together for queries over several nodes.",
        )?;
        let brought_bytes = IntCounter::new(
            "herd_brought_bytes_total",
            "Bytes of the rows that were brought together for queries over several nodes.",
        )?;
        registry.register(Box::new(brought_rows.clone()))?;
        registry.register(Box::new(brought_bytes.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(logins.clone()))?;
        registry.register(Box::new(nodes_lost.clone()))?;
        registry.register(Box::new(clients.clone()))?;
        registry.register(Box::new(cancels.clone()))?;
        registry.register(Box::new(deadlocks.clone()))?;
        Ok(Metrics {
            simple: latency.get_metric_with_label_values(&["forward", "simple"])?,
            extended: latency.get_metric_with_label_values(&["forward", "extended"])?,
            registry,
            refused,
            nodes_lost,
            logins,
            clients,
            cancels,
            deadlocks,
            brought_rows,
            brought_bytes,
        })
    }

    pub(crate) fn count_brought(&self, tally: &Tally) {
        self.brought_rows.inc_by(tally.rows());
        self.brought_bytes.inc_by(tally.bytes());
    }

    pub(crate) fn start(&self) -> Timer {
        Timer { began: Instant::now() }
    }

    pub(crate) fn stop_simple<T>(&self, timer: &Timer, outcome: &Result<T, Trouble>) {
        self.simple.observe(timer.began.elapsed().as_secs_f64());
        self.count(outcome);
    }

    pub(crate) fn stop_extended<T>(&self, timer: &Timer, outcome: &Result<T, Trouble>) {
        self.extended.observe(timer.began.elapsed().as_secs_f64());
        self.count(outcome);
    }

    pub(crate) fn count<T>(&self, outcome: &Result<T, Trouble>) {
        if let Err(trouble) = outcome {
            self.count_trouble(trouble);
        }
    }

    pub(crate) fn count_trouble(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Refused(error) => {
                self.refused.with_label_values(&[error.sqlstate.as_str()]).inc();
            }
            Trouble::NodeLost(_) => self.nodes_lost.inc(),
            _ => {}
        }
    }

    /// Statements answered by a node, and the seconds they took altogether.
    #[must_use]
    pub fn statements(&self) -> (u64, f64) {
        (
            self.simple.get_sample_count() + self.extended.get_sample_count(),
            self.simple.get_sample_sum() + self.extended.get_sample_sum(),
        )
    }
}

pub(crate) struct Timer {
    began: Instant,
}
