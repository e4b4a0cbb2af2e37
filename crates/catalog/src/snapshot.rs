//! The snapshot itself. Lookups only; it is changed by building the next one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use herd_types::{FamilyId, FragmentId, NodeId, TableId};
use serde::{Deserialize, Serialize};

use crate::{
    CatalogError, Family, Fragment, Node, NodeStatus, SearchPath, Table, TableKind, TableName,
};

/// What lies where, at one version.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) version: u64,
    pub(crate) home: NodeId,
    pub(crate) next: NextIds,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) families: BTreeMap<FamilyId, Family>,
    pub(crate) tables: BTreeMap<TableId, Arc<Table>>,
    /// Of tables and of fragments.
    pub(crate) by_name: HashMap<TableName, TableId>,
    /// Unqualified names of all tables in the catalog, and of their fragments.
    pub(crate) bare_names: HashSet<String>,
    /// Home relations whose unqualified name is also that of a logical table: an unqualified
    /// name must find them first when their schema comes first.
    pub(crate) shadows: HashSet<TableName>,
}

/// The next ids to be given out; none is given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextIds {
    pub(crate) node: u16,
    pub(crate) table: u32,
    pub(crate) family: u32,
}

/// What a table name in a statement means.
#[derive(Clone, Debug)]
pub enum Resolved<'a> {
    Logical(&'a Arc<Table>),
    /// Not in the catalog: a home table, a view, a catalog table, or nothing at all.
    Home,
    /// A fragment named directly; its table.
    Fragment(&'a Arc<Table>),
}

impl Catalog {
    /// A herd of `nodes` without any logical table: everything is on `home`.
    #[must_use]
    pub fn new(home: NodeId, nodes: impl IntoIterator<Item = Node>) -> Catalog {
        let nodes: BTreeMap<_, _> = nodes.into_iter().map(|node| (node.id, node)).collect();
        let last = nodes.last_key_value().map_or(0, |(id, _)| id.0);
        Catalog {
            version: 1,
            home,
            next: NextIds { node: last.saturating_add(1), table: 1, family: 1 },
            nodes,
            families: BTreeMap::new(),
            tables: BTreeMap::new(),
            by_name: HashMap::new(),
            bare_names: HashSet::new(),
            shadows: HashSet::new(),
        }
    }

    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    #[must_use]
    pub fn home(&self) -> NodeId {
        self.home
    }

    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Removed nodes have no name any more.
    #[must_use]
    pub fn node_named(&self, name: &str) -> Option<&Node> {
        self.nodes().find(|node| node.name == name && node.status != NodeStatus::Removed)
    }

    /// The nodes that have every logical table's parent and a copy of each reference table.
    pub fn data_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes().filter(|node| node.holds_data())
    }

    /// The nodes that hold rows of `table`, ascending.
    #[must_use]
    pub fn nodes_of(&self, table: &Table) -> Vec<NodeId> {
        match &table.kind {
            TableKind::Reference => self.data_nodes().map(|node| node.id).collect(),
            TableKind::Fragmented(fragmentation) => fragmentation.nodes().to_vec(),
        }
    }

    #[must_use]
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    #[must_use]
    pub fn table_named(&self, name: &TableName) -> Option<&Arc<Table>> {
        self.tables.get(self.by_name.get(name)?).filter(|table| table.name == *name)
    }

    #[must_use]
    pub fn fragment(&self, id: FragmentId) -> Option<&Fragment> {
        self.table(id.table)?.fragmentation()?.fragment(id)
    }

    /// All fragments whose primary is `node`.
    pub fn fragments_on(&self, node: NodeId) -> impl Iterator<Item = &Fragment> {
        self.tables()
            .filter_map(|table| table.fragmentation())
            .flat_map(move |fragmentation| fragmentation.fragments_on(node))
    }

    #[must_use]
    pub fn family(&self, id: FamilyId) -> Option<&Family> {
        self.families.get(&id)
    }

    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }

    /// The tables whose fragments lie as family `id` does.
    pub fn tables_of(&self, id: FamilyId) -> impl Iterator<Item = &Arc<Table>> {
        self.tables().filter(move |table| {
            table.fragmentation().is_some_and(|fragmentation| fragmentation.family() == id)
        })
    }

    /// Home relations whose unqualified name may be mistaken for a logical table's.
    pub fn shadows(&self) -> impl Iterator<Item = &TableName> {
        self.shadows.iter()
    }

    /// Whether there is any logical table at all: without one, every statement is home's.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether `name`, in any schema, is a logical table or a fragment.
    #[must_use]
    pub fn knows_name(&self, name: &str) -> bool {
        self.bare_names.contains(name)
    }

    /// What `schema.name` means, or `name` under `path`.
    #[must_use]
    pub fn resolve(&self, path: &SearchPath, schema: Option<&str>, name: &str) -> Resolved<'_> {
        if !self.knows_name(name) {
            return Resolved::Home;
        }
        if let Some(schema) = schema {
            return self.exact(&TableName::new(schema, name)).unwrap_or(Resolved::Home);
        }
        for schema in path.schemas() {
            let candidate = TableName::new(schema, name);
            if self.shadows.contains(&candidate) {
                return Resolved::Home;
            }
            if let Some(found) = self.exact(&candidate) {
                return found;
            }
        }
        Resolved::Home
    }

    /// Names from tables, after a change; one name means one thing.
    pub(crate) fn index(&mut self) -> Result<(), CatalogError> {
        let mut by_name = HashMap::with_capacity(self.by_name.len());
        let mut bare_names = HashSet::with_capacity(self.bare_names.len());
        for table in self.tables.values() {
            let fragments = table.fragmentation().map_or(&[][..], |each| each.fragments());
            let names = fragments.iter().map(|fragment| &fragment.name);
            for name in std::iter::once(&table.name).chain(names) {
                let taken = by_name.insert(name.clone(), table.id).is_some();
                if taken || self.shadows.contains(name) {
                    return Err(CatalogError::NameTaken(name.clone()));
                }
                bare_names.insert(name.name.clone());
            }
        }
        self.by_name = by_name;
        self.bare_names = bare_names;
        Ok(())
    }

    fn exact(&self, name: &TableName) -> Option<Resolved<'_>> {
        let table = self.tables.get(self.by_name.get(name)?)?;
        Some(if table.name == *name { Resolved::Logical(table) } else { Resolved::Fragment(table) })
    }
}
