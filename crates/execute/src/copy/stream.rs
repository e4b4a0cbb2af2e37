//! The streaming part of a COPY: from the statement until every node has counted its rows.
//!
//! Memory is bounded by one read buffer and one outbox for each node: when a node does not read,
//! the client is not read either.

use std::io;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use herd_node::{NodeError, ServerConnection};
use herd_plan::Spread;
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message::{self, TransactionStatus};
use tokio::time::timeout;

use super::branch::{Branch, Heard, State};
use super::inlet::{Inlet, Input};
use super::limits::{ABORT_TIMEOUT, OUTBOX_BYTES_MAX, READ_BYTES, WRITE_BYTES_MIN};
use super::run::CopyRun;
use super::skips::Skips;
use super::spreader::Spreader;
use super::trouble::CopyTrouble;
use crate::Interrupt;

pub(super) struct CopyStream<'a, 'c> {
    run: CopyRun<'a>,
    branches: Vec<Branch<'c>>,
    inlet: Inlet,
    skips: Skips,
    /// For the client, until all nodes are ready to take data.
    invitation: Option<Bytes>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The client sends, as long as the nodes take it.
    Client,
    /// All is sent that was to be sent.
    Nodes,
}

enum Woken {
    Nodes,
    /// An outbox has room again.
    Room,
    Client(io::Result<usize>),
    Interrupt(Interrupt),
}

impl<'a, 'c> CopyStream<'a, 'c> {
    pub(super) fn new(
        run: CopyRun<'a>,
        connections: Vec<&'c mut ServerConnection>,
    ) -> CopyStream<'a, 'c> {
        let skips = Skips::new(run.copy.on_error);
        let branches = connections.into_iter().map(Branch::new).collect();
        CopyStream { run, branches, inlet: Inlet::default(), skips, invitation: None }
    }

    /// Copies the whole stream; the number of its rows.
    pub(super) async fn copy(&mut self) -> Result<u64, CopyTrouble> {
        for branch in &mut self.branches {
            branch.outbox.query(self.run.statement);
        }
        self.until(|state| state == State::Copying).await?;
        let mut spreader = self.spreader()?;
        if let Some(invitation) = self.invitation.take() {
            self.run.client.write(&invitation, self.run.interrupts).await?;
        }
        self.take_stream(&mut spreader).await?;
        self.branches.iter_mut().for_each(|branch| branch.outbox.end());
        self.until(|state| matches!(state, State::Ready { .. })).await?;
        if let Some(notice) = self.skips.finish()? {
            self.run.client.write(&notice, self.run.interrupts).await?;
        }
        self.count()
    }

