//! COMMENT ON and SECURITY LABEL: on every node that has what they are about.

use super::definition::Observe;
use super::objects::{Object, name_of, read_object};
use super::request::Request;
use super::{Planned, broadcast};
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

pub fn plan(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.word("label");
    if cursor.word("for") {
        cursor.advance();
    }
    if !cursor.word("on") {
        return request.at_home();
    }
    if cursor.word("column") {
        return plan_column(request, cursor, tag);
    }
    if cursor.word("constraint") {
        return plan_part_of_table(request, cursor, tag);
    }
    if cursor.word("database") {
        return broadcast::plan_alter(request, tag, &name_of(cursor));
    }
    cursor.word("procedural");
    let Some((object, _)) = read_object(&mut cursor) else {
        return request.at_home();
    };
    match object {
        Object::Table | Object::ForeignTable | Object::View | Object::MaterializedView => {
            let Some(name) = cursor.name() else { return request.at_home() };
            let named = request.table_named(&name)?;
            request.wherever(&named, tag, &name.name, Observe::None)
        }
        Object::Index | Object::Sequence => {
            let Some(name) = cursor.name() else { return request.at_home() };
            let named = request.named(&name)?;
            request.wherever(&named, tag, &name.name, Observe::None)
        }
        Object::Trigger | Object::Policy | Object::Rule => plan_part_of_table(request, cursor, tag),
        Object::Schema | Object::Role | Object::Routine | Object::Shared | Object::Statistics => {
            broadcast::plan_alter(request, tag, &name_of(cursor))
        }
        Object::HomeOnly | Object::Owned => request.at_home(),
    }
}

/// `name ON [DOMAIN] table IS …`
fn plan_part_of_table(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.identifier();
    if !cursor.word("on") {
        return request.at_home();
    }
    if cursor.word("domain") {
        return broadcast::plan_alter(request, tag, &name_of(cursor));
    }
    let Some(table) = cursor.name() else {
        return request.at_home();
    };
    let named = request.table_named(&table)?;
    request.wherever(&named, tag, &table.name, Observe::None)
}

/// `[[database.]schema.]table.column IS …`
fn plan_column(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    let start = cursor.offset();
    let mut parts = Vec::new();
    while let Some(part) = cursor.identifier() {
        parts.push(part);
        if cursor.kind(Kind::Dot).is_none() {
            break;
        }
    }
    parts.pop();
    let Some(name) = parts.pop() else {
        return request.at_home();
    };
    let name = Name { schema: parts.pop(), name, span: start..cursor.offset() };
    let named = request.table_named(&name)?;
    request.wherever(&named, tag, &name.name, Observe::None)
}
