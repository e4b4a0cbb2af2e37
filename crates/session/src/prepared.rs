//! PREPARE, EXECUTE and DEALLOCATE in SQL: the same statements as the protocol's, under the same
//! names, on whichever connection they are needed.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_node::StatementKey;
use herd_plan::{Action, Arguments, Prepare, PreparedCommand, Understood, Values};
use herd_types::{ClientError, NodeId};
use herd_wire::message;

use crate::batch::{Meaning, Stage};
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
        let prepared = self.run_prepare(&statement).await;
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
        let Statement { key, sql, .. } = &*statement.statement;
        self.make_room(*key);
        let client_name = Some(name.to_vec());
        let token = self.batch.mean(Meaning::Parsed { key: *key, client_name });
        self.send_prepare(sql, false, Some(token));
        Ok(())
    }

    /// The client has the name from now on, unless it is taken.
    fn name_statement(
        &mut self,
        prepare: &Prepare,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<Arc<ClientStatement>, ClientError> {
        let key = next_key();
        let sql_on_server = rename(sql, &prepare.name_span, key);
        let origin = Origin::Sql { types: prepare.parameter_types.clone() };
        let body = Arc::clone(&prepare.body);
        let statement = Arc::new(ClientStatement {
            statement: Arc::new(Statement { key, sql: sql_on_server, origin }),
            understood: Some(Understood { plan: body, slots: understood.slots.clone() }),
            text: Bytes::copy_from_slice(sql),
            made: self.circumstances(),
        });
        self.statements.insert(prepare.name.as_bytes(), Arc::clone(&statement))?;
        Ok(statement)
    }

    async fn run_prepare(&mut self, statement: &ClientStatement) -> Result<bool, Trouble> {
        self.attach(self.judge(statement)).await?;
        let key = statement.statement.key;
        self.make_room(key);
        message::query(&mut self.exchange.out, &statement.statement.sql);
        self.exchange.expect_answer();
        let heard = self.relay().await?;
        if heard.failed
            && let Some(link) = &mut self.links.current
        {
            link.lease.connection().prepared.remove(key);
        }
        self.settle(&heard).await?;
        Ok(!heard.failed)
    }

    async fn execute_sql(&mut self, command: &PreparedCommand, sql: &[u8]) -> Result<(), Trouble> {
        let PreparedCommand::Execute { name, name_span, arguments } = command else {
            return Ok(());
        };
        let statement = self.current_statement(name.as_bytes())?;
        let (node, binds) = self.place_execute(&statement, arguments)?;
        self.attach_placed(node).await?;
        if binds {
            self.transaction.bind();
        }
        self.prepare_hidden(&statement.statement);
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

/// The text with the name under which the server knows the statement.
pub(crate) fn rename(sql: &[u8], name: &Range<usize>, key: StatementKey) -> Bytes {
    let server_name = key.server_name();
    [&sql[..name.start], server_name.as_bytes(), &sql[name.end..]].concat().into()
}
