//! ALTER TABLE: of a table that lies on several nodes, on all of them at once.
//!
//! PostgreSQL passes on to the partitions what it can. What it cannot, Herd does on each fragment:
//! foreign keys, storage parameters, owners and names.

mod actions;
mod add_column;
mod home;
mod rename;

use std::sync::Arc;

use herd_catalog::{Method, Table};
use herd_types::{ClientError, SqlState};

use self::actions::Actions;
use super::Planned;
use super::definition::{Observe, Publish};
use super::request::{Named, Request, refuse_fragment};
use super::splice::Splice;
use crate::cursor::{Cursor, Name};
use crate::lex::Token;

const TAG: &str = "ALTER TABLE";

/// `ALTER TABLE [IF EXISTS] [ONLY] name [*] …`
pub struct AlterTable<'a> {
    pub name: Name<'a>,
    /// From ALTER to the first action, without ONLY: what is done to a table is done to all its
    /// fragments.
    prefix: String,
    /// The actions.
    pub rest: &'a [Token],
}

impl<'a> AlterTable<'a> {
    fn read(request: &Request<'a>, mut cursor: Cursor<'a>) -> Option<AlterTable<'a>> {
        cursor.words(&["if", "exists"]);
        let only = super::index::span_of_word(&mut cursor, "only");
        let name = cursor.name()?;
        let star = cursor.offset();
        let star = if cursor.operator("*") { star..cursor.offset() } else { star..star };
        let mut splice = Splice::new(request.sql);
        splice.cut(only);
        splice.cut(star);
        let prefix = splice.render(request.span().start..cursor.offset());
        Some(AlterTable { name, prefix, rest: cursor.rest() })
    }

    /// A statement that does `action` to the whole table.
    pub fn statement(&self, action: &str) -> String {
        format!("{} {action}", self.prefix.trim_end())
    }
}

pub fn plan(request: &Request<'_>, cursor: Cursor<'_>) -> Planned {
    if cursor.sees("all") && cursor.sees_at(1, "in") {
        return request.at_home();
    }
    let Some(alter) = AlterTable::read(request, cursor) else {
        return request.at_home();
    };
    let named = request.named(&alter.name)?;
    match &named {
        Named::Nothing | Named::Home => home::plan(request, &alter),
        Named::Table(table) => plan_logical(request, &alter, table),
        Named::Fragment(table, position) => plan_fragment(request, &alter, table, *position),
        Named::PartOf(_, table) => {
            let observe = Observe::Tables(vec![table.id]);
            request.wherever(&named, TAG, &alter.name.name, observe)
        }
        Named::PartOfFragment(..) => request.wherever(&named, TAG, &alter.name.name, Observe::None),
    }
}

fn plan_logical(request: &Request<'_>, alter: &AlterTable<'_>, table: &Arc<Table>) -> Planned {
    let sql = request.sql.as_bytes();
    let mut cursor = Cursor::new(sql, alter.rest);
    if cursor.words(&["rename", "to"]) {
        return rename::plan_rename(request, alter, table, &mut cursor);
    }
    if cursor.words(&["set", "schema"]) {
        return rename::plan_set_schema(request, alter, table, &mut cursor);
    }
    if cursor.words(&["attach", "partition"]) || cursor.words(&["detach", "partition"]) {
        return Err(refuse_attach(table).into());
    }
    let mut actions = Actions::new(request, alter, table);
    actions.read_all()?;
    let script = actions.into_script()?;
    let observe = Observe::Tables(vec![table.id]);
    let publish = Publish { observe, ..Publish::default() };
    Ok(request.define(TAG, &table.name.to_string(), script, publish))
}

/// A fragment of a table cut by range or list has a name of the user's own choice.
fn plan_fragment(
    request: &Request<'_>,
    alter: &AlterTable<'_>,
    table: &Arc<Table>,
    position: usize,
) -> Planned {
    let cut = table.fragmentation().filter(|cut| cut.method() != Method::Hash);
    let Some(fragment) = cut.and_then(|cut| cut.fragments().get(position)) else {
        return Err(refuse_fragment(TAG, table).into());
    };
    let sql = request.sql.as_bytes();
    let mut cursor = Cursor::new(sql, alter.rest);
    if cursor.words(&["rename", "to"]) {
        return rename::plan_rename_fragment(request, alter, fragment, &mut cursor);
    }
    Err(refuse_fragment(TAG, table).into())
}

fn refuse_attach(table: &Table) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("fragments of \"{}\" are attached and detached by Herd", table.name.name),
    )
    .with_hint(
        "Use CREATE TABLE … PARTITION OF to add a fragment, and DROP TABLE to take one away.",
    )
}
