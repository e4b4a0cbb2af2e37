//! CREATE INDEX CONCURRENTLY on a table that lies on several nodes.
//!
//! A reference table is indexed node by node. Of a fragmented one, the parent gets an index that
//! is not valid yet on all nodes at once; every fragment is then indexed concurrently, and its
//! index attached, until the parent's becomes valid by itself.

use herd_catalog::{Fragment, Table, TableName, quote_identifier};
use herd_types::{ClientError, SqlState};

use super::Planned;
use super::definition::{Concurrent, Definition, Procedure, Script};
use super::facts::Stop;
use super::index::CreateIndex;
use super::request::Request;
use super::splice::Splice;
use super::sql::{IDENTIFIER_BYTES_MAX, clip};
use crate::ddl::Outcome;

pub fn plan(request: &Request<'_>, parts: &CreateIndex<'_>, table: &Table, name: &str) -> Planned {
    let index = TableName::new(&table.name.schema, name);
    // The home node knows what to say when there is one already.
    if request.facts.relation(Some(&index.schema), &index.name)?.is_some() {
        return Ok(Outcome::Home);
    }
    let concurrent = match table.fragmentation() {
        None => of_reference(request, parts, &index)?,
        Some(cut) => of_fragmented(request, parts, table, &index, cut.fragments())?,
    };
    Ok(Outcome::Define(Box::new(Definition {
        tag: "CREATE INDEX".to_owned(),
        summary: format!("CREATE INDEX CONCURRENTLY {name}"),
        procedure: Procedure::Concurrent(concurrent),
        notices: Vec::new(),
    })))
}

fn of_reference(
    request: &Request<'_>,
    parts: &CreateIndex<'_>,
    index: &TableName,
) -> Result<Concurrent, Stop> {
    let nodes = request.all_nodes()?;
    let mut splice = Splice::new(request.sql);
    splice.replace(parts.head.clone(), format!("{} ", quote_identifier(&index.name)));
    splice.cut(parts.only.clone());
    let (mut build, mut undo) = (Script::default(), Script::default());
    build.on_each(&nodes, splice.render(request.span()));
    undo.on_each(&nodes, drop_index(index));
    Ok(Concurrent { begin: Script::default(), build, undo })
}

fn of_fragmented(
    request: &Request<'_>,
    parts: &CreateIndex<'_>,
    table: &Table,
    index: &TableName,
    fragments: &[Fragment],
) -> Result<Concurrent, Stop> {
    let nodes = request.all_nodes()?;
    let pieces = fragments.iter().map(|fragment| piece_name(index, fragment)).collect::<Vec<_>>();
    check_free(request, &pieces)?;
    let mut splice = Splice::new(request.sql);
    splice.cut(parts.concurrently.clone());
    splice.replace(parts.head.clone(), format!("{} ", quote_identifier(&index.name)));
    splice.replace(parts.only.clone(), "ONLY ");
    let mut begin = Script::default();
    begin.on_each(&nodes, splice.render(request.span()));

    let (mut build, mut undo) = (Script::default(), Script::default());
    undo.on_each(&nodes, drop_index(index));
    for (fragment, piece) in fragments.iter().zip(&pieces) {
        let mut splice = Splice::new(request.sql);
        splice.replace(parts.head.clone(), format!("{} ", quote_identifier(&piece.name)));
        splice.cut(parts.only.clone());
        splice.replace(parts.table.span.clone(), fragment.name.quoted());
        build.on(fragment.primary, splice.render(request.span()));
        let attach = format!("ALTER INDEX {} ATTACH PARTITION {}", index.quoted(), piece.quoted());
        build.on(fragment.primary, attach);
        undo.on(fragment.primary, drop_index(piece));
    }
    debug_assert_eq!(table.name.schema, index.schema);
    Ok(Concurrent { begin, build, undo })
}

/// The index of one fragment lies in the fragment's schema.
fn piece_name(index: &TableName, fragment: &Fragment) -> TableName {
    let suffix = format!("_{}", fragment.id.index);
    let stem = clip(&index.name, IDENTIFIER_BYTES_MAX - suffix.len());
    TableName::new(&fragment.name.schema, format!("{stem}{suffix}"))
}

/// Undoing must not take away what was there before.
fn check_free(request: &Request<'_>, pieces: &[TableName]) -> Result<(), Stop> {
    for piece in pieces {
        let names = pieces.iter().filter(|other| other.schema == piece.schema);
        let names = names.map(|other| other.name.clone()).collect();
        if request.facts.taken(&piece.schema, names)?.contains(&piece.name) {
            return Err(name_taken(piece).into());
        }
    }
    Ok(())
}

fn drop_index(index: &TableName) -> String {
    format!("DROP INDEX IF EXISTS {}", index.quoted())
}

fn name_taken(name: &TableName) -> ClientError {
    ClientError::error(
        SqlState::DUPLICATE_TABLE,
        format!("relation \"{}\" already exists", name.name),
    )
    .with_detail("The index of a fragment would be called so.")
    .with_hint("Give the new index another name.")
}
