//! Nodes and a journal that come to their end at a step that is counted out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use herd_catalog::Catalog;
use herd_execute::define::{Intent, Journal, NodeError, NodeSession, Nodes, Rows, Settled};
use herd_types::{ClientError, JobId, NodeId};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::herd::{MemoryJournal, PgNodes, PgSession};

/// What happens at the step that is counted out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    DieBefore,
    DieAfter,
    /// The node is told, its answer is lost, and the process lives.
    LoseAnswer,
    LoseBefore,
}

/// Counts steps down to the blow.
pub struct Fate {
    pub blow: Blow,
    pub left: AtomicUsize,
    pub died: Notify,
}

impl Fate {
    pub fn new(blow: Blow, step: usize) -> Arc<Fate> {
        Arc::new(Fate { blow, left: AtomicUsize::new(step), died: Notify::new() })
    }

    /// Whether the blow falls at this step.
    fn falls(&self) -> bool {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left == Ok(1)
    }

    fn has_died(&self) -> bool {
        let dies = matches!(self.blow, Blow::DieBefore | Blow::DieAfter);
        dies && self.left.load(Ordering::SeqCst) == 0
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

pub struct DoomedNodes {
    pub nodes: PgNodes,
    pub fate: Arc<Fate>,
}

#[derive(Clone)]
pub struct DoomedSession {
    session: Option<Arc<Mutex<PgSession>>>,
    fate: Arc<Fate>,
}

impl Nodes for DoomedNodes {
    type Session = DoomedSession;

    async fn open(&self, node: NodeId) -> Result<DoomedSession, NodeError> {
        if self.fate.has_died() {
            return self.fate.die().await;
        }
        let session = Some(Arc::new(Mutex::new(self.nodes.open(node).await?)));
        Ok(DoomedSession { session, fate: Arc::clone(&self.fate) })
    }
}

impl NodeSession for DoomedSession {
    async fn query(&mut self, sql: &str) -> Result<Rows, NodeError> {
        if self.fate.has_died() {
            return self.fate.die().await;
        }
        let lost = || NodeError::Lost("cut".to_owned());
        let falls = self.fate.falls();
        if falls && self.fate.blow == Blow::DieBefore {
            return self.fate.die().await;
        }
        if falls && self.fate.blow == Blow::LoseBefore {
            self.session = None;
        }
        let Some(session) = &self.session else {
            return Err(lost());
        };
        let result = session.lock().await.query(sql).await;
        match (falls, self.fate.blow) {
            (true, Blow::DieAfter) => self.fate.die().await,
            (true, Blow::LoseAnswer) => {
                self.session = None;
                Err(lost())
            }
            _ => result,
        }
    }

    async fn copy_out(&mut self, sql: &str) -> Result<(), NodeError> {
        self.alive().await?.copy_out(sql).await
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, NodeError> {
        self.alive().await?.next_piece().await
    }

    async fn copy_in(&mut self, sql: &str) -> Result<(), NodeError> {
        self.alive().await?.copy_in(sql).await
    }

    async fn put(&mut self, data: Bytes) -> Result<(), NodeError> {
        self.alive().await?.put(data).await
    }

    async fn end_copy(&mut self) -> Result<(), NodeError> {
        self.alive().await?.end_copy().await
    }
}

impl DoomedSession {
    async fn alive(&self) -> Result<MutexGuard<'_, PgSession>, NodeError> {
        if self.fate.has_died() {
            return self.fate.die().await;
        }
        match &self.session {
            Some(session) => Ok(session.lock().await),
            None => Err(NodeError::Lost("cut".to_owned())),
        }
    }
}

pub struct DoomedJournal {
    pub journal: MemoryJournal,
    pub fate: Arc<Fate>,
}

impl DoomedJournal {
    async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        let falls = self.fate.falls();
        if self.fate.has_died() && !(falls && self.fate.blow == Blow::DieAfter) {
            return self.fate.die().await;
        }
        let result = work.await;
        if falls && self.fate.blow == Blow::DieAfter {
            return self.fate.die().await;
        }
        result
    }
}

impl Journal for DoomedJournal {
    fn instance(&self) -> &str {
        self.journal.instance()
    }

    async fn begin(&self, summary: &str, intent: Intent) -> Result<JobId, ClientError> {
        self.step(self.journal.begin(summary, intent)).await
    }

    async fn decide(&self, job: JobId, next: Option<&Arc<Catalog>>) -> Result<(), ClientError> {
        self.step(self.journal.decide(job, next)).await
    }

    fn note(&self, job: JobId, progress: String) {
        self.journal.note(job, progress);
    }

    async fn leave(&self, job: JobId, reason: String) {
        self.step(self.journal.leave(job, reason)).await;
    }

    async fn settle(&self, job: JobId, how: Settled) {
        self.step(self.journal.settle(job, how)).await;
    }
}
