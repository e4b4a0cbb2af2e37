//! The control plane: what Herd does on nodes on its own account.
//!
//! It runs on a runtime of its own, so that nothing here adds latency to a statement. It knows
//! nothing of clients.

mod control;
mod health;
mod ledger;
mod roles;

pub use control::{ControlError, ControlPools};
pub use health::{Health, NodeHealth, watch};
pub use ledger::{Ledger, LedgerError, now_ms};
pub use roles::{RoleDirectory, RoleEntry};
