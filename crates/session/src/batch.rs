//! The messages of the extended protocol since the last Sync, as far as the session must remember
//! them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use herd_execute::{Subject, Token};
use herd_node::{Settings, StatementKey};
use herd_plan::{Action, CustomSettings, Plan, TransactionCommand};
use herd_types::NodeId;

use crate::statements::{ClientStatement, Statement};

/// How far the batch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing since the last Sync.
    #[default]
    Empty,
    /// Messages were answered by Herd, or only prepared statements.
    Preparing,
    /// A statement was bound on the current link.
    Engaged,
    /// Something failed: everything up to the next Sync is skipped.
    Skipping,
}

/// How the transaction is about to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Conclusion {
    #[default]
    Open,
    Committing,
    RollingBack,
}

impl Conclusion {
    /// What the transaction comes to with `plan` after `before`.
    pub(crate) fn of(plan: &Plan, before: Conclusion) -> Conclusion {
        match &plan.action {
            Action::Transaction(TransactionCommand::Commit { .. }) => Conclusion::Committing,
            Action::Transaction(TransactionCommand::Rollback { .. }) => Conclusion::RollingBack,
            _ => before,
        }
    }
}

/// What a message was for, to be acted on when its reply has come.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// A Parse on the server, for the client's statement of that name if it was shown to it.
    Parsed {
        key: StatementKey,
        client_name: Option<Vec<u8>>,
    },
    Executed(Arc<ClientStatement>, CustomSettings),
    /// A description for Herd itself.
    Described(Arc<Statement>),
    Past,
}

/// A Parse that the client has not been told of: which node it goes to is decided by what follows.
#[derive(Debug)]
pub(crate) struct PendingParse {
    pub(crate) name: Vec<u8>,
    pub(crate) statement: Arc<ClientStatement>,
}

impl PendingParse {
    /// Whether `statement` is the same on a server, and nothing has happened meanwhile.
    pub(crate) fn prepares(&self, statement: &ClientStatement) -> bool {
        self.statement.statement.key == statement.statement.key && statement.is_confirmed()
    }
}

/// A bound statement.
#[derive(Clone, Debug)]
pub(crate) struct Portal {
    pub(crate) name: Vec<u8>,
    pub(crate) statement: Arc<ClientStatement>,
    pub(crate) runs: Runs,
    /// Where it is.
    pub(crate) node: Option<NodeId>,
    /// What the transaction aside is kept for in which it is, if it is in one.
    pub(crate) aside: Option<Vec<u8>>,
    /// With the parameters that it was bound with.
    pub(crate) custom_settings: CustomSettings,
    /// The body of the Bind, for one that is over several nodes.
    pub(crate) bind: Bytes,
}

/// Who executes a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    OnServer,
    InHerd,
    /// On several nodes, each of which does its part of a write.
    Dispatched,
    /// On several nodes, whose rows Herd puts together.
    OverNodes,
    /// It has run so, and has no more rows.
    Spent,
}

#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) stage: Stage,
    pub(crate) pending: Option<PendingParse>,
    pub(crate) conclusion: Conclusion,
    /// What a connection has after a RESET, which knows nothing of the startup packet.
    pub(crate) bare_settings: Option<Arc<Settings>>,
    /// Herd has made a transaction block of it, which ends with its Sync.
    pub(crate) is_block: bool,
    /// The transaction has changed definitions, which others see when it commits.
    pub(crate) defined: Option<Subject>,
    /// The transaction may have changed functions, or what calls them.
    pub(crate) redefines: bool,
    /// Settings may have changed in a way that only the server knows.
    pub(crate) probes: bool,
    /// Names of settings that may have been made and that no server lists.
    pub(crate) custom_settings: BTreeSet<String>,
    /// Names of settings that functions have made for the rest of the transaction.
    pub(crate) local_settings: BTreeSet<String>,
    meanings: Vec<Meaning>,
    portals: Vec<Portal>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.stage == Stage::Empty
    }

    pub(crate) fn is_skipping(&self) -> bool {
        self.stage == Stage::Skipping
    }

    /// Nothing is on its way to the current link that would be left behind.
    pub(crate) fn may_move(&self) -> bool {
        self.stage != Stage::Engaged
    }

    pub(crate) fn advance(&mut self, stage: Stage) {
        if self.stage == Stage::Empty || stage == Stage::Engaged || stage == Stage::Skipping {
            self.stage = stage;
        }
    }

    pub(crate) fn mean(&mut self, meaning: Meaning) -> Token {
        self.meanings.push(meaning);
        Token(u32::try_from(self.meanings.len() - 1).unwrap_or(u32::MAX))
    }

    /// Each is acted on once.
    pub(crate) fn take_meaning(&mut self, token: Token) -> Option<Meaning> {
        let meaning = self.meanings.get_mut(usize::try_from(token.0).ok()?)?;
        Some(std::mem::replace(meaning, Meaning::Past))
    }

    /// Every reply has come.
    pub(crate) fn forget_meanings(&mut self) {
        self.meanings.clear();
    }

    pub(crate) fn open_portal(&mut self, portal: Portal) {
        self.close_portal(&portal.name);
        self.portals.push(portal);
    }

    pub(crate) fn portal(&self, name: &[u8]) -> Option<&Portal> {
        self.portals.iter().find(|portal| portal.name == name)
    }

    pub(crate) fn close_portal(&mut self, name: &[u8]) -> Option<Portal> {
        let at = self.portals.iter().position(|portal| portal.name == name)?;
        Some(self.portals.swap_remove(at))
    }

    /// After Sync. Portals live as long as their transaction.
    pub(crate) fn end(&mut self, transaction_goes_on: bool) {
        self.stage = Stage::Empty;
        self.pending = None;
        self.meanings.clear();
        if !transaction_goes_on {
            self.portals.clear();
            self.conclusion = Conclusion::Open;
        }
    }

    /// The link is gone with all that was on it.
    pub(crate) fn forget_link(&mut self) {
        self.meanings.clear();
        self.portals.clear();
        self.bare_settings = None;
        if self.stage == Stage::Engaged {
            self.stage = Stage::Preparing;
        }
    }
}
