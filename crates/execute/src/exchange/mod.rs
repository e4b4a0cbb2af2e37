//! Bringing rows together: what nodes are asked for goes to tables of one node, as it comes.
//!
//! A node answers in binary DataRows, whose bodies are the rows of a binary COPY: a row passes with
//! its tag changed, and is never read. All nodes are asked at once and heard one after the other; a
//! node whose turn has not come is not read, and waits, so that memory is bounded by one buffer a
//! node, whatever passes.

mod sink;
mod source;
mod tally;

use std::collections::BTreeMap;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use herd_node::{NodeError, ServerConnection};
use herd_types::NodeId;
use tokio::time::timeout;

use self::sink::Sink;
use self::source::{Heard, Source};
pub use self::tally::Tally;
use crate::copy::CopyTrouble;
use crate::{ClientConnection, Interrupt, Interrupts};

/// Within which a node must have given up what it was asked for.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
/// In a table of more rows it takes an index to look up a few.
const UNINDEXED_ROWS_MAX: u64 = 1_000;
/// The rows of a table are told to nodes, for others that go with them, if there are no more.
const NARROWING_ROWS_MAX: u64 = 10_000;
/// A table of more rows is looked at by ANALYZE before it is used.
const UNANALYSED_ROWS_MAX: u64 = 5_000;

/// One table to be made and filled.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the table is called, quoted as it must be.
    pub table: String,
    /// A query with the columns that it gets.
    pub shape: Vec<u8>,
    /// The query whose rows it gets.
    pub text: Vec<u8>,
    /// The types of the query's parameters, by the home node's numbers.
    pub types: Vec<u32>,
    /// Formats and values of the parameters, as in a Bind.
    pub parameters: Vec<u8>,
    /// The table whose rows they are.
    pub like: String,
    /// Whether it gets the primary key of that, if it has the columns.
    pub keyed: bool,
    /// Whether it gets the indexes of that, as far as it has the columns.
    pub indexed: bool,
    /// The nodes that have such rows.
    pub nodes: Vec<NodeId>,
    /// Other requests, answered before, without whose rows these are not needed.
    pub narrowings: Vec<Narrowing>,
}

/// Only rows are needed that have in a column what the rows of another request have in one.
#[derive(Clone, Debug)]
pub struct Narrowing {
    /// Quoted as it must be.
    pub column: String,
    /// The table that the other rows are in.
    pub table: String,
    pub others: String,
}

/// A node that gives rows, which may be the one to which they are brought: its connection, and what it calls the types of the request.
pub struct Giver<'c> {
    pub connection: &'c mut ServerConnection,
    /// For each request.
    pub types: Vec<Vec<u32>>,
}

/// How it ended.
#[derive(Debug)]
pub struct BringOutcome {
    /// How many rows were brought, or why there is nothing.
    pub result: Result<u64, CopyTrouble>,
    /// Nodes whose connections are in the middle of something, and must be closed.
    pub unusable: Vec<NodeId>,
}

/// Brings rows to a connection that is in a transaction, with whose end they go.
pub struct Bringing<'a> {
    pub requests: &'a [Request],
    pub client: &'a mut ClientConnection,
    pub interrupts: &'a Interrupts,
    pub tally: &'a Tally,
    /// Zero for no limit.
    pub bytes_max: u64,
}

struct Run<'a, 'c> {
    bringing: Bringing<'a>,
    sink: Sink<'c>,
    sources: BTreeMap<NodeId, Source<'c>>,
}

enum Woken {
    Server(io::Result<usize>),
    Client(io::Result<usize>),
    Interrupt(Interrupt),
}

impl Bringing<'_> {
    /// Not cancel-safe: connections have to be closed if it is dropped.
    pub async fn run<'c>(
        self,
        sink: &'c mut ServerConnection,
        givers: BTreeMap<NodeId, Giver<'c>>,
    ) -> BringOutcome {
        let sources = givers.into_iter().map(|(node, giver)| (node, Source::new(giver))).collect();
        let reason = &self.interrupts.cancel_reason;
        let mut run = Run { bringing: self, sink: Sink::new(sink), sources };
        let result = run.bring_all().await;
        let unusable = match result {
            Ok(_) => Vec::new(),
            Err(_) => run.abort().await,
        };
        BringOutcome { result: CopyTrouble::explained(result, reason), unusable }
    }
}

