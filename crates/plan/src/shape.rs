//! What a statement turns out to be: the shape of its execution, and what it leaves behind in the
//! session.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::ddl::Draft;
use crate::{Arguments, CopyGather, CopyIn, CopyOut, Forward};

/// One statement, understood. Shared by all statements that differ only in their literals.
#[derive(Clone, Debug)]
pub struct Plan {
    pub action: Action,
    pub effects: Effects,
    /// Why this action and this target, for `EXPLAIN (HERD)`, logs and tests.
    pub reasons: Vec<Cow<'static, str>>,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// The text goes to one node as it is, save for inlined relations.
    Forward(Forward),
    /// COPY … FROM STDIN into a table that is on several nodes.
    CopyIn(Box<CopyIn>),
    CopyOut(CopyOut),
    /// COPY … TO STDOUT of a table that is on several nodes.
    CopyGather(Box<CopyGather>),
    Transaction(TransactionCommand),
    Setting(SettingCommand),
    Prepared(PreparedCommand),
    /// SHOW of Herd's own: answered without any node.
    Show(Relation),
    Explain(Explain),
    Admin(AdminCommand),
    /// DDL that is not plainly the home node's: planned to the end when its turn comes.
    Define(Draft),
}

/// A `herd.<relation>` in the text.
#[derive(Clone, Debug)]
pub struct Inline {
    pub span: Range<usize>,
    pub relation: Relation,
}

/// What can be seen of Herd, by SHOW and as a relation of schema `herd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    Nodes,
    Tables,
    Fragments,
    Pools,
    Clients,
    Servers,
    Queries,
    Stats,
    Jobs,
    Config,
    Version,
}

impl Relation {
    pub const ALL: [Relation; 11] = [
        Relation::Nodes,
        Relation::Tables,
        Relation::Fragments,
        Relation::Pools,
        Relation::Clients,
        Relation::Servers,
        Relation::Queries,
        Relation::Stats,
        Relation::Jobs,
        Relation::Config,
        Relation::Version,
    ];

    /// The word after SHOW, and the name in schema `herd`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Relation::Nodes => "nodes",
            Relation::Tables => "tables",
            Relation::Fragments => "fragments",
            Relation::Pools => "pools",
            Relation::Clients => "clients",
            Relation::Servers => "servers",
            Relation::Queries => "queries",
            Relation::Stats => "stats",
            Relation::Jobs => "jobs",
            Relation::Config => "config",
            Relation::Version => "version",
        }
    }

    #[must_use]
    pub fn by_name(name: &str) -> Option<Relation> {
        Relation::ALL.into_iter().find(|relation| relation.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionCommand {
    /// BEGIN or START TRANSACTION, with whatever modes: the text is replayed where it binds.
    Begin,
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint {
        name: String,
    },
    Release {
        name: String,
    },
    RollbackTo {
        name: String,
    },
}

/// Commands that change the session's settings. The text itself is what is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingCommand {
    /// SET \[SESSION\] name: `name` is lower case; `role`, `session_authorization` and `timezone`
    /// stand for SET ROLE, SET SESSION AUTHORIZATION and SET TIME ZONE.
    Set {
        name: String,
        /// Unquoted, when it is a list of plain values: what Herd needs of search_path,
        /// client_encoding and its own settings.
        values: Option<Vec<String>>,
    },
    /// SET LOCAL name: gone with the transaction.
    SetLocal {
        name: String,
        values: Option<Vec<String>>,
    },
    /// SET LOCAL name TO DEFAULT.
    ResetLocal {
        name: String,
    },
    /// SET TRANSACTION, SET CONSTRAINTS: of the transaction, and gone with it.
    Local,
    /// SET SESSION CHARACTERISTICS AS TRANSACTION.
    Characteristics,
    /// RESET name, SET name TO DEFAULT, SET ROLE NONE.
    Reset {
        name: String,
    },
    ResetAll,
    DiscardAll,
    /// DISCARD PLANS, SEQUENCES or TEMP.
    Discard,
}

/// SQL-level prepared statements.
#[derive(Clone, Debug)]
pub enum PreparedCommand {
    Prepare(Prepare),
    Execute { name: String, name_span: Range<usize>, arguments: Arguments },
    Deallocate { name: String },
    DeallocateAll,
}

#[derive(Clone, Debug)]
pub struct Prepare {
    pub name: String,
    /// The statement's name in the text, to be replaced by the one used on the node.
    pub name_span: Range<usize>,
    /// OIDs of the types given in parentheses; 0 where the server infers the type,
    /// `u32::MAX` where it is one that Herd does not know.
    pub parameter_types: Vec<u32>,
    /// The statement after AS. Its literals are the slots of the whole text.
    pub body: Arc<Plan>,
}

#[derive(Clone, Debug)]
pub struct Explain {
    /// The statement after EXPLAIN (HERD).
    pub statement: Range<usize>,
    pub plan: Arc<Plan>,
}

/// Operator commands, for superusers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCommand {
    Pause,
    Resume,
    Reload,
    Drain,
}

