//! Logical tables and their fragments. A table that is not in the catalog is a home table.

use herd_types::{FamilyId, FragmentId, NodeId, TableId};
use serde::{Deserialize, Serialize};

use crate::{KeyType, TableName};

/// A logical table that is not simply on the home node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub id: TableId,
    pub name: TableName,
    /// In the order of `attnum`, without dropped ones: what an INSERT or COPY without a column
    /// list means.
    pub columns: Vec<Column>,
    pub kind: TableKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As `format_type` prints it.
    pub type_name: String,
    /// Generated columns cannot be given by INSERT or COPY.
    pub generated: bool,
    pub has_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableKind {
    /// A full copy on every node.
    Reference,
    Fragmented(Fragmentation),
}

/// How a fragmented table is cut, and where the pieces lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragmentation {
    pub method: Method,
    /// In the order of PARTITION BY.
    pub key: Vec<KeyColumn>,
    /// `fragments[i].id.index == i`.
    pub fragments: Vec<Fragment>,
    pub family: FamilyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    Hash,
    Range,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Index into `Table::columns`.
    pub column: usize,
    pub key_type: KeyType,
}

/// One piece of a fragmented table: a native partition on its primary node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    pub id: FragmentId,
    /// The partition's own name on the node.
    pub name: TableName,
    pub bound: Bound,
    pub primary: NodeId,
    pub epoch: u64,
}

/// Which keys a fragment holds. Values are PostgreSQL's text form, `None` is NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bound {
    Hash { modulus: u32, remainder: u32 },
    List { values: Vec<Option<String>> },
    Range { from: Vec<Limit>, to: Vec<Limit> },
    Default,
}

/// One column of a range bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    MinValue,
    Value(String),
    MaxValue,
}

/// Tables with the same method, bounds and key types: fragment `i` of each is on the same node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    pub id: FamilyId,
    pub method: Method,
    pub key_types: Vec<KeyType>,
    pub bounds: Vec<Bound>,
    /// The node of each bound.
    pub placement: Vec<NodeId>,
}

impl Table {
    #[must_use]
    pub fn fragmentation(&self) -> Option<&Fragmentation> {
        match &self.kind {
            TableKind::Reference => None,
            TableKind::Fragmented(fragmentation) => Some(fragmentation),
        }
    }
}
