//! What a client sends to prove its password. No input may: the verifier is nobody's.

#![no_main]

use herd_wire::scram::{Offer, SCRAM_SHA_256, ScramVerifier, ServerFirst};
use libfuzzer_sys::fuzz_target;

const VERIFIER: &str = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fuzz_target!(|messages: (&[u8], &[u8])| {
    let (first, last) = messages;
    let verifier: ScramVerifier = VERIFIER.parse().expect("the verifier is well formed");
    let server = ServerFirst::new(verifier, Offer::Plain);
    if let Ok((server, server_first)) = server.answer(SCRAM_SHA_256, first) {
        assert!(server.verify(last).is_err());
        // Past the nonce, which the fuzzer cannot guess.
        let nonce = server_first.split(',').next().expect("server-first begins with the nonce");
        let verifier: ScramVerifier = VERIFIER.parse().expect("the verifier is well formed");
        let server = ServerFirst::new(verifier, Offer::Plain);
        let (server, _) = server.answer(SCRAM_SHA_256, first).expect("as before");
        let mut guess = format!("c=biws,{nonce},p=").into_bytes();
        guess.extend_from_slice(last);
        assert!(server.verify(&guess).is_err());
    }
    if let Ok(text) = std::str::from_utf8(last) {
        let _ = text.parse::<ScramVerifier>();
    }
});
