//! What tests of several crates need: a real PostgreSQL server that lives as long as the test.
//!
//! Only ever a dev-dependency; it panics where a test should fail.

mod binaries;
mod postgres;

pub use binaries::binary_directory;
pub use postgres::TempPostgres;
