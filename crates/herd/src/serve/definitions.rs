//! Definitions and COPYs of several nodes, with the ledger behind them and the gateway in front.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use herd_catalog::{Catalog, Change};
use herd_execute::define::{
    Block, Completed, DefineError, Definer, Intent, Journal, Publisher, Settled,
};
use herd_execute::{Decision, Decisions, End};
use herd_plan::ddl::{Draft, Outcome};
use herd_session::{
    Boxed, ClientHandle, ClientNode, ClientNodes, Clients, Definitions, Jobs, Phase,
};
use herd_sidecar::{Adopt, COPY_GID_PREFIX, DEFINE_GID_PREFIX, Ledger, LedgerError, Payload};
use herd_store::Job;
use herd_types::{ClientError, JobId, SqlState};
use parking_lot::Mutex;
use tokio::sync::watch;

/// A statement that was planned before statements were held is on its way to its node by then.
const HOLD_GRACE: Duration = Duration::from_millis(10);
/// How long statements are held back for others to end, and how often those are looked at.
const REST_WAIT: Duration = Duration::from_millis(200);
const REST_POLL: Duration = Duration::from_millis(2);
/// A statement that has run for so long is not on its way any more.
const LOCKED_AFTER: Duration = Duration::from_secs(1);
/// Since when a client does what it does is known to the millisecond.
const PHASE_PRECISION: Duration = Duration::from_millis(1);
const DEFINE_KIND: &str = "define";

pub struct LedgerJournal(Arc<Ledger>);

impl Journal for LedgerJournal {
    fn instance(&self) -> &str {
        self.0.instance()
    }

    async fn begin(&self, summary: &str, intent: Intent) -> Result<JobId, ClientError> {
        if let Some(job) = self.0.undecided(DEFINE_KIND).map_err(not_durable)? {
            return Err(still_undecided(&job));
        }
        let gid = format!("{DEFINE_GID_PREFIX}{}_", self.0.instance());
        let payload = match intent {
            Intent::Prepare { nodes } => Payload::Prepared { gid, nodes, database: None },
            Intent::Alone { node, transaction, changes } => {
                Payload::Alone { node, transaction, changes }
            }
            Intent::Build { nodes, database, undo } => {
                Payload::Build { gid, nodes, database: Some(database), undo }
            }
            Intent::Repeatable { nodes } => Payload::Repeatable { nodes },
        };
        let begun = self.0.begin(DEFINE_KIND, summary, to_json(&payload)?).await;
        begun.map_err(not_durable)
    }

    async fn decide(&self, job: JobId, next: Option<&Arc<Catalog>>) -> Result<(), ClientError> {
        self.0.decide(job, next).await.map_err(not_durable)
    }

    fn note(&self, job: JobId, progress: String) {
        self.0.note_progress(job, progress);
    }

    async fn leave(&self, job: JobId, reason: String) {
        if let Err(error) = self.0.leave(job, reason).await {
            tracing::error!(%job, %error, "a definition that has to be repaired was not recorded");
        }
    }

    async fn settle(&self, job: JobId, how: Settled) {
        let ended = match how {
            Settled::Done => self.0.end(job, None).await,
            Settled::Undone(reason) | Settled::Failed(reason) => {
                self.0.end(job, Some(reason)).await
            }
        };
        if let Err(error) = ended {
            tracing::error!(%job, %error, "the end of a definition was not recorded");
        }
    }
}

/// The catalog by which sessions plan, and the gate in front of it.
pub struct GatewayPublisher {
    catalog: Arc<ArcSwap<Catalog>>,
    held: Arc<watch::Sender<bool>>,
    clients: Arc<Clients>,
    held_since: Mutex<Instant>,
}

pub struct Hold(Arc<watch::Sender<bool>>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Publisher for GatewayPublisher {
    type Hold = Hold;

    fn current(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    async fn hold(&self) -> Hold {
        self.held.send_replace(true);
        *self.held_since.lock() = Instant::now();
        let hold = Hold(Arc::clone(&self.held));
        tokio::time::sleep(HOLD_GRACE).await;
        hold
    }

    async fn rests(&self) -> bool {
        let held_since = *self.held_since.lock();
        let deadline = Instant::now() + REST_WAIT;
        while self.clients.all().iter().any(|client| is_on_its_way(client, held_since)) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(REST_POLL).await;
        }
        true
    }

    fn publish(&self, next: Arc<Catalog>) {
        self.catalog.store(next);
    }
}

/// Runs DDL for sessions.
pub struct HerdDefinitions {
    definer: Definer<LedgerJournal, GatewayPublisher>,
    ledger: Arc<Ledger>,
}

/// Whether the client's statement was begun before the hold, and not so long before that it surely
/// has its locks.
fn is_on_its_way(client: &ClientHandle, held_since: Instant) -> bool {
    let (phase, lasting) = client.phase();
    let lasting = lasting + PHASE_PRECISION;
    phase == Phase::Running
        && lasting > held_since.elapsed()
        && lasting < held_since.elapsed() + LOCKED_AFTER
}

impl HerdDefinitions {
    pub fn new(
        ledger: Arc<Ledger>,
        catalog: Arc<ArcSwap<Catalog>>,
        held: Arc<watch::Sender<bool>>,
        clients: Arc<Clients>,
    ) -> HerdDefinitions {
        let held_since = Mutex::new(Instant::now());
        let publisher = GatewayPublisher { catalog, held, clients, held_since };
        let definer = Definer::new(LedgerJournal(Arc::clone(&ledger)), publisher);
        HerdDefinitions { definer, ledger }
    }
}

impl Adopt for HerdDefinitions {
    fn adopt(&self, job: Job, changes: Vec<Change>) -> Boxed<'_, Result<(), ClientError>> {
        let record = move |next: Arc<Catalog>| async move {
            self.ledger.adopted(job, &next).await.map_err(not_durable)
        };
        Box::pin(async move { self.definer.adopt(&changes, record).await })
    }
}

