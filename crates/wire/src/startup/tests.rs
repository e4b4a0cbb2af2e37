//! Scripted clients against `greet`.

use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::Instant;

use super::*;
use crate::bounds::STARTUP_PACKET_BYTES_MAX;
use crate::stream::{Peer, Stream};
use crate::testing::{error_after, packet};
use crate::tls::tests::{Files, files, identity};
use crate::tls::{ClientCertificates, TlsToNode, Verification};

const TLS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const CANCEL: &[u8] = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd";
const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0ann\0\0";

fn policy(tls: ClientTls) -> GreetingPolicy {
    GreetingPolicy { tls, startup_bytes_max: STARTUP_PACKET_BYTES_MAX }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A client that says `script` over a Unix socket: how it was greeted, and what it heard.
async fn greeted(script: &[u8]) -> (Result<Greeting, ArrivalError>, Vec<u8>) {
    let (mut client, server) = UnixStream::pair().expect("a pair");
    client.write_all(script).await.expect("room for a script");
    client.shutdown().await.expect("still open");
    let greeting = greet(Stream::from_unix(server), &policy(ClientTls::Refused), soon()).await;
    (greeting.map(hung_up), heard_by(&mut client).await)
}

async fn tcp_pair() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let server = Stream::from_tcp(server.expect("accepted").0).expect("options are set");
    (client.expect("connected"), server)
}

async fn heard_by(client: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut heard = Vec::new();
    // What the server left unread turns the end of the stream into a reset.
    let _ = client.read_to_end(&mut heard).await;
    heard
}

fn refused(outcome: Result<Greeting, ArrivalError>) -> String {
    match outcome.expect_err("must be refused") {
        ArrivalError::Refused(error) => error.message.into_owned(),
        other => panic!("not refused but {other:?}"),
    }
}

fn arrived(outcome: Result<Greeting, ArrivalError>) -> Box<Arrived> {
    match outcome.expect("greeted") {
        Greeting::Client(arrived) => arrived,
        other => panic!("no client but {other:?}"),
    }
}

#[tokio::test]
async fn a_client_may_ask_for_each_encryption_once_and_is_refused_politely() {
    for (asks, answers) in [
        (vec![], &b""[..]),
        (vec![TLS_REQUEST], b"N"),
        (vec![GSS_REQUEST], b"N"),
        (vec![GSS_REQUEST, TLS_REQUEST], b"NN"),
        (vec![TLS_REQUEST, GSS_REQUEST], b"NN"),
    ] {
        let (greeting, heard) = greeted(&[asks.concat(), STARTUP.to_vec()].concat()).await;
        let arrived = arrived(greeting);
        assert_eq!((arrived.user.as_str(), heard.as_slice()), ("ann", answers));
        assert!(matches!(arrived.peer, Peer::Unix { uid: Some(_) }));
        assert!(arrived.tls.is_none());
    }
}

#[tokio::test]
async fn asking_twice_for_the_same_encryption_ends_the_connection() {
    for (asks, answers, code) in [
        (vec![TLS_REQUEST, TLS_REQUEST], &b"N"[..], 5679),
        (vec![TLS_REQUEST, GSS_REQUEST, TLS_REQUEST], b"NN", 5679),
        (vec![GSS_REQUEST, GSS_REQUEST], b"N", 5680),
    ] {
        let (greeting, heard) = greeted(&asks.concat()).await;
        let (sqlstate, message) = error_after(answers, &heard);
        assert_eq!(sqlstate, "0A000");
        assert!(message.starts_with(&format!("unsupported frontend protocol 1234.{code}")));
        assert_eq!(refused(greeting), message);
    }
}

#[tokio::test]
async fn lengths_beyond_the_limit_are_refused_before_a_byte_is_buffered() {
    for length in [0u32, 3, 4, 7, 10_001, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let script = [&length.to_be_bytes(), &b"\0\x03\0\0"[..]].concat();
        let (greeting, heard) = greeted(&script).await;
        let expected = ("08P01".to_owned(), "invalid length of startup packet".to_owned());
        assert_eq!(error_after(b"", &heard), expected, "{length:#x}");
        refused(greeting);
    }
}

#[tokio::test]
async fn a_connection_that_closes_early_is_a_probe_or_torn() {
    assert!(matches!(greeted(b"").await.0, Ok(Greeting::Left)));
    assert!(matches!(greeted(TLS_REQUEST).await.0, Ok(Greeting::Left)));
    assert!(matches!(greeted(&STARTUP[..3]).await.0, Err(ArrivalError::Disconnected)));
    assert!(matches!(greeted(&STARTUP[..9]).await.0, Err(ArrivalError::Disconnected)));
}

#[tokio::test]
async fn a_cancel_request_brings_its_key() {
    match greeted(CANCEL).await.0 {
        Ok(Greeting::Cancel(_, key)) => {
            assert_eq!((key.process_id, key.secret()), (7, &b"abcd"[..]));
        }
        other => panic!("no cancel request but {other:?}"),
    }
}