    fn spreader(&self) -> Result<Spreader<'a>, ClientError> {
        let nodes: Vec<NodeId> = self.branches.iter().map(Branch::node).collect();
        let reported = &self.branches[0].connection.reported;
        Spreader::new(self.run.copy, self.run.table, &nodes, reported)
    }

    async fn take_stream(&mut self, spreader: &mut Spreader<'_>) -> Result<(), CopyTrouble> {
        loop {
            if self.take_input(spreader)? {
                return Ok(());
            }
            match self.wait(Turn::Client).await? {
                Woken::Nodes => self.hear().await?,
                Woken::Room | Woken::Client(Ok(1..)) => {}
                Woken::Client(Ok(0) | Err(_)) => return Err(CopyTrouble::ClientGone),
                Woken::Interrupt(Interrupt::QueryTimeout) => return Err(timed_out().into()),
                Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
            }
        }
    }

    /// Spreads what the client has sent, as far as there is room; true at its end.
    fn take_input(&mut self, spreader: &mut Spreader<'_>) -> Result<bool, CopyTrouble> {
        let buffer = &mut self.run.client.read;
        while !is_crowded(&self.branches) {
            match self.inlet.next(buffer).map_err(CopyTrouble::Fatal)? {
                Input::Data(bytes) => {
                    spreader.push(&buffer[..bytes], &mut self.branches)?;
                    self.inlet.took(buffer, bytes);
                }
                Input::Incomplete => return Ok(false),
                Input::Done => {
                    spreader.finish(&mut self.branches)?;
                    return Ok(true);
                }
                Input::Failed(reason) => {
                    let message = format!("COPY from stdin failed: {reason}");
                    return Err(ClientError::error(SqlState::QUERY_CANCELED, message).into());
                }
                Input::Terminated => return Err(CopyTrouble::ClientGone),
            }
        }
        Ok(false)
    }

    /// Listens until all branches are where they should be.
    async fn until(&mut self, reached: impl Fn(State) -> bool) -> Result<(), CopyTrouble> {
        while !self.branches.iter().all(|branch| reached(branch.state())) {
            match self.wait(Turn::Nodes).await? {
                Woken::Interrupt(Interrupt::QueryTimeout) => self.cancel(),
                Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
                Woken::Nodes | Woken::Room | Woken::Client(_) => self.hear().await?,
            }
        }
        Ok(())
    }

    /// Takes in what nodes have said. The first error ends the COPY.
    async fn hear(&mut self) -> Result<(), CopyTrouble> {
        for place in 0..self.branches.len() {
            while let Some(heard) = self.branches[place].hear().map_err(CopyTrouble::NodeLost)? {
                match heard {
                    Heard::CopyIn(invitation) => self.invitation = Some(invitation),
                    Heard::Error(body) => {
                        return Err(CopyTrouble::Server(self.translate(place, body)));
                    }
                    Heard::Notice(body) => self.pass_notice(place, body).await?,
                    Heard::Progress => {}
                }
            }
        }
        Ok(())
    }

    async fn pass_notice(&mut self, place: usize, body: Bytes) -> Result<(), CopyTrouble> {
        // Of a reference table, all nodes say the same.
        let said_before = self.run.copy.spread == Spread::Everywhere && place > 0;
        if said_before || self.skips.take(&body) {
            return Ok(());
        }
        let body = self.translate(place, body);
        let mut out = BytesMut::new();
        message::frame(&mut out, b'N', |out| out.extend_from_slice(&body));
        Ok(self.run.client.write(&out, self.run.interrupts).await?)
    }

    /// With the client's line numbers instead of the node's.
    fn translate(&self, place: usize, body: Bytes) -> Bytes {
        self.branches[place].lines.translate(body, &self.run.table.name.name)
    }

    async fn wait(&mut self, turn: Turn) -> Result<Woken, CopyTrouble> {
        let woken = std::future::poll_fn(|cx| self.poll(cx, turn)).await;
        woken.map_err(CopyTrouble::NodeLost)
    }

    fn poll(&mut self, cx: &mut Context<'_>, turn: Turn) -> Poll<Result<Woken, NodeError>> {
        let was_crowded = is_crowded(&self.branches);
        let bytes_min = if turn == Turn::Client { WRITE_BYTES_MIN } else { 1 };
        if let Poll::Ready(woken) = poll_branches(&mut self.branches, cx, bytes_min) {
            return Poll::Ready(woken);
        }
        if turn == Turn::Client && !is_crowded(&self.branches) {
            if was_crowded {
                return Poll::Ready(Ok(Woken::Room));
            }
            self.run.client.read.reserve(READ_BYTES);
            if let Poll::Ready(read) = self.run.client.poll_read(cx) {
                return Poll::Ready(Ok(Woken::Client(read)));
            }
            // The client has nothing more to say at the moment: let nothing lie around.
            self.branches.iter_mut().for_each(|branch| branch.outbox.seal());
            if let Poll::Ready(woken) = poll_branches(&mut self.branches, cx, 1) {
                return Poll::Ready(woken);
            }
        }
        let interrupted = self.run.interrupts.poll(cx, &Interrupt::WHILE_RUNNING);
        interrupted.map(|interrupt| Ok(Woken::Interrupt(interrupt)))
    }

    /// The rows of all nodes; nodes of a reference table must agree.
    fn count(&self) -> Result<u64, CopyTrouble> {
        let rows = |branch: &Branch<'_>| match branch.state() {
            State::Ready { rows, .. } => rows.unwrap_or_default(),
            _ => 0,
        };
        let mut counts = self.branches.iter().map(rows);
        match self.run.copy.spread {
            Spread::ByKey(_) => Ok(counts.sum()),
            Spread::Everywhere => {
                let first = counts.next().unwrap_or_default();
                if counts.all(|count| count == first) {
                    return Ok(first);
                }
                let message = "the nodes have stored different numbers of rows";
                Err(ClientError::error(SqlState::INTERNAL_ERROR, message)
                    .with_detail(
                        "A trigger or a constraint of the table is not the same everywhere.",
                    )
                    .into())
            }
        }
    }

    /// Takes the COPY back wherever it runs. Connections that do not come to rest are named in
    /// `unusable`.
    pub(super) async fn abort(&mut self, unusable: &mut Vec<NodeId>) {
        self.inlet.put_back(&mut self.run.client.read);
        let settle = futures::future::join_all(self.branches.iter_mut().map(|branch| async {
            let node = branch.node();
            match timeout(ABORT_TIMEOUT, branch.give_up()).await {
                Ok(Ok(())) => None,
                Ok(Err(_)) | Err(_) => Some(node),
            }
        }));
        unusable.extend(settle.await.into_iter().flatten());
    }

    /// Of the first node's transaction.
    pub(super) fn status(&self) -> Option<TransactionStatus> {
        match self.branches.first()?.state() {
            State::Ready { status, .. } => Some(status),
            _ => None,
        }
    }

    /// The connections again: those to which no row was sent, and the others.
    pub(super) fn into_connections(
        self,
    ) -> (Vec<&'c mut ServerConnection>, Vec<&'c mut ServerConnection>) {
        let (idle, writers): (Vec<Branch<'c>>, Vec<Branch<'c>>) =
            self.branches.into_iter().partition(|branch| branch.rows_sent == 0);
        let connections = |branches: Vec<Branch<'c>>| {
            branches.into_iter().map(|branch| branch.connection).collect()
        };
        (connections(idle), connections(writers))
    }

    fn cancel(&self) {
        for branch in &self.branches {
            let identity = std::sync::Arc::clone(&branch.connection.identity);
            tokio::spawn(async move {
                if let Err(error) = identity.cancel().await {
                    tracing::warn!(%error, "cannot cancel a COPY that ran into its timeout");
                }
            });
        }
    }
}

fn is_crowded(branches: &[Branch<'_>]) -> bool {
    branches.iter().any(|branch| branch.outbox.len() > OUTBOX_BYTES_MAX)
}

fn poll_branches(
    branches: &mut [Branch<'_>],
    cx: &mut Context<'_>,
    bytes_min: usize,
) -> Poll<Result<Woken, NodeError>> {
    for branch in branches {
        if let Poll::Ready(received) = branch.poll(cx, bytes_min) {
            return Poll::Ready(received.map(|()| Woken::Nodes));
        }
    }
    Poll::Pending
}

fn timed_out() -> ClientError {
    ClientError::error(SqlState::QUERY_CANCELED, "canceling statement due to query timeout")
}
