//! The catalog: one immutable, versioned snapshot of which logical tables exist, how they are cut
//! into fragments, and on which nodes the fragments lie.
//!
//! Values in, values out. It knows nothing of sockets, clocks, SQL text or where it is stored.

mod bound;
mod change;
mod error;
mod fragmentation;
pub mod hash;
mod key;
pub mod limits;
mod name;
mod node;
mod placement;
mod record;
mod router;
mod search_path;
mod snapshot;
mod table;

pub use bound::{Bound, BoundProblem, Limit};
pub use change::{Change, FamilyWish, FragmentSpec, KindSpec, NodeSpec, NodeWish, TableSpec};
pub use error::CatalogError;
pub use fragmentation::{Fragment, Fragmentation};
pub use key::{Decimal, KeyBytes, KeyError, KeyType, KeyValue, Modifier, Numeric};
pub use name::{TableName, quote_identifier};
pub use node::{Node, NodeRole, NodeStatus};
pub use record::CatalogRecord;
pub use search_path::SearchPath;
pub use snapshot::{Catalog, Resolved};
pub use table::{Column, Family, KeyColumn, Method, Table, TableKind};
