//! Runs a plan on nodes: what is sent, what must come back, and what of it the client sees.

mod replies;

pub use replies::{Event, Expected, Output, Replies, RepliesError, Shown, Token};
