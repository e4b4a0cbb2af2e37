//! The control plane: what Herd does on nodes on its own account.
//!
//! It runs on a runtime of its own, so that nothing here adds latency to a statement. It knows
//! nothing of clients.

mod control;
mod health;
mod inventories;
mod ledger;
mod repair;
mod roles;
mod routines;

pub use control::{ControlError, ControlPools};
pub use health::{Health, NodeHealth, watch};
pub use inventories::NodeInventories;
pub use ledger::{Ledger, LedgerError, now_ms};
pub use repair::{Adopt, COPY_GID_PREFIX, DEFINE_GID_PREFIX, Payload, Repair};
pub use roles::{RoleDirectory, RoleEntry};
pub use routines::{CodeObject, RoutineCatalog, RoutineReading, RoutineRow, UseRow};
