//! CREATE, ALTER INDEX, REINDEX and CLUSTER.

use std::ops::Range;

use herd_catalog::{Table, TableName, quote_identifier};
use herd_types::{ClientError, NodeId, SqlState};

use super::definition::{Definition, Observe, Procedure, Publish, Script};
use super::facts::Stop;
use super::request::{Named, Request, refuse_fragment, refuse_part_of_fragment};
use super::splice::Splice;
use super::sql::object_name;
use super::{Outcome, Planned, concurrent, view};
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

/// Numbers that are tried to make the name of an index unique.
const NAME_ATTEMPTS_MAX: u32 = 32;

/// `CREATE [UNIQUE] INDEX …` in its parts.
pub struct CreateIndex<'a> {
    /// From CONCURRENTLY to the next word; empty when it is not there.
    pub concurrently: Range<usize>,
    /// From INDEX or CONCURRENTLY to ON: IF NOT EXISTS and the name, which is chosen if missing.
    pub head: Range<usize>,
    pub name: Option<String>,
    /// Likewise for ONLY.
    pub only: Range<usize>,
    pub table: Name<'a>,
    /// What PostgreSQL calls the columns when it chooses a name.
    columns: Vec<String>,
}

pub fn plan_create(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let Some(parts) = CreateIndex::read(&mut cursor) else {
        return request.at_home();
    };
    let table = match request.table_named(&parts.table)? {
        Named::Nothing | Named::Home => return request.at_home(),
        Named::Table(table) => table,
        Named::Fragment(table, _) => return Err(refuse_fragment("CREATE INDEX", &table).into()),
        Named::PartOf(relation, table) | Named::PartOfFragment(relation, table) => {
            return Err(refuse_part_of_fragment(&relation.name.name, &table.name.name).into());
        }
    };
    let name = match &parts.name {
        Some(name) => name.clone(),
        None => choose_name(request, &table, &parts.columns)?,
    };
    if !parts.concurrently.is_empty() {
        return concurrent::plan(request, &parts, &table, &name);
    }
    let mut splice = Splice::new(request.sql);
    splice.cut(parts.only.clone());
    if parts.name.is_none() {
        splice.insert(parts.head.end, format!("{} ", quote_identifier(&name)));
    }
    let mut script = Script::default();
    script.on_each(&request.all_nodes()?, splice.render(request.span()));
    let observe = Observe::Tables(vec![table.id]);
    let publish = Publish { observe, ..Publish::default() };
    Ok(request.define("CREATE INDEX", &name, script, publish))
}

pub fn plan_alter(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    let tag = "ALTER INDEX";
    cursor.words(&["if", "exists"]);
    let Some(name) = cursor.name() else {
        return request.at_home();
    };
    let named = request.named(&name)?;
    match &named {
        Named::Nothing | Named::Home => view::plan_renaming(request, cursor, &name, tag),
        Named::PartOf(..) if cursor.words(&["attach", "partition"]) => {
            Err(refuse_attach(&name.name).into())
        }
        Named::PartOf(_, table) | Named::Table(table) => {
            let observe = Observe::Tables(vec![table.id]);
            request.wherever(&named, tag, &name.name, observe)
        }
        _ => request.wherever(&named, tag, &name.name, Observe::None),
    }
}

pub fn plan_reindex(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.parenthesised();
    let Some(kind) = cursor.one_of(&["index", "table", "schema", "database", "system"]) else {
        return request.at_home();
    };
    cursor.word("concurrently");
    let name = cursor.name();
    match (kind, &name) {
        ("index", Some(name)) => each_node(request, "REINDEX", name, request.named(name)?),
        ("table", Some(name)) => each_node(request, "REINDEX", name, request.table_named(name)?),
        ("schema", Some(name)) => {
            let holds = |table: &Table| table.name.schema == name.name.as_ref();
            match request.catalog.tables().any(|table| holds(table)) {
                true => on_nodes(request, "REINDEX", &name.name, &request.all_nodes()?),
                false => request.at_home(),
            }
        }
        _ if request.catalog.has_tables() => {
            on_nodes(request, "REINDEX", kind, &request.all_nodes()?)
        }
        _ => request.at_home(),
    }
}

