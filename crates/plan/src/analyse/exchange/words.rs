//! What only the tokens of a statement tell: how names are written, and where clauses stand.

use std::collections::HashSet;
use std::ops::Range;

use herd_catalog::Table;

use super::Reading;
use crate::exchange::{Form, Mention};
use crate::lex::{Kind, Token};

/// Columns that every table has, whose values tell where a row is stored.
const SYSTEM_COLUMNS: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Words that stand for a value of the moment, or of the session.
const VALUES_OF_THE_MOMENT: &[&str] = &[
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "system_user",
    "user",
];

/// Functions that take a whole row for what is in it.
const OF_ROWS: &[&str] = &["count", "json_agg", "jsonb_agg", "row_to_json", "to_json", "to_jsonb"];

/// The words with which the clauses of a query begin, those that Herd does not look into at the end.
const CLAUSES: &[&str] = &[
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "except",
    "fetch",
    "for",
    "intersect",
    "union",
    "window",
];

/// Where the clauses of a query stand, each with its word, in tokens.
#[derive(Clone, Debug, Default)]
pub(in crate::analyse) struct Clauses {
    pub(in crate::analyse) filter: Option<Range<usize>>,
    pub(in crate::analyse) grouping: Option<Range<usize>>,
    pub(in crate::analyse) having: Option<Range<usize>>,
    pub(in crate::analyse) order: Option<Range<usize>>,
    pub(in crate::analyse) limit: Option<Range<usize>>,
    pub(in crate::analyse) offset: Option<Range<usize>>,
    /// FOR UPDATE and the like.
    pub(in crate::analyse) locks: Vec<Range<usize>>,
    /// Whether there are others.
    pub(in crate::analyse) others: bool,
}

/// The statement as its tokens.
pub(in crate::analyse) struct Words<'a> {
    pub(in crate::analyse) sql: &'a [u8],
    pub(in crate::analyse) tokens: &'a [Token],
}

