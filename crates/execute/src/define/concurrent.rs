//! CREATE INDEX CONCURRENTLY on several nodes: built piece by piece, and taken away again if it
//! does not come to its end.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use herd_catalog::Catalog;
use herd_plan::ddl::{Atomic, Concurrent, Publish, Script, Statement};
use herd_types::{JobId, NodeId, SqlState};

use super::session::Sessions;
use super::transaction::first_error;
use super::{
    DefineError, Definer, Intent, Journal, NodeError, NodeSession, Nodes, Publisher, Settled,
};

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn run_concurrent<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        concurrent: Concurrent,
    ) -> Result<(), DefineError> {
        let Concurrent { mut begin, mut build, undo } = concurrent;
        // One node needs no agreement on the beginning.
        if begin.nodes.len() == 1 {
            for (node, mut statements) in std::mem::take(&mut begin.nodes) {
                let rest = build.nodes.entry(node).or_default();
                statements.append(rest);
                *rest = statements;
            }
        }
        let nodes = undo.nodes.keys().copied().collect();
        let database = database(catalog.home(), sessions).await?;
        let intent = Intent::Build { nodes, database, undo: texts(&undo) };
        let job = if begin.is_empty() {
            let job = self.journal.begin(summary, intent).await?;
            if let Err(error) = self.journal.decide(job, None).await {
                self.journal.settle(job, Settled::Failed(error.to_string())).await;
                return Err(error.into());
            }
            job
        } else {
            let atomic = Atomic { script: begin, publish: Publish::default() };
            let (job, decided) = self.decide(catalog, sessions, summary, atomic, intent).await?;
            self.commit_everywhere(sessions, job, decided).await;
            job
        };
        self.build(catalog.home(), sessions, job, build, undo).await
    }

    async fn build<N: Nodes>(
        &self,
        home: NodeId,
        sessions: &mut Sessions<'_, N>,
        job: JobId,
        build: Script,
        undo: Script,
    ) -> Result<(), DefineError> {
        let mut untouched = BTreeSet::new();
        let built = match sessions.take_all(build.nodes.keys().copied()).await {
            Ok(taken) => {
                let work = taken.into_iter().zip(build.nodes.into_values());
                let pieces = work.map(|((node, session), statements)| async move {
                    (node, build_on(session, &statements).await)
                });
                let results = join_all(pieces).await;
                untouched.extend(results.iter().filter_map(|(node, result)| match result {
                    Err(BuildError { error, built: 0 }) if is_duplicate(error) => Some(*node),
                    _ => None,
                }));
                let results = results.into_iter();
                first_error(
                    home,
                    results.map(|(node, result)| (node, result.map_err(|e| e.error))).collect(),
                )
            }
            Err(error) => Err(error),
        };
        let Err(error) = built else {
            self.journal.settle(job, Settled::Done).await;
            return Ok(());
        };
        if take_away(sessions, undo, &untouched).await {
            self.journal.settle(job, Settled::Undone(error.to_string())).await;
        } else {
            self.journal.leave(job, error.to_string()).await;
        }
        Err(error)
    }
}

struct BuildError {
    error: NodeError,
    /// Statements that had succeeded.
    built: usize,
}

async fn build_on<S: NodeSession>(
    mut session: S,
    statements: &[Statement],
) -> Result<(), BuildError> {
    for (built, statement) in statements.iter().enumerate() {
        let result = session.query(&statement.sql).await;
        result.map_err(|error| BuildError { error, built })?;
    }
    Ok(())
}

/// What was there before must not be taken away.
fn is_duplicate(error: &NodeError) -> bool {
    matches!(error, NodeError::Refused(refusal) if refusal.sqlstate == SqlState::DUPLICATE_TABLE)
}

/// Whether everything is known to be gone; if not, the control plane goes on.
pub(super) async fn take_away<N: Nodes>(
    sessions: &Sessions<'_, N>,
    undo: Script,
    untouched: &BTreeSet<NodeId>,
) -> bool {
    let nodes = undo.nodes.into_iter().filter(|(node, _)| !untouched.contains(node));
    let undone = nodes.map(|(node, statements)| async move {
        let Ok(mut session) = sessions.fresh(node).await else {
            return false;
        };
        let mut is_gone = true;
        for statement in statements {
            is_gone &= session.query(&statement.sql).await.is_ok();
        }
        is_gone
    });
    join_all(undone).await.into_iter().all(|is_gone| is_gone)
}

/// Where what is built lies, on every node.
pub(super) async fn database<N: Nodes>(
    home: NodeId,
    sessions: &mut Sessions<'_, N>,
) -> Result<String, DefineError> {
    let rows = sessions.query(home, "SELECT pg_catalog.current_database()").await;
    let rows = rows.map_err(|error| error.of(home))?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

pub(super) fn texts(script: &Script) -> BTreeMap<NodeId, Vec<String>> {
    let of_node = |(&node, statements): (&NodeId, &Vec<Statement>)| {
        (node, statements.iter().map(|statement| statement.sql.clone()).collect())
    };
    script.nodes.iter().map(of_node).collect()
}
