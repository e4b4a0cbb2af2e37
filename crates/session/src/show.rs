//! What can be seen of Herd: the rows of SHOW and of the relations in schema `herd`.
//!
//! Answered from memory, so that it works with every node down.

use std::time::Duration;

use bytes::BytesMut;
use herd_catalog::{Bound, Catalog, Limit, NodeStatus, TableKind};
use herd_plan::Relation;
use herd_wire::message;

use crate::gateway::Gateway;
use crate::registry::Phase;

const TEXT_OID: u32 = 25;

/// Who asks: others' statements are shown to administrators only.
pub(crate) struct Asker {
    pub(crate) role: String,
    pub(crate) is_admin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Integer,
    Float,
    Boolean,
}

impl Type {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Integer => "int8",
            Type::Float => "float8",
            Type::Boolean => "bool",
        }
    }
}

pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
}

type Row = Vec<Option<String>>;

pub(crate) struct Rows {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) rows: Vec<Row>,
}

macro_rules! columns {
    ($($name:literal: $kind:ident),* $(,)?) => {
        &[$(Column { name: $name, kind: Type::$kind }),*]
    };
}

static NODES: &[Column] = columns!("name": Text, "host": Text, "port": Integer, "dc": Text, "zone": Text,
    "role": Text, "status": Text, "capacity": Integer, "home": Boolean,
    "status_seconds": Float, "error": Text);
static TABLES: &[Column] = columns!("schema": Text, "name": Text, "kind": Text, "method": Text, "key": Text,
    "fragments": Integer, "nodes": Text);
static FRAGMENTS: &[Column] = columns!("schema": Text, "table": Text, "fragment": Text, "bound": Text,
    "node": Text, "dc": Text, "epoch": Integer);
static POOLS: &[Column] = columns!("worker": Integer, "node": Text, "database": Text, "role": Text,
    "idle": Integer, "active": Integer, "opening": Integer, "waiting": Integer,
    "opened_total": Integer, "waited_ms_total": Integer);
static CLIENTS: &[Column] = columns!("id": Integer, "role": Text, "database": Text, "address": Text,
    "application_name": Text, "state": Text, "state_seconds": Float, "connected_seconds": Float,
    "node": Text, "server_pid": Integer, "pinned_by": Text);
static SERVERS: &[Column] = columns!("worker": Integer, "node": Text, "pid": Integer, "database": Text,
    "role": Text, "client": Integer, "open_seconds": Float);
static QUERIES: &[Column] = columns!("client": Integer, "role": Text, "state": Text, "seconds": Float,
    "node": Text, "brought_rows": Integer, "brought_bytes": Integer, "query": Text);
static STATS: &[Column] = columns!("name": Text, "value": Float);
static JOBS: &[Column] = columns!("id": Text, "kind": Text, "state": Text, "description": Text,
    "progress": Text, "error": Text);
static CONFIG: &[Column] = columns!("name": Text, "value": Text);
static VERSION: &[Column] = columns!("version": Text);

pub(crate) fn columns(relation: Relation) -> (&'static str, &'static [Column]) {
    match relation {
        Relation::Nodes => ("nodes", NODES),
        Relation::Tables => ("tables", TABLES),
        Relation::Fragments => ("fragments", FRAGMENTS),
        Relation::Pools => ("pools", POOLS),
        Relation::Clients => ("clients", CLIENTS),
        Relation::Servers => ("servers", SERVERS),
        Relation::Queries => ("queries", QUERIES),
        Relation::Stats => ("stats", STATS),
        Relation::Jobs => ("jobs", JOBS),
        Relation::Config => ("config", CONFIG),
        Relation::Version => ("version", VERSION),
    }
}

