//! From an accepted connection to a session: greeting, limits, authentication, welcome.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use herd_config::{ClientCertificates, Config};
use herd_execute::ClientConnection;
use herd_node::{NodeError, PoolKey, Reported, Setting, Settings};
use herd_types::{ClientError, SqlState};
use herd_wire::auth::{How, Method, Proven, RolePassword, StoredPassword, authenticate};
use herd_wire::connect::Credential;
use herd_wire::startup::{Arrived, Greeting, GreetingPolicy, farewell, greet, turn_away};
use herd_wire::stream::{Peer, Stream};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::gateway::{RoleRecord, Worker};
use crate::routines::DatabaseRoutines;
use crate::session::{Login, Session};
use crate::settings::SessionSettings;

/// The search_path of a session is not reported before PostgreSQL 18; kept among the reported
/// parameters under a name that no parameter has.
const DEFAULT_SEARCH_PATH: &str = "herd default search_path";

/// Connections that have not authenticated yet, by address.
#[derive(Debug, Default)]
pub struct Lobby {
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A place in the lobby, given up when the client is in or gone.
struct Waiting<'a> {
    lobby: &'a Lobby,
    address: IpAddr,
}

impl Lobby {
    fn enter(&self, address: IpAddr, places_max: usize) -> Option<Waiting<'_>> {
        let mut by_address = self.by_address.lock();
        let count = by_address.entry(address).or_default();
        if *count >= places_max {
            return None;
        }
        *count += 1;
        Some(Waiting { lobby: self, address })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut by_address = self.lobby.by_address.lock();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Serves one connection from its first byte to its last.
pub async fn serve(worker: Arc<Worker>, lobby: Arc<Lobby>, stream: Stream, policy: GreetingPolicy) {
    let config = worker.gateway.config.load_full();
    let Ok(peer) = stream.peer() else { return };
    let place = match peer {
        Peer::Ip(address) => {
            let places_max = config.limits.unauthenticated_per_address_max;
            match lobby.enter(address.ip(), places_max) {
                Some(place) => Some(place),
                // Too many strangers from there: not even an answer.
                None => return,
            }
        }
        Peer::Unix { .. } => None,
    };
    let deadline = Instant::now() + config.timeouts.authentication;
    match Box::pin(greet(stream, &policy, deadline)).await {
        Ok(Greeting::Client(arrived)) => {
            let admitted = Box::pin(admit(&worker, &config, *arrived, deadline)).await;
            drop(place);
            if let Some(login) = admitted {
                worker.gateway.metrics.clients.inc();
                Session::new(Arc::clone(&worker), login).run().await;
                worker.gateway.metrics.clients.dec();
            }
        }
        Ok(Greeting::Cancel(mut stream, key)) => {
            worker.gateway.metrics.cancels.inc();
            worker.gateway.clients.cancel(&key).await;
            // Closed only now: the client may rely on the signal having been delivered.
            farewell(&mut stream, &[]).await;
        }
        Ok(Greeting::Left) => {}
        Err(error) => tracing::debug!(%error, "a connection did not become a client"),
    }
}

async fn admit(
    worker: &Arc<Worker>,
    config: &Config,
    mut arrived: Arrived,
    deadline: Instant,
) -> Option<Login> {
    let outcome = |label: &str| worker.gateway.metrics.logins.with_label_values(&[label]).inc();
    if let Err(error) = check_room(worker, config) {
        outcome("refused");
        turn_away(&mut arrived.stream, &error).await;
        return None;
    }
    let record = match find_role(worker, &arrived.user).await {
        Ok(record) => record,
        Err(error) => {
            outcome("failed");
            turn_away(&mut arrived.stream, &error).await;
            return None;
        }
    };
    let method = method(worker, config, &arrived, record.as_ref());
    let proven = match authenticate(&mut arrived, method, deadline).await {
        Ok(proven) => proven,
        Err(error) => {
            outcome("failed");
            tracing::info!(user = %arrived.user, %error, "login refused");
            return None;
        }
    };
    // As PostgreSQL does, this is told only to those who know the password.
    if record.as_ref().is_some_and(|record| !record.can_login) {
        outcome("refused");
        turn_away(&mut arrived.stream, &may_not_log_in(&arrived.user)).await;
        return None;
    }
    let is_superuser = record.is_some_and(|record| record.is_superuser);
    match welcome(worker, config, &mut arrived, &proven, is_superuser).await {
        Ok(login) => {
            outcome("accepted");
            Some(finish(worker, login, arrived))
        }
        Err(Unwelcome::Refused(error)) => {
            outcome("refused");
            turn_away(&mut arrived.stream, &error).await;
            None
        }
        Err(Unwelcome::Server(error)) => {
            outcome("refused");
            // In the node's own words.
            let mut out = BytesMut::new();
            herd_wire::message::frame(&mut out, b'E', |out| out.extend_from_slice(&error));
            farewell(&mut arrived.stream, &out).await;
            None
        }
        Err(Unwelcome::Gone) => None,
    }
}

fn check_room(worker: &Worker, config: &Config) -> Result<(), ClientError> {
    if *worker.gateway.draining.borrow() {
        return Err(ClientError::fatal(SqlState::CANNOT_CONNECT_NOW, "Herd is shutting down"));
    }
    if worker.gateway.clients.len() >= config.limits.clients_max {
        return Err(ClientError::fatal(
            SqlState::TOO_MANY_CONNECTIONS,
            "sorry, too many clients already",
        )
        .with_hint("limits.clients_max bounds the clients of this Herd."));
    }
    Ok(())
}

fn may_not_log_in(user: &str) -> ClientError {
    ClientError::fatal(
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        format!("role \"{user}\" is not permitted to log in"),
    )
}

/// Users of the configuration come first, then the roles of the home node.
async fn find_role(worker: &Worker, user: &str) -> Result<Option<RoleRecord>, ClientError> {
    if let Some(verifier) = worker.gateway.static_users.load().verifier(user) {
        let stored = StoredPassword::Scram(verifier.clone());
        return Ok(Some(RoleRecord {
            password: Some(RolePassword { stored, valid_until: None }),
            can_login: true,
            is_superuser: false,
        }));
    }
    worker
        .gateway
        .roles
        .find(user)
        .await
        .map_err(|error| ClientError { severity: herd_types::Severity::Fatal, ..error })
}

fn method<'a>(
    worker: &'a Worker,
    config: &Config,
    arrived: &Arrived,
    record: Option<&RoleRecord>,
) -> Method<'a> {
    let is_trusted = match arrived.peer {
        Peer::Ip(address) => config.auth.trust.contains(&address.ip()),
        Peer::Unix { .. } => false,
    };
    if is_trusted && record.is_some() {
        return Method::Trust;
    }
    let shows_certificate =
        arrived.tls.as_ref().is_some_and(|tls| tls.client_certificate.is_some());
    let wants_certificate = config
        .tls
        .as_ref()
        .is_some_and(|tls| matches!(tls.client_certificates, ClientCertificates::Required { .. }));
    if shows_certificate && wants_certificate && record.is_some() {
        return Method::Certificate;
    }
    RolePassword::method(
        record.and_then(|record| record.password.as_ref()),
        SystemTime::now(),
        config.auth.allow_md5,
        &worker.gateway.mock_secret,
    )
}

