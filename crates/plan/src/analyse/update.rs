//! UPDATE and DELETE: the rows that they change, and where changed keys belong.

use super::Analysis;
use super::graph::RelationId;
use super::insert::{Target, entry};
use super::joins::Tree;
use super::outputs::Outputs;
use super::query::Env;
use super::scope::Scope;
use super::{Occurrence, graph::Meaning};
use crate::statement::{Assignment, Delete, Expr, From, TableRef, Update};

impl Analysis<'_> {
    pub(super) fn update(&mut self, update: &Update, env: &Env<'_>) -> Outputs {
        let region = self.graph.add_region(Some(env.region));
        let here = Env { region, ..*env };
        let mut scope = Scope::within(env.scope);
        let (target, relation) = self.changed_rows(
            &update.table,
            &update.from,
            update.filter.as_ref(),
            &mut scope,
            &here,
        );
        self.assignments(&update.assignments, target.as_ref(), relation, &scope, &here);
        self.walk_output(&update.returning, &scope, &here);
        let mut outputs = self.outputs(&update.returning, &scope, region);
        self.forget_assigned(&update.assignments, relation, &mut outputs);
        outputs.seal();
        outputs
    }

    pub(super) fn delete(&mut self, delete: &Delete, env: &Env<'_>) -> Outputs {
        let region = self.graph.add_region(Some(env.region));
        let here = Env { region, ..*env };
        let mut scope = Scope::within(env.scope);
        self.changed_rows(&delete.table, &delete.using, delete.filter.as_ref(), &mut scope, &here);
        self.walk_output(&delete.returning, &scope, &here);
        let mut outputs = self.outputs(&delete.returning, &scope, region);
        outputs.seal();
        outputs
    }

    /// The target joined with FROM or USING, under WHERE.
    fn changed_rows(
        &mut self,
        table: &TableRef,
        others: &[From],
        filter: Option<&Expr>,
        scope: &mut Scope<'_>,
        env: &Env<'_>,
    ) -> (Option<Target>, RelationId) {
        let (target, relation) = self.changed(table);
        scope.entries.push(entry(table, relation));
        let others = self.list_of_joins(others, scope, env, &[]);
        let facts = match filter {
            Some(filter) => self.conditions(filter, scope, env),
            None => Vec::new(),
        };
        let inside = self.graph.add_region(None);
        let tree = Tree::inner(Tree::leaf(relation), others, inside);
        self.place(tree, env.region, facts);
        (target, relation)
    }

    /// A table whose rows are changed, and so are read first.
    pub(super) fn changed(&mut self, table: &TableRef) -> (Option<Target>, RelationId) {
        let (target, relation) = self.target(table);
        if let Some(Target { table, name, relation }) = &target {
            let (table, name, relation) = (table.clone(), name.clone(), *relation);
            self.occurrences.push(Occurrence { relation, table, name });
        }
        (target, relation)
    }

    /// SET, and what it does to keys.
    pub(super) fn assignments(
        &mut self,
        assignments: &[Assignment],
        target: Option<&Target>,
        relation: RelationId,
        scope: &Scope<'_>,
        env: &Env<'_>,
    ) {
        for assignment in assignments {
            if let Some(target) = target
                && let [column] = assignment.columns.as_slice()
                && let Some(index) = target.table.column(&column.text)
            {
                let type_name = target.table.columns[index].type_name.clone();
                self.note_assigned(&assignment.value, &type_name);
            }
            self.walk(&assignment.value, scope, env);
        }
        if let Some(target) = target {
            self.updated_key(target, assignments, relation, scope, env.region);
        }
    }

    /// RETURNING gives new values: what was known of the old ones does not hold for them.
    pub(super) fn forget_assigned(
        &self,
        assignments: &[Assignment],
        relation: RelationId,
        outputs: &mut Outputs,
    ) {
        let columns = &self.graph.relation(relation).columns;
        let is_assigned = |index: u32| {
            let name = columns.get(index as usize).map(|column| &column.name);
            let mut assigned = assignments.iter().flat_map(|assignment| &assignment.columns);
            name.is_none_or(|name| assigned.any(|column| column.text == *name))
        };
        for output in &mut outputs.columns {
            if let Meaning::Same(id) = output.meaning
                && id.relation == relation
                && is_assigned(id.column)
            {
                output.meaning = Meaning::Unknown;
            }
        }
    }
}
