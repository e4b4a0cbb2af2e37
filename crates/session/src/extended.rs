//! The extended protocol: Parse, Bind, Describe, Execute, Close, in any pipelining, up to Sync.
//!
//! A Parse is held back until it is known on which node it is needed; a statement that the node
//! has already is not parsed again, and Herd says ParseComplete itself.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::{Expected, Shown};
use herd_node::FIRST_OF_USERS;
use herd_plan::{Action, Place, PreparedCommand, SettingCommand, Values};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::frame::HEADER_BYTES;
use herd_wire::message::{self, Bind, Parse, Reader};
use smallvec::SmallVec;

use crate::batch::{Conclusion, Meaning, PendingParse, Runs, Stage};
use crate::bring::command_of;
use crate::parameters::BoundParameters;
use crate::recheck::{Readiness, Within};
use crate::scatter::Executed;
use crate::session::Session;
use crate::statements::ClientStatement;
use crate::trouble::{Ending, Trouble};

/// A batch longer than this is sent before its Sync, as it would reach a server.
const HELD_BACK_BYTES_MAX: usize = 64 * 1024;

impl Session {
    pub(crate) async fn extended_message(&mut self, tag: u8, frame: &[u8]) -> Result<(), Ending> {
        if self.batch.is_skipping() && tag != b'S' {
            return Ok(());
        }
        self.batch.advance(Stage::Preparing);
        let body = &frame[HEADER_BYTES..];
        let served = match tag {
            b'P' => self.parse(body).await,
            b'B' => self.bind(body).await,
            b'D' => self.describe(frame, body).await,
            b'E' => self.execute(frame, body).await,
            b'C' => self.close(frame, body).await,
            b'H' => self.flush().await,
            _ => self.sync().await,
        };
        match served {
            Ok(()) if self.exchange.out.len() > HELD_BACK_BYTES_MAX => self.flush_batch().await,
            Ok(()) => Ok(()),
            Err(trouble) => self.fail_batch(trouble).await,
        }
    }

    /// Sends what has been held back, and passes on what has to come.
    pub(crate) async fn flush_batch(&mut self) -> Result<(), Ending> {
        match self.flush().await {
            Ok(()) => Ok(()),
            Err(trouble) => self.fail_batch(trouble).await,
        }
    }

    async fn parse(&mut self, body: &[u8]) -> Result<(), Trouble> {
        self.resolve_pending().await?;
        let parse = Parse::read(body)?;
        self.handle().show_statement(parse.sql);
        self.worker.gateway.pass_hold().await;
        let types: SmallVec<[u32; 8]> = parse.types().collect();
        if types.iter().any(|&number| number >= FIRST_OF_USERS) {
            Box::pin(self.learn_types(&types)).await?;
        }
        let statement = self.client_statement(parse.name, parse.sql, &types)?;
        self.statements.insert(parse.name, Arc::clone(&statement))?;
        self.batch.pending = Some(PendingParse { name: parse.name.to_vec(), statement });
        Ok(())
    }

    async fn bind(&mut self, body: &[u8]) -> Result<(), Trouble> {
        self.worker.gateway.pass_hold().await;
        let bind = Bind::read(body)?;
        loop {
            match self.bind_statement(&bind).await {
                Err(Trouble::Outdated) => {}
                bound => return bound,
            }
        }
    }

    async fn bind_statement(&mut self, bind: &Bind<'_>) -> Result<(), Trouble> {
        let statement = self.current_statement(bind.statement)?;
        if let Some(pending) = &self.batch.pending
            && !pending.prepares(&statement)
        {
            self.resolve_pending().await?;
        }
        if let Some(understood) = &statement.understood {
            self.check_not_void(&understood.plan)?;
        }
        self.face_cursor(&statement).await?;
        self.replace_portal(bind.portal).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if self.runs_in_herd(&statement) {
            self.resolve_pending().await?;
            self.answer(&message::BIND_COMPLETE);
            self.open_portal(bind, statement, Runs::InHerd);
            return Ok(());
        }
        let (node, binds) = match self.place_bound(&statement, bind) {
            Err(Trouble::Refused(refusal)) => {
                return Box::pin(self.bind_over_several(&statement, bind, refusal)).await;
            }
            placed => placed?,
        };
        if self.links.current.as_ref().is_some_and(|link| link.node() != node) {
            self.leave_judge().await?;
            if self.batch.is_skipping() {
                return Ok(());
            }
        }
        match &statement.understood {
            Some(understood) => {
                self.attach_for(node, understood.plan.effects.uses_sequences).await?;
                self.foresee(&understood.plan);
            }
            None => self.attach(node).await?,
        }
        if self.batch.is_skipping() {
            return Ok(());
        }
        if binds {
            self.transaction.bind();
        }
        self.batch.advance(Stage::Engaged);
        let readiness = self.make_ready(bind.statement, &statement, Within::Batch).await?;
        if readiness == Readiness::Failed {
            return Ok(());
        }
        let name = statement.statement.key.server_name();
        message::bind(&mut self.exchange.out, bind.portal, name.as_bytes(), bind.rest);
        self.exchange.replies.expect(Expected::Single { tag: b'2', hidden: false, token: None });
        self.open_portal(bind, statement, Runs::OnServer);
        Ok(())
    }

