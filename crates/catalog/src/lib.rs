//! The catalog: one immutable, versioned snapshot of which logical tables exist, how they are cut
//! into fragments, and on which nodes the fragments lie.
//!
//! Values in, values out. It knows nothing of sockets, clocks, SQL text or where it is stored.
//!
//! # Finding the node of a row
//!
//! A name in a statement is looked up with [`Catalog::resolve`]. A fragmented [`Table`] has a
//! [`Fragmentation`]: the method (hash, list or range), the key columns, and the [`Fragment`]s.
//! The values of the key columns are read with [`KeyType::from_text`] and its siblings, exactly
//! as the server would read them. [`Fragmentation::fragment_for`] then gives the fragment, and
//! [`Fragment::primary`] the node.
//!
//! A value that is compared with a key is used as it was read; a value that is stored in a key
//! column goes through [`KeyColumn::store`] first, which rounds and cuts as the column does.
//!
//! What cannot be read for certain is a [`KeyError::Unsure`], and the statement must not be
//! routed by it. [`KeyError::Invalid`] means that every server rejects the value itself.
//!
//! Three things are beyond what the catalog can see, and are the caller's to check:
//! - texts are in the server's encoding, which is UTF8: a client with another needs conversion;
//! - hash and list keys of text have a deterministic collation, range keys collation `"C"`;
//! - a comparison is by the default operators of the key's type.
//!
//! # Changing it
//!
//! [`Catalog::apply`] makes the next snapshot from a [`Change`]; the old one stays as it is.
//! Versions increase by one, and ids are given by the catalog and never used twice. Bounds are
//! checked here as a server would check them, since no server has all fragments of a table.
//!
//! Tables with the same method, key types and bounds form a [`Family`]: fragment *i* of each
//! lies on the same node, so that joins on the key stay on one node. A table joins its family
//! when it is added, or when a later fragment makes its bounds equal; it leaves when they cease
//! to be. A table that declares a name for its family is together only with tables that name it
//! too. Nodes for new fragments are chosen by capacity, deterministically, unless wished for.
//!
//! # Storing it
//!
//! [`CatalogRecord`] is the catalog in a form for serde. Only what follows from nothing else is
//! in it; the rest is built, and checked, when a catalog is made of it.

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
