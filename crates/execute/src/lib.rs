//! Runs a plan on nodes: what is sent, what must come back, and what of it the client sees.

mod client;
pub mod copy;
pub mod define;
pub mod exchange;
mod expected;
mod interrupt;
mod output;
mod relay;
mod renumber;
mod replies;
mod spare;
mod subject;

pub use client::{ClientConnection, ClientLost};
pub use expected::{Expected, Shown, Token};
pub use interrupt::{Interrupt, Interrupts};
pub use output::Output;
pub use relay::{Relay, RelayError};
pub use replies::{Event, Replies, RepliesError};
pub use spare::SpareBuffers;
pub use subject::Subject;
