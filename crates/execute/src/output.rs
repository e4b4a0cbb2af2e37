//! What a client gets of the bytes that a server sent.

use bytes::BytesMut;
use smallvec::SmallVec;

use crate::replies::Event;

/// The bytes for the client: the input itself while nothing was changed, else an edited copy.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) edited: BytesMut,
    is_edited: bool,
    /// Up to where the input has been copied, once edited.
    copied: usize,
    pub events: SmallVec<[Event; 4]>,
}

impl Output {
    /// What the client gets for the first `consumed` bytes of `input`.
    pub fn bytes<'a>(&'a mut self, input: &'a [u8], consumed: usize) -> &'a [u8] {
        if !self.is_edited {
            return &input[..consumed];
        }
        self.edited.extend_from_slice(&input[self.copied..consumed]);
        self.copied = consumed;
        &self.edited
    }

    pub fn clear(&mut self) {
        self.edited.clear();
        self.is_edited = false;
        self.copied = 0;
        self.events.clear();
    }

    pub(crate) fn insert(&mut self, input: &[u8], at: usize, bytes: &[u8]) {
        self.copy_to(input, at);
        self.edited.extend_from_slice(bytes);
    }

    pub(crate) fn cut(&mut self, input: &[u8], from: usize, to: usize) {
        self.copy_to(input, from);
        self.copied = to;
    }

    fn copy_to(&mut self, input: &[u8], at: usize) {
        self.is_edited = true;
        self.edited.extend_from_slice(&input[self.copied..at]);
        self.copied = at;
    }
}
