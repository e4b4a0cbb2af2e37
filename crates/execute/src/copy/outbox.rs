//! Rows on their way to one node, as CopyData frames. No I/O.

use bytes::{Buf, BufMut, BytesMut};
use herd_wire::frame::{HEADER_BYTES, Header};
use herd_wire::message;

use super::limits::FRAME_BYTES;

/// Written from the front, filled at the back.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: BytesMut,
    /// Where the frame begins that rows are still added to.
    open_at: Option<usize>,
    /// Bytes at the front that belong to a frame of which a part is sent.
    unfinished: usize,
}

impl Outbox {
    #[inline]
    pub(super) fn push(&mut self, row: &[u8]) {
        if self.open_at.is_none() {
            self.open_at = Some(self.bytes.len());
            self.bytes.reserve(HEADER_BYTES + FRAME_BYTES);
            self.bytes.put_slice(b"d\0\0\0\0");
        }
        self.bytes.put_slice(row);
        if self.open_bytes() >= FRAME_BYTES {
            self.seal();
        }
    }

    /// Closes the frame that rows are added to.
    pub(super) fn seal(&mut self) {
        let length = self.open_bytes();
        if let Some(at) = self.open_at.take() {
            let length = u32::try_from(length - 1).expect("a frame is bounded by a row's size");
            self.bytes[at + 1..at + HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
        }
    }

    pub(super) fn end(&mut self) {
        self.seal();
        self.bytes.put_slice(&message::COPY_DONE);
    }

    /// A whole message other than COPY data.
    pub(super) fn query(&mut self, sql: &[u8]) {
        self.seal();
        message::query(&mut self.bytes, sql);
    }

    /// Forgets everything but the rest of a frame that is partly sent, and takes back the COPY.
    pub(super) fn fail(&mut self, reason: &str) {
        self.abandon();
        message::copy_fail(&mut self.bytes, reason);
    }

    /// Forgets everything but the rest of a frame that is partly sent.
    pub(super) fn abandon(&mut self) {
        self.open_at = None;
        self.bytes.truncate(self.unfinished);
    }

    fn open_bytes(&self) -> usize {
        self.open_at.map_or(0, |at| self.bytes.len() - at)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Frames that are complete.
    pub(super) fn sealed(&self) -> &[u8] {
        &self.bytes[..self.open_at.unwrap_or(self.bytes.len())]
    }

    /// The first `sent` bytes are on their way.
    pub(super) fn advance(&mut self, mut sent: usize) {
        while sent > 0 {
            if self.unfinished == 0 {
                let header = Header::peek(&self.bytes).ok().flatten();
                self.unfinished = header.expect("frames were made here").frame_bytes;
            }
            let step = sent.min(self.unfinished);
            self.unfinished -= step;
            sent -= step;
            self.bytes.advance(step);
            self.open_at = self.open_at.map(|at| at - step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The payloads of all frames in `bytes`.
    fn payloads(mut bytes: &[u8]) -> Vec<u8> {
        let mut rows = Vec::new();
        while !bytes.is_empty() {
            let (header, body) = herd_wire::frame::first(bytes).expect("valid").expect("complete");
            assert_eq!(header.tag, b'd');
            rows.extend_from_slice(body);
            bytes = &bytes[header.frame_bytes..];
        }
        rows
    }

    fn row() -> impl Strategy<Value = Vec<u8>> {
        (1..20_000_usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length])
    }

    proptest! {
        #[test]
        fn rows_arrive_in_order_however_much_is_sent_at_once(
            rows in prop::collection::vec(row(), 0..12),
            steps in prop::collection::vec(1..40_000_usize, 0..20),
        ) {
            let mut outbox = Outbox::default();
            let mut sent = Vec::new();
            let mut steps = steps.into_iter();
            for row in &rows {
                outbox.push(row);
                let step = steps.next().unwrap_or(0).min(outbox.sealed().len());
                sent.extend_from_slice(&outbox.sealed()[..step]);
                outbox.advance(step);
            }
            outbox.seal();
            sent.extend_from_slice(outbox.sealed());
            prop_assert_eq!(payloads(&sent), rows.concat());
        }

        #[test]
        fn a_failing_copy_still_ends_its_last_frame(
            rows in prop::collection::vec(row(), 1..8),
            part in any::<prop::sample::Index>(),
        ) {
            let mut outbox = Outbox::default();
            rows.iter().for_each(|row| outbox.push(row));
            let step = part.index(outbox.sealed().len() + 1);
            let mut sent = outbox.sealed()[..step].to_vec();
            outbox.advance(step);
            outbox.fail("why");
            sent.extend_from_slice(outbox.sealed());
            let fail = b"f\0\0\0\x08why\0";
            prop_assert!(sent.ends_with(fail));
            let before = payloads(&sent[..sent.len() - fail.len()]);
            prop_assert!(rows.concat().starts_with(&before));
        }
    }
}
