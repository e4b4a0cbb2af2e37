//! The catalog: one immutable, versioned snapshot of which logical tables exist, how they are cut
//! into fragments, and on which nodes the fragments lie.
//!
//! Values in, values out. It knows nothing of sockets, clocks, SQL text or where it is stored.

mod key;
mod name;
mod node;
mod search_path;
mod snapshot;
mod table;

pub use key::{KeyType, KeyValue};
pub use name::{TableName, quote_identifier};
pub use node::{Node, NodeRole, NodeStatus};
pub use search_path::SearchPath;
pub use snapshot::{Catalog, Resolved};
pub use table::{
    Bound, Column, Family, Fragment, Fragmentation, KeyColumn, Limit, Method, Table, TableKind,
};