    /// No node can answer it alone.
    async fn bind_over_several(
        &mut self,
        statement: &Arc<ClientStatement>,
        bind: &Bind<'_>,
        refusal: ClientError,
    ) -> Result<(), Trouble> {
        self.check_encoding(bind.rest)?;
        if let Some(command) = command_of(statement) {
            let execution = self.execution(command, &statement.text)?.ok_or(refusal)?;
            self.bind_execution(&execution, statement, bind).await?;
        } else {
            let plan = statement.understood.as_ref().map(|understood| &understood.plan);
            if let Some(dispatch) = plan.and_then(|plan| Session::dispatch_of(plan)) {
                return self.bind_dispatched(dispatch, bind, statement).await;
            }
            let exchange = plan.and_then(|plan| Session::exchange_of(plan)).ok_or(refusal)?;
            if self.scattered_bound(exchange, statement, bind).is_some() {
                return self.bind_over_nodes(statement, bind).await;
            }
            self.bind_over_brought(exchange, statement, bind, Shown::AsItIs).await?;
        }
        if !self.batch.is_skipping() {
            self.open_portal(bind, Arc::clone(statement), Runs::OnServer);
        }
        Ok(())
    }

    fn place_bound(
        &self,
        statement: &ClientStatement,
        bind: &Bind<'_>,
    ) -> Result<(NodeId, bool), Trouble> {
        let Some(understood) = &statement.understood else {
            return Ok((self.node_of(Place::Neutral), false));
        };
        let target = match &understood.plan.action {
            Action::Forward(forward) => &forward.target,
            Action::CopyOut(copy) => &copy.target,
            Action::Prepared(PreparedCommand::Execute { name, arguments, .. }) => {
                let known = self.statements.get(name.as_bytes())?;
                return Ok(self.place_execute(&known, arguments)?);
            }
            _ => return Ok((self.node_for_settings(), false)),
        };
        if self.is_failed_on_server() {
            return Ok((self.node_for_settings(), false));
        }
        self.check_encoding(bind.rest)?;
        let parameters = BoundParameters::new(bind, statement.statement.origin.types());
        let values =
            Values { text: &statement.text, slots: &understood.slots, parameters: &parameters };
        let place = target.place(&self.catalog(), &values)?;
        let place = self.follow_cursor(place, &statement.text);
        Ok((self.node_of(place), place.binds()))
    }

    /// Whether Herd answers a statement without any node, at this point of the transaction.
    pub(crate) fn runs_in_herd(&self, statement: &ClientStatement) -> bool {
        let Some(understood) = &statement.understood else { return false };
        match &understood.plan.action {
            Action::Forward(_)
            | Action::CopyOut(_)
            | Action::Prepared(PreparedCommand::Execute { .. }) => false,
            Action::Transaction(_) | Action::Setting(_)
                if self.concerns_all_joined(&understood.plan) =>
            {
                true
            }
            Action::Transaction(command) => {
                self.ends_definitions(command)
                    || self.keeps_promise(command)
                    || self.keeps_pipeline_block(command)
            }
            Action::Setting(command) => *command == SettingCommand::DiscardAll,
            _ => true,
        }
    }

    async fn describe(&mut self, frame: &[u8], body: &[u8]) -> Result<(), Trouble> {
        let mut reader = Reader::new(body);
        let kind = reader.u8()?;
        let name = reader.string()?;
        reader.end()?;
        match kind {
            b'S' => {}
            b'P' => return self.describe_portal(frame, name).await,
            _ => return Err(invalid_subtype("DESCRIBE", kind).into()),
        }
        let statement = self.current_statement(name)?;
        self.face_cursor(&statement).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if self.runs_in_herd(&statement) {
            self.resolve_pending().await?;
            let mut answer = BytesMut::new();
            message::frame(&mut answer, b't', |out| out.extend_from_slice(&[0, 0]));
            self.describe_locally(&statement, &mut answer);
            self.answer(&answer);
            return Ok(());
        }
        if let Some(pending) = &self.batch.pending
            && (pending.name != name || !pending.prepares(&statement))
        {
            self.resolve_pending().await?;
        }
        self.attach(self.judge(&statement)).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if self.make_ready(name, &statement, Within::Batch).await? == Readiness::Failed {
            return Ok(());
        }
        if name.is_empty() && statement.statement.shape.get().is_none() {
            self.ask_shape(&statement.statement);
        }
        let name = statement.statement.key.server_name();
        message::describe_statement(&mut self.exchange.out, name.as_bytes());
        self.exchange.replies.expect(Expected::DescribeStatement);
        Ok(())
    }

