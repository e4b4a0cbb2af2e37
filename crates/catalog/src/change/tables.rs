//! Changes of tables as a whole, and of the names that shadow them.

use std::sync::Arc;

use herd_types::{FamilyId, TableId};

use super::families::{FamilyChoice, Slot};
use super::{FamilyWish, FragmentSpec, KindSpec, TableSpec};
use crate::fragmentation::FragmentationRecord;
use crate::{Catalog, CatalogError, Column, KeyColumn, Method, Table, TableKind, TableName};

impl Catalog {
    pub(super) fn add_table(&mut self, spec: &TableSpec) -> Result<(), CatalogError> {
        let id = TableId(self.next.table);
        self.next.table = self.next.table.checked_add(1).ok_or(CatalogError::IdsExhausted)?;
        let kind = match &spec.kind {
            KindSpec::Reference => TableKind::Reference,
            KindSpec::Fragmented { method, key, fragments, family } => {
                let key = KeyColumn::find(&spec.columns, key)?;
                self.new_fragmentation(id, *method, key, fragments, family)?
            }
        };
        let (name, columns) = (spec.name.clone(), spec.columns.clone());
        self.tables.insert(id, Arc::new(Table { id, name, columns, kind }));
        Ok(())
    }

    fn new_fragmentation(
        &mut self,
        table: TableId,
        method: Method,
        key: Vec<KeyColumn>,
        specs: &[FragmentSpec],
        wish: &FamilyWish,
    ) -> Result<TableKind, CatalogError> {
        let mut record = FragmentationRecord {
            method,
            key,
            fragments: Vec::new(),
            family: FamilyId(self.next.family),
            next_index: 0,
        };
        for spec in specs {
            record.add(table, spec.name.clone(), spec.bound.clone(), self.home)?;
        }
        let checked = record.build()?;
        let slots: Vec<Slot> = checked
            .fragments()
            .iter()
            .map(|fragment| Slot::New(specs[fragment.id.index as usize].node.clone()))
            .collect();
        let choice = FamilyChoice::of_new_table(self, wish, !specs.is_empty())?;
        let placed = self.settle(checked.to_record(), &slots, &choice)?;
        Ok(TableKind::Fragmented(placed.build()?))
    }

    pub(super) fn drop_table(&mut self, id: TableId) -> Result<(), CatalogError> {
        self.tables.remove(&id).ok_or(CatalogError::NoTable(id))?;
        self.forget_empty_families();
        Ok(())
    }

    pub(super) fn rename_table(&mut self, id: TableId, name: &str) -> Result<(), CatalogError> {
        name.clone_into(&mut self.table_mut(id)?.name.name);
        Ok(())
    }

    pub(super) fn set_schema(&mut self, id: TableId, schema: &str) -> Result<(), CatalogError> {
        schema.clone_into(&mut self.table_mut(id)?.name.schema);
        Ok(())
    }

    pub(super) fn rename_schema(&mut self, from: &str, to: &str) -> Result<(), CatalogError> {
        let rename = |name: &mut TableName| {
            if name.schema == from {
                to.clone_into(&mut name.schema);
            }
        };
        for table in self.tables.values_mut() {
            let table = Arc::make_mut(table);
            rename(&mut table.name);
            if let TableKind::Fragmented(fragmentation) = &mut table.kind {
                let mut record = fragmentation.to_record();
                record.fragments.iter_mut().for_each(|fragment| rename(&mut fragment.name));
                *fragmentation = record.build()?;
            }
        }
        self.shadows = std::mem::take(&mut self.shadows)
            .into_iter()
            .map(|mut name| {
                rename(&mut name);
                name
            })
            .collect();
        Ok(())
    }

    pub(super) fn set_columns(
        &mut self,
        id: TableId,
        columns: &[Column],
        key: &[String],
    ) -> Result<(), CatalogError> {
        let table = self.table_mut(id)?;
        if let TableKind::Fragmented(fragmentation) = &mut table.kind {
            let key = KeyColumn::find(columns, key)?;
            let types = key.iter().map(|column| (column.key_type, column.modifier));
            let old = fragmentation.key().iter().map(|column| (column.key_type, column.modifier));
            if !types.eq(old) {
                return Err(CatalogError::KeyTypeChanged);
            }
            *fragmentation = FragmentationRecord { key, ..fragmentation.to_record() }.build()?;
        }
        table.columns = columns.to_vec();
        Ok(())
    }

    /// Home relations that no unqualified name can be mistaken for any more.
    pub(super) fn forget_needless_shadows(&mut self) {
        self.shadows.retain(|shadow| self.bare_names.contains(&shadow.name));
    }

    pub(super) fn table_mut(&mut self, id: TableId) -> Result<&mut Table, CatalogError> {
        self.tables.get_mut(&id).map(Arc::make_mut).ok_or(CatalogError::NoTable(id))
    }
}
