//! What is said between the client and its current link, and what was heard of it.

use bytes::{Bytes, BytesMut};
use herd_execute::{Event, Expected, Output, Replies, Subject};
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
    pub(crate) closing: Closing,
    /// What completes a statement among several, not told to the client yet.
    pub(crate) completion: BytesMut,
}

/// How the answer to a simple query ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Closing {
    /// With ReadyForQuery.
    #[default]
    Ready,
    /// It is one statement of a query string: what completes it is held until that is certain.
    Held { characters_before: u32 },
}

impl Exchange {
    /// A simple query is on its way to the server.
    pub(crate) fn expect_answer(&mut self) {
        self.replies.expect(match self.closing {
            Closing::Ready => Expected::Query { token: None },
            Closing::Held { characters_before } => Expected::Part { characters_before },
        });
    }

    /// The same, and what completes it is held in any case.
    pub(crate) fn expect_part(&mut self) {
        let characters_before = match self.closing {
            Closing::Ready => 0,
            Closing::Held { characters_before } => characters_before,
        };
        self.replies.expect(Expected::Part { characters_before });
    }

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
    pub(crate) completion: Option<Bytes>,
}

impl Heard {
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Ready(status) => self.status = Some(*status),
            Event::Error(_) => {
                self.failed = true;
                self.events.push(event.clone());
            }
            Event::Done(_) | Event::Lost(_) | Event::Described { .. } => {
                self.events.push(event.clone());
            }
            Event::Completed(frame) => self.completion = Some(frame.clone()),
            Event::Defined(subject) => self.defined = Some(*subject),
            Event::CopyIn | Event::Parameter { .. } => {}
        }
    }
}
