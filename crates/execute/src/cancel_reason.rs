//! Why Herd has a statement cancelled, for the client to be told instead of that somebody asked for it.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use herd_types::{ClientError, SqlState};
use herd_wire::error::{field, put_error};
use parking_lot::Mutex;

/// Given by anyone before the cancel request goes out, taken by the task that serves the client.
#[derive(Debug, Default)]
pub struct CancelReason {
    is_given: AtomicBool,
    /// An ErrorResponse.
    frame: Mutex<Option<Bytes>>,
}

impl CancelReason {
    pub fn give(&self, error: &ClientError) {
        let mut frame = BytesMut::new();
        put_error(&mut frame, error);
        *self.frame.lock() = Some(frame.freeze());
        self.is_given.store(true, Ordering::Release);
    }

    /// The ErrorResponse. It counts for one statement: whoever ends one takes it, needed or not.
    pub fn take(&self) -> Option<Bytes> {
        if !self.is_given.load(Ordering::Acquire) {
            return None;
        }
        self.is_given.store(false, Ordering::Relaxed);
        self.frame.lock().take()
    }
}

/// Whether the body of an ErrorResponse tells of a cancel request.
pub(crate) fn is_cancelled(body: &[u8]) -> bool {
    field(body, b'C') == Some(SqlState::QUERY_CANCELED.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_taken_once() {
        let reason = CancelReason::default();
        assert_eq!(reason.take(), None);
        reason.give(&ClientError::error(SqlState::DEADLOCK_DETECTED, "deadlock detected"));
        let frame = reason.take().expect("it was given");
        assert_eq!(frame[0], b'E');
        assert_eq!(reason.take(), None);
    }

    #[test]
    fn only_57014_tells_of_a_cancel_request() {
        assert!(is_cancelled(b"SERROR\0C57014\0Mno\0\0"));
        assert!(!is_cancelled(b"SERROR\0C57P01\0M57014\0\0"));
        assert!(!is_cancelled(b""));
    }
}
