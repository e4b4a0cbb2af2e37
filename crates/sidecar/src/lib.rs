//! Control loops.
