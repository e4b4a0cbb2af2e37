//! Definitions within a transaction block of the client: made on all their nodes one after the
//! other, and decided together at its COMMIT.
//!
//! The home node's part is the client's own transaction, on its own connection, so that its other
//! statements see what was defined. Every other node that takes part has a transaction open from
//! its first definition on. Later definitions are planned on the catalog as it is to be; nobody
//! else sees that before the commit. Dropping a block undoes the part of the other nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use herd_catalog::{Catalog, Change};
use herd_plan::ddl::{Atomic, Definition, Draft, Outcome, Procedure};
use herd_types::{ClientError, NodeId, SqlState};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::atomic::{Branches, check_agreement, check_may_prepare, observe, undo};
use super::session::Sessions;
use super::transaction::{Branch, first_error};
use super::{
    Completed, DefineError, Definer, Intent, Journal, NodeSession, Nodes, Publisher, TURN_WAIT,
    password, plan, refuse_in_transaction,
};

/// How long the summary of a block in SHOW JOBS may become.
const SUMMARY_BYTES_MAX: usize = 200;

/// The definitions of one transaction block so far.
pub struct Block<S> {
    _turn: OwnedMutexGuard<()>,
    base: Arc<Catalog>,
    /// `base` with `changes`.
    catalog: Arc<Catalog>,
    changes: Vec<Change>,
    /// Connections to other nodes than home.
    others: BTreeMap<NodeId, S>,
    /// Those of them in a transaction.
    begun: BTreeSet<NodeId>,
    /// Of the client's own transaction on the home node.
    transaction: Option<String>,
    summary: String,
}

impl<J: Journal, P: Publisher> Definer<J, P> {
    /// From now on no other definition is made until the block is dropped or committed.
    ///
    /// # Errors
    /// When another definition does not come to its end in time.
    pub async fn open_block<S>(&self) -> Result<Block<S>, DefineError> {
        let turn = timeout(TURN_WAIT, Arc::clone(&self.turn).lock_owned()).await;
        let turn = turn.map_err(|_| busy())?;
        let base = self.publisher.current();
        Ok(Block {
            _turn: turn,
            catalog: Arc::clone(&base),
            base,
            changes: Vec::new(),
            others: BTreeMap::new(),
            begun: BTreeSet::new(),
            transaction: None,
            summary: String::new(),
        })
    }

    /// Does what the statement says, on connections that stay in their transactions. `home` is the
    /// client's own, in its transaction.
    ///
    /// # Errors
    /// As for [`Definer::run`]; nothing of the block may be committed then.
    pub async fn define_in<N: Nodes>(
        &self,
        block: &mut Block<N::Session>,
        nodes: &N,
        home: N::Session,
        draft: &Draft,
    ) -> Result<Completed, DefineError> {
        let mut open = std::mem::take(&mut block.others);
        let home_id = block.base.home();
        open.insert(home_id, home);
        let mut sessions = Sessions::of(nodes, open);
        let result = block.define(&mut sessions, draft).await;
        block.others = sessions.into_open();
        block.others.remove(&home_id);
        result
    }

