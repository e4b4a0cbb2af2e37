//! COPY … TO STDOUT of a table that is on several nodes: the rows of one node after the other, as
//! one stream.
//!
//! All nodes are asked at once, and the client hears of the stream when all have begun. A node
//! whose turn has not come is not read, and waits: memory is bounded by one read buffer a node.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures::future::join_all;
use herd_node::{NodeError, ServerConnection};
use herd_plan::{CopyGather, Envelope};
use herd_types::{ClientError, NodeId};
use herd_wire::message::{self, TransactionStatus};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::limits::ABORT_TIMEOUT;
use super::run::CopyOutcome;
use super::strand::{Place, Said, State, Strand, StrandError, TRAILER};
use super::trouble::CopyTrouble;
use crate::output::Output;
use crate::{ClientConnection, Interrupt, Interrupts};

/// A planned COPY TO, and whose it is.
pub struct GatherRun<'a> {
    pub copy: &'a CopyGather,
    pub client: &'a mut ClientConnection,
    pub interrupts: &'a Interrupts,
}

struct Gathering<'a, 'c> {
    run: GatherRun<'a>,
    sources: Vec<Source<'c>>,
    output: Output,
}

/// One node's side.
struct Source<'c> {
    connection: &'c mut ServerConnection,
    strand: Strand,
}

enum Woken {
    Server(io::Result<usize>),
    Client(io::Result<usize>),
    Interrupt(Interrupt),
}

impl GatherRun<'_> {
    /// Runs it on these connections, one of which may be in the session's transaction: the first,
    /// whose status is told. The client gets the stream and notices; how it ends is for the caller
    /// to tell.
    ///
    /// Not cancel-safe: connections have to be closed if it is dropped.
    pub async fn run(self, connections: Vec<&mut ServerConnection>) -> CopyOutcome {
        let envelope = self.copy.envelope;
        let places = std::iter::once(Place::First).chain(std::iter::repeat(Place::Later));
        let source =
            |(connection, place)| Source { connection, strand: Strand::new(envelope, place) };
        let sources = connections.into_iter().zip(places).map(source).collect();
        let reason = &self.interrupts.cancel_reason;
        let mut gathering = Gathering { run: self, sources, output: Output::default() };
        let result = gathering.gather().await;
        let unusable = match result {
            Ok(_) => Vec::new(),
            Err(_) => gathering.abort().await,
        };
        let result = CopyTrouble::explained(result, reason);
        CopyOutcome { result, unusable, status: gathering.status() }
    }
}

impl Gathering<'_, '_> {
    async fn gather(&mut self) -> Result<u64, CopyTrouble> {
        for source in &mut self.sources {
            source.ask(&self.run.copy.text).await.map_err(CopyTrouble::NodeLost)?;
        }
        self.open().await?;
        let mut rows = 0;
        for place in 0..self.sources.len() {
            rows += self.pass_on(place).await?;
        }
        let mut end = BytesMut::new();
        if self.run.copy.envelope == Envelope::Binary {
            message::frame(&mut end, b'd', |out| out.extend_from_slice(TRAILER));
        }
        end.extend_from_slice(&message::COPY_DONE);
        self.run.client.write(&end, self.run.interrupts).await?;
        Ok(rows)
    }

    /// Waits until all nodes have begun, and tells the client.
    async fn open(&mut self) -> Result<(), CopyTrouble> {
        let mut opening = Bytes::new();
        for place in 0..self.sources.len() {
            opening = loop {
                match self.hear(place).await? {
                    Some(opening) => break opening,
                    None => self.wait(place).await?,
                }
            };
        }
        self.run.client.write(&opening, self.run.interrupts).await?;
        Ok(())
    }

    /// All that one node has to send; the number of its rows.
    async fn pass_on(&mut self, place: usize) -> Result<u64, CopyTrouble> {
        loop {
            self.hear(place).await?;
            if let State::Ready { rows, .. } = self.sources[place].strand.state() {
                return Ok(rows.unwrap_or_default());
            }
            self.wait(place).await?;
        }
    }

    /// Hands to the client what the node has sent so far, up to its CopyOutResponse, which is
    /// returned, or as far as it goes.
    async fn hear(&mut self, place: usize) -> Result<Option<Bytes>, CopyTrouble> {
        loop {
            let Source { connection, strand } = &mut self.sources[place];
            let walked = strand.walk(&connection.read, &mut self.output);
            let (consumed, said) =
                walked.map_err(|error| CopyTrouble::NodeLost(broken(connection, &error)))?;
            let bytes = self.output.bytes(&connection.read, consumed);
            let written = self.run.client.write(bytes, self.run.interrupts).await;
            // The strand has walked over them, whatever the client has got.
            connection.read.advance(consumed);
            self.output.clear();
            written?;
            match said {
                None => return Ok(None),
                Some(Said::CopyOut(frame)) => return Ok(Some(frame)),
                Some(Said::Error(body)) => return Err(CopyTrouble::Server(body)),
                Some(Said::Parameter { name, value }) => connection.reported.set(&name, &value),
            }
        }
    }