/// What a statement leaves behind in the session when it succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The server connection must stay with this client.
    pub pin: Option<PinReason>,
    /// Settings may have changed in a way that the text does not tell: ask the server.
    pub probes_settings: bool,
    /// What the session's own `nextval` gave is made or asked for.
    pub uses_sequences: bool,
    /// Functions, or what runs them, may be others afterwards.
    pub redefines: bool,
    /// Settings that no server lists and that code within the statement may make.
    pub custom_settings: BTreeSet<String>,
    /// Settings that code within the statement makes for the rest of the transaction.
    pub local_settings: BTreeSet<String>,
}

impl Effects {
    pub(crate) const NONE: Effects = Effects {
        pin: None,
        probes_settings: false,
        uses_sequences: false,
        redefines: false,
        custom_settings: BTreeSet::new(),
        local_settings: BTreeSet::new(),
    };

    pub(crate) fn pinned(reason: PinReason) -> Effects {
        Effects { pin: Some(reason), ..Effects::default() }
    }

    /// Both of them.
    #[must_use]
    pub(crate) fn and(mut self, mut other: Effects) -> Effects {
        self.custom_settings.append(&mut other.custom_settings);
        self.local_settings.append(&mut other.local_settings);
        Effects {
            pin: self.pin.or(other.pin),
            probes_settings: self.probes_settings || other.probes_settings,
            uses_sequences: self.uses_sequences || other.uses_sequences,
            redefines: self.redefines || other.redefines,
            custom_settings: self.custom_settings,
            local_settings: self.local_settings,
        }
    }

    #[must_use]
    pub fn is_none(&self) -> bool {
        let Effects {
            pin,
            probes_settings,
            uses_sequences,
            redefines,
            custom_settings,
            local_settings,
        } = self;
        pin.is_none()
            && !probes_settings
            && !uses_sequences
            && !redefines
            && custom_settings.is_empty()
            && local_settings.is_empty()
    }

    /// Whether a connection is not as it was before, wherever the statement ran.
    #[must_use]
    pub fn leave_something(&self) -> bool {
        self.pin.is_some() || self.probes_settings
    }

    /// Whether nothing else is there afterwards than a cursor WITH HOLD.
    #[must_use]
    pub fn are_of_a_held_cursor(&self) -> bool {
        *self == Effects::pinned(PinReason::HeldCursor)
    }

    /// Why the connection must stay even if the statement fails: no rollback undoes it.
    #[must_use]
    pub fn lasting_pin(&self) -> Option<&PinReason> {
        self.pin.as_ref().filter(|reason| reason.outlives_rollback())
    }
}

/// Why a server connection stays with a client between transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinReason {
    TemporaryTable,
    AdvisoryLock,
    Listen,
    HeldCursor,
    LoadedLibrary,
    /// Made by a function, under a name that no server lists.
    CustomSetting,
    /// Taken on within code, where Herd does not follow it.
    Role,
    /// PREPARE within code, under a name that Herd does not know.
    PreparedStatement,
    /// Code in a language that Herd does not read, or that runs a text that it computes.
    UnreadCode,
    /// Code that may call what the same transaction has defined.
    NewCode,
    /// Code of the database that Herd has not read yet.
    UnknownCode,
    /// What a function does, or a table's trigger and the like.
    Routine(Arc<str>),
    SessionPooling,
}

impl PinReason {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            PinReason::TemporaryTable => "temporary table",
            PinReason::AdvisoryLock => "advisory lock",
            PinReason::Listen => "LISTEN",
            PinReason::HeldCursor => "WITH HOLD cursor",
            PinReason::LoadedLibrary => "LOAD",
            PinReason::CustomSetting => "custom setting",
            PinReason::Role => "role set by code",
            PinReason::PreparedStatement => "PREPARE by code",
            PinReason::UnreadCode => "code that cannot be read",
            PinReason::NewCode => "code of the same transaction",
            PinReason::UnknownCode => "functions not read yet",
            PinReason::Routine(told) => told,
            PinReason::SessionPooling => "session pooling",
        }
    }

    /// Whether it is a temporary table, or may be one.
    #[must_use]
    pub fn may_be_a_relation(&self) -> bool {
        match self {
            PinReason::TemporaryTable
            | PinReason::UnreadCode
            | PinReason::NewCode
            | PinReason::UnknownCode
            | PinReason::Routine(_) => true,
            PinReason::AdvisoryLock
            | PinReason::Listen
            | PinReason::HeldCursor
            | PinReason::LoadedLibrary
            | PinReason::CustomSetting
            | PinReason::Role
            | PinReason::PreparedStatement
            | PinReason::SessionPooling => false,
        }
    }

    /// Whether it may be there although the statement has failed.
    fn outlives_rollback(&self) -> bool {
        match self {
            PinReason::AdvisoryLock
            | PinReason::LoadedLibrary
            | PinReason::PreparedStatement
            | PinReason::UnreadCode
            | PinReason::NewCode
            | PinReason::UnknownCode
            | PinReason::Routine(_) => true,
            PinReason::TemporaryTable
            | PinReason::Listen
            | PinReason::HeldCursor
            | PinReason::CustomSetting
            | PinReason::Role
            | PinReason::SessionPooling => false,
        }
    }
}
