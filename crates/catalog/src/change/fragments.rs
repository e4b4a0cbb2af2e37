//! Changes of single fragments: partitions that are created, dropped or renamed later.

use herd_types::{FragmentId, TableId};

use super::families::{FamilyChoice, Slot};
use super::{FragmentSpec, NodeWish};
use crate::fragmentation::FragmentationRecord;
use crate::{Catalog, CatalogError, TableKind, TableName};

impl Catalog {
    pub(super) fn add_fragment(
        &mut self,
        table: TableId,
        spec: &FragmentSpec,
    ) -> Result<(), CatalogError> {
        let mut record = self.record_of(table)?;
        let added = record.add(table, spec.name.clone(), spec.bound.clone(), self.home)?;
        self.regroup(table, record, |fragment| (fragment == added).then(|| spec.node.clone()))
    }

    pub(super) fn drop_fragment(&mut self, id: FragmentId) -> Result<(), CatalogError> {
        let mut record = self.record_of(id.table)?;
        let at = record.position(id)?;
        record.fragments.remove(at);
        self.regroup(id.table, record, |_| None)
    }

    pub(super) fn rename_fragment(
        &mut self,
        id: FragmentId,
        name: &TableName,
    ) -> Result<(), CatalogError> {
        let mut record = self.record_of(id.table)?;
        let at = record.position(id)?;
        record.fragments[at].name = name.clone();
        self.set_fragmentation(id.table, record)
    }

    /// The table's bounds have changed: it may have to leave its family, or fit into another.
    /// Fragments stay where they are, save those that `wish` is known for.
    fn regroup(
        &mut self,
        table: TableId,
        record: FragmentationRecord,
        wish: impl Fn(FragmentId) -> Option<NodeWish>,
    ) -> Result<(), CatalogError> {
        let record = record.build()?.to_record();
        let slots: Vec<Slot> = record
            .fragments
            .iter()
            .map(|fragment| wish(fragment.id).map_or(Slot::Kept(fragment.primary), Slot::New))
            .collect();
        let old = record.family;
        let name = self.family(old).and_then(|family| family.name.clone());
        let choice = FamilyChoice { name, only: None, old: Some(old) };
        let settled = self.settle(record, &slots, &choice)?;
        self.set_fragmentation(table, settled)?;
        self.forget_empty_families();
        Ok(())
    }

    fn record_of(&self, id: TableId) -> Result<FragmentationRecord, CatalogError> {
        let table = self.table(id).ok_or(CatalogError::NoTable(id))?;
        let fragmentation = table.fragmentation().ok_or(CatalogError::NotFragmented(id))?;
        Ok(fragmentation.to_record())
    }

    fn set_fragmentation(
        &mut self,
        table: TableId,
        record: FragmentationRecord,
    ) -> Result<(), CatalogError> {
        self.table_mut(table)?.kind = TableKind::Fragmented(record.build()?);
        Ok(())
    }
}

impl FragmentationRecord {
    fn position(&self, id: FragmentId) -> Result<usize, CatalogError> {
        let position = self.fragments.iter().position(|fragment| fragment.id == id);
        position.ok_or(CatalogError::NoFragment(id))
    }
}
