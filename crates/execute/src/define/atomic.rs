//! A definition of several nodes: prepared everywhere, decided once, committed everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use herd_catalog::Catalog;
use herd_plan::ddl::{Atomic, Observed, Publish, Reading, Script};
use herd_types::{ClientError, JobId, NodeId, SqlState};
use tokio::time::{sleep, timeout};

use super::session::Sessions;
use super::transaction::{Branch, first_error, may_prepare};
use super::{
    COMMIT_ATTEMPTS_MAX, COMMIT_RETRY, COMMIT_WAIT, DefineError, Definer, GID_PREFIX, HOLD_WAIT,
    Intent, Journal, NodeError, NodeSession, Nodes, Publisher, Settled, password,
};

const NOT_EVERYWHERE: &str = "decided, and still to be committed on some nodes";

/// The branches of one definition, by their nodes.
pub(super) type Branches<S> = BTreeMap<NodeId, Branch<S>>;

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn run_atomic<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        atomic: Atomic,
    ) -> Result<(), DefineError> {
        let nodes = atomic.script.nodes.keys().copied().collect::<Vec<_>>();
        let (job, decided) =
            self.decide(catalog, sessions, summary, atomic, Intent::Prepare { nodes }).await?;
        self.carry_through(sessions, job, decided).await;
        Ok(())
    }

    /// Commits, or rolls back what was prepared when that was not decided.
    pub(super) async fn conclude<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        job: JobId,
        branches: Branches<N::Session>,
        decided: Result<Option<Arc<Catalog>>, DefineError>,
    ) -> Result<(), DefineError> {
        match decided {
            Ok(next) => {
                self.carry_through(sessions, job, Decided { branches, next }).await;
                Ok(())
            }
            Err(error) => {
                undo(sessions, branches, &self.gid(job)).await;
                self.journal.settle(job, Settled::Failed(error.to_string())).await;
                Err(error)
            }
        }
    }

    pub(super) async fn carry_through<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        job: JobId,
        decided: Decided<N::Session>,
    ) {
        if self.commit_everywhere(sessions, job, decided).await {
            self.journal.settle(job, Settled::Done).await;
        } else {
            self.journal.leave(job, NOT_EVERYWHERE.to_owned()).await;
        }
    }

    /// Everything up to and with the decision.
    pub(super) async fn decide<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        mut atomic: Atomic,
        intent: Intent,
    ) -> Result<(JobId, Decided<N::Session>), DefineError> {
        password::fill_in(&mut atomic.script);
        let taken = sessions.take_all(atomic.script.nodes.keys().copied()).await?;
        let mut branches: Branches<N::Session> =
            taken.into_iter().map(|(node, session)| (node, Branch::new(session))).collect();
        for (node, branch) in &mut branches {
            check_may_prepare(catalog, *node, branch).await?;
        }
        let job = self.journal.begin(summary, intent).await?;
        let gid = self.gid(job);
        let prepared = prepare(catalog, sessions, &mut branches, &atomic, &gid).await;
        let decided = match prepared {
            Ok(next) => match self.journal.decide(job, next.as_ref()).await {
                Ok(()) => Ok(next),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        match decided {
            Ok(next) => Ok((job, Decided { branches, next })),
            Err(error) => {
                undo(sessions, branches, &gid).await;
                self.journal.settle(job, Settled::Failed(error.to_string())).await;
                Err(error)
            }
        }
    }

    /// Whether every node is known to have committed. The new catalog is published in any case.
    pub(super) async fn commit_everywhere<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        job: JobId,
        decided: Decided<N::Session>,
    ) -> bool {
        let gid = self.gid(job);
        let Decided { branches, next } = decided;
        // Sessions that cannot come to rest must not keep it from being done.
        let hold = match &next {
            Some(_) => timeout(HOLD_WAIT, self.publisher.hold()).await.ok(),
            None => None,
        };
        let commits =
            branches.into_iter().map(|(node, branch)| commit(sessions, node, branch, &gid));
        let committed = timeout(COMMIT_WAIT, join_all(commits)).await;
        if let Some(next) = next {
            self.publisher.publish(next);
        }
        drop(hold);
        let is_everywhere = committed.is_ok_and(|nodes| nodes.into_iter().all(|done| done));
        if !is_everywhere {
            tracing::warn!(%job, NOT_EVERYWHERE);
        }
        is_everywhere
    }

    pub(super) fn gid(&self, job: JobId) -> String {
        format!("{GID_PREFIX}{}_{}", self.journal.instance(), job.0)
    }
}

/// What there is no way back from.
pub(super) struct Decided<S> {
    pub(super) branches: Branches<S>,
    pub(super) next: Option<Arc<Catalog>>,
}

/// Runs the statements, reads what they made, and prepares: the catalog that is to be, if it is
/// another one.
async fn prepare<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    branches: &mut Branches<N::Session>,
    atomic: &Atomic,
    gid: &str,
) -> Result<Option<Arc<Catalog>>, DefineError> {
    run_script(catalog, branches, &atomic.script).await?;
    let next = foresee(catalog, sessions, branches, &atomic.publish).await?;
    prepare_all(catalog, branches, gid).await?;
    Ok(next)
}

/// The catalog as it is to be, by what the statements have made on the nodes.
pub(super) async fn foresee<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    branches: &mut Branches<N::Session>,
    publish: &Publish,
) -> Result<Option<Arc<Catalog>>, DefineError> {
    let reading = publish.reading(catalog)?;
    let observed = observe(catalog, sessions, branches, &reading).await?;
    check_agreement(catalog, branches, &reading).await?;
    next_catalog(catalog, publish, &reading, &observed)
}

