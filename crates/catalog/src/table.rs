//! Logical tables. A table that is not in the catalog is a home table.

use herd_types::{FamilyId, NodeId, TableId};
use serde::{Deserialize, Serialize};

use crate::limits::KEY_COLUMNS_MAX;
use crate::{Bound, CatalogError, Fragmentation, KeyError, KeyType, KeyValue, Modifier, TableName};

/// A logical table that is not simply on the home node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub id: TableId,
    pub name: TableName,
    /// In the order of `attnum`, without dropped ones: what an INSERT or COPY without a column
    /// list means.
    pub columns: Vec<Column>,
    pub kind: TableKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As `format_type` prints it.
    pub type_name: String,
    /// Generated columns cannot be given by INSERT or COPY.
    pub generated: bool,
    pub has_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableKind {
    /// A full copy on every node.
    Reference,
    Fragmented(Fragmentation),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    Hash,
    Range,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Index into `Table::columns`.
    pub column: usize,
    pub key_type: KeyType,
    pub modifier: Modifier,
}

/// Tables with the same method, bounds and key types: fragment `i` of each is on the same node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    pub id: FamilyId,
    /// When it is declared: only tables that name it belong to it.
    pub name: Option<String>,
    pub method: Method,
    pub key_types: Vec<KeyType>,
    pub bounds: Vec<Bound>,
    /// The node of each bound.
    pub placement: Vec<NodeId>,
}

impl Table {
    #[must_use]
    pub fn fragmentation(&self) -> Option<&Fragmentation> {
        match &self.kind {
            TableKind::Reference => None,
            TableKind::Fragmented(fragmentation) => Some(fragmentation),
        }
    }

    /// The index of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl KeyColumn {
    /// The value that the column holds after `value` was assigned to it by INSERT, UPDATE or
    /// COPY. In a comparison, the value counts as it is.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when it does not fit into the column.
    pub fn store(&self, value: KeyValue) -> Result<KeyValue, KeyError> {
        self.modifier.store(value)
    }

    /// The key columns that are called `names`, in that order.
    pub(crate) fn find(
        columns: &[Column],
        names: &[String],
    ) -> Result<Vec<KeyColumn>, CatalogError> {
        if names.is_empty() || names.len() > KEY_COLUMNS_MAX {
            return Err(CatalogError::KeyWidth(names.len()));
        }
        names
            .iter()
            .map(|name| {
                let column = columns
                    .iter()
                    .position(|column| column.name == *name)
                    .ok_or_else(|| CatalogError::NoKeyColumn(name.clone()))?;
                let type_name = &columns[column].type_name;
                let (key_type, modifier) = KeyType::from_type_name(type_name).ok_or_else(|| {
                    CatalogError::KeyType { column: name.clone(), type_name: type_name.clone() }
                })?;
                Ok(KeyColumn { column, key_type, modifier })
            })
            .collect()
    }
}

impl Method {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Hash => "hash",
            Method::Range => "range",
            Method::List => "list",
        }
    }
}