enum Unwelcome {
    Refused(ClientError),
    Server(Vec<u8>),
    Gone,
}

impl From<ClientError> for Unwelcome {
    fn from(error: ClientError) -> Unwelcome {
        Unwelcome::Refused(ClientError { severity: herd_types::Severity::Fatal, ..error })
    }
}

impl From<NodeError> for Unwelcome {
    fn from(error: NodeError) -> Unwelcome {
        match error.server_error() {
            Some(body) => Unwelcome::Server(body.to_vec()),
            None => error.to_client().into(),
        }
    }
}

/// All of a login but the client's own connection.
struct Welcomed {
    registered: crate::registry::Registered,
    pool_key: PoolKey,
    credential: Credential,
    routines: Arc<DatabaseRoutines>,
    told: Reported,
    settings: SessionSettings,
    is_admin: bool,
}

fn finish(worker: &Worker, welcomed: Welcomed, arrived: Arrived) -> Login {
    Login {
        registered: welcomed.registered,
        client: ClientConnection::new(arrived.stream, Arc::clone(&worker.spare_buffers)),
        pool_key: welcomed.pool_key,
        credential: welcomed.credential,
        routines: welcomed.routines,
        told: welcomed.told,
        settings: welcomed.settings,
        is_admin: welcomed.is_admin,
    }
}

