//! Merging of row streams.
