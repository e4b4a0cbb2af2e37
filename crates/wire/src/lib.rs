//! The PostgreSQL wire protocol, for both directions: frames, startup, TLS, authentication.
//!
//! It knows nothing of SQL, pools or the catalog.

pub mod frame;
pub mod message;
