//! A definition of a single node.
//!
//! If it leaves the catalog as it is, its commit is all there is to it. If not, it is prepared as
//! those of several nodes are, where the node lets it; else its own commit decides, and the catalog
//! follows: the journal learns the transaction's id before, and whoever finds the definition
//! undecided asks the node what became of that transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use herd_catalog::Catalog;
use herd_plan::ddl::{Atomic, Observed, Reading};
use herd_types::{ClientError, JobId, NodeId, SqlState};
use tokio::time::{sleep, timeout};

use super::session::Sessions;
use super::transaction::{Branch, may_prepare};
use super::{
    COMMIT_ATTEMPTS_MAX, COMMIT_RETRY, DefineError, Definer, HOLD_WAIT, Intent, Journal, NodeError,
    NodeSession, Nodes, Publisher, Settled, password,
};

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn run_alone<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        mut atomic: Atomic,
    ) -> Result<(), DefineError> {
        password::fill_in(&mut atomic.script);
        let reading = atomic.publish.reading(catalog)?;
        let Some((node, statements)) = atomic.script.nodes.pop_first() else {
            return Ok(());
        };
        let session = sessions.take_all([node]).await?.into_values().next();
        let mut branch = Branch::new(session.expect("a connection to the node was taken"));
        branch.run(&statements).await.map_err(|error| error.of(node))?;
        let observed = observe(catalog, sessions, &mut branch, node, &reading).await?;
        let changes = atomic.publish.changes(catalog, &reading, &observed)?;
        if changes.is_empty() {
            branch.query("COMMIT").await.map_err(|error| error.of(node))?;
            return Ok(());
        }
        let next = Arc::new(catalog.apply_all(&changes).map_err(ClientError::from)?);
        if may_prepare(&mut branch).await.map_err(|error| error.of(node))? {
            return self.run_prepared(sessions, summary, node, branch, next).await;
        }
        let transaction = transaction_id(&mut branch, node).await?;
        let intent = Intent::Alone { node, transaction: transaction.clone(), changes };
        let job = self.journal.begin(summary, intent).await?;

        let hold = timeout(HOLD_WAIT, self.publisher.hold()).await.ok();
        let outcome = commit(sessions, branch, node, &transaction).await;
        let result = self.follow(job, next, node, outcome).await;
        drop(hold);
        result
    }

    async fn run_prepared<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        summary: &str,
        node: NodeId,
        mut branch: Branch<N::Session>,
        next: Arc<Catalog>,
    ) -> Result<(), DefineError> {
        let intent = Intent::Prepare { nodes: vec![node] };
        let job = self.journal.begin(summary, intent).await?;
        let gid = self.gid(job);
        let decided = match branch.prepare(&gid).await {
            Ok(()) => self.journal.decide(job, Some(&next)).await.map_err(DefineError::from),
            Err(error) => Err(error.of(node)),
        };
        let branches = BTreeMap::from([(node, branch)]);
        self.conclude(sessions, job, branches, decided.map(|()| Some(next))).await
    }

    /// Does what the node's outcome asks for.
    async fn follow(
        &self,
        job: JobId,
        next: Arc<Catalog>,
        node: NodeId,
        outcome: CommitOutcome,
    ) -> Result<(), DefineError> {
        match outcome {
            CommitOutcome::Committed => {
                if let Err(error) = self.journal.decide(job, Some(&next)).await {
                    let reason = error.to_string();
                    self.journal.leave(job, reason.clone()).await;
                    return Err(DefineError::Unknown { node, reason });
                }
                self.publisher.publish(next);
                self.journal.settle(job, Settled::Done).await;
                Ok(())
            }
            CommitOutcome::RolledBack(error) => {
                let error = error.of(node);
                self.journal.settle(job, Settled::Failed(error.to_string())).await;
                Err(error)
            }
            CommitOutcome::Unknown(reason) => {
                self.journal.leave(job, reason.clone()).await;
                Err(DefineError::Unknown { node, reason })
            }
        }
    }
}

enum CommitOutcome {
    Committed,
    RolledBack(NodeError),
    Unknown(String),
}

async fn observe<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    branch: &mut Branch<N::Session>,
    node: NodeId,
    reading: &Reading,
) -> Result<Observed, DefineError> {
    let home = catalog.home();
    let mut observed = Observed::default();
    let questions = [
        (reading.columns_sql(), &mut observed.columns),
        (reading.relations_sql(), &mut observed.relations),
    ];
    for (sql, rows) in questions {
        let Some(sql) = sql else {
            continue;
        };
        let answer = match node == home {
            true => branch.query(&sql).await,
            false => sessions.query(home, &sql).await,
        };
        *rows = answer.map_err(|error| error.of(home))?;
    }
    Ok(observed)
}

async fn transaction_id<S: NodeSession>(
    branch: &mut Branch<S>,
    node: NodeId,
) -> Result<String, DefineError> {
    let sql = "SELECT pg_catalog.pg_current_xact_id()";
    let rows = branch.query(sql).await.map_err(|error| error.of(node))?;
    let id = rows.into_iter().flatten().flatten().next();
    id.ok_or_else(|| no_transaction_id().into())
}

async fn commit<N: Nodes>(
    sessions: &Sessions<'_, N>,
    mut branch: Branch<N::Session>,
    node: NodeId,
    transaction: &str,
) -> CommitOutcome {
    let reason = match branch.query("COMMIT").await {
        Ok(_) => return CommitOutcome::Committed,
        Err(NodeError::Lost(reason)) => reason,
        Err(error) => return CommitOutcome::RolledBack(error),
    };
    let sql = format!("SELECT pg_catalog.pg_xact_status('{transaction}')");
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        sleep(COMMIT_RETRY).await;
        let Ok(mut session) = sessions.fresh(node).await else {
            continue;
        };
        let Ok(rows) = session.query(&sql).await else {
            continue;
        };
        match rows.into_iter().flatten().flatten().next().as_deref() {
            Some("committed") => return CommitOutcome::Committed,
            Some("aborted") => return CommitOutcome::RolledBack(NodeError::Lost(reason)),
            _ => {}
        }
    }
    CommitOutcome::Unknown(reason)
}

fn no_transaction_id() -> ClientError {
    ClientError::error(SqlState::INTERNAL_ERROR, "the node told no transaction id")
}
