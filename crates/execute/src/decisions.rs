//! Whether a transaction on several nodes has happened: what must be durable between its
//! PREPARE and its COMMIT.

use std::future::Future;
use std::pin::Pin;

use herd_types::{ClientError, NodeId};

pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A transaction that is about to be prepared on several nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub kind: IntentKind,
    /// For people.
    pub description: String,
    pub nodes: Vec<NodeId>,
    /// In which database, and by whom, the transactions are prepared: only that role and
    /// superusers may end them, and only from there.
    pub database: String,
    pub role: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    Copy,
    Transaction,
}

impl IntentKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            IntentKind::Copy => "copy",
            IntentKind::Transaction => "transaction",
        }
    }
}

/// The name under which every node prepares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub gid: String,
}

/// Where decisions are kept. Whatever is found prepared under a name that was never committed has
/// to be rolled back, and what was committed but not closed has to be committed.
pub trait Decisions: Send + Sync {
    /// A name that was never used, known durably with its intent when this returns.
    fn open(&self, intent: Intent) -> Boxed<'_, Result<Decision, ClientError>>;

    /// From here there is no way back. After an error nobody knows which way it went.
    fn commit<'a>(&'a self, decision: &'a Decision) -> Boxed<'a, Result<(), ClientError>>;

    /// Nothing is prepared under this name any more.
    fn close<'a>(&'a self, decision: &'a Decision, end: End) -> Boxed<'a, ()>;

    /// Something may still be prepared under this name: whoever repairs must finish it, as
    /// decided.
    fn leave<'a>(&'a self, decision: &'a Decision, reason: String) -> Boxed<'a, ()>;
}

/// How a transaction ended everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Committed,
    /// And why.
    RolledBack(String),
}