    async fn describe_portal(&mut self, frame: &[u8], name: &[u8]) -> Result<(), Trouble> {
        let portal = match self.portal(name) {
            Ok(portal) => {
                self.face_portal(name, Some(&portal)).await?;
                Some(portal)
            }
            Err(error) => {
                self.attach_cursor(name, error).await?;
                None
            }
        };
        match portal {
            Some(portal) if portal.runs == Runs::InHerd => {
                let mut answer = BytesMut::new();
                self.describe_locally(&portal.statement, &mut answer);
                self.answer(&answer);
            }
            Some(portal) if portal.runs == Runs::Dispatched => {
                self.describe_dispatched(&portal).await?;
            }
            Some(portal) if matches!(portal.runs, Runs::OverNodes | Runs::Spent) => {
                self.describe_over_nodes(&portal).await?;
            }
            _ => {
                self.attach_portal(name).await?;
                if self.batch.is_skipping() {
                    return Ok(());
                }
                self.exchange.out.extend_from_slice(frame);
                self.exchange.replies.expect(Expected::DescribePortal);
            }
        }
        Ok(())
    }

    async fn execute(&mut self, frame: &[u8], body: &[u8]) -> Result<(), Trouble> {
        let mut reader = Reader::new(body);
        let name = reader.string()?;
        let portal = match self.portal(name) {
            Ok(portal) => portal,
            Err(error) => {
                self.attach_cursor(name, error).await?;
                if self.batch.is_skipping() {
                    return Ok(());
                }
                self.exchange.out.extend_from_slice(frame);
                self.exchange.replies.expect(Expected::Execute { hidden: false, token: None });
                return Ok(());
            }
        };
        if portal.runs == Runs::Dispatched {
            return Box::pin(self.execute_dispatched(&portal, reader.u32()?)).await;
        }
        // It may have been bound before there were definitions to end.
        if portal.runs == Runs::InHerd || self.runs_in_block(&portal.statement)? {
            return Box::pin(self.execute_in_herd(&portal)).await;
        }
        self.face_portal(name, Some(&portal)).await?;
        if matches!(portal.runs, Runs::OverNodes | Runs::Spent) {
            let rows_max = reader.u32()?;
            if Box::pin(self.execute_over_nodes(&portal, rows_max)).await? == Executed::Done {
                return Ok(());
            }
        }
        self.attach_portal(name).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if let Some(understood) = &portal.statement.understood {
            self.batch.conclusion = Conclusion::of(&understood.plan, self.batch.conclusion);
        }
        let token = self.batch.mean(Meaning::Executed(portal.statement, portal.custom_settings));
        self.await_end_of_portal(name, token);
        self.exchange.out.extend_from_slice(frame);
        self.exchange.replies.expect(Expected::Execute { hidden: false, token: Some(token) });
        Ok(())
    }

    async fn close(&mut self, frame: &[u8], body: &[u8]) -> Result<(), Trouble> {
        let mut reader = Reader::new(body);
        let kind = reader.u8()?;
        let name = reader.string()?;
        self.resolve_pending().await?;
        if kind == b'P' {
            let portal = self.batch.close_portal(name);
            if self.face_portal(name, portal.as_ref()).await?
                && self.cursor_on_current() == Some(name)
            {
                self.note_closed();
            }
            if self.batch.is_skipping() {
                return Ok(());
            }
            let in_herd = portal.is_some_and(|portal| portal.runs != Runs::OnServer);
            if !in_herd && self.links.current.is_some() {
                self.exchange.out.extend_from_slice(frame);
                self.exchange.replies.expect(Expected::Single {
                    tag: b'3',
                    hidden: false,
                    token: None,
                });
                return Ok(());
            }
        } else if kind == b'S' {
            self.statements.remove(name);
        } else {
            return Err(invalid_subtype("CLOSE", kind).into());
        }
        self.answer(&message::CLOSE_COMPLETE);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Trouble> {
        self.resolve_pending().await?;
        if self.exchange.replies.awaits_server() {
            self.exchange.out.extend_from_slice(&message::FLUSH);
        }
        let heard = self.relay().await?;
        self.act_on(&heard);
        Ok(())
    }

    pub(crate) fn answer(&mut self, bytes: &[u8]) {
        self.exchange.replies.expect(Expected::Answer(Bytes::copy_from_slice(bytes)));
    }
}

fn invalid_subtype(message: &str, subtype: u8) -> ClientError {
    ClientError::error(
        SqlState::PROTOCOL_VIOLATION,
        format!("invalid {message} message subtype {subtype}"),
    )
}
