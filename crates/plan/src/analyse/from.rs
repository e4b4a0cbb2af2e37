//! FROM: its tables, and what its joins say of them.

use std::sync::Arc;

use herd_catalog::{KeyType, Resolved, Table, TableKind};
use herd_types::FragmentId;

use super::graph::{Column, ColumnId, Fact, Meaning, RegionId, Relation, RelationId, Stored};
use super::joins::Tree;
use super::outputs::Outputs;
use super::query::Env;
use super::scope::{Entry, Scope, named};
use super::{Analysis, Occurrence};
use crate::Relation as HerdRelation;
use crate::route::Need;
use crate::statement::{
    Alias, Condition, Derived, Expr, From, Ident, Join, JoinKind, Lock, TableRef,
};

impl<'a> Analysis<'a> {
    pub(super) fn list_of_joins(
        &mut self,
        items: &[From],
        scope: &mut Scope<'_>,
        env: &Env<'_>,
        locks: &[Lock],
    ) -> Tree {
        let mut tree = Tree::Empty;
        for item in items {
            let next = self.joined(item, scope, env, locks);
            let inside = self.graph.add_region(None);
            tree = Tree::inner(tree, next, inside);
        }
        tree
    }

    pub(super) fn joined(
        &mut self,
        item: &From,
        scope: &mut Scope<'_>,
        env: &Env<'_>,
        locks: &[Lock],
    ) -> Tree {
        match item {
            From::Table(table) => {
                let name =
                    table.alias.as_ref().map_or_else(|| last(&table.name), |alias| &alias.name);
                let locked = env.locked || is_locked(locks, &name.text);
                let relation = self.table(table, scope, &Env { locked, ..*env });
                let schema = match (&table.alias, &*table.name) {
                    (None, [.., schema, _]) => Some(schema.text.clone()),
                    _ => None,
                };
                self.enter(scope, &name.text, schema, relation)
            }
            From::Derived(derived) => {
                let name = derived.alias.as_ref().map_or("", |alias| &alias.name.text);
                let locked = env.locked || is_locked(locks, name);
                let relation = self.derived(derived, scope, &Env { locked, ..*env });
                self.enter(scope, name, None, relation)
            }
            From::Call { calls, alias } => {
                let relation = self.call_in_from(calls, alias.as_ref(), scope, env);
                let name = match (alias, calls.first()) {
                    (Some(alias), _) => alias.name.text.clone(),
                    (None, Some(Expr::Call(call))) => last(&call.name).text.clone(),
                    (None, _) => "".into(),
                };
                self.enter(scope, &name, None, relation)
            }
            From::Join(join) => self.join(join, scope, env, locks),
        }
    }

    fn enter(
        &self,
        scope: &mut Scope<'_>,
        name: &str,
        schema: Option<Box<str>>,
        relation: RelationId,
    ) -> Tree {
        scope.entries.push(Entry { name: name.into(), schema, relation, hidden: Vec::new() });
        Tree::Leaf(relation)
    }

    fn derived(&mut self, derived: &Derived, scope: &Scope<'_>, env: &Env<'_>) -> RelationId {
        let inside = self.graph.add_region(None);
        let mut outputs = if derived.lateral {
            let around = Env { locked: env.locked, ..env.for_subquery(scope, inside) };
            self.query(&derived.query, &around)
        } else {
            self.query(&derived.query, &Env { region: inside, ..*env })
        };
        if let Some(alias) = &derived.alias {
            outputs.rename(&alias.columns);
        }
        if env.locked {
            outputs.seal();
        }
        self.derive(outputs, inside)
    }

    /// A function in FROM, which sees the items before it.
    fn call_in_from(
        &mut self,
        calls: &[Expr],
        alias: Option<&Alias>,
        scope: &Scope<'_>,
        env: &Env<'_>,
    ) -> RelationId {
        let inside = self.graph.add_region(None);
        let around = Env { region: inside, ..*env };
        calls.iter().for_each(|call| self.walk(call, scope, &around));
        let mut outputs = Outputs::unknown();
        if let Some(alias) = alias {
            outputs.rename(&alias.columns);
        }
        self.derive(outputs, inside)
    }

