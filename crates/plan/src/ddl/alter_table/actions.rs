//! The actions of one ALTER TABLE: those that the parent takes stay one statement, in their
//! order; what has to be done on each fragment follows.

use std::ops::Range;
use std::sync::Arc;

use herd_catalog::{Table, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::AlterTable;
use super::add_column::AddedColumn;
use crate::cursor::Cursor;
use crate::ddl::Stop;
use crate::ddl::columns::{Identity, read_parenthesised};
use crate::ddl::definition::Script;
use crate::ddl::elements::{self, ConstraintKind, ForeignKey, span_of, starts_constraint};
use crate::ddl::facts::Volatility;
use crate::ddl::foreign_key::{self, Kept, Referring, Target};
use crate::ddl::options::split_at_commas;
use crate::ddl::request::Request;
use crate::ddl::serial::{self, Stride};
use crate::ddl::splice::Splice;
use crate::ddl::volatility;
use crate::lex::{Kind, Token};

pub struct Actions<'a, 'r> {
    request: &'r Request<'a>,
    alter: &'r AlterTable<'a>,
    table: &'r Arc<Table>,
    /// Where the actions stand that the parent takes.
    kept: Vec<Range<usize>>,
    added: Vec<AddedColumn<'a>>,
    identities: Vec<Identity<'a>>,
    /// Done on each fragment after the parent's.
    on_fragments: Vec<String>,
    foreign_keys: Vec<(ForeignKey<'a>, Target, String)>,
}

impl<'a, 'r> Actions<'a, 'r> {
    pub fn new(
        request: &'r Request<'a>,
        alter: &'r AlterTable<'a>,
        table: &'r Arc<Table>,
    ) -> Actions<'a, 'r> {
        Actions {
            request,
            alter,
            table,
            kept: Vec::new(),
            added: Vec::new(),
            identities: Vec::new(),
            on_fragments: Vec::new(),
            foreign_keys: Vec::new(),
        }
    }

    pub fn read_all(&mut self) -> Result<(), Stop> {
        split_at_commas(self.alter.rest).into_iter().try_for_each(|item| self.read(item))
    }

    fn read(&mut self, item: &'a [Token]) -> Result<(), Stop> {
        let mut cursor = Cursor::new(self.request.sql.as_bytes(), item);
        let is_fragmented = self.table.fragmentation().is_some();
        if cursor.word("add") {
            return match starts_constraint(&cursor) {
                true => self.read_add_constraint(cursor, item),
                false => self.read_add_column(cursor, item),
            };
        }
        if cursor.word("alter") {
            return match cursor.word("constraint") {
                true => self.read_of_constraint(cursor, item),
                false => self.read_alter_column(cursor, item),
            };
        }
        let names_constraint = cursor.words(&["drop", "constraint"])
            || cursor.words(&["validate", "constraint"])
            || cursor.words(&["rename", "constraint"]);
        if names_constraint {
            return self.read_of_constraint(cursor, item);
        }
        let with_parameters = cursor.sees("set") || cursor.sees("reset");
        let parenthesis = cursor.peek_at(1).is_some_and(|next| next.kind == Kind::LeftParen);
        if with_parameters && parenthesis {
            self.refuse_own_parameters(cursor)?;
            return self.place(item, !is_fragmented, is_fragmented);
        }
        let is_of_storage = [["set", "logged"], ["set", "unlogged"], ["set", "access"]]
            .iter()
            .any(|words| cursor.words(words));
        if is_of_storage {
            return self.place(item, !is_fragmented, is_fragmented);
        }
        let by_index = item.iter().any(|token| token.is_word(cursor.sql(), "index"));
        if is_fragmented && by_index && cursor.words(&["replica", "identity"]) {
            return Err(refuse_identity(&self.table.name.name).into());
        }
        let goes_along = cursor.words(&["owner", "to"])
            || cursor.words(&["set", "tablespace"])
            || cursor.words(&["replica", "identity"]);
        if cursor.word("inherit") && !is_fragmented {
            return Err(refuse_inherit(&self.table.name.name).into());
        }
        self.place(item, true, goes_along && is_fragmented)
    }

    /// An action as it is, for the table as a whole, for each fragment, or both.
    fn place(&mut self, item: &[Token], on_table: bool, on_fragments: bool) -> Result<(), Stop> {
        let span = span_of(item);
        if on_fragments {
            self.on_fragments.push(self.request.sql[span.clone()].to_owned());
        }
        if on_table {
            self.kept.push(span);
        }
        Ok(())
    }

    fn read_add_constraint(
        &mut self,
        mut cursor: Cursor<'a>,
        item: &'a [Token],
    ) -> Result<(), Stop> {
        let constraint = elements::read_constraint(&mut cursor, item);
        let Some((name, ConstraintKind::ForeignKey(key))) =
            constraint.map(|constraint| (constraint.name, constraint.kind))
        else {
            return self.place(item, true, false);
        };
        match self.decide(&key)? {
            Kept::AsDeclared => self.place(item, true, false),
            Kept::ByFragment(target) => {
                let name = match name {
                    Some(name) => name,
                    None => self.choose_name(&key)?,
                };
                self.foreign_keys.push((key, target, name));
                Ok(())
            }
        }
    }

    fn decide(&self, key: &ForeignKey<'_>) -> Result<Kept, Stop> {
        let cut = self.table.fragmentation();
        let key_columns = cut.map(|cut| foreign_key::key_columns(self.table, cut));
        let from = Referring {
            name: &self.table.name,
            cut,
            key: key_columns.as_deref().unwrap_or_default(),
            primary_key: None,
        };
        foreign_key::decide(self.request, &from, key)
    }

    /// The first name that no foreign key of the fragments has.
    fn choose_name(&self, key: &ForeignKey<'_>) -> Result<String, Stop> {
        let own = self.foreign_keys.iter().map(|(_, _, name)| name.clone());
        let mut taken = own.collect::<Vec<_>>();
        loop {
            let name = foreign_key::choose_name(&self.table.name, key, &taken);
            if !self.has_on_fragments(&name)? {
                return Ok(name);
            }
            taken.push(name);
        }
    }

    /// Whether the fragments have a foreign key of this name that the parent has not.
    fn has_on_fragments(&self, name: &str) -> Result<bool, Stop> {
        let witness = self.table.fragmentation().and_then(foreign_key::witness);
        match witness {
            Some((node, fragment)) => self.request.facts.has_foreign_key(node, fragment, name),
            None => Ok(false),
        }
    }

    /// DROP, VALIDATE, ALTER and RENAME of a constraint, wherever it is.
    fn read_of_constraint(
        &mut self,
        mut cursor: Cursor<'a>,
        item: &'a [Token],
    ) -> Result<(), Stop> {
        cursor.words(&["if", "exists"]);
        let name = cursor.identifier().unwrap_or_default();
        let on_fragments = self.has_on_fragments(&name)?;
        self.place(item, !on_fragments, on_fragments)
    }

    fn read_add_column(&mut self, mut cursor: Cursor<'a>, item: &'a [Token]) -> Result<(), Stop> {
        cursor.word("column");
        let if_not_exists = cursor.words(&["if", "not", "exists"]);
        let column = super::super::columns::read(cursor.sql(), cursor.rest());
        let Some(column) = column else {
            return self.place(item, true, false);
        };
        // PostgreSQL will only say that it skips it.
        let is_new = !(if_not_exists && self.table.column(&column.name).is_some());
        if is_new {
            for constraint in &column.constraints {
                if let ConstraintKind::ForeignKey(key) = &constraint.kind {
                    self.decide(key)?;
                }
            }
            self.added.push(AddedColumn::plan(self.request, self.table, column)?);
        }
        self.place(item, true, false)
    }

    fn read_alter_column(&mut self, mut cursor: Cursor<'a>, item: &'a [Token]) -> Result<(), Stop> {
        cursor.word("column");
        let column = cursor.identifier().unwrap_or_default();
        let sql = cursor.sql();
        let is_fragmented = self.table.fragmentation().is_some();
        if cursor.words(&["set", "default"]) && serial::names_nextval(sql, cursor.rest()) {
            return Err(serial::refuse_nextval(&column).into());
        }
        if cursor.word("type") || cursor.words(&["set", "data", "type"]) {
            self.check_conversion(cursor)?;
        }
        if is_fragmented && cursor.words(&["add", "generated"]) {
            if !cursor.word("always") {
                cursor.words(&["by", "default"]);
            }
            cursor.word("as");
            let at = cursor.peek().map_or(0, |token| token.end as usize);
            cursor.word("identity");
            self.identities.push(Identity { at, options: read_parenthesised(&mut cursor) });
        } else if is_fragmented && changes_numbers(cursor) {
            return Err(refuse_numbers(&column, &self.table.name.name).into());
        }
        self.place(item, true, false)
    }

    /// A reference table must be converted to the same values on every node.
    fn check_conversion(&self, mut cursor: Cursor<'_>) -> Result<(), Stop> {
        while cursor.peek().is_some() && !cursor.word("using") {
            cursor.advance();
        }
        let volatility = volatility::of(self.request, cursor.rest())?;
        if self.table.fragmentation().is_none() && volatility != Volatility::Immutable {
            return Err(refuse_conversion(&self.table.name.name).into());
        }
        Ok(())
    }

    fn refuse_own_parameters(&self, cursor: Cursor<'_>) -> Result<(), ClientError> {
        let own = cursor
            .rest()
            .windows(2)
            .any(|pair| pair[0].is_word(cursor.sql(), "herd") && pair[1].kind == Kind::Dot);
        if own { Err(refuse_parameters()) } else { Ok(()) }
    }

    pub fn into_script(self) -> Result<Script, Stop> {
        let mut script = Script::default();
        let nodes = self.request.all_nodes()?;
        let stride = Stride::of(self.request.catalog);
        for node in nodes {
            for column in &self.added {
                column.before(&mut script, node, &stride);
            }
            if !self.kept.is_empty() {
                script.on(node, self.parent_text(node, &stride)?);
            }
            for column in &self.added {
                column.after(&mut script, node, self.alter, &self.table.name);
            }
        }
        let Some(cut) = self.table.fragmentation() else {
            return Ok(script);
        };
        for fragment in cut.fragments() {
            for action in &self.on_fragments {
                let text = format!("ALTER TABLE {} {action}", fragment.name.quoted());
                script.on(fragment.primary, text);
            }
        }
        for (key, target, name) in &self.foreign_keys {
            target.add(self.request, &mut script, cut, key, name);
        }
        Ok(script)
    }

    fn parent_text(&self, node: NodeId, stride: &Stride) -> Result<String, ClientError> {
        let sql = self.request.sql;
        let mut splice = Splice::new(sql);
        for column in &self.added {
            column.edit(&mut splice, sql, node, stride)?;
        }
        for identity in &self.identities {
            stride.edit_identity(&mut splice, sql.as_bytes(), identity, node)?;
        }
        let kept = self.kept.iter().map(|span| splice.render(span.clone())).collect::<Vec<_>>();
        Ok(self.alter.statement(&kept.join(", ")))
    }
}

/// Whether an identity column's sequence is to count otherwise.
fn changes_numbers(mut cursor: Cursor<'_>) -> bool {
    let mut changes = false;
    while cursor.peek().is_some() {
        changes |= cursor.words(&["restart", "with"])
            || (cursor.sees("restart")
                && cursor.peek_at(1).is_some_and(|next| next.kind == Kind::Integer))
            || ["increment", "start", "minvalue", "cycle"]
                .iter()
                .any(|word| cursor.words(&["set", word]));
        cursor.advance();
    }
    changes
}

fn refuse_numbers(column: &str, table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the numbers of column {} of fragmented table \"{table}\" cannot be changed so",
        quote_identifier(column)
    ))
    .with_detail("On every node its sequence counts in steps, each from a start of its own.")
    .with_hint("RESTART without a value starts over on all nodes.")
}

fn refuse_conversion(table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the conversion could give other values on each node for reference table \"{table}\""
    ))
    .with_hint("Use only immutable functions in USING.")
}

fn refuse_identity(table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the replica identity of fragmented table \"{table}\" cannot be an index"
    ))
    .with_detail("Each fragment has an index of its own, under another name.")
    .with_hint("Use REPLICA IDENTITY DEFAULT, which is the primary key, or FULL.")
}

fn refuse_inherit(table: &str) -> ClientError {
    ClientError::unsupported(format!("reference table \"{table}\" cannot inherit from another"))
}

fn refuse_parameters() -> ClientError {
    ClientError::unsupported("Herd's options cannot be changed by ALTER TABLE")
        .with_hint("Create a table with the options it needs, and copy the rows.")
}
