//! Queries over several nodes: the rows they need are brought to the home node, and they run there.
//!
//! What is brought lies in temporary tables, which go with a transaction: one *aside*, on another
//! connection and for this query alone, while the session's own, if there is one, waits on its nodes and
//! gives the rows that it sees there. Only a query that needs home tables as the session's transaction has
//! left them runs in that one.

mod aside;
mod bound;
mod execute;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;
use herd_catalog::{Catalog, quote_identifier};
use herd_execute::exchange::{Bringing, Giver, Narrowing, Request};
use herd_execute::{Expected, Interrupt, Shown};
use herd_node::{Lease, Wanted};
use herd_plan::{Action, Beside, Brought, Effects, Exchange, Plan, Reading, Understood, Values};
use herd_types::{ClientError, NodeId, SqlState, TableId};
use herd_wire::message::{self, Bind, TransactionStatus};

use crate::batch::Stage;
use crate::copy::trouble;
use crate::link::{Link, Links};
use crate::parameters::BoundParameters;
use crate::recheck::{Readiness, Within};
use crate::session::Session;
use crate::simple::aborted;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

pub(crate) use aside::{Aside, sets_manner};
use bound::no_parameter;
pub(crate) use bound::{BoundTo, check_parameters, some_parameters, some_types};
pub(crate) use execute::command_of;

/// A query of several nodes, and the catalog by which it is known what each has to give.
pub(crate) struct Gathering {
    catalog: Arc<Catalog>,
    beside: Beside,
    locks: bool,
    requests: Vec<Request>,
    /// The query as it came, at its place in the text, for the server to judge, and its parameters' types.
    original: Vec<u8>,
    types: Vec<u32>,
    /// What stands before the query in its statement.
    before: Vec<u8>,
    /// The query over what was brought, and what stands behind it.
    over: Reading,
}

impl Gathering {
    /// The statement over what was brought.
    fn statement(&self) -> Vec<u8> {
        [self.before.as_slice(), &self.over.text].concat()
    }
}

impl Session {
    /// How a statement can be answered that no single node can answer.
    pub(crate) fn exchange_of(plan: &Plan) -> Option<&Arc<Exchange>> {
        match &plan.action {
            Action::Forward(forward)
                if plan.effects == Effects::default() || plan.effects.are_of_a_held_cursor() =>
            {
                forward.exchange.as_ref()
            }
            _ => None,
        }
    }

    pub(crate) async fn query_over_brought(
        &mut self,
        exchange: &Exchange,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        if exchange.parameters > 0 {
            return Err(no_parameter().into());
        }
        let gathering = {
            let parameters = &herd_plan::NoParameters;
            let values = Values { text: sql, slots: &understood.slots, parameters };
            let none = BoundTo { types: &[], some: &|_| vec![0, 0, 0, 0] };
            self.gathering(exchange, &values, &none)?
        };
        let cursor = self.cursor_to_declare(exchange, &understood.plan, sql)?;
        if let Some(cursor) = &cursor {
            self.check_not_open(cursor).await?;
        }
        self.bring(&gathering).await?;
        if let Some(cursor) = cursor {
            self.keep_aside_for_cursor(&cursor).await?;
        }
        message::query(&mut self.exchange.out, &gathering.statement());
        self.answer_aside(Some((&understood.plan, sql))).await
    }

    /// The same for a Bind, whose portal is then on the connection that has the rows; `shown` tells
    /// whether the client hears of it.
    pub(crate) async fn bind_over_brought(
        &mut self,
        exchange: &Exchange,
        statement: &Arc<ClientStatement>,
        bind: &Bind<'_>,
        shown: Shown,
    ) -> Result<(), Trouble> {
        let Some(understood) = &statement.understood else { return Ok(()) };
        if self.aside.is_none() {
            self.check_first_of_its_pipeline()?;
        }
        let types = statement.statement.origin.types();
        check_parameters(bind, exchange.parameters.max(types.len()))?;
        let gathering = {
            let parameters = &BoundParameters::new(bind, types);
            let values = Values { text: &statement.text, slots: &understood.slots, parameters };
            let some = |indices: &[u16]| some_parameters(bind, indices);
            self.gathering(exchange, &values, &BoundTo { types, some: &some })?
        };
        let text = &statement.text;
        let cursor = self.cursor_to_declare(exchange, &understood.plan, text)?;
        if let Some(cursor) = &cursor {
            self.check_not_open(cursor).await?;
        }
        self.bring(&gathering).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        match cursor {
            Some(cursor) => self.keep_aside_for_cursor(&cursor).await?,
            None => self.keep_aside_for(bind.portal),
        }
        self.batch.advance(Stage::Engaged);
        if self.make_ready(bind.statement, statement, Within::Batch).await? == Readiness::Failed {
            return Ok(());
        }
        let bound = BoundTo { types, some: &|indices| some_parameters(bind, indices) };
        self.bind_over(
            &gathering.statement(),
            &gathering,
            &bound,
            (bind.portal, bind.result_formats, shown),
        );
        Ok(())
    }

