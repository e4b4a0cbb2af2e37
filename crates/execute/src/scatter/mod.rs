//! A query that every node answers from its own rows: what they give goes to the client as one result,
//! one node after the other or merged in order, skipped and cut off as OFFSET and LIMIT say.
//!
//! Rows pass as they come. A node whose rows are not needed yet is not read, and waits, so that memory
//! is bounded by a read buffer and a row for each node, whatever passes. Where a limit may leave much
//! unread, nodes are asked for portions, so that nothing has to be cancelled when enough rows have come.

mod description;
mod source;

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::join_all;
use herd_merge::{MalformedKey, Merge, Order, SortKey, Verdict, Window};
use herd_node::{NodeError, Numbering, ServerConnection};
use herd_plan::Direction;
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::frame::HEADER_BYTES;
use tokio::time::timeout;

use self::description::Description;
use self::source::{Heard, Source};
use crate::copy::CopyTrouble;
use crate::{ClientConnection, Interrupt, Interrupts};

/// Within which a node must have given up what it was asked for.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows go to the client in portions of about this size.
const PORTION_BYTES: usize = 64 << 10;
/// Of rows that a limit may leave unread, so many are asked for at once.
const PORTION_ROWS: u32 = 4096;
/// The number of columns, in front of a row's values.
const COUNT_BYTES: usize = 2;

/// What all nodes are asked.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The query as it came, which tells better what is wrong with it.
    pub original: Option<Vec<u8>>,
    pub text: Vec<u8>,
    /// Formats and values of the parameters, as in a Bind.
    pub parameters: Vec<u8>,
    /// The formats of all columns, as in a Bind.
    pub formats: Vec<u8>,
    /// Of the hidden columns, which are the first ones.
    pub keys: Vec<Direction>,
    pub offset: u64,
    pub limit: Option<u64>,
    /// Whether the client gets a RowDescription.
    pub describes: bool,
}

/// A node that gives rows.
pub struct Member<'c> {
    pub connection: &'c mut ServerConnection,
    /// How it numbers types, if not as the client knows them.
    pub numbering: Option<&'c Numbering>,
    /// What it calls the types of the parameters.
    pub types: Vec<u32>,
}

/// How it ended.
#[derive(Debug)]
pub struct ScatterOutcome {
    /// How many rows the client got.
    pub result: Result<u64, CopyTrouble>,
    /// Nodes whose connections are in the middle of something, and must be closed.
    pub unusable: Vec<NodeId>,
}

/// A query over several nodes, and whose it is.
pub struct Scattering<'a> {
    pub asking: &'a Asking,
    pub client: &'a mut ClientConnection,
    pub interrupts: &'a Interrupts,
}

struct Run<'a, 'c> {
    scattering: Scattering<'a>,
    sources: Vec<Source<'c>>,
    /// What the nodes sort by, once the first has told.
    order: Option<Order>,
    window: Window,
    rows: u64,
    /// Whole messages for the client.
    outbox: BytesMut,
}

enum Woken {
    Server(io::Result<usize>),
    Client(io::Result<usize>),
    Interrupt(Interrupt),
}

impl Scattering<'_> {
    /// The client gets rows and notices; how it ends is for the caller to tell.
    ///
    /// Not cancel-safe: connections have to be closed if it is dropped.
    pub async fn run(self, members: Vec<Member<'_>>) -> ScatterOutcome {
        let reason = &self.interrupts.cancel_reason;
        let window = Window::new(self.asking.offset, self.asking.limit);
        let sources = members.into_iter().map(Source::new).collect();
        let mut run = Run {
            scattering: self,
            sources,
            order: None,
            window,
            rows: 0,
            outbox: BytesMut::new(),
        };
        let result = run.run().await;
        let unusable = match result {
            Ok(_) => Vec::new(),
            Err(_) => run.abort().await,
        };
        ScatterOutcome { result: CopyTrouble::explained(result, reason), unusable }
    }
}

impl Asking {
    /// In what portions nodes are asked for rows; 0 for all at once.
    fn portion_rows(&self) -> u32 {
        let needed = self.limit.map(|limit| limit.saturating_add(self.offset));
        needed.filter(|&rows| rows > u64::from(PORTION_ROWS)).map_or(0, |_| PORTION_ROWS)
    }
}

impl Run<'_, '_> {
    async fn run(&mut self) -> Result<u64, CopyTrouble> {
        if self.scattering.asking.keys.is_empty() {
            self.concatenate().await?;
        } else {
            self.merge().await?;
        }
        self.flush().await?;
        for source in &mut self.sources {
            source.finish().await.map_err(lost)?;
        }
        for place in 0..self.sources.len() {
            self.hear_out(place).await?;
        }
        self.flush().await?;
        Ok(self.rows)
    }

