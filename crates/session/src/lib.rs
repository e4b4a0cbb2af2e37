//! One client of Herd: from its first byte to its last.
//!
//! A session knows its client, its settings, its prepared statements and its transaction. It knows
//! nothing of how statements are routed (`plan`), of how connections are pooled (`node`) or of
//! sockets being accepted.

mod apply;
mod attach;
mod batch;
mod block;
mod bring;
mod circumstances;
mod conclude;
mod copy;
mod cursors;
mod deadlock;
mod define;
mod dispatch;
mod exchange;
mod extended;
mod foresee;
mod front;
mod gateway;
mod gather;
mod idle;
mod inline;
mod link;
mod local;
mod metrics;
mod outcome;
mod parameters;
mod parsing;
mod pipeline;
mod portals;
mod prepared;
mod recheck;
mod registry;
mod routines;
mod scatter;
mod session;
mod settings;
mod several;
mod shape;
mod show;
mod simple;
mod spread;
mod statements;
mod sweeper;
mod sync;
mod transaction;
mod trouble;

pub use deadlock::{LockWait, watch_deadlocks};
pub use define::{ClientNode, ClientNodes};
pub use front::{Lobby, serve};
pub use gateway::{
    Boxed, Definitions, Gateway, Jobs, NodeState, NodeStates, Operator, RoleRecord, Roles,
    StaticUsers, Worker,
};
pub use metrics::Metrics;
pub use registry::{ClientHandle, Clients, Phase};
pub use routines::{RoutineBook, RoutineReader, keep_routines};
pub use sweeper::sweep;
