//! CREATE TABLE: on the home node, on every node, or cut into fragments.

mod cut;
mod fragment;
mod fragmented;
mod home;
mod keys;
mod reference;
mod spec;

use herd_types::{ClientError, SqlState};

pub use self::cut::{Cut, Known, refuse_unique, table_like};
pub use self::fragment::name_taken;
pub use self::fragmented::check_fragment_names;
pub use self::spec::{foresee_spec, fragment_name, pin_placement, spec_of};
use super::clauses::{Body, CreateTable, unlogged};
use super::options::Options;
use super::request::Request;
use super::{Planned, Stop};
use crate::cursor::Cursor;

const TAG: &str = "CREATE TABLE";

/// Plans what follows TABLE.
pub fn plan(request: &Request<'_>, cursor: Cursor<'_>, is_temporary: bool) -> Planned {
    let unlogged = unlogged(request.tokens, request.sql.as_bytes());
    let Some(create) = CreateTable::read(cursor, unlogged)? else {
        return request.at_home();
    };
    let none = Options::default();
    let options = create.with.as_ref().map_or(&none, |with| &with.options);
    let is_temporary = is_temporary || create.name.schema.as_deref() == Some("pg_temp");
    if is_temporary || matches!(create.body, Body::Query(_) | Body::OfType) {
        refuse_options(options)?;
        return home::plan(request, &create, is_temporary);
    }
    if let Body::PartitionOf(partition) = &create.body {
        return fragment::plan(request, &create, partition, options);
    }
    match kind(request, &create, options)? {
        Kind::Home => home::plan(request, &create, false),
        Kind::Reference => reference::plan(request, &create),
        Kind::Fragmented(cut) => fragmented::plan(request, &create, options, cut),
    }
}

enum Kind {
    Home,
    Reference,
    Fragmented(Cut),
}

fn kind(request: &Request<'_>, create: &CreateTable<'_>, options: &Options) -> Result<Kind, Stop> {
    refuse_node_options(options)?;
    if options.reference == Some(true) {
        return check_reference(create, options).map(|()| Kind::Reference).map_err(Stop::from);
    }
    if options.fragments.is_some() || options.like.is_some() || options.fragmented == Some(true) {
        return Ok(Kind::Fragmented(cut::declared(request, create, options)?));
    }
    if options.replicas.is_some() || options.family.is_some() {
        return Err(refuse_without_fragments().into());
    }
    let is_declared = options.fragmented.is_some() || options.reference.is_some();
    match request.auto_fragment {
        Some(spec) if !is_declared => {
            Ok(cut::automatic(request, create, spec)?.map_or(Kind::Home, Kind::Fragmented))
        }
        _ => Ok(Kind::Home),
    }
}

/// A relation that is there already: PostgreSQL only says so if it may.
fn check_new(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    name: &herd_catalog::TableName,
) -> Result<bool, Stop> {
    let is_taken = !request.facts.taken(&name.schema, vec![name.name.clone()])?.is_empty();
    if is_taken && !create.if_not_exists {
        let message = format!("relation \"{}\" already exists", name.name);
        return Err(ClientError::error(SqlState::DUPLICATE_TABLE, message).into());
    }
    Ok(!is_taken)
}

fn check_reference(create: &CreateTable<'_>, options: &Options) -> Result<(), ClientError> {
    let only = Options { reference: Some(true), ..Options::default() };
    if create.partition_by.is_some() || *options != only {
        return Err(invalid(
            "a reference table is whole on every node, and cannot be fragmented as well",
            "Give it herd.reference = true alone, without PARTITION BY.",
        ));
    }
    Ok(())
}

fn refuse_options(options: &Options) -> Result<(), ClientError> {
    if options.is_empty() {
        return Ok(());
    }
    Err(invalid(
        "Herd's options need a CREATE TABLE with a list of columns, and not a temporary one",
        "Create the table with its columns, then INSERT INTO it.",
    ))
}

fn refuse_node_options(options: &Options) -> Result<(), ClientError> {
    if options.node.is_none() && options.dc.is_none() {
        return Ok(());
    }
    Err(invalid(
        "herd.node and herd.dc say where a single fragment lies",
        "Give them to CREATE TABLE … PARTITION OF a table fragmented by range or list.",
    ))
}

fn refuse_without_fragments() -> ClientError {
    invalid(
        "herd.replicas and herd.family are about fragments, and the table has none",
        "Add PARTITION BY HASH (column) and herd.fragments, or PARTITION BY RANGE or LIST and \
         herd.fragmented = true.",
    )
}

fn invalid(message: &'static str, hint: &'static str) -> ClientError {
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(hint)
}
