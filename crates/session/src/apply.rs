//! What a statement that succeeded leaves behind in the session.

use herd_node::{NodeError, Setting, Settings};
use herd_plan::{
    Action, CustomSettings, NoParameters, PinReason, Plan, SettingCommand, TransactionCommand,
};
use herd_types::{ClientError, SqlState};

use crate::batch::Conclusion;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble};

impl Session {
    pub(crate) fn apply(&mut self, plan: &Plan, sql: &[u8]) {
        let custom = if plan.effects.probes_settings {
            CustomSettings::made_by(sql, &NoParameters)
        } else {
            CustomSettings::default()
        };
        self.apply_with(plan, sql, custom);
    }

    /// The same for a statement with parameters, which may be the names of settings.
    pub(crate) fn apply_with(&mut self, plan: &Plan, sql: &[u8], custom: CustomSettings) {
        if let Some(reason) = &plan.effects.pin {
            self.pin(reason.clone());
        }
        if plan.effects.probes_settings {
            self.batch.probes = true;
            self.batch.custom_settings.extend(custom.names);
            self.batch.local_settings.extend(custom.local);
            self.batch.custom_settings.extend(plan.effects.custom_settings.iter().cloned());
            if custom.is_incomplete {
                self.pin(PinReason::CustomSetting);
            }
        }
        if !plan.effects.local_settings.is_empty() {
            self.batch.local_settings.extend(plan.effects.local_settings.iter().cloned());
        }
        self.note_cursor(sql);
        match &plan.action {
            Action::Setting(command) => self.apply_setting(command, sql),
            Action::Transaction(command) => self.apply_transaction(command, sql),
            _ => {}
        }
    }

    fn apply_setting(&mut self, command: &SettingCommand, sql: &[u8]) {
        match command {
            SettingCommand::Set { name, values } => {
                let statement = sql.to_vec();
                let setting = match values {
                    Some(values) => Setting::Said { statement, value: as_list(name, values) },
                    None => Setting::Statement(statement),
                };
                self.settings.set(name, setting);
                if name == "session_authorization" {
                    // PostgreSQL goes back to the new user's own role.
                    self.settings.reset("role");
                }
            }
            SettingCommand::Characteristics => self.settings.add_characteristics(sql),
            SettingCommand::Reset { name } => {
                self.batch.bare_settings = Some(self.settings.reset(name));
            }
            SettingCommand::ResetAll => self.batch.bare_settings = Some(self.settings.reset_all()),
            SettingCommand::SetLocal { name, values } => {
                self.settings.set_local(name, values.as_ref().map(|values| as_list(name, values)));
            }
            SettingCommand::ResetLocal { name } => self.settings.set_local(name, None),
            SettingCommand::Local | SettingCommand::Discard | SettingCommand::DiscardAll => {}
        }
        self.transaction.remember(sql);
    }

    fn apply_transaction(&mut self, command: &TransactionCommand, sql: &[u8]) {
        match command {
            TransactionCommand::Begin
            | TransactionCommand::Commit { .. }
            | TransactionCommand::Rollback { .. } => return,
            TransactionCommand::Savepoint { name } => self.settings.savepoint(name),
            TransactionCommand::Release { name } => self.settings.release(name),
            TransactionCommand::RollbackTo { name } => {
                self.settings.roll_back_to(name);
                if let Some(subject) = self.batch.defined {
                    self.worker.gateway.note_definition(subject);
                }
            }
        }
        self.transaction.remember(sql);
    }

    /// DISCARD ALL: the session as on its first day. Returns the command tag.
    pub(crate) async fn discard_all(&mut self) -> Result<&'static str, Trouble> {
        if !matches!(self.transaction, Transaction::None) {
            return Err(Trouble::Refused(ClientError::error(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "DISCARD ALL cannot run inside a transaction block",
            )));
        }
        self.unpin_all().await;
        self.statements.clear();
        self.settings.discard();
        // The client hears what its parameters are now.
        let node = self.node_for_settings();
        self.attach(node).await?;
        self.release().await;
        Ok("DISCARD ALL")
    }

    /// After a RESET within a transaction, its connection gets what the startup packet says, which
    /// it does not know. A rollback takes that back with the RESET.
    pub(crate) async fn restore_startup(&mut self) -> Result<(), Trouble> {
        if self.is_failed_on_server() {
            return Ok(());
        }
        let Some(bare) = self.batch.bare_settings.take() else { return Ok(()) };
        let missing = self.settings.current().beyond(&bare);
        if let (false, Some(link)) = (missing.is_empty(), &mut self.links.current) {
            let restored = link.lease.connection().simple(&missing).await;
            restored.map_err(Trouble::in_transaction)?;
            self.transaction.remember(&missing);
            self.tell_parameters();
        }
        Ok(())
    }

    /// Within a transaction, names must be looked up where the server looks for them.
    pub(crate) async fn probe_search_path(&mut self) -> Result<(), Trouble> {
        if !self.batch.probes || self.is_failed_on_server() {
            return Ok(());
        }
        let Some(link) = &mut self.links.current else { return Ok(()) };
        let sql = b"SELECT pg_catalog.current_setting('search_path')";
        let (answer, _) = link.lease.connection().simple(sql).await?;
        let value = answer.rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        let value = value.map(|value| String::from_utf8_lossy(&value).into_owned());
        self.settings.set_local("search_path", value);
        Ok(())
    }

    /// After a transaction, the settings of the session are what the server says.
    pub(crate) async fn probe_settings(&mut self) -> Result<(), Trouble> {
        if !std::mem::take(&mut self.batch.probes) {
            return Ok(());
        }
        let custom = std::mem::take(&mut self.batch.custom_settings);
        let Some(link) = &mut self.links.current else { return Ok(()) };
        let (answer, _) =
            link.lease.connection().simple(&Settings::query_of_session(&custom)).await?;
        let text = |value: Option<bytes::Bytes>| {
            value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
        };
        let settings = answer.rows.into_iter().filter_map(|row| {
            let mut row = row.into_iter();
            Some((text(row.next()?), text(row.next()?)))
        });
        self.settings.replace_listed(settings);
        Ok(())
    }

    /// The node broke the connection. `None` when the server itself has told the client why.
    pub(crate) fn lose_node(&mut self, error: &NodeError) -> Result<Option<ClientError>, Ending> {
        let told = self.exchange.told_error;
        let in_the_middle = self.exchange.replies.is_passing();
        self.exchange.abandon();
        self.batch.forget_link();
        self.drop_definitions();
        // Dropping a lease closes the connection and frees its place.
        self.links.current = None;
        self.links.part();
        self.aside = None;
        self.cursors.clear();
        let message = error.to_string();
        if in_the_middle {
            return Err(Ending::Fatal(ClientError::fatal(error.sqlstate(), message)));
        }
        let (sqlstate, detail) = match std::mem::take(&mut self.transaction) {
            Transaction::Open { .. } if self.batch.conclusion != Conclusion::Committing => {
                self.transaction = Transaction::Void;
                (SqlState::CONNECTION_FAILURE, "The transaction is lost; nothing of it remains.")
            }
            _ => {
                self.settings.roll_back();
                (
                    SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                    "Whether the statement took effect is not known.",
                )
            }
        };
        Ok((!told).then(|| ClientError::error(sqlstate, message).with_detail(detail)))
    }
}

/// A list as `SHOW` writes it: identifiers are quoted, a single value of another setting is not.
fn as_list(name: &str, values: &[String]) -> String {
    if name != "search_path" {
        return values.join(", ");
    }
    let quoted: Vec<String> =
        values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
    quoted.join(", ")
}
