//! How Herd reaches a node: resolve, connect, encrypt, log in; and cancel what runs there.
//!
//! Pools, retries and which node to reach are others' business.

mod address;
mod cancel;
mod credential;
mod dial;
mod error;
mod exchange;
mod login;
#[cfg(test)]
mod tests;

pub use address::{Endpoint, NodeAddress};
pub use cancel::cancel;
pub use credential::Credential;
pub use dial::dial;
pub use error::ConnectError;
pub use exchange::{Claim, Exchange};
pub use login::{LoggedIn, Login, log_in};
