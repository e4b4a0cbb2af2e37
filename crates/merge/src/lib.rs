//! Merging of row streams that come sorted: whose row is next, and which rows are in the result.
//!
//! Keys are compared as the servers sent them, in PostgreSQL's binary formats, exactly as PostgreSQL
//! compares the values; types for which that cannot be done have no [`KeyType`].

mod key;
mod merge;
mod numeric;
mod window;

pub use key::{KeyType, MalformedKey, Order, SortKey};
pub use merge::Merge;
pub use window::{Verdict, Window};
