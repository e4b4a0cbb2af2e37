//! Queries that every node answers from its own rows, which Herd puts together.
//!
//! Nodes of the session's transaction give the rows that it sees there. The others are asked on
//! connections outside of it, set up as it is: to them it has done nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use herd_catalog::Catalog;
use herd_execute::scatter::{Asking, Member, ScatterOutcome, Scattering};
use herd_execute::{Expected, Interrupt, Shown};
use herd_node::{Lease, Wanted};
use herd_plan::{Exchange, NoParameters, Scatter, Understood, Values};
use herd_types::NodeId;
use herd_wire::message::{self, Bind, TransactionStatus};

use crate::batch::{Portal, Runs, Stage};
use crate::bring::say_all;
use crate::copy::trouble;
use crate::exchange::Closing;
use crate::link::Link;
use crate::parameters::BoundParameters;
use crate::recheck::{Readiness, Within};
use crate::session::Session;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// No name of a client's.
const DESCRIBED_PORTAL: &[u8] = b"herd described";
/// In a Bind: no formats of parameters, and no parameters.
const NO_PARAMETERS: [u8; 4] = [0, 0, 0, 0];
/// The formats of columns.
const TEXT: [u8; 2] = [0, 0];
const BINARY: [u8; 2] = [0, 1];

/// A query over several nodes, now that its values are known.
pub(crate) struct Scattered {
    catalog: Arc<Catalog>,
    nodes: Vec<NodeId>,
    asking: Asking,
    /// The types of the parameters, as the client knows them.
    types: Vec<u32>,
}

/// What has become of an Execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executed {
    Done,
    /// Its portal is on the current link now, and is to be executed there.
    ThereNow,
}

impl Session {
    /// How a simple query is answered without bringing anything together, if it can be.
    pub(crate) fn scattered(
        &self,
        exchange: &Exchange,
        sql: &[u8],
        understood: &Understood,
    ) -> Option<Scattered> {
        let scatter = exchange.scatter.as_ref()?;
        let values = Values { text: sql, slots: &understood.slots, parameters: &NoParameters };
        let formats = formats(scatter, &[0, 0])?;
        let mut scattered = self.scattered_as(exchange, scatter, &values, formats)?;
        let is_edited = scattered.asking.text != sql;
        scattered.asking.original = is_edited.then(|| sql.to_vec());
        scattered.asking.parameters = NO_PARAMETERS.to_vec();
        scattered.asking.describes = true;
        Some(scattered)
    }

    /// The same for a Bind.
    pub(crate) fn scattered_bound(
        &self,
        exchange: &Exchange,
        statement: &ClientStatement,
        bind: &Bind<'_>,
    ) -> Option<Scattered> {
        let scatter = exchange.scatter.as_ref()?;
        let understood = statement.understood.as_ref()?;
        let types = statement.statement.origin.types();
        if usize::from(bind.parameters) != exchange.parameters.max(types.len()) {
            return None;
        }
        let parameters = &BoundParameters::new(bind, types);
        let values = Values { text: &statement.text, slots: &understood.slots, parameters };
        let formats = formats(scatter, bind.result_formats)?;
        let mut scattered = self.scattered_as(exchange, scatter, &values, formats)?;
        let result_formats_at = bind.rest.len() - bind.result_formats.len();
        scattered.asking.parameters = bind.rest[..result_formats_at].to_vec();
        scattered.types = types.to_vec();
        Some(scattered)
    }

    fn scattered_as(
        &self,
        exchange: &Exchange,
        scatter: &Scatter,
        values: &Values<'_>,
        formats: Vec<u8>,
    ) -> Option<Scattered> {
        let follows_others =
            self.batch.stage == Stage::Engaged && matches!(self.transaction, Transaction::None);
        let is_alone = matches!(self.exchange.closing, Closing::Ready)
            && self.aside.is_none()
            && self.defining.is_none()
            && self.transaction.status() != TransactionStatus::Failed;
        if !is_alone || follows_others {
            return None;
        }
        let catalog = Arc::clone(&self.catalog());
        let [brought] = exchange.brought.as_slice() else { return None };
        let nodes = brought.nodes(&catalog, values);
        let asked = scatter.asked(values)?;
        let asking = Asking {
            original: None,
            text: asked.text,
            parameters: Vec::new(),
            formats,
            keys: asked.keys,
            offset: asked.offset,
            limit: asked.limit,
            describes: false,
        };
        let scattered = Scattered { catalog, nodes, asking, types: Vec::new() };
        (!scattered.nodes.is_empty()).then_some(scattered)
    }