pub(crate) fn rows(relation: Relation, gateway: &Gateway, asker: &Asker) -> Rows {
    let (name, columns) = columns(relation);
    let catalog = gateway.catalog();
    let rows = match relation {
        Relation::Nodes => nodes(&catalog, gateway),
        Relation::Tables => tables(&catalog),
        Relation::Fragments => fragments(&catalog),
        Relation::Pools => pools(gateway),
        Relation::Clients => clients(gateway),
        Relation::Servers => servers(gateway),
        Relation::Queries => queries(gateway, asker),
        Relation::Stats => stats(gateway),
        Relation::Jobs => gateway.jobs.list().into_iter().map(Vec::from).collect(),
        Relation::Config => config(gateway),
        Relation::Version => vec![vec![text(concat!("Herd ", env!("CARGO_PKG_VERSION")))]],
    };
    Rows { name, columns, rows }
}

/// All as text, which reads the same in text and in binary format.
pub(crate) fn put_description(out: &mut BytesMut, columns: &[Column]) {
    let columns: Vec<_> = columns.iter().map(|column| (column.name, TEXT_OID)).collect();
    message::row_description(out, &columns);
}

pub(crate) fn put_rows(out: &mut BytesMut, rows: &Rows) {
    for row in &rows.rows {
        message::data_row(out, row.iter().map(|value| value.as_ref().map(String::as_bytes)));
    }
    message::command_complete(out, "SHOW");
}

#[expect(clippy::unnecessary_wraps, reason = "a column's value, of which others are NULL")]
fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn seconds(duration: Duration) -> Option<String> {
    Some(format!("{:.3}", duration.as_secs_f64()))
}

/// A node that ought to answer and does not is down, whatever the catalog says of it.
fn nodes(catalog: &Catalog, gateway: &Gateway) -> Vec<Row> {
    let row = |node: &herd_catalog::Node| {
        let state = gateway.node_states.of(node.id);
        let error = state.as_ref().and_then(|state| state.error.clone());
        let status = match error {
            Some(_) if node.status == NodeStatus::Active => NodeStatus::Down,
            _ => node.status,
        };
        vec![
            text(&node.name),
            text(&node.host),
            text(node.port),
            text(&node.dc),
            text(&node.zone),
            text(node.role.as_str()),
            text(status.as_str()),
            text(node.capacity),
            text(node.id == catalog.home()),
            state.and_then(|state| seconds(state.since.elapsed())),
            error,
        ]
    };
    catalog.nodes().map(row).collect()
}

fn node_name(catalog: &Catalog, id: herd_types::NodeId) -> String {
    catalog.node(id).map_or_else(|| id.to_string(), |node| node.name.clone())
}

fn tables(catalog: &Catalog) -> Vec<Row> {
    let row = |table: &std::sync::Arc<herd_catalog::Table>| {
        let names: Vec<_> =
            catalog.nodes_of(table).into_iter().map(|id| node_name(catalog, id)).collect();
        let mut row = vec![text(&table.name.schema), text(&table.name.name)];
        match &table.kind {
            TableKind::Reference => row.extend([text("reference"), None, None, None]),
            TableKind::Fragmented(fragmentation) => {
                let key: Vec<_> = fragmentation
                    .key()
                    .iter()
                    .map(|key| table.columns[key.column].name.as_str())
                    .collect();
                row.extend([
                    text("fragmented"),
                    text(fragmentation.method().as_str()),
                    text(key.join(", ")),
                    text(fragmentation.fragments().len()),
                ]);
            }
        }
        row.push(text(names.join(", ")));
        row
    };
    catalog.tables().map(row).collect()
}

fn fragments(catalog: &Catalog) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let Some(fragmentation) = table.fragmentation() else { continue };
        for fragment in fragmentation.fragments() {
            let node = catalog.node(fragment.primary);
            rows.push(vec![
                text(&table.name.schema),
                text(&table.name.name),
                text(&fragment.name.name),
                text(bound(&fragment.bound)),
                text(node_name(catalog, fragment.primary)),
                node.map(|node| node.dc.clone()),
                text(fragment.epoch),
            ]);
        }
    }
    rows
}

