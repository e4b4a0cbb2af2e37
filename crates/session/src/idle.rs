//! Between two messages of a client: what may happen before the next one comes.

use std::task::{Context, Poll};

use herd_execute::Interrupt;
use herd_types::{ClientError, SqlState};
use herd_wire::message::TransactionStatus;

use crate::registry::Phase;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Ending;

enum Woken {
    Client(std::io::Result<usize>),
    Servers,
    Interrupt(Interrupt),
}

impl Session {
    /// A client that always has something to say would never be let go, so this is looked at before
    /// it is heard.
    pub(crate) fn check_drain(&self) -> Result<(), Ending> {
        match self.handle().interrupts.take(&[Interrupt::Drain]) {
            Some(drain) if self.is_at_boundary() => Err(self.interrupted(drain)),
            _ => Ok(()),
        }
    }

    fn is_at_boundary(&self) -> bool {
        matches!(self.transaction, Transaction::None) && self.batch.is_empty()
    }

    /// Waits for the client's next bytes. Meanwhile, what pinned servers say unasked is passed on.
    pub(crate) async fn wait_for_client(&mut self) -> Result<(), Ending> {
        if self.client.read.is_empty() {
            self.client.lend_buffer();
            let idle = matches!(self.transaction.status(), TransactionStatus::Idle);
            self.handle().enter(if idle { Phase::Idle } else { Phase::InTransaction });
        }
        loop {
            match std::future::poll_fn(|cx| self.poll_idle(cx)).await {
                Woken::Client(Ok(0) | Err(_)) => return Err(Ending::ClientLeft),
                Woken::Client(Ok(_)) => {
                    if !self.batch.is_empty() {
                        self.handle().enter(Phase::Running);
                    }
                    return Ok(());
                }
                Woken::Servers => self.pass_unasked().await?,
                Woken::Interrupt(interrupt) => return Err(self.interrupted(interrupt)),
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Poll::Ready(read) = self.client.poll_read(cx) {
            return Poll::Ready(Woken::Client(read));
        }
        for link in self.links.kept.iter_mut().chain(&mut self.links.current) {
            if link.lease.connection().poll_read(cx).is_ready() {
                return Poll::Ready(Woken::Servers);
            }
        }
        let wanted: &[Interrupt] = if self.is_at_boundary() {
            &[Interrupt::Terminate, Interrupt::IdleClient, Interrupt::Drain]
        } else {
            &[Interrupt::Terminate, Interrupt::IdleInTransaction]
        };
        self.handle().interrupts.poll(cx, wanted).map(Woken::Interrupt)
    }

    fn interrupted(&self, interrupt: Interrupt) -> Ending {
        let error = match interrupt {
            Interrupt::Terminate | Interrupt::QueryTimeout => return Ending::Terminated,
            Interrupt::Drain => ClientError::fatal(
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection due to administrator command",
            )
            .with_hint("Herd is being drained; connect again."),
            Interrupt::IdleInTransaction => ClientError::fatal(
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
            Interrupt::IdleClient => ClientError::fatal(
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
        };
        Ending::Fatal(error)
    }
}
