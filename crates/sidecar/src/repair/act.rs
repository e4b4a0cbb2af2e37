//! The steps of repair, on nodes and in the ledger.

use std::collections::BTreeMap;

use herd_catalog::Change;
use herd_store::{Job, JobState};
use herd_types::{JobId, NodeId};
use tokio_postgres::error::SqlState;

use super::Repair;
use super::plan::{Prepared, Step, Verdict};
use crate::{ControlError, now_ms};

const PREPARED_SQL: &str = "\
SELECT gid, database::text, owner::text FROM pg_catalog.pg_prepared_xacts \
WHERE pg_catalog.starts_with(gid, $1) OR pg_catalog.starts_with(gid, $2)";

impl Repair {
    /// `None` when the node cannot be asked.
    pub(super) async fn prepared_on(&self, node: NodeId) -> Option<Vec<Prepared>> {
        let instance = self.ledger.instance();
        let prefixes = [super::DEFINE_GID_PREFIX, super::COPY_GID_PREFIX]
            .map(|prefix| format!("{prefix}{instance}_"));
        let answer = self.pools.query(node, PREPARED_SQL, &[&prefixes[0], &prefixes[1]]).await;
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => {
                tracing::debug!(%node, %error, "cannot look for prepared transactions");
                return None;
            }
        };
        let read = |row: tokio_postgres::Row| Prepared {
            gid: row.get(0),
            database: row.get(1),
            owner: row.get(2),
        };
        Some(rows.into_iter().map(read).collect())
    }

    pub(super) async fn act(&self, steps: Vec<Step>, jobs: BTreeMap<JobId, Job>) {
        for step in steps {
            match step {
                Step::Finish { job, node, prepared, verdict } => {
                    if let Err(error) = self.finish(node, &prepared, verdict).await {
                        tracing::warn!(%job, %node, gid = prepared.gid, %error, "cannot be ended");
                        self.note(jobs.get(&job), unfinished(&prepared, &error)).await;
                    }
                }
                Step::AskNode { job, node, transaction, changes } => {
                    if let Some(job) = jobs.get(&job) {
                        self.ask_node(job, node, &transaction, changes).await;
                    }
                }
                Step::TakeAway { job, database, undo } => {
                    if let Some(job) = jobs.get(&job) {
                        self.take_away(job, database.as_deref(), undo).await;
                    }
                }
                Step::End { job, state, error } => {
                    self.end(jobs.get(&job), state, error).await;
                }
            }
        }
    }

    /// In the transaction's own database; as its owner, where the control account may not itself.
    async fn finish(
        &self,
        node: NodeId,
        prepared: &Prepared,
        verdict: Verdict,
    ) -> Result<(), ControlError> {
        let gid = prepared.gid.replace('\'', "''");
        let sql = match verdict {
            Verdict::Commit => format!("COMMIT PREPARED '{gid}'"),
            Verdict::Rollback => format!("ROLLBACK PREPARED '{gid}'"),
        };
        let client = self.pools.connect(node, &prepared.database).await?;
        let mut result = client.batch_execute(&sql).await;
        if has_code(&result, &SqlState::INSUFFICIENT_PRIVILEGE) {
            let owner = herd_catalog::quote_identifier(&prepared.owner);
            client.batch_execute(&format!("SET ROLE {owner}")).await?;
            result = client.batch_execute(&sql).await;
        }
        // Whoever began it may have ended it meanwhile.
        if has_code(&result, &SqlState::UNDEFINED_OBJECT) {
            return Ok(());
        }
        tracing::info!(%node, gid = prepared.gid, ?verdict, "a prepared transaction was ended");
        Ok(result?)
    }

    async fn ask_node(&self, job: &Job, node: NodeId, transaction: &str, changes: Vec<Change>) {
        let sql = "SELECT pg_catalog.pg_xact_status($1::text::xid8)";
        let status = match self.pools.query(node, sql, &[&transaction]).await {
            Ok(rows) => rows.first().and_then(|row| row.get::<_, Option<String>>(0)),
            // After a crash, a server does not know transactions of which nothing reached its disk.
            Err(ControlError::Statement(error))
                if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) =>
            {
                Some("aborted".to_owned())
            }
            Err(error) => return self.note(Some(job), error.to_string()).await,
        };
        match status.as_deref() {
            Some("committed") => {
                if let Err(error) = self.adopt.adopt(job.clone(), changes).await {
                    self.note(Some(job), error.to_string()).await;
                }
            }
            Some("aborted") => {
                let error = "interrupted, and rolled back by its node".to_owned();
                self.end(Some(job), JobState::Failed, Some(error)).await;
            }
            Some(_) => {}
            None => {
                let error = format!("{node} no longer knows what became of it");
                self.note(Some(job), error).await;
            }
        }
    }

    /// Nothing of it is of any use: each statement says IF EXISTS.
    async fn take_away(
        &self,
        job: &Job,
        database: Option<&str>,
        undo: BTreeMap<NodeId, Vec<String>>,
    ) {
        for (node, statements) in undo {
            if let Err(error) = self.undo_on(node, database, &statements).await {
                let error = format!("cannot take away what was built: {error}");
                return self.note(Some(job), error).await;
            }
        }
        if let Step::End { state, error, .. } = Step::end_of_taken_away(job.id) {
            self.end(Some(job), state, error).await;
        }
    }

    async fn undo_on(
        &self,
        node: NodeId,
        database: Option<&str>,
        statements: &[String],
    ) -> Result<(), ControlError> {
        let Some(database) = database else {
            for sql in statements {
                self.pools.execute(node, sql).await?;
            }
            return Ok(());
        };
        let client = self.pools.connect(node, database).await?;
        for sql in statements {
            client.batch_execute(sql).await?;
        }
        Ok(())
    }

    async fn end(&self, job: Option<&Job>, state: JobState, error: Option<String>) {
        if let Some(job) = job {
            tracing::info!(job = %job.id, state = state.as_str(), "a job was repaired");
            self.record(job, state, error).await;
        }
    }

    async fn record(&self, job: &Job, state: JobState, error: Option<String>) {
        let changed = Job { state, error, updated_at_ms: now_ms(), ..job.clone() };
        if let Err(error) = self.ledger.repaired(changed).await {
            tracing::error!(job = %job.id, %error, "what became of a job was not recorded");
        }
    }

    /// Why it makes no progress, for SHOW JOBS.
    async fn note(&self, job: Option<&Job>, reason: String) {
        if let Some(job) = job.filter(|job| !job.state.is_finished())
            && job.error.as_deref() != Some(&reason)
        {
            tracing::warn!(job = %job.id, reason, "a job makes no progress");
            self.record(job, job.state, Some(reason)).await;
        }
    }
}

fn unfinished(prepared: &Prepared, error: &ControlError) -> String {
    format!(
        "{error}; the control account must be a superuser, or a member of \"{}\", to end the \
         prepared transaction {}",
        prepared.owner, prepared.gid
    )
}

fn has_code(result: &Result<(), tokio_postgres::Error>, code: &SqlState) -> bool {
    matches!(result, Err(error) if error.code() == Some(code))
}
