//! Utility statements.
