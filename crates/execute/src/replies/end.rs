//! ReadyForQuery: as it came, as Herd tells it, or held until the session tells it itself.

use herd_wire::message::TransactionStatus;

use super::{Event, Replies, RepliesError};
use crate::expected::{Expected, Shown};
use crate::output::Output;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Told,
    ToBeHeld,
    Held,
}

impl End {
    /// Whether a ReadyForQuery with this status is kept from the client.
    pub(super) fn holds(&mut self, status: TransactionStatus) -> bool {
        let holds = *self == End::ToBeHeld && status == TransactionStatus::Idle;
        if holds {
            *self = End::Held;
        }
        holds
    }
}

impl Replies {
    /// The client is not told that the transaction has ended before [`Replies::stop_holding`].
    pub fn hold_end(&mut self) {
        if self.end == End::Told {
            self.end = End::ToBeHeld;
        }
    }

    /// Whether the ReadyForQuery is still to be told.
    pub fn stop_holding(&mut self) -> bool {
        std::mem::take(&mut self.end) == End::Held
    }

    pub(super) fn ready(
        &mut self,
        body: &[u8],
        input: &[u8],
        span: std::ops::Range<usize>,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        let unexpected = RepliesError::Unexpected { tag: 'Z' };
        let status = match body {
            &[byte] => TransactionStatus::from_byte(byte),
            _ => None,
        };
        let Some(status) = status else { return Err(unexpected) };
        let is_told = matches!(
            self.queue.front(),
            Some(Expected::Query { .. } | Expected::Ready { shown: Shown::AsItIs })
        );
        let holds = is_told && self.end.holds(status);
        match self.queue.pop_front() {
            Some(Expected::Query { token }) => {
                let failed = std::mem::take(&mut self.query_failed);
                output.events.extend(token.map(if failed { Event::Lost } else { Event::Done }));
                if holds {
                    output.cut(input, span.start, span.end);
                }
            }
            Some(Expected::Part { .. }) => {
                self.query_failed = false;
                output.cut(input, span.start, span.end);
            }
            Some(Expected::Ready { shown: Shown::AsItIs }) if holds => {
                output.cut(input, span.start, span.end);
            }
            Some(Expected::Ready { shown: Shown::AsItIs }) => {}
            Some(Expected::Ready { shown: Shown::As(shown) }) => {
                output.cut(input, span.start, span.end);
                herd_wire::message::ready(&mut output.edited, shown);
            }
            Some(Expected::Ready { shown: Shown::No }) => {
                output.cut(input, span.start, span.end);
            }
            _ => return Err(unexpected),
        }
        output.events.push(Event::Ready(status));
        Ok(())
    }
}