    /// With a limit, a node is asked when those before it have not given enough.
    async fn concatenate(&mut self) -> Result<(), CopyTrouble> {
        let asks_all = self.scattering.asking.limit.is_none();
        if asks_all {
            self.ask_all().await?;
        }
        for place in 0..self.sources.len() {
            if place > 0 && self.window.is_full() {
                return Ok(());
            }
            if !asks_all {
                self.sources[place].ask(self.scattering.asking).await.map_err(lost)?;
            }
            while let Some(row_bytes) = self.await_row(place).await? {
                if self.window.is_full() {
                    break;
                }
                self.pass(place, row_bytes).await?;
            }
        }
        Ok(())
    }

    async fn merge(&mut self) -> Result<(), CopyTrouble> {
        self.ask_all().await?;
        let mut heads = vec![self.await_row(0).await?];
        let order =
            self.order.clone().ok_or_else(|| self.broken(0, "it did not describe its rows"))?;
        let mut merge = Merge::new(order, self.sources.len());
        for place in 1..self.sources.len() {
            heads.push(self.await_row(place).await?);
        }
        for (place, head) in heads.iter().enumerate() {
            self.offer(&mut merge, place, *head)?;
        }
        while !self.window.is_full() {
            let Some(place) = merge.take_next() else { return Ok(()) };
            let Some(row_bytes) = heads[place] else { return Ok(()) };
            self.pass(place, row_bytes).await?;
            heads[place] = self.await_row(place).await?;
            self.offer(&mut merge, place, heads[place])?;
        }
        Ok(())
    }

    fn offer(
        &self,
        merge: &mut Merge,
        place: usize,
        row_bytes: Option<usize>,
    ) -> Result<(), CopyTrouble> {
        let Some(row_bytes) = row_bytes else { return Ok(()) };
        let offered = values(self.sources[place].row(row_bytes))
            .and_then(|values| merge.order().split(values))
            .and_then(|(key, _)| merge.offer(place, key));
        offered.map_err(|error| self.broken(place, &error.to_string()))
    }

    async fn ask_all(&mut self) -> Result<(), CopyTrouble> {
        for source in &mut self.sources {
            source.ask(self.scattering.asking).await.map_err(lost)?;
        }
        Ok(())
    }

    /// The length of the row that a node gives next; `None` when it has given all.
    async fn await_row(&mut self, place: usize) -> Result<Option<usize>, CopyTrouble> {
        loop {
            match self.sources[place].hear().map_err(lost)? {
                Heard::Row { bytes } => return Ok(Some(bytes)),
                Heard::Spent => return Ok(None),
                Heard::Suspended => self.sources[place].ask_more().await.map_err(lost)?,
                Heard::Description(frame) => self.describe(place, &frame).await?,
                Heard::Notice(frame) => self.outbox.extend_from_slice(&frame),
                Heard::Error(body) => return Err(CopyTrouble::Server(body)),
                Heard::Nothing => {
                    self.flush().await?;
                    self.wait(place).await?;
                }
            }
        }
    }

    /// Up to ReadyForQuery; rows that are not needed are dropped.
    async fn hear_out(&mut self, place: usize) -> Result<(), CopyTrouble> {
        while !self.sources[place].is_at_rest() {
            match self.sources[place].hear().map_err(lost)? {
                Heard::Row { bytes } => self.sources[place].drop_row(bytes),
                Heard::Notice(frame) => self.outbox.extend_from_slice(&frame),
                Heard::Error(body) => return Err(CopyTrouble::Server(body)),
                Heard::Nothing => self.wait(place).await?,
                Heard::Spent | Heard::Suspended | Heard::Description(_) => {}
            }
        }
        Ok(())
    }

