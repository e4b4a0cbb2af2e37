//! INSERT: where its rows belong.

use std::rc::Rc;
use std::sync::Arc;

use herd_catalog::{KeyColumn, Modifier, Resolved, Table, TableKind};
use smallvec::SmallVec;

use super::Analysis;
use super::assigned::{GIVE_THE_KEY, Keys, Stored};
use super::from::{called, last};
use super::graph::{ColumnId, Fact, RegionId, Relation, RelationId, Values};
use super::outputs::Outputs;
use super::query::Env;
use super::scope::{Entry, Scope};
use crate::route::{Beyond, KeyConstant, Need, Rows};
use crate::statement::{
    Assign, Body, Expr, Ident, Insert, InsertSource, Output, Query, Select, TableRef,
};

/// The logical table that a statement writes.
pub(super) struct Target {
    pub(super) table: Arc<Table>,
    pub(super) name: Box<str>,
    pub(super) relation: RelationId,
}

impl Analysis<'_> {
    pub(super) fn insert(&mut self, insert: &Insert, env: &Env<'_>) -> Outputs {
        let region = self.graph.add_region(Some(env.region));
        let here = Env { region, ..*env };
        let (target, relation) = self.target(&insert.table);
        self.graph.place(relation, region);
        match &insert.source {
            InsertSource::DefaultValues => {
                if let Some(target) = &target {
                    let keys = self.omitted_keys(target);
                    self.assign(&target.table, &target.name, keys);
                }
            }
            InsertSource::Query(query) => self.insert_query(insert, query, target.as_ref(), &here),
        }
        let mut scope = Scope::within(env.scope);
        scope.entries.push(entry(&insert.table, relation));
        if let Some(update) = &insert.on_conflict {
            self.on_conflict(update, target.as_ref(), &scope, &here);
        }
        self.walk_output(&insert.returning, &scope, &here);
        let mut outputs = self.outputs(&insert.returning, &scope, region);
        outputs.seal();
        outputs
    }

    /// The table that a statement writes: itself if it is fragmented, and as a relation.
    pub(super) fn target(&mut self, table: &TableRef) -> (Option<Target>, RelationId) {
        let inside = self.graph.add_region(None);
        let names = table.alias.as_ref().map_or(&[][..], |alias| &alias.columns);
        match self.resolve(&table.name) {
            Some(Resolved::Logical(logical)) => {
                let logical = Arc::clone(logical);
                let relation = self.stored(&logical, inside, names);
                let is_fragmented = matches!(logical.kind, TableKind::Fragmented(_));
                if !is_fragmented {
                    self.write_reference(&logical);
                    self.changed_reference = Some(Arc::clone(&logical));
                } else if table.only {
                    self.only(&logical.name.name);
                }
                let name = called(table);
                let target = Target { table: logical, name, relation };
                (is_fragmented.then_some(target), relation)
            }
            Some(Resolved::Fragment(logical)) => {
                let logical = Arc::clone(logical);
                self.read_fragment(&logical, table);
                let relation = self.stored(&logical, inside, names);
                self.graph.unplace(relation);
                (None, relation)
            }
            Some(Resolved::Home) | None => {
                self.read_home(&table.name);
                (None, self.derive(Outputs::unknown(), inside))
            }
        }
    }

    fn write_reference(&mut self, table: &Table) {
        let name = &table.name.name;
        self.needs.push(Need::Herd(Beyond {
            message: format!("this cannot be written to reference table \"{name}\"").into(),
            detail: "Every node has a copy of it, and might come to another result.".into(),
            hint: Some(
                "Give all columns that have defaults, no functions like random(), and no rows of \
                 tables that are not on every node."
                    .into(),
            ),
        }));
    }

    fn omitted_keys(&self, target: &Target) -> Keys {
        let key = target.table.fragmentation().map_or(&[][..], |each| each.key());
        let values = key.iter().map(|key| Self::omitted(&target.table, key));
        match values.collect::<Result<Box<[KeyConstant]>, Keys>>() {
            Ok(row) => Keys::Rows(vec![row]),
            Err(keys) => keys,
        }
    }

    fn insert_query(
        &mut self,
        insert: &Insert,
        query: &Query,
        target: Option<&Target>,
        env: &Env<'_>,
    ) {
        if let (Body::Values(rows), true) = (&query.body, query.ctes.is_empty()) {
            let scope = Scope::within(env.scope);
            let exprs = rows.iter().flatten().chain(&query.tail);
            exprs.for_each(|expr| self.walk(expr, &scope, env));
            if let Some(target) = target {
                self.note_rows(rows, target, &insert.columns);
                let keys = self.keys_of_rows(rows, target, &insert.columns);
                self.state_keys(&keys, target, env);
                self.assign(&target.table, &target.name, keys);
            }
            return;
        }
        let inside = self.graph.add_region(Some(env.region));
        let mut outputs = self.query(query, &Env { region: inside, ..*env });
        outputs.seal();
        let given = self.derive(outputs, inside);
        if let Some(target) = target {
            let keys = self.keys_of_outputs(query, given, target, &insert.columns, env.region);
            self.assign(&target.table, &target.name, keys);
        }
    }

    /// A parameter in VALUES has the type of its column.
    fn note_rows(&mut self, rows: &[Vec<Expr>], target: &Target, columns: &[Ident]) {
        let table = Arc::clone(&target.table);
        for row in rows {
            for (index, expr) in row.iter().enumerate() {
                let column = match columns.get(index) {
                    Some(name) => table.column(&name.text),
                    None => Some(index).filter(|_| columns.is_empty()),
                };
                if let Some(column) = column.and_then(|column| table.columns.get(column)) {
                    self.note_assigned(expr, &column.type_name);
                }
            }
        }
    }

    fn keys_of_rows(&mut self, rows: &[Vec<Expr>], target: &Target, columns: &[Ident]) -> Keys {
        let table = Arc::clone(&target.table);
        let places = Self::key_places(&table, columns);
        let key = table.fragmentation().map_or(&[][..], |each| each.key());
        let scope = Scope::default();
        let region = self.graph.add_region(None);
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let mut values = SmallVec::<[KeyConstant; 2]>::new();
            for (key, place) in key.iter().zip(&places) {
                // VALUES may be shorter than the table.
                let value = match place.and_then(|place| row.get(place)) {
                    None => Self::omitted(&table, key).map(Stored::Constant),
                    Some(expr) => self.stored_value(expr, &table, key, &scope, region),
                };
                match value {
                    Ok(Stored::Constant(constant)) => values.push(constant),
                    Ok(Stored::Column(..)) => {
                        let why = "its key is given by another query's column";
                        return Keys::Unknown { why: why.into(), hint: GIVE_THE_KEY };
                    }
                    Err(keys) => return keys,
                }
            }
            all.push(values.into_vec().into());
        }
        Keys::Rows(all)
    }

    /// Lets RETURNING hand the keys on, as a CTE's rows.
    fn state_keys(&mut self, keys: &Keys, target: &Target, env: &Env<'_>) {
        let Keys::Rows(rows) = keys else { return };
        let key = target.table.fragmentation().map_or(&[][..], |each| each.key());
        let has_modifier = key.iter().any(|key| key.modifier != Modifier::None);
        if has_modifier {
            return;
        }
        let column = |index: usize| ColumnId { relation: target.relation, column: index as u32 };
        let columns = key.iter().map(|key| column(key.column)).collect();
        let rows = Rc::new(Rows::Many(rows.as_slice().into()));
        let fact = Fact::In(Values { columns, rows, null_matches: false });
        self.graph.add_fact(env.region, fact);
    }

    /// The keys of INSERT … SELECT, whose query is the relation `given`.
    fn keys_of_outputs(
        &mut self,
        query: &Query,
        given: RelationId,
        target: &Target,
        columns: &[Ident],
        region: RegionId,
    ) -> Keys {
        let table = Arc::clone(&target.table);
        let places = Self::key_places(&table, columns);
        let key = table.fragmentation().map_or(&[][..], |each| each.key());
        let mut values = Vec::with_capacity(key.len());
        for (key, place) in key.iter().zip(places) {
            let relation = self.graph.relation(given);
            let placed = relation.placed;
            let is_given = |place: &usize| relation.open || *place < relation.columns.len();
            let value = match place.filter(is_given) {
                None => Self::omitted(&table, key).map(Stored::Constant),
                Some(place) if place < placed => {
                    let output = ColumnId { relation: given, column: place as u32 };
                    Ok(self
                        .output_value(query, place, key)
                        .unwrap_or(Stored::Column(output, region)))
                }
                Some(_) => Err(Keys::Unknown {
                    why: "the columns that its query gives are not known".into(),
                    hint: "List the columns instead of writing *.",
                }),
            };
            match value {
                Ok(value) => values.push(value),
                Err(keys) => return keys,
            }
        }
        Keys::Columns(values)
    }

    /// A constant right in the select list takes the type of the column where it is stored.
    fn output_value(&mut self, query: &Query, place: usize, key: &KeyColumn) -> Option<Stored> {
        let Body::Select(select) = &query.body else { return None };
        let constant = self.compared(plain_output(select, place)?, key.key_type)?;
        Some(Stored::Constant(KeyConstant { null_matches: true, ..constant }))
    }

    /// DO UPDATE: its row may not leave its partition, PostgreSQL sees to that.
    fn on_conflict(
        &mut self,
        update: &Assign,
        target: Option<&Target>,
        scope: &Scope<'_>,
        env: &Env<'_>,
    ) {
        let mut scope = scope.clone();
        let table = scope.entries[0].relation;
        let inside = self.graph.add_region(Some(env.region));
        let excluded = self.excluded(table, inside);
        scope.entries.push(Entry {
            name: "excluded".into(),
            schema: None,
            relation: excluded,
            // An unqualified name means the table's own column.
            hidden: (0..self.graph.relation(excluded).columns.len() as u32).collect(),
        });
        let names: Vec<(Box<str>, Box<str>)> = target.map_or_else(Vec::new, |target| {
            let columns = target.table.columns.iter();
            columns
                .map(|column| (column.name.as_str().into(), column.type_name.as_str().into()))
                .collect()
        });
        for assignment in &update.assignments {
            if let [column] = assignment.columns.as_slice()
                && let Some((_, type_name)) = names.iter().find(|(name, _)| *name == column.text)
            {
                self.note_assigned(&assignment.value, type_name);
            }
            self.walk(&assignment.value, &scope, env);
        }
        if let Some(filter) = &update.filter {
            self.walk(filter, &scope, env);
        }
    }

    /// The row that could not be inserted: nothing is known of it.
    fn excluded(&mut self, table: RelationId, inside: RegionId) -> RelationId {
        let columns = self.graph.relation(table).columns.clone();
        let open = self.graph.relation(table).open;
        let placed = columns.len();
        self.graph.add_relation(Relation { columns, placed, open, inside, stored: None })
    }
}

/// The `place`-th expression of a select list in which no star stands before.
fn plain_output(select: &Select, place: usize) -> Option<&Expr> {
    let before = select.output.get(..=place)?;
    before.iter().try_fold(None, |_, item| match item {
        Output::Expr { expr, .. } => Some(Some(expr)),
        _ => None,
    })?
}

/// A written table in the scope of its own statement.
pub(super) fn entry(table: &TableRef, relation: RelationId) -> Entry {
    let (name, schema) = match &table.alias {
        Some(alias) => (alias.name.text.clone(), None),
        None => {
            let schema = match &*table.name {
                [.., schema, _] => Some(schema.text.clone()),
                _ => None,
            };
            (last(&table.name).text.clone(), schema)
        }
    };
    Entry { name, schema, relation, hidden: Vec::new() }
}
