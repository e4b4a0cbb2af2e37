//! Read buffers of clients that have nothing to say, kept for those who have: a thread serves
//! thousands of clients, of which few speak at the same moment.

use std::cell::RefCell;

use bytes::BytesMut;

/// Buffers kept by each thread.
const BUFFERS_MAX: usize = 64;
/// A buffer that has grown beyond this is given back to the system.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with room if there is one to spare.
pub(crate) fn take() -> BytesMut {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

pub(crate) fn put(buffer: BytesMut) {
    if buffer.capacity() == 0 || buffer.capacity() > BUFFER_BYTES_MAX {
        return;
    }
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.len() < BUFFERS_MAX {
            buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        put(BytesMut::with_capacity(1000));
        assert!(take().capacity() >= 1000);
        assert_eq!(take().capacity(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        put(BytesMut::with_capacity(BUFFER_BYTES_MAX + 1));
        assert_eq!(take().capacity(), 0);
        (0..=BUFFERS_MAX).for_each(|_| put(BytesMut::with_capacity(8)));
        assert_eq!(BUFFERS.with_borrow(Vec::len), BUFFERS_MAX);
    }
}
