//! What a definition needs beside its nodes: a durable record of what it is about to do, and a way
//! to make the next catalog known.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use herd_catalog::{Catalog, Change};
use herd_types::{ClientError, JobId, NodeId};

/// What has to be known to undo a definition, or to carry it through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Transactions that will be prepared on these nodes.
    Prepare { nodes: Vec<NodeId> },
    /// A transaction of one node alone, whose own commit decides.
    Alone { node: NodeId, transaction: String, changes: Vec<Change> },
    /// As `Prepare`; and what was made afterwards has to be undone, in this database, unless it
    /// came to its end.
    Build { nodes: Vec<NodeId>, database: String, undo: BTreeMap<NodeId, Vec<String>> },
    /// Nothing to undo: it may be repeated at will.
    Repeatable { nodes: Vec<NodeId> },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// Decided, and carried through by taking everything back again, for this reason.
    Undone(String),
    /// Nothing was decided, for this reason.
    Failed(String),
}

/// Durable before each call returns. Only decisions are read back: by whoever repairs.
pub trait Journal {
    /// The first part of the names of prepared transactions; the same for every process that
    /// serves this catalog.
    fn instance(&self) -> &str;

    /// A new job. Refused while an earlier one is still undecided.
    fn begin(
        &self,
        summary: &str,
        intent: Intent,
    ) -> impl Future<Output = Result<JobId, ClientError>>;

    /// There is no way back from here: `next`, if given, is the catalog from now on. After an
    /// error nothing was decided.
    fn decide(
        &self,
        job: JobId,
        next: Option<&Arc<Catalog>>,
    ) -> impl Future<Output = Result<(), ClientError>>;

    /// How far the job is, for whoever looks; it need not be durable.
    fn note(&self, job: JobId, progress: String);

    /// This process can do no more for the job now: whoever repairs takes it over.
    fn leave(&self, job: JobId, reason: String) -> impl Future<Output = ()>;

    /// The job is over. When this cannot be recorded, it will be found and ended again.
    fn settle(&self, job: JobId, how: Settled) -> impl Future<Output = ()>;
}

/// Which catalog sessions plan by.
pub trait Publisher {
    /// While it lives, no statement is planned.
    type Hold;

    fn current(&self) -> Arc<Catalog>;

    /// Comes back when no statement is planned and not yet on its way to its nodes.
    fn hold(&self) -> impl Future<Output = Self::Hold>;

    /// Whether what was on its way to nodes when the hold began has come to its end, or is there
    /// for so long that it holds its locks. Waits for that for a moment.
    fn rests(&self) -> impl Future<Output = bool>;

    fn publish(&self, next: Arc<Catalog>);
}
