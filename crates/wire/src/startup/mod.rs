//! How a client arrives: requests for encryption, cancel requests, the startup packet.
//!
//! Who the client is, is not known here; that is `auth`'s.

mod error;
mod farewell;
mod greet;
mod options;
mod packet;
#[cfg(test)]
mod packet_tests;
#[cfg(test)]
mod tests;

pub use error::ArrivalError;
pub use farewell::{farewell, turn_away};
pub use greet::{Arrived, ClientTls, Greeting, GreetingPolicy, greet};
pub use packet::{Negotiation, Packet, ProtocolMinor, Startup};
