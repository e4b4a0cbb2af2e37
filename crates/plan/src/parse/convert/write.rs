//! INSERT, UPDATE, DELETE and MERGE.

use sqlparser::ast::{
    Assignment as ParsedAssignment, AssignmentTarget, Delete as ParsedDelete, FromTable,
    Insert as ParsedInsert, Merge as ParsedMerge, MergeAction as ParsedAction,
    MergeClause as ParsedClause, MergeClauseKind, MergeInsertExpr, MergeInsertKind,
    MergeUpdateExpr, MergeUpdateKind, ObjectName, OnConflictAction, OnInsert, OutputClause,
    SelectItem, Statement, TableObject, TableWithJoins, Update as ParsedUpdate,
    UpdateTableFromKind,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::statement::{
    Alias, Assign, Assignment, Body, Delete, Ident, Insert, InsertSource, Merge, MergeAction,
    MergeClause, MergeWhen, Output, TableRef, Update,
};

impl Converter<'_> {
    pub(super) fn write(&self, statement: Statement) -> Result<Body> {
        Ok(match statement {
            Statement::Insert(insert) => Body::Insert(Box::new(self.insert(insert)?)),
            Statement::Update(update) => Body::Update(Box::new(self.update(update)?)),
            Statement::Delete(delete) => Body::Delete(Box::new(self.delete(delete)?)),
            Statement::Merge(merge) => Body::Merge(Box::new(self.merge(merge)?)),
            _ => return Err(Unreadable::new("not a query")),
        })
    }

    fn insert(&self, insert: ParsedInsert) -> Result<Insert> {
        let foreign = insert.or.is_some()
            || insert.ignore
            || !insert.into
            || insert.overwrite
            || !insert.assignments.is_empty()
            || insert.partitioned.is_some()
            || !insert.after_columns.is_empty()
            || insert.output.is_some()
            || insert.replace_into
            || insert.priority.is_some()
            || insert.insert_alias.is_some()
            || insert.settings.is_some()
            || insert.format_clause.is_some()
            || insert.multi_table_insert_type.is_some();
        absent(!foreign, "an INSERT of another dialect")?;
        let TableObject::TableName(name) = insert.table else {
            return Err(Unreadable::new("INSERT into no table"));
        };
        let alias = insert.table_alias.map(|alias| self.ident(alias.alias)).transpose()?;
        let alias = alias.map(|name| Alias { name, columns: Vec::new() });
        let table = TableRef { alias, ..self.named_table(name, None, None)? };
        let source = match insert.source {
            None => InsertSource::DefaultValues,
            Some(query) => InsertSource::Query(self.query(*query)?),
        };
        Ok(Insert {
            table,
            columns: self.columns(insert.columns)?,
            source,
            on_conflict: self.on_conflict(insert.on)?,
            returning: self.returning(insert.returning)?,
        })
    }

    /// A column list; of `a.b`, a field of a column, the column counts.
    fn columns(&self, columns: Vec<ObjectName>) -> Result<Vec<Ident>> {
        columns.into_iter().map(|column| self.assigned(column)).collect()
    }

    fn assigned(&self, column: ObjectName) -> Result<Ident> {
        let path = self.path(column)?.into_vec();
        path.into_iter().next().ok_or_else(|| Unreadable::new("a column without a name"))
    }

    fn on_conflict(&self, on: Option<OnInsert>) -> Result<Option<Assign>> {
        match on {
            None => Ok(None),
            Some(OnInsert::OnConflict(conflict)) => match conflict.action {
                OnConflictAction::DoNothing => Ok(None),
                OnConflictAction::DoUpdate(update) => Ok(Some(Assign {
                    assignments: self.assignments(update.assignments)?,
                    filter: self.optional(update.selection)?,
                })),
            },
            Some(_) => Err(Unreadable::new("ON DUPLICATE KEY")),
        }
    }

    fn returning(&self, items: Option<Vec<SelectItem>>) -> Result<Vec<Output>> {
        self.output(items.unwrap_or_default())
    }

    fn assignments(&self, assignments: Vec<ParsedAssignment>) -> Result<Vec<Assignment>> {
        let assignment = |ParsedAssignment { target, value }| {
            let columns = match target {
                AssignmentTarget::ColumnName(name) => vec![self.assigned(name)?],
                AssignmentTarget::Tuple(names) => self.columns(names)?,
            };
            Ok(Assignment { columns, value: self.expr(value)? })
        };
        assignments.into_iter().map(assignment).collect()
    }

    /// The target of UPDATE or DELETE: one table, no join.
    fn target(&self, target: TableWithJoins) -> Result<TableRef> {
        absent(target.joins.is_empty(), "a join as the target")?;
        self.table(target.relation)
    }

    fn update(&self, update: ParsedUpdate) -> Result<Update> {
        let foreign = update.output.is_some()
            || update.or.is_some()
            || !update.order_by.is_empty()
            || update.limit.is_some();
        absent(!foreign, "an UPDATE of another dialect")?;
        let from = match update.from {
            None => Vec::new(),
            Some(UpdateTableFromKind::AfterSet(from)) => self.sources(from)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => {
                return Err(Unreadable::new("FROM before SET"));
            }
        };
        Ok(Update {
            table: self.target(update.table)?,
            assignments: self.assignments(update.assignments)?,
            from,
            filter: self.optional(update.selection)?,
            returning: self.returning(update.returning)?,
        })
    }

    fn delete(&self, delete: ParsedDelete) -> Result<Delete> {
        let foreign = !delete.tables.is_empty()
            || delete.output.is_some()
            || !delete.order_by.is_empty()
            || delete.limit.is_some();
        absent(!foreign, "a DELETE of another dialect")?;
        let FromTable::WithFromKeyword(targets) = delete.from else {
            return Err(Unreadable::new("DELETE without FROM"));
        };
        let [target] = <[TableWithJoins; 1]>::try_from(targets)
            .map_err(|_| Unreadable::new("DELETE from several tables"))?;
        Ok(Delete {
            table: self.target(target)?,
            using: self.sources(delete.using.unwrap_or_default())?,
            filter: self.optional(delete.selection)?,
            returning: self.returning(delete.returning)?,
        })
    }

    fn merge(&self, merge: ParsedMerge) -> Result<Merge> {
        absent(merge.into, "MERGE without INTO")?;
        let returning = match merge.output {
            None => Vec::new(),
            Some(OutputClause::Returning { select_items, .. }) => self.output(select_items)?,
            Some(OutputClause::Output { .. }) => return Err(Unreadable::new("OUTPUT")),
        };
        let clauses = merge.clauses.into_iter().map(|clause| self.merge_clause(clause));
        Ok(Merge {
            table: self.table(merge.table)?,
            source: self.factor(merge.source)?,
            on: self.expr(*merge.on)?,
            clauses: clauses.collect::<Result<_>>()?,
            returning,
        })
    }

    fn merge_clause(&self, clause: ParsedClause) -> Result<MergeClause> {
        let when = match clause.clause_kind {
            MergeClauseKind::Matched => MergeWhen::Matched,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                MergeWhen::NotMatched
            }
            MergeClauseKind::NotMatchedBySource => MergeWhen::NotMatchedBySource,
        };
        let action = match clause.action {
            ParsedAction::DoNothing { .. } => MergeAction::Nothing,
            ParsedAction::Delete { .. } => MergeAction::Delete,
            ParsedAction::Update(update) => self.merge_update(update)?,
            ParsedAction::Insert(insert) => self.merge_insert(insert)?,
        };
        Ok(MergeClause { when, condition: self.optional(clause.predicate)?, action })
    }

    fn merge_update(&self, update: MergeUpdateExpr) -> Result<MergeAction> {
        let plain = update.update_predicate.is_none() && update.delete_predicate.is_none();
        absent(plain, "WHERE in MERGE")?;
        match update.kind {
            MergeUpdateKind::Set(assignments) => {
                Ok(MergeAction::Update(self.assignments(assignments)?))
            }
            MergeUpdateKind::Wildcard => Err(Unreadable::new("UPDATE SET *")),
        }
    }

    fn merge_insert(&self, insert: MergeInsertExpr) -> Result<MergeAction> {
        absent(insert.insert_predicate.is_none(), "WHERE in MERGE")?;
        let MergeInsertKind::Values(values) = insert.kind else {
            return Err(Unreadable::new("INSERT ROW"));
        };
        let [row] = <[_; 1]>::try_from(self.values(values)?)
            .map_err(|_| Unreadable::new("INSERT of several rows in MERGE"))?;
        Ok(MergeAction::Insert { columns: self.columns(insert.columns)?, values: row })
    }
}
