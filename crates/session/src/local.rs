//! Statements that Herd answers itself: SHOW, EXPLAIN (HERD), operator commands, promises.

use bytes::{Bytes, BytesMut};
use herd_execute::Expected;
use herd_plan::{
    Action, AdminCommand, Explain, NoParameters, Plan, PreparedCommand, SettingCommand,
    TransactionCommand, Understood, Values,
};
use herd_types::{ClientError, SqlState};
use herd_wire::message;

use crate::batch::Portal;
use crate::session::Session;
use crate::show::{self, Asker};
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

const TEXT_OID: u32 = 25;
const VOID_OID: u32 = 2278;

impl Session {
    pub(crate) fn asker(&self) -> Asker {
        Asker { role: self.pool_key.role.clone(), is_admin: self.is_admin }
    }

    /// The rows and the CommandComplete of a statement of Herd's own.
    pub(crate) fn answer_locally(
        &mut self,
        plan: &Plan,
        sql: &[u8],
        understood: &Understood,
        out: &mut BytesMut,
    ) -> Result<(), Trouble> {
        match &plan.action {
            Action::Show(relation) => {
                let rows = show::rows(*relation, &self.worker.gateway, &self.asker());
                show::put_rows(out, &rows);
            }
            Action::Explain(explain) => self.explain(explain, sql, understood, out),
            Action::Admin(command) => self.operate(*command, out)?,
            _ => {
                let error = ClientError::unsupported("this statement cannot be run in this way");
                return Err(error.with_hint("Send it by the simple protocol, on its own.").into());
            }
        }
        Ok(())
    }

    /// RowDescription or NoData of a statement of Herd's own.
    pub(crate) fn describe_locally(&self, statement: &ClientStatement, out: &mut BytesMut) {
        let action = statement.understood.as_ref().map(|understood| &understood.plan.action);
        match action {
            Some(action) => describe_action(action, out),
            None => out.extend_from_slice(&message::NO_DATA),
        }
    }

    fn explain(&self, explain: &Explain, sql: &[u8], understood: &Understood, out: &mut BytesMut) {
        let values = Values { text: sql, slots: &understood.slots, parameters: &NoParameters };
        let catalog = self.catalog();
        let statement = &sql[explain.statement.clone()];
        let lines = herd_plan::explain(&explain.plan, statement, &catalog, &values);
        for line in &lines {
            message::data_row(out, std::iter::once(Some(line.as_bytes())));
        }
        message::command_complete(out, "EXPLAIN");
    }

    fn operate(&self, command: AdminCommand, out: &mut BytesMut) -> Result<(), ClientError> {
        if !self.is_admin {
            return Err(ClientError::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "must be superuser or one of auth.admin_users to operate Herd",
            ));
        }
        let gateway = &self.worker.gateway;
        let tag = match command {
            AdminCommand::Pause => {
                gateway.paused.send_replace(true);
                "PAUSE"
            }
            AdminCommand::Resume => {
                gateway.paused.send_replace(false);
                "RESUME"
            }
            AdminCommand::Reload => {
                gateway.operator.reload()?;
                "RELOAD"
            }
            AdminCommand::Drain => {
                gateway.operator.drain();
                "DRAIN"
            }
        };
        message::command_complete(out, tag);
        Ok(())
    }

    /// A transaction command that no node has to hear of now.
    pub(crate) fn keeps_promise(&self, command: &TransactionCommand) -> bool {
        match command {
            TransactionCommand::Begin => matches!(self.transaction, Transaction::None),
            TransactionCommand::Commit { chain: false }
            | TransactionCommand::Rollback { chain: false } => {
                matches!(self.transaction, Transaction::Promised { .. } | Transaction::Void)
            }
            _ => false,
        }
    }

    /// Execute of a portal that needs no node.
    pub(crate) async fn execute_in_herd(&mut self, portal: &Portal) -> Result<(), Trouble> {
        let statement = &portal.statement;
        let Some(understood) = &statement.understood else {
            self.answer(&message::EMPTY_QUERY);
            return Ok(());
        };
        let mut out = BytesMut::new();
        let tag = match &understood.plan.action {
            Action::Transaction(_) | Action::Setting(_)
                if self.concerns_all_joined(&understood.plan) =>
            {
                let tag = self.command_all_joined(&understood.plan, &statement.text).await?;
                message::command_complete(&mut out, &tag);
                None
            }
            Action::Transaction(command) if self.keeps_pipeline_block(command) => {
                self.batch.is_block = false;
                Some("BEGIN")
            }
            Action::Transaction(command) if self.ends_definitions(command) => {
                self.send_held_back().await?;
                Some(self.end_definitions(command).await?)
            }
            Action::Transaction(command) => {
                let tag = self.answer_promise(command, &statement.text);
                if matches!(self.transaction, Transaction::None) {
                    self.end_cursors().await;
                }
                tag
            }
            Action::Setting(SettingCommand::DiscardAll) => Some(self.discard_all().await?),
            Action::Prepared(PreparedCommand::Prepare(prepare)) => {
                return self.prepare_in_batch(prepare, &statement.text, understood).await;
            }
            Action::Prepared(command) => Some(self.deallocate(command)?),
            Action::Define(draft) => {
                self.foresee(&understood.plan);
                self.send_held_back().await?;
                out = self.define_or_forward(draft).await?;
                None
            }
            Action::CopyIn(copy) => {
                self.send_held_back().await?;
                self.copy_in(copy, &understood.plan, &statement.text, &mut out).await?;
                None
            }
            Action::CopyGather(copy) => {
                self.check_first_of_its_pipeline()?;
                self.gather(copy, &understood.plan, &mut out).await?;
                None
            }
            _ => {
                self.answer_locally(&understood.plan, &statement.text, understood, &mut out)?;
                None
            }
        };
        if let Some(tag) = tag {
            message::command_complete(&mut out, tag);
        }
        let answer: Bytes = out.freeze();
        self.exchange.replies.expect(Expected::Answer(answer));
        Ok(())
    }

    /// DEALLOCATE: the name is the client's, the statement stays prepared for others.
    pub(crate) fn deallocate(
        &mut self,
        command: &PreparedCommand,
    ) -> Result<&'static str, ClientError> {
        match command {
            PreparedCommand::DeallocateAll => {
                self.statements.clear();
                Ok("DEALLOCATE ALL")
            }
            PreparedCommand::Deallocate { name } => {
                if self.statements.remove(name.as_bytes()) {
                    Ok("DEALLOCATE")
                } else {
                    Err(crate::statements::no_such_statement(name.as_bytes()))
                }
            }
            PreparedCommand::Prepare(_) | PreparedCommand::Execute { .. } => {
                Err(ClientError::unsupported("this statement cannot be run in this way"))
            }
        }
    }
}

pub(crate) fn describe_action(action: &Action, out: &mut BytesMut) {
    match action {
        Action::Show(relation) => show::put_description(out, show::columns(*relation).1),
        Action::Explain(_) => message::row_description(out, &[("QUERY PLAN", TEXT_OID)]),
        Action::Define(draft) => match draft.answers_with() {
            Some(name) => message::row_description(out, &[(name, VOID_OID)]),
            None => out.extend_from_slice(&message::NO_DATA),
        },
        _ => out.extend_from_slice(&message::NO_DATA),
    }
}

pub(crate) fn has_rows(action: &Action) -> bool {
    match action {
        Action::Show(_) | Action::Explain(_) => true,
        Action::Define(draft) => draft.answers_with().is_some(),
        _ => false,
    }
}
