//! The twin of a table: made empty under another name, completed when it has its rows, and given
//! the names of the table that it replaces.

use herd_catalog::{Fragmentation, TableName, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::names::Names;
use super::shape::{Column, ColumnKind, Sequence, Shape};
use super::steps::{Numbers, Restarted};
use crate::ddl::bounds;
use crate::ddl::definition::Script;
use crate::ddl::serial::{Counting, Stride, refuse_numbers};
use crate::ddl::sql::literal;

pub struct Twin<'a> {
    pub table: &'a TableName,
    pub names: &'a Names,
    pub shape: &'a Shape,
}

/// How the numbers of a twin's sequences follow each other.
pub enum Counts {
    /// In the stride of a fragmented table, each node from a start of its own.
    ByNode(Stride),
    /// As those of the table do.
    Alike,
    /// As those of one node did before they were put into the stride.
    Together(Stride),
}

impl Twin<'_> {
    /// The table itself, with its sequences and without indexes.
    pub fn create(
        &self,
        script: &mut Script,
        node: NodeId,
        counts: &Counts,
        partition_by: Option<&str>,
    ) -> Result<(), ClientError> {
        let twin = self.names.twin().quoted();
        let mut elements = Vec::new();
        for column in &self.shape.columns {
            elements.push(self.column_text(column, node, counts)?);
        }
        for (name, definition) in &self.shape.checks {
            elements.push(format!("CONSTRAINT {} {definition}", quote_identifier(name)));
        }
        for (place, sequence) in self.owned_sequences() {
            let (increment, start) = counts.of(sequence, node)?;
            script.on(
                node,
                format!(
                    "CREATE SEQUENCE {} AS {} INCREMENT BY {increment} START WITH {start} {}",
                    self.names.sequence(place).quoted(),
                    sequence.integer,
                    sequence.bounds
                ),
            );
        }
        let elements = elements.join(", ");
        let text = match partition_by {
            Some(by) => format!("CREATE TABLE {twin} ({elements}) {by}"),
            None => {
                let (unlogged, tail) = self.storage();
                format!("CREATE {unlogged}TABLE {twin} ({elements}){tail}")
            }
        };
        script.on(node, text);
        for (place, sequence) in self.owned_sequences() {
            let name = self.names.sequence(place).quoted();
            let column = quote_identifier(&sequence.column);
            script.on(node, format!("ALTER SEQUENCE {name} OWNED BY {twin}.{column}"));
        }
        Ok(())
    }

    /// The fragments that lie on `node`.
    pub fn create_fragments(&self, script: &mut Script, node: NodeId, placed: &Fragmentation) {
        let twin = self.names.twin().quoted();
        let (unlogged, tail) = self.storage();
        for fragment in placed.fragments_on(node) {
            let (name, bound) = (fragment.name.quoted(), bounds::render(&fragment.bound));
            let text = format!("CREATE {unlogged}TABLE {name} PARTITION OF {twin} {bound}{tail}");
            script.on(node, text);
        }
    }

    /// What concerns how rows are stored.
    pub fn prepare(&self, script: &mut Script, node: NodeId) {
        let twin = self.names.twin().quoted();
        for action in &self.shape.early {
            script.on(node, format!("ALTER TABLE {twin} {action}"));
        }
    }

    /// Indexes, the primary key's among them, and what the planner wants to know.
    pub fn build(&self, script: &mut Script, node: NodeId) {
        let twin = self.names.twin().quoted();
        for (place, index) in self.shape.indexes.iter().enumerate() {
            let name = quote_identifier(&self.names.index(place).name);
            let text = match &index.constraint {
                Some(definition) => {
                    format!("ALTER TABLE {twin} ADD CONSTRAINT {name} {definition}")
                }
                None if index.is_unique => {
                    format!("CREATE UNIQUE INDEX {name} ON {twin}{}", index.tail)
                }
                None => format!("CREATE INDEX {name} ON {twin}{}", index.tail),
            };
            script.on(node, text);
        }
        script.on(node, format!("ANALYZE {twin}"));
    }

    /// The names of the table, which is gone from this node or was never there.
    pub fn rename(&self, script: &mut Script, node: NodeId) {
        let table = self.table.quoted();
        let twin = self.names.twin().quoted();
        script.on(
            node,
            format!("ALTER TABLE {twin} RENAME TO {}", quote_identifier(&self.table.name)),
        );
        for (place, index) in self.shape.indexes.iter().enumerate() {
            let (old, new) = (self.names.index(place), quote_identifier(&index.name));
            let text = match index.constraint {
                Some(_) => {
                    let old = quote_identifier(&old.name);
                    format!("ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
                }
                None => format!("ALTER INDEX {} RENAME TO {new}", old.quoted()),
            };
            script.on(node, text);
        }
        for (place, sequence) in self.shape.sequences.iter().enumerate() {
            let (old, new) = (self.names.sequence(place), quote_identifier(&sequence.name));
            script.on(node, format!("ALTER SEQUENCE {} RENAME TO {new}", old.quoted()));
        }
    }

    /// Owner, rights, triggers, comments.
    pub fn complete(&self, script: &mut Script, node: NodeId) {
        for statement in &self.shape.after {
            script.on(node, statement.as_str());
        }
    }

    pub fn undo(&self, script: &mut Script, nodes: &[NodeId]) {
        script.on_each(nodes, format!("DROP TABLE IF EXISTS {}", self.names.twin().quoted()));
    }

    pub fn numbers(&self, nodes: &[NodeId], counts: &Counts) -> Vec<Numbers> {
        let numbers = |(place, sequence): (usize, &Sequence)| Numbers {
            read: format!(
                "SELECT CASE WHEN is_called THEN last_value OPERATOR(pg_catalog.+) ({}) \
                 ELSE last_value END FROM {}",
                counts.unit(sequence),
                sequence.qualified
            ),
            is_descending: sequence.increment < 0,
            restarted: nodes
                .iter()
                .map(|&node| Restarted {
                    node,
                    sequence: self.names.sequence(place),
                    ahead: counts.ahead(sequence, node),
                })
                .collect(),
        };
        self.shape.sequences.iter().enumerate().map(numbers).collect()
    }

    fn column_text(
        &self,
        column: &Column,
        node: NodeId,
        counts: &Counts,
    ) -> Result<String, ClientError> {
        let mut text = format!("{} {}", quote_identifier(&column.name), column.type_name);
        if let Some(collation) = &column.collation {
            text += &format!(" COLLATE {collation}");
        }
        if column.not_null {
            text += " NOT NULL";
        }
        let identity = match (column.kind, &column.expression) {
            (ColumnKind::Plain, Some(default)) => {
                text += &format!(" DEFAULT {}", self.with_own_sequences(default));
                return Ok(text);
            }
            (ColumnKind::Generated, Some(expression)) => {
                text += &format!(" GENERATED ALWAYS AS ({expression}) STORED");
                return Ok(text);
            }
            (ColumnKind::AlwaysIdentity, _) => "ALWAYS",
            (ColumnKind::DefaultIdentity, _) => "BY DEFAULT",
            (ColumnKind::Plain | ColumnKind::Generated, None) => return Ok(text),
        };
        let mut own = self.shape.sequences.iter().enumerate();
        if let Some((place, sequence)) = own.find(|(_, it)| it.column == column.name) {
            let (increment, start) = counts.of(sequence, node)?;
            let name = self.names.sequence(place).quoted();
            text += &format!(
                " GENERATED {identity} AS IDENTITY (SEQUENCE NAME {name} \
                 INCREMENT BY {increment} START WITH {start} {})",
                sequence.bounds
            );
        }
        Ok(text)
    }

    /// Sequences of serial columns; those of identity columns come with the table.
    fn owned_sequences(&self) -> impl Iterator<Item = (usize, &Sequence)> {
        let is_owned = |sequence: &Sequence| {
            let column = self.shape.column(&sequence.column);
            column.is_some_and(|column| column.kind == ColumnKind::Plain)
        };
        let sequences = self.shape.sequences.iter().enumerate();
        sequences.filter(move |(_, sequence)| is_owned(sequence))
    }

    fn with_own_sequences(&self, default: &str) -> String {
        let sequences = self.shape.sequences.iter().enumerate();
        sequences.fold(default.to_owned(), |text, (place, sequence)| {
            let own = literal(&self.names.sequence(place).quoted());
            text.replace(&literal(&sequence.qualified), &own)
        })
    }

    /// What stands before and after the name of a table that has rows.
    fn storage(&self) -> (&'static str, String) {
        let shape = self.shape;
        let mut tail = String::new();
        if let Some(method) = &shape.using {
            tail += &format!(" USING {method}");
        }
        if let Some(parameters) = &shape.with {
            tail += &format!(" WITH ({parameters})");
        }
        if let Some(tablespace) = &shape.tablespace {
            tail += &format!(" TABLESPACE {tablespace}");
        }
        (if shape.is_unlogged { "UNLOGGED " } else { "" }, tail)
    }
}

impl Counts {
    /// Increment and start of the twin's sequence on `node`.
    fn of(&self, sequence: &Sequence, node: NodeId) -> Result<(i64, i64), ClientError> {
        let plain = Counting { increment: sequence.increment, start: sequence.start };
        match self {
            Counts::ByNode(stride) => stride.counting(node, &plain).ok_or_else(refuse_numbers),
            Counts::Alike => Ok((sequence.increment, sequence.start)),
            Counts::Together(stride) => stride.undone(node, &plain).ok_or_else(refuse_numbers),
        }
    }

    /// How far the next number is from one that was given out.
    fn unit(&self, sequence: &Sequence) -> i64 {
        match self {
            Counts::ByNode(_) | Counts::Alike => sequence.increment,
            Counts::Together(stride) => sequence.increment / stride.step().max(1),
        }
    }

    /// How far from the next number the sequence of `node` begins.
    fn ahead(&self, sequence: &Sequence, node: NodeId) -> i64 {
        match self {
            Counts::ByNode(stride) => sequence.increment.saturating_mul(stride.offset(node)),
            Counts::Alike | Counts::Together(_) => 0,
        }
    }
}
