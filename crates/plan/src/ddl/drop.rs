//! DROP of anything. Lists of relations are told apart: each name goes to the nodes that have it.

use std::ops::Range;

use herd_catalog::{Change, Method};
use herd_types::{ClientError, SqlState};

use super::definition::{Missing, Observe, Publish, Statement};
use super::lists::NameList;
use super::objects::{Object, name_of, read_object};
use super::request::{Named, Request, refuse_part_of_fragment};
use super::splice::Splice;
use super::{Planned, attached, broadcast};
use crate::cursor::Cursor;

pub fn plan(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.word("procedural");
    let Some((object, kind)) = read_object(&mut cursor) else {
        return request.at_home();
    };
    let tag = format!("DROP {kind}");
    match object {
        Object::Table
        | Object::ForeignTable
        | Object::View
        | Object::MaterializedView
        | Object::Index
        | Object::Sequence => plan_relations(request, cursor, object, &tag),
        Object::Trigger | Object::Policy => attached::plan_on_table(request, cursor, &tag),
        Object::Rule | Object::HomeOnly => request.at_home(),
        Object::Owned => broadcast::plan_owned(request, "DROP OWNED"),
        Object::Role => plan_everywhere(request, cursor, "DROP ROLE"),
        Object::Schema | Object::Routine | Object::Shared | Object::Statistics => {
            plan_everywhere(request, cursor, &tag)
        }
    }
}

/// On home the object must be there; another node may never have had it.
fn plan_everywhere(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    let mut splice = Splice::new(request.sql);
    if !cursor.sees("if") {
        splice.insert(cursor.offset(), "IF EXISTS ");
    }
    let elsewhere =
        Statement { missing: Missing::Skips, ..Statement::from(splice.render(request.span())) };
    let observe = if ends_with_cascade(request) { Observe::All } else { Observe::None };
    broadcast::plan_with(request, tag, &name_of(cursor), elsewhere, observe)
}

fn plan_relations(
    request: &Request<'_>,
    mut cursor: Cursor<'_>,
    object: Object,
    tag: &str,
) -> Planned {
    let concurrently = cursor.offset();
    let concurrently = concurrently..concurrently + prefix_length(&mut cursor, "concurrently");
    cursor.words(&["if", "exists"]);
    let Some(list) = NameList::read(&mut cursor) else {
        return request.at_home();
    };
    let anything = matches!(object, Object::Index | Object::Sequence);
    let names = list.classify(request, anything)?;
    if names.iter().all(|(_, named)| matches!(named, Named::Nothing | Named::Home)) {
        let shadows = list.names.iter().any(|name| request.catalog.knows_name(&name.name));
        let transactional = concurrently.is_empty();
        return match shadows && transactional {
            true => request.at_home_with_shadows(tag, &list.summary()),
            false => request.at_home(),
        };
    }
    let mut splice = Splice::new(request.sql);
    splice.cut(concurrently);
    let script = list.split(request, &names, &splice)?;
    let publish = published(request, &names)?;
    Ok(request.define(tag, &list.summary(), script, publish))
}

/// Reads `word`, and gives the bytes up to the token after it.
fn prefix_length(cursor: &mut Cursor<'_>, word: &str) -> usize {
    let start = cursor.offset();
    if cursor.word(word) { cursor.offset() - start } else { 0 }
}

fn published(
    request: &Request<'_>,
    names: &[(Range<usize>, Named)],
) -> Result<Publish, ClientError> {
    let mut publish = Publish { shadows: true, ..Publish::default() };
    let mut tables = Vec::new();
    for (_, named) in names {
        match named {
            Named::Nothing | Named::Home => {}
            Named::Table(table) | Named::PartOf(_, table) => tables.push(table.id),
            Named::Fragment(table, position) => {
                let Some(cut) = table.fragmentation().filter(|cut| cut.method() != Method::Hash)
                else {
                    return Err(refuse_hash_fragment(&table.name.name));
                };
                publish.changes.push(Change::DropFragment(cut.fragments()[*position].id));
            }
            Named::PartOfFragment(relation, table) => {
                return Err(refuse_part_of_fragment(&relation.name.name, &table.name.name));
            }
        }
    }
    publish.observe = match (ends_with_cascade(request), tables.is_empty()) {
        (true, _) => Observe::All,
        (false, true) => Observe::None,
        (false, false) => Observe::Tables(tables),
    };
    Ok(publish)
}

pub fn ends_with_cascade(request: &Request<'_>) -> bool {
    request.tokens.last().is_some_and(|token| token.is_word(request.sql.as_bytes(), "cascade"))
}

fn refuse_hash_fragment(table: &str) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("a fragment of \"{table}\", which is fragmented by hash, cannot be dropped alone"),
    )
    .with_hint("DROP TABLE the whole table, or DELETE the rows.")
}
