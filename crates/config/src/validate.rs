//! From what the file says to what may be used: every value in its range, and no two at odds.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::config::{
    Auth, ClientCertificates, Config, Limits, Listen, NodeConfig, Password, Pool, PoolMode,
    StaticUser, Timeouts, Tls,
};
use crate::defaults;
use crate::error::ConfigError;
use crate::raw::{
    Auto, RawAuth, RawClientCertificates, RawConfig, RawLimits, RawListen, RawNode, RawPool,
    RawPoolMode, RawTimeouts, RawTls, RawWorkers,
};
use crate::rules::{at_most, duration, file, not_empty, positive, quoted, within};
use crate::units::{Bytes, Span};

/// What `sockaddr_un` holds, without its final zero.
const UNIX_PATH_BYTES_MAX: usize = 107;
const UNIX_SOCKET_NAME_BYTES: usize = "/.s.PGSQL.65535".len();
const IDENTIFIER_BYTES_MAX: usize = 63;
const NODES_MAX: usize = 1024;
const WORKERS_MAX: usize = 256;
const CONNECTIONS_MAX: usize = 100_000;
const CLIENTS_MAX: usize = 1_000_000;
const STATEMENTS_MAX: usize = 1_000_000;
const STARTUP_BYTES: RangeInclusive<Bytes> = Bytes(512)..=Bytes(1 << 20);
const MESSAGE_BYTES: RangeInclusive<Bytes> = Bytes(64 << 10)..=Bytes(1 << 30);
const PLAN_CACHE_BYTES: RangeInclusive<Bytes> = Bytes(64 << 10)..=Bytes(4 << 30);

impl Config {
    /// Reads the text of a `proxy.toml`.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        let raw: RawConfig =
            toml::from_str(text).map_err(|error| ConfigError::syntax(text, &error))?;
        validate(raw)
    }
}

fn validate(raw: RawConfig) -> Result<Config, ConfigError> {
    let nodes = nodes(raw.nodes)?;
    let home = raw.home.unwrap_or_else(|| nodes[0].name.clone());
    if nodes.iter().all(|node| node.name != home) {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let allowed = format!("the name of a node, so one of {}", names.join(", "));
        return Err(ConfigError::value("home", quoted(&home), allowed));
    }
    let mut config = Config::with_nodes(nodes);
    config.home = home;
    config.listen = listen(raw.listen)?;
    config.tls = tls(raw.tls)?;
    config.auth = auth(raw.auth)?;
    config.pool = pool(&raw.pool)?;
    config.timeouts = timeouts(&raw.timeouts)?;
    config.limits = limits(&raw.limits)?;
    if let Some(directory) = raw.data_dir {
        config.data_dir = PathBuf::from(not_empty("data_dir", directory)?);
    }
    Ok(config)
}

fn nodes(raw: Vec<RawNode>) -> Result<Vec<NodeConfig>, ConfigError> {
    if raw.is_empty() {
        let reason = "name at least one PostgreSQL server, as in [[nodes]] name = \"n1\" host = \"127.0.0.1\" port = 5432";
        return Err(ConfigError::missing("nodes", reason));
    }
    within("the number of nodes", raw.len(), 1..=NODES_MAX)?;
    let mut names = HashSet::new();
    let mut addresses = HashSet::new();
    raw.into_iter()
        .map(|raw| {
            let node = node(raw)?;
            if !names.insert(node.name.clone()) {
                return Err(ConfigError::value("nodes.name", quoted(&node.name), "used once"));
            }
            if !addresses.insert((node.host.clone(), node.port)) {
                let address = format!("\"{}\" port {}", node.host, node.port);
                return Err(ConfigError::value("nodes.host", address, "used by one node only"));
            }
            Ok(node)
        })
        .collect()
}

