//! What it takes to change how a table lies on the nodes while it is in use: plain data, so specific
//! that carrying it out makes no choices.

use std::sync::Arc;

use herd_catalog::{Table, TableName};
use herd_types::NodeId;

use crate::ddl::definition::{Publish, Script};
use crate::ddl::facts::Rows;

/// A twin of the table is made where the rows are to be, filled, kept up with what changes
/// meanwhile, and put into the table's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// The function that was called.
    pub function: &'static str,
    /// Makes the twin, and has changes of the table noted. In one transaction for all nodes.
    pub begin: Script,
    pub copying: Copying,
    /// What is made faster when the rows are there, such as indexes: each statement on its own.
    pub build: Script,
    pub swap: Swap,
    /// Takes away whatever was made; harmless to repeat, and once the twin has taken the table's
    /// place.
    pub undo: Script,
}

/// How rows get from the table to its twin. The twin is not used by anyone yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Copying {
    /// The nodes that have rows of the table.
    pub sources: Vec<NodeId>,
    /// The nodes that have a twin.
    pub targets: Vec<NodeId>,
    pub placing: Placing,
    /// Whether rows are found by an index of the key.
    pub by_index: bool,
    /// `COPY … TO STDOUT` of all rows.
    pub read_all: String,
    /// Of the keys of which rows have changed, and of the rows that have such keys by now.
    pub read_keys: String,
    pub read_changed: String,
    /// Of the keys that the same transaction has read.
    pub forget_keys: String,
    /// Gives a row if the table was truncated.
    pub was_truncated: String,
    /// `COPY … FROM STDIN` of rows, and of keys.
    pub write_rows: String,
    pub write_keys: String,
    /// Takes the rows of those keys out of the twin.
    pub take_out: Vec<String>,
    /// Empties the twin.
    pub clear: String,
}

/// To which targets a row goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Placing {
    /// To all of them.
    Everywhere,
    /// To the one that has the fragment of its key.
    ByKey {
        table: Arc<Table>,
        /// For each column of the key its place in a row.
        fields: Vec<Option<usize>>,
        /// How many columns a row has.
        columns: usize,
    },
}

/// The twin takes the table's place: in one transaction for all nodes and the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Swap {
    /// What is locked, and where: on home and the sources.
    pub table: TableName,
    pub locked: Vec<NodeId>,
    /// What the home node must still say of the table when it is locked.
    pub described: Described,
    pub numbers: Vec<Numbers>,
    pub script: Script,
    pub publish: Publish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub question: String,
    pub answer: Rows,
}

/// A sequence of the twin goes on where that of the table was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Gives the next number, on each source.
    pub read: String,
    /// Whether the sequence counts down.
    pub is_descending: bool,
    /// The sequences that go on, and how far from the next number.
    pub restarted: Vec<Restarted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    pub node: NodeId,
    pub sequence: TableName,
    pub ahead: i64,
}
