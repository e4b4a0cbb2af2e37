//! Runs a plan on nodes: what is sent, what must come back, and what of it the client sees.

mod client;
pub mod copy;
pub mod define;
mod interrupt;
mod output;
mod relay;
mod replies;
mod spare;

pub use client::{ClientConnection, ClientLost};
pub use interrupt::{Interrupt, Interrupts};
pub use output::Output;
pub use relay::{Relay, RelayError};
pub use replies::{Event, Expected, Replies, RepliesError, Shown, Subject, Token};
pub use spare::SpareBuffers;