/// `CLUSTER [VERBOSE] table [USING index]`, `CLUSTER index ON table`, or of everything.
pub fn plan_cluster(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.parenthesised();
    cursor.word("verbose");
    let Some(first) = cursor.name() else {
        return match request.catalog.has_tables() {
            true => on_nodes(request, "CLUSTER", "", &request.all_nodes()?),
            false => request.at_home(),
        };
    };
    let table = if cursor.word("on") { cursor.name().unwrap_or(first) } else { first };
    each_node(request, "CLUSTER", &table, request.table_named(&table)?)
}

fn each_node(request: &Request<'_>, tag: &str, name: &Name<'_>, named: Named) -> Planned {
    if matches!(named, Named::Nothing | Named::Home) {
        return request.at_home();
    }
    if let Named::PartOfFragment(relation, table) = &named {
        return Err(refuse_part_of_fragment(&relation.name.name, &table.name.name).into());
    }
    let mut nodes = request.all_nodes()?;
    nodes.retain(|&node| request.is_on(&named, node));
    on_nodes(request, tag, &name.name, &nodes)
}

fn on_nodes(request: &Request<'_>, tag: &str, what: &str, nodes: &[NodeId]) -> Planned {
    if nodes == [request.home()] {
        return request.at_home();
    }
    let mut script = Script::default();
    script.on_each(nodes, request.text());
    Ok(Outcome::Define(Box::new(Definition {
        tag: tag.to_owned(),
        summary: format!("{tag} {what}").trim_end().to_owned(),
        procedure: Procedure::EachNode(script),
        notices: Vec::new(),
    })))
}

/// The name that PostgreSQL would choose on the home node, so that all nodes choose the same.
fn choose_name(request: &Request<'_>, table: &Table, columns: &[String]) -> Result<String, Stop> {
    let columns = columns.join("_");
    for attempt in 0..NAME_ATTEMPTS_MAX {
        let label = if attempt == 0 { "idx".to_owned() } else { format!("idx{attempt}") };
        let name = object_name(&table.name.name, &columns, &label);
        if request.facts.relation(Some(&table.name.schema), &name)?.is_none() {
            return Ok(name);
        }
    }
    Err(refuse_unnamed(&table.name).into())
}

impl<'a> CreateIndex<'a> {
    /// Reads from UNIQUE or INDEX on.
    fn read(cursor: &mut Cursor<'a>) -> Option<CreateIndex<'a>> {
        cursor.word("unique");
        cursor.word("index");
        let concurrently = span_of_word(cursor, "concurrently");
        let start = cursor.offset();
        cursor.words(&["if", "not", "exists"]);
        let name = if cursor.sees("on") { None } else { Some(cursor.name()?.name.into_owned()) };
        let head = start..cursor.offset();
        if !cursor.word("on") {
            return None;
        }
        let only = span_of_word(cursor, "only");
        let table = cursor.name()?;
        if cursor.word("using") {
            cursor.identifier()?;
        }
        let columns = index_columns(cursor)?;
        Some(CreateIndex { concurrently, head, name, only, table, columns })
    }
}

/// Reads `word`, and gives its span with the blanks after it.
pub fn span_of_word(cursor: &mut Cursor<'_>, word: &str) -> Range<usize> {
    let start = cursor.offset();
    cursor.word(word);
    start..cursor.offset()
}

fn index_columns(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    let sql = cursor.sql();
    let elements = cursor.parenthesised()?;
    let mut columns = Vec::new();
    let mut depth = 0_i32;
    let mut starts_element = true;
    for (n, token) in elements.iter().enumerate() {
        if starts_element {
            let next = elements.get(n + 1).map(|token| token.kind);
            let is_column = token.kind.is_identifier() && next != Some(Kind::LeftParen);
            let name = token.identifier(sql).filter(|_| is_column);
            columns.push(name.map_or_else(|| "expr".to_owned(), |name| name.into_owned()));
        }
        match token.kind {
            Kind::LeftParen => depth += 1,
            Kind::RightParen => depth -= 1,
            _ => {}
        }
        starts_element = token.kind == Kind::Comma && depth == 0;
    }
    Some(columns)
}

fn refuse_attach(index: &str) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("index \"{index}\" covers all fragments of its table already"),
    )
}

fn refuse_unnamed(table: &TableName) -> ClientError {
    ClientError::error(
        SqlState::DUPLICATE_OBJECT,
        format!("no free name was found for an index on \"{}\"", table.name),
    )
    .with_hint("Give the index a name.")
}
