//! The settings in force as names and values, for SHOW CONFIG. Secrets are not among them.

use std::fmt::Display;
use std::time::Duration;

use crate::{Config, PoolMode};

impl Config {
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut rows = Rows(Vec::new());
        let addresses: Vec<_> = self.listen.addresses.iter().map(ToString::to_string).collect();
        rows.add("listen.addresses", addresses.join(", "));
        rows.add("listen.workers", self.listen.workers);
        rows.add("listen.reuse_port", self.listen.reuse_port);
        if let Some(http) = self.listen.http {
            rows.add("listen.http", http);
        }
        rows.add("tls", if self.tls.is_some() { "offered" } else { "off" });
        rows.add("home", &self.home);
        rows.add("data_dir", self.data_dir.display());
        self.describe_pool(&mut rows);
        rows.add_time("timeouts.query", self.timeouts.query);
        rows.add_time("timeouts.idle_in_transaction", self.timeouts.idle_in_transaction);
        rows.add_time("timeouts.idle_client", self.timeouts.idle_client);
        rows.add_time("timeouts.authentication", self.timeouts.authentication);
        rows.add_time("timeouts.drain", self.timeouts.drain);
        rows.add("limits.clients_max", self.limits.clients_max);
        rows.add("limits.startup_bytes_max", self.limits.startup_bytes_max);
        rows.add("limits.message_bytes_max", self.limits.message_bytes_max);
        rows.add("limits.plan_cache_bytes_max", self.limits.plan_cache_bytes_max);
        rows.add("limits.client_statements_max", self.limits.client_statements_max);
        let per_address = self.limits.unauthenticated_per_address_max;
        rows.add("limits.unauthenticated_per_address_max", per_address);
        rows.0
    }

    fn describe_pool(&self, rows: &mut Rows) {
        let mode = match self.pool.mode {
            PoolMode::Transaction => "transaction",
            PoolMode::Session => "session",
        };
        rows.add("pool.mode", mode);
        rows.add("pool.size_max", self.pool.size_max);
        rows.add("pool.size_min", self.pool.size_min);
        rows.add("pool.node_connections_max", self.pool.node_connections_max);
        rows.add("pool.waiting_max", self.pool.waiting_max);
        rows.add("pool.prepared_max", self.pool.prepared_max);
        rows.add_time("pool.wait_max", self.pool.wait_max);
        rows.add_time("pool.lifetime", self.pool.lifetime);
        rows.add_time("pool.idle_max", self.pool.idle_max);
        rows.add_time("pool.check_after", self.pool.check_after);
        rows.add_time("pool.connect_timeout", self.pool.connect_timeout);
    }
}

struct Rows(Vec<(String, String)>);

impl Rows {
    fn add(&mut self, name: &str, value: impl Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn add_time(&mut self, name: &str, value: Duration) {
        self.add(name, format!("{}ms", value.as_millis()));
    }
}
