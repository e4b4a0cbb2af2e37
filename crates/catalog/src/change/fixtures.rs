//! Small herds and the changes that tests make to them.

use herd_types::{FamilyId, NodeId, TableId};

use super::{Change, FamilyWish, FragmentSpec, KindSpec, NodeWish, TableSpec};
use crate::{
    Bound, Catalog, Column, Fragment, Method, Node, NodeRole, NodeStatus, Table, TableKind,
    TableName,
};

pub(super) trait With {
    fn with(&self, change: &Change) -> Catalog;
}

impl With for Catalog {
    fn with(&self, change: &Change) -> Catalog {
        self.apply(change).expect("the change is possible")
    }
}

pub(super) fn herd(nodes: u16) -> Catalog {
    Catalog::new(NodeId(1), (1..=nodes).map(|id| node(id, "a")))
}

pub(super) fn node(id: u16, dc: &str) -> Node {
    Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: dc.to_owned(),
        zone: "z".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    }
}

pub(super) fn column(name: &str, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        generated: false,
        has_default: false,
    }
}

pub(super) fn hash(table: &str, modulus: u32) -> Change {
    let pieces = (0..modulus)
        .map(|remainder| hash_fragment(&format!("{table}_{remainder}"), modulus, remainder));
    fragmented(table, Method::Hash, "bigint", pieces.collect())
}

pub(super) fn list(table: &str, type_name: &str, pieces: &[(&str, &str, NodeWish)]) -> Change {
    let pieces = pieces.iter().map(|(name, value, node)| list_fragment(name, value, node.clone()));
    fragmented(table, Method::List, type_name, pieces.collect())
}

pub(super) fn hash_fragment(name: &str, modulus: u32, remainder: u32) -> FragmentSpec {
    let bound = Bound::Hash { modulus, remainder };
    FragmentSpec { name: TableName::new("public", name), bound, node: NodeWish::Any }
}

pub(super) fn list_fragment(name: &str, value: &str, node: NodeWish) -> FragmentSpec {
    let bound = Bound::List { values: vec![Some(value.to_owned())] };
    FragmentSpec { name: TableName::new("public", name), bound, node }
}

pub(super) fn fragmented(
    table: &str,
    method: Method,
    type_name: &str,
    fragments: Vec<FragmentSpec>,
) -> Change {
    Change::AddTable(TableSpec {
        name: TableName::new("public", table),
        columns: vec![column("id", type_name), column("name", "text")],
        kind: KindSpec::Fragmented {
            method,
            key: vec!["id".to_owned()],
            fragments,
            family: FamilyWish::Alike,
        },
    })
}

pub(super) fn reference(table: &str) -> Change {
    Change::AddTable(TableSpec {
        name: TableName::new("public", table),
        columns: vec![column("code", "text")],
        kind: KindSpec::Reference,
    })
}

pub(super) fn with_family(change: Change, name: &str) -> Change {
    let Change::AddTable(mut spec) = change else { unreachable!() };
    if let KindSpec::Fragmented { family, .. } = &mut spec.kind {
        *family = FamilyWish::Named(name.to_owned());
    }
    Change::AddTable(spec)
}

pub(super) fn table<'a>(catalog: &'a Catalog, name: &str) -> &'a Table {
    catalog.table_named(&TableName::new("public", name)).expect("it is in the catalog")
}

pub(super) fn id(catalog: &Catalog, name: &str) -> TableId {
    table(catalog, name).id
}

pub(super) fn fragments<'a>(catalog: &'a Catalog, name: &str) -> &'a [Fragment] {
    match &table(catalog, name).kind {
        TableKind::Reference => &[],
        TableKind::Fragmented(fragmentation) => fragmentation.fragments(),
    }
}

pub(super) fn family(catalog: &Catalog, name: &str) -> FamilyId {
    table(catalog, name).fragmentation().expect("it is fragmented").family()
}

pub(super) fn layout(catalog: &Catalog, name: &str) -> Vec<u16> {
    fragments(catalog, name).iter().map(|fragment| fragment.primary.0).collect()
}
