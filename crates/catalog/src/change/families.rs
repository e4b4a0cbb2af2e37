//! Which family a table belongs to, and thereby where its fragments lie.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use herd_types::{FamilyId, NodeId};

use super::{FamilyWish, NodeWish};
use crate::fragmentation::FragmentationRecord;
use crate::placement::Placement;
use crate::{Bound, Catalog, CatalogError, Family, KeyType, Method};

/// What is known of a fragment's node before its family is.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Kept(NodeId),
    New(NodeWish),
}

/// Which families a table may join.
pub(super) struct FamilyChoice {
    /// Families are joined only by tables that name them, or by none that name any.
    pub(super) name: Option<String>,
    /// The only one it may join, and the table that was named for it.
    pub(super) only: Option<(FamilyId, String)>,
    /// The one it belongs to so far.
    pub(super) old: Option<FamilyId>,
}

/// What tables of one family have in common.
struct Signature {
    name: Option<String>,
    method: Method,
    key_types: Vec<KeyType>,
    bounds: Vec<Bound>,
}

impl FamilyChoice {
    pub(super) fn of_new_table(
        catalog: &Catalog,
        wish: &FamilyWish,
        has_fragments: bool,
    ) -> Result<FamilyChoice, CatalogError> {
        let (name, only) = match wish {
            FamilyWish::Alike => (None, None),
            FamilyWish::Named(name) => (Some(name.clone()), None),
            &FamilyWish::Like(id) => {
                let table = catalog.table(id).ok_or(CatalogError::NoTable(id))?;
                let family = table
                    .fragmentation()
                    .and_then(|fragmentation| catalog.family(fragmentation.family()))
                    .ok_or(CatalogError::NotFragmented(id))?;
                // A table without fragments grows into the family one fragment after the other.
                let only = has_fragments.then(|| (family.id, table.name.name.clone()));
                (family.name.clone(), only)
            }
        };
        Ok(FamilyChoice { name, only, old: None })
    }
}

impl Catalog {
    /// Finds or creates the family of a table, and puts its fragments where the family lies.
    /// `slots` go with the fragments of `record`, which are in their order.
    pub(super) fn settle(
        &mut self,
        mut record: FragmentationRecord,
        slots: &[Slot],
        choice: &FamilyChoice,
    ) -> Result<FragmentationRecord, CatalogError> {
        let wanted = Signature {
            name: choice.name.clone(),
            method: record.method,
            key_types: record.key.iter().map(|column| column.key_type).collect(),
            bounds: record.fragments.iter().map(|fragment| fragment.bound.clone()).collect(),
        };
        let joined = self
            .families
            .values()
            .filter(|family| choice.only.as_ref().is_none_or(|(only, _)| *only == family.id))
            .find(|family| wanted.fits(family) && self.lies_as_wished(family, slots));
        let family = match joined {
            Some(family) => family.clone(),
            None => {
                self.check_may_found(&wanted, choice)?;
                self.found_family(wanted, slots, choice.old)?
            }
        };
        record.family = family.id;
        for (fragment, node) in record.fragments.iter_mut().zip(&family.placement) {
            fragment.primary = *node;
        }
        self.families.insert(family.id, family);
        Ok(record)
    }

    /// Families end with their last table.
    pub(super) fn forget_empty_families(&mut self) {
        let used: BTreeSet<FamilyId> =
            self.tables().filter_map(|table| Some(table.fragmentation()?.family())).collect();
        self.families.retain(|id, _| used.contains(id));
    }

    fn lies_as_wished(&self, family: &Family, slots: &[Slot]) -> bool {
        slots.iter().zip(&family.placement).all(|(slot, node)| match slot {
            Slot::Kept(kept) => kept == node,
            Slot::New(NodeWish::Any) => true,
            Slot::New(NodeWish::Node(wished)) => wished == node,
            Slot::New(NodeWish::Dc(dc)) => self.node(*node).is_some_and(|node| node.dc == *dc),
        })
    }