    /// The row that a node has at hand: to the client, unless it is skipped.
    async fn pass(&mut self, place: usize, row_bytes: usize) -> Result<(), CopyTrouble> {
        if self.window.judge() == Verdict::Shown {
            let row = self.sources[place].row(row_bytes);
            if put_row(row, self.order.as_ref(), &mut self.outbox).is_err() {
                return Err(self.broken(place, "a row is malformed"));
            }
            self.rows += 1;
        }
        self.sources[place].drop_row(row_bytes);
        if self.outbox.len() >= PORTION_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn describe(&mut self, place: usize, frame: &Bytes) -> Result<(), CopyTrouble> {
        let asking = self.scattering.asking;
        let description = Description::read(frame, asking.keys.len());
        let description =
            description.map_err(|_| self.broken(place, "a description is malformed"))?;
        let types = asking.keys.iter().zip(&description.hidden_types);
        let keys: Option<Vec<SortKey>> = types
            .map(|(&Direction { descending, nulls_first }, &number)| {
                let key_type = herd_merge::KeyType::of(number)?;
                Some(SortKey { key_type, descending, nulls_first })
            })
            .collect();
        let order = Order::new(keys.ok_or_else(cannot_be_merged)?);
        if self.order.get_or_insert_with(|| order.clone()) != &order {
            return Err(cannot_be_merged());
        }
        if place == 0 && asking.describes {
            let numbering = self.sources[place].numbering;
            description.put_shown(numbering, &mut self.outbox).await;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), CopyTrouble> {
        let Scattering { client, interrupts, .. } = &mut self.scattering;
        let written = client.write(&self.outbox, interrupts).await;
        self.outbox.clear();
        Ok(written?)
    }

    /// Until the node has sent more.
    async fn wait(&mut self, place: usize) -> Result<(), CopyTrouble> {
        loop {
            match std::future::poll_fn(|cx| self.poll(cx, place)).await {
                Woken::Server(received) => {
                    return self.sources[place].check_received(received).map_err(lost);
                }
                Woken::Client(Ok(0) | Err(_)) => return Err(CopyTrouble::ClientGone),
                Woken::Client(Ok(_)) => {}
                Woken::Interrupt(Interrupt::QueryTimeout) => self.cancel().await,
                Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, place: usize) -> Poll<Woken> {
        if let Poll::Ready(received) = self.sources[place].connection.poll_read(cx) {
            return Poll::Ready(Woken::Server(received));
        }
        let Scattering { client, interrupts, .. } = &mut self.scattering;
        if client.may_read_ahead()
            && let Poll::Ready(read) = client.poll_read(cx)
        {
            return Poll::Ready(Woken::Client(read));
        }
        interrupts.poll(cx, &Interrupt::WHILE_RUNNING).map(Woken::Interrupt)
    }

    async fn cancel(&self) {
        let running = self.sources.iter().filter(|source| !source.is_at_rest());
        let cancelled = running.map(|source| source.connection.identity.cancel());
        for error in join_all(cancelled).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "cannot cancel a statement that ran into its timeout");
        }
    }

    /// Ends it wherever it runs. The nodes are returned whose connections do not come to rest.
    async fn abort(&mut self) -> Vec<NodeId> {
        let settled = self.sources.iter_mut().map(|source| async move {
            let settled = timeout(ABORT_TIMEOUT, source.settle()).await;
            (!matches!(settled, Ok(Ok(())))).then(|| source.connection.node())
        });
        join_all(settled).await.into_iter().flatten().collect()
    }

    fn broken(&self, place: usize, reason: &str) -> CopyTrouble {
        lost(self.sources[place].connection.broken(reason))
    }
}

/// A DataRow without its hidden columns.
fn put_row(row: &[u8], order: Option<&Order>, out: &mut BytesMut) -> Result<(), MalformedKey> {
    let hidden = order.map_or(0, Order::columns);
    let Some(order) = order.filter(|_| hidden > 0) else {
        out.extend_from_slice(row);
        return Ok(());
    };
    let (count, values) = row
        .get(HEADER_BYTES..)
        .and_then(|body| body.split_first_chunk::<COUNT_BYTES>())
        .ok_or(MalformedKey)?;
    let count = usize::from(u16::from_be_bytes(*count)).checked_sub(hidden).ok_or(MalformedKey)?;
    let (_, shown) = order.split(values)?;
    let length = HEADER_BYTES - 1 + COUNT_BYTES + shown.len();
    out.put_u8(b'D');
    out.put_u32(u32::try_from(length).map_err(|_| MalformedKey)?);
    out.put_u16(u16::try_from(count).map_err(|_| MalformedKey)?);
    out.extend_from_slice(shown);
    Ok(())
}

/// The values of a DataRow.
fn values(row: &[u8]) -> Result<&[u8], MalformedKey> {
    row.get(HEADER_BYTES + COUNT_BYTES..).ok_or(MalformedKey)
}

fn cannot_be_merged() -> CopyTrouble {
    CopyTrouble::Refused(
        ClientError::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "the nodes' rows are in an order that Herd cannot compare",
        )
        .with_hint("Wait until definitions that run at the moment have ended, and try again."),
    )
}

/// Whoever only reads leaves nothing in doubt.
fn lost(error: NodeError) -> CopyTrouble {
    match error {
        NodeError::Server(body) => CopyTrouble::Server(body),
        lost => CopyTrouble::Refused(lost.to_client()),
    }
}
