//! What is said between the client and its current link, and what was heard of it.

use bytes::BytesMut;
use herd_execute::{Event, Output, Replies, Subject};
use herd_wire::message::TransactionStatus;
use smallvec::SmallVec;

/// What is between the client and the current link.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) replies: Replies,
    /// For the server, not sent yet.
    pub(crate) out: BytesMut,
    pub(crate) output: Output,
    /// The client has been told of an error in the exchange that broke.
    pub(crate) told_error: bool,
}

impl Exchange {
    /// The server will not answer any more.
    pub(crate) fn abandon(&mut self) {
        *self = Exchange::default();
    }
}

/// What was heard while an exchange ran.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) events: SmallVec<[Event; 4]>,
    pub(crate) status: Option<TransactionStatus>,
    pub(crate) failed: bool,
    pub(crate) defined: Option<Subject>,
}

impl Heard {
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Ready(status) => self.status = Some(*status),
            Event::Error(_) => {
                self.failed = true;
                self.events.push(event.clone());
            }
            Event::Done(_) | Event::Lost(_) => self.events.push(event.clone()),
            Event::Defined(subject) => self.defined = Some(*subject),
            Event::CopyIn | Event::Parameter { .. } => {}
        }
    }
}
