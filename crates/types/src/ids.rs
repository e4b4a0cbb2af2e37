//! Ids are types, so that a node can never be passed where a table is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// One PostgreSQL server. The number is given once and never reused; names are in the catalog.
    NodeId(u16), "node-"
);
id!(
    /// One logical table that is fragmented or reference.
    TableId(u32), "table-"
);
id!(
    /// Tables whose fragments lie alike.
    FamilyId(u32), "family-"
);
id!(
    /// One client connection, for the life of the process.
    ClientId(u64), "c"
);
id!(
    /// One statement, for logs.
    StatementId(u64), "s"
);
id!(
    /// One job of the control plane.
    JobId(u64), "job-"
);

/// The `index`-th fragment of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FragmentId {
    pub table: TableId,
    pub index: u32,
}

impl fmt::Display for FragmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.index)
    }
}
