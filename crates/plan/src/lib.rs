//! SQL text and a catalog in, a [`Plan`] out: parse, analyse, route, rewrite, explain.
//!
//! Values in, values out: no sockets, no clock, no randomness. `parse` is the only module that
//! names sqlparser, and nothing is ever rendered back through `Display`.

mod analyse;
mod arguments;
mod cache;
mod copy;
pub mod cursor;
mod custom_settings;
pub mod ddl;
mod dispatch;
mod effects;
mod exchange;
mod explain;
#[cfg(test)]
mod fixture;
mod forward;
pub mod lex;
mod named;
mod normalise;
mod parse;
mod planner;
mod readable;
mod route;
mod routines;
mod scatter;
mod secrets;
mod several;
mod shape;
pub mod split;
mod statement;
mod utility;
mod values;

pub use arguments::{Arguments, TypedArguments};
pub use copy::{CopyFormat, CopyGather, CopyIn, CsvFormat, Envelope, OnError, Spread, TextFormat};
pub use custom_settings::CustomSettings;
pub use dispatch::{Dispatch, Portion, Told};
pub use exchange::{Beside, Brought, Exchange, Narrowing, Reading};
pub use explain::explain;
pub use forward::{CopyOut, Forward, Target};
pub use planner::{Context, Part, Planner, Query, Unclear, Understood};
pub use readable::check_setting;
pub use route::{KeyConstant, Needs, Place, Source};
pub use routines::{Dependent, Object, RoutineText, Routines, Survey};
pub use scatter::{Asked, Direction, Scatter};
pub use secrets::without_secrets;
pub use shape::{
    Action, AdminCommand, Effects, Explain, Inline, PinReason, Plan, Prepare, PreparedCommand,
    Relation, SettingCommand, TransactionCommand,
};
pub use utility::{CursorCommand, prepares_transaction};
pub use values::{NoParameters, Parameter, Parameters, Slots, Values};
