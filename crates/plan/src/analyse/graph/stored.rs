//! The logical tables among the relations of a statement.

use std::collections::HashSet;
use std::sync::Arc;

use herd_catalog::{Table, TableKind};

use super::{Class, ColumnId, Graph, RelationId};

/// A logical table where the statement reads it.
#[derive(Debug)]
pub(in crate::analyse) struct Stored {
    pub(in crate::analyse) table: Arc<Table>,
    /// Where its name starts.
    pub(in crate::analyse) at: u32,
    /// Whether its columns have the names that they have in the table, and all its rows are read.
    pub(in crate::analyse) is_plain: bool,
}

impl Graph {
    pub(in crate::analyse) fn store(&mut self, relation: RelationId, stored: Stored) {
        self.relations[relation.0 as usize].stored = Some(stored);
    }

    /// Whether wherever a row of `relation` counts there is a row of `other` as well, which satisfies
    /// all that is known of it where it stands.
    pub(in crate::analyse) fn is_beside_or_around(
        &self,
        relation: RelationId,
        other: RelationId,
    ) -> bool {
        let mut regions = HashSet::new();
        self.see(relation, &mut regions);
        regions.into_iter().any(|region| self.stands_in(other, region))
    }

    pub(in crate::analyse) fn reads_copies(&self) -> bool {
        let stored = self.relations.iter().filter_map(|relation| relation.stored.as_ref());
        stored.into_iter().any(|stored| matches!(stored.table.kind, TableKind::Reference))
    }

    /// The logical tables that are read at a place: one for each use of the CTE that it may be in.
    pub(in crate::analyse) fn read_at(&self, at: u32) -> Vec<RelationId> {
        let is_read = |id: &RelationId| {
            self.relation(*id).stored.as_ref().is_some_and(|stored| stored.at == at)
        };
        (0..self.relations.len() as u32).map(RelationId).filter(is_read).collect()
    }
}

impl Class {
    pub(in crate::analyse) fn columns(&self) -> &[ColumnId] {
        &self.columns
    }
}
