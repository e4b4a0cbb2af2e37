//! Frames after startup: a tag, a length, bytes. Found without copying and without decoding.

use thiserror::Error;

/// Tag and length word.
pub const HEADER_BYTES: usize = 5;
/// PostgreSQL's own bound (`PQ_LARGE_MESSAGE_LIMIT`).
pub const FRAME_BYTES_MAX: usize = 0x3fff_ffff;

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub tag: u8,
    /// The whole frame with its tag and length word.
    pub frame_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("invalid message length {length}")]
    Length { length: u32 },
}

impl Header {
    /// The header at the start of `bytes`; `None` while it is incomplete.
    #[inline]
    pub fn peek(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
        let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        if length < 4 || length as usize > FRAME_BYTES_MAX {
            return Err(FrameError::Length { length });
        }
        Ok(Some(Header { tag, frame_bytes: length as usize + 1 }))
    }
}

/// The first frame of `bytes` with its body, if it is all there.
pub fn first(bytes: &[u8]) -> Result<Option<(Header, &[u8])>, FrameError> {
    let Some(header) = Header::peek(bytes)? else { return Ok(None) };
    Ok(bytes.get(HEADER_BYTES..header.frame_bytes).map(|body| (header, body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_needs_five_bytes() {
        assert_eq!(Header::peek(b"Z\0\0\0"), Ok(None));
        assert_eq!(Header::peek(b"Z\0\0\0\x05I"), Ok(Some(Header { tag: b'Z', frame_bytes: 6 })));
    }

    #[test]
    fn lengths_below_four_or_beyond_the_limit_are_refused() {
        for length in [0u32, 3, 0x4000_0000, 0x8000_0000, u32::MAX] {
            let mut frame = vec![b'Q'];
            frame.extend_from_slice(&length.to_be_bytes());
            assert_eq!(Header::peek(&frame), Err(FrameError::Length { length }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_frame_within_them_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((header, body))) = first(&bytes) {
                prop_assert_eq!(body.len() + HEADER_BYTES, header.frame_bytes);
                prop_assert!(header.frame_bytes <= bytes.len());
            }
        }
    }
}