    /// Commits the client's transaction and all parts of the block, or none. Not cancel-safe: run
    /// it as a task of its own.
    ///
    /// # Errors
    /// As for [`Definer::run`].
    pub async fn commit_block<N: Nodes>(
        &self,
        block: Block<N::Session>,
        nodes: &N,
        home: N::Session,
    ) -> Result<(), DefineError> {
        let Block { base, catalog, changes, others, begun, transaction, summary, _turn } = block;
        let home_id = base.home();
        let sessions = Sessions::new(nodes);
        let mut branches: Branches<N::Session> = BTreeMap::new();
        branches.insert(home_id, Branch::in_transaction(home));
        let others = others.into_iter().filter(|(node, _)| begun.contains(node));
        branches.extend(others.map(|(node, session)| (node, Branch::in_transaction(session))));
        if let Err(error) = check_transaction(home_id, &mut branches, transaction).await {
            undo(&sessions, branches, "").await;
            return Err(error);
        }
        if branches.len() == 1 && changes.is_empty() {
            return commit_home(home_id, branches).await;
        }
        tracing::info!(definition = summary, "committing the definitions of a transaction");
        let intent = Intent::Prepare { nodes: branches.keys().copied().collect() };
        let job = match self.journal.begin(&summary, intent).await {
            Ok(job) => job,
            Err(error) => {
                undo(&sessions, branches, "").await;
                return Err(error.into());
            }
        };
        let gid = self.gid(job);
        let prepared = join_all(branches.iter_mut().map(|(&node, branch)| {
            let gid = &gid;
            async move { (node, branch.prepare(gid).await) }
        }));
        let next = (!changes.is_empty()).then_some(catalog);
        let decided = match first_error(home_id, prepared.await) {
            Ok(()) => match self.journal.decide(job, next.as_ref()).await {
                Ok(()) => Ok(next),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        self.conclude(&sessions, job, branches, decided).await
    }
}

impl<S: NodeSession> Block<S> {
    /// As it is to be.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Connections to other nodes than home.
    pub fn others_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.others.values_mut()
    }

    async fn define<N: Nodes<Session = S>>(
        &mut self,
        sessions: &mut Sessions<'_, N>,
        draft: &Draft,
    ) -> Result<Completed, DefineError> {
        let Outcome::Define(definition) = plan::complete(draft, &self.catalog, sessions).await?
        else {
            return Ok(Completed::Home);
        };
        let Definition { procedure: Procedure::Atomic(_), .. } = *definition else {
            return Err(refuse_in_transaction(&definition).into());
        };
        let Definition { tag, summary, procedure, notices } = *definition;
        if let Procedure::Atomic(mut atomic) = procedure {
            password::fill_in(&mut atomic.script);
            let nodes = self.begin(sessions, &atomic).await?;
            let in_transaction = |(node, session)| (node, Branch::in_transaction(session));
            let taken = sessions.take_all(nodes).await?;
            let mut branches: Branches<S> = taken.into_iter().map(in_transaction).collect();
            let made = self.make(sessions, &mut branches, &atomic).await;
            for (node, branch) in branches {
                sessions.put_back(node, branch.into_session());
            }
            made?;
        }
        self.note(&summary);
        Ok(Completed::Done { tag, notices })
    }

    /// Opens transactions where there are none yet; the nodes that take part, home among them.
    async fn begin<N: Nodes<Session = S>>(
        &mut self,
        sessions: &mut Sessions<'_, N>,
        atomic: &Atomic,
    ) -> Result<Vec<NodeId>, DefineError> {
        let home = self.base.home();
        if self.transaction.is_none() {
            self.transaction = Some(transaction_of(home, sessions).await?);
        }
        let follow = follow_sql(home, sessions).await?;
        let mut nodes = vec![home];
        nodes.extend(atomic.script.nodes.keys().copied().filter(|&node| node != home));
        for &node in &nodes[1..] {
            if !self.begun.contains(&node) {
                sessions.query(node, "BEGIN").await.map_err(|error| error.of(node))?;
                self.begun.insert(node);
                // It waits for the client.
                let sql = "SET LOCAL idle_in_transaction_session_timeout = 0";
                sessions.query(node, sql).await.map_err(|error| error.of(node))?;
            }
            sessions.query(node, &follow).await.map_err(|error| error.of(node))?;
        }
        Ok(nodes)
    }

    async fn make<N: Nodes<Session = S>>(
        &mut self,
        sessions: &mut Sessions<'_, N>,
        branches: &mut Branches<S>,
        atomic: &Atomic,
    ) -> Result<(), DefineError> {
        let catalog = Arc::clone(&self.catalog);
        let reading = atomic.publish.reading(&catalog)?;
        let nothing = Vec::new();
        let ran = join_all(branches.iter_mut().map(|(&node, branch)| {
            let statements = atomic.script.nodes.get(&node).unwrap_or(&nothing);
            async move { (node, branch.execute(statements).await) }
        }));
        first_error(catalog.home(), ran.await)?;
        let observed = observe(&catalog, sessions, branches, &reading).await?;
        if branches.keys().all(|node| atomic.script.nodes.contains_key(node)) {
            check_agreement(&catalog, branches, &reading).await?;
        }
        let changes = atomic.publish.changes(&catalog, &reading, &observed)?;
        if !changes.is_empty() {
            self.changes.extend(changes);
            let next = self.base.apply_all(&self.changes).map_err(ClientError::from)?;
            self.catalog = Arc::new(next);
        }
        if !self.changes.is_empty() || !self.begun.is_empty() {
            for (node, branch) in branches.iter_mut() {
                check_may_prepare(&catalog, *node, branch).await?;
            }
        }
        Ok(())
    }

    fn note(&mut self, summary: &str) {
        if !self.summary.is_empty() {
            self.summary.push_str("; ");
        }
        if self.summary.len() + summary.len() <= SUMMARY_BYTES_MAX {
            self.summary.push_str(summary);
        } else if !self.summary.ends_with('…') {
            self.summary.push('…');
        }
    }
}

/// What makes names and rights on another node mean what they mean in the client's transaction.
async fn follow_sql<N: Nodes>(
    home: NodeId,
    sessions: &mut Sessions<'_, N>,
) -> Result<String, DefineError> {
    let sql = "SELECT 'SELECT ' || pg_catalog.string_agg(pg_catalog.format(
        'pg_catalog.set_config(%L, %L, true)', name, pg_catalog.current_setting(name)), ', ')
        FROM pg_catalog.unnest(ARRAY['role', 'search_path', 'transaction_read_only']) AS name";
    first_value(home, sessions, sql).await
}