fn node(raw: RawNode) -> Result<NodeConfig, ConfigError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if raw.name.is_empty() || raw.name.len() > IDENTIFIER_BYTES_MAX || !raw.name.chars().all(plain)
    {
        let allowed = "1 to 63 lower-case letters, digits, _ or -";
        return Err(ConfigError::value("nodes.name", quoted(&raw.name), allowed));
    }
    let key = |setting: &str| format!("nodes.{setting} of {}", raw.name);
    let host = not_empty(&key("host"), raw.host.clone())?;
    let port = raw.port.unwrap_or(defaults::NODE_PORT);
    let mut node = NodeConfig::new(raw.name.clone(), host, within(&key("port"), port, 1..=65535)?);
    if let Some(dc) = &raw.dc {
        node.dc = not_empty(&key("dc"), dc.clone())?;
    }
    if let Some(zone) = &raw.zone {
        node.zone = not_empty(&key("zone"), zone.clone())?;
    }
    let capacity = raw.capacity.unwrap_or(node.capacity);
    node.capacity = within(&key("capacity"), capacity, 0..=1_000_000)?;
    node.tls = raw.tls.unwrap_or(node.tls);
    node.tls_authority = raw.tls_authority.as_deref().and_then(file);
    if node.tls_authority.is_some() && !node.tls {
        return Err(ConfigError::Conflict {
            left: key("tls_authority"),
            right: "tls = false".to_owned(),
            rule: "the authority is for connections that are encrypted".to_owned(),
        });
    }
    Ok(node)
}

fn listen(raw: RawListen) -> Result<Listen, ConfigError> {
    let defaults = Listen::default();
    let listen = Listen {
        addresses: raw.addresses.unwrap_or(defaults.addresses),
        unix_directory: raw.unix_directory.map_or(defaults.unix_directory, |path| file(&path)),
        http: raw.http.map_or(Ok(defaults.http), |address| http(&address))?,
        workers: match raw.workers {
            None | Some(RawWorkers::Word(Auto::Auto)) => defaults.workers,
            Some(RawWorkers::Count(count)) => within("listen.workers", count, 1..=WORKERS_MAX)?,
        },
        reuse_port: raw.reuse_port.unwrap_or(defaults.reuse_port),
    };
    if listen.addresses.is_empty() {
        let allowed = "at least one address with a port, as in [\"127.0.0.1:6432\"]";
        return Err(ConfigError::value("listen.addresses", "[]", allowed));
    }
    if let Some(http) = listen.http.filter(|http| listen.addresses.contains(http)) {
        let rule = "PostgreSQL clients and HTTP need different addresses".to_owned();
        return Err(ConfigError::Conflict {
            left: format!("listen.http = \"{http}\""),
            right: "listen.addresses".to_owned(),
            rule,
        });
    }
    if let Some(directory) = &listen.unix_directory {
        let bytes = directory.as_os_str().len();
        if bytes + UNIX_SOCKET_NAME_BYTES > UNIX_PATH_BYTES_MAX {
            let limit = UNIX_PATH_BYTES_MAX - UNIX_SOCKET_NAME_BYTES;
            let allowed = format!("at most {limit} bytes long: a socket's path is short");
            let value = quoted(&directory.to_string_lossy());
            return Err(ConfigError::value("listen.unix_directory", value, allowed));
        }
    }
    Ok(listen)
}

fn http(address: &str) -> Result<Option<SocketAddr>, ConfigError> {
    if address.is_empty() {
        return Ok(None);
    }
    let allowed = "an address with a port, as in \"127.0.0.1:8432\", or \"\" for none";
    let parsed =
        address.parse().map_err(|_| ConfigError::value("listen.http", quoted(address), allowed))?;
    Ok(Some(parsed))
}

