//! The snapshot itself. Lookups only; it is changed by building the next one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use herd_types::{FamilyId, NodeId, TableId};

use crate::{Family, Node, SearchPath, Table, TableName};

/// What lies where, at one version.
#[derive(Clone, Debug)]
pub struct Catalog {
    version: u64,
    home: NodeId,
    nodes: BTreeMap<NodeId, Node>,
    families: BTreeMap<FamilyId, Arc<Family>>,
    tables: BTreeMap<TableId, Arc<Table>>,
    by_name: HashMap<TableName, TableId>,
    /// Unqualified names of all tables in the catalog, and of their fragments.
    bare_names: HashSet<String>,
    /// Home relations whose unqualified name is also that of a logical table: an unqualified
    /// name must find them first when their schema comes first.
    shadows: HashSet<TableName>,
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
        Catalog {
            version: 1,
            home,
            nodes: nodes.into_iter().map(|node| (node.id, node)).collect(),
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

    #[must_use]
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    #[must_use]
    pub fn family(&self, id: FamilyId) -> Option<&Arc<Family>> {
        self.families.get(&id)
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

    fn exact(&self, name: &TableName) -> Option<Resolved<'_>> {
        let table = self.tables.get(self.by_name.get(name)?)?;
        Some(if table.name == *name { Resolved::Logical(table) } else { Resolved::Fragment(table) })
    }
}