impl Words<'_> {
    pub(in crate::analyse) fn is_kind(&self, at: Option<usize>, kind: Kind) -> bool {
        at.and_then(|at| self.tokens.get(at)).is_some_and(|token| token.kind == kind)
    }

    pub(in crate::analyse) fn is_word(&self, at: Option<usize>, words: &[&str]) -> bool {
        let token = at.and_then(|at| self.tokens.get(at));
        token.is_some_and(|token| words.iter().any(|word| token.is_word(self.sql, word)))
    }

    pub(in crate::analyse) fn name_system_columns(&self) -> bool {
        let is_system = |token: &Token| {
            token.identifier(self.sql).is_some_and(|name| SYSTEM_COLUMNS.contains(&&*name))
        };
        self.tokens.iter().any(is_system)
    }

    /// Where a table is named, and how.
    pub(in crate::analyse) fn mention(&self, reading: &Reading) -> Option<Mention> {
        let first = self.tokens.binary_search_by_key(&reading.at, |token| token.start).ok()?;
        let end = first + 2 * reading.parts - 1;
        if self.tokens.get(end).is_some_and(|next| next.is_operator(self.sql, "*")) {
            return None;
        }
        let before = first.checked_sub(1);
        if self.is_word(before, &["table"]) {
            return Some(Mention { tokens: first - 1..end, at: reading.at, form: Form::Command });
        }
        let form = if reading.is_aliased { Form::Aliased } else { Form::Plain };
        (end <= self.tokens.len()).then_some(Mention { tokens: first..end, at: reading.at, form })
    }

    /// Where a schema stands before a column's table, as in `s.t.c`, of which another table is read
    /// now; `None` if the table's name alone might mean something else.
    pub(in crate::analyse) fn schemas_of_columns(
        &self,
        names: &HashSet<usize>,
        readings: &[Reading],
        mentions: &[Mention],
    ) -> Option<Vec<Range<usize>>> {
        let is_dot = |at: usize| self.is_kind(Some(at), Kind::Dot);
        let is_long = |dot: &usize| is_dot(*dot) && is_dot(dot + 2) && !names.contains(dot);
        let mut schemas = Vec::new();
        for dot in (1..self.tokens.len()).filter(is_long) {
            let schema = self.tokens[dot - 1].identifier(self.sql)?;
            let table = self.tokens[dot + 1].identifier(self.sql)?;
            let is_longer = is_dot(dot + 4) || dot > 1 && is_dot(dot - 2);
            if is_longer || self.is_kind(Some(dot + 4), Kind::LeftParen) {
                return None;
            }
            let called = readings.iter().zip(mentions);
            let called: Vec<_> = called.filter(|(it, _)| *it.visible_name == *table).collect();
            if called.is_empty() {
                continue;
            }
            let is_itself = |(reading, mention): &(&Reading, &Mention)| {
                let name = &reading.table.name;
                mention.form == Form::Plain && name.schema == schema && name.name == table
            };
            if !called.iter().all(is_itself) || !self.only_qualifies(&table, names) {
                return None;
            }
            schemas.push(dot - 1..dot + 1);
        }
        Some(schemas)
    }

    /// Whether a name is written nowhere but in `names` and before a dot.
    fn only_qualifies(&self, name: &str, names: &HashSet<usize>) -> bool {
        self.tokens.iter().enumerate().all(|(at, token)| {
            token.identifier(self.sql).is_none_or(|it| it != name)
                || names.contains(&at)
                || self.is_kind(Some(at + 1), Kind::Dot)
        })
    }

    /// Whether whole rows are spoken of, by the name of their table; `None` if in a way that tells
    /// rows of one type from those of another.
    pub(in crate::analyse) fn whole_rows(
        &self,
        readings: &[Reading],
        mentions: &[Mention],
        named_columns: &HashSet<u32>,
    ) -> Option<bool> {
        let is_column =
            |name: &str| readings.iter().any(|reading| reading.table.column(name).is_some());
        let is_definition = |at: usize| {
            mentions.iter().any(|mention| {
                let alias = mention.tokens.end
                    + usize::from(self.is_word(Some(mention.tokens.end), &["as"]));
                mention.tokens.contains(&at) || mention.form == Form::Aliased && at == alias
            })
        };
        let mut any = false;
        for (at, token) in self.tokens.iter().enumerate() {
            let Some(name) = token.identifier(self.sql) else { continue };
            let is_name = readings.iter().any(|reading| *reading.visible_name == *name);
            // Or that of a table whose rows are to be locked.
            let is_new_name = self.is_word(at.checked_sub(1), &["as", "of"]);
            let qualifies = self.is_kind(Some(at + 1), Kind::Dot);
            let is_qualified = self.is_kind(at.checked_sub(1), Kind::Dot);
            if !is_name
                || is_new_name
                || qualifies
                || is_qualified
                || is_column(&name)
                || named_columns.contains(&token.start)
                || is_definition(at)
            {
                continue;
            }
            let is_argument = self.is_kind(at.checked_sub(1), Kind::LeftParen)
                && self.is_kind(Some(at + 1), Kind::RightParen)
                && self.is_word(at.checked_sub(2), OF_ROWS);
            if !is_argument {
                return None;
            }
            any = true;
        }
        Some(any)
    }

    /// The columns that may be meant: those whose names are written anywhere.
    pub(in crate::analyse) fn columns_of(&self, table: &Table, all: bool) -> Vec<usize> {
        let written: HashSet<_> =
            self.tokens.iter().filter_map(|token| token.identifier(self.sql)).collect();
        let is_written = |&index: &usize| all || written.contains(&*table.columns[index].name);
        let columns: Vec<usize> = (0..table.columns.len()).filter(is_written).collect();
        // Rows that nobody looks into still count.
        let first_of_key = || table.fragmentation().map(|cut| cut.key()[0].column);
        if columns.is_empty() { first_of_key().into_iter().collect() } else { columns }
    }

    /// The clauses of the one query that the statement is, subqueries left out; `None` if one is
    /// there twice.
    pub(in crate::analyse) fn clauses(&self) -> Option<Clauses> {
        let mut depth = 0_usize;
        let mut starts: Vec<(usize, &str)> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::LeftParen | Kind::LeftBracket => depth += 1,
                Kind::RightParen | Kind::RightBracket => depth = depth.checked_sub(1)?,
                Kind::Word if depth == 0 => {
                    // COLLATION FOR (…) is an expression.
                    let is_clause = !self.is_word(at.checked_sub(1), &["collation"]);
                    let word = CLAUSES.iter().find(|word| token.is_word(self.sql, word));
                    starts.extend(word.filter(|_| is_clause).map(|word| (at, *word)));
                }
                _ => {}
            }
        }
        let mut clauses = Clauses::default();
        for (place, &(start, word)) in starts.iter().enumerate() {
            let end = starts.get(place + 1).map_or(self.tokens.len(), |&(next, _)| next);
            let slot = match word {
                "where" => &mut clauses.filter,
                "group" => &mut clauses.grouping,
                "having" => &mut clauses.having,
                "order" => &mut clauses.order,
                "limit" => &mut clauses.limit,
                "offset" => &mut clauses.offset,
                "for" => {
                    clauses.locks.push(start..end);
                    continue;
                }
                _ => {
                    clauses.others = true;
                    continue;
                }
            };
            if slot.replace(start..end).is_some() {
                return None;
            }
        }
        Some(clauses)
    }

    /// The tokens of a call that begins at a byte, and of what is in its parentheses.
    pub(in crate::analyse) fn call_at(&self, at: u32) -> Option<(Range<usize>, Range<usize>)> {
        let name = self.tokens.binary_search_by_key(&at, |token| token.start).ok()?;
        if !self.is_kind(Some(name + 1), Kind::LeftParen) {
            return None;
        }
        let mut depth = 0_usize;
        for (place, token) in self.tokens.iter().enumerate().skip(name + 1) {
            match token.kind {
                Kind::LeftParen => depth += 1,
                Kind::RightParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((name..place + 1, name + 2..place));
            }
        }
        None
    }

    /// The whole number that begins at a byte.
    pub(in crate::analyse) fn number_at(&self, at: u32) -> Option<usize> {
        let place = self.tokens.binary_search_by_key(&at, |token| token.start).ok()?;
        let token = self.tokens[place];
        let digits = std::str::from_utf8(token.text(self.sql)).ok()?;
        digits.parse().ok().filter(|_| token.kind == Kind::Integer)
    }

    pub(in crate::analyse) fn has_word(&self, tokens: Range<usize>, words: &[&str]) -> bool {
        tokens.into_iter().any(|at| self.is_word(Some(at), words))
    }

    pub(in crate::analyse) fn name_the_moment(&self, tokens: Range<usize>) -> bool {
        self.has_word(tokens, VALUES_OF_THE_MOMENT)
    }
}
