//! CREATE TABLE … PARTITION OF: a fragment of a table cut by range or list.

use herd_catalog::{
    Bound, Change, Fragment, FragmentSpec, Fragmentation, Method, NodeWish, Table, TableName,
};
use herd_types::{ClientError, NodeId, SqlState};

use super::home::constraints;
use super::{home, invalid};
use crate::ddl::clauses::{CreateTable, PartitionOf};
use crate::ddl::definition::{Publish, Script};
use crate::ddl::elements::ConstraintKind;
use crate::ddl::options::Options;
use crate::ddl::request::{Named, Request, refuse_fragment};
use crate::ddl::splice::Splice;
use crate::ddl::{Planned, Stop, bounds, foreign_key};

pub fn plan(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    partition: &PartitionOf<'_>,
    options: &Options,
) -> Planned {
    let table = match request.table_named(&partition.parent)? {
        Named::Table(table) if table.fragmentation().is_some() => table,
        Named::Fragment(table, _) => return Err(refuse_fragment("PARTITION OF", &table).into()),
        _ if options.is_empty() => return home::plan(request, create, false),
        _ => return Err(no_fragmented_parent(&partition.parent.name).into()),
    };
    check_options(options, create)?;
    if table.fragmentation().is_some_and(|cut| cut.method() == Method::Hash) {
        return Err(refuse_hash(&table).into());
    }
    let name = request.creation_name(&create.name)?;
    if !super::check_new(request, create, &name)? {
        return request.at_home();
    }
    check_foreign_keys(request, create)?;
    let Some((bound_span, bound)) = partition.bound.clone()? else {
        return request.at_home();
    };
    let spec = FragmentSpec { name: name.clone(), bound, node: wish(request, options)? };
    let change = Change::AddFragment { table: table.id, fragment: spec.clone() };
    let next = request.foresee(&[change])?;
    let grown = next.table(table.id).and_then(|table| table.fragmentation());
    let fragment = grown
        .and_then(|cut| cut.fragment_named(&name))
        .expect("a fragment that was added has its name");

    let mut splice = Splice::new(request.sql);
    splice.replace(bound_span, bounds::render(&fragment.bound));
    if let Some(with) = &create.with {
        splice.replace(with.span.clone(), with.others_clause(request.sql).trim_start());
    }
    let text = splice.render(request.span()).trim_end().to_owned();
    let mut script = Script::default();
    script.on(fragment.primary, text.as_str());
    if let Some(node) = node_of_default(table.fragmentation(), fragment) {
        check_default(&mut script, node, &text, &name);
    }
    let pinned = FragmentSpec { node: NodeWish::Node(fragment.primary), ..spec };
    let publish = Publish {
        changes: vec![Change::AddFragment { table: table.id, fragment: pinned }],
        shadows: true,
        ..Publish::default()
    };
    Ok(request.define(super::TAG, &name.to_string(), script, publish))
}

/// Where rows may be that the new fragment should hold, when it is not where the fragment is.
fn node_of_default(cut: Option<&Fragmentation>, added: &Fragment) -> Option<NodeId> {
    let default = cut?.fragments().iter().find(|other| other.bound == Bound::Default)?;
    (default.primary != added.primary).then_some(default.primary)
}

/// PostgreSQL looks for such rows when the fragment is made next to the default one.
fn check_default(script: &mut Script, node: NodeId, text: &str, name: &TableName) {
    script.on(node, text);
    script.on(node, format!("DROP TABLE {}", name.quoted()));
}

fn wish(request: &Request<'_>, options: &Options) -> Result<NodeWish, ClientError> {
    match (&options.node, &options.dc) {
        (None, None) => Ok(NodeWish::Any),
        (None, Some(dc)) => Ok(NodeWish::Dc(dc.clone())),
        (Some(name), None) => match request.catalog.node_named(name) {
            Some(node) => Ok(NodeWish::Node(node.id)),
            None => Err(no_node(name)),
        },
        (Some(_), Some(_)) => Err(invalid(
            "herd.node and herd.dc cannot both be given",
            "herd.node alone says where the fragment lies.",
        )),
    }
}

fn check_options(options: &Options, create: &CreateTable<'_>) -> Result<(), ClientError> {
    let place =
        Options { node: options.node.clone(), dc: options.dc.clone(), ..Options::default() };
    if *options != place {
        return Err(invalid(
            "a fragment has only the options herd.node and herd.dc",
            "Give the other options to the table itself.",
        ));
    }
    if create.partition_by.is_some() {
        return Err(ClientError::unsupported("a fragment cannot be partitioned itself")
            .with_hint("Create one fragment for each of its parts."));
    }
    Ok(())
}

fn check_foreign_keys(request: &Request<'_>, create: &CreateTable<'_>) -> Result<(), Stop> {
    for constraint in constraints(create) {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            foreign_key::check_of_home(request, key)?;
        }
    }
    Ok(())
}

fn refuse_hash(table: &Table) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is fragmented by hash and has all its fragments", table.name.name),
    )
}

fn no_fragmented_parent(name: &str) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{name}\" is not a table fragmented by range or list"),
    )
    .with_hint("Create it with PARTITION BY RANGE or LIST and WITH (herd.fragmented = true).")
}

fn no_node(name: &str) -> ClientError {
    ClientError::error(SqlState::UNDEFINED_OBJECT, format!("node \"{name}\" does not exist"))
        .with_hint("SHOW NODES lists the nodes.")
}

pub fn name_taken(name: &str) -> ClientError {
    ClientError::error(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
        .with_detail("A fragment of the new table would be called so.")
        .with_hint("Rename it, or give the new table another name.")
}