fn tls(raw: RawTls) -> Result<Option<Tls>, ConfigError> {
    let certificate = raw.certificate.as_deref().and_then(file);
    let key = raw.key.as_deref().and_then(file);
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, Some(_)) => return Err(ConfigError::missing("tls.certificate", "tls.key is given")),
        (Some(_), None) => return Err(ConfigError::missing("tls.key", "tls.certificate is given")),
        (None, None) if raw.required == Some(true) => {
            return Err(ConfigError::missing("tls.certificate", "tls.required = true"));
        }
        (None, None) => return Ok(None),
    };
    let authority = raw.client_authority.as_deref().and_then(file);
    let wanted = raw.client_certificates.unwrap_or(RawClientCertificates::Ignored);
    let client_certificates = match (wanted, authority) {
        (RawClientCertificates::Ignored, _) => ClientCertificates::Ignored,
        (RawClientCertificates::Allowed, Some(authority)) => {
            ClientCertificates::Allowed { authority }
        }
        (RawClientCertificates::Required, Some(authority)) => {
            ClientCertificates::Required { authority }
        }
        (RawClientCertificates::Allowed | RawClientCertificates::Required, None) => {
            let reason = "client certificates are checked against this CA file";
            return Err(ConfigError::missing("tls.client_authority", reason));
        }
    };
    let required = raw.required.unwrap_or(false);
    Ok(Some(Tls { certificate, key, required, client_certificates }))
}

fn auth(raw: RawAuth) -> Result<Auth, ConfigError> {
    let defaults = Auth::default();
    let trust = raw.trust.unwrap_or(defaults.trust);
    if let Some(address) = trust.iter().find(|address| !address.is_loopback()) {
        let allowed = "loopback addresses only, as in [\"127.0.0.1\", \"::1\"]";
        return Err(ConfigError::value("auth.trust", quoted(&address.to_string()), allowed));
    }
    let mut names = HashSet::new();
    let mut users = Vec::new();
    for user in raw.users {
        let name = not_empty("auth.users.name", user.name)?;
        if !names.insert(name.clone()) {
            return Err(ConfigError::value("auth.users.name", quoted(&name), "used once"));
        }
        users.push(StaticUser { name, password: Password::new(user.password.0) });
    }
    let control_user = raw.control_user.unwrap_or(defaults.control_user);
    let control_database = raw.control_database.unwrap_or(defaults.control_database);
    Ok(Auth {
        control_user: not_empty("auth.control_user", control_user)?,
        control_password: raw
            .control_password
            .map(|secret| secret.0)
            .filter(|secret| !secret.is_empty())
            .map(Password::new),
        control_database: not_empty("auth.control_database", control_database)?,
        users,
        allow_md5: raw.allow_md5.unwrap_or(defaults.allow_md5),
        trust,
        admin_users: raw.admin_users.unwrap_or(defaults.admin_users),
    })
}

fn pool(raw: &RawPool) -> Result<Pool, ConfigError> {
    let defaults = Pool::default();
    let count = |setting: &str, given: Option<usize>, default: usize, min: usize, max: usize| {
        within(&format!("pool.{setting}"), given.unwrap_or(default), min..=max)
    };
    let pool = Pool {
        mode: match raw.mode {
            None => defaults.mode,
            Some(RawPoolMode::Transaction) => PoolMode::Transaction,
            Some(RawPoolMode::Session) => PoolMode::Session,
        },
        size_max: count("size_max", raw.size_max, defaults.size_max, 1, CONNECTIONS_MAX)?,
        size_min: count("size_min", raw.size_min, defaults.size_min, 0, CONNECTIONS_MAX)?,
        node_connections_max: count(
            "node_connections_max",
            raw.node_connections_max,
            defaults.node_connections_max,
            1,
            CONNECTIONS_MAX,
        )?,
        waiting_max: count("waiting_max", raw.waiting_max, defaults.waiting_max, 0, CLIENTS_MAX)?,
        wait_max: positive("pool.wait_max", raw.wait_max, defaults.wait_max)?,
        lifetime: positive("pool.lifetime", raw.lifetime, defaults.lifetime)?,
        idle_max: positive("pool.idle_max", raw.idle_max, defaults.idle_max)?,
        check_after: duration("pool.check_after", raw.check_after, defaults.check_after)?,
        connect_timeout: positive(
            "pool.connect_timeout",
            raw.connect_timeout,
            defaults.connect_timeout,
        )?,
        prepared_max: count("prepared_max", raw.prepared_max, defaults.prepared_max, 1, 100_000)?,
    };
    at_most("pool.size_min", pool.size_min, "pool.size_max", pool.size_max)?;
    let node_max = pool.node_connections_max;
    at_most("pool.size_max", pool.size_max, "pool.node_connections_max", node_max)?;
    at_most("pool.idle_max", Span(pool.idle_max), "pool.lifetime", Span(pool.lifetime))?;
    let connect = Span(pool.connect_timeout);
    at_most("pool.connect_timeout", connect, "pool.wait_max", Span(pool.wait_max))?;
    Ok(pool)
}

