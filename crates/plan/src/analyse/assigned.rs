//! Keys that are stored: by INSERT, and by an UPDATE of the key.

use std::borrow::Cow;
use std::sync::Arc;

use herd_catalog::{Fragmentation, KeyColumn, KeyType, Table};
use smallvec::SmallVec;

use super::Analysis;
use super::graph::{ColumnId, RegionId, RelationId, same_keys};
use super::insert::Target;
use super::scope::Scope;
use crate::route::{KeyConstant, KeyRoute, Need, Part, Proof, Rows, Source, Whole};
use crate::statement::{Assignment, Expr, Ident};

/// The keys that a statement stores in one table.
pub(super) struct Assigned {
    pub(super) table: Arc<Table>,
    /// The table as the statement calls it.
    pub(super) name: Box<str>,
    pub(super) keys: Keys,
}

pub(super) enum Keys {
    /// One for each row of VALUES.
    Rows(Vec<Box<[KeyConstant]>>),
    /// One value for each column of the key.
    Columns(Vec<Stored>),
    /// They are made on the server.
    Unknown { why: Cow<'static, str>, hint: &'static str },
}

/// What is stored in a column of the key.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    Constant(KeyConstant),
    /// A column, in the rows of a region.
    Column(ColumnId, RegionId),
}

pub(super) const GIVE_THE_KEY: &str = "Give the key in the statement, as a constant or parameter.";

