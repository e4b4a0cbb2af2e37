//! Each rule of the grammar, as the statements that it becomes.

pub mod support;
