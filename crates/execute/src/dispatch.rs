//! A write on several nodes at once: each is told its part, and all answers are heard to their end.

use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use herd_node::{Answer, NodeError, ServerConnection, ServerIdentity};

use crate::copy::CopyTrouble;
use crate::{Interrupt, Interrupts};

/// What one node is told: messages after which one ReadyForQuery comes.
pub struct Order<'c> {
    pub connection: &'c mut ServerConnection,
    pub messages: Bytes,
}

enum Woken {
    Answered(usize, Box<Result<Answer, NodeError>>),
    All,
    Interrupt(Interrupt),
}

/// The answers, in the order of the orders. When one node fails, what the others do is cancelled.
///
/// # Errors
/// The first failure.
///
/// Not cancel-safe: connections left in the middle must be dropped.
pub async fn carry_out(
    orders: Vec<Order<'_>>,
    interrupts: &Interrupts,
) -> Result<Vec<Answer>, CopyTrouble> {
    let servers: Vec<Arc<ServerIdentity>> =
        orders.iter().map(|order| Arc::clone(&order.connection.identity)).collect();
    let mut answers: Vec<Option<Answer>> = orders.iter().map(|_| None).collect();
    let mut running: FuturesUnordered<_> = orders
        .into_iter()
        .enumerate()
        .map(|(place, Order { connection, messages })| async move {
            (place, connection.tell(&messages).await.map(|(answer, _)| answer))
        })
        .collect();
    let mut at_work: Vec<bool> = vec![true; servers.len()];
    let mut first_error = None;
    loop {
        let woken = std::future::poll_fn(|cx| {
            match running.poll_next_unpin(cx) {
                Poll::Ready(Some((place, told))) => {
                    return Poll::Ready(Woken::Answered(place, Box::new(told)));
                }
                Poll::Ready(None) => return Poll::Ready(Woken::All),
                Poll::Pending => {}
            }
            interrupts.poll(cx, &Interrupt::WHILE_RUNNING).map(Woken::Interrupt)
        });
        match woken.await {
            Woken::All => break,
            Woken::Answered(place, told) => {
                at_work[place] = false;
                match *told {
                    Ok(answer) => answers[place] = Some(answer),
                    Err(error) => {
                        if first_error.is_none() {
                            cancel(&servers, &at_work).await;
                        }
                        first_error.get_or_insert(error);
                    }
                }
            }
            Woken::Interrupt(Interrupt::QueryTimeout) => cancel(&servers, &at_work).await,
            Woken::Interrupt(_) => return Err(CopyTrouble::Terminated),
        }
    }
    let result = match first_error {
        None => Ok(answers.into_iter().flatten().collect()),
        Some(NodeError::Server(body)) => Err(CopyTrouble::Server(body)),
        Some(lost) => Err(CopyTrouble::NodeLost(lost)),
    };
    CopyTrouble::explained(result, &interrupts.cancel_reason)
}

async fn cancel(servers: &[Arc<ServerIdentity>], at_work: &[bool]) {
    let working = servers.iter().zip(at_work).filter(|(_, at_work)| **at_work);
    let cancelled = join_all(working.map(|(server, _)| server.cancel()));
    for error in cancelled.await.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "cannot cancel what a node does for a statement that has failed");
    }
}
