//! Runs a plan on nodes: what is sent, what must come back, and what of it the client sees.

mod cancel_reason;
mod client;
pub mod commit;
pub mod copy;
mod decisions;
pub mod define;
pub mod dispatch;
pub mod exchange;
mod expected;
mod interrupt;
mod output;
mod relay;
mod renumber;
mod replies;
pub mod scatter;
mod spare;
mod subject;

pub use cancel_reason::CancelReason;
pub use client::{ClientConnection, ClientLost};
pub use decisions::{Boxed, Decision, Decisions, End, Intent, IntentKind};
pub use expected::{Expected, Shown, Token};
pub use interrupt::{Interrupt, Interrupts};
pub use output::Output;
pub use relay::{Relay, RelayError};
pub use replies::{Event, Replies, RepliesError};
pub use spare::SpareBuffers;
pub use subject::Subject;
