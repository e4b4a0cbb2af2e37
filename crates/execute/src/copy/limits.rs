//! How much a COPY may hold in memory, and how long its steps may take.

use std::time::Duration;

/// One row, which is held whole until its end is seen.
pub const ROW_BYTES_MAX: usize = 256 << 20;

/// Rows waiting for one node; while any node has more, the client is not read.
pub(super) const OUTBOX_BYTES_MAX: usize = 256 << 10;

/// Rows travel in frames of about this size.
pub(super) const FRAME_BYTES: usize = 32 << 10;

/// Less than this is sent only when the client has nothing more to say at the moment.
pub(super) const WRITE_BYTES_MIN: usize = 32 << 10;

/// What is remembered of the lines that a node was sent, a byte for most.
pub(super) const LINE_MAP_BYTES_MAX: usize = 256 << 10;

/// What is read from the client at once.
pub(super) const READ_BYTES: usize = 128 << 10;

/// Within which a node must confirm that it has given up a COPY.
pub(super) const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

const _: () = assert!(FRAME_BYTES <= OUTBOX_BYTES_MAX && WRITE_BYTES_MIN <= OUTBOX_BYTES_MAX);