/// Learns what the node reports to such a session, and tells the client that it is in.
async fn welcome(
    worker: &Arc<Worker>,
    config: &Config,
    arrived: &mut Arrived,
    proven: &Proven,
    is_superuser: bool,
) -> Result<Welcomed, Unwelcome> {
    for (name, value) in &arrived.settings {
        herd_plan::check_setting(name, value)?;
    }
    let credential = credential(config, proven);
    let pool_key = PoolKey { database: arrived.database.clone(), role: proven.user().to_owned() };
    let told = learn(worker, &pool_key, &credential, &arrived.settings).await?;
    let gateway = &worker.gateway;
    let routines = gateway.know_routines(&pool_key.database).await;
    let peer = match arrived.peer {
        Peer::Ip(address) => address.to_string(),
        Peer::Unix { .. } => "[local]".to_owned(),
    };
    let registered =
        gateway.clients.register(&pool_key.role, &pool_key.database, peer, arrived.minor);
    if let Some((_, name)) = arrived.settings.iter().rfind(|(name, _)| name == "application_name") {
        registered.handle.show(|shown| shown.application_name = name.clone());
    }
    let mut out = BytesMut::new();
    let parameters = told.iter().filter(|(name, _)| *name != DEFAULT_SEARCH_PATH);
    herd_wire::put_welcome(&mut out, proven, parameters, &registered.handle.cancel_key);
    let mut client = tokio::io::BufWriter::new(&mut arrived.stream);
    let written = async {
        tokio::io::AsyncWriteExt::write_all(&mut client, &out).await?;
        tokio::io::AsyncWriteExt::flush(&mut client).await
    };
    written.await.map_err(|_| Unwelcome::Gone)?;
    let default_path = told.get(DEFAULT_SEARCH_PATH).unwrap_or("\"$user\", public");
    let settings = SessionSettings::new(&arrived.settings, &pool_key.role, default_path);
    let is_admin = is_superuser || config.auth.admin_users.contains(&pool_key.role);
    Ok(Welcomed { registered, pool_key, credential, routines, told, settings, is_admin })
}

fn credential(config: &Config, proven: &Proven) -> Credential {
    let known = config.auth.users.iter().find(|known| known.name == proven.user());
    match (known, proven.how()) {
        (Some(known), _) => Credential::Password(known.password.reveal().into()),
        (None, how @ (How::Scram(_) | How::Md5(_) | How::Certificate | How::Trust)) => how.into(),
    }
}

/// What the home node reports to a session with these start-up settings: asked once, then known.
async fn learn(
    worker: &Worker,
    pool_key: &PoolKey,
    credential: &Credential,
    startup: &[(String, String)],
) -> Result<Reported, Unwelcome> {
    let home = worker.gateway.catalog().home();
    let pool = worker.pools.pool(home, pool_key, credential)?;
    if *credential != Credential::None {
        pool.set_credential(credential.clone());
    }
    if let Some(known) = pool.known_start(startup) {
        return Ok(known);
    }
    let entries = startup.iter().map(|(name, value)| (name.clone(), Setting::Value(value.clone())));
    let settings = Arc::new(Settings::new(entries));
    let mut lease = pool.lease(&settings).await?;
    let server = lease.connection();
    server.restore(&settings).await?;
    let asked = server.simple(b"SELECT pg_catalog.current_setting('search_path')").await;
    let (answer, _) = asked?;
    let path = answer.rows.first().and_then(|row| row.first().cloned().flatten());
    let mut reported = server.reported.clone();
    lease.give_back();
    if let Some(path) = path {
        reported.set(DEFAULT_SEARCH_PATH, &String::from_utf8_lossy(&path));
    }
    pool.remember_start(startup.to_vec(), reported.clone());
    Ok(reported)
}
