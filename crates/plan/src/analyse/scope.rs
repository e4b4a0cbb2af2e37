//! What names mean: the tables of FROM by their aliases, their columns, and those of the queries
//! around.

use super::graph::{ColumnId, Graph, RelationId};
use crate::statement::Ident;

/// The names of one query, inside those of the queries around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'s> {
    pub(super) entries: Vec<Entry>,
    /// Columns that USING or NATURAL made of two, and that neither of the two stands for.
    pub(super) merged: Vec<Box<str>>,
    /// Whether a join changed the order of the columns that `*` stands for.
    pub(super) reordered: bool,
    pub(super) parent: Option<&'s Scope<'s>>,
}

/// A table, subquery or function in FROM.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its alias, or its own name; empty if it has none.
    pub(super) name: Box<str>,
    /// Of a table without an alias.
    pub(super) schema: Option<Box<str>>,
    pub(super) relation: RelationId,
    /// Columns that an unqualified name does not mean, as USING merged them with others.
    pub(super) hidden: Vec<u32>,
}

impl<'s> Scope<'s> {
    pub(super) fn within(parent: Option<&'s Scope<'s>>) -> Scope<'s> {
        Scope { parent, ..Scope::default() }
    }

    /// Names that are visible in the ON of a join of the last entries, from `start` on.
    pub(super) fn joined_from(&self, start: usize) -> Scope<'s> {
        Scope {
            entries: self.entries[start..].to_vec(),
            merged: self.merged.clone(),
            reordered: self.reordered,
            parent: self.parent,
        }
    }

    /// The column that a name means, if that is certain.
    pub(super) fn column(&self, graph: &Graph, path: &[Ident]) -> Option<ColumnId> {
        match path {
            [column] => self.unqualified(graph, &column.text),
            [table, column] => {
                let entry = self.entry(None, &table.text)?;
                named(graph, entry.relation, &column.text)
            }
            [schema, table, column] => {
                let entry = self.entry(Some(&schema.text), &table.text)?;
                named(graph, entry.relation, &column.text)
            }
            _ => None,
        }
    }

    /// The innermost table of this name.
    pub(super) fn entry(&self, schema: Option<&str>, table: &str) -> Option<&Entry> {
        let matches = |entry: &&Entry| {
            &*entry.name == table && (schema.is_none() || entry.schema.as_deref() == schema)
        };
        match self.entries.iter().find(matches) {
            Some(entry) => Some(entry),
            None => self.parent?.entry(schema, table),
        }
    }

    /// Of the tables at the innermost level that has the column, exactly one must have it. One
    /// whose columns are not known cannot have it as well: PostgreSQL would refuse the name.
    fn unqualified(&self, graph: &Graph, name: &str) -> Option<ColumnId> {
        if self.merged.iter().any(|merged| &**merged == name) {
            return None;
        }
        let mut found = None;
        for entry in &self.entries {
            let column = named(graph, entry.relation, name);
            let Some(column) = column.filter(|column| !entry.hidden.contains(&column.column))
            else {
                continue;
            };
            if found.replace(column).is_some() {
                return None;
            }
        }
        let is_open = || self.entries.iter().any(|entry| graph.relation(entry.relation).open);
        match found {
            Some(column) => Some(column),
            None if is_open() => None,
            None => self.parent?.unqualified(graph, name),
        }
    }
}

/// The column of `relation` that has this name, if it is the only one.
pub(super) fn named(graph: &Graph, relation: RelationId, name: &str) -> Option<ColumnId> {
    let columns = &graph.relation(relation).columns;
    let mut same = columns.iter().enumerate().filter(|(_, column)| &*column.name == name);
    let (index, _) = same.next()?;
    let column = u32::try_from(index).ok()?;
    same.next().is_none().then_some(ColumnId { relation, column })
}
