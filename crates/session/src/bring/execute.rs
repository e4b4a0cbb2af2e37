//! EXECUTE of what was prepared in SQL, over rows of several nodes.
//!
//! Its arguments are expressions. A node tells their values, as those of parameters of the types that
//! the statement has; then it is as if they had been bound.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::{Expected, Shown};
use herd_node::Wanted;
use herd_plan::{Action, Arguments, Exchange, Parameter, Parameters, PreparedCommand, Values};
use herd_types::{ClientError, SqlState};
use herd_wire::message::{self, Bind};

use super::bound::BoundTo;
use super::{Gathering, gone};
use crate::batch::Stage;
use crate::recheck::{Readiness, Within};
use crate::session::Session;
use crate::shape::Shape;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// A statement that has the parameters of another one, and gives them back.
const ARGUMENTS: &[u8] = b"herd arguments";
const TEXT_OID: u32 = 25;
/// Of a declared type that Herd does not know.
const UNKNOWN_TYPE: u32 = u32::MAX;
/// All in the format that the types say.
const AS_TEXT: &[u8] = &[0, 0];
const AS_BINARY: [u8; 4] = [0, 1, 0, 1];

/// An EXECUTE, and what it executes.
pub(crate) struct Execution<'a> {
    sql: &'a [u8],
    name: &'a str,
    name_span: &'a Range<usize>,
    arguments: &'a Arguments,
    executed: Arc<ClientStatement>,
    exchange: Arc<Exchange>,
}

/// The values of its arguments.
struct Evaluated {
    /// 0 for those that a server is to infer from a text.
    types: Vec<u32>,
    values: Vec<Option<Bytes>>,
}

impl Evaluated {
    fn some(&self, indices: &[u16]) -> Vec<u8> {
        let parameter = |&index: &u16| {
            let index = usize::from(index);
            let value = self.values.get(index).and_then(|value| value.as_deref());
            (self.types.get(index).is_some_and(|&number| number != 0), value)
        };
        let mut out = BytesMut::new();
        message::put_parameters(&mut out, &indices.iter().map(parameter).collect::<Vec<_>>());
        out.to_vec()
    }
}

impl Parameters for Evaluated {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let type_oid = *self.types.get(index)?;
        let value = self.values.get(index)?.as_deref();
        Some(Parameter { type_oid, binary: type_oid != 0, value })
    }
}