    /// A portal of a text over what was brought.
    fn bind_over(
        &mut self,
        text: &[u8],
        gathering: &Gathering,
        bound: &BoundTo<'_>,
        (portal, result_formats, shown): (&[u8], &[u8], Shown),
    ) {
        let indices = &gathering.over.parameters;
        let out = &mut self.exchange.out;
        message::parse(out, b"", text, &some_types(bound.types, indices));
        let mut rest = (bound.some)(indices);
        rest.extend_from_slice(result_formats);
        message::bind(out, portal, b"", &rest);
        let replies = &mut self.exchange.replies;
        replies.expect(Expected::Single { tag: b'1', hidden: true, token: None });
        replies.expect(Expected::Single { tag: b'2', hidden: shown == Shown::No, token: None });
    }

    /// What the nodes are to be asked for, now that values are known.
    pub(crate) fn gathering(
        &mut self,
        exchange: &Exchange,
        values: &Values<'_>,
        bound: &BoundTo<'_>,
    ) -> Result<Gathering, ClientError> {
        let catalog = Arc::clone(&self.catalog());
        let (before, query) = exchange.split(values.text);
        let mut requests = Vec::new();
        let mut names = BTreeMap::new();
        for brought in &exchange.brought {
            self.brought_tables += 1;
            let name = quote_identifier(&format!("herd brought {}", self.brought_tables));
            let reading = brought.reading(query, &catalog).ok_or_else(gone)?;
            let shape = brought.shape(query, &catalog).ok_or_else(gone)?;
            let table = catalog.table(brought.table).ok_or_else(gone)?;
            requests.push(Request {
                table: name.clone(),
                shape,
                like: table.name.quoted(),
                keyed: brought.keyed,
                indexed: brought.indexed,
                types: some_types(bound.types, &reading.parameters),
                parameters: (bound.some)(&reading.parameters),
                text: reading.text,
                nodes: brought.nodes(&catalog, values),
                narrowings: narrowings(brought, &catalog, &names),
            });
            names.insert(brought.table, format!("pg_temp.{name}"));
        }
        let called = |table: TableId| names.get(&table).cloned().unwrap_or_default();
        let over = exchange.rewritten(query, &catalog, called).ok_or_else(gone)?;
        let (original, types) = (exchange.alone(values.text).into_owned(), bound.types.to_vec());
        let (before, beside, locks) = (before.to_vec(), exchange.beside, exchange.locks);
        Ok(Gathering { catalog, beside, locks, requests, original, types, before, over })
    }

    /// Brings the rows together, and makes the connection current that has them; unless what stands
    /// before it in a pipeline turns out to have failed, and the client has been told.
    pub(crate) async fn bring(&mut self, gathering: &Gathering) -> Result<(), Trouble> {
        if self.transaction.status() == TransactionStatus::Failed {
            return Err(aborted().into());
        }
        if self.defining.is_some() {
            return Err(ClientError::unsupported(
                "a query of several nodes cannot follow a definition in its transaction",
            )
            .into());
        }
        self.check_room_for_cursor()?;
        self.answer_alone().await?;
        if self.aside.is_none() {
            self.leave_judge().await?;
        }
        let goes_on_aside = self.goes_on_aside().await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if gathering.locks && !goes_on_aside && !self.join_all_that_lock(gathering).await? {
            return Ok(());
        }
        let setup = if goes_on_aside { Vec::new() } else { self.setup_elsewhere().await? };
        if !goes_on_aside {
            self.go_where_rows_come_together(gathering, &setup).await?;
        }
        let brought = self.bring_to_current(gathering, &setup).await;
        if brought.is_err() && self.aside.is_some() {
            self.end_aside(true).await?;
        }
        brought
    }

    /// `setup` is for connections outside of the session's transaction.
    async fn bring_to_current(
        &mut self,
        gathering: &Gathering,
        setup: &[Vec<u8>],
    ) -> Result<(), Trouble> {
        let Gathering { catalog, requests, .. } = gathering;
        self.judge_original(gathering).await?;
        let waiting = self.aside.as_ref().and_then(|aside| aside.waiting.as_ref());
        let sink = self.links.current.iter();
        let own = sink.chain(waiting).chain(&self.links.joined);
        let here: Vec<NodeId> = own.map(Link::node).collect();
        let nodes: BTreeSet<NodeId> =
            requests.iter().flat_map(|request| request.nodes.iter().copied()).collect();
        let elsewhere = nodes.into_iter().filter(|node| !here.contains(node));
        let mut leases = self.lease_each(elsewhere).await?;
        self.check_still_placed(catalog)?;
        for lease in leases.values_mut() {
            // A lease that is dropped closes its connection.
            say_all(lease, setup).await?;
        }
        self.run_bringing(requests, leases, !setup.is_empty()).await?;
        self.limit_what_it_may_do().await
    }

