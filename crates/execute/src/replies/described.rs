//! RowDescription and ParameterDescription: renumbered for the client, or heard by Herd alone.

use std::ops::Range;

use bytes::BytesMut;
use herd_node::Numbers;
use herd_wire::frame::HEADER_BYTES;

use super::{Event, Expected, Replies, RepliesError};
use crate::output::Output;
use crate::renumber::{missing, renumber};

impl Replies {
    /// Whether the frame names what `numbers` lacks; not twice, for what cannot be learnt.
    pub(super) fn lacks(&mut self, frame: &[u8], numbers: &Numbers) -> bool {
        self.wanted = match self.wanted {
            None => missing(frame, numbers),
            Some(_) => None,
        };
        self.wanted.is_some()
    }

    /// A frame with numbers in it, as the home node would have sent it.
    pub(super) fn take_numbered(
        &mut self,
        tag: u8,
        input: &[u8],
        span: Range<usize>,
        numbers: &Numbers,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        if matches!(self.queue.front(), Some(Expected::Shape { .. })) {
            return self.hear_shape(tag, input, span, Some(numbers), output);
        }
        self.take(tag, input, span.clone(), output)?;
        output.cut(input, span.start, span.end);
        renumber(&input[span], numbers, &mut output.edited);
        Ok(())
    }

    /// A part of a description that Herd has asked for itself.
    pub(super) fn hear_shape(
        &mut self,
        tag: u8,
        input: &[u8],
        span: Range<usize>,
        numbers: Option<&Numbers>,
        output: &mut Output,
    ) -> Result<(), RepliesError> {
        output.cut(input, span.start, span.end);
        let mut frame = BytesMut::new();
        match numbers {
            Some(numbers) => renumber(&input[span], numbers, &mut frame),
            None => frame.extend_from_slice(&input[span]),
        }
        let body = frame.freeze().slice(HEADER_BYTES..);
        match (tag, self.queue.front_mut()) {
            (b't', Some(Expected::Shape { parameters, .. })) => *parameters = body,
            (b'T' | b'n', Some(Expected::Shape { token, parameters })) => {
                output.events.push(Event::Described {
                    token: *token,
                    parameters: std::mem::take(parameters),
                    row: (tag == b'T').then_some(body),
                });
                self.queue.pop_front();
            }
            _ => return Err(RepliesError::Unexpected { tag: tag as char }),
        }
        Ok(())
    }
}