impl Session {
    /// What is executed over several nodes, if it can be.
    pub(crate) fn execution<'a>(
        &mut self,
        command: &'a PreparedCommand,
        sql: &'a [u8],
    ) -> Result<Option<Execution<'a>>, ClientError> {
        let PreparedCommand::Execute { name, name_span, arguments } = command else {
            return Ok(None);
        };
        let executed = self.current_statement(name.as_bytes())?;
        let plan = executed.understood.as_ref().map(|understood| &understood.plan);
        let Some(exchange) = plan.and_then(|plan| Session::exchange_of(plan)).map(Arc::clone)
        else {
            return Ok(None);
        };
        if !sql[..name_span.start].trim_ascii().eq_ignore_ascii_case(b"execute") {
            return Err(ClientError::unsupported(
                "EXPLAIN EXECUTE of a query over several nodes is not supported",
            )
            .with_hint("EXPLAIN (HERD) of the query itself tells how it is answered."));
        }
        Ok(Some(Execution { sql, name, name_span, arguments, executed, exchange }))
    }

    pub(crate) async fn execute_over_brought(
        &mut self,
        execution: &Execution<'_>,
    ) -> Result<(), Trouble> {
        let (gathering, evaluated) = self.gathering_of(execution).await?;
        self.bring(&gathering).await?;
        let bound = BoundTo { types: &evaluated.types, some: &|some| evaluated.some(some) };
        self.bind_over(&gathering.over.text, &gathering, &bound, (b"", AS_TEXT, Shown::AsItIs));
        let out = &mut self.exchange.out;
        message::describe_portal(out, b"");
        message::execute(out, b"", 0);
        out.extend_from_slice(&message::SYNC);
        let replies = &mut self.exchange.replies;
        replies.expect(Expected::DescribePortal);
        replies.expect(Expected::Execute { hidden: false, token: None });
        replies.expect(Expected::Ready { shown: Shown::No });
        let heard = self.relay().await?;
        self.note(&heard);
        self.end_of_answer_aside(&heard).await
    }

    /// The same for a Bind of an EXECUTE.
    pub(crate) async fn bind_execution(
        &mut self,
        execution: &Execution<'_>,
        statement: &Arc<ClientStatement>,
        bind: &Bind<'_>,
    ) -> Result<(), Trouble> {
        if self.aside.is_none() {
            self.check_first_of_its_pipeline()?;
            self.leave_judge().await?;
        }
        let (gathering, evaluated) = self.gathering_of(execution).await?;
        self.bring(&gathering).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        self.keep_aside_for(bind.portal);
        self.batch.advance(Stage::Engaged);
        if self.make_ready(bind.statement, statement, Within::Batch).await? == Readiness::Failed {
            return Ok(());
        }
        let bound = BoundTo { types: &evaluated.types, some: &|some| evaluated.some(some) };
        let portal = (bind.portal, bind.result_formats, Shown::AsItIs);
        self.bind_over(&gathering.over.text, &gathering, &bound, portal);
        Ok(())
    }

    async fn gathering_of(
        &mut self,
        execution: &Execution<'_>,
    ) -> Result<(Gathering, Evaluated), Trouble> {
        let evaluated = self.evaluate(execution).await?;
        let ClientStatement { text, understood, .. } = &*execution.executed;
        let slots = &understood.as_ref().ok_or_else(gone)?.slots;
        let values = Values { text, slots, parameters: &evaluated };
        let bound = BoundTo { types: &evaluated.types, some: &|some| evaluated.some(some) };
        let gathering = self.gathering(&execution.exchange, &values, &bound)?;
        Ok((gathering, evaluated))
    }

    /// Has a node tell the values of the arguments, where the session's transaction is.
    async fn evaluate(&mut self, execution: &Execution<'_>) -> Result<Evaluated, Trouble> {
        let types = types_of(&execution.executed)?;
        check_count(execution, types.len())?;
        if types.is_empty() {
            return Ok(Evaluated { types, values: Vec::new() });
        }
        let home = self.catalog().home();
        let node = self.links.current.as_ref().map_or(home, crate::link::Link::node);
        self.attach(node).await?;
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        self.transaction.bind();
        let asked = self.ask_arguments(execution, &types).await;
        let is_alone = matches!(self.transaction, Transaction::None) && self.aside.is_none();
        if is_alone && asked.is_ok() {
            self.release().await;
        }
        Ok(Evaluated { values: asked?, types })
    }

    async fn ask_arguments(
        &mut self,
        execution: &Execution<'_>,
        types: &[u32],
    ) -> Result<Vec<Option<Bytes>>, Trouble> {
        let Some(link) = &mut self.links.current else { return Err(gone().into()) };
        if let Some(numbering) = link.lease.numbering() {
            for &number in types {
                numbering.learn(Wanted::TypeHere(number)).await;
            }
        }
        let (connection, numbering) = link.lease.parts();
        let here = types.iter().map(|&number| match (number, numbering) {
            (0, _) => TEXT_OID,
            (number, None) => number,
            (number, Some(numbering)) => numbering.numbers().type_here(number),
        });
        let list: Vec<String> = (1..=types.len()).map(|number| format!("${number}")).collect();
        let Execution { sql, name_span, .. } = execution;
        let name = [b"\"", ARGUMENTS, b"\""].concat();
        let execute = [&sql[..name_span.start], &name, &sql[name_span.end..]].concat();
        let mut out = BytesMut::new();
        message::close_statement(&mut out, ARGUMENTS);
        let give_back = format!("SELECT {}", list.join(", "));
        message::parse(&mut out, ARGUMENTS, give_back.as_bytes(), &here.collect::<Vec<_>>());
        message::parse(&mut out, b"", &execute, &[]);
        message::bind(&mut out, b"", b"", &[&[0, 0, 0, 0], &AS_BINARY[..]].concat());
        message::execute(&mut out, b"", 0);
        message::close_statement(&mut out, ARGUMENTS);
        out.extend_from_slice(&message::SYNC);
        let (answer, _) = connection.tell(&out).await.map_err(Trouble::in_transaction)?;
        answer.rows.into_iter().next().ok_or_else(|| gone().into())
    }
}

/// Whether a Bind is of an EXECUTE.
pub(crate) fn command_of(statement: &ClientStatement) -> Option<&PreparedCommand> {
    match &statement.understood.as_ref()?.plan.action {
        Action::Prepared(command @ PreparedCommand::Execute { .. }) => Some(command),
        _ => None,
    }
}

/// Of a statement's parameters, as a server has described them.
fn types_of(statement: &ClientStatement) -> Result<Vec<u32>, ClientError> {
    let ClientStatement { statement, first, .. } = statement;
    let given: Vec<u32> = statement
        .origin
        .types()
        .iter()
        .map(|&it| if it == UNKNOWN_TYPE { 0 } else { it })
        .collect();
    let shape: Option<&Shape> = statement.shape.get().or_else(|| first.shape.get());
    let shape = shape.ok_or_else(|| {
        ClientError::unsupported("what this statement was prepared for is not known any more")
            .with_hint("DEALLOCATE it, and prepare it again.")
    })?;
    Ok(shape.parameter_types(&given))
}

fn check_count(execution: &Execution<'_>, wanted: usize) -> Result<(), ClientError> {
    let given = execution.arguments.len();
    if given == wanted {
        return Ok(());
    }
    let message =
        format!("wrong number of parameters for prepared statement \"{}\"", execution.name);
    Err(ClientError::error(SqlState::SYNTAX_ERROR, message)
        .with_detail(format!("Expected {wanted} parameters but got {given}.")))
}
