//! Writes on several nodes: each is told its part, in the one transaction that they share.
//!
//! Outside of a transaction block, a write by the simple protocol is like a query string of one
//! statement, and one by the extended protocol makes a block of its pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::dispatch::{Order, carry_out};
use herd_execute::{Expected, Interrupt, Shown};
use herd_node::{FIRST_OF_USERS, Wanted};
use herd_plan::{Action, Dispatch, Plan, Portion, Told, Understood, Values};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message::{self, Bind, TransactionStatus};

use crate::batch::{Portal, Runs, Stage};
use crate::bring::{BoundTo, check_parameters, some_parameters, some_types};
use crate::copy::trouble;
use crate::exchange::Closing;
use crate::link::Link;
use crate::parameters::BoundParameters;
use crate::session::Session;
use crate::simple::aborted;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Results in text, as the simple protocol gives them.
const TEXT_RESULT: [u8; 2] = [0, 0];

/// A write whose values are known.
struct Work<'a> {
    dispatch: &'a Dispatch,
    values: Values<'a>,
    bound: BoundTo<'a>,
    /// As in a Bind.
    result_formats: &'a [u8],
    describes: bool,
}

/// How far it came.
enum Outcome {
    /// With this command tag.
    Complete(String),
    /// A node has told the client.
    Failed,
}

impl Session {
    /// Who does what of a statement that several nodes carry out.
    pub(crate) fn dispatch_of(plan: &Plan) -> Option<&Arc<Dispatch>> {
        match &plan.action {
            Action::Forward(forward) => forward.dispatch.as_ref(),
            _ => None,
        }
    }

    /// Whether there is a way for several nodes, where one alone cannot.
    pub(crate) fn is_for_several(plan: &Plan) -> bool {
        Session::dispatch_of(plan).is_some() || Session::exchange_of(plan).is_some()
    }

    pub(crate) async fn query_dispatched(
        &mut self,
        dispatch: &Arc<Dispatch>,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        if matches!(self.transaction, Transaction::None) {
            return self.run_in_block_of_its_own(sql, understood).await;
        }
        let parameters = &herd_plan::NoParameters;
        let work = Work {
            dispatch,
            values: Values { text: sql, slots: &understood.slots, parameters },
            bound: BoundTo { types: &[], some: &|_| vec![0, 0, 0, 0] },
            result_formats: &TEXT_RESULT,
            describes: true,
        };
        match self.carry_out(&work).await? {
            Outcome::Complete(tag) => self.complete_command(&tag).await,
            Outcome::Failed => {
                self.exchange.told_error = true;
                self.complete(&[]).await
            }
        }
    }

    /// It is bound on its nodes when it is executed.
    pub(crate) async fn bind_dispatched(
        &mut self,
        dispatch: &Dispatch,
        bind: &Bind<'_>,
        statement: &Arc<ClientStatement>,
    ) -> Result<(), Trouble> {
        let types = statement.statement.origin.types();
        check_parameters(bind, dispatch.parameters.max(types.len()))?;
        self.resolve_pending().await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        self.answer(&message::BIND_COMPLETE);
        self.open_portal(bind, Arc::clone(statement), Runs::Dispatched);
        Ok(())
    }

    /// What one node says of the statement as it came, without executing it.
    pub(crate) async fn describe_dispatched(&mut self, portal: &Portal) -> Result<(), Trouble> {
        let statement = &portal.statement;
        let plan = statement.understood.as_ref().map(|understood| &understood.plan);
        if !plan.and_then(|plan| Session::dispatch_of(plan)).is_some_and(|it| it.returns) {
            self.answer(&message::NO_DATA);
            return Ok(());
        }
        self.describe_over_nodes(portal).await
    }

    pub(crate) async fn execute_dispatched(
        &mut self,
        portal: &Portal,
        rows_max: u32,
    ) -> Result<(), Trouble> {
        let statement = &portal.statement;
        let Some(understood) = &statement.understood else { return Ok(()) };
        let Some(dispatch) = Session::dispatch_of(&understood.plan) else { return Ok(()) };
        if rows_max > 0 && dispatch.returns {
            return Err(in_portions().into());
        }
        self.begin_pipeline_block().await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        let bind = Bind::read(&portal.bind)?;
        let types = statement.statement.origin.types();
        let parameters = &BoundParameters::new(&bind, types);
        let some = |indices: &[u16]| some_parameters(&bind, indices);
        let work = Work {
            dispatch,
            values: Values { text: &statement.text, slots: &understood.slots, parameters },
            bound: BoundTo { types, some: &some },
            result_formats: bind.result_formats,
            describes: false,
        };
        if let Outcome::Complete(tag) = self.carry_out(&work).await? {
            let mut answer = BytesMut::new();
            message::command_complete(&mut answer, &tag);
            self.answer(&answer);
        } else {
            self.batch.advance(Stage::Skipping);
        }
        Ok(())
    }

