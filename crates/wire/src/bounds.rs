//! Every limit of the beginning of a connection, in one place.

/// A startup packet, its length word included (PostgreSQL's own bound).
pub const STARTUP_PACKET_BYTES_MAX: usize = 10_000;
/// A secret of a cancel key, as protocol 3.2 allows it.
pub const CANCEL_SECRET_BYTES_MAX: usize = 256;
/// A name of a role or database; longer ones are cut as PostgreSQL cuts them.
pub const NAME_BYTES_MAX: usize = 63;

/// One message of a client that is logging in: nonces, channel binding and proof are far smaller.
pub const CLIENT_LOGIN_MESSAGE_BYTES_MAX: usize = 2_048;
/// How long a client that is turned away may take to read why.
pub const FAREWELL_MS_MAX: u64 = 1_000;
/// What such a client said that nobody wants to know is read in pieces of this size.
pub const FAREWELL_READ_BYTES: usize = 4_096;
pub const FAREWELL_READS_MAX: usize = 16;

/// One message of a node before it is ready, errors and notices included.
pub const NODE_LOGIN_MESSAGE_BYTES_MAX: usize = 65_536;
/// Messages of a node before it is ready: parameters and notices.
pub const NODE_LOGIN_MESSAGES_MAX: usize = 1_000;

/// Rounds of PBKDF2 that a node may ask of us.
pub const SCRAM_ITERATIONS_MAX: u32 = 1_000_000;
/// A salt, decoded.
pub const SCRAM_SALT_BYTES_MAX: usize = 1_024;

const _: () = assert!(STARTUP_PACKET_BYTES_MAX > 4 + 8 + CANCEL_SECRET_BYTES_MAX);
const _: () = assert!(CLIENT_LOGIN_MESSAGE_BYTES_MAX < STARTUP_PACKET_BYTES_MAX);
