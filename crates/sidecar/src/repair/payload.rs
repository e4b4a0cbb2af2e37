//! What is recorded of a job, so that whoever finds it can undo it or carry it through.

use std::collections::BTreeMap;

use herd_catalog::Change;
use herd_types::NodeId;
use serde::{Deserialize, Serialize};

/// Gids are this, the instance, an underscore and the job's number.
pub const DEFINE_GID_PREFIX: &str = "herd_ddl_";
pub const COPY_GID_PREFIX: &str = "herd_copy_";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Transactions prepared on these nodes, in one database.
    Prepared {
        /// The job's number completes it.
        gid: String,
        nodes: Vec<NodeId>,
        database: Option<String>,
    },
    /// A transaction of one node, whose own commit decides about the changes of the catalog.
    Alone { node: NodeId, transaction: String, changes: Vec<Change> },
    /// As `Prepared`; and what was made afterwards is taken away again.
    Build {
        gid: String,
        nodes: Vec<NodeId>,
        /// `None`: it was recorded by a Herd that did not say.
        #[serde(default)]
        database: Option<String>,
        undo: BTreeMap<NodeId, Vec<String>>,
    },
    /// There is nothing to undo.
    Repeatable { nodes: Vec<NodeId> },
}

impl Payload {
    /// The nodes that take part.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Payload::Prepared { nodes, .. }
            | Payload::Build { nodes, .. }
            | Payload::Repeatable { nodes } => nodes,
            Payload::Alone { node, .. } => std::slice::from_ref(node),
        }
    }
}
