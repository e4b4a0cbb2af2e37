//! Three real nodes, a table over them, and a client that speaks raw frames.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures::future::join_all;
use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_config::{Pool as PoolConfig, PoolMode};
use herd_execute::copy::{CopyOutcome, CopyRun, GatherRun, Scope};
use herd_execute::{
    Boxed, ClientConnection, Decision, Decisions, End, Intent, IntentKind, Interrupts,
};
use herd_node::{Lease, Numberings, PoolKey, Pools, ServerConnection, Settings};
use herd_plan::{Action, Context, CopyIn, Planner, Query};
use herd_testkit::TempPostgres;
use herd_types::{ClientError, NodeId};
use herd_wire::connect::{Credential, NodeAddress};
use herd_wire::stream::Stream;
use herd_wire::tls::TlsToNode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::numbering::OneNumbering;

pub const NODES: u16 = 3;
const FRAGMENTS: u32 = 7;
const PLAN_CACHE_BYTES: usize = 1 << 20;

/// Servers for all tests that need nothing special; each test has its own database on them.
static SERVERS: LazyLock<Vec<Arc<TempPostgres>>> = LazyLock::new(|| start([PREPARES; 3]));

/// Settings of a node on which transactions can be prepared.
pub const PREPARES: &[&str] = &["max_prepared_transactions=64"];

fn start(settings: [&[&str]; NODES as usize]) -> Vec<Arc<TempPostgres>> {
    settings.map(|settings| Arc::new(TempPostgres::start(settings))).into()
}

pub struct Bed {
    pub servers: Vec<Arc<TempPostgres>>,
    pub catalog: Arc<Catalog>,
    pub decisions: Recorder,
    pub interrupts: Interrupts,
    database: String,
    pools: Pools,
    _pause: watch::Sender<bool>,
}

impl Bed {
    pub fn ready() -> Bed {
        Bed::with(SERVERS.clone(), "")
    }

    /// `extra` is run on each node after its tables are made.
    pub fn prepared_by(extra: &str) -> Bed {
        Bed::with(SERVERS.clone(), extra)
    }

    /// Servers of its own, with these settings.
    pub fn with_settings(settings: [&[&str]; NODES as usize]) -> Bed {
        Bed::with(start(settings), "")
    }

