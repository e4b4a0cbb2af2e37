//! What is known to be true.

use std::rc::Rc;

use smallvec::SmallVec;

use super::{ColumnId, RelationId};
use crate::route::{Limit, Rows};

/// What is true of all rows of a region.
#[derive(Clone, Debug)]
pub(in crate::analyse) enum Fact {
    Equal(ColumnId, ColumnId),
    /// The columns have the values of one of the rows.
    In(Values),
    /// At least, or more than.
    Low(ColumnId, Limit),
    High(ColumnId, Limit),
    /// The `usize`-th of the conditions that speak of one relation only.
    Holds(RelationId, usize),
}

#[derive(Clone, Debug)]
pub(in crate::analyse) struct Values {
    pub(in crate::analyse) columns: SmallVec<[ColumnId; 2]>,
    pub(in crate::analyse) rows: Rc<Rows>,
    /// Whether NULL satisfies it: it holds for relations that are directly in the region then,
    /// not for those that an outer join may fill with NULLs.
    pub(in crate::analyse) null_matches: bool,
}

impl Fact {
    pub(in crate::analyse) fn columns(&self) -> SmallVec<[ColumnId; 2]> {
        match self {
            Fact::Equal(left, right) => SmallVec::from_slice(&[*left, *right]),
            Fact::In(values) => values.columns.clone(),
            Fact::Low(column, _) | Fact::High(column, _) => SmallVec::from_slice(&[*column]),
            Fact::Holds(..) => SmallVec::new(),
        }
    }

    /// Whether a NULL in any of its columns makes it false.
    pub(in crate::analyse) fn is_strict(&self) -> bool {
        !matches!(self, Fact::In(values) if values.null_matches)
    }
}