    pub(crate) async fn query_over_nodes(&mut self, scattered: &Scattered) -> Result<(), Trouble> {
        let Some(rows) = self.scatter(scattered).await? else { return self.complete(&[]).await };
        self.complete_command(&format!("SELECT {rows}")).await
    }

    /// Nothing is asked before it is executed; only a statement that is new has to be judged.
    pub(crate) async fn bind_over_nodes(
        &mut self,
        statement: &Arc<ClientStatement>,
        bind: &Bind<'_>,
    ) -> Result<(), Trouble> {
        self.resolve_pending().await?;
        if !statement.is_confirmed() {
            self.attach(self.judge(statement)).await?;
            if self.batch.is_skipping()
                || self.make_ready(bind.statement, statement, Within::Batch).await?
                    == Readiness::Failed
            {
                return Ok(());
            }
        }
        self.answer(&message::BIND_COMPLETE);
        self.open_portal(bind, Arc::clone(statement), Runs::OverNodes);
        Ok(())
    }

    /// A node describes it, of which it is as if it were there alone.
    pub(crate) async fn describe_over_nodes(&mut self, portal: &Portal) -> Result<(), Trouble> {
        let bind = Bind::read(&portal.bind)?;
        self.attach(self.judge(&portal.statement)).await?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        let statement = &portal.statement;
        if self.make_ready(bind.statement, statement, Within::Batch).await? == Readiness::Failed {
            return Ok(());
        }
        let name = statement.statement.key.server_name();
        let out = &mut self.exchange.out;
        message::bind(out, DESCRIBED_PORTAL, name.as_bytes(), bind.rest);
        message::describe_portal(out, DESCRIBED_PORTAL);
        message::close_portal(out, DESCRIBED_PORTAL);
        let replies = &mut self.exchange.replies;
        replies.expect(Expected::Single { tag: b'2', hidden: true, token: None });
        replies.expect(Expected::DescribePortal);
        replies.expect(Expected::Single { tag: b'3', hidden: true, token: None });
        Ok(())
    }

    pub(crate) async fn execute_over_nodes(
        &mut self,
        portal: &Portal,
        rows_max: u32,
    ) -> Result<Executed, Trouble> {
        if portal.runs == Runs::Spent {
            self.answer_selected(0);
            return Ok(Executed::Done);
        }
        loop {
            match self.execute_scattered(portal, rows_max).await {
                Err(Trouble::Outdated) => {}
                executed => return executed,
            }
        }
    }

    async fn execute_scattered(
        &mut self,
        portal: &Portal,
        rows_max: u32,
    ) -> Result<Executed, Trouble> {
        let bind = Bind::read(&portal.bind)?;
        let understood = portal.statement.understood.as_ref();
        let Some(exchange) = understood.and_then(|it| Session::exchange_of(&it.plan)) else {
            return Ok(Executed::Done);
        };
        let scattered = self.scattered_bound(exchange, &portal.statement, &bind);
        let Some(scattered) = scattered.filter(|_| rows_max == 0) else {
            self.bind_over_brought(exchange, &portal.statement, &bind, Shown::No).await?;
            if !self.batch.is_skipping() {
                self.open_portal(&bind, Arc::clone(&portal.statement), Runs::OnServer);
            }
            return Ok(if self.batch.is_skipping() { Executed::Done } else { Executed::ThereNow });
        };
        if let Some(rows) = self.scatter(&scattered).await? {
            self.batch.open_portal(Portal { runs: Runs::Spent, ..portal.clone() });
            self.answer_selected(rows);
        }
        Ok(Executed::Done)
    }

    fn answer_selected(&mut self, rows: u64) {
        let mut answer = BytesMut::new();
        message::command_complete(&mut answer, &format!("SELECT {rows}"));
        self.exchange.replies.expect(Expected::Answer(answer.freeze()));
    }

