//! MERGE: a join of the source with the target, and writes to the target.

use super::Analysis;
use super::assigned::{Keys, Stored};
use super::insert::{Target, entry};
use super::joins::Tree;
use super::outputs::Outputs;
use super::query::Env;
use super::scope::Scope;
use crate::statement::{Expr, Ident, JoinKind, Merge, MergeAction, MergeWhen};

impl Analysis<'_> {
    pub(super) fn merge(&mut self, merge: &Merge, env: &Env<'_>) -> Outputs {
        let region = self.graph.add_region(Some(env.region));
        let here = Env { region, ..*env };
        let mut scope = Scope::within(env.scope);
        let source = self.joined(&merge.source, &mut scope, &here, &[]);
        let of_source = scope.clone();
        let (target, relation) = self.changed(&merge.table);
        scope.entries.insert(0, entry(&merge.table, relation));
        let inside = self.graph.add_region(None);
        let facts = self.conditions(&merge.on, &scope, &Env { region: inside, ..here });
        let kind = join_kind(merge);
        let tree = Tree::join(kind, source, Tree::leaf(relation), facts, inside);
        self.place(tree, region, Vec::new());
        for clause in &merge.clauses {
            if let Some(condition) = &clause.condition {
                self.walk(condition, &scope, &here);
            }
            match &clause.action {
                MergeAction::Nothing | MergeAction::Delete => {}
                MergeAction::Update(assignments) => {
                    self.assignments(assignments, target.as_ref(), relation, &scope, &here);
                }
                MergeAction::Insert { columns, values } => {
                    values.iter().for_each(|value| self.walk(value, &of_source, &here));
                    if let Some(target) = &target {
                        self.merged_key(target, columns, values, &of_source, &here);
                    }
                }
            }
        }
        self.walk_output(&merge.returning, &scope, &here);
        // A returned row is an old one, a new one or one of the source.
        let mut outputs = self.outputs(&merge.returning, &scope, region);
        outputs.forget();
        outputs
    }

    /// The key of a row that WHEN NOT MATCHED inserts.
    fn merged_key(
        &mut self,
        target: &Target,
        columns: &[Ident],
        values: &[Expr],
        scope: &Scope<'_>,
        env: &Env<'_>,
    ) {
        let table = std::sync::Arc::clone(&target.table);
        let places = Self::key_places(&table, columns);
        let key = table.fragmentation().map_or(&[][..], |each| each.key());
        let mut stored = Vec::with_capacity(key.len());
        for (key, place) in key.iter().zip(places) {
            let value = match place.and_then(|place| values.get(place)) {
                None => Self::omitted(&table, key).map(Stored::Constant),
                Some(expr) => self.stored_value(expr, &table, key, scope, env.region),
            };
            match value {
                Ok(value) => stored.push(value),
                Err(keys) => return self.assign(&table, &target.name, keys),
            }
        }
        self.assign(&table, &target.name, Keys::Columns(stored));
    }
}

/// The source is preserved if unmatched rows of it are acted upon, and the target likewise.
fn join_kind(merge: &Merge) -> JoinKind {
    let has = |when| merge.clauses.iter().any(|clause| clause.when == when);
    match (has(MergeWhen::NotMatched), has(MergeWhen::NotMatchedBySource)) {
        (_, true) => JoinKind::Full,
        (true, false) => JoinKind::Left,
        (false, false) => JoinKind::Inner,
    }
}
