//! Decoders of the protocol itself.

use std::num::NonZeroU32;

use bytes::{Bytes, BytesMut};
use herd_wire::auth::{SaslInitialResponse, StoredPassword};
use herd_wire::bounds::NAME_BYTES_MAX;
use herd_wire::cancel::CancelKey;
use herd_wire::connect::{Claim, Credential, Exchange};
use herd_wire::error::{ServerError, fields};
use herd_wire::frame::{self, HEADER_BYTES};
use herd_wire::message::{Bind, Parse};
use herd_wire::scram::{
    ClientFirst, ClientSecret, Offer, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramKeys, ScramVerifier,
    ServerFirst,
};
use herd_wire::startup::Packet;
use herd_wire::tls::EndPoint;

/// What follows the length word of a connection's first packet.
pub fn startup_packet(body: &[u8]) {
    if let Ok(Packet::Startup(startup)) = Packet::read(body) {
        for name in [&startup.user, &startup.database] {
            assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\0'));
        }
        for (name, value) in &startup.settings {
            assert!(!name.is_empty() && !name.contains([' ', '\'', '"', ';', '\0']));
            assert!(!value.contains('\0'));
        }
    }
}

/// A stream of frames.
pub fn frames(stream: &[u8]) {
    let mut rest = stream;
    while let Ok(Some((header, body))) = frame::first(rest) {
        assert_eq!(header.frame_bytes, HEADER_BYTES + body.len());
        rest = &rest[header.frame_bytes..];
    }
}

/// The body of a Parse or of a Bind.
pub fn client_messages(body: &[u8]) {
    if let Ok(parse) = Parse::read(body) {
        assert!(parse.types().len() * 4 <= body.len());
    }
    if let Ok(bind) = Bind::read(body) {
        for index in 0..usize::from(bind.parameters) {
            assert!(bind.parameter(index).is_some());
        }
        assert_eq!(bind.parameter(usize::from(bind.parameters)), None);
    }
}

/// The body of an ErrorResponse or NoticeResponse.
pub fn error_response(body: &[u8]) {
    let fields = fields(body);
    let error = ServerError::read(Bytes::copy_from_slice(body));
    assert!(fields.is_ok() || error.is_err());
    if let Ok(error) = error {
        assert_eq!(error.sqlstate.as_str().len(), 5);
    }
}

fn keys() -> ScramKeys {
    ScramKeys::from_password("pencil", b"salt", NonZeroU32::MIN)
}

/// What a client sends while it authenticates: SASLInitialResponse, 0xff, client-final.
pub fn sasl_server(messages: &[u8]) {
    let cut = messages.iter().rposition(|&byte| byte == 0xff).unwrap_or(messages.len());
    let (first, last) = messages.split_at(cut);
    let Ok(response) = SaslInitialResponse::read(first) else { return };
    let Some(client_first) = response.client_first else { return };
    let mechanism = response.mechanism.as_str();
    if ![SCRAM_SHA_256, SCRAM_SHA_256_PLUS].contains(&mechanism) {
        return;
    }
    let server = || ServerFirst::new(ScramVerifier::of(&keys()), Offer::Plain);
    let last = last.strip_prefix(b"\xff").unwrap_or(last);
    if let Ok((awaiting, _)) = server().answer(mechanism, &client_first) {
        assert!(awaiting.verify(last).is_err(), "a nonce that the input cannot know");
        let (awaiting, server_first) =
            server().answer(mechanism, &client_first).expect("as before");
        let nonce = server_first.split(',').next().expect("server-first begins with the nonce");
        let guess = [format!("c=biws,{nonce},p=").as_bytes(), last].concat();
        assert!(awaiting.verify(&guess).is_err(), "a proof of a key that the input cannot know");
    }
}

/// What a node sends while we authenticate: server-first after our nonce, 0xff, server-final.
pub fn sasl_client(messages: &[u8]) {
    let cut = messages.iter().position(|&byte| byte == 0xff).unwrap_or(messages.len());
    let (rest_of_first, last) = messages.split_at(cut);
    let client = ClientFirst::unbound(false);
    let message = client.message();
    let nonce = message.strip_prefix("n,,n=,r=").expect("our own message");
    let server_first = [b"r=", nonce.as_bytes(), rest_of_first].concat();
    if let Ok((client, _)) = client.answer(&server_first, ClientSecret::Keys(&keys())) {
        let verified = client.verify(last.strip_prefix(b"\xff").unwrap_or(last));
        assert!(verified.is_err(), "a signature with a key that the input cannot know");
    }
}

/// What a node sends before it is ready, as frames.
pub fn node_login(stream: &[u8]) {
    let credential = Credential::Scram(keys());
    let claim = Claim { user: "ann", credential: &credential, is_private: false, end_point: None };
    let mut exchange = Exchange::Start;
    let mut rest = stream;
    while let Ok(Some((header, body))) = frame::first(rest) {
        rest = &rest[header.frame_bytes..];
        if header.tag == b'K' {
            let _ = CancelKey::read(body);
            continue;
        }
        let was_scram = matches!(exchange, Exchange::ScramFirst(_) | Exchange::ScramFinal(_));
        let mut out = BytesMut::new();
        match exchange.handle(&Bytes::copy_from_slice(body), claim, &mut out) {
            Ok(Exchange::Authenticated) => {
                assert!(!was_scram, "let in by a server that proved nothing");
                return;
            }
            Ok(next) => exchange = next,
            Err(_) => return,
        }
    }
}

/// What a node says of a role's password, and of its own certificate.
pub fn verifier(bytes: &[u8]) {
    if let Ok(StoredPassword::Scram(verifier)) = String::from_utf8_lossy(bytes).parse() {
        assert_eq!(verifier.to_text().parse(), Ok(verifier));
    }
    let _ = EndPoint::of(bytes);
}
