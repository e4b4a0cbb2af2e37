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

pub(crate) const STARTUP_SAMPLES: &[&[u8]] = &[
    b"\0\x03\0\0user\0ann\0database\0d\0application_name\0psql\0client_encoding\0UTF8\0\0",
    b"\0\x03\0\x02user\0ann\0options\0-c search_path=a\\ b --geqo=off -cx.y=1\0_pq_.x\x001\0\0",
    b"\0\x03\x27\x0fuser\0ann\0replication\0database\0\0",
    b"\x04\xd2\x16\x2e\0\0\0\x07abcdefghijklmnopqrstuvwxyzabcdef",
    b"\x04\xd2\x16\x2f",
    b"\x04\xd2\x16\x30",
];

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

pub(crate) const FRAME_SAMPLES: &[&[u8]] =
    &[b"Z\0\0\0\x05I", b"Q\0\0\0\x0dselect 1\0Q\0\0\0\x05\0", b"S\0\0\0\x04", b"d\x3f\xff\xff\xff"];

/// A stream of frames.
pub fn frames(stream: &[u8]) {
    let mut rest = stream;
    while let Ok(Some((header, body))) = frame::first(rest) {
        assert_eq!(header.frame_bytes, HEADER_BYTES + body.len());
        rest = &rest[header.frame_bytes..];
    }
}

pub(crate) const CLIENT_SAMPLES: &[&[u8]] = &[
    b"name\0select $1, $2\0\0\x02\0\0\0\x17\0\0\0\0",
    b"portal\0name\0\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x2a\xff\xff\xff\xff\0\x01\0\x01",
    b"\0\0\0\0\0\0\0\0",
    b"\0\0\0\x02\0\x01\0\0\0\x02\0\0\0\x01x\0\0\0\x08abcdefgh\0\0",
];

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

pub(crate) const ERROR_SAMPLES: &[&[u8]] = &[
    b"SERROR\0VERROR\0C42P01\0Mrelation \"t\" does not exist\0P15\0Fparse_relation.c\0L1392\0\0",
    b"SFATAL\0C53300\0Msorry\0\0",
    b"\0",
];

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

pub(crate) const SASL_SERVER_SAMPLES: &[&[u8]] = &[
    b"SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=rOprNGfwEbeRWgbNEkqO,x=1\xffc=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"SCRAM-SHA-256-PLUS\0\0\0\0\x25p=tls-server-end-point,,n=,r=abcdefghi\xffc=eSws,r=a,p=",
    b"SCRAM-SHA-256\0\xff\xff\xff\xff",
    b"SCRAM-SHA-256\0\0\0\0\x09y,a=b,m=1",
];

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
    let server = ServerFirst::new(ScramVerifier::of(&keys()), Offer::Plain);
    if let Ok((server, _)) = server.answer(mechanism, &client_first) {
        let proven = server.verify(last.strip_prefix(b"\xff").unwrap_or(last));
        assert!(proven.is_err(), "a proof of a key that the input cannot know");
    }
}

pub(crate) const SASL_CLIENT_SAMPLES: &[&[u8]] =
    &[b"x,s=c2FsdA==,i=1\xffv=AAAA", b",s=c2FsdA==,i=4096\xffe=other-error", b"x,s=,i=0,m=1"];

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

pub(crate) const NODE_LOGIN_SAMPLES: &[&[u8]] = &[
    b"R\0\0\0\x08\0\0\0\0",
    b"R\0\0\0\x0c\0\0\0\x05abcdR\0\0\0\x08\0\0\0\0",
    b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x18\0\0\0\x0br=x,s=c2E=,i=1",
    b"R\0\0\0\x08\0\0\0\x03",
    b"K\0\0\0\x0c\0\0\0\x07abcd",
];

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

pub(crate) const VERIFIER_SAMPLES: &[&[u8]] = &[
    b"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    b"md56ffb74e3ed4b8d0d3ac3ee7d0bd1ae2c",
];

/// What a node says of a role's password, and of its own certificate.
pub fn verifier(bytes: &[u8]) {
    if let Ok(StoredPassword::Scram(verifier)) = String::from_utf8_lossy(bytes).parse() {
        assert_eq!(verifier.to_text().parse(), Ok(verifier));
    }
    let _ = EndPoint::of(bytes);
}
