//! Read buffers of clients that have nothing to say, kept for those who have: a worker serves
//! thousands of clients, of which few speak at the same moment.

use bytes::BytesMut;
use parking_lot::Mutex;

const BUFFERS_MAX: usize = 64;
/// A buffer that has grown beyond this is given back to the system.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Default)]
pub struct SpareBuffers {
    buffers: Mutex<Vec<BytesMut>>,
}

impl SpareBuffers {
    /// An empty buffer, with room if there is one to spare.
    pub(crate) fn take(&self) -> BytesMut {
        self.buffers.lock().pop().unwrap_or_default()
    }

    pub(crate) fn put(&self, buffer: BytesMut) {
        if buffer.capacity() == 0 || buffer.capacity() > BUFFER_BYTES_MAX {
            return;
        }
        let mut buffers = self.buffers.lock();
        if buffers.len() < BUFFERS_MAX {
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let spare = SpareBuffers::default();
        spare.put(BytesMut::with_capacity(1000));
        assert!(spare.take().capacity() >= 1000);
        assert_eq!(spare.take().capacity(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let spare = SpareBuffers::default();
        spare.put(BytesMut::with_capacity(BUFFER_BYTES_MAX + 1));
        assert_eq!(spare.take().capacity(), 0);
        (0..=BUFFERS_MAX).for_each(|_| spare.put(BytesMut::with_capacity(8)));
        assert_eq!(spare.buffers.lock().len(), BUFFERS_MAX);
    }
}
