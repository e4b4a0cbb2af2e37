//! SELECT and its select list.

use sqlparser::ast::{
    Distinct as ParsedDistinct, Expr as ParsedExpr, GroupByExpr, NamedWindowDefinition,
    NamedWindowExpr, Select as Parsed, SelectFlavor, SelectInto, SelectItem,
    SelectItemQualifiedWildcardKind, WildcardAdditionalOptions, WindowSpec,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::statement::{Distinct, Expr, Grouping, Output, Select, Window};

impl Converter<'_> {
    pub(super) fn select(&self, select: Parsed) -> Result<Select> {
        refuse_foreign(&select)?;
        let distinct = match select.distinct {
            None | Some(ParsedDistinct::All) => Distinct::No,
            Some(ParsedDistinct::Distinct) => Distinct::Yes,
            Some(ParsedDistinct::On(exprs)) => Distinct::On(self.exprs(exprs)?),
        };
        let windows = select.named_window.into_iter().map(|window| self.named_window(window));
        Ok(Select {
            distinct,
            output: self.output(select.projection)?,
            into: select.into.map(|into| self.into(into)).transpose()?,
            from: self.sources(select.from)?,
            filter: self.optional(select.selection)?,
            grouping: self.grouping(select.group_by)?,
            having: self.optional(select.having)?,
            windows: windows.collect::<Result<_>>()?,
        })
    }

    pub(super) fn output(&self, items: Vec<SelectItem>) -> Result<Vec<Output>> {
        items.into_iter().map(|item| self.output_item(item)).collect()
    }

    fn output_item(&self, item: SelectItem) -> Result<Output> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                Ok(Output::Expr { expr: self.expr(expr)?, alias: None })
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                Ok(Output::Expr { expr: self.expr(expr)?, alias: Some(self.ident(alias)?) })
            }
            SelectItem::ExprWithAliases { .. } => Err(Unreadable::new("several aliases")),
            SelectItem::Wildcard(options) => {
                refuse_options(&options)?;
                Ok(Output::All)
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                refuse_options(&options)?;
                match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => {
                        Ok(Output::AllOf(self.path(name)?))
                    }
                    SelectItemQualifiedWildcardKind::Expr(expr) => {
                        Ok(Output::Fields(self.expr(expr)?))
                    }
                }
            }
        }
    }

    fn into(&self, into: SelectInto) -> Result<u32> {
        let [target] = <[ParsedExpr; 1]>::try_from(into.targets)
            .map_err(|_| Unreadable::new("INTO several tables"))?;
        match self.expr(target)? {
            Expr::Column(path) => Ok(path[0].at),
            _ => Err(Unreadable::new("INTO")),
        }
    }

    fn grouping(&self, group_by: GroupByExpr) -> Result<Grouping> {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(Unreadable::new("GROUP BY ALL"));
        };
        absent(modifiers.is_empty(), "WITH after GROUP BY")?;
        let mut is_sets = false;
        let mut all = Vec::new();
        for expr in exprs {
            match expr {
                ParsedExpr::GroupingSets(sets)
                | ParsedExpr::Cube(sets)
                | ParsedExpr::Rollup(sets) => {
                    is_sets = true;
                    for expr in sets.into_iter().flatten() {
                        all.push(self.expr(expr)?);
                    }
                }
                expr => all.push(self.expr(expr)?),
            }
        }
        Ok(match (is_sets, all.is_empty()) {
            (true, _) => Grouping::Sets(all),
            (false, true) => Grouping::None,
            (false, false) => Grouping::By(all),
        })
    }

    fn named_window(&self, window: NamedWindowDefinition) -> Result<Window> {
        let NamedWindowDefinition(name, definition) = window;
        let NamedWindowExpr::WindowSpec(spec) = definition else {
            return Err(Unreadable::new("a window without parentheses"));
        };
        Ok(Window { name: Some(self.ident(name)?), ..self.window(spec)? })
    }

    pub(super) fn window(&self, window: WindowSpec) -> Result<Window> {
        use sqlparser::ast::WindowFrameBound::{CurrentRow, Following, Preceding};
        let WindowSpec { window_name, partition_by, order_by, window_frame } = window;
        let mut others = self.sorted(order_by)?;
        if let Some(frame) = window_frame {
            for bound in [Some(frame.start_bound), frame.end_bound].into_iter().flatten() {
                match bound {
                    CurrentRow | Preceding(None) | Following(None) => {}
                    Preceding(Some(expr)) | Following(Some(expr)) => others.push(self.expr(*expr)?),
                }
            }
        }
        Ok(Window {
            base: window_name.map(|name| self.ident(name)).transpose()?,
            name: None,
            partition_by: self.exprs(partition_by)?,
            others,
        })
    }
}

/// Clauses of other dialects.
fn refuse_foreign(select: &Parsed) -> Result<()> {
    let foreign = select.top.is_some()
        || select.select_modifiers.as_ref().is_some_and(|modifiers| modifiers.is_any_set())
        || select.exclude.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || select.flavor != SelectFlavor::Standard;
    absent(!foreign, "a clause of another dialect")
}

fn refuse_options(options: &WildcardAdditionalOptions) -> Result<()> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let foreign = opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some()
        || opt_alias.is_some();
    absent(!foreign, "a word after *")
}
