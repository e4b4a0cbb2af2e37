//! Puts another table in the place of one that is in use: `herd.fragment_table` and its like.
//!
//! The twin is made in one transaction, filled and completed in others, and takes the table's place
//! in a last one, which is a definition of several nodes like any other. Until that is decided the
//! job is one that has to be taken away again: whoever finds it interrupted drops the twin and the
//! triggers, and the table is as it was.
//!
//! Readers wait only for that last transaction, and writers for its beginning too. Nobody may be
//! waiting for the table's lock when the twin takes its name: who waits has been planned for the
//! table, and would go on with the twin. So the gate is closed first, what is on its way comes to
//! its end, and the lock is either had at once or not at all.

mod courier;
mod swap;

use std::time::Duration;

use herd_catalog::Catalog;
use herd_plan::ddl::reshape::Reshape;
use herd_plan::ddl::{Atomic, Publish, Script};
use herd_types::{ClientError, JobId, SqlState};
use tokio::time::{Instant, sleep, sleep_until};

use self::courier::Courier;
use self::swap::Attempt;
use super::concurrent::{database, take_away, texts};
use super::session::Sessions;
use super::transaction::first_error;
use super::{DefineError, Definer, Intent, Journal, NodeSession, Nodes, Publisher, Settled};

/// How long it is tried to have the table for a moment, at the beginning and at the end.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
const LOCK_RETRY: Duration = Duration::from_millis(200);
/// How long the lock is waited for at the end, while everybody else waits too; and every few times
/// so long that PostgreSQL calls off an autovacuum that has it.
const LOCK_WAIT: Duration = Duration::from_millis(20);
const PATIENT_WAIT: Duration = Duration::from_millis(1_500);
const PATIENT_EVERY: u32 = 10;
/// Changes are brought over until so few are left that the last ones take but a moment.
const LAST_KEYS_MAX: u64 = 1_000;
/// Rounds after which it is tried in any case: changes may come faster than they are brought over.
const ROUNDS_MAX: u32 = 20;
/// Until it is certain that the client who asks is not taken for one whose statement is on its way.
const ASKED_FOR_MIN: Duration = Duration::from_millis(1_200);

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn run_reshape<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        reshape: Reshape,
    ) -> Result<(), DefineError> {
        let asked_at = Instant::now();
        let undo = reshape.undo.clone();
        let job = self.begin_reshape(catalog, sessions, summary, &reshape).await?;
        let work = Work { job, summary, reshape, asked_at };
        let result = self.reshape(catalog, sessions, &work).await;
        match &result {
            Ok(()) => self.journal.settle(job, Settled::Done).await,
            Err(error) if take_away(sessions, undo, &Default::default()).await => {
                self.journal.settle(job, Settled::Undone(error.to_string())).await;
            }
            Err(error) => self.journal.leave(job, error.to_string()).await,
        }
        result
    }

    /// Makes the twin, and has changes noted.
    async fn begin_reshape<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        reshape: &Reshape,
    ) -> Result<JobId, DefineError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let nodes = reshape.undo.nodes.keys().copied().collect();
            let database = database(catalog.home(), sessions).await?;
            let intent = Intent::Build { nodes, database, undo: texts(&reshape.undo) };
            let script = reshape.begin.clone();
            let atomic = Atomic { script, publish: Publish::default() };
            match self.decide(catalog, sessions, summary, atomic, intent).await {
                Ok((job, decided)) => {
                    self.commit_everywhere(sessions, job, decided).await;
                    return Ok(job);
                }
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    sleep(LOCK_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn reshape<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &mut Sessions<'_, N>,
        work: &Work<'_>,
    ) -> Result<(), DefineError> {
        let courier = Courier::new(&work.reshape.copying);
        self.fill(sessions, work, &courier).await?;
        self.build_twin(catalog, sessions, work).await?;
        sleep_until(work.asked_at + ASKED_FOR_MIN).await;
        let deadline = Instant::now() + LOCK_PATIENCE;
        for attempt in 1.. {
            self.catch_up(sessions, work, &courier).await?;
            self.journal.note(work.job, "taking the table's place".to_owned());
            let wait = if attempt % PATIENT_EVERY == 0 { PATIENT_WAIT } else { LOCK_WAIT };
            match self.try_swap(catalog, sessions, work, &courier, wait).await? {
                Attempt::Done => return Ok(()),
                Attempt::Truncated => self.fill(sessions, work, &courier).await?,
                Attempt::Busy if Instant::now() >= deadline => {
                    return Err(in_use(&work.reshape.swap.table.name).into());
                }
                Attempt::Busy => sleep(LOCK_RETRY).await,
            }
        }
        Ok(())
    }

    /// All rows, again if the table was truncated meanwhile.
    async fn fill<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        work: &Work<'_>,
        courier: &Courier<'_>,
    ) -> Result<(), DefineError> {
        let said = |rows: u64| self.journal.note(work.job, format!("{rows} rows copied"));
        courier.bring_all(sessions, &said).await
    }

    async fn build_twin<N: Nodes>(
        &self,
        catalog: &Catalog,
        sessions: &Sessions<'_, N>,
        work: &Work<'_>,
    ) -> Result<(), DefineError> {
        self.journal.note(work.job, "building indexes".to_owned());
        let Script { nodes } = &work.reshape.build;
        let built = nodes.iter().map(|(&node, statements)| async move {
            let run = async {
                let mut session = sessions.fresh(node).await?;
                for statement in statements {
                    session.query(&statement.sql).await?;
                }
                Ok(())
            };
            (node, run.await)
        });
        first_error(catalog.home(), futures::future::join_all(built).await)
    }

    async fn catch_up<N: Nodes>(
        &self,
        sessions: &Sessions<'_, N>,
        work: &Work<'_>,
        courier: &Courier<'_>,
    ) -> Result<(), DefineError> {
        for _ in 0..ROUNDS_MAX {
            let Some(keys) = courier.bring_changes(sessions).await? else {
                self.fill(sessions, work, courier).await?;
                continue;
            };
            self.journal.note(work.job, format!("{keys} changed keys brought over"));
            if keys <= LAST_KEYS_MAX {
                break;
            }
        }
        Ok(())
    }
}

/// One reshaping under way.
struct Work<'a> {
    job: JobId,
    summary: &'a str,
    reshape: Reshape,
    asked_at: Instant,
}

/// Whether somebody else has the lock.
fn is_busy(error: &DefineError) -> bool {
    matches!(error, DefineError::Server { refusal, .. }
        if refusal.sqlstate == SqlState::LOCK_NOT_AVAILABLE)
}

fn in_use(table: &str) -> ClientError {
    ClientError::error(
        SqlState::LOCK_NOT_AVAILABLE,
        format!("\"{table}\" was in use without a break, and is as it was"),
    )
    .with_detail(format!("For {LOCK_PATIENCE:?} there was always a transaction that used it."))
    .with_hint("End long transactions that use the table, and repeat the call.")
}
