//! The settings in force under their names in `proxy.toml`, for SHOW CONFIG. Secrets are not among
//! them, and nodes have a list of their own.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::config::{Auth, Limits, Listen, Pool, Timeouts, Tls};
use crate::{Bytes, ClientCertificates, Config, PoolMode, Span};

impl Config {
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut rows = Rows::default();
        rows.add("home", &self.home);
        rows.add("data_dir", self.data_dir.display());
        self.listen.describe(&mut rows);
        describe_tls(self.tls.as_ref(), &mut rows);
        self.auth.describe(&mut rows);
        self.pool.describe(&mut rows);
        self.timeouts.describe(&mut rows);
        self.limits.describe(&mut rows);
        rows.0
    }
}

/// Name and value, in the order of the file.
#[derive(Default)]
struct Rows(Vec<(String, String)>);

impl Rows {
    fn add(&mut self, name: &str, value: impl Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn add_list(&mut self, name: &str, values: impl IntoIterator<Item = impl Display>) {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        self.add(name, values.join(", "));
    }
}

impl Listen {
    fn describe(&self, rows: &mut Rows) {
        rows.add_list("listen.addresses", &self.addresses);
        rows.add("listen.unix_directory", shown(self.unix_directory.as_deref()));
        rows.add("listen.http", self.http.map(|http| http.to_string()).unwrap_or_default());
        rows.add("listen.workers", self.workers);
        rows.add("listen.reuse_port", self.reuse_port);
    }
}

fn describe_tls(tls: Option<&Tls>, rows: &mut Rows) {
    rows.add("tls.certificate", shown(tls.map(|tls| tls.certificate.as_path())));
    rows.add("tls.key", shown(tls.map(|tls| tls.key.as_path())));
    rows.add("tls.required", tls.is_some_and(|tls| tls.required));
    let (word, authority) = match tls.map(|tls| &tls.client_certificates) {
        None | Some(ClientCertificates::Ignored) => ("ignored", None),
        Some(ClientCertificates::Allowed { authority }) => ("allowed", Some(authority)),
        Some(ClientCertificates::Required { authority }) => ("required", Some(authority)),
    };
    rows.add("tls.client_certificates", word);
    rows.add("tls.client_authority", shown(authority.map(PathBuf::as_path)));
}

impl Auth {
    fn describe(&self, rows: &mut Rows) {
        rows.add("auth.control_user", &self.control_user);
        rows.add("auth.control_database", &self.control_database);
        rows.add_list("auth.users", self.users.iter().map(|user| &user.name));
        rows.add("auth.allow_md5", self.allow_md5);
        rows.add_list("auth.trust", &self.trust);
        rows.add_list("auth.admin_users", &self.admin_users);
    }
}

impl Pool {
    fn describe(&self, rows: &mut Rows) {
        let mode = match self.mode {
            PoolMode::Transaction => "transaction",
            PoolMode::Session => "session",
        };
        rows.add("pool.mode", mode);
        rows.add("pool.size_max", self.size_max);
        rows.add("pool.size_min", self.size_min);
        rows.add("pool.node_connections_max", self.node_connections_max);
        rows.add("pool.waiting_max", self.waiting_max);
        rows.add("pool.wait_max", Span(self.wait_max));
        rows.add("pool.lifetime", Span(self.lifetime));
        rows.add("pool.idle_max", Span(self.idle_max));
        rows.add("pool.check_after", Span(self.check_after));
        rows.add("pool.connect_timeout", Span(self.connect_timeout));
        rows.add("pool.prepared_max", self.prepared_max);
    }
}

impl Timeouts {
    fn describe(&self, rows: &mut Rows) {
        rows.add("timeouts.query", Span(self.query));
        rows.add("timeouts.idle_in_transaction", Span(self.idle_in_transaction));
        rows.add("timeouts.idle_client", Span(self.idle_client));
        rows.add("timeouts.authentication", Span(self.authentication));
        rows.add("timeouts.drain", Span(self.drain));
    }
}

impl Limits {
    fn describe(&self, rows: &mut Rows) {
        let per_address = self.unauthenticated_per_address_max;
        rows.add("limits.clients_max", self.clients_max);
        rows.add("limits.unauthenticated_per_address_max", per_address);
        rows.add("limits.startup_bytes_max", Bytes(self.startup_bytes_max));
        rows.add("limits.message_bytes_max", Bytes(self.message_bytes_max));
        rows.add("limits.plan_cache_bytes_max", Bytes(self.plan_cache_bytes_max));
        rows.add("limits.client_statements_max", self.client_statements_max);
        rows.add("limits.exchange_bytes_max", Bytes(self.exchange_bytes_max));
    }
}

/// Empty when there is none, as in the file.
fn shown(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}
