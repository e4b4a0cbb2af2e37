//! Scripted clients against `authenticate`.

use std::time::{Duration, SystemTime};

use herd_types::SqlState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::*;
use crate::startup::{ArrivalError, Arrived, ProtocolMinor};
use crate::stream::{Peer, Stream};
use crate::testing::{error_after, frame};

const SASL_REQUEST: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";

fn verifier() -> ScramVerifier {
    ScramVerifier::make("secret")
}

fn pair() -> (UnixStream, Arrived) {
    let (client, server) = UnixStream::pair().expect("a pair");
    let arrived = Arrived {
        stream: Stream::from_unix(server),
        peer: Peer::Unix { uid: None },
        tls: None,
        minor: ProtocolMinor::Zero,
        user: "ann".to_owned(),
        database: "ann".to_owned(),
        settings: Vec::new(),
    };
    (client, arrived)
}

/// A client that says `script` whatever it is asked: the outcome, and what it heard.
async fn attempt(method: Method<'_>, script: &[u8]) -> (Result<Proven, ArrivalError>, Vec<u8>) {
    let (mut client, mut arrived) = pair();
    client.write_all(script).await.expect("room for a script");
    client.shutdown().await.expect("still open");
    let deadline = Instant::now() + Duration::from_secs(10);
    let outcome = authenticate(&mut arrived, method, deadline).await;
    drop(arrived);
    let mut heard = Vec::new();
    // What the server left unread turns the end of the stream into a reset.
    let _ = client.read_to_end(&mut heard).await;
    (outcome, heard)
}

fn password_message(body: &[u8]) -> Vec<u8> {
    frame(b'p', body)
}

fn initial_response(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("short");
    let body = [mechanism.as_bytes(), b"\0", &length.to_be_bytes(), data].concat();
    password_message(&body)
}

#[tokio::test]
async fn a_second_startup_message_in_the_middle_of_scram_is_refused() {
    let startup = b"\0\0\0\x14\0\x03\0\0user\0root\0\0\0";
    let (outcome, heard) = attempt(Method::Scram(verifier()), startup).await;
    let (sqlstate, message) = error_after(SASL_REQUEST, &heard);
    assert_eq!(sqlstate, "08P01");
    assert_eq!(message, "expected password response, got message type 0");
    assert!(matches!(outcome, Err(ArrivalError::Refused(_))));

    let first = initial_response("SCRAM-SHA-256", b"n,,n=,r=abc");
    let (outcome, heard) =
        attempt(Method::Scram(verifier()), &[&first[..], startup].concat()).await;
    assert!(matches!(outcome, Err(ArrivalError::Refused(_))));
    let challenge = crate::frame::first(&heard[SASL_REQUEST.len()..]).expect("valid");
    let challenge_bytes = challenge.expect("whole").0.frame_bytes;
    let said = &heard[..SASL_REQUEST.len() + challenge_bytes];
    assert_eq!(error_after(said, &heard).0, "08P01");
}

