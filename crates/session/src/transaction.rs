//! Where a session's transaction stands.
//!
//! BEGIN is lazy: no node hears of a transaction before a statement needs one. As long as a
//! transaction has done nothing but set things up, it can still move to another node; afterwards
//! another node can join it, and is set up in the same way.

use herd_wire::message::TransactionStatus;

/// Set-up statements that are remembered for other nodes.
const PREAMBLE_STATEMENTS_MAX: usize = 256;

#[derive(Debug, Default)]
pub enum Transaction {
    #[default]
    None,
    /// BEGIN was said; no node has heard of it.
    Promised { begin: Vec<u8> },
    /// It failed before any node heard of it, or its node was lost.
    Void,
    /// Open on the session's current link, and on those that have joined.
    Open {
        /// None when it is not known, or too long to be remembered.
        setup: Option<Setup>,
        /// It has done something, and belongs to its nodes.
        bound: bool,
        failed: bool,
    },
}

/// What must be said again on another node.
#[derive(Clone, Debug)]
pub struct Setup {
    pub begin: Vec<u8>,
    pub preamble: Vec<Vec<u8>>,
}

impl Setup {
    pub fn statements(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.begin).chain(&self.preamble).map(Vec::as_slice)
    }
}

impl Transaction {
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        match self {
            Transaction::None => TransactionStatus::Idle,
            Transaction::Promised { .. } => TransactionStatus::InBlock,
            Transaction::Void => TransactionStatus::Failed,
            Transaction::Open { failed: false, .. } => TransactionStatus::InBlock,
            Transaction::Open { failed: true, .. } => TransactionStatus::Failed,
        }
    }

    /// A promise is kept: the node is told BEGIN.
    pub fn open(&mut self) -> Option<Vec<u8>> {
        match std::mem::take(self) {
            Transaction::Promised { begin } => {
                let setup = Some(Setup { begin: begin.clone(), preamble: Vec::new() });
                *self = Transaction::Open { setup, bound: false, failed: false };
                Some(begin)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// From now on it belongs to its node.
    pub fn bind(&mut self) {
        if let Transaction::Open { bound, .. } = self {
            *bound = true;
        }
    }

    /// Whether it is open and belongs to its nodes.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        matches!(self, Transaction::Open { bound: true, .. })
    }

    /// A statement that only set things up has succeeded.
    pub fn remember(&mut self, statement: &[u8]) {
        let Transaction::Open { setup, bound, .. } = self else { return };
        match setup {
            Some(known) if known.preamble.len() < PREAMBLE_STATEMENTS_MAX => {
                known.preamble.push(statement.to_vec());
            }
            _ => {
                *setup = None;
                *bound = true;
            }
        }
    }

    /// What the server's ReadyForQuery says.
    pub fn note(&mut self, status: TransactionStatus) {
        match (status, &mut *self) {
            (TransactionStatus::Idle, _) => *self = Transaction::None,
            (status, Transaction::Open { failed, .. }) => {
                *failed = status == TransactionStatus::Failed;
            }
            (status, _) => {
                let failed = status == TransactionStatus::Failed;
                *self = Transaction::Open { setup: None, bound: true, failed };
            }
        }
    }
}