    /// In the transaction that is open or promised.
    async fn carry_out(&mut self, work: &Work<'_>) -> Result<Outcome, Trouble> {
        if self.transaction.status() == TransactionStatus::Failed {
            return Err(aborted().into());
        }
        let catalog = Arc::clone(&self.catalog());
        let dispatch = work.dispatch;
        let unanswered = dispatch.portions(&catalog, &work.values, None)?;
        let nodes: Vec<NodeId> = unanswered.iter().map(|portion| portion.node).collect();
        if !self.enter(&nodes).await? {
            return Ok(Outcome::Failed);
        }
        // While one node joined after the other, rows may have got other places.
        self.check_still_placed(&catalog)?;
        self.changed_copies |= dispatch.told() == Told::Once;
        let portions = match dispatch.question(work.values.text) {
            None => unanswered,
            Some(question) => {
                let answers = self.ask(&question).await?;
                dispatch.portions(&catalog, &work.values, Some(&answers))?
            }
        };
        let aloud = match (dispatch.returns, dispatch.told()) {
            (false, _) => 0,
            (true, Told::Once) => 1,
            (true, Told::Together) => portions.len(),
        };
        let (aloud, silent) = portions.split_at(aloud);
        let mut tags = Vec::with_capacity(portions.len());
        for (place, portion) in aloud.iter().enumerate() {
            match self.run_aloud(portion, work, place == 0 && work.describes).await? {
                Some(tag) => tags.push(tag),
                None => return Ok(Outcome::Failed),
            }
        }
        tags.extend(self.run_silently(silent, work).await?);
        Ok(Outcome::Complete(together(&tags, dispatch.told())?))
    }

    /// Makes the nodes part of the transaction; false if what was sent before has failed, and the client
    /// was told.
    async fn enter(&mut self, nodes: &[NodeId]) -> Result<bool, Trouble> {
        for &node in nodes {
            self.attach_placed(node).await?;
            if self.batch.is_skipping() {
                return Ok(false);
            }
            self.transaction.bind();
        }
        let heard = self.send_held_back().await?;
        self.act_on_if_batch(&heard);
        Ok(!heard.failed)
    }

    async fn ask(&mut self, question: &[u8]) -> Result<Vec<String>, Trouble> {
        let Some(link) = &mut self.links.current else { return Ok(Vec::new()) };
        let asked = link.lease.connection().simple(question).await;
        let (answer, _) = asked.map_err(Trouble::in_transaction)?;
        let values = answer.rows.into_iter().next().unwrap_or_default();
        let text =
            |value: Option<Bytes>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
        Ok(values.into_iter().map(text).collect())
    }

    /// One node's part whose rows go to the client as they come; the command tag, unless it failed and
    /// the client was told.
    async fn run_aloud(
        &mut self,
        portion: &Portion,
        work: &Work<'_>,
        describes: bool,
    ) -> Result<Option<String>, Trouble> {
        self.attach(portion.node).await?;
        let replies = &mut self.exchange.replies;
        replies.expect(Expected::Single { tag: b'1', hidden: true, token: None });
        replies.expect(Expected::Single { tag: b'2', hidden: true, token: None });
        if describes {
            replies.expect(Expected::DescribePortal);
        }
        replies.expect(Expected::Portion);
        replies.expect(Expected::Ready { shown: Shown::No });
        let messages = self.messages(portion, work, describes).await;
        self.exchange.out.extend_from_slice(&messages);
        let closing = std::mem::replace(&mut self.exchange.closing, Closing::Ready);
        let before = self.exchange.completion.split();
        let heard = self.relay().await?;
        let completion = std::mem::replace(&mut self.exchange.completion, before);
        self.exchange.closing = closing;
        if heard.failed {
            self.act_on_if_batch(&heard);
            self.settle(&heard).await?;
            return Ok(None);
        }
        Ok(Some(read_tag(&completion)))
    }

