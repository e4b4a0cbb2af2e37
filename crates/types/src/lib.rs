//! Ids, SQLSTATEs and the errors that clients may see.
//!
//! It knows nothing of I/O, SQL or the catalog; every other crate may use it.

mod error;
mod ids;
mod sqlstate;

pub use error::{ClientError, Severity};
pub use ids::{ClientId, FamilyId, FragmentId, JobId, NodeId, StatementId, TableId};
pub use sqlstate::SqlState;
