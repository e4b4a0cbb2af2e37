//! ORDER BY: what is sorted by, and whether that can be compared outside of a server.

use std::ops::Range;

use super::{Inspection, is_local, types};
use crate::lex::Kind;
use crate::scatter::{Direction, Form, Key, Order};
use crate::statement::{Expr, Ident, Output, Query};

/// Names that a column of the result may have which is an expression without an alias, and which the
/// expression does not have in it.
const IMPLIED_NAMES: &[&str] = &[
    "bool",
    "bpchar",
    "btrim",
    "date_part",
    "float4",
    "float8",
    "int2",
    "int4",
    "int8",
    "ltrim",
    "rtrim",
    "timestamptz",
    "timetz",
    "timezone",
    "varbit",
    "varchar",
];

/// What a key says: an expression, and its tokens.
struct Sorted<'e> {
    expr: &'e Expr,
    tokens: Range<usize>,
}

impl Inspection<'_> {
    /// `None` if any of it cannot be compared outside of a server.
    pub(super) fn order(&self, tokens: Range<usize>, query: &Query) -> Option<Order> {
        let parts = self.words.parts(tokens.clone());
        let keys = parts.into_iter().enumerate().map(|(place, tokens)| {
            let (expression, direction) = self.direction(tokens)?;
            let sorted = self.resolved(query.tail.get(place)?, expression)?;
            let form = self.form(&sorted)?;
            Some(Key { expression: sorted.tokens, form, direction })
        });
        Some(Order { tokens, keys: keys.collect::<Option<_>>()? })
    }

    /// `expression [ASC | DESC] [NULLS FIRST | NULLS LAST]`
    fn direction(&self, tokens: Range<usize>) -> Option<(Range<usize>, Direction)> {
        let Range { start, mut end } = tokens;
        let ends_with =
            |end: usize, word: &str| end > start && self.words.is_word(end.checked_sub(1), &[word]);
        let mut nulls_first = None;
        for (word, first) in [("first", true), ("last", false)] {
            if ends_with(end, word) && ends_with(end - 1, "nulls") {
                nulls_first = Some(first);
                end -= 2;
                break;
            }
        }
        let descending = ends_with(end, "desc");
        if descending || ends_with(end, "asc") {
            end -= 1;
        }
        if end == start || self.words.has_word(start..end, &["using"]) {
            return None;
        }
        let nulls_first = nulls_first.unwrap_or(descending);
        Some((start..end, Direction { descending, nulls_first }))
    }

    /// A number is an item of the select list, and so is its name.
    fn resolved<'e>(&'e self, expr: &'e Expr, tokens: Range<usize>) -> Option<Sorted<'e>> {
        match expr {
            Expr::Literal(at) => {
                let number = self.words.number_at(*at).filter(|_| tokens.len() == 1)?;
                let has_stars = |item: &Output| !matches!(item, Output::Expr { .. });
                if self.select.output.iter().take(number).any(has_stars) {
                    return None;
                }
                self.item(number.checked_sub(1)?)
            }
            Expr::Column(path) => match &**path {
                [name] => self.named(name, expr, tokens),
                _ => Some(Sorted { expr, tokens }),
            },
            _ => Some(Sorted { expr, tokens }),
        }
    }

    fn named<'e>(
        &'e self,
        name: &Ident,
        expr: &'e Expr,
        tokens: Range<usize>,
    ) -> Option<Sorted<'e>> {
        let is_column = self.reading.table.column(&name.text).is_some();
        let items = self.select.output.iter().enumerate();
        let is_unclear = items.clone().any(|(place, item)| match item {
            Output::Expr { alias: None, expr } => self.may_be_called(place, expr, name),
            _ => false,
        });
        let is_selected = items.clone().any(|(_, item)| match item {
            Output::Expr { expr: Expr::Column(path), alias: None } => {
                path.last().is_some_and(|last| last.text == name.text)
            }
            Output::All | Output::AllOf(_) => is_column,
            _ => false,
        });
        let mut aliased = items.filter(|(_, item)| match item {
            Output::Expr { alias: Some(alias), .. } => alias.text == name.text,
            _ => false,
        });
        match (aliased.next(), aliased.next()) {
            _ if is_unclear => None,
            (None, _) => is_column.then_some(Sorted { expr, tokens }),
            (Some((place, _)), None) if !is_selected => self.item(place),
            // Of several of the same name, which is meant is for the server to say.
            _ => None,
        }
    }

    /// Whether an item that has no alias and is no column may have this name all the same.
    fn may_be_called(&self, place: usize, expr: &Expr, name: &Ident) -> bool {
        let is_said = |at: usize| {
            let said = self.words.tokens[at].identifier(self.words.sql);
            said.is_some_and(|said| *said == *name.text)
        };
        !matches!(expr, Expr::Column(_))
            && (IMPLIED_NAMES.contains(&&*name.text) || self.items[place].clone().any(is_said))
    }

    /// An item of the select list, its alias left out.
    fn item(&self, place: usize) -> Option<Sorted<'_>> {
        let Output::Expr { expr, alias } = self.select.output.get(place)? else { return None };
        let Range { start, mut end } = self.items.get(place)?.clone();
        if let Some(alias) = alias {
            let tokens = self.words.tokens;
            end = tokens.binary_search_by_key(&alias.at, |token| token.start).ok()?;
            end -= usize::from(self.words.is_word(end.checked_sub(1), &["as"]));
        }
        (start < end).then_some(Sorted { expr, tokens: start..end })
    }

    fn form(&self, sorted: &Sorted<'_>) -> Option<Form> {
        let Sorted { expr, tokens } = sorted;
        match expr {
            Expr::Column(_) => types::is_mergeable(self.type_of(expr)?).then_some(Form::AsItIs),
            Expr::Cast(inner, to)
                if !to.array && is_local(inner) && !self.has_parameter(tokens) =>
            {
                types::is_mergeable(&to.name).then_some(Form::AsItIs)
            }
            _ => self.is_column_by_bytes(tokens.clone()).then_some(Form::TextByBytes),
        }
    }

    fn has_parameter(&self, tokens: &Range<usize>) -> bool {
        tokens.clone().any(|at| self.words.is_kind(Some(at), Kind::Parameter))
    }

    fn type_of(&self, expr: &Expr) -> Option<&str> {
        let Expr::Column(path) = expr else { return None };
        let column = match &**path {
            [column] => column,
            [table, column] if table.text == self.reading.visible_name => column,
            _ => return None,
        };
        let table = &self.reading.table;
        table.column(&column.text).map(|column| &*table.columns[column].type_name)
    }

    /// `column COLLATE "C"`
    fn is_column_by_bytes(&self, tokens: Range<usize>) -> bool {
        let at = |place: usize| self.words.tokens[tokens.start + place].identifier(self.words.sql);
        let is_so = tokens.len() == 3
            && self.words.is_word(Some(tokens.start + 1), &["collate"])
            && at(2).is_some_and(|collation| matches!(&*collation, "C" | "POSIX"));
        let table = &self.reading.table;
        let column = at(0).filter(|_| is_so).and_then(|name| table.column(&name));
        column.is_some_and(|column| types::is_text(&table.columns[column].type_name))
    }
}