    async fn run_silently(
        &mut self,
        portions: &[Portion],
        work: &Work<'_>,
    ) -> Result<Vec<String>, Trouble> {
        let mut messages = BTreeMap::new();
        for portion in portions {
            messages.insert(portion.node, self.messages(portion, work, false).await);
        }
        let handle = Arc::clone(self.handle());
        let mut links: Vec<&mut Link> =
            self.links.all_mut().filter(|link| messages.contains_key(&link.node())).collect();
        links.sort_by_key(|link| portions.iter().position(|it| it.node == link.node()));
        handle.runs_on_all(links.iter().map(|link| link.lease.identity()));
        let orders = links.into_iter().filter_map(|link| {
            let messages = messages.remove(&link.node())?;
            Some(Order { connection: link.lease.connection(), messages })
        });
        let answers = carry_out(orders.collect(), &handle.interrupts).await;
        handle.interrupts.lower(Interrupt::QueryTimeout);
        if let Some(link) = &self.links.current {
            handle.runs_on(link.lease.identity());
        }
        let answers = answers.map_err(trouble)?;
        let told = if work.dispatch.told() == Told::Once { 1 } else { answers.len() };
        let mut notices = BytesMut::new();
        for notice in answers.iter().take(told).flat_map(|answer| &answer.notices) {
            message::frame(&mut notices, b'N', |out| out.extend_from_slice(notice));
        }
        if !notices.is_empty() {
            self.answer(&notices);
        }
        Ok(answers.into_iter().map(|answer| answer.tag).collect())
    }

    /// All that a node is told, with what it calls the types of the parameters.
    async fn messages(&mut self, portion: &Portion, work: &Work<'_>, describes: bool) -> Bytes {
        let reading = &portion.reading;
        let types = some_types(work.bound.types, &reading.parameters);
        let types = self.numbered_at(portion.node, types).await;
        let mut out = BytesMut::new();
        message::parse(&mut out, b"", &reading.text, &types);
        let mut rest = (work.bound.some)(&reading.parameters);
        rest.extend_from_slice(work.result_formats);
        message::bind(&mut out, b"", b"", &rest);
        if describes {
            message::describe_portal(&mut out, b"");
        }
        message::execute(&mut out, b"", 0);
        out.extend_from_slice(&message::SYNC);
        out.freeze()
    }

    /// The types as a node of the transaction numbers them.
    async fn numbered_at(&mut self, node: NodeId, types: Vec<u32>) -> Vec<u32> {
        let link = self.links.all_mut().find(|link| link.node() == node);
        let Some(numbering) = link.as_ref().and_then(|link| link.lease.numbering()) else {
            return types;
        };
        let of_users = types.iter().filter(|&&number| number >= FIRST_OF_USERS);
        for &number in of_users {
            numbering.learn(Wanted::TypeHere(number)).await;
        }
        let numbers = numbering.numbers();
        types.iter().map(|&number| numbers.type_here(number)).collect()
    }
}

/// The tag in a CommandComplete.
fn read_tag(frame: &[u8]) -> String {
    let body = frame.get(herd_wire::frame::HEADER_BYTES..).unwrap_or_default();
    String::from_utf8_lossy(body.strip_suffix(&[0]).unwrap_or(body)).into_owned()
}

/// The one tag for all of it.
fn together(tags: &[String], told: Told) -> Result<String, ClientError> {
    let split = |tag: &str| {
        let (command, rows) = tag.rsplit_once(' ')?;
        Some((command.to_owned(), rows.parse::<u64>().ok()?))
    };
    let parts: Option<Vec<(String, u64)>> = tags.iter().map(|tag| split(tag)).collect();
    let parts = parts.filter(|parts| !parts.is_empty()).ok_or_else(|| odd_tags(tags))?;
    let (command, first) = &parts[0];
    match told {
        Told::Together => {
            let rows: u64 = parts.iter().map(|(_, rows)| rows).sum();
            Ok(format!("{command} {rows}"))
        }
        Told::Once if parts.iter().all(|(_, rows)| rows == first) => Ok(tags[0].clone()),
        Told::Once => Err(copies_differ(tags)),
    }
}

fn odd_tags(tags: &[String]) -> ClientError {
    let message = format!("nodes completed a statement with {}", tags.join(", "));
    ClientError::error(SqlState::INTERNAL_ERROR, message)
}

fn copies_differ(tags: &[String]) -> ClientError {
    let message = "the copies of a reference table are not the same on all nodes";
    ClientError::error(SqlState::DATA_CORRUPTED, message)
        .with_detail(format!("The nodes completed the statement with {}.", tags.join(", ")))
        .with_hint("Nothing was changed. Compare the table's rows on the nodes.")
}

fn in_portions() -> ClientError {
    ClientError::unsupported("rows that several nodes return cannot be fetched in portions")
        .with_hint("Execute it without a limit of rows.")
}