fn bound(bound: &Bound) -> String {
    let limits = |limits: &[Limit]| {
        let limits: Vec<_> = limits
            .iter()
            .map(|limit| match limit {
                Limit::MinValue => "MINVALUE",
                Limit::Value(value) => value.as_str(),
                Limit::MaxValue => "MAXVALUE",
            })
            .collect();
        limits.join(", ")
    };
    match bound {
        Bound::Hash { modulus, remainder } => format!("modulus {modulus}, remainder {remainder}"),
        Bound::List { values } => {
            let values: Vec<_> =
                values.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
            format!("in ({})", values.join(", "))
        }
        Bound::Range { from, to } => format!("from ({}) to ({})", limits(from), limits(to)),
        Bound::Default => "default".to_owned(),
    }
}

fn pools(gateway: &Gateway) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, worker) in gateway.workers.lock().iter().enumerate() {
        for pool in worker.pools.all() {
            let counts = pool.counts();
            rows.push(vec![
                text(index),
                text(pool.node().name()),
                text(&pool.key().database),
                text(&pool.key().role),
                text(counts.idle),
                text(counts.active),
                text(counts.opening),
                text(counts.waiting),
                text(counts.opened_total),
                text(counts.waited_us_total / 1000),
            ]);
        }
    }
    rows
}

fn clients(gateway: &Gateway) -> Vec<Row> {
    let row = |client: &std::sync::Arc<crate::registry::ClientHandle>| {
        let (phase, since) = client.phase();
        let shown = client.shown();
        let server = client.server();
        vec![
            text(client.id.0),
            text(&client.role),
            text(&client.database),
            text(&client.peer),
            text(&shown.application_name),
            text(phase.as_str()),
            seconds(since),
            seconds(client.connected_at.elapsed()),
            server.as_ref().map(|server| server.node_name.clone()),
            server.as_ref().map(|server| server.process_id.to_string()),
            (!shown.pins.is_empty()).then(|| shown.pins.clone()),
        ]
    };
    gateway.clients.all().iter().map(row).collect()
}

fn servers(gateway: &Gateway) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, worker) in gateway.workers.lock().iter().enumerate() {
        for pool in worker.pools.all() {
            for server in pool.servers() {
                rows.push(vec![
                    text(index),
                    text(&server.node_name),
                    text(server.process_id),
                    text(&pool.key().database),
                    text(&pool.key().role),
                    server.holder().map(|client| client.0.to_string()),
                    seconds(server.opened_at.elapsed()),
                ]);
            }
        }
    }
    rows
}

fn queries(gateway: &Gateway, asker: &Asker) -> Vec<Row> {
    let mut rows = Vec::new();
    for client in gateway.clients.all() {
        let (phase, since) = client.phase();
        if phase == Phase::Idle {
            continue;
        }
        let visible = asker.is_admin || client.role == asker.role;
        let query = match visible {
            true => herd_plan::without_secrets(&client.shown().statement),
            false => "<insufficient privilege>".to_owned(),
        };
        rows.push(vec![
            text(client.id.0),
            text(&client.role),
            text(phase.as_str()),
            seconds(since),
            client.server().map(|server| server.node_name.clone()),
            text(client.brought.rows()),
            text(client.brought.bytes()),
            text(query),
        ]);
    }
    rows
}

fn stats(gateway: &Gateway) -> Vec<Row> {
    let (statements, seconds) = gateway.metrics.statements();
    let mut idle = 0;
    let mut active = 0;
    let mut waiting = 0;
    for worker in gateway.workers.lock().iter() {
        for pool in worker.pools.all() {
            let counts = pool.counts();
            idle += counts.idle;
            active += counts.active;
            waiting += counts.waiting;
        }
    }
    vec![
        vec![text("clients"), text(gateway.clients.len())],
        vec![text("clients_waiting"), text(waiting)],
        vec![text("servers_active"), text(active)],
        vec![text("servers_idle"), text(idle)],
        vec![text("statements_total"), text(statements)],
        vec![text("statement_seconds_total"), Some(format!("{seconds:.6}"))],
        vec![text("catalog_version"), text(gateway.catalog().version())],
    ]
}

/// The settings in force. Secrets print as `…`, because `Password` does.
fn config(gateway: &Gateway) -> Vec<Row> {
    let config = gateway.config.load();
    let rows = config.describe();
    rows.into_iter().map(|(name, value)| vec![Some(name), Some(value)]).collect()
}
