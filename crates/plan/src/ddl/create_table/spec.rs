//! A new fragmented table as the catalog will have it: its fragments, their names and their nodes.

use std::sync::Arc;

use herd_catalog::{
    Bound, Change, Column, FamilyWish, FragmentSpec, Fragmentation, KindSpec, Method, NodeWish,
    Table, TableName, TableSpec,
};

use super::cut::{self, Cut};
use crate::ddl::Stop;
use crate::ddl::clauses::CreateTable;
use crate::ddl::request::Request;
use crate::ddl::sql::{IDENTIFIER_BYTES_MAX, clip};

/// The table as the catalog will have it, placed.
pub fn foresee(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    cut: &Cut,
    family: Option<&str>,
    name: &TableName,
) -> Result<Arc<Table>, Stop> {
    foresee_spec(request, &spec(request, create, cut, family, name)?)
}

pub fn foresee_spec(request: &Request<'_>, spec: &TableSpec) -> Result<Arc<Table>, Stop> {
    let next = request.foresee(&[Change::AddTable(spec.clone())])?;
    let table = next.table_named(&spec.name).expect("a table that was added has its name");
    Ok(Arc::clone(table))
}

pub fn spec(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    cut: &Cut,
    family: Option<&str>,
    name: &TableName,
) -> Result<TableSpec, Stop> {
    let column = |known: cut::Known| Column {
        name: known.name,
        type_name: known.type_name.unwrap_or_default(),
        generated: known.is_generated,
        has_default: known.has_default,
    };
    let columns = cut::columns(request, create)?.into_iter().map(column).collect();
    Ok(spec_of(columns, cut, family, name))
}

/// Of columns that are known.
pub fn spec_of(
    columns: Vec<Column>,
    cut: &Cut,
    family: Option<&str>,
    name: &TableName,
) -> TableSpec {
    let fragments = match &cut.like {
        Some(like) if cut.method == Method::Hash => fragments_like(like, name),
        _ => (0..cut.fragments).map(|index| hash_fragment(name, cut.fragments, index)).collect(),
    };
    let family = match (&cut.like, family) {
        (Some(like), _) => FamilyWish::Like(like.id),
        (None, Some(family)) => FamilyWish::Named(family.to_owned()),
        (None, None) => FamilyWish::Alike,
    };
    let key = cut.key.iter().map(|part| part.name.clone()).collect();
    let kind = KindSpec::Fragmented { method: cut.method, key, fragments, family };
    TableSpec { name: name.clone(), columns, kind }
}

fn hash_fragment(table: &TableName, modulus: u32, remainder: u32) -> FragmentSpec {
    let bound = Bound::Hash { modulus, remainder };
    FragmentSpec { name: fragment_name(table, remainder), bound, node: NodeWish::Any }
}

fn fragments_like(like: &Table, name: &TableName) -> Vec<FragmentSpec> {
    let fragments = like.fragmentation().map_or(&[][..], Fragmentation::fragments);
    let specs = fragments.iter().zip(0..).map(|(fragment, index)| FragmentSpec {
        name: fragment_name(name, index),
        bound: fragment.bound.clone(),
        node: NodeWish::Any,
    });
    specs.collect()
}

/// What was foreseen is what will be: every fragment wishes for the node it was given.
pub fn pin_placement(mut spec: TableSpec, placed: &Fragmentation) -> TableSpec {
    if let KindSpec::Fragmented { fragments, .. } = &mut spec.kind {
        for fragment in fragments {
            if let Some(found) = placed.fragment_named(&fragment.name) {
                fragment.node = NodeWish::Node(found.primary);
            }
        }
    }
    spec
}

/// The name of fragment `index` of a table, in an identifier's length.
pub fn fragment_name(table: &TableName, index: u32) -> TableName {
    let suffix = format!("_{index}");
    let room = IDENTIFIER_BYTES_MAX - suffix.len();
    let stem = clip(&table.name, room);
    TableName::new(&table.schema, format!("{stem}{suffix}"))
}
