//! What may interrupt a session from outside: timeouts, DRAIN, the end of the process.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use crate::CancelReason;

/// In the order in which they are heard when several are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Close now, in whatever state.
    Terminate,
    /// Cancel the statement that runs.
    QueryTimeout,
    IdleInTransaction,
    IdleClient,
    /// Close at the next transaction boundary.
    Drain,
}

impl Interrupt {
    const ALL: [Interrupt; 5] = [
        Interrupt::Terminate,
        Interrupt::QueryTimeout,
        Interrupt::IdleInTransaction,
        Interrupt::IdleClient,
        Interrupt::Drain,
    ];

    /// Those that matter while a statement runs.
    pub const WHILE_RUNNING: [Interrupt; 2] = [Interrupt::Terminate, Interrupt::QueryTimeout];

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// Raised by anyone, heard by the one task that serves the client.
#[derive(Debug, Default)]
pub struct Interrupts {
    raised: AtomicU8,
    waker: AtomicWaker,
    pub cancel_reason: CancelReason,
}

impl Interrupts {
    pub fn raise(&self, interrupt: Interrupt) {
        self.raised.fetch_or(interrupt.bit(), Ordering::AcqRel);
        self.waker.wake();
    }

    /// Takes back what has become pointless before it was heard.
    pub fn lower(&self, interrupt: Interrupt) {
        if self.raised.load(Ordering::Acquire) & interrupt.bit() != 0 {
            self.raised.fetch_and(!interrupt.bit(), Ordering::AcqRel);
        }
    }

    /// The first of `wanted` that is raised; Terminate and Drain stay raised, others are lowered.
    pub fn poll(&self, cx: &mut Context<'_>, wanted: &[Interrupt]) -> Poll<Interrupt> {
        if let Some(interrupt) = self.take(wanted) {
            return Poll::Ready(interrupt);
        }
        self.waker.register(cx.waker());
        self.take(wanted).map_or(Poll::Pending, Poll::Ready)
    }

    /// The same without waiting for one.
    pub fn take(&self, wanted: &[Interrupt]) -> Option<Interrupt> {
        let raised = self.raised.load(Ordering::Acquire);
        if raised == 0 {
            return None;
        }
        let mut candidates = Interrupt::ALL.into_iter().filter(|i| wanted.contains(i));
        let found = candidates.find(|interrupt| raised & interrupt.bit() != 0)?;
        if !matches!(found, Interrupt::Terminate | Interrupt::Drain) {
            self.raised.fetch_and(!found.bit(), Ordering::AcqRel);
        }
        Some(found)
    }
}