    /// A table that is read.
    fn table(&mut self, table: &TableRef, scope: &Scope<'_>, env: &Env<'_>) -> RelationId {
        let inside = self.graph.add_region(None);
        let around = Env { region: inside, ..*env };
        table.sample.iter().for_each(|expr| self.walk(expr, scope, &around));
        let names = table.alias.as_ref().map_or(&[][..], |alias| &alias.columns);
        if !self.step() {
            return self.derive(Outputs::unknown(), inside);
        }
        if let [name] = &*table.name
            && let Some(found) = env.ctes.and_then(|ctes| ctes.find(&name.text))
        {
            let mut outputs = self.use_of(found, &around);
            outputs.rename(names);
            return self.derive(outputs, inside);
        }
        match self.resolve(&table.name) {
            Some(Resolved::Logical(logical)) => {
                let logical = Arc::clone(logical);
                let relation = self.stored(&logical, inside, names);
                self.graph.store(relation, stored_at(&logical, table));
                self.read(&logical, table, relation, env);
                relation
            }
            Some(Resolved::Fragment(logical)) => {
                let logical = Arc::clone(logical);
                self.read_fragment(&logical, table);
                let relation = self.stored(&logical, inside, names);
                self.graph.unplace(relation);
                relation
            }
            Some(Resolved::Home) | None => {
                self.read_home(&table.name);
                let mut outputs = Outputs::unknown();
                outputs.rename(names);
                self.derive(outputs, inside)
            }
        }
    }

    /// What a table's name means; `None` when it has too many parts to be of the herd.
    pub(super) fn resolve(&self, name: &[Ident]) -> Option<Resolved<'a>> {
        let (schema, name) = match name {
            [name] => (None, name),
            [.., schema, name] => (Some(&*schema.text), name),
            [] => return None,
        };
        let context = self.context;
        Some(context.catalog.resolve(context.search_path, schema, &name.text))
    }

    /// A logical table as a relation, its first columns renamed.
    pub(super) fn stored(
        &mut self,
        table: &Table,
        inside: RegionId,
        names: &[Ident],
    ) -> RelationId {
        let columns = table.columns.iter().enumerate().map(|(index, column)| {
            let name = names.get(index).map_or(&*column.name, |name| &name.text).into();
            Column { name, meaning: meaning(table, index), nullable: false }
        });
        let placed = table.columns.len();
        let columns = columns.collect();
        let relation = Relation { columns, placed, open: false, inside, stored: None };
        self.graph.add_relation(relation)
    }

    fn read(
        &mut self,
        logical: &Arc<Table>,
        table: &TableRef,
        relation: RelationId,
        env: &Env<'_>,
    ) {
        let name = &logical.name.name;
        match &logical.kind {
            TableKind::Reference if env.locked => {
                self.home(format!("the row lock on reference table \"{name}\""));
            }
            TableKind::Reference => {}
            TableKind::Fragmented(_) if table.only => self.only(name),
            TableKind::Fragmented(_) => {
                self.note_reading(logical, table, relation);
                let name = called(table);
                self.occurrences.push(Occurrence { relation, table: Arc::clone(logical), name });
            }
        }
    }

    pub(super) fn only(&mut self, name: &str) {
        self.beyond(
            format!("ONLY cannot be used with fragmented table \"{name}\""),
            "All its rows are in its fragments, which ONLY leaves out.",
        );
    }

    pub(super) fn read_fragment(&mut self, logical: &Table, table: &TableRef) {
        let name = last(&table.name);
        let fragments = logical.fragmentation().map_or(&[][..], |each| each.fragments());
        let found: Option<FragmentId> = fragments
            .iter()
            .find(|fragment| *fragment.name.name == *name.text)
            .map(|fragment| fragment.id);
        if let Some(id) = found {
            self.needs.push(Need::Fragment(id));
        }
    }

    pub(super) fn read_home(&mut self, name: &[Ident]) {
        if let [schema, relation] = name
            && &*schema.text == "herd"
            && HerdRelation::by_name(&relation.text).is_some()
        {
            return;
        }
        self.home(format!("home table \"{}\"", last(name).text));
    }

    fn join(&mut self, join: &Join, scope: &mut Scope<'_>, env: &Env<'_>, locks: &[Lock]) -> Tree {
        let start = scope.entries.len();
        let left = self.joined(&join.left, scope, env, locks);
        let middle = scope.entries.len();
        let right = self.joined(&join.right, scope, env, locks);
        let inside = self.graph.add_region(None);
        let facts = match &join.condition {
            Condition::None => Vec::new(),
            Condition::On(expr) => {
                let names = scope.joined_from(start);
                self.conditions(expr, &names, &Env { region: inside, ..*env })
            }
            Condition::Using(names) => {
                let names: Vec<&str> = names.iter().map(|name| &*name.text).collect();
                self.using(&names, join.kind, scope, start, middle)
            }
            Condition::Natural => {
                self.manner.names_all_columns = true;
                let names = self.common_names(scope, start, middle);
                let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                self.using(&names, join.kind, scope, start, middle)
            }
        };
        let tree = Tree::join(join.kind, left, right, facts, inside);
        match &join.alias {
            Some(alias) => self.named_join(tree, alias, scope, start),
            None => tree,
        }
    }

    /// The columns that USING merges: what they are equal to, and which of them the name means.
    fn using(
        &mut self,
        names: &[&str],
        kind: JoinKind,
        scope: &mut Scope<'_>,
        start: usize,
        middle: usize,
    ) -> Vec<Fact> {
        scope.reordered = true;
        let mut facts = Vec::new();
        for name in names {
            let left = self.only_column(&scope.entries[start..middle], name);
            let right = self.only_column(&scope.entries[middle..], name);
            if let (Some(left), Some(right)) = (left, right)
                && self.operators_are_builtin
                && self.graph.comparable(left, right)
            {
                facts.push(Fact::Equal(left, right));
            }
            let hides_left = matches!(kind, JoinKind::Right | JoinKind::Full);
            let hides_right = !matches!(kind, JoinKind::Right);
            hide(&mut scope.entries[start..middle], left.filter(|_| hides_left));
            hide(&mut scope.entries[middle..], right.filter(|_| hides_right));
            if kind == JoinKind::Full || left.is_none() && right.is_none() {
                scope.merged.push((*name).into());
            }
        }
        facts
    }

    /// The column that `name` means among `entries`.
    fn only_column(&self, entries: &[Entry], name: &str) -> Option<ColumnId> {
        let mut found = entries.iter().filter_map(|entry| {
            named(&self.graph, entry.relation, name)
                .filter(|column| !entry.hidden.contains(&column.column))
        });
        let first = found.next();
        first.filter(|_| found.next().is_none())
    }

    /// The names that both sides of a NATURAL join have, as far as their columns are known.
    fn common_names(&self, scope: &Scope<'_>, start: usize, middle: usize) -> Vec<Box<str>> {
        let names = |entries: &[Entry]| -> Vec<Box<str>> {
            entries
                .iter()
                .flat_map(|entry| &self.graph.relation(entry.relation).columns)
                .map(|column| column.name.clone())
                .collect()
        };
        let right = names(&scope.entries[middle..]);
        let mut common = names(&scope.entries[start..middle]);
        common.retain(|name| !name.is_empty() && right.contains(name));
        common.dedup();
        common
    }

    /// `(a JOIN b …) AS name`: the names inside are hidden.
    fn named_join(
        &mut self,
        tree: Tree,
        alias: &Alias,
        scope: &mut Scope<'_>,
        start: usize,
    ) -> Tree {
        let entries = scope.entries.split_off(start);
        let names = Scope { entries, ..scope.clone() };
        let inside = self.graph.add_region(None);
        let mut outputs = self.outputs(&[crate::statement::Output::All], &names, inside);
        // The region of the join is the one around: facts pass without being handed on.
        outputs.seal();
        outputs.rename(&alias.columns);
        let relation = self.derive(outputs, inside);
        self.enter(scope, &alias.name.text, None, relation);
        Tree::Named(Box::new(tree), relation)
    }
}