#[tokio::test]
async fn messages_out_of_form_end_the_connection_with_a_code() {
    let mechanism = |name: &str| initial_response(name, b"n,,n=,r=abc");
    let too_long = [&b"p\0\0\x08\x01"[..], &[b'x'; 2045]].concat();
    for (script, sqlstate) in [
        (mechanism("SCRAM-SHA-1"), "08P01"),
        (mechanism("SCRAM-SHA-256-PLUS"), "08P01"),
        (mechanism(""), "08P01"),
        (password_message(b""), "08P01"),
        (password_message(b"SCRAM-SHA-256"), "08P01"),
        (password_message(b"SCRAM-SHA-256\0"), "08P01"),
        (password_message(b"SCRAM-SHA-256\0\0\0\0\x05n,,"), "08P01"),
        (password_message(b"SCRAM-SHA-256\0\xff\xff\xff\xfe"), "08P01"),
        (password_message(b"SCRAM-SHA-256\0\x80\0\0\0"), "08P01"),
        (initial_response("SCRAM-SHA-256", b""), "08P01"),
        (initial_response("SCRAM-SHA-256", b"n,a=other,n=,r=abc"), "0A000"),
        (too_long, "08P01"),
        (b"p\x80\0\0\0".to_vec(), "08P01"),
        (b"p\0\0\0\x03".to_vec(), "08P01"),
        (b"Q\0\0\0\x0dselect 1\0".to_vec(), "08P01"),
        (b"X\0\0\0\x04".to_vec(), "08P01"),
    ] {
        let (outcome, heard) = attempt(Method::Scram(verifier()), &script).await;
        assert_eq!(error_after(SASL_REQUEST, &heard).0, sqlstate, "{script:?}");
        assert!(matches!(outcome, Err(ArrivalError::Refused(_))), "{script:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_to_ask_for_the_password_is_no_fault() {
    let (outcome, heard) = attempt(Method::Scram(verifier()), b"").await;
    assert!(matches!(outcome, Err(ArrivalError::Disconnected)));
    assert_eq!(heard, SASL_REQUEST);
}

#[tokio::test]
async fn a_client_without_an_initial_response_is_asked_for_it() {
    let script =
        [password_message(b"SCRAM-SHA-256\0\xff\xff\xff\xff"), password_message(b"x")].concat();
    let (_, heard) = attempt(Method::Scram(verifier()), &script).await;
    let before = [SASL_REQUEST, b"R\0\0\0\x08\0\0\0\x0b"].concat();
    assert_eq!(error_after(&before, &heard).1, "malformed SCRAM message");
}

#[tokio::test]
async fn md5_is_salted_and_compared() {
    let hash = Md5Hash::of("ann", "secret");
    let (mut client, mut arrived) = pair();
    let deadline = Instant::now() + Duration::from_secs(10);
    let asked = async {
        let mut request = [0; 13];
        client.read_exact(&mut request).await.expect("a request");
        let salt = [request[9], request[10], request[11], request[12]];
        let response = format!("{}\0", hash.response(salt));
        client.write_all(&password_message(response.as_bytes())).await.expect("room");
    };
    let method = Method::Md5(Md5Hash::of("ann", "secret"));
    let (outcome, ()) = tokio::join!(authenticate(&mut arrived, method, deadline), asked);
    assert!(matches!(outcome.expect("the right hash").how(), How::Md5(_)));

    for wrong in [&b"secret\0"[..], b"md500000000000000000000000000000000\0", b"\0", b""] {
        let (outcome, heard) = attempt(Method::Md5(hash.clone()), &password_message(wrong)).await;
        assert!(matches!(outcome, Err(ArrivalError::Refused(_))));
        let (sqlstate, message) = error_after(&heard[..13], &heard);
        if wrong.is_empty() {
            assert_eq!(sqlstate, "08P01");
        } else {
            assert_eq!(sqlstate, "28P01");
            assert_eq!(message, "password authentication failed for user \"ann\"");
        }
    }
}

#[test]
fn md5_hashes_are_those_of_postgresql() {
    let stored = "md553f48b7c4b76a86ce72276c5755f217d";
    assert_eq!(Md5Hash::parse(stored), Some(Md5Hash::of("postgres", "secret")));
    for text in ["", "md5", "md553F48B7C4B76A86CE72276C5755F217D", &stored[..34], "secret"] {
        assert_eq!(Md5Hash::parse(text), None);
    }
}

#[tokio::test]
async fn trust_and_reject_ask_nothing() {
    let (outcome, heard) = attempt(Method::Trust, b"").await;
    let proven = outcome.expect("trusted");
    assert_eq!((proven.user(), heard.len()), ("ann", 0));
    assert!(matches!(proven.how(), How::Trust));

    let error = ClientError::fatal(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "no");
    let (outcome, heard) = attempt(Method::Reject(error), b"").await;
    assert!(matches!(outcome, Err(ArrivalError::Refused(_))));
    assert_eq!(error_after(b"", &heard), ("28000".to_owned(), "no".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_was_not_shown_names_nobody() {
    let (outcome, heard) = attempt(Method::Certificate, b"").await;
    assert!(matches!(outcome, Err(ArrivalError::Refused(_))));
    assert_eq!(error_after(b"", &heard).0, "28000");
}

#[tokio::test]
async fn who_does_not_answer_is_told_that_time_is_up() {
    let (mut client, mut arrived) = pair();
    let deadline = Instant::now() + Duration::from_millis(20);
    let outcome = authenticate(&mut arrived, Method::Scram(verifier()), deadline).await;
    assert!(matches!(outcome, Err(ArrivalError::TimedOut)));
    drop(arrived);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.expect("closed in order");
    assert_eq!(error_after(SASL_REQUEST, &heard).0, "57014");
}

#[test]
fn expired_unknown_and_md5_passwords_all_look_like_scram() {
    let mock = MockSecret::random();
    let now = SystemTime::now();
    let second = Duration::from_secs(1);
    let scram =
        |valid_until| RolePassword { stored: StoredPassword::Scram(verifier()), valid_until };
    let md5 = RolePassword {
        stored: StoredPassword::Md5(Md5Hash::of("ann", "secret")),
        valid_until: None,
    };
    let method = |role: Option<&RolePassword>, md5_allowed| {
        RolePassword::method(role, now, md5_allowed, &mock)
    };
    assert!(matches!(method(Some(&scram(None)), false), Method::Scram(_)));
    assert!(matches!(method(Some(&scram(Some(now + second))), false), Method::Scram(_)));
    assert!(matches!(method(Some(&scram(Some(now))), false), Method::ScramMock(_)));
    assert!(matches!(method(Some(&scram(Some(now - second))), true), Method::ScramMock(_)));
    assert!(matches!(method(None, true), Method::ScramMock(_)));
    assert!(matches!(method(Some(&md5), false), Method::ScramMock(_)));
    assert!(matches!(method(Some(&md5), true), Method::Md5(_)));
}

#[test]
fn secrets_are_not_printed() {
    let hash = Md5Hash::of("ann", "secret");
    let shown = format!("{:?} {:?} {:?}", hash, MockSecret::new(b"s"), Method::Scram(verifier()));
    assert_eq!(shown, "Md5Hash(…) MockSecret(…) Scram(ScramVerifier(…))");
}