    fn with(servers: Vec<Arc<TempPostgres>>, extra: &str) -> Bed {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let database = format!("copy_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let catalog = Arc::new(catalog());
        let (pause, paused) = watch::channel(false);
        let numberings = Arc::new(Numberings::new(Arc::new(OneNumbering)));
        let pools = Pools::new(pool_config(), paused, numberings);
        for (node, server) in (1..).zip(&servers) {
            let address = NodeAddress::new("127.0.0.1", server.port(), TlsToNode::Off);
            pools.set_node(NodeId(node), &format!("n{node}"), address);
            let tables = tables(&catalog, NodeId(node));
            let _ = server.psql(&format!(
                "CREATE DATABASE {database};\n\\connect {database}\n{tables}{extra}"
            ));
        }
        let interrupts = Interrupts::default();
        let decisions = Recorder::new(&database);
        Bed { servers, catalog, decisions, interrupts, database, pools, _pause: pause }
    }

    pub async fn lease(&self, node: u16) -> Lease {
        let key = PoolKey { database: self.database.clone(), role: "postgres".into() };
        let pool = self.pools.pool(NodeId(node), &key, &Credential::None).expect("a known node");
        pool.lease(&Arc::<Settings>::default()).await.expect("a connection")
    }

    /// Runs a COPY in a transaction of its own, with `talk` at the other end of the client's
    /// connection; what the client was sent comes back with the outcome.
    pub async fn run<F: Future<Output = ()>>(
        &self,
        sql: &str,
        talk: impl FnOnce(Talker) -> F,
    ) -> (CopyOutcome, Vec<u8>) {
        let mut leases = join_all((1..=NODES).map(|node| self.lease(node))).await;
        let connections = leases.iter_mut().map(Lease::connection).collect();
        let intent = Intent {
            kind: IntentKind::Copy,
            description: sql.to_owned(),
            nodes: (1..=NODES).map(NodeId).collect(),
            database: self.database.clone(),
            role: "postgres".into(),
        };
        let scope = Scope::Own { decisions: &self.decisions, intent };
        let copy = self.plan(sql);
        let table = Arc::clone(self.catalog.table(copy.table).expect("it was planned"));
        let (mut client, talker) = connect().await;
        let copying = async {
            let run = CopyRun {
                copy: &copy,
                table: &table,
                statement: sql.as_bytes(),
                client: &mut client,
                interrupts: &self.interrupts,
            };
            let outcome = run.run(connections, scope).await;
            drop(client);
            outcome
        };
        let received = Arc::clone(&talker.received);
        let (outcome, ()) = tokio::join!(copying, talk(talker));
        for lease in leases {
            if !outcome.unusable.contains(&lease.node()) {
                lease.give_back();
            }
        }
        let received = received.lock().expect("nobody panicked").clone();
        (outcome, received)
    }

    /// The same for a COPY TO.
    pub async fn gather<F: Future<Output = ()>>(
        &self,
        sql: &str,
        talk: impl FnOnce(Talker) -> F,
    ) -> (CopyOutcome, Vec<u8>) {
        let mut leases = Vec::new();
        for node in 1..=NODES {
            leases.push(self.lease(node).await);
        }
        let connections = leases.iter_mut().map(Lease::connection).collect();
        let (outcome, received) = self.gather_from(connections, sql, talk).await;
        for lease in leases {
            if !outcome.unusable.contains(&lease.node()) {
                lease.give_back();
            }
        }
        (outcome, received)
    }

    pub async fn gather_from<F: Future<Output = ()>>(
        &self,
        connections: Vec<&mut ServerConnection>,
        sql: &str,
        talk: impl FnOnce(Talker) -> F,
    ) -> (CopyOutcome, Vec<u8>) {
        let Action::CopyGather(copy) = self.action(sql) else { panic!("{sql} is no COPY TO") };
        let (mut client, talker) = connect().await;
        let copying = async {
            let run = GatherRun { copy: &copy, client: &mut client, interrupts: &self.interrupts };
            let outcome = run.run(connections).await;
            drop(client);
            outcome
        };
        let received = Arc::clone(&talker.received);
        let (outcome, ()) = tokio::join!(copying, talk(talker));
        let received = received.lock().expect("nobody panicked").clone();
        (outcome, received)
    }

    pub fn plan(&self, sql: &str) -> CopyIn {
        match self.action(sql) {
            Action::CopyIn(copy) => *copy,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn action(&self, sql: &str) -> Action {
        let search_path = SearchPath::new(["public".to_owned()]);
        let context = Context {
            routines: herd_plan::Routines::none(),
            catalog: &self.catalog,
            search_path: &search_path,
            auto_fragment: None,
            parameter_types: &[],
        };
        let mut planner = Planner::new(PLAN_CACHE_BYTES);
        match planner.understand(sql.as_bytes(), &context).expect("it can be planned") {
            Query::One(understood) => understood.plan.action.clone(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The result on each node, in order.
    pub fn everywhere(&self, sql: &str) -> Vec<String> {
        let sql = format!("\\connect {}\n{sql}", self.database);
        self.servers.iter().map(|server| server.psql(&sql).trim_end().to_owned()).collect()
    }

    /// What is in `t` on all nodes together.
    pub fn rows(&self) -> u64 {
        let counts = self.everywhere("SELECT count(*) FROM t");
        counts.iter().map(|count| count.parse::<u64>().expect("a number")).sum()
    }

    /// Nothing is left behind: no rows, nothing prepared, no transaction open.
    pub fn assert_untouched(&self) {
        assert_eq!(self.rows(), 0);
        self.assert_at_rest();
    }

    pub fn assert_at_rest(&self) {
        let left = self.everywhere(
            "SELECT (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
                    (SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND state LIKE '%transaction%')",
        );
        assert_eq!(left, vec!["0\t0"; self.servers.len()]);
    }
}

/// The client's end.
pub struct Talker {
    pub stream: TcpStream,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Talker {
    pub async fn data(&mut self, data: &[u8]) {
        let mut frame = vec![b'd'];
        frame.extend((data.len() as u32 + 4).to_be_bytes());
        frame.extend_from_slice(data);
        // The copy may have ended meanwhile.
        let _ = self.stream.write_all(&frame).await;
    }

    pub async fn finish(&mut self) {
        let _ = self.stream.write_all(b"c\0\0\0\x04").await;
    }

    pub async fn done(mut self) {
        self.finish().await;
        self.listen().await;
    }

    pub async fn fail(mut self, reason: &str) {
        let mut frame = vec![b'f'];
        frame.extend((reason.len() as u32 + 5).to_be_bytes());
        frame.extend_from_slice(reason.as_bytes());
        frame.push(0);
        let _ = self.stream.write_all(&frame).await;
        self.listen().await;
    }

    /// Until the connection is closed.
    pub async fn listen(mut self) {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes).await;
        *self.received.lock().expect("nobody panicked") = bytes;
    }
}

pub async fn connect() -> (ClientConnection, Talker) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
    let stream = Stream::from_tcp(there.expect("a connection").0).expect("a stream");
    let client = ClientConnection::new(stream, Arc::default());
    (client, Talker { stream: here.expect("a connection"), received: Arc::default() })
}

/// Decisions in memory, and what became of them.
pub struct Recorder {
    log: Mutex<Vec<String>>,
    pub gid: String,
    pub refuses_commit: bool,
}

impl Recorder {
    fn new(database: &str) -> Recorder {
        let gid = format!("herd_{database}");
        Recorder { log: Mutex::default(), gid, refuses_commit: false }
    }

    fn note(&self, what: String) {
        self.log.lock().expect("nobody panicked").push(what);
    }

    pub fn heard(&self) -> Vec<String> {
        self.log.lock().expect("nobody panicked").clone()
    }
}

impl Decisions for Recorder {
    fn open(&self, _intent: Intent) -> Boxed<'_, Result<Decision, ClientError>> {
        self.note("open".into());
        Box::pin(async move { Ok(Decision { gid: self.gid.clone() }) })
    }

    fn commit<'a>(&'a self, _decision: &'a Decision) -> Boxed<'a, Result<(), ClientError>> {
        self.note("commit".into());
        let refused = ClientError::unsupported("the disk is full");
        Box::pin(async move { if self.refuses_commit { Err(refused) } else { Ok(()) } })
    }

    fn close<'a>(&'a self, _decision: &'a Decision, end: End) -> Boxed<'a, ()> {
        self.note(match end {
            End::Committed => "committed".into(),
            End::RolledBack(_) => "rolled back".into(),
        });
        Box::pin(async {})
    }

    fn leave<'a>(&'a self, _decision: &'a Decision, _reason: String) -> Boxed<'a, ()> {
        self.note("left".into());
        Box::pin(async {})
    }
}

fn pool_config() -> PoolConfig {
    PoolConfig {
        mode: PoolMode::Transaction,
        size_max: 4,
        size_min: 0,
        node_connections_max: 8,
        waiting_max: 8,
        wait_max: Duration::from_secs(5),
        lifetime: Duration::from_secs(600),
        idle_max: Duration::from_secs(600),
        check_after: Duration::from_secs(600),
        connect_timeout: Duration::from_secs(5),
        prepared_max: 8,
    }
}

fn catalog() -> Catalog {
    let node = |id: u16| Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".into(),
        port: 5432,
        dc: String::new(),
        zone: String::new(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    let column = |name: &str, type_name: &str| Column {
        name: name.into(),
        type_name: type_name.into(),
        generated: false,
        has_default: false,
    };
    let columns = vec![column("k", "bigint"), column("v", "text")];
    let fragments = (0..FRAGMENTS).map(|remainder| FragmentSpec {
        name: TableName::new("public", format!("t_{remainder}")),
        bound: Bound::Hash { modulus: FRAGMENTS, remainder },
        node: NodeWish::Any,
    });
    let fragmented = Change::AddTable(TableSpec {
        name: TableName::new("public", "t"),
        columns: columns.clone(),
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["k".into()],
            fragments: fragments.collect(),
            family: FamilyWish::Alike,
        },
    });
    let reference = Change::AddTable(TableSpec {
        name: TableName::new("public", "r"),
        columns,
        kind: KindSpec::Reference,
    });
    let nodes = (1..=NODES).map(node);
    Catalog::new(NodeId(1), nodes).apply_all(&[fragmented, reference]).expect("valid tables")
}

fn tables(catalog: &Catalog, node: NodeId) -> String {
    let mut sql = "CREATE TABLE r (k bigint PRIMARY KEY, v text);
         CREATE TABLE t (k bigint PRIMARY KEY, v text CHECK (v <> 'bad')) PARTITION BY HASH (k);"
        .to_owned();
    for fragment in catalog.fragments_on(node) {
        let Bound::Hash { modulus, remainder } = fragment.bound else { unreachable!() };
        sql += &format!(
            "CREATE TABLE {} PARTITION OF t FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder});",
            fragment.name.name
        );
    }
    sql
}
