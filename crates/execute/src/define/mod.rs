//! Runs a DDL definition: on all its nodes and in the catalog, or nowhere.
//!
//! A definition of several nodes is prepared on each of them; then one transaction of the journal
//! decides it and makes the next catalog durable; then it is committed everywhere. Whoever finds
//! it undecided undoes it, whoever finds it decided carries it through: a process or node that
//! dies at any moment leaves nothing half done, for longer than until it is back.
//!
//! **Who sees what.** Sessions go on with the old catalog until the definition is committed on its
//! nodes. In between, from just before the first commit until the new catalog is published, no
//! statement is planned: the publisher holds them. So a statement is planned either by the old
//! catalog, and reaches the nodes before the first commit (on a table that is altered, dropped or
//! truncated it then meets the definition's lock, and what PostgreSQL makes of that), or by the
//! new one, and finds what that speaks of. A node that is lost between decision and commit keeps
//! its locks, and does not know what is new: statements on it wait or fail, until it is back and
//! the definition has been committed there too.
//!
//! Definitions run one at a time, each on the catalog that the one before it left.

mod alone;
mod atomic;
mod block;
mod concurrent;
mod each_node;
mod error;
mod journal;
mod password;
mod plan;
mod reshape;
mod session;
mod transaction;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use herd_catalog::{Catalog, Change};
use herd_plan::ddl::{Definition, Draft, Outcome, Procedure};
use herd_types::ClientError;
use tokio::sync::Mutex;

pub use block::Block;
pub use error::{DefineError, Refusal};
pub use journal::{Intent, Journal, Publisher, Settled};
pub use session::{NodeError, NodeSession, Nodes, Rows};

use self::session::Sessions;

/// Rounds of questions to the home node for one statement.
const QUESTION_ROUNDS_MAX: usize = 64;

/// How long a transaction block, which may hold locks, waits for other definitions to end.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// How long statements are held back for those that are planned and not sent yet.
const HOLD_WAIT: Duration = Duration::from_secs(1);

/// How often a decided definition is tried to be committed on a node before that is left to the
/// control plane, and how long apart.
const COMMIT_ATTEMPTS_MAX: u32 = 5;
const COMMIT_RETRY: Duration = Duration::from_millis(100);

/// How long statements are held back for nodes to commit, or a client waits for them to roll back.
const COMMIT_WAIT: Duration = Duration::from_secs(3);

/// Prepared transactions of definitions begin so, followed by the instance and the job.
pub const GID_PREFIX: &str = "herd_ddl_";

/// Runs definitions, one at a time.
pub struct Definer<J, P> {
    journal: J,
    publisher: P,
    turn: Arc<Mutex<()>>,
}

/// What became of a DDL statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// It is the home node's own: nothing was done, the text is to be forwarded.
    Home,
    Done {
        /// For CommandComplete.
        tag: String,
        notices: Vec<String>,
    },
}

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub fn new(journal: J, publisher: P) -> Definer<J, P> {
        Definer { journal, publisher, turn: Arc::default() }
    }

    /// What the statement comes to.
    ///
    /// # Errors
    /// When it cannot be done, or the home node cannot be asked.
    pub async fn resolve<N: Nodes>(
        &self,
        draft: &Draft,
        nodes: &N,
    ) -> Result<Outcome, DefineError> {
        plan::complete(draft, &self.publisher.current(), &mut Sessions::new(nodes)).await
    }

    /// Brings changes that an interrupted definition has committed on its node into the catalog.
    ///
    /// # Errors
    /// When they contradict it, or cannot be made durable by `record`.
    pub async fn adopt<F>(
        &self,
        changes: &[Change],
        record: impl FnOnce(Arc<Catalog>) -> F,
    ) -> Result<(), ClientError>
    where
        F: Future<Output = Result<(), ClientError>>,
    {
        let _turn = self.turn.lock().await;
        let next = Arc::new(self.publisher.current().apply_all(changes)?);
        record(Arc::clone(&next)).await?;
        self.publisher.publish(next);
        Ok(())
    }

    /// Does what the statement says. Not cancel-safe: run it as a task of its own, so that it
    /// comes to its end if the client goes away.
    ///
    /// # Errors
    /// The server's own error, or why it could not be done. Unless it says that the outcome is
    /// unknown, nothing has changed anywhere.
    pub async fn run<N: Nodes>(&self, draft: &Draft, nodes: &N) -> Result<Completed, DefineError> {
        // Most statements turn out to be the home node's, and need not wait for their turn.
        if let Outcome::Home = self.resolve(draft, nodes).await? {
            return Ok(Completed::Home);
        }
        let _turn = self.turn.lock().await;
        let mut sessions = Sessions::new(nodes);
        let catalog = self.publisher.current();
        let outcome = plan::complete(draft, &catalog, &mut sessions).await?;
        let Outcome::Define(definition) = outcome else {
            return Ok(Completed::Home);
        };
        let Definition { tag, summary, procedure, notices } = *definition;
        tracing::info!(definition = summary, "defining");
        match procedure {
            Procedure::Atomic(atomic) if atomic.script.nodes.len() == 1 => {
                self.run_alone(&catalog, &mut sessions, &summary, atomic).await?;
            }
            Procedure::Atomic(atomic) => {
                self.run_atomic(&catalog, &mut sessions, &summary, atomic).await?;
            }
            Procedure::EachNode(script) => {
                self.run_on_each(&mut sessions, &summary, script).await?;
            }
            Procedure::Reshape(reshape) => {
                self.run_reshape(&catalog, &mut sessions, &summary, *reshape).await?;
            }
            Procedure::Concurrent(concurrent) => {
                self.run_concurrent(&catalog, &mut sessions, &summary, concurrent).await?;
            }
        }
        Ok(Completed::Done { tag, notices })
    }
}

/// Definitions that PostgreSQL itself refuses there.
fn refuse_in_transaction(definition: &Definition) -> ClientError {
    ClientError::unsupported(format!(
        "this {} cannot run inside a transaction block",
        definition.command()
    ))
    .with_detail("Such a definition is done in several steps, each in a transaction of its own.")
    .with_hint("Run the statement by itself, outside of BEGIN … COMMIT.")
}
