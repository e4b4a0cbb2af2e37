//! New names and schemas. The fragments of a table cut by hash, which are named after it, go
//! along.

use herd_catalog::{Change, Fragment, Method, Table, TableName, quote_identifier};

use super::{AlterTable, TAG};
use crate::cursor::Cursor;
use crate::ddl::create_table::{fragment_name, name_taken};
use crate::ddl::definition::{Observe, Publish, Script};
use crate::ddl::request::Request;
use crate::ddl::{Planned, Stop, function};

pub fn plan_rename(
    request: &Request<'_>,
    alter: &AlterTable<'_>,
    table: &Table,
    cursor: &mut Cursor<'_>,
) -> Planned {
    let Some(name) = cursor.identifier() else {
        return request.at_home();
    };
    function::check_existing(request, &name, table.fragmentation().is_none())?;
    let to = TableName::new(&table.name.schema, &*name);
    let rename = |fragment: &Fragment| fragment_name(&to, fragment.id.index);
    let fragments = renamed(table, rename);
    check_free(request, &fragments)?;
    let change = Change::RenameTable { table: table.id, name: name.into_owned() };
    let statement = alter.statement(&format!("RENAME TO {}", quote_identifier(&to.name)));
    let of_fragment = |new: &TableName| format!("RENAME TO {}", quote_identifier(&new.name));
    finish(request, table, statement, change, &fragments, of_fragment)
}

pub fn plan_set_schema(
    request: &Request<'_>,
    alter: &AlterTable<'_>,
    table: &Table,
    cursor: &mut Cursor<'_>,
) -> Planned {
    let Some(schema) = cursor.identifier() else {
        return request.at_home();
    };
    let fragments = renamed(table, |fragment| TableName::new(&*schema, &fragment.name.name));
    check_free(request, &fragments)?;
    let action = format!("SET SCHEMA {}", quote_identifier(&schema));
    let change = Change::SetSchema { table: table.id, schema: schema.into_owned() };
    finish(request, table, alter.statement(&action), change, &fragments, |_| action.clone())
}

pub fn plan_rename_fragment(
    request: &Request<'_>,
    alter: &AlterTable<'_>,
    fragment: &Fragment,
    cursor: &mut Cursor<'_>,
) -> Planned {
    let Some(name) = cursor.identifier() else {
        return request.at_home();
    };
    let to = TableName::new(&fragment.name.schema, &*name);
    check_free(request, &[(fragment.clone(), to.clone())])?;
    let mut script = Script::default();
    let action = format!("RENAME TO {}", quote_identifier(&name));
    script.on(fragment.primary, alter.statement(&action));
    let change = Change::RenameFragment { fragment: fragment.id, name: to.clone() };
    let publish = Publish { changes: vec![change], shadows: true, ..Publish::default() };
    Ok(request.define(TAG, &to.to_string(), script, publish))
}

/// The fragments that go along, and their new names.
fn renamed(table: &Table, rename: impl Fn(&Fragment) -> TableName) -> Vec<(Fragment, TableName)> {
    let cut = table.fragmentation().filter(|cut| cut.method() == Method::Hash);
    let fragments = cut.map_or(&[][..], |cut| cut.fragments()).iter();
    fragments.map(|fragment| (fragment.clone(), rename(fragment))).collect()
}

fn check_free(request: &Request<'_>, fragments: &[(Fragment, TableName)]) -> Result<(), Stop> {
    let Some((_, first)) = fragments.first() else {
        return Ok(());
    };
    let names = fragments.iter().map(|(_, new)| new.name.clone()).collect();
    match request.facts.taken(&first.schema, names)?.first() {
        Some(taken) => Err(name_taken(taken).into()),
        None => Ok(()),
    }
}

fn finish(
    request: &Request<'_>,
    table: &Table,
    statement: String,
    change: Change,
    fragments: &[(Fragment, TableName)],
    of_fragment: impl Fn(&TableName) -> String,
) -> Planned {
    let mut script = Script::default();
    script.on_each(&request.all_nodes()?, statement);
    let mut changes = vec![change];
    for (fragment, new) in fragments {
        let action = of_fragment(new);
        script.on(fragment.primary, format!("ALTER TABLE {} {action}", fragment.name.quoted()));
        changes.push(Change::RenameFragment { fragment: fragment.id, name: new.clone() });
    }
    let observe = Observe::Tables(vec![table.id]);
    let publish = Publish { changes, observe, shadows: true };
    Ok(request.define(TAG, &table.name.to_string(), script, publish))
}