fn timeouts(raw: &RawTimeouts) -> Result<Timeouts, ConfigError> {
    let defaults = Timeouts::default();
    Ok(Timeouts {
        query: duration("timeouts.query", raw.query, defaults.query)?,
        idle_in_transaction: duration(
            "timeouts.idle_in_transaction",
            raw.idle_in_transaction,
            defaults.idle_in_transaction,
        )?,
        idle_client: duration("timeouts.idle_client", raw.idle_client, defaults.idle_client)?,
        authentication: positive(
            "timeouts.authentication",
            raw.authentication,
            defaults.authentication,
        )?,
        drain: duration("timeouts.drain", raw.drain, defaults.drain)?,
    })
}

fn limits(raw: &RawLimits) -> Result<Limits, ConfigError> {
    let defaults = Limits::default();
    let bytes = |setting: &str, given: Option<Bytes>, default, range| {
        within(&format!("limits.{setting}"), given.unwrap_or(Bytes(default)), range)
            .map(|Bytes(bytes)| bytes)
    };
    let count = |setting: &str, given: Option<usize>, default, max| {
        within(&format!("limits.{setting}"), given.unwrap_or(default), 1..=max)
    };
    let clients_max = count("clients_max", raw.clients_max, defaults.clients_max, CLIENTS_MAX)?;
    let limits = Limits {
        clients_max,
        unauthenticated_per_address_max: count(
            "unauthenticated_per_address_max",
            raw.unauthenticated_per_address_max,
            defaults.unauthenticated_per_address_max.min(clients_max),
            CLIENTS_MAX,
        )?,
        startup_bytes_max: bytes(
            "startup_bytes_max",
            raw.startup_bytes_max,
            defaults.startup_bytes_max,
            STARTUP_BYTES,
        )?,
        message_bytes_max: bytes(
            "message_bytes_max",
            raw.message_bytes_max,
            defaults.message_bytes_max,
            MESSAGE_BYTES,
        )?,
        plan_cache_bytes_max: bytes(
            "plan_cache_bytes_max",
            raw.plan_cache_bytes_max,
            defaults.plan_cache_bytes_max,
            PLAN_CACHE_BYTES,
        )?,
        client_statements_max: count(
            "client_statements_max",
            raw.client_statements_max,
            defaults.client_statements_max,
            STATEMENTS_MAX,
        )?,
        exchange_bytes_max: raw
            .exchange_bytes_max
            .map_or(defaults.exchange_bytes_max, |Bytes(bytes)| bytes),
    };
    at_most(
        "limits.unauthenticated_per_address_max",
        limits.unauthenticated_per_address_max,
        "limits.clients_max",
        limits.clients_max,
    )?;
    at_most(
        "limits.startup_bytes_max",
        Bytes(limits.startup_bytes_max),
        "limits.message_bytes_max",
        Bytes(limits.message_bytes_max),
    )?;
    Ok(limits)
}
