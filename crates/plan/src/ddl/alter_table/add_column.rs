//! ADD COLUMN: what existing rows get must be the same as if one server had all of them.

use herd_catalog::{Table, TableName, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::AlterTable;
use crate::ddl::Stop;
use crate::ddl::columns::Column;
use crate::ddl::definition::Script;
use crate::ddl::facts::Volatility;
use crate::ddl::request::Request;
use crate::ddl::serial::{self, Stride};
use crate::ddl::serial_columns::Sequence;
use crate::ddl::splice::Splice;
use crate::ddl::sql::literal;
use crate::ddl::types::DeclaredType;
use crate::ddl::volatility;

/// A column to be added, and what has to be done about it.
pub struct AddedColumn<'a> {
    column: Column<'a>,
    sequence: Option<Sequence>,
    /// What existing rows get, evaluated once for all nodes.
    existing: Option<Existing>,
    is_fragmented: bool,
}

struct Existing {
    value: String,
    /// The default from then on.
    default: String,
}

impl<'a> AddedColumn<'a> {
    pub fn plan(
        request: &Request<'_>,
        table: &Table,
        column: Column<'a>,
    ) -> Result<AddedColumn<'a>, Stop> {
        let sql = request.sql.as_bytes();
        if serial::calls_nextval(sql, &column) {
            return Err(serial::refuse_nextval(&column.name).into());
        }
        let is_fragmented = table.fragmentation().is_some();
        let sequence = match column.declared {
            DeclaredType::Serial(integer) if is_fragmented => {
                Some(Sequence::choose(request, &table.name, &column.name, integer)?)
            }
            DeclaredType::Serial(_) => return Err(refuse_numbering(table, &column.name).into()),
            _ => None,
        };
        if column.identity.is_some() && !is_fragmented {
            return Err(refuse_numbering(table, &column.name).into());
        }
        let existing = existing(request, table, &column)?;
        Ok(AddedColumn { column, sequence, existing, is_fragmented })
    }

    pub fn before(&self, script: &mut Script, node: NodeId, stride: &Stride) {
        if let Some(sequence) = &self.sequence {
            script.on(node, sequence.create_text(stride, node));
        }
    }

    pub fn edit(
        &self,
        splice: &mut Splice<'_>,
        sql: &str,
        node: NodeId,
        stride: &Stride,
    ) -> Result<(), ClientError> {
        let column = &self.column;
        if let (Some(sequence), DeclaredType::Serial(integer)) = (&self.sequence, &column.declared)
        {
            let text = format!("{integer} {}", sequence.default_clause());
            splice.replace(column.type_span.clone(), text);
        }
        if let (Some(existing), Some(default)) = (&self.existing, &column.default) {
            splice.replace(default.span.clone(), existing.value.as_str());
        }
        match &column.identity {
            Some(identity) if self.is_fragmented => {
                stride.edit_identity(splice, sql.as_bytes(), identity, node)
            }
            _ => Ok(()),
        }
    }

    pub fn after(
        &self,
        script: &mut Script,
        node: NodeId,
        alter: &AlterTable<'_>,
        table: &TableName,
    ) {
        if let Some(sequence) = &self.sequence {
            script.on(node, sequence.owner_text(table));
        }
        if let Some(existing) = &self.existing {
            let column = quote_identifier(&self.column.name);
            let action = format!("ALTER COLUMN {column} SET DEFAULT {}", existing.default);
            script.on(node, alter.statement(&action));
        }
    }
}

/// A default such as `now()` gives one value for all existing rows, whatever node they are on.
fn existing(
    request: &Request<'_>,
    table: &Table,
    column: &Column<'_>,
) -> Result<Option<Existing>, Stop> {
    let Some(default) = &column.default else {
        return Ok(None);
    };
    match volatility::of(request, default.tokens)? {
        Volatility::Immutable => Ok(None),
        // Each row has a value of its own, and each row is on one node.
        Volatility::Volatile if table.fragmentation().is_some() => Ok(None),
        Volatility::Volatile => Err(refuse_volatile(table, &column.name).into()),
        Volatility::Stable => {
            let expression = &request.sql[default.span.clone()];
            let type_name = &request.sql[column.type_span.clone()];
            let value = request.facts.value(expression, type_name)?;
            let value = value.map_or_else(|| "NULL".to_owned(), |value| literal(&value));
            Ok(Some(Existing { value, default: expression.to_owned() }))
        }
    }
}

fn refuse_volatile(table: &Table, column: &str) -> ClientError {
    ClientError::unsupported(format!(
        "the default of column \"{column}\" would give existing rows other values on each node"
    ))
    .with_detail(format!("\"{}\" is a reference table.", table.name.name))
    .with_hint("Add the column without a default, fill it with UPDATE, then SET DEFAULT.")
}

fn refuse_numbering(table: &Table, column: &str) -> ClientError {
    ClientError::unsupported(format!(
        "column \"{column}\" would number existing rows differently on each node"
    ))
    .with_detail(format!("\"{}\" is a reference table.", table.name.name))
    .with_hint("Add a plain integer column, fill it with UPDATE, then make it an identity column.")
}