    /// What is wrong with the text itself is said of the client's own, before any row is moved.
    async fn judge_original(&mut self, gathering: &Gathering) -> Result<(), Trouble> {
        let Some(link) = &mut self.links.current else { return Err(gone().into()) };
        let mut out = BytesMut::new();
        message::parse(&mut out, b"", &gathering.original, &gathering.types);
        out.extend_from_slice(&message::SYNC);
        link.lease.connection().tell(&out).await.map(drop).map_err(Trouble::in_transaction)
    }

    /// Runs it on `leases`, on the links that hold the session's transaction, and into the current one.
    async fn run_bringing(
        &mut self,
        requests: &[Request],
        mut leases: BTreeMap<NodeId, Lease>,
        are_in_transactions: bool,
    ) -> Result<(), Trouble> {
        let handle = Arc::clone(self.handle());
        let Links { current, joined, .. } = &mut self.links;
        let Some(sink) = current else { return Err(gone().into()) };
        let waiting = self.aside.as_mut().and_then(|aside| aside.waiting.as_mut());
        let sink_node = sink.node();
        // A transaction that has done nothing yet gives what everybody sees.
        let gives = |link: &&mut Link| link.node() != sink_node || self.transaction.is_bound();
        let mut own: Vec<&mut Link> = waiting.into_iter().chain(joined).filter(gives).collect();
        let identities = std::iter::once(sink.lease.identity())
            .chain(own.iter().map(|link| link.lease.identity()))
            .chain(leases.values().map(Lease::identity));
        handle.runs_on_all(identities);
        let own_nodes: Vec<NodeId> = own.iter().map(|link| link.node()).collect();
        let mut givers = BTreeMap::new();
        for (&node, lease) in &mut leases {
            givers.insert(node, giver(lease, requests).await);
        }
        for link in &mut own {
            givers.insert(link.node(), giver(&mut link.lease, requests).await);
        }
        let config = self.worker.gateway.config.load();
        let bringing = Bringing {
            requests,
            client: &mut self.client,
            interrupts: &handle.interrupts,
            tally: &handle.brought,
            bytes_max: config.limits.exchange_bytes_max as u64,
        };
        handle.brought.reset();
        let outcome = bringing.run(sink.lease.connection(), givers).await;
        self.worker.gateway.metrics.count_brought(&handle.brought);
        handle.interrupts.lower(Interrupt::QueryTimeout);
        let cancelled = handle.runs_nowhere().await;
        for (node, mut lease) in leases {
            // A lease that is dropped closes its connection. Whether a cancel request has done its
            // work or is still to come is not known.
            let is_usable = !cancelled && !outcome.unusable.contains(&node);
            if is_usable
                && (!are_in_transactions || lease.connection().simple(b"ROLLBACK").await.is_ok())
            {
                lease.give_back();
            }
        }
        if let Some(link) = &self.links.current {
            handle.runs_on(link.lease.identity());
        }
        let lost = |node: &NodeId| outcome.unusable.contains(node);
        if own_nodes.iter().any(lost) {
            if let Some(aside) = &mut self.aside {
                aside.waiting = None;
            }
            self.links.part();
            self.transaction = Transaction::Void;
        }
        if lost(&sink_node) {
            match &self.aside {
                // Its end is that of its connection.
                Some(_) => self.links.current = None,
                None => self.lose_link(),
            }
        }
        outcome.result.map(drop).map_err(trouble)
    }
}

/// A part of the session's transaction, on a connection outside of it.
pub(crate) async fn say_all(lease: &mut Lease, statements: &[Vec<u8>]) -> Result<(), Trouble> {
    for statement in statements {
        lease.connection().simple(statement).await?;
    }
    Ok(())
}

/// A connection that gives rows; it learns the types that it is not known to have.
async fn giver<'c>(lease: &'c mut Lease, requests: &[Request]) -> Giver<'c> {
    if let Some(numbering) = lease.numbering() {
        for &number in requests.iter().flat_map(|request| &request.types) {
            numbering.learn(Wanted::TypeHere(number)).await;
        }
    }
    let (connection, numbering) = lease.parts();
    let types = requests.iter().map(|request| {
        let here = |&number: &u32| {
            numbering.map_or(number, |numbering| numbering.numbers().type_here(number))
        };
        request.types.iter().map(here).collect()
    });
    Giver { types: types.collect(), connection }
}

/// The rows of which tables tell which are needed of another. `names` are the tables brought before.
fn narrowings(
    brought: &Brought,
    catalog: &Catalog,
    names: &BTreeMap<TableId, String>,
) -> Vec<Narrowing> {
    let column = |table: TableId, column: usize| {
        let column = catalog.table(table)?.columns.get(column)?;
        Some(quote_identifier(&column.name))
    };
    let known = brought.narrowings.iter().filter_map(|narrowing| {
        let table = names.get(&narrowing.other)?.strip_prefix("pg_temp.")?.to_owned();
        let others = column(narrowing.other, narrowing.others)?;
        Some(Narrowing { column: column(brought.table, narrowing.column)?, table, others })
    });
    known.collect()
}

fn gone() -> ClientError {
    ClientError::error(SqlState::UNDEFINED_TABLE, "a table of this query is gone")
}