pub(super) async fn prepare_all<S: NodeSession>(
    catalog: &Catalog,
    branches: &mut Branches<S>,
    gid: &str,
) -> Result<(), DefineError> {
    let results = join_all(
        branches.iter_mut().map(|(&node, branch)| async move { (node, branch.prepare(gid).await) }),
    );
    first_error(catalog.home(), results.await)
}

pub(super) fn next_catalog(
    catalog: &Catalog,
    publish: &Publish,
    reading: &Reading,
    observed: &Observed,
) -> Result<Option<Arc<Catalog>>, DefineError> {
    let changes = publish.changes(catalog, reading, observed)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let next = catalog.apply_all(&changes).map_err(ClientError::from)?;
    Ok(Some(Arc::new(next)))
}

async fn run_script<S: NodeSession>(
    catalog: &Catalog,
    branches: &mut Branches<S>,
    script: &Script,
) -> Result<(), DefineError> {
    let nothing = Vec::new();
    let results = join_all(branches.iter_mut().map(|(&node, branch)| {
        let statements = script.nodes.get(&node).unwrap_or(&nothing);
        async move { (node, branch.run(statements).await) }
    }));
    first_error(catalog.home(), results.await)
}

/// The home node may have no part in the definition: then what is there is read as it is.
pub(super) async fn observe<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    branches: &mut Branches<N::Session>,
    reading: &Reading,
) -> Result<Observed, DefineError> {
    let home = catalog.home();
    let mut answers = [reading.columns_sql(), reading.relations_sql()].map(|sql| (sql, Vec::new()));
    for (sql, rows) in &mut answers {
        let Some(sql) = sql else {
            continue;
        };
        let answer = match branches.get_mut(&home) {
            Some(branch) => branch.query(sql).await,
            None => sessions.query(home, sql).await,
        };
        *rows = answer.map_err(|error| error.of(home))?;
    }
    let [(_, columns), (_, relations)] = answers;
    Ok(Observed { columns, relations })
}

/// Names that PostgreSQL chooses must be the same everywhere: later statements speak of them.
pub(super) async fn check_agreement<S: NodeSession>(
    catalog: &Catalog,
    branches: &mut Branches<S>,
    reading: &Reading,
) -> Result<(), DefineError> {
    let Some(sql) = reading.agreement_sql() else {
        return Ok(());
    };
    let mut answers = BTreeMap::new();
    for (&node, branch) in branches.iter_mut() {
        let rows = branch.query(&sql).await.map_err(|error| error.of(node))?;
        answers.insert(node, rows);
    }
    let Some(expected) = answers.remove(&catalog.home()) else {
        return Ok(());
    };
    match answers.into_iter().find(|(_, rows)| *rows != expected) {
        Some((node, _)) => {
            let name = catalog.node(node).map_or("", |node| node.name.as_str());
            Err(reading.disagreement(name).into())
        }
        None => Ok(()),
    }
}

pub(super) async fn check_may_prepare<S: NodeSession>(
    catalog: &Catalog,
    node: NodeId,
    branch: &mut Branch<S>,
) -> Result<(), DefineError> {
    if may_prepare(branch).await.map_err(|error| error.of(node))? {
        return Ok(());
    }
    let name = catalog.node(node).map_or("", |node| node.name.as_str());
    Err(may_not_prepare(name).into())
}

/// Takes back whatever a branch has come to.
pub(super) async fn undo<N: Nodes>(
    sessions: &Sessions<'_, N>,
    branches: Branches<N::Session>,
    gid: &str,
) {
    let rollback = format!("ROLLBACK PREPARED '{gid}'");
    let undone = branches.into_iter().map(|(node, mut branch)| {
        let rollback = &rollback;
        async move {
            if branch.roll_back(rollback).await {
                return;
            }
            // The control plane finds it if the node cannot be asked now.
            if let Ok(mut fresh) = sessions.fresh(node).await {
                let _ = fresh.query(rollback).await;
            }
        }
    });
    if timeout(COMMIT_WAIT, join_all(undone)).await.is_err() {
        tracing::warn!(gid, "not every node could be told to roll back");
    }
}

/// Whether the node is known to have committed.
async fn commit<N: Nodes>(
    sessions: &Sessions<'_, N>,
    node: NodeId,
    branch: Branch<N::Session>,
    gid: &str,
) -> bool {
    let sql = format!("COMMIT PREPARED '{gid}'");
    let mut session = Some(branch.into_session());
    for attempt in 0..COMMIT_ATTEMPTS_MAX {
        if attempt > 0 {
            sleep(COMMIT_RETRY).await;
        }
        let mut current = match session.take() {
            Some(session) => session,
            None => match sessions.fresh(node).await {
                Ok(session) => session,
                Err(_) => continue,
            },
        };
        match current.query(&sql).await {
            Ok(_) => return true,
            // It was prepared, so it is gone because an earlier attempt reached the node.
            Err(NodeError::Refused(refusal)) if refusal.sqlstate == SqlState::UNDEFINED_OBJECT => {
                return true;
            }
            Err(NodeError::Refused(refusal)) => {
                tracing::error!(%node, gid, error = refusal.message, "cannot commit");
                return false;
            }
            Err(NodeError::Lost(_) | NodeError::Unavailable(_)) => {}
        }
    }
    false
}

fn may_not_prepare(node: &str) -> ClientError {
    ClientError::error(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("node \"{node}\" cannot take part in a definition of several nodes"),
    )
    .with_detail("Its setting max_prepared_transactions is 0, and prepared transactions keep such definitions whole.")
    .with_hint("Set max_prepared_transactions to 100 or more on every node, and restart it.")
}
