//! Connections to nodes: pools, leases, cancel, and what a session has left on a connection.
//!
//! It knows nothing of SQL beyond the statements that restore a session's settings, and nothing of
//! clients.

mod connection;
mod copying;
mod counts;
mod error;
mod lease;
mod limits;
mod numbering;
mod pool;
mod pools;
mod prepared;
mod reported;
mod settings;

pub use connection::{Answer, ServerConnection, ServerIdentity};
pub use counts::PoolCounts;
pub use error::NodeError;
pub use lease::Lease;
pub use numbering::{
    FIRST_OF_USERS, Inventories, Inventory, Named, Numbered, Numbering, Numberings, Numbers, Wanted,
};
pub use pool::{Pool, PoolKey};
pub use pools::{NodePool, Pools};
pub use prepared::{PreparedCache, StatementKey};
pub use reported::Reported;
pub use settings::{Setting, Settings};