async fn transaction_of<N: Nodes>(
    home: NodeId,
    sessions: &mut Sessions<'_, N>,
) -> Result<String, DefineError> {
    first_value(home, sessions, TRANSACTION_SQL).await
}

const TRANSACTION_SQL: &str = "SELECT pg_catalog.pg_current_xact_id()";

async fn first_value<N: Nodes>(
    node: NodeId,
    sessions: &mut Sessions<'_, N>,
    sql: &str,
) -> Result<String, DefineError> {
    let rows = sessions.query(node, sql).await.map_err(|error| error.of(node))?;
    rows.into_iter().flatten().flatten().next().ok_or_else(|| another_transaction().into())
}

/// The home node must still be in the transaction in which the definitions were made.
async fn check_transaction<S: NodeSession>(
    home: NodeId,
    branches: &mut Branches<S>,
    expected: Option<String>,
) -> Result<(), DefineError> {
    let Some(branch) = branches.get_mut(&home) else {
        return Err(another_transaction().into());
    };
    let rows = branch.query(TRANSACTION_SQL).await.map_err(|error| error.of(home))?;
    let found = rows.into_iter().flatten().flatten().next();
    if expected.is_some() && found != expected {
        return Err(another_transaction().into());
    }
    Ok(())
}

/// Only the home node has anything to commit, and the catalog stays as it is.
async fn commit_home<S: NodeSession>(
    home: NodeId,
    branches: Branches<S>,
) -> Result<(), DefineError> {
    for mut branch in branches.into_values() {
        branch.query("COMMIT").await.map_err(|error| match error.of(home) {
            DefineError::Lost { node, reason } => DefineError::Unknown { node, reason },
            other => other,
        })?;
    }
    Ok(())
}

fn busy() -> ClientError {
    ClientError::error(SqlState::LOCK_NOT_AVAILABLE, "another definition is being made")
        .with_detail(format!(
            "It did not end within {TURN_WAIT:?}, and may be in an open transaction."
        ))
        .with_hint("Repeat the transaction.")
}

fn another_transaction() -> ClientError {
    ClientError::error(
        SqlState::INTERNAL_ERROR,
        "the definitions were made in another transaction than the one that ends",
    )
    .with_detail("Nothing of it remains.")
}
