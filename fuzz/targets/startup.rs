//! The first packet of a connection, before anybody is known.

#![no_main]

use herd_wire::cancel::CancelKey;
use herd_wire::startup::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = Packet::read(body);
    let _ = CancelKey::read(body);
});
