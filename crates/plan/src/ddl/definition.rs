//! What a DDL statement becomes: plain data, so specific that executing it makes no choices.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use herd_catalog::Change;
use herd_types::{NodeId, TableId};

use super::reshape::Reshape;

/// A DDL statement that concerns more than the home node's own affairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// For CommandComplete.
    pub tag: String,
    /// For SHOW JOBS and logs: the command and the names it is about, never a literal.
    pub summary: String,
    pub procedure: Procedure,
    /// What the client is told beside what the home node itself reports.
    pub notices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Procedure {
    /// Everything on all its nodes and in the catalog, or nothing.
    Atomic(Atomic),
    /// Statements that PostgreSQL refuses within a transaction, and that change nothing a client
    /// can see: REINDEX, CLUSTER. Failing halfway leaves nothing half done.
    EachNode(Script),
    Concurrent(Concurrent),
    /// Another table in the place of one that is in use.
    Reshape(Box<Reshape>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Atomic {
    pub script: Script,
    pub publish: Publish,
}

/// CREATE INDEX CONCURRENTLY: an index that is not valid yet, everywhere at once; then each piece
/// on its own; and if that fails or is interrupted, all of it away again.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrent {
    /// In one transaction for all nodes.
    pub begin: Script,
    /// Each statement on its own, in order.
    pub build: Script,
    /// Takes away whatever `begin` and `build` made; harmless to repeat.
    pub undo: Script,
}

/// Statements for each node, in the order in which they run there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    pub nodes: BTreeMap<NodeId, Vec<Statement>>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    pub missing: Missing,
    /// A password literal within `sql`, with its quotes: to be replaced by its verifier, the same
    /// on every node, and never to be logged.
    pub password: Option<Range<usize>>,
}

/// What it means when the node says that something the statement names does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Fails,
    /// The same for a schema: what is created in it has no place there.
    SchemaSkips,
    /// The node never had it, and has nothing to change: objects older than the herd are on the
    /// home node alone.
    Skips,
}

/// What becomes of the catalog once the statements have run, before they are committed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Publish {
    /// In order. The columns of a new table are those that are read back.
    pub changes: Vec<Change>,
    pub observe: Observe,
    /// Home relations may have appeared or gone whose names are those of logical tables.
    pub shadows: bool,
}

/// Logical tables whose columns are to be read back; one that is no longer there was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    #[default]
    None,
    Tables(Vec<TableId>),
    All,
}

impl Definition {
    /// What the client has asked for, in a word.
    #[must_use]
    pub fn command(&self) -> &str {
        match &self.procedure {
            Procedure::Reshape(reshape) => reshape.function,
            Procedure::Atomic(_) | Procedure::EachNode(_) | Procedure::Concurrent(_) => &self.tag,
        }
    }

    /// Whether more than one node takes part: impossible within a transaction block.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.procedure.script().nodes.len()
    }
}

impl Procedure {
    #[must_use]
    pub fn script(&self) -> &Script {
        match self {
            Procedure::Atomic(atomic) => &atomic.script,
            Procedure::EachNode(script) => script,
            Procedure::Concurrent(concurrent) => &concurrent.begin,
            Procedure::Reshape(reshape) => &reshape.begin,
        }
    }
}

impl Script {
    pub fn on(&mut self, node: NodeId, statement: impl Into<Statement>) {
        self.nodes.entry(node).or_default().push(statement.into());
    }

    pub fn on_each(&mut self, nodes: &[NodeId], statement: impl Into<Statement>) {
        let statement = statement.into();
        for &node in nodes {
            self.on(node, statement.clone());
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Publish {
    /// Whether the catalog may change.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Publish::default()
    }
}

impl Statement {
    #[must_use]
    pub fn skipping_missing(sql: impl Into<String>) -> Statement {
        Statement { missing: Missing::Skips, ..Statement::from(sql.into()) }
    }
}

impl From<String> for Statement {
    fn from(sql: String) -> Statement {
        Statement { sql, missing: Missing::Fails, password: None }
    }
}

impl From<&str> for Statement {
    fn from(sql: &str) -> Statement {
        Statement::from(sql.to_owned())
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.missing {
            Missing::Fails => "",
            Missing::SchemaSkips => "(if its schema is there) ",
            Missing::Skips => "(if there) ",
        })?;
        match &self.password {
            None => f.write_str(&self.sql),
            Some(span) => write!(f, "{}…{}", &self.sql[..span.start], &self.sql[span.end..]),
        }
    }
}
