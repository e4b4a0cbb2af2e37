//! What one statement of a query string does to the understanding of those after it.
//!
//! All of them are understood before the first one runs. One that changes what names mean makes
//! that a guess for the others, which are not understood yet.

use crate::{Action, Plan, SettingCommand, TransactionCommand};

/// What is known of the names after the statements so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    changed: bool,
    /// Whether the transaction began in this query string, so that its end restores no settings
    /// but those that were changed before our eyes.
    began: bool,
}

impl Names {
    /// Whether a statement that is understood as `plan` may mean something else when its turn comes.
    pub(crate) fn may_change(&self, plan: &Plan) -> bool {
        self.changed && !matches!(plan.action, Action::Setting(_) | Action::Transaction(_))
    }

    /// Whether nothing is known for sure any more.
    pub(crate) fn are_changed(&self) -> bool {
        self.changed
    }

    /// Takes note of what a statement may do to names.
    pub(crate) fn follow(&mut self, plan: &Plan) {
        self.changed |= plan.effects.probes_settings;
        match &plan.action {
            Action::Setting(command) => self.changed |= changes_names(command),
            Action::Transaction(command) => self.follow_transaction(command),
            _ => {}
        }
    }

    fn follow_transaction(&mut self, command: &TransactionCommand) {
        match command {
            TransactionCommand::Begin => self.began = true,
            TransactionCommand::Commit { .. } | TransactionCommand::Rollback { .. } => {
                self.changed |= !self.began;
                self.began = false;
            }
            TransactionCommand::RollbackTo { .. } => self.changed |= !self.began,
            TransactionCommand::Savepoint { .. } | TransactionCommand::Release { .. } => {}
        }
    }
}

/// `"$user"` in a search_path is the current role.
fn changes_names(command: &SettingCommand) -> bool {
    match command {
        SettingCommand::Set { name, .. }
        | SettingCommand::SetLocal { name, .. }
        | SettingCommand::Reset { name }
        | SettingCommand::ResetLocal { name } => {
            matches!(name.as_str(), "search_path" | "role" | "session_authorization")
                || name.starts_with("herd.")
        }
        SettingCommand::ResetAll | SettingCommand::DiscardAll => true,
        SettingCommand::Local | SettingCommand::Characteristics | SettingCommand::Discard => false,
    }
}
