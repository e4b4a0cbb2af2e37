//! The twin takes the table's place.

use std::time::Duration;

use futures::future::join_all;
use herd_catalog::Catalog;
use herd_plan::ddl::reshape::{Numbers, Swap};
use herd_plan::ddl::{Script, Statement};
use herd_types::{ClientError, NodeId, SqlState};
use tokio::time::timeout;

use super::super::atomic::{Branches, Decided, foresee, prepare_all, undo};
use super::super::session::Sessions;
use super::super::transaction::{Branch, first_error};
use super::super::{
    DefineError, Definer, HOLD_WAIT, Intent, Journal, NodeSession, Nodes, Publisher, Settled,
};
use super::courier::Courier;
use super::{Work, is_busy};

/// Whatever the swap waits for beside the table, it does not wait for long.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// What came of it. Unless it is done, everything is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    /// Somebody uses the table, or waits for it.
    Busy,
    /// The table was truncated: the twin has rows that are no more.
    Truncated,
}

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn try_swap<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        work: &Work<'_>,
        courier: &Courier<'_>,
        wait: Duration,
    ) -> Result<Attempt, DefineError> {
        let swap = &work.reshape.swap;
        let _hold = timeout(HOLD_WAIT, self.publisher.hold()).await.ok();
        if !self.publisher.rests().await {
            return Ok(Attempt::Busy);
        }
        let mut branches = Branches::new();
        let locked = self.lock(sessions, swap, courier, wait, &mut branches).await;
        let locks = match locked {
            Ok(locks) => locks,
            Err(error) => {
                undo(sessions, branches, "").await;
                return if is_busy(&error) { Ok(Attempt::Busy) } else { Err(error) };
            }
        };
        for &node in &work.reshape.copying.sources {
            let Some(branch) = branches.get_mut(&node) else { continue };
            let brought = courier.bring_changes_of(sessions, node, branch.session_mut()).await;
            if !matches!(brought, Ok(Some(_))) {
                undo(sessions, branches, "").await;
                return brought.map(|_| Attempt::Truncated);
            }
        }
        self.take_place(catalog, sessions, work, branches, &locks).await
    }

    /// Locks the table where it is; what is locked, by its number on each node.
    async fn lock<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        swap: &Swap,
        courier: &Courier<'_>,
        wait: Duration,
        branches: &mut Branches<N::Session>,
    ) -> Result<Vec<(NodeId, String)>, DefineError> {
        let mut locks = Vec::new();
        let table = swap.table.quoted();
        for &node in &swap.locked {
            let mut session = sessions.fresh(node).await.map_err(|error| error.of(node))?;
            let begun = session.query(&courier.begin("READ COMMITTED")).await;
            let branch = branches.entry(node).or_insert(Branch::in_transaction(session));
            begun.map_err(|error| error.of(node))?;
            let wait = wait.as_millis();
            let lock = format!(
                "SET LOCAL lock_timeout = {wait}; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
            );
            branch.query(&lock).await.map_err(|error| error.of(node))?;
            let name = table.replace('\'', "''");
            let number = format!("SELECT '{name}'::pg_catalog.regclass::pg_catalog.oid");
            let rows = branch.query(&number).await.map_err(|error| error.of(node))?;
            locks.push((node, rows.into_iter().flatten().flatten().next().unwrap_or_default()));
        }
        Ok(locks)
    }

    /// The last transaction, up to its end.
    async fn take_place<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        work: &Work<'_>,
        mut branches: Branches<N::Session>,
        locks: &[(NodeId, String)],
    ) -> Result<Attempt, DefineError> {
        let nodes = work.reshape.swap.script.nodes.keys().copied();
        let nodes =
            nodes.chain(branches.keys().copied()).collect::<std::collections::BTreeSet<_>>();
        let intent = Intent::Prepare { nodes: nodes.into_iter().collect() };
        let job = match self.journal.begin(&format!("{}: end", work.summary), intent).await {
            Ok(job) => job,
            Err(error) => {
                undo(sessions, branches, "").await;
                return Err(error.into());
            }
        };
        let gid = self.gid(job);
        let swapped =
            swap_tables(catalog, sessions, &work.reshape.swap, &mut branches, locks, &gid);
        let decided = match swapped.await {
            Ok(Some(next)) => match self.journal.decide(job, Some(&next)).await {
                Ok(()) => Ok(next),
                Err(error) => Err(Some(DefineError::from(error))),
            },
            Ok(None) => Err(None),
            Err(error) if is_busy(&error) => Err(None),
            Err(error) => Err(Some(error)),
        };
        match decided {
            Ok(next) => {
                let decided = Decided { branches, next: Some(next) };
                self.carry_through(sessions, job, decided).await;
                Ok(Attempt::Done)
            }
            Err(reason) => {
                undo(sessions, branches, &gid).await;
                let told = reason
                    .as_ref()
                    .map_or("the table was in use".to_owned(), |error| error.to_string());
                self.journal.settle(job, Settled::Failed(told)).await;
                reason.map_or(Ok(Attempt::Busy), Err)
            }
        }
    }
}