fn hide(entries: &mut [Entry], column: Option<ColumnId>) {
    let Some(column) = column else { return };
    let entry = entries.iter_mut().find(|entry| entry.relation == column.relation);
    entry.into_iter().for_each(|entry| entry.hidden.push(column.column));
}

fn meaning(table: &Table, index: usize) -> Meaning {
    let Some((key_type, _)) = KeyType::from_type_name(&table.columns[index].type_name) else {
        return Meaning::Unknown;
    };
    let key = table.fragmentation().map_or(&[][..], |fragmentation| fragmentation.key());
    let is_key = key.iter().any(|key| key.column == index);
    Meaning::Stored { key_type, joins: is_key || !key_type.is_collated() }
}

fn stored_at(logical: &Arc<Table>, table: &TableRef) -> Stored {
    let is_renamed = table.alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
    let is_plain = !is_renamed && table.sample.is_empty() && !table.only;
    Stored { table: Arc::clone(logical), at: table.name[0].at, is_plain }
}

fn is_locked(locks: &[Lock], name: &str) -> bool {
    locks
        .iter()
        .any(|lock| lock.of.is_empty() || lock.of.iter().any(|locked| &*locked.text == name))
}

pub(super) fn last(path: &[Ident]) -> &Ident {
    path.last().expect("a name has at least one part")
}

/// A table as the statement calls it.
pub(super) fn called(table: &TableRef) -> Box<str> {
    let name = &last(&table.name).text;
    match &table.alias {
        Some(alias) => format!("{name} {}", alias.name.text).into(),
        None => name.clone(),
    }
}