    /// How many rows the client got; `None` if something before it has failed, and the client was told.
    async fn scatter(&mut self, scattered: &Scattered) -> Result<Option<u64>, Trouble> {
        self.leave_judge().await?;
        self.answer_alone().await?;
        if self.batch.is_skipping() {
            return Ok(None);
        }
        let mut setup = Vec::new();
        if !matches!(self.transaction, Transaction::None) {
            if self.links.current.is_none() {
                self.attach(scattered.nodes[0]).await?;
            }
            let heard = self.send_held_back().await?;
            self.act_on(&heard);
            if heard.failed {
                self.settle(&heard).await?;
                return Ok(None);
            }
            self.check_sees_others().await?;
            setup = self.setup_elsewhere().await?;
        }
        let own = self.links.current.iter().chain(&self.links.joined);
        let here: Vec<NodeId> = own.map(Link::node).collect();
        let elsewhere = scattered.nodes.iter().copied().filter(|node| !here.contains(node));
        let mut leases = self.lease_each(elsewhere).await?;
        self.check_still_placed(&scattered.catalog)?;
        for lease in leases.values_mut() {
            // A lease that is dropped closes its connection.
            say_all(lease, &setup).await?;
        }
        let outcome = self.scatter_on(scattered, leases, !setup.is_empty()).await;
        outcome.result.map(Some).map_err(trouble)
    }

    /// Runs it on `leases`, and on the links that hold the session's transaction.
    async fn scatter_on(
        &mut self,
        scattered: &Scattered,
        mut leases: BTreeMap<NodeId, Lease>,
        are_in_transactions: bool,
    ) -> ScatterOutcome {
        let handle = Arc::clone(self.handle());
        let takes_part = |link: &&mut Link| scattered.nodes.contains(&link.node());
        let mut own: Vec<&mut Link> = self.links.all_mut().filter(takes_part).collect();
        let identities = own.iter().map(|link| link.lease.identity());
        handle.runs_on_all(identities.chain(leases.values().map(Lease::identity)));
        let own_nodes: Vec<NodeId> = own.iter().map(|link| link.node()).collect();
        let mut members = BTreeMap::new();
        for (&node, lease) in &mut leases {
            members.insert(node, member(lease, &scattered.types).await);
        }
        for link in &mut own {
            members.insert(link.node(), member(&mut link.lease, &scattered.types).await);
        }
        let asking = &scattered.asking;
        let scattering =
            Scattering { asking, client: &mut self.client, interrupts: &handle.interrupts };
        let outcome = scattering.run(members.into_values().collect()).await;
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
        if own_nodes.iter().any(|node| outcome.unusable.contains(node)) {
            self.lose_link();
        }
        if let Some(link) = &self.links.current {
            handle.runs_on(link.lease.identity());
        }
        outcome
    }
}

/// The formats of all columns, the hidden ones in front; `None` if that is not what is asked for, or
/// if one in binary would not mean on another node what it means at home.
fn formats(scatter: &Scatter, asked: &[u8]) -> Option<Vec<u8>> {
    let (_, codes) = asked.split_first_chunk::<2>()?;
    let codes: Vec<[u8; 2]> = codes.chunks_exact(2).map(|code| [code[0], code[1]]).collect();
    let is_text = codes.iter().all(|&code| code == TEXT);
    if !is_text && !scatter.is_binary_portable {
        return None;
    }
    let hidden = scatter.hidden_columns();
    if hidden == 0 {
        return Some(asked.to_vec());
    }
    let shown = match codes.as_slice() {
        [] => vec![TEXT; scatter.columns],
        [all] => vec![*all; scatter.columns],
        each if each.len() == scatter.columns => each.to_vec(),
        _ => return None,
    };
    let count = u16::try_from(hidden + shown.len()).ok()?;
    let all = std::iter::repeat_n(BINARY, hidden).chain(shown);
    Some(count.to_be_bytes().into_iter().chain(all.flatten()).collect())
}

/// A connection that gives rows; it learns the types that it is not known to have.
async fn member<'c>(lease: &'c mut Lease, types: &[u32]) -> Member<'c> {
    if let Some(numbering) = lease.numbering() {
        for &number in types {
            numbering.learn(Wanted::TypeHere(number)).await;
        }
    }
    let (connection, numbering) = lease.parts();
    let here =
        |&number: &u32| numbering.map_or(number, |numbering| numbering.numbers().type_here(number));
    Member { types: types.iter().map(here).collect(), connection, numbering }
}
