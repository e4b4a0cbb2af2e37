//! A herd of three real servers, a journal and a publisher in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use herd_catalog::{Catalog, Node, NodeRole, NodeStatus, SearchPath};
use herd_execute::define::{
    Completed, DefineError, Definer, Intent, Journal, NodeError, NodeSession, Nodes, Publisher,
    Refusal, Rows, Settled,
};
use herd_plan::{Action, Context, Planner, Query, Target};
use herd_testkit::TempPostgres;
use herd_types::{ClientError, JobId, NodeId, SqlState};
use tokio_postgres::{CopyInSink, CopyOutStream, NoTls, SimpleQueryMessage};

pub const NODES: u16 = 3;

/// A server as it comes: it prepares no transactions.
pub const PLAIN_NODE: u16 = NODES + 1;

static SERVERS: LazyLock<Vec<TempPostgres>> = LazyLock::new(|| {
    let prepared = ["20", "20", "20", "0"].map(|max| format!("max_prepared_transactions={max}"));
    prepared.iter().map(|setting| TempPostgres::start(&[setting])).collect()
});

/// One database on each of the servers, which are shared by all tests of the file.
pub struct Herd {
    pub definer: Definer<MemoryJournal, MemoryPublisher>,
    pub memory: Arc<Memory>,
    pub nodes: PgNodes,
    observers: tokio::sync::Mutex<BTreeMap<u16, PgSession>>,
    pub auto_fragment: Option<&'static str>,
    pub search_path: SearchPath,
}

/// What journal and publisher share.
pub struct Memory {
    /// What sessions plan by.
    pub catalog: Mutex<Arc<Catalog>>,
    /// What the next process would find.
    pub durable: Mutex<Arc<Catalog>>,
    pub jobs: Mutex<BTreeMap<JobId, JobRecord>>,
    pub instance: String,
}

#[derive(Clone, Debug)]
pub struct JobRecord {
    pub intent: Intent,
    pub decided: bool,
    pub settled: Option<Settled>,
}

pub struct PgNodes {
    pub database: String,
    pub role: Option<String>,
}

pub struct PgSession {
    client: tokio_postgres::Client,
    read: Option<Pin<Box<CopyOutStream>>>,
    written: Option<Pin<Box<CopyInSink<Bytes>>>>,
}

impl Herd {
    pub fn start(database: &str) -> Herd {
        Herd::of(database, &[1, 2, 3])
    }

