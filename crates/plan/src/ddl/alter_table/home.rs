//! ALTER TABLE of a table that only the home node has.

use super::{AlterTable, TAG};
use crate::cursor::Cursor;
use crate::ddl::elements::{self, ConstraintKind, Element};
use crate::ddl::options::split_at_commas;
use crate::ddl::request::{Named, Request};
use crate::ddl::view::{plan_renaming, refuse_mention};
use crate::ddl::{Planned, Stop, foreign_key};

pub fn plan(request: &Request<'_>, alter: &AlterTable<'_>) -> Planned {
    let sql = request.sql.as_bytes();
    for item in split_at_commas(alter.rest) {
        let mut cursor = Cursor::new(sql, item);
        if cursor.word("add") {
            check_added(request, cursor)?;
        } else if cursor.word("inherit") || cursor.words(&["attach", "partition"]) {
            check_parent(request, cursor)?;
        }
    }
    plan_renaming(request, Cursor::new(sql, alter.rest), &alter.name, TAG)
}

/// `[COLUMN] [IF NOT EXISTS] column` or a constraint.
fn check_added(request: &Request<'_>, mut cursor: Cursor<'_>) -> Result<(), Stop> {
    cursor.word("column");
    cursor.words(&["if", "not", "exists"]);
    let constraints = match elements::read(cursor.sql(), cursor.rest()) {
        Element::Column(column) => column.constraints,
        Element::Constraint(constraint) => vec![constraint],
        Element::Like(_) | Element::Unknown => Vec::new(),
    };
    for constraint in constraints {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            foreign_key::check_of_home(request, key)?;
        }
    }
    Ok(())
}

fn check_parent(request: &Request<'_>, mut cursor: Cursor<'_>) -> Result<(), Stop> {
    let Some(other) = cursor.name() else {
        return Ok(());
    };
    match request.table_named(&other)? {
        Named::Nothing | Named::Home => Ok(()),
        _ => Err(refuse_mention(TAG, &other.name).into()),
    }
}