impl Analysis<'_> {
    /// Where the key columns stand in a row for `columns`, or in one for all columns.
    pub(super) fn key_places(table: &Table, columns: &[Ident]) -> Vec<Option<usize>> {
        let key = table.fragmentation().map_or(&[][..], Fragmentation::key);
        key.iter()
            .map(|key| {
                if columns.is_empty() {
                    return Some(key.column);
                }
                let name = &table.columns[key.column].name;
                columns.iter().position(|column| *column.text == **name)
            })
            .collect()
    }

    /// What is stored in a key column that the statement does not give.
    pub(super) fn omitted(table: &Table, key: &KeyColumn) -> Result<KeyConstant, Keys> {
        let column = &table.columns[key.column];
        if column.has_default || column.generated {
            let why = format!("the key column {} is left to its default", column.name);
            return Err(Keys::Unknown { why: why.into(), hint: GIVE_THE_KEY });
        }
        Ok(null(key.key_type))
    }

    /// An expression that is stored in a key column.
    pub(super) fn stored_value(
        &mut self,
        expr: &Expr,
        table: &Table,
        key: &KeyColumn,
        scope: &Scope<'_>,
        region: RegionId,
    ) -> Result<Stored, Keys> {
        if matches!(expr, Expr::Default) {
            return Self::omitted(table, key).map(Stored::Constant);
        }
        if let Some(constant) = self.compared(expr, key.key_type) {
            return Ok(Stored::Constant(KeyConstant { null_matches: true, ..constant }));
        }
        match self.column(expr, scope) {
            Some(column) => Ok(Stored::Column(column, region)),
            None => {
                let name = &table.columns[key.column].name;
                let why = format!("what is stored in its key column {name} is an expression");
                Err(Keys::Unknown { why: why.into(), hint: GIVE_THE_KEY })
            }
        }
    }

    /// The keys that rows have after SET, if it changes the key at all.
    pub(super) fn updated_key(
        &mut self,
        target: &Target,
        assignments: &[Assignment],
        relation: RelationId,
        scope: &Scope<'_>,
        region: RegionId,
    ) {
        let table = Arc::clone(&target.table);
        let key = table.fragmentation().map_or(&[][..], Fragmentation::key);
        let mut values = Vec::new();
        let mut changes = false;
        for key in key {
            let own = ColumnId { relation, column: key.column as u32 };
            let value = match value_for(assignments, &table.columns[key.column].name) {
                Given::Nothing => Ok(Stored::Column(own, region)),
                Given::Expr(expr) if self.column(expr, scope) == Some(own) => {
                    Ok(Stored::Column(own, region))
                }
                Given::Expr(expr) => {
                    changes = true;
                    self.stored_value(expr, &table, key, scope, region)
                }
                Given::PartOfRow => {
                    let why = "its key is set from a row or a subquery";
                    Err(Keys::Unknown { why: why.into(), hint: GIVE_THE_KEY })
                }
            };
            match value {
                Ok(value) => values.push(value),
                Err(keys) => return self.assign(&table, &target.name, keys),
            }
        }
        if changes {
            self.assign(&table, &target.name, Keys::Columns(values));
        }
    }

    pub(super) fn assign(&mut self, table: &Arc<Table>, name: &str, keys: Keys) {
        self.assigned.push(Assigned { table: Arc::clone(table), name: name.into(), keys });
    }

    /// The need for the fragments where the keys belong.
    pub(super) fn need_of(&self, assigned: &Assigned) -> Need {
        let Assigned { table, name, keys } = assigned;
        let whole = |why: Cow<'static, str>, hint: &'static str| {
            let hint = Some(hint.into());
            Need::Whole(Whole { table: table.id, name: name.clone(), why, hint })
        };
        let parts: Result<SmallVec<[Part; 1]>, Need> = match keys {
            Keys::Unknown { why, hint } => Err(whole(why.clone(), hint)),
            Keys::Rows(rows) => {
                let width = rows.first().map_or(0, |row| row.len());
                let columns = (0..width).map(|column| column as u8).collect();
                let rows = match rows.as_slice() {
                    [row] if width == 1 => Rows::One(row[0]),
                    rows => Rows::Many(rows.into()),
                };
                Ok(smallvec::smallvec![Part { columns, rows: self.inferred(rows) }])
            }
            Keys::Columns(values) => values
                .iter()
                .enumerate()
                .map(|(position, value)| {
                    let rows = self.stored_rows(*value, table, position);
                    let rows = rows.ok_or_else(|| {
                        whole("the keys to be stored are not known".into(), GIVE_THE_KEY)
                    })?;
                    let columns = smallvec::smallvec![position as u8];
                    Ok(Part { columns, rows: self.inferred(rows) })
                })
                .collect(),
        };
        match parts {
            Ok(parts) => Need::Keys(KeyRoute {
                table: table.id,
                name: name.clone(),
                proofs: Box::new([Proof::Keys(parts)]),
                stored: true,
            }),
            Err(need) => need,
        }
    }

    /// The values that may be stored in the `position`-th column of the key.
    fn stored_rows(&self, value: Stored, table: &Table, position: usize) -> Option<Rows> {
        match value {
            Stored::Constant(constant) => Some(Rows::One(constant)),
            Stored::Column(column, region) => {
                let key = table.fragmentation()?.key().get(position)?;
                let is_same = self
                    .graph
                    .key_type(column)
                    .is_some_and(|column_type| same_keys(column_type, key.key_type));
                if !is_same || self.graph.is_nullable(column, region) {
                    return None;
                }
                let class = self.graph.class(column);
                self.graph.single_values(&class).into_iter().next()
            }
        }
    }
}

pub(super) fn null(key_type: KeyType) -> KeyConstant {
    KeyConstant {
        source: Source::Null,
        cast: None,
        untyped: key_type,
        compared: key_type,
        null_matches: true,
        strict: true,
    }
}

/// What SET gives to a column.
enum Given<'e> {
    Nothing,
    Expr(&'e Expr),
    PartOfRow,
}

fn value_for<'e>(assignments: &'e [Assignment], name: &str) -> Given<'e> {
    for Assignment { columns, value } in assignments {
        let Some(index) = columns.iter().position(|column| &*column.text == name) else { continue };
        return match (columns.len(), value) {
            (1, value) => Given::Expr(value),
            (count, Expr::Row(values)) if values.len() == count => Given::Expr(&values[index]),
            _ => Given::PartOfRow,
        };
    }
    Given::Nothing
}