    /// A family asked for by name or by `like`, which was not to be joined, must not silently
    /// become another one.
    fn check_may_found(
        &self,
        wanted: &Signature,
        choice: &FamilyChoice,
    ) -> Result<(), CatalogError> {
        if let Some((only, label)) = &choice.only {
            let fits = self.family(*only).is_some_and(|family| wanted.fits(family));
            return Err(mismatch(fits, label.clone()));
        }
        let (Some(name), None) = (&wanted.name, choice.old) else { return Ok(()) };
        let mut namesakes =
            self.families.values().filter(|family| family.name == wanted.name).peekable();
        if namesakes.peek().is_none() {
            return Ok(());
        }
        let may_grow = wanted.method != Method::Hash;
        let (mut fits, mut is_alike) = (false, true);
        for family in namesakes {
            fits |= wanted.fits(family);
            is_alike &= wanted.is_alike(family);
        }
        if fits || !is_alike || !may_grow {
            return Err(mismatch(fits, name.clone()));
        }
        Ok(())
    }

    fn found_family(
        &mut self,
        wanted: Signature,
        slots: &[Slot],
        old: Option<FamilyId>,
    ) -> Result<Family, CatalogError> {
        let placement = self.place(&wanted, slots)?;
        let id = match old.filter(|&old| self.has_one_table(old)) {
            Some(own) => own,
            None => {
                let id = FamilyId(self.next.family);
                self.next.family =
                    self.next.family.checked_add(1).ok_or(CatalogError::IdsExhausted)?;
                id
            }
        };
        let Signature { name, method, key_types, bounds } = wanted;
        Ok(Family { id, name, method, key_types, bounds, placement })
    }

    fn has_one_table(&self, id: FamilyId) -> bool {
        self.tables_of(id).count() == 1
    }

    fn place(&self, wanted: &Signature, slots: &[Slot]) -> Result<Vec<NodeId>, CatalogError> {
        let load = |node| self.fragments_on(node).count() as u64;
        let mut placement = Placement::new(self.nodes(), load);
        for slot in slots {
            if let Slot::Kept(node) = slot {
                placement.count(*node);
            }
        }
        let mut nodes = Vec::with_capacity(slots.len());
        for (slot, bound) in slots.iter().zip(&wanted.bounds) {
            let node = match slot {
                Slot::Kept(node) => *node,
                Slot::New(wish) => {
                    let node = self.choose(&placement, wanted, bound, wish)?;
                    placement.count(node);
                    node
                }
            };
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn choose(
        &self,
        placement: &Placement<'_>,
        wanted: &Signature,
        bound: &Bound,
        wish: &NodeWish,
    ) -> Result<NodeId, CatalogError> {
        match wish {
            NodeWish::Any => self
                .twin(wanted, bound)
                .filter(|&node| placement.has(node))
                .or_else(|| placement.choose(|_| true))
                .ok_or_else(|| CatalogError::NoCandidate("with capacity".to_owned())),
            NodeWish::Dc(dc) => placement
                .choose(|node| node.dc == *dc)
                .ok_or_else(|| CatalogError::NoCandidate(format!("in dc \"{dc}\""))),
            &NodeWish::Node(id) => {
                let node = self.node(id).ok_or(CatalogError::NoNode(id))?;
                let label = || CatalogError::NoCandidate(format!("\"{}\"", node.name));
                placement.has(id).then_some(id).ok_or_else(label)
            }
        }
    }

    /// Where the same bound lies in a family that this one may grow into.
    fn twin(&self, wanted: &Signature, bound: &Bound) -> Option<NodeId> {
        self.families.values().filter(|family| wanted.is_alike(family)).find_map(|family| {
            let at = family.bounds.iter().position(|each| each == bound)?;
            family.placement.get(at).copied()
        })
    }
}

impl Signature {
    fn fits(&self, family: &Family) -> bool {
        self.is_alike(family) && self.bounds == family.bounds
    }

    /// Whether only bounds differ, if anything does.
    fn is_alike(&self, family: &Family) -> bool {
        self.name == family.name
            && self.method == family.method
            && self.key_types == family.key_types
    }
}

fn mismatch(fits: bool, family: String) -> CatalogError {
    if fits { CatalogError::FamilyElsewhere(family) } else { CatalogError::FamilyMismatch(family) }
}
