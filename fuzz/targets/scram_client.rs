//! What a hostile node sends while Herd logs in.

#![no_main]

use std::num::NonZeroU32;

use herd_wire::scram::{ClientFirst, ClientSecret, ScramKeys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|messages: (&[u8], &[u8])| {
    let (rest_of_first, last) = messages;
    let client = ClientFirst::unbound(false);
    let message = client.message();
    let nonce = message.split(',').next_back().expect("client-first ends with the nonce");
    let mut server_first = nonce.as_bytes().to_vec();
    server_first.extend_from_slice(rest_of_first);
    let keys = ScramKeys::from_password("x", b"salt", NonZeroU32::MIN);
    if let Ok((client, _)) = client.answer(&server_first, ClientSecret::Keys(&keys)) {
        let _ = client.verify(last);
    }
    let _ = ClientFirst::unbound(true).answer(rest_of_first, ClientSecret::Keys(&keys));
});