/// Up to where all nodes have prepared: the catalog that is to be, or `None` when somebody waits for
/// the table.
async fn swap_tables<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    swap: &Swap,
    branches: &mut Branches<N::Session>,
    locks: &[(NodeId, String)],
    gid: &str,
) -> Result<Option<std::sync::Arc<Catalog>>, DefineError> {
    check_description(catalog.home(), swap, branches).await?;
    let script = with_numbers(swap, branches).await?;
    for (&node, _) in
        script.nodes.iter().filter(|(node, _)| !locks.iter().any(|(it, _)| it == *node))
    {
        let session = sessions.fresh(node).await.map_err(|error| error.of(node))?;
        branches.insert(node, Branch::new(session));
    }
    let nothing = Vec::new();
    let ran = branches.iter_mut().map(|(&node, branch)| {
        let statements = script.nodes.get(&node).unwrap_or(&nothing);
        let is_open = locks.iter().any(|(locked, _)| *locked == node);
        async move {
            let limit = format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis());
            let run = async {
                match is_open {
                    true => drop(branch.query(&limit).await?),
                    false => branch.run(&[Statement::from(limit)]).await?,
                }
                branch.execute(statements).await
            };
            (node, run.await)
        }
    });
    first_error(catalog.home(), join_all(ran).await)?;
    let next = foresee(catalog, sessions, branches, &swap.publish).await?;
    for (node, table) in locks {
        if let Some(branch) = branches.get_mut(node)
            && is_waited_for(branch, table).await.map_err(|error| error.of(*node))?
        {
            return Ok(None);
        }
    }
    prepare_all(catalog, branches, gid).await?;
    next.map(Some).ok_or_else(|| unchanged().into())
}

/// What the twin was made after must still be so.
async fn check_description<S: NodeSession>(
    home: NodeId,
    swap: &Swap,
    branches: &mut Branches<S>,
) -> Result<(), DefineError> {
    let Some(branch) = branches.get_mut(&home) else { return Err(unchanged().into()) };
    let mut ask = async |sql: &str| branch.query(sql).await.map_err(|error| error.of(home));
    ask("SAVEPOINT herd_description").await?;
    let answer = ask(&swap.described.question).await?;
    ask("ROLLBACK TO SAVEPOINT herd_description").await?;
    if answer == swap.described.answer {
        return Ok(());
    }
    Err(altered(&swap.table.name).into())
}

/// The script, with the sequences of the twin first: under the names that they have before it.
async fn with_numbers<S: NodeSession>(
    swap: &Swap,
    branches: &mut Branches<S>,
) -> Result<Script, DefineError> {
    let mut script = Script::default();
    for numbers in &swap.numbers {
        let next = next_number(numbers, branches).await?;
        for each in &numbers.restarted {
            let number = next.saturating_add(each.ahead);
            let sequence = each.sequence.quoted();
            script.on(each.node, format!("ALTER SEQUENCE {sequence} RESTART WITH {number}"));
        }
    }
    for (&node, statements) in &swap.script.nodes {
        script.nodes.entry(node).or_default().extend(statements.iter().cloned());
    }
    Ok(script)
}

async fn next_number<S: NodeSession>(
    numbers: &Numbers,
    branches: &mut Branches<S>,
) -> Result<i64, DefineError> {
    let mut found: Vec<i64> = Vec::new();
    for (&node, branch) in branches {
        let rows = branch.query(&numbers.read).await.map_err(|error| error.of(node))?;
        let numbers = rows.into_iter().flatten().flatten();
        found.extend(numbers.filter_map(|text| text.parse::<i64>().ok()));
    }
    let next = if numbers.is_descending { found.iter().min() } else { found.iter().max() };
    next.copied().ok_or_else(|| unchanged().into())
}

/// Whether anyone waits for the table, to go on with what has its name by then.
async fn is_waited_for<S: NodeSession>(
    branch: &mut Branch<S>,
    table: &str,
) -> Result<bool, super::super::NodeError> {
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d \
         ON d.oid OPERATOR(pg_catalog.=) l.database \
         WHERE NOT l.granted AND l.relation OPERATOR(pg_catalog.=) {table}::pg_catalog.oid \
         AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() LIMIT 1"
    );
    Ok(!branch.query(&sql).await?.is_empty())
}

fn altered(table: &str) -> ClientError {
    ClientError::error(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("\"{table}\" was altered meanwhile, and is as it was"),
    )
    .with_hint("Repeat the call.")
}

fn unchanged() -> ClientError {
    ClientError::error(SqlState::INTERNAL_ERROR, "the table's place could not be taken")
}
