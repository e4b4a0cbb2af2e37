//! Which kind of object a CREATE, ALTER or DROP is about, and who plans it.

use super::{
    Planned, alter_table, attached, broadcast, create_table, function, index, role, schema,
    sequence, view,
};
use crate::cursor::Cursor;
use crate::ddl::request::Request;

/// What can be created, altered, dropped, commented or granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    Table,
    ForeignTable,
    View,
    MaterializedView,
    Index,
    Sequence,
    Statistics,
    Trigger,
    Policy,
    Rule,
    Schema,
    Role,
    Routine,
    /// On every node alike: types, operators, extensions and so on.
    Shared,
    /// Of the home node alone: publications, foreign servers and so on.
    HomeOnly,
    Owned,
}

/// Longer names stand before shorter ones that they begin with.
const OBJECTS: [(&[&str], Object); 43] = [
    (&["table"], Object::Table),
    (&["foreign", "table"], Object::ForeignTable),
    (&["foreign", "data", "wrapper"], Object::HomeOnly),
    (&["materialized", "view"], Object::MaterializedView),
    (&["view"], Object::View),
    (&["index"], Object::Index),
    (&["sequence"], Object::Sequence),
    (&["statistics"], Object::Statistics),
    (&["event", "trigger"], Object::HomeOnly),
    (&["trigger"], Object::Trigger),
    (&["policy"], Object::Policy),
    (&["rule"], Object::Rule),
    (&["schema"], Object::Schema),
    (&["user", "mapping"], Object::HomeOnly),
    (&["role"], Object::Role),
    (&["user"], Object::Role),
    (&["group"], Object::Role),
    (&["function"], Object::Routine),
    (&["procedure"], Object::Routine),
    (&["routine"], Object::Routine),
    (&["aggregate"], Object::Routine),
    (&["type"], Object::Shared),
    (&["domain"], Object::Shared),
    (&["operator", "class"], Object::Shared),
    (&["operator", "family"], Object::Shared),
    (&["operator"], Object::Shared),
    (&["extension"], Object::Shared),
    (&["collation"], Object::Shared),
    (&["conversion"], Object::Shared),
    (&["cast"], Object::Shared),
    (&["transform"], Object::Shared),
    (&["language"], Object::Shared),
    (&["text", "search", "configuration"], Object::Shared),
    (&["text", "search", "dictionary"], Object::Shared),
    (&["text", "search", "parser"], Object::Shared),
    (&["text", "search", "template"], Object::Shared),
    (&["access", "method"], Object::Shared),
    (&["server"], Object::HomeOnly),
    (&["publication"], Object::HomeOnly),
    (&["subscription"], Object::HomeOnly),
    (&["database"], Object::HomeOnly),
    (&["tablespace"], Object::HomeOnly),
    (&["owned"], Object::Owned),
];

/// Reads the words that say what an object is, and gives them in capitals.
pub fn read_object(cursor: &mut Cursor<'_>) -> Option<(Object, String)> {
    let (words, object) = OBJECTS.iter().find(|(words, _)| cursor.words(words))?;
    Some((*object, words.join(" ").to_uppercase()))
}

pub fn plan_create(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.words(&["or", "replace"]);
    if cursor.sees("unique") || cursor.sees("index") {
        return index::plan_create(request, cursor);
    }
    cursor.one_of(&["global", "local"]);
    let is_temporary = cursor.one_of(&["temp", "temporary"]).is_some();
    for word in ["unlogged", "recursive", "constraint", "default", "trusted", "procedural"] {
        cursor.word(word);
    }
    let Some((object, kind)) = read_object(&mut cursor) else {
        return request.at_home();
    };
    let tag = format!("CREATE {kind}");
    match object {
        Object::Table => create_table::plan(request, cursor, is_temporary),
        Object::View | Object::MaterializedView => {
            view::plan_create(request, cursor, &tag, is_temporary)
        }
        Object::Sequence => sequence::plan_create(request, cursor, is_temporary),
        Object::ForeignTable => view::plan_new_relation(request, cursor, &tag),
        Object::Index => index::plan_create(request, cursor),
        Object::Statistics => attached::plan_statistics(request, cursor),
        Object::Trigger => attached::plan_create_trigger(request, cursor),
        Object::Policy => attached::plan_policy(request, cursor, &tag),
        Object::Rule => attached::plan_create_rule(request, cursor),
        Object::Schema => schema::plan_create(request, cursor),
        Object::Role => role::plan(request, cursor, "CREATE ROLE"),
        Object::Routine => function::plan_create(request, cursor, &tag),
        Object::Shared => broadcast::plan_create(request, cursor, &tag),
        Object::HomeOnly => plan_home_only(request, cursor, &tag),
        Object::Owned => request.at_home(),
    }
}

pub fn plan_alter(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    if cursor.words(&["default", "privileges"]) {
        return broadcast::plan_alter(request, "ALTER DEFAULT PRIVILEGES", "");
    }
    cursor.word("procedural");
    let at_database = cursor.sees("database");
    let Some((object, kind)) = read_object(&mut cursor) else {
        return request.at_home();
    };
    let tag = format!("ALTER {kind}");
    match object {
        Object::Table => alter_table::plan(request, cursor),
        Object::Index => index::plan_alter(request, cursor),
        Object::Sequence => sequence::plan_alter(request, cursor),
        Object::View | Object::MaterializedView | Object::ForeignTable => {
            view::plan_alter(request, cursor, &tag)
        }
        Object::Trigger => attached::plan_on_table(request, cursor, &tag),
        Object::Policy => attached::plan_policy(request, cursor, &tag),
        Object::Rule => request.at_home(),
        Object::Statistics => broadcast::plan_alter(request, &tag, &name_of(cursor)),
        Object::Schema => schema::plan_alter(request, cursor),
        Object::Role => role::plan(request, cursor, "ALTER ROLE"),
        Object::Routine => function::plan_alter(request, cursor, &tag),
        Object::Shared => broadcast::plan_alter(request, &tag, &name_of(cursor)),
        Object::HomeOnly if at_database => broadcast::plan_alter(request, &tag, &name_of(cursor)),
        Object::HomeOnly => plan_home_only(request, cursor, &tag),
        Object::Owned => request.at_home(),
    }
}

/// The name that follows, for the summary of a job.
pub fn name_of(mut cursor: Cursor<'_>) -> String {
    cursor.words(&["if", "not", "exists"]);
    cursor.words(&["if", "exists"]);
    cursor.words(&["for"]);
    let Some(name) = cursor.name() else {
        return String::new();
    };
    match name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.into_owned(),
    }
}

/// A publication of the home node would carry only what is there of a logical table.
fn plan_home_only(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    if tag.ends_with("PUBLICATION") {
        let names = cursor.rest().iter().filter(|token| token.kind.is_identifier());
        let sql = request.sql.as_bytes();
        for name in names.filter_map(|token| token.identifier(sql)) {
            if request.catalog.knows_name(&name) {
                return Err(view::refuse_partial("publication", &name).into());
            }
        }
    }
    request.at_home()
}
