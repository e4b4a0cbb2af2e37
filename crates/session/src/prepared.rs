//! PREPARE, EXECUTE and DEALLOCATE in SQL: the same statements as the protocol's, under the same
//! names, on whichever connection they are needed.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::{Expected, Shown};
use herd_node::StatementKey;
use herd_plan::{Action, Arguments, Prepare, PreparedCommand, Understood, Values};
use herd_types::{ClientError, NodeId};
use herd_wire::message;

use crate::batch::{Meaning, Stage};
use crate::circumstances::Circumstances;
use crate::exchange::Closing;
use crate::recheck::{Readiness, Within};
use crate::session::Session;
use crate::statements::{ClientStatement, Origin, Statement, next_key};
use crate::trouble::Trouble;

impl Session {
    pub(crate) async fn prepared_command(
        &mut self,
        command: &PreparedCommand,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        match command {
            PreparedCommand::Prepare(prepare) => self.prepare_sql(prepare, sql, understood).await,
            PreparedCommand::Execute { .. } => self.execute_sql(command, sql).await,
            PreparedCommand::Deallocate { .. } | PreparedCommand::DeallocateAll => {
                let tag = self.deallocate(command)?;
                self.complete_command(tag).await
            }
        }
    }

    /// The server judges it, on a connection that has it from then on.
    async fn prepare_sql(
        &mut self,
        prepare: &Prepare,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        let name = prepare.name.as_bytes();
        let statement = self.name_statement(prepare, sql, understood)?;
        let prepared = self.run_prepare(name, &statement).await;
        if !matches!(prepared, Ok(true)) {
            self.statements.remove(name);
        }
        prepared.map(drop)
    }

    /// The same, when PREPARE itself comes by the extended protocol.
    pub(crate) async fn prepare_in_batch(
        &mut self,
        prepare: &Prepare,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        let name = prepare.name.as_bytes();
        let statement = self.name_statement(prepare, sql, understood)?;
        if let Err(trouble) = self.attach(self.judge(&statement)).await {
            self.statements.remove(name);
            return Err(trouble);
        }
        self.batch.advance(Stage::Engaged);
        self.send_shown_prepare(name, &statement.statement);
        Ok(())
    }

    /// The client has the name from now on, unless it is taken.
    fn name_statement(
        &mut self,
        prepare: &Prepare,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<Arc<ClientStatement>, ClientError> {
        let body = Arc::clone(&prepare.body);
        let statement = ClientStatement::new(
            prepared_in_sql(prepare, sql, self.circumstances()),
            Some(Understood { plan: body, slots: understood.slots.clone() }),
            Bytes::copy_from_slice(sql),
        );
        self.statements.insert(prepare.name.as_bytes(), Arc::clone(&statement))?;
        Ok(statement)
    }

    /// As messages of the extended protocol, so that the server describes the statement in the same
    /// breath. The client's name for it is given back if that fails.
    fn send_shown_prepare(&mut self, name: &[u8], statement: &Arc<Statement>) {
        self.make_room(statement.key);
        let meaning = Meaning::Parsed { key: statement.key, client_name: Some(name.to_vec()) };
        let token = self.batch.mean(meaning);
        self.send_prepare(&statement.sql, false, Some(token));
        self.ask_shape(statement);
    }

    async fn run_prepare(
        &mut self,
        name: &[u8],
        statement: &ClientStatement,
    ) -> Result<bool, Trouble> {
        self.attach(self.judge(statement)).await?;
        if let Closing::Held { .. } = self.exchange.closing {
            return self.run_prepare_among_others(name, &statement.statement).await;
        }
        self.send_shown_prepare(name, &statement.statement);
        self.exchange.out.extend_from_slice(&message::SYNC);
        self.exchange.replies.expect(Expected::Ready { shown: Shown::AsItIs });
        let heard = self.relay().await?;
        self.note(&heard);
        self.settle(&heard).await?;
        Ok(!heard.failed)
    }

    /// As one statement of a query string, whose completion is held back. The server describes what it
    /// has prepared afterwards.
    async fn run_prepare_among_others(
        &mut self,
        name: &[u8],
        statement: &Arc<Statement>,
    ) -> Result<bool, Trouble> {
        self.make_room(statement.key);
        message::query(&mut self.exchange.out, &statement.sql);
        self.exchange.expect_answer();
        let heard = self.relay().await?;
        if heard.failed {
            if let Some(link) = &mut self.links.current {
                link.lease.connection().prepared.remove(statement.key);
            }
            self.statements.remove(name);
        } else {
            self.ask_shape(statement);
            self.exchange.out.extend_from_slice(&message::SYNC);
            self.exchange.replies.expect(Expected::Ready { shown: Shown::No });
            let described = self.relay().await?;
            self.note(&described);
        }
        self.settle(&heard).await?;
        Ok(!heard.failed)
    }

    async fn execute_sql(&mut self, command: &PreparedCommand, sql: &[u8]) -> Result<(), Trouble> {
        let PreparedCommand::Execute { name, name_span, arguments } = command else {
            return Ok(());
        };
        let statement = self.current_statement(name.as_bytes())?;
        let (node, binds) = match self.place_execute(&statement, arguments) {
            Ok(placed) => placed,
            Err(refusal) => {
                let execution = self.execution(command, sql)?.ok_or(refusal)?;
                return Box::pin(self.execute_over_brought(&execution)).await;
            }
        };
        self.attach_placed(node).await?;
        if binds {
            self.transaction.bind();
        }
        if let Some(understood) = &statement.understood {
            self.foresee(&understood.plan);
        }
        let within = Within::SimpleQuery;
        if self.make_ready(name.as_bytes(), &statement, within).await? == Readiness::Failed {
            return Ok(());
        }
        let mut frame = BytesMut::new();
        message::query(&mut frame, &rename(sql, name_span, statement.statement.key));
        self.exchange.out.extend_from_slice(&frame);
        self.exchange.expect_answer();
        let heard = self.relay().await?;
        self.note(&heard);
        if let (false, Some(understood)) = (heard.failed, &statement.understood) {
            self.apply(&understood.plan, &statement.text);
        }
        self.settle(&heard).await
    }

    /// The node of a prepared statement with these arguments.
    pub(crate) fn place_execute(
        &self,
        statement: &ClientStatement,
        arguments: &Arguments,
    ) -> Result<(NodeId, bool), ClientError> {
        let here = (self.node_for_settings(), false);
        let Some(understood) = &statement.understood else { return Ok(here) };
        let Action::Forward(forward) = &understood.plan.action else { return Ok(here) };
        let typed = arguments.with_types(statement.statement.origin.types());
        let values = Values { text: &statement.text, slots: &understood.slots, parameters: &typed };
        let catalog = self.catalog();
        let place = forward.target.place(&catalog, &values)?;
        let binds = place.binds();
        Ok((self.node_of(place), binds))
    }
}

/// Under a number of its own: no other PREPARE is the same.
pub(crate) fn prepared_in_sql(
    prepare: &Prepare,
    sql: &[u8],
    made: Arc<Circumstances>,
) -> Arc<Statement> {
    let key = next_key();
    let origin = Origin::Sql { types: prepare.parameter_types.clone() };
    Statement::new(key, rename(sql, &prepare.name_span, key), origin, made)
}

/// The text with the name under which the server knows the statement.
pub(crate) fn rename(sql: &[u8], name: &Range<usize>, key: StatementKey) -> Bytes {
    let server_name = key.server_name();
    [&sql[..name.start], server_name.as_bytes(), &sql[name.end..]].concat().into()
}
