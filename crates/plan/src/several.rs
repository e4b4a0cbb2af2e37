//! What one statement of a query string does to the understanding of those after it.
//!
//! All of them are understood before the first one runs. One that changes what names mean makes
//! that a guess for the others: they are refused as soon as they use a name that matters.

use herd_types::ClientError;

use crate::lex::{Token, position};
use crate::{Action, Context, Plan, SettingCommand, TransactionCommand};

/// What is known of the names after the statements so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    changed: bool,
    /// Whether the transaction began in this query string, so that its end restores no settings
    /// but those that were changed before our eyes.
    began: bool,
}

impl Names {
    /// Refuses a statement that uses, without a schema, a name of a logical table when the
    /// search_path is not known any more.
    pub(crate) fn check(
        &self,
        sql: &[u8],
        tokens: &[Token],
        context: &Context<'_>,
    ) -> Result<(), ClientError> {
        if !self.changed {
            return Ok(());
        }
        let known = |token: &&Token| {
            let name = token.identifier(sql);
            name.is_some_and(|name| context.catalog.knows_name(&name))
        };
        match tokens.iter().find(known) {
            None => Ok(()),
            Some(token) => {
                let name = String::from_utf8_lossy(token.text(sql)).into_owned();
                let message = format!("which table {name} is depends on another statement");
                Err(ClientError::unsupported(message)
                    .with_detail("search_path may change within the same query string.")
                    .with_hint("Send the statements one by one.")
                    .at(position(sql, token.start as usize)))
            }
        }
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
