//! How a fragmented table is cut, and where the pieces lie.

use std::ops::Bound;

use herd_types::{FamilyId, FragmentId, NodeId, TableId};
use serde::{Deserialize, Serialize};

use crate::bound::ParsedBound;
use crate::limits::FRAGMENTS_PER_TABLE_MAX;
use crate::router::{Conflict, Router};
use crate::{CatalogError, KeyColumn, KeyType, KeyValue, Method, TableName};

/// How a fragmented table is cut, and where the pieces lie. Its bounds have been checked, and
/// never overlap.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "FragmentationRecord", try_from = "FragmentationRecord")]
pub struct Fragmentation {
    method: Method,
    key: Vec<KeyColumn>,
    fragments: Vec<Fragment>,
    family: FamilyId,
    next_index: u32,
    nodes: Vec<NodeId>,
    router: Router,
}

/// One piece of a fragmented table: a native partition on its primary node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    pub id: FragmentId,
    /// The partition's own name on the node.
    pub name: TableName,
    /// In canonical spelling.
    pub bound: crate::Bound,
    pub primary: NodeId,
    pub epoch: u64,
}

/// What of a [`Fragmentation`] is stored; the rest follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FragmentationRecord {
    pub(crate) method: Method,
    pub(crate) key: Vec<KeyColumn>,
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) family: FamilyId,
    /// The index of the next fragment to be made: indexes are not used twice.
    pub(crate) next_index: u32,
}

impl Fragmentation {
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The key columns in the order of PARTITION BY.
    #[must_use]
    pub fn key(&self) -> &[KeyColumn] {
        &self.key
    }

    pub fn key_types(&self) -> impl Iterator<Item = KeyType> {
        self.key.iter().map(|column| column.key_type)
    }

    /// In the order of their bounds, which is that of the family's: the default comes last.
    #[must_use]
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    #[must_use]
    pub fn family(&self) -> FamilyId {
        self.family
    }

    /// The fragment that holds `key`, which has one entry for each key column, of its type as
    /// stored (see [`KeyColumn::store`]). `None`: there is no such fragment, a server would say
    /// 23514 to an INSERT.
    #[must_use]
    #[inline]
    pub fn fragment_for(&self, key: &[Option<KeyValue>]) -> Option<&Fragment> {
        debug_assert_eq!(key.len(), self.key.len());
        self.router.find(key).map(|position| &self.fragments[position])
    }

    /// The fragments that may hold keys whose first column lies between `low` and `high`, as far
    /// as ranges tell; for other methods, all fragments.
    pub fn fragments_between(
        &self,
        low: Bound<&KeyValue>,
        high: Bound<&KeyValue>,
    ) -> impl Iterator<Item = &Fragment> {
        let positions = self.router.between(low, high);
        let all = || (0..self.fragments.len()).collect();
        positions.unwrap_or_else(all).into_iter().map(|position| &self.fragments[position])
    }

    /// The nodes that hold fragments, ascending.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The node that holds all fragments.
    #[must_use]
    pub fn single_node(&self) -> Option<NodeId> {
        match *self.nodes {
            [node] => Some(node),
            _ => None,
        }
    }

    pub fn fragments_on(&self, node: NodeId) -> impl Iterator<Item = &Fragment> {
        self.fragments.iter().filter(move |fragment| fragment.primary == node)
    }

    #[must_use]
    pub fn fragment(&self, id: FragmentId) -> Option<&Fragment> {
        self.fragments.iter().find(|fragment| fragment.id == id)
    }

    #[must_use]
    pub fn fragment_named(&self, name: &TableName) -> Option<&Fragment> {
        self.fragments.iter().find(|fragment| fragment.name == *name)
    }

    pub(crate) fn to_record(&self) -> FragmentationRecord {
        FragmentationRecord {
            method: self.method,
            key: self.key.clone(),
            fragments: self.fragments.clone(),
            family: self.family,
            next_index: self.next_index,
        }
    }
}

impl FragmentationRecord {
    /// A new fragment; its node is set when the family is known.
    pub(crate) fn add(
        &mut self,
        table: TableId,
        name: TableName,
        bound: crate::Bound,
        primary: NodeId,
    ) -> Result<FragmentId, CatalogError> {
        if self.fragments.len() >= FRAGMENTS_PER_TABLE_MAX {
            return Err(CatalogError::TooManyFragments);
        }
        let id = FragmentId { table, index: self.next_index };
        self.next_index = self.next_index.checked_add(1).ok_or(CatalogError::IdsExhausted)?;
        self.fragments.push(Fragment { id, name, bound, primary, epoch: 1 });
        Ok(id)
    }

    /// Brings fragments into their order and bounds into their spelling, and checks both.
    pub(crate) fn build(self) -> Result<Fragmentation, CatalogError> {
        let FragmentationRecord { method, key, fragments, family, next_index } = self;
        if fragments.len() > FRAGMENTS_PER_TABLE_MAX {
            return Err(CatalogError::TooManyFragments);
        }
        let mut pieces = Vec::with_capacity(fragments.len());
        for mut fragment in fragments {
            let bound = fragment.bound.parse(method, &key).map_err(|problem| {
                CatalogError::Bound { fragment: fragment.name.clone(), problem }
            })?;
            fragment.bound = bound.print(&key);
            pieces.push((bound, fragment));
        }
        pieces.sort_by(|a, b| a.0.cmp(&b.0));
        let (bounds, fragments): (Vec<ParsedBound>, Vec<Fragment>) = pieces.into_iter().unzip();
        let router = Router::build(method, &bounds).map_err(|conflict| match conflict {
            Conflict::Overlap(first, second) => CatalogError::Overlap {
                first: fragments[first].name.clone(),
                second: fragments[second].name.clone(),
            },
            Conflict::Moduli(smaller, larger) => CatalogError::Moduli { smaller, larger },
        })?;
        let mut nodes: Vec<NodeId> = fragments.iter().map(|fragment| fragment.primary).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Ok(Fragmentation { method, key, fragments, family, next_index, nodes, router })
    }
}

impl From<Fragmentation> for FragmentationRecord {
    fn from(fragmentation: Fragmentation) -> FragmentationRecord {
        fragmentation.to_record()
    }
}

impl TryFrom<FragmentationRecord> for Fragmentation {
    type Error = CatalogError;

    fn try_from(record: FragmentationRecord) -> Result<Fragmentation, CatalogError> {
        record.build()
    }
}

/// The router follows from the rest.
impl PartialEq for Fragmentation {
    fn eq(&self, other: &Fragmentation) -> bool {
        self.to_record() == other.to_record()
    }
}

impl Eq for Fragmentation {}
