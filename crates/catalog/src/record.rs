//! The catalog as it is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use herd_types::NodeId;
use serde::{Deserialize, Serialize};

use crate::snapshot::NextIds;
use crate::{Catalog, CatalogError, Family, Node, Table, TableName};

/// The format that this version writes. It reads no other.
const FORMAT: u32 = 1;

/// All that follows from nothing else. Its fields are no interface: they are for storing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogRecord {
    format: u32,
    version: u64,
    home: NodeId,
    next: NextIds,
    nodes: Vec<Node>,
    families: Vec<Family>,
    tables: Vec<Table>,
    shadows: Vec<TableName>,
}

impl From<&Catalog> for CatalogRecord {
    fn from(catalog: &Catalog) -> CatalogRecord {
        let mut shadows: Vec<TableName> = catalog.shadows.iter().cloned().collect();
        shadows.sort_unstable();
        CatalogRecord {
            format: FORMAT,
            version: catalog.version,
            home: catalog.home,
            next: catalog.next,
            nodes: catalog.nodes().cloned().collect(),
            families: catalog.families.values().cloned().collect(),
            tables: catalog.tables().map(|table| Table::clone(table)).collect(),
            shadows,
        }
    }
}

impl TryFrom<CatalogRecord> for Catalog {
    type Error = CatalogError;

    fn try_from(record: CatalogRecord) -> Result<Catalog, CatalogError> {
        if record.format != FORMAT {
            return Err(CatalogError::Format(record.format));
        }
        let by_id = |node: Node| (node.id, node);
        let mut catalog = Catalog {
            version: record.version,
            home: record.home,
            next: record.next,
            nodes: record.nodes.into_iter().map(by_id).collect::<BTreeMap<_, _>>(),
            families: record.families.into_iter().map(|family| (family.id, family)).collect(),
            tables: record.tables.into_iter().map(|table| (table.id, Arc::new(table))).collect(),
            by_name: HashMap::new(),
            bare_names: HashSet::new(),
            shadows: record.shadows.into_iter().collect(),
        };
        catalog.index()?;
        catalog.check()?;
        Ok(catalog)
    }
}

impl Catalog {
    /// That every reference leads somewhere, and fragments lie where their families do.
    fn check(&self) -> Result<(), CatalogError> {
        let fail = |what: String| Err(CatalogError::Inconsistent(what));
        if self.node(self.home).is_none() {
            return fail(format!("home {} is unknown", self.home));
        }
        for table in self.tables() {
            let Some(fragmentation) = table.fragmentation() else { continue };
            if fragmentation.key().iter().any(|key| key.column >= table.columns.len()) {
                return fail(format!("a key column of \"{}\" is missing", table.name));
            }
            let Some(family) = self.family(fragmentation.family()) else {
                return fail(format!("{} is unknown", fragmentation.family()));
            };
            let fragments = fragmentation.fragments();
            if !fragments.iter().map(|each| each.primary).eq(family.placement.iter().copied()) {
                return fail(format!("\"{}\" does not lie as {} does", table.name, family.id));
            }
            let unknown = fragments.iter().find(|each| self.node(each.primary).is_none());
            if let Some(fragment) = unknown {
                return fail(format!("{} of \"{}\" is unknown", fragment.primary, fragment.name));
            }
        }
        Ok(())
    }
}
