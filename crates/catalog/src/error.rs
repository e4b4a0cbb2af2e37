//! Why a catalog cannot become another.

use herd_types::{ClientError, FragmentId, NodeId, SqlState, TableId};

use crate::limits::{FRAGMENTS_PER_TABLE_MAX, KEY_COLUMNS_MAX};
use crate::{BoundProblem, TableName};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("{0} is not in the catalog")]
    NoTable(TableId),
    #[error("fragment {0} is not in the catalog")]
    NoFragment(FragmentId),
    #[error("{0} is not in the catalog")]
    NoNode(NodeId),
    #[error("relation \"{0}\" already exists")]
    NameTaken(TableName),
    #[error("node \"{0}\" already exists")]
    NodeNameTaken(String),
    #[error("{0} is not fragmented")]
    NotFragmented(TableId),
    #[error("key column \"{0}\" does not exist")]
    NoKeyColumn(String),
    #[error("a fragment key has 1 to {KEY_COLUMNS_MAX} columns, not {0}")]
    KeyWidth(usize),
    #[error("column \"{column}\" of type {type_name} cannot be a fragment key")]
    KeyType { column: String, type_name: String },
    #[error("the type of a fragment key cannot change")]
    KeyTypeChanged,
    #[error("a table has at most {FRAGMENTS_PER_TABLE_MAX} fragments")]
    TooManyFragments,
    #[error("the bound of fragment \"{fragment}\" cannot be used: {problem}")]
    Bound { fragment: TableName, problem: BoundProblem },
    #[error("fragment \"{second}\" would overlap fragment \"{first}\"")]
    Overlap { first: TableName, second: TableName },
    #[error("every hash modulus must be a factor of the next larger one: {smaller}, {larger}")]
    Moduli { smaller: u32, larger: u32 },
    #[error("the table cannot join family \"{0}\": its key types or bounds are others")]
    FamilyMismatch(String),
    #[error("the table cannot join family \"{0}\": its fragments lie on other nodes than asked")]
    FamilyElsewhere(String),
    #[error("no active node {0} can take a fragment")]
    NoCandidate(String),
    #[error("node \"{node}\" cannot be removed: {reason}")]
    NodeInUse { node: String, reason: &'static str },
    #[error("node \"{0}\" cannot be the home node: it is not an active primary")]
    NotHome(String),
    #[error("the catalog has given out all ids")]
    IdsExhausted,
    #[error("the stored catalog is of format {0}, which this version of Herd does not know")]
    Format(u32),
    #[error("the stored catalog contradicts itself: {0}")]
    Inconsistent(String),
}

impl CatalogError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            CatalogError::NoTable(_) => SqlState::UNDEFINED_TABLE,
            CatalogError::NoFragment(_) => SqlState::UNDEFINED_TABLE,
            CatalogError::NoNode(_) => SqlState::UNDEFINED_OBJECT,
            CatalogError::NameTaken(_) => SqlState::DUPLICATE_TABLE,
            CatalogError::NodeNameTaken(_) => SqlState::DUPLICATE_OBJECT,
            CatalogError::NotFragmented(_) => SqlState::WRONG_OBJECT_TYPE,
            CatalogError::NoKeyColumn(_) => SqlState::UNDEFINED_COLUMN,
            CatalogError::KeyWidth(_) => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::KeyType { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            CatalogError::KeyTypeChanged => SqlState::FEATURE_NOT_SUPPORTED,
            CatalogError::TooManyFragments => SqlState::PROGRAM_LIMIT_EXCEEDED,
            CatalogError::Bound { .. } => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::Overlap { .. } => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::Moduli { .. } => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::FamilyMismatch(_) => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::FamilyElsewhere(_) => SqlState::INVALID_OBJECT_DEFINITION,
            CatalogError::NoCandidate(_) => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            CatalogError::NodeInUse { .. } => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            CatalogError::NotHome(_) => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            CatalogError::IdsExhausted => SqlState::PROGRAM_LIMIT_EXCEEDED,
            CatalogError::Format(_) => SqlState::SYSTEM_ERROR,
            CatalogError::Inconsistent(_) => SqlState::INTERNAL_ERROR,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            CatalogError::KeyType { .. } => Some(
                "Use a boolean, integer, numeric, text, varchar, char, uuid, date, timestamp or \
                 bytea column.",
            ),
            CatalogError::KeyTypeChanged => {
                Some("Create a table with the new type and copy the rows.")
            }
            CatalogError::Bound { problem: BoundProblem::UnsureValue(_), .. } => Some(
                "Write dates and timestamps in ISO form, those with a time zone with their offset.",
            ),
            CatalogError::FamilyMismatch(_) | CatalogError::FamilyElsewhere(_) => {
                Some("Name another family, or declare the same key types, bounds and nodes.")
            }
            CatalogError::NoCandidate(_) => Some("SHOW NODES lists nodes and their status."),
            _ => None,
        }
    }
}

impl From<CatalogError> for ClientError {
    fn from(error: CatalogError) -> ClientError {
        let client = ClientError::error(error.sqlstate(), error.to_string());
        match error.hint() {
            Some(hint) => client.with_hint(hint),
            None => client,
        }
    }
}