#[tokio::test]
async fn newer_protocols_are_told_what_is_spoken() {
    let script = packet(b"\0\x03\x27\x0fuser\0ann\0_pq_.x\0\0\0");
    let (greeting, heard) = greeted(&script).await;
    assert_eq!(arrived(greeting).minor, ProtocolMinor::Two);
    assert_eq!(heard, b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
}

#[tokio::test]
async fn what_follows_the_startup_packet_stays_in_the_socket() {
    let (mut client, server) = UnixStream::pair().expect("a pair");
    client.write_all(&[STARTUP, b"early"].concat()).await.expect("room");
    let greeting = greet(Stream::from_unix(server), &policy(ClientTls::Refused), soon()).await;
    let mut early = [0; 5];
    arrived(greeting).stream.read_exact(&mut early).await.expect("still there");
    assert_eq!(&early, b"early");
}

#[tokio::test]
async fn who_says_nothing_is_let_go_in_time() {
    let (_client, server) = UnixStream::pair().expect("a pair");
    let deadline = Instant::now() + Duration::from_millis(20);
    let outcome = greet(Stream::from_unix(server), &policy(ClientTls::Refused), deadline).await;
    assert!(matches!(outcome, Err(ArrivalError::TimedOut)));
}

async fn over_tcp(tls: ClientTls, script: &[u8]) -> (Result<Greeting, ArrivalError>, Vec<u8>) {
    let (mut client, server) = tcp_pair().await;
    client.write_all(script).await.expect("room");
    let greeting = greet(server, &policy(tls), soon()).await.map(hung_up);
    (greeting, heard_by(&mut client).await)
}

/// The greeting alone: its connection is closed.
fn hung_up(greeting: Greeting) -> Greeting {
    let unconnected = || Stream::Unix(UnixStream::pair().expect("a pair").0);
    match greeting {
        Greeting::Client(arrived) => {
            Greeting::Client(Box::new(Arrived { stream: unconnected(), ..*arrived }))
        }
        Greeting::Cancel(_, key) => Greeting::Cancel(unconnected(), key),
        Greeting::Left => Greeting::Left,
    }
}

#[tokio::test]
async fn who_says_too_much_still_hears_why_it_was_refused() {
    let (mut client, server) = tcp_pair().await;
    client.write_all(&[&20_000u32.to_be_bytes()[..], &[1; 19_996]].concat()).await.expect("room");
    // All of it has arrived before the server begins to listen.
    tokio::time::sleep(Duration::from_millis(20)).await;
    refused(greet(server, &policy(ClientTls::Refused), soon()).await);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.expect("no reset");
    assert_eq!(error_after(b"", &heard).0, "08P01");
}

#[tokio::test]
async fn plain_bytes_before_the_handshake_end_the_connection() {
    let files = files("ann");
    let tls = || ClientTls::Offered(identity(&files, ClientCertificates::Ignored));
    for injected in [STARTUP, b"\x16", b"x"] {
        let (greeting, heard) = over_tcp(tls(), &[TLS_REQUEST, injected].concat()).await;
        let (sqlstate, message) = error_after(b"", &heard);
        assert_eq!(
            (sqlstate.as_str(), message.as_str()),
            ("08P01", "received unencrypted data after SSL request")
        );
        assert_eq!(refused(greeting), message);
    }
}

#[tokio::test]
async fn where_encryption_is_required_only_cancel_requests_come_without() {
    let files = files("ann");
    let tls = || ClientTls::Required(identity(&files, ClientCertificates::Ignored));
    let (greeting, heard) = over_tcp(tls(), STARTUP).await;
    assert_eq!(error_after(b"", &heard).0, "28000");
    refused(greeting);
    assert!(matches!(over_tcp(tls(), CANCEL).await.0, Ok(Greeting::Cancel(..))));
}

/// A handshake by a client whose ALPN is `alpn`, after `request`, and then `script`.
async fn over_tls(
    files: &Files,
    request: &[u8],
    alpn: Option<&[u8]>,
    script: &[u8],
) -> (Result<Greeting, ArrivalError>, Vec<u8>) {
    let (mut client, server) = tcp_pair().await;
    let tls = ClientTls::Offered(identity(files, ClientCertificates::Ignored));
    let ca = files.path("ca.pem");
    let TlsToNode::Required(connector) =
        TlsToNode::required(Some(&ca), Verification::Host).expect("a good authority")
    else {
        panic!("TLS is required");
    };
    let mut config = connector.config().as_ref().clone();
    config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
    let client = async move {
        client.write_all(request).await.expect("room");
        if !request.is_empty() {
            assert_eq!(client.read_u8().await.expect("an answer"), b'S');
        }
        let name = ServerName::try_from("localhost").expect("a valid name");
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let mut heard = Vec::new();
        if let Ok(mut tls) = connector.connect(name, client).await {
            tls.write_all(script).await.expect("room");
            let _ = tls.read_to_end(&mut heard).await;
        }
        heard
    };
    let server = async { greet(server, &policy(tls), soon()).await.map(hung_up) };
    tokio::join!(server, client)
}

#[tokio::test]
async fn encryption_is_negotiated_by_request_or_directly() {
    let files = files("ann");
    for (request, alpn) in
        [(TLS_REQUEST, None), (TLS_REQUEST, Some(&b"postgresql"[..])), (b"", Some(b"postgresql"))]
    {
        let (greeting, _) = over_tls(&files, request, alpn, STARTUP).await;
        let arrived = arrived(greeting);
        assert_eq!(arrived.user, "ann");
        let facts = arrived.tls.expect("encrypted");
        assert!(facts.end_point.is_some() && facts.client_certificate.is_none());
    }
}

#[tokio::test]
async fn direct_encryption_must_name_the_protocol() {
    let files = files("ann");
    let (greeting, heard) = over_tls(&files, b"", None, STARTUP).await;
    assert_eq!(error_after(b"", &heard).0, "08P01");
    assert!(refused(greeting).contains("ALPN"));
    let (greeting, _) = over_tls(&files, TLS_REQUEST, Some(b"http/1.1"), STARTUP).await;
    assert!(matches!(greeting, Err(ArrivalError::Tls(_))));
}

#[tokio::test]
async fn there_is_no_encryption_within_encryption() {
    let files = files("ann");
    for request in [TLS_REQUEST, GSS_REQUEST] {
        let (greeting, heard) = over_tls(&files, TLS_REQUEST, None, request).await;
        assert_eq!(error_after(b"", &heard).0, "0A000");
        refused(greeting);
    }
}
