//! Frames for scripts, and what is asserted of frames in many places.

use herd_types::Severity;

use crate::error::ServerError;

pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("scripts are short");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// A packet of the startup phase, which has no tag.
pub(crate) fn packet(body: &[u8]) -> Vec<u8> {
    frame(0, body).split_off(1)
}

/// The code and message of the FATAL error that is all of `heard` after `before`.
pub(crate) fn error_after(before: &[u8], heard: &[u8]) -> (String, String) {
    let frame = heard.strip_prefix(before).expect("what comes before the error");
    let (header, body) = crate::frame::first(frame).expect("valid").expect("whole");
    assert_eq!((header.tag, header.frame_bytes), (b'E', frame.len()));
    let error = ServerError::read(body.to_vec().into()).expect("well formed");
    assert_eq!(error.severity, Some(Severity::Fatal));
    (error.sqlstate.to_string(), error.message)
}