impl Definitions for HerdDefinitions {
    fn resolve(&self, draft: Draft, nodes: ClientNodes) -> Boxed<'_, Result<Outcome, DefineError>> {
        Box::pin(async move { self.definer.resolve(&draft, &nodes).await })
    }

    fn run(&self, draft: Draft, nodes: ClientNodes) -> Boxed<'_, Result<Completed, DefineError>> {
        Box::pin(async move { self.definer.run(&draft, &nodes).await })
    }

    fn open_block(&self) -> Boxed<'_, Result<Block<ClientNode>, DefineError>> {
        Box::pin(self.definer.open_block())
    }

    fn define_in<'a>(
        &'a self,
        block: &'a mut Block<ClientNode>,
        draft: Draft,
        nodes: ClientNodes,
        home: ClientNode,
    ) -> Boxed<'a, Result<Completed, DefineError>> {
        Box::pin(async move { self.definer.define_in(block, &nodes, home, &draft).await })
    }

    fn commit_block(
        &self,
        block: Block<ClientNode>,
        nodes: ClientNodes,
        home: ClientNode,
    ) -> Boxed<'_, Result<(), DefineError>> {
        Box::pin(async move { self.definer.commit_block(block, &nodes, home).await })
    }
}

/// Decisions of COPYs, in the same ledger.
pub struct LedgerDecisions(pub Arc<Ledger>);

impl Decisions for LedgerDecisions {
    fn open(&self, intent: herd_execute::Intent) -> Boxed<'_, Result<Decision, ClientError>> {
        Box::pin(async move {
            let gid = format!("{COPY_GID_PREFIX}{}_", self.0.instance());
            let payload = Payload::Prepared {
                gid: gid.clone(),
                nodes: intent.nodes,
                database: Some(intent.database),
            };
            let json = to_json(&payload)?;
            let job = self.0.begin(intent.kind.as_str(), &intent.description, json).await;
            let job = job.map_err(not_durable)?;
            Ok(Decision { gid: format!("{gid}{}", job.0) })
        })
    }

    fn commit<'a>(&'a self, decision: &'a Decision) -> Boxed<'a, Result<(), ClientError>> {
        Box::pin(async move { self.0.decide(job_of(decision)?, None).await.map_err(not_durable) })
    }

    fn close<'a>(&'a self, decision: &'a Decision, end: End) -> Boxed<'a, ()> {
        Box::pin(async move {
            let reason = match end {
                End::Committed => None,
                End::RolledBack(reason) => Some(reason),
            };
            let Ok(job) = job_of(decision) else { return };
            if let Err(error) = self.0.end(job, reason).await {
                tracing::error!(%job, %error, "the end of a transaction was not recorded");
            }
        })
    }

    fn leave<'a>(&'a self, decision: &'a Decision, reason: String) -> Boxed<'a, ()> {
        Box::pin(async move {
            let Ok(job) = job_of(decision) else { return };
            if let Err(error) = self.0.leave(job, reason).await {
                tracing::error!(%job, %error, "a transaction that has to be repaired was not recorded");
            }
        })
    }
}

/// Jobs for SHOW JOBS.
pub struct LedgerJobs(pub Arc<Ledger>);

impl Jobs for LedgerJobs {
    fn list(&self) -> Vec<[Option<String>; 6]> {
        let jobs = match self.0.jobs() {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "cannot read the jobs");
                return Vec::new();
            }
        };
        jobs.into_iter()
            .map(|job| {
                let state = job.state.as_str().to_owned();
                [
                    Some(job.id.to_string()),
                    Some(job.kind),
                    Some(state),
                    Some(job.description),
                    self.0.progress(job.id),
                    job.error,
                ]
            })
            .collect()
    }
}

/// The catalog that the next definition would rest on is not known yet.
fn still_undecided(job: &Job) -> ClientError {
    ClientError::error(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!(
            "{} ({}) was interrupted, and its outcome is not known yet",
            job.id, job.description
        ),
    )
    .with_hint("It is settled when its node is back: see SHOW JOBS and SHOW NODES.")
}

fn job_of(decision: &Decision) -> Result<JobId, ClientError> {
    let number = decision.gid.rsplit('_').next().and_then(|number| number.parse().ok());
    number.map(JobId).ok_or_else(|| {
        ClientError::error(SqlState::INTERNAL_ERROR, "a decision without a job's number")
    })
}

fn to_json(payload: &Payload) -> Result<serde_json::Value, ClientError> {
    serde_json::to_value(payload).map_err(|error| {
        ClientError::error(SqlState::INTERNAL_ERROR, format!("a job cannot be written: {error}"))
    })
}

fn not_durable(error: LedgerError) -> ClientError {
    match error {
        LedgerError::Left => {
            return ClientError::error(SqlState::ADMIN_SHUTDOWN, error.to_string())
                .with_hint("Another Herd takes its place: connect again.");
        }
        LedgerError::Joined => {
            return ClientError::error(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                error.to_string(),
            )
            .with_hint("Until it has let them go, nothing can be defined.");
        }
        _ => {}
    }
    ClientError::error(SqlState::IO_ERROR, format!("Herd's catalog cannot be written: {error}"))
}
