//! SELECT: its FROM and WHERE, and what its select list makes of them.

use herd_catalog::KeyType;

use super::graph::{Column, ColumnId, Constant, Meaning, RegionId};
use super::outputs::{OutputColumn, Outputs};
use super::query::Env;
use super::scope::{Entry, Scope};
use super::{Analysis, TypedUse};
use crate::statement::{Distinct, Expr, Grouping, Output, Query, Select, Window};

impl Analysis<'_> {
    /// `query` is the one whose body this is.
    pub(super) fn select(&mut self, select: &Select, query: &Query, env: &Env<'_>) -> Outputs {
        let region = self.graph.add_region(Some(env.region));
        let here = Env { region, ..*env };
        let mut scope = Scope::within(env.scope);
        let tree = self.list_of_joins(&select.from, &mut scope, &here, &query.locks);
        let facts = match &select.filter {
            Some(filter) => self.conditions(filter, &scope, &here),
            None => Vec::new(),
        };
        self.place(tree, region, facts);
        self.clauses(select, query, &scope, &here);
        if select.into.is_some() {
            self.manner.changes_data = true;
            self.home("the table made by SELECT INTO");
        }
        let mut outputs = self.outputs(&select.output, &scope, region);
        self.seal_columns(select, &scope, &mut outputs);
        outputs
    }

    /// Everything after WHERE sees only rows that satisfied it.
    fn clauses(&mut self, select: &Select, query: &Query, scope: &Scope<'_>, env: &Env<'_>) {
        let distinct = match &select.distinct {
            Distinct::On(exprs) => exprs.as_slice(),
            Distinct::No | Distinct::Yes => &[],
        };
        self.manner.picks_rows |= matches!(select.distinct, Distinct::On(_));
        self.manner.groups |= matches!(select.grouping, Grouping::By(_));
        let grouping = match &select.grouping {
            Grouping::None => &[],
            Grouping::By(exprs) | Grouping::Sets(exprs) => exprs.as_slice(),
        };
        let exprs = distinct.iter().chain(grouping).chain(&select.having).chain(&query.tail);
        exprs.for_each(|expr| self.walk(expr, scope, env));
        select.windows.iter().for_each(|window| self.window(window, scope, env));
        self.walk_output(&select.output, scope, env);
    }

    pub(super) fn walk_output(&mut self, output: &[Output], scope: &Scope<'_>, env: &Env<'_>) {
        for item in output {
            if let Output::Expr { expr, .. } | Output::Fields(expr) = item {
                self.walk(expr, scope, env);
            }
        }
    }

    /// The columns of a select list, or of RETURNING.
    pub(super) fn outputs(
        &mut self,
        output: &[Output],
        scope: &Scope<'_>,
        region: RegionId,
    ) -> Outputs {
        let mut outputs = Outputs::default();
        let mut is_placed = true;
        for item in output {
            match item {
                Output::Expr { expr, alias } => {
                    let mut column = self.output_column(expr, scope, region);
                    if let Some(alias) = alias {
                        column.name = alias.text.clone();
                    }
                    outputs.open |= column.name.is_empty();
                    outputs.push(column, is_placed);
                }
                Output::All => {
                    self.manner.names_all_columns = true;
                    is_placed &= !scope.reordered;
                    for entry in &scope.entries {
                        is_placed = self.all_of(entry, region, is_placed, &mut outputs);
                    }
                    for name in &scope.merged {
                        outputs.push(OutputColumn::unknown(name), false);
                    }
                }
                Output::AllOf(path) => {
                    self.manner.names_all_columns = true;
                    let entry = match &**path {
                        [table] => scope.entry(None, &table.text),
                        [schema, table] => scope.entry(Some(&schema.text), &table.text),
                        _ => None,
                    };
                    is_placed = match entry {
                        Some(entry) => {
                            let whole = Entry { hidden: Vec::new(), ..entry.clone() };
                            self.all_of(&whole, region, is_placed, &mut outputs)
                        }
                        None => false,
                    };
                    outputs.open |= entry.is_none();
                }
                Output::Fields(_) => {
                    self.manner.names_all_columns = true;
                    is_placed = false;
                    outputs.open = true;
                }
            }
        }
        outputs
    }

    /// `t.*`; whether the place of what follows is known.
    fn all_of(
        &self,
        entry: &Entry,
        region: RegionId,
        is_placed: bool,
        outputs: &mut Outputs,
    ) -> bool {
        let relation = self.graph.relation(entry.relation);
        for (index, Column { name, .. }) in relation.columns.iter().enumerate() {
            if entry.hidden.contains(&(index as u32)) {
                continue;
            }
            let id = ColumnId { relation: entry.relation, column: index as u32 };
            let column = self.same(name, id, region);
            outputs.push(column, is_placed && index < relation.placed);
        }
        outputs.open |= relation.open;
        is_placed && !relation.open && relation.placed == relation.columns.len()
    }

    /// An output that is a column of FROM.
    fn same(&self, name: &str, id: ColumnId, region: RegionId) -> OutputColumn {
        OutputColumn {
            name: name.into(),
            meaning: Meaning::Same(id),
            nullable: self.graph.is_nullable(id, region),
            inner: vec![(region, id)],
        }
    }

    fn output_column(&mut self, expr: &Expr, scope: &Scope<'_>, region: RegionId) -> OutputColumn {
        let name = match expr {
            Expr::Column(path) => path.last().map_or("", |last| &last.text),
            Expr::Call(call) => call.name.last().map_or("", |last| &last.text),
            _ => "",
        };
        if let Some(id) = self.column(expr, scope) {
            return self.same(name, id, region);
        }
        let meaning = match self.output_constant(expr) {
            Some(constant) => Meaning::Constants([constant].into()),
            None => Meaning::Unknown,
        };
        OutputColumn { name: name.into(), meaning, nullable: true, inner: Vec::new() }
    }

    /// A constant that nothing beside it gives a type.
    pub(super) fn output_constant(&mut self, expr: &Expr) -> Option<Constant> {
        let constant = self.constant(expr)?;
        let key_type = constant.cast.unwrap_or(KeyType::Text);
        self.note_use(expr, TypedUse { key_type, is_array: false });
        Some(constant)
    }

    /// Keeps conditions out where rows depend on others that the conditions would drop.
    fn seal_columns(&mut self, select: &Select, scope: &Scope<'_>, outputs: &mut Outputs) {
        let mut windows: Vec<&Window> = select.windows.iter().collect();
        for item in &select.output {
            if let Output::Expr { expr, .. } = item {
                windows_in(expr, &mut windows);
            }
        }
        if matches!(select.grouping, Grouping::Sets(_)) {
            outputs.seal();
            outputs.columns.iter_mut().for_each(|column| column.nullable = true);
        }
        for (index, column) in outputs.columns.iter_mut().enumerate() {
            let Some(&(_, id)) = column.inner.first() else { continue };
            let among = |exprs: &[Expr]| {
                exprs.iter().any(|expr| self.is_output(expr, index, id, &select.output, scope))
            };
            let kept = match &select.distinct {
                Distinct::On(exprs) => among(exprs),
                Distinct::No | Distinct::Yes => true,
            };
            let grouped = match &select.grouping {
                Grouping::By(exprs) => among(exprs),
                Grouping::None | Grouping::Sets(_) => true,
            };
            let partitioned =
                windows.iter().all(|window| self.is_partitioned_by(window, id, scope, select));
            if !(kept && grouped && partitioned) {
                column.inner.clear();
            }
        }
    }

    /// Whether `expr` in GROUP BY or DISTINCT ON means the column `id`, by its name or as the
    /// `index`-th output.
    fn is_output(
        &self,
        expr: &Expr,
        index: usize,
        id: ColumnId,
        output: &[Output],
        scope: &Scope<'_>,
    ) -> bool {
        match expr {
            Expr::Literal(at) => {
                let plain = output.iter().all(|item| matches!(item, Output::Expr { .. }));
                plain && self.position(*at) == Some(index + 1)
            }
            expr => self.column(expr, scope) == Some(id),
        }
    }

    /// A number in GROUP BY or ORDER BY, which is no slot.
    fn position(&self, at: u32) -> Option<usize> {
        let digits = self.sql.get(at as usize..)?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
    }

    fn is_partitioned_by(
        &self,
        window: &Window,
        id: ColumnId,
        scope: &Scope<'_>,
        select: &Select,
    ) -> bool {
        let by = |window: &Window| {
            window.partition_by.iter().any(|expr| self.column(expr, scope) == Some(id))
        };
        let base = window.base.as_ref().and_then(|base| {
            let is_base =
                |named: &&Window| named.name.as_ref().is_some_and(|name| name.text == base.text);
            select.windows.iter().find(is_base)
        });
        by(window) || base.is_some_and(by)
    }
}

fn windows_in<'e>(expr: &'e Expr, windows: &mut Vec<&'e Window>) {
    if let Expr::Call(call) = expr {
        windows.extend(&call.over);
    }
    super::walk::operands(expr, &mut |operand| windows_in(operand, windows));
}
