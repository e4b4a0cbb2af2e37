//! An ErrorResponse of a node.

#![no_main]

use bytes::Bytes;
use herd_wire::error::ServerError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = ServerError::read(Bytes::copy_from_slice(body));
});
