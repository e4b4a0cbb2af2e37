//! One node's part of a definition: a transaction, and how far it has come.

use herd_plan::ddl::{Missing, Statement};
use herd_types::{NodeId, SqlState};

use super::{DefineError, NodeError, NodeSession, Rows};

pub(super) struct Branch<S> {
    session: S,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Idle,
    InTransaction,
    Prepared,
    /// The connection broke: the transaction is gone, or prepared.
    Unknown,
}

impl<S: NodeSession> Branch<S> {
    pub(super) fn new(session: S) -> Branch<S> {
        Branch { session, progress: Progress::Idle }
    }

    /// On a connection that is in a transaction.
    pub(super) fn in_transaction(session: S) -> Branch<S> {
        Branch { session, progress: Progress::InTransaction }
    }

    /// Begins, and runs the statements.
    pub(super) async fn run(&mut self, statements: &[Statement]) -> Result<(), NodeError> {
        self.query("BEGIN").await?;
        self.progress = Progress::InTransaction;
        // It waits for the slowest of the nodes.
        self.query("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        self.execute(statements).await
    }

    /// Runs the statements in the transaction that is open.
    pub(super) async fn execute(&mut self, statements: &[Statement]) -> Result<(), NodeError> {
        for statement in statements {
            match statement.missing {
                Missing::Fails => _ = self.query(&statement.sql).await?,
                Missing::SchemaSkips | Missing::Skips => self.run_or_skip(statement).await?,
            }
        }
        Ok(())
    }

    async fn run_or_skip(&mut self, statement: &Statement) -> Result<(), NodeError> {
        self.query("SAVEPOINT herd_definition").await?;
        match self.query(&statement.sql).await {
            Err(NodeError::Refused(refusal)) if is_missing(statement.missing, refusal.sqlstate) => {
                self.query("ROLLBACK TO SAVEPOINT herd_definition").await?;
            }
            result => _ = result?,
        }
        self.query("RELEASE SAVEPOINT herd_definition").await?;
        Ok(())
    }

    pub(super) async fn query(&mut self, sql: &str) -> Result<Rows, NodeError> {
        let result = self.session.query(sql).await;
        if matches!(result, Err(NodeError::Lost(_))) {
            self.progress = Progress::Unknown;
        }
        result
    }

    pub(super) async fn prepare(&mut self, gid: &str) -> Result<(), NodeError> {
        self.query(&format!("PREPARE TRANSACTION '{gid}'")).await?;
        self.progress = Progress::Prepared;
        Ok(())
    }

    /// Ends the transaction as it is; `rollback` is for one that is prepared. Whether it is known
    /// to be gone.
    pub(super) async fn roll_back(&mut self, rollback: &str) -> bool {
        let sql = match self.progress {
            Progress::Idle => return true,
            Progress::InTransaction => "ROLLBACK",
            Progress::Prepared => rollback,
            Progress::Unknown => return false,
        };
        self.session.query(sql).await.is_ok()
    }

    /// For what is neither a statement nor ends the transaction.
    pub(super) fn session_mut(&mut self) -> &mut S {
        &mut self.session
    }

    pub(super) fn into_session(self) -> S {
        self.session
    }
}

/// Whether the node lets transactions be prepared.
pub(super) async fn may_prepare<S: NodeSession>(branch: &mut Branch<S>) -> Result<bool, NodeError> {
    let sql = "SELECT pg_catalog.current_setting('max_prepared_transactions')";
    let rows = branch.query(sql).await?;
    let setting = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    Ok(setting != Some("0"))
}

/// The home node's error if it has one, else that of the first node.
pub(super) fn first_error(
    home: NodeId,
    results: Vec<(NodeId, Result<(), NodeError>)>,
) -> Result<(), DefineError> {
    let mut errors = results
        .into_iter()
        .filter_map(|(node, result)| Some((node, result.err()?)))
        .collect::<Vec<_>>();
    errors.sort_by_key(|(node, _)| (*node != home, *node));
    match errors.into_iter().next() {
        Some((node, error)) => Err(error.of(node)),
        None => Ok(()),
    }
}

fn is_missing(missing: Missing, sqlstate: SqlState) -> bool {
    let schema = sqlstate == SqlState::UNDEFINED_SCHEMA;
    match missing {
        Missing::Fails => false,
        Missing::SchemaSkips => schema,
        Missing::Skips => {
            let others = [
                SqlState::UNDEFINED_OBJECT,
                SqlState::UNDEFINED_FUNCTION,
                SqlState::UNDEFINED_TABLE,
            ];
            schema || others.contains(&sqlstate)
        }
    }
}