impl Run<'_, '_> {
    async fn bring_all(&mut self) -> Result<u64, CopyTrouble> {
        let mut rows = 0;
        let mut small: Vec<&str> = Vec::new();
        for (place, request) in self.bringing.requests.iter().enumerate() {
            let narrowed = self.sink.narrowed(request, &small).await?;
            let request = &narrowed;
            for node in &request.nodes {
                if let Some(source) = self.sources.get_mut(node) {
                    source.ask(place, request).await.map_err(lost)?;
                }
            }
            let brought = self.bring(request).await?;
            if brought <= NARROWING_ROWS_MAX {
                small.push(&self.bringing.requests[place].table);
            }
            rows += brought;
        }
        Ok(rows)
    }

    async fn bring(&mut self, request: &Request) -> Result<u64, CopyTrouble> {
        self.sink.make(request).await?;
        let mut rows = 0;
        let home = self.sink.node();
        if request.nodes.contains(&home) && !self.sources.contains_key(&home) {
            rows += self.sink.insert_own(request).await?;
            let bytes = match rows > UNANALYSED_ROWS_MAX {
                true => self.sink.size(request).await?,
                false => 0,
            };
            self.bringing.tally.add(rows, bytes);
            self.bringing.tally.check(self.bringing.bytes_max)?;
        }
        let others: Vec<NodeId> =
            request.nodes.iter().copied().filter(|node| self.sources.contains_key(node)).collect();
        if !others.is_empty() {
            self.sink.open(request).await?;
            for node in others {
                self.pass_on(node).await?;
            }
            rows += self.sink.close().await?;
        }
        if request.keyed || request.indexed && rows > UNINDEXED_ROWS_MAX {
            self.sink.index(request).await?;
        }
        if rows > UNANALYSED_ROWS_MAX {
            self.sink.analyse(request).await?;
        }
        Ok(rows)
    }

    /// All that one node has to give.
    async fn pass_on(&mut self, node: NodeId) -> Result<(), CopyTrouble> {
        loop {
            let Some(source) = self.sources.get_mut(&node) else { return Ok(()) };
            let heard = source.hear(&mut self.sink.outbox).map_err(lost)?;
            let Bringing { tally, bytes_max, .. } = self.bringing;
            source.passed.take().count(tally);
            tally.check(bytes_max)?;
            match heard {
                Heard::All => return Ok(()),
                Heard::Error(body) => return Err(CopyTrouble::Server(body)),
                Heard::Part => {
                    self.sink.send(self.bringing.interrupts).await?;
                    self.wait(node).await?;
                }
            }
        }
    }

    /// Until the node has sent more.
    async fn wait(&mut self, node: NodeId) -> Result<(), CopyTrouble> {
        loop {
            match std::future::poll_fn(|cx| self.poll(cx, node)).await {
                Woken::Server(received) => {
                    let Some(source) = self.sources.get(&node) else { return Ok(()) };
                    return source.check_received(received).map_err(lost);
                }
                Woken::Client(Ok(0) | Err(_)) => return Err(CopyTrouble::ClientGone),
                Woken::Client(Ok(_)) => {}
                Woken::Interrupt(Interrupt::QueryTimeout) => self.cancel().await,
                Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, node: NodeId) -> Poll<Woken> {
        if let Some(source) = self.sources.get_mut(&node)
            && let Poll::Ready(received) = source.connection.poll_read(cx)
        {
            return Poll::Ready(Woken::Server(received));
        }
        let Bringing { client, interrupts, .. } = &mut self.bringing;
        if client.may_read_ahead()
            && let Poll::Ready(read) = client.poll_read(cx)
        {
            return Poll::Ready(Woken::Client(read));
        }
        interrupts.poll(cx, &Interrupt::WHILE_RUNNING).map(Woken::Interrupt)
    }

    async fn cancel(&self) {
        let running = self.sources.values().filter(|source| !source.is_at_rest());
        let cancelled = running.map(|source| source.connection.identity.cancel());
        for error in join_all(cancelled).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "cannot cancel a statement that ran into its timeout");
        }
    }

    /// Ends it wherever it runs. The nodes are returned whose connections do not come to rest.
    async fn abort(&mut self) -> Vec<NodeId> {
        let settled = self.sources.iter_mut().map(|(&node, source)| async move {
            let settled = timeout(ABORT_TIMEOUT, source.settle()).await;
            (!matches!(settled, Ok(Ok(())))).then_some(node)
        });
        let mut unusable: Vec<NodeId> = join_all(settled).await.into_iter().flatten().collect();
        let given_up = timeout(ABORT_TIMEOUT, self.sink.give_up()).await;
        if !matches!(given_up, Ok(Ok(()))) {
            unusable.push(self.sink.node());
        }
        unusable
    }
}

/// Whoever only reads, or fills what goes with its connection, leaves nothing in doubt.
fn lost(error: NodeError) -> CopyTrouble {
    match error {
        NodeError::Server(body) => CopyTrouble::Server(body),
        lost => CopyTrouble::Refused(lost.to_client()),
    }
}
