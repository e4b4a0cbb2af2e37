//! SQL text and a catalog in, a [`Plan`] out: parse, analyse, route, rewrite, explain.
//!
//! Values in, values out: no sockets, no clock, no randomness. `parse` is the only module that
//! names sqlparser, and nothing is ever rendered back through `Display`.

mod shape;

pub use shape::{
    Action, AdminCommand, Effects, Explain, Forward, Inline, PinReason, Plan, PreparedCommand,
    Relation, SettingCommand, Target, TransactionCommand,
};