    /// The first of the nodes is home.
    pub fn of(database: &str, ids: &[u16]) -> Herd {
        for id in ids {
            let _ = SERVERS[usize::from(id - 1)].psql(&format!("CREATE DATABASE {database}"));
        }
        let catalog = Catalog::new(NodeId(ids[0]), ids.iter().copied().map(node));
        let catalog = Arc::new(catalog);
        let memory = Arc::new(Memory {
            catalog: Mutex::new(Arc::clone(&catalog)),
            durable: Mutex::new(catalog),
            jobs: Mutex::default(),
            instance: database.to_owned(),
        });
        let journal = MemoryJournal(Arc::clone(&memory));
        Herd {
            definer: Definer::new(journal, MemoryPublisher(Arc::clone(&memory))),
            memory,
            nodes: PgNodes { database: database.to_owned(), role: None },
            observers: tokio::sync::Mutex::default(),
            auto_fragment: None,
            search_path: SearchPath::default_for("postgres"),
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = u16> {
        self.catalog().nodes().map(|node| node.id.0).collect::<Vec<_>>().into_iter()
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.memory.catalog.lock().unwrap())
    }

    /// The statement's tag, or `home` when it was the home node's own.
    pub async fn run(&self, sql: &str) -> Result<String, DefineError> {
        let catalog = self.catalog();
        let context = Context {
            routines: herd_plan::Routines::none(),
            catalog: &catalog,
            search_path: &self.search_path,
            auto_fragment: self.auto_fragment,
            parameter_types: &[],
        };
        let understood = match Planner::new(1 << 20).understand(sql.as_bytes(), &context) {
            Ok(Query::One(understood)) => understood,
            Ok(_) => panic!("one statement at a time: {sql}"),
            Err(error) => return Err(error.into()),
        };
        match &understood.plan.action {
            Action::Define(draft) => match self.definer.run(draft, &self.nodes).await? {
                Completed::Done { tag, .. } => Ok(tag),
                Completed::Home => self.forward(sql).await,
            },
            Action::Forward(forward) if matches!(forward.target, Target::Home) => {
                self.forward(sql).await
            }
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The statement as a draft.
    pub fn draft(&self, sql: &str) -> herd_plan::ddl::Draft {
        self.draft_by(&self.catalog(), sql)
    }

    /// The same when the catalog is another one.
    pub fn draft_by(&self, catalog: &Arc<Catalog>, sql: &str) -> herd_plan::ddl::Draft {
        let context = Context {
            routines: herd_plan::Routines::none(),
            catalog,
            search_path: &self.search_path,
            auto_fragment: self.auto_fragment,
            parameter_types: &[],
        };
        match Planner::new(1 << 20).understand(sql.as_bytes(), &context) {
            Ok(Query::One(understood)) => match &understood.plan.action {
                Action::Define(draft) => draft.clone(),
                other => panic!("{sql}: {other:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Waits until nobody is in a transaction: what was begun by the dead is gone.
    pub async fn await_no_transactions(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name <> 'observer'";
        for node in self.ids() {
            while self.ask(node, sql).await != "0" {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    }

    async fn forward(&self, sql: &str) -> Result<String, DefineError> {
        let id = self.catalog().home();
        let home = self.nodes.open(id).await;
        let mut home = home.map_err(|_| DefineError::Refused(unreachable()))?;
        match home.query(sql).await {
            Ok(_) => Ok("home".to_owned()),
            Err(NodeError::Refused(refusal)) => Err(DefineError::Server { node: id, refusal }),
            Err(_) => Err(DefineError::Refused(unreachable())),
        }
    }

    /// Runs it, and expects it to succeed on all nodes.
    pub async fn define(&self, sql: &str) -> String {
        self.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// What is said to the client.
    pub async fn refused(&self, sql: &str) -> String {
        match self.run(sql).await {
            Ok(tag) => panic!("{sql} was not refused: {tag}"),
            Err(error) => error.into_client_error().to_string(),
        }
    }

    /// Straight on a node.
    pub fn on(&self, node: u16, sql: &str) -> String {
        let connect = format!("\\connect {}\n", self.nodes.database);
        SERVERS[usize::from(node - 1)].psql(&format!("{connect}{sql}")).trim_end().to_owned()
    }

    /// As [`Herd::on`], by a connection that stays open.
    pub async fn ask(&self, node: u16, sql: &str) -> String {
        let mut observers = self.observers.lock().await;
        let session = match observers.entry(node) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(none) => {
                let mut session = self.nodes.open(NodeId(node)).await.ok().unwrap();
                session.query("SET application_name = 'observer'").await.ok().unwrap();
                none.insert(session)
            }
        };
        let rows = session.query(sql).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let line = |row: Vec<Option<String>>| {
            row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("\t")
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The same on every node, or the first difference.
    pub fn everywhere(&self, sql: &str) -> String {
        let answers = self.ids().map(|node| self.on(node, sql)).collect::<Vec<_>>();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{sql}: {answers:#?}");
        answers[0].clone()
    }

    /// Nothing is left prepared, and every job is over.
    pub fn assert_settled(&self) {
        assert_eq!(
            self.everywhere(
                "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
            ),
            "0"
        );
        for (job, record) in self.memory.jobs.lock().unwrap().iter() {
            assert!(record.settled.is_some(), "{job} is open: {record:?}");
        }
    }
}

pub fn node(id: u16) -> Node {
    Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: SERVERS[usize::from(id - 1)].port(),
        dc: if id == 1 { "east" } else { "west" }.to_owned(),
        zone: String::new(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 100,
    }
}

impl Nodes for PgNodes {
    type Session = PgSession;

    async fn open(&self, node: NodeId) -> Result<PgSession, NodeError> {
        let server = &SERVERS[usize::from(node.0 - 1)];
        let dsn =
            format!("host=127.0.0.1 port={} user=postgres dbname={}", server.port(), self.database);
        let (client, connection) =
            tokio_postgres::connect(&dsn, NoTls).await.map_err(|error| node_error(&error))?;
        tokio::spawn(connection);
        let mut session = PgSession { client, read: None, written: None };
        if let Some(role) = &self.role {
            session.query(&format!("SET SESSION AUTHORIZATION {role}")).await?;
        }
        Ok(session)
    }
}

impl NodeSession for PgSession {
    async fn query(&mut self, sql: &str) -> Result<Rows, NodeError> {
        let messages = self.client.simple_query(sql).await.map_err(|error| node_error(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    async fn copy_out(&mut self, sql: &str) -> Result<(), NodeError> {
        let stream = self.client.copy_out(sql).await.map_err(|error| node_error(&error))?;
        self.read = Some(Box::pin(stream));
        Ok(())
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, NodeError> {
        let Some(stream) = &mut self.read else { return Ok(None) };
        stream.next().await.transpose().map_err(|error| node_error(&error))
    }

    async fn copy_in(&mut self, sql: &str) -> Result<(), NodeError> {
        let sink = self.client.copy_in(sql).await.map_err(|error| node_error(&error))?;
        self.written = Some(Box::pin(sink));
        Ok(())
    }

    async fn put(&mut self, data: Bytes) -> Result<(), NodeError> {
        let sink = self.written.as_mut().expect("a COPY was begun");
        sink.feed(data).await.map_err(|error| node_error(&error))
    }

    async fn end_copy(&mut self) -> Result<(), NodeError> {
        let mut sink = self.written.take().expect("a COPY was begun");
        let finished = sink.as_mut().finish().await;
        finished.map(drop).map_err(|error| node_error(&error))
    }
}

pub fn node_error(error: &tokio_postgres::Error) -> NodeError {
    match error.as_db_error() {
        Some(refusal) => NodeError::Refused(Refusal {
            sqlstate: SqlState::from_bytes(refusal.code().code().as_bytes()).unwrap(),
            message: refusal.message().to_owned(),
            frame: Bytes::new(),
        }),
        None => NodeError::Lost(error.to_string()),
    }
}

fn unreachable() -> ClientError {
    ClientError::error(SqlState::CONNECTION_FAILURE, "the home node is gone")
}

pub struct MemoryJournal(pub Arc<Memory>);
pub struct MemoryPublisher(pub Arc<Memory>);

impl Journal for MemoryJournal {
    fn instance(&self) -> &str {
        &self.0.instance
    }

    async fn begin(&self, _summary: &str, intent: Intent) -> Result<JobId, ClientError> {
        let mut jobs = self.0.jobs.lock().unwrap();
        let id = JobId(jobs.len() as u64 + 1);
        jobs.insert(id, JobRecord { intent, decided: false, settled: None });
        Ok(id)
    }

    async fn decide(&self, job: JobId, next: Option<&Arc<Catalog>>) -> Result<(), ClientError> {
        if let Some(next) = next {
            *self.0.durable.lock().unwrap() = Arc::clone(next);
        }
        self.0.jobs.lock().unwrap().get_mut(&job).unwrap().decided = true;
        Ok(())
    }

    fn note(&self, _job: JobId, _progress: String) {}

    async fn leave(&self, _job: JobId, _reason: String) {}

    async fn settle(&self, job: JobId, how: Settled) {
        self.0.jobs.lock().unwrap().get_mut(&job).unwrap().settled = Some(how);
    }
}

impl Publisher for MemoryPublisher {
    type Hold = ();

    fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog.lock().unwrap())
    }

    async fn hold(&self) {}

    async fn rests(&self) -> bool {
        true
    }

    fn publish(&self, next: Arc<Catalog>) {
        *self.0.catalog.lock().unwrap() = next;
    }
}
