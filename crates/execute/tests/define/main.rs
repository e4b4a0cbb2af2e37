//! Definitions on three real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alone;
mod alter;
mod attached;
mod crash;
mod doomed;
mod herd;
mod indexes;
mod keys;
mod shared;
mod tables;
