//! From one snapshot to the next: all that can change in a catalog.

mod families;
#[cfg(test)]
mod fixtures;
mod fragments;
mod nodes;
mod tables;
#[cfg(test)]
mod tests;

use herd_types::{FragmentId, NodeId, TableId};
use serde::{Deserialize, Serialize};

use crate::{Bound, Catalog, CatalogError, Column, Method, NodeRole, NodeStatus, TableName};

/// One change of the catalog. What it says has been, or is about to be, done on the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    AddTable(TableSpec),
    DropTable(TableId),
    RenameTable {
        table: TableId,
        name: String,
    },
    /// ALTER TABLE … SET SCHEMA: fragments stay where they are.
    SetSchema {
        table: TableId,
        schema: String,
    },
    /// ALTER SCHEMA … RENAME, with all that is in it.
    RenameSchema {
        from: String,
        to: String,
    },
    /// The columns as they are now; `key` names those of the key, which may have been renamed.
    /// It is empty for a reference table.
    SetColumns {
        table: TableId,
        columns: Vec<Column>,
        key: Vec<String>,
    },
    AddFragment {
        table: TableId,
        fragment: FragmentSpec,
    },
    DropFragment(FragmentId),
    RenameFragment {
        fragment: FragmentId,
        name: TableName,
    },
    AddNode(NodeSpec),
    SetNodeStatus {
        node: NodeId,
        status: NodeStatus,
    },
    SetNodeAddress {
        node: NodeId,
        host: String,
        port: u16,
    },
    SetHome(NodeId),
    /// There is a home relation of this name, and a logical table or fragment with the same
    /// unqualified name.
    AddShadow(TableName),
    /// That home relation is gone.
    DropShadow(TableName),
}

/// A logical table to be added. Its id is given by the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    pub name: TableName,
    pub columns: Vec<Column>,
    pub kind: KindSpec,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KindSpec {
    Reference,
    Fragmented {
        method: Method,
        /// Names of the key columns, in the order of PARTITION BY. For ranges over text the
        /// collation must be `"C"`, else any deterministic one: the catalog cannot see it.
        key: Vec<String>,
        fragments: Vec<FragmentSpec>,
        family: FamilyWish,
    },
}

/// A fragment to be added. Its id, and its node unless wished for, are given by the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FragmentSpec {
    pub name: TableName,
    pub bound: Bound,
    pub node: NodeWish,
}

/// Where a fragment shall lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeWish {
    Any,
    Node(NodeId),
    Dc(String),
}

/// With which tables a table shall lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FamilyWish {
    /// With those of the same method, key types and bounds that name no family either.
    Alike,
    Named(String),
    /// With this table.
    Like(TableId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpec {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub dc: String,
    pub zone: String,
    pub role: NodeRole,
    pub status: NodeStatus,
    pub capacity: u32,
}

impl Change {
    fn frees_names(&self) -> bool {
        matches!(
            self,
            Change::DropTable(_)
                | Change::RenameTable { .. }
                | Change::DropFragment(_)
                | Change::RenameFragment { .. }
        )
    }
}

impl Catalog {
    /// The next snapshot, one version on.
    ///
    /// # Errors
    /// When the change contradicts what is in the catalog; nothing has changed then.
    pub fn apply(&self, change: &Change) -> Result<Catalog, CatalogError> {
        let mut next = self.clone();
        match change {
            Change::AddTable(spec) => next.add_table(spec)?,
            Change::DropTable(table) => next.drop_table(*table)?,
            Change::RenameTable { table, name } => next.rename_table(*table, name)?,
            Change::SetSchema { table, schema } => next.set_schema(*table, schema)?,
            Change::RenameSchema { from, to } => next.rename_schema(from, to)?,
            Change::SetColumns { table, columns, key } => next.set_columns(*table, columns, key)?,
            Change::AddFragment { table, fragment } => next.add_fragment(*table, fragment)?,
            Change::DropFragment(fragment) => next.drop_fragment(*fragment)?,
            Change::RenameFragment { fragment, name } => next.rename_fragment(*fragment, name)?,
            Change::AddNode(spec) => next.add_node(spec)?,
            Change::SetNodeStatus { node, status } => next.set_node_status(*node, *status)?,
            Change::SetNodeAddress { node, host, port } => {
                next.set_node_address(*node, host, *port)?;
            }
            Change::SetHome(node) => next.set_home(*node)?,
            Change::AddShadow(name) => {
                next.shadows.insert(name.clone());
            }
            Change::DropShadow(name) => {
                next.shadows.remove(name);
            }
        }
        next.version += 1;
        next.index()?;
        if change.frees_names() {
            next.forget_needless_shadows();
        }
        Ok(next)
    }

    /// All changes in turn, or none: one snapshot on, if there are any.
    ///
    /// # Errors
    /// As for [`Catalog::apply`], at the first that fails.
    pub fn apply_all<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> Result<Catalog, CatalogError> {
        let mut next =
            changes.into_iter().try_fold(self.clone(), |catalog, change| catalog.apply(change))?;
        next.version = next.version.min(self.version + 1);
        Ok(next)
    }
}