    /// Until the node has sent more.
    async fn wait(&mut self, place: usize) -> Result<(), CopyTrouble> {
        loop {
            match std::future::poll_fn(|cx| self.poll(cx, place)).await {
                Woken::Server(received) => {
                    let Source { connection, strand } = &self.sources[place];
                    return match check_received(connection, received) {
                        Err(error) if strand.is_inside_a_message() => {
                            let message = error.to_string();
                            Err(CopyTrouble::Fatal(ClientError::fatal(error.sqlstate(), message)))
                        }
                        checked => checked.map_err(CopyTrouble::NodeLost),
                    };
                }
                Woken::Client(Ok(0) | Err(_)) => return Err(CopyTrouble::ClientGone),
                Woken::Client(Ok(_)) => {}
                // Each node that has not ended says so, in its turn.
                Woken::Interrupt(Interrupt::QueryTimeout) => self.cancel().await,
                Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, place: usize) -> Poll<Woken> {
        if let Poll::Ready(received) = self.sources[place].connection.poll_read(cx) {
            return Poll::Ready(Woken::Server(received));
        }
        if self.run.client.may_read_ahead()
            && let Poll::Ready(read) = self.run.client.poll_read(cx)
        {
            return Poll::Ready(Woken::Client(read));
        }
        self.run.interrupts.poll(cx, &Interrupt::WHILE_RUNNING).map(Woken::Interrupt)
    }

    async fn cancel(&self) {
        let running = self.sources.iter().filter(|source| !source.is_at_rest());
        let cancelled = running.map(|source| source.connection.identity.cancel());
        for error in join_all(cancelled).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "cannot cancel a COPY that ran into its timeout");
        }
    }

    /// Ends it wherever it runs. The nodes are returned whose connections do not come to rest.
    async fn abort(&mut self) -> Vec<NodeId> {
        let settled = self.sources.iter_mut().map(|source| async {
            let settled = timeout(ABORT_TIMEOUT, source.settle()).await;
            (!matches!(settled, Ok(Ok(())))).then(|| source.connection.node())
        });
        join_all(settled).await.into_iter().flatten().collect()
    }

    fn status(&self) -> Option<TransactionStatus> {
        match self.sources.first()?.strand.state() {
            State::Ready { status, .. } => Some(status),
            _ => None,
        }
    }
}

impl Source<'_> {
    async fn ask(&mut self, statement: &[u8]) -> Result<(), NodeError> {
        let mut query = BytesMut::new();
        message::query(&mut query, statement);
        self.strand.ask();
        let written = self.connection.stream.write_all(&query).await;
        written.map_err(|source| self.connection.lost(source))
    }

    fn is_at_rest(&self) -> bool {
        matches!(self.strand.state(), State::Resting | State::Ready { .. })
    }

    /// Cancels what still runs, and listens until the node is at rest. When a cancel has been
    /// passed on, the node has heard it: it hits nothing that comes after.
    async fn settle(&mut self) -> Result<(), NodeError> {
        if !self.is_at_rest() {
            self.connection.identity.cancel().await?;
        }
        while !self.is_at_rest() {
            let mut unseen = Output::default();
            let walked = self.strand.walk(&self.connection.read, &mut unseen);
            let (consumed, said) = walked.map_err(|error| broken(self.connection, &error))?;
            self.connection.read.advance(consumed);
            match said {
                Some(Said::Parameter { name, value }) => {
                    self.connection.reported.set(&name, &value);
                }
                Some(Said::CopyOut(_) | Said::Error(_)) => {}
                None if self.is_at_rest() => {}
                None => {
                    let received = std::future::poll_fn(|cx| self.connection.poll_read(cx)).await;
                    check_received(self.connection, received)?;
                }
            }
        }
        Ok(())
    }
}

fn check_received(
    connection: &ServerConnection,
    received: io::Result<usize>,
) -> Result<(), NodeError> {
    match received {
        Ok(0) => Err(connection.lost(io::ErrorKind::UnexpectedEof.into())),
        Ok(_) => Ok(()),
        Err(error) => Err(connection.lost(error)),
    }
}

fn broken(connection: &ServerConnection, error: &StrandError) -> NodeError {
    connection.broken(&error.to_string())
}
