//! A table as the home node has described it.

use herd_types::{ClientError, SqlState};

use crate::ddl::facts::Rows;

/// Between the names in a list: no name has it.
const SEPARATOR: char = '\u{1f}';

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub is_unlogged: bool,
    pub is_partitioned: bool,
    pub is_owned: bool,
    /// Storage parameters, access method and tablespace, as they stand in CREATE TABLE.
    pub with: Option<String>,
    pub using: Option<String>,
    pub tablespace: Option<String>,
    pub columns: Vec<Column>,
    pub sequences: Vec<Sequence>,
    pub indexes: Vec<Index>,
    /// Name and definition.
    pub checks: Vec<(String, String)>,
    pub foreign_keys: Vec<(String, String)>,
    /// Actions of ALTER TABLE that matter before rows come.
    pub early: Vec<String>,
    /// Statements that speak of the table by its name.
    pub after: Vec<String>,
    pub statement_triggers: Vec<String>,
    /// What would go, or mean something else, with the table.
    pub dependents: Vec<String>,
    /// Why there can be no other table like it.
    pub obstacles: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub collation: Option<String>,
    pub not_null: bool,
    pub expression: Option<String>,
    pub kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Plain,
    Generated,
    /// GENERATED ALWAYS AS IDENTITY.
    AlwaysIdentity,
    DefaultIdentity,
}

/// A sequence that belongs to a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub column: String,
    /// Without its schema, which is the table's for all that PostgreSQL makes by itself.
    pub name: String,
    /// As it is called in expressions.
    pub qualified: String,
    pub integer: String,
    pub start: i64,
    pub increment: i64,
    /// MINVALUE, MAXVALUE and CACHE.
    pub bounds: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    /// What follows the table's name in CREATE INDEX.
    pub tail: String,
    /// PRIMARY KEY or UNIQUE, when it is a constraint's.
    pub constraint: Option<String>,
    pub is_primary: bool,
    pub is_unique: bool,
    /// The names of its key columns; empty where an expression stands.
    pub columns: Vec<String>,
}

impl Shape {
    /// `None`: there is no such table, or it is no table.
    pub fn read(rows: &Rows) -> Option<Shape> {
        let mut shape = Shape::default();
        let mut is_there = false;
        for row in rows {
            let [Some(kind), values @ ..] = row.as_slice() else { continue };
            is_there |= kind == "table";
            shape.note(kind, values);
        }
        is_there.then_some(shape)
    }

    fn note(&mut self, kind: &str, values: &[Option<String>]) {
        let text = |place: usize| values.get(place).cloned().flatten();
        let is_true = |place: usize| text(place).as_deref() == Some("true");
        let first = text(0).unwrap_or_default();
        let pair = || (first.clone(), text(1).unwrap_or_default());
        match kind {
            "table" => {
                self.is_unlogged = text(1).as_deref() == Some("u");
                self.with = text(2);
                self.is_owned = is_true(3);
                self.using = text(4);
                self.tablespace = text(5);
                self.is_partitioned = text(6).as_deref() == Some("p");
            }
            "column" => self.columns.push(Column {
                name: first,
                type_name: text(1).unwrap_or_default(),
                collation: text(2),
                not_null: is_true(3),
                expression: text(4),
                kind: ColumnKind::of(text(5), text(6)),
            }),
            "sequence" => self.sequences.extend(Sequence::read(values)),
            "index" => self.indexes.push(Index {
                name: first,
                tail: text(1).unwrap_or_default(),
                constraint: text(2),
                is_primary: text(3).as_deref() == Some("p"),
                is_unique: is_true(4),
                columns: text(5).unwrap_or_default().split(SEPARATOR).map(str::to_owned).collect(),
            }),
            "check" => self.checks.push(pair()),
            "foreign" => self.foreign_keys.push(pair()),
            "early" => self.early.push(first),
            "after" => self.after.push(first),
            "statement trigger" => self.statement_triggers.push(first),
            "dependent" => self.dependents.push(first),
            _ => self.obstacles.push(first),
        }
    }

    /// The names of the columns that can be written.
    pub fn written(&self) -> impl Iterator<Item = &String> {
        let written = self.columns.iter().filter(|column| column.kind != ColumnKind::Generated);
        written.map(|column| &column.name)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn primary_key(&self) -> Option<&[String]> {
        let primary = self.indexes.iter().find(|index| index.is_primary);
        primary.map(|index| index.columns.as_slice())
    }

    /// # Errors
    /// When the client may not do this to the table, or it cannot be made anew.
    pub fn check(&self, table: &str, function: &str) -> Result<(), ClientError> {
        if !self.is_owned {
            let message = format!("must be owner of table {table}");
            return Err(ClientError::error(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        let reason = self.obstacles.first().cloned();
        match reason {
            Some(reason) => Err(refused(table, function).with_detail(reason)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// When something else depends on the very table that is to be replaced.
    pub fn check_dependents(&self, table: &str, function: &str) -> Result<(), ClientError> {
        let Some(first) = self.dependents.first() else { return Ok(()) };
        Err(refused(table, function)
            .with_detail(format!("There is {first}, which depends on the table."))
            .with_hint("Drop it first, and make it again afterwards if it can be."))
    }
}

impl ColumnKind {
    fn of(generated: Option<String>, identity: Option<String>) -> ColumnKind {
        match (generated.as_deref(), identity.as_deref()) {
            (Some("s"), _) => ColumnKind::Generated,
            (_, Some("a")) => ColumnKind::AlwaysIdentity,
            (_, Some("d")) => ColumnKind::DefaultIdentity,
            _ => ColumnKind::Plain,
        }
    }
}

impl Sequence {
    fn read(values: &[Option<String>]) -> Option<Sequence> {
        let [column, name, qualified, integer, start, increment, bounds] = values else {
            return None;
        };
        Some(Sequence {
            column: column.clone()?,
            name: name.clone()?,
            qualified: qualified.clone()?,
            integer: integer.clone()?,
            start: start.as_ref()?.parse().ok()?,
            increment: increment.as_ref()?.parse().ok()?,
            bounds: bounds.clone()?,
        })
    }
}

pub fn refused(table: &str, function: &str) -> ClientError {
    ClientError::unsupported(format!("herd.{function} cannot be used on \"{table}\""))
}
