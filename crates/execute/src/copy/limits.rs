//! How much a COPY may hold in memory.

/// One row, which is held whole until its end is seen.
pub const ROW_BYTES_MAX: usize = 256 << 20;
