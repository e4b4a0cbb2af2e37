//! Key values, hashes and placement, compared with what a real PostgreSQL server says.

mod assignment;
mod binary;
mod edges;
mod inputs;
mod placement;
mod server;
mod text;
