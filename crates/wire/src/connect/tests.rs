//! Scripted nodes against `log_in` and `cancel`.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::auth::Md5Hash;
use crate::testing::{frame, packet};
use crate::tls::{TlsToNode, Verification};

const SECONDS_MAX: Duration = Duration::from_secs(10);
const AUTHENTICATION_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const KEY: &[u8] = b"K\0\0\0\x0c\0\0\0\x07abcd";
const READY: &[u8] = b"Z\0\0\0\x05I";
const LOGIN: Login<'_> = Login { user: "ann", database: "d", settings: &[] };

/// What a node does with one connection.
async fn node_saying(script: Vec<u8>) -> (NodeAddress, tokio::task::JoinHandle<Vec<u8>>) {
    node(TlsToNode::Off, move |mut tcp: TcpStream| async move {
        tcp.write_all(&script).await.expect("room for a script");
        let _ = tcp.shutdown().await;
        let mut heard = Vec::new();
        let _ = tcp.read_to_end(&mut heard).await;
        heard
    })
    .await
}

async fn node<F, A, T>(tls: TlsToNode, act: F) -> (NodeAddress, tokio::task::JoinHandle<T>)
where
    F: FnOnce(TcpStream) -> A + Send + 'static,
    A: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let acting = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("a connection");
        act(tcp).await
    });
    (NodeAddress::new("127.0.0.1", port, tls), acting)
}

async fn login_to(script: &[&[u8]], credential: Credential) -> Result<LoggedIn, ConnectError> {
    let (address, _) = node_saying(script.concat()).await;
    log_in(&address, &LOGIN, &credential, SECONDS_MAX).await
}

async fn refusal(script: &[&[u8]], credential: Credential) -> String {
    login_to(script, credential).await.expect_err("must be refused").to_string()
}

fn password() -> Credential {
    Credential::Password("secret".into())
}

#[tokio::test]
async fn what_the_node_reports_and_sends_early_is_kept() {
    let script = [
        AUTHENTICATION_OK,
        &frame(b'S', b"ab\0cd\0"),
        &frame(b'N', b"C00000\0M\0\0"),
        KEY,
        READY,
        b"early",
    ];
    let mut logged_in = login_to(&script, Credential::None).await.expect("trusted");
    assert_eq!(logged_in.parameters, [("ab".to_owned(), "cd".to_owned())]);
    assert_eq!((logged_in.process_id, &logged_in.cancel_key[..]), (7, &b"abcd"[..]));
    while logged_in.leftover.len() < 5 {
        logged_in.stream.read_buf(&mut logged_in.leftover).await.expect("still open");
    }
    assert_eq!(&logged_in.leftover[..], b"early");
}

#[tokio::test]
async fn the_startup_packet_names_user_database_and_settings() {
    let (address, node) = node_saying(Vec::new()).await;
    let settings = [("application_name".to_owned(), "herd".to_owned())];
    let login = Login { settings: &settings, ..LOGIN };
    let outcome = log_in(&address, &login, &Credential::None, SECONDS_MAX).await;
    assert!(matches!(outcome, Err(ConnectError::Lost(_))));
    assert_eq!(
        node.await.expect("no panic"),
        packet(b"\0\x03\0\0application_name\0herd\0database\0d\0user\0ann\0\0")
    );
}

#[tokio::test]
async fn parameters_that_would_forge_others_are_not_sent() {
    for (name, value) in [("a", "b\0user\0root"), ("a\0b", "c"), ("", "x")] {
        let (address, _) = node_saying(Vec::new()).await;
        let settings = [(name.to_owned(), value.to_owned())];
        let login = Login { settings: &settings, ..LOGIN };
        let outcome = log_in(&address, &login, &Credential::None, SECONDS_MAX).await;
        assert!(matches!(outcome, Err(ConnectError::InvalidParameters)));
    }
}

#[tokio::test]
async fn an_error_of_the_node_is_kept_with_all_its_fields() {
    let body = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0Fproc.c\0\0";
    let outcome = login_to(&[&frame(b'E', body)], Credential::None).await;
    let error = outcome.expect_err("refused");
    assert_eq!(error.server_error(), Some(&body[..]));
    assert_eq!(error.sqlstate().as_str(), "53300");
}

#[tokio::test]
async fn a_password_is_never_said_in_the_open() {
    let refused = refusal(&[b"R\0\0\0\x08\0\0\0\x03"], password()).await;
    assert!(refused.contains("plain text"), "{refused}");
}

#[tokio::test]
async fn md5_is_answered_with_a_password_or_its_hash() {
    for credential in [password(), Credential::Md5(Md5Hash::of("ann", "secret"))] {
        let script = [b"R\0\0\0\x0c\0\0\0\x05abcd", AUTHENTICATION_OK, KEY, READY].concat();
        let (address, node) = node_saying(script).await;
        let logged_in = log_in(&address, &LOGIN, &credential, SECONDS_MAX).await;
        drop(logged_in.expect("let in"));
        let expected = Md5Hash::of("ann", "secret").response(*b"abcd");
        let heard = node.await.expect("no panic");
        assert!(heard.ends_with(format!("p\0\0\0\x28{expected}\0").as_bytes()));
    }
}

#[tokio::test]
async fn a_node_cannot_skip_the_proof_that_it_knows_the_password() {
    let sasl = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    for next in [
        AUTHENTICATION_OK,
        b"R\0\0\0\x0a\0\0\0\x0cv=",
        b"R\0\0\0\x08\0\0\0\x03",
        b"R\0\0\0\x0c\0\0\0\x05abcd",
    ] {
        let refused = refusal(&[sasl, next, KEY, READY], password()).await;
        assert!(refused.contains("out of place"), "{refused}");
    }
}

#[tokio::test]
async fn a_node_that_breaks_the_protocol_is_left() {
    let mechanisms = [&b"\0\0\0\x0a"[..], &b"ab\0".repeat(33), b"\0"].concat();
    let mechanisms = frame(b'R', &mechanisms);
    let other_mechanism = frame(b'R', b"\0\0\0\x0aXYZ\0\0");
    let too_many = b"N\0\0\0\x05\0".repeat(1_001);
    for (script, expected) in [
        (vec![&b"R\0\0\0\x04"[..]], "invalid message format"),
        (vec![b"R\0\0\0\x06\0\0"], "invalid message format"),
        (vec![b"R\0\0\0\x0a\0\0\0\x05ab"], "invalid message format"),
        (vec![b"R\0\0\0\x0a\0\0\0\x0aab"], "invalid message format"),
        (vec![&mechanisms], "too many SASL mechanisms"),
        (vec![&other_mechanism], "not supported"),
        (vec![b"R\0\0\0\x08\0\0\0\x07"], "not supported"),
        (vec![b"R\0\0\0\x03\0"], "invalid message length"),
        (vec![b"R\x7f\xff\xff\xff\0"], "invalid message length"),
        (vec![b"R\0\x01\0\0\0"], "too long"),
        (vec![b"v\0\0\0\x0c\0\x03\0\0\0\0\0\0"], "protocol 3.0"),
        (vec![b"Z\0\0\0\x05I"], "before authentication"),
        (vec![&too_many], "too many messages"),
        (vec![b"E\0\0\0\x05\0"], "invalid message format"),
        (vec![b"E\0\0\0\x04"], "invalid message format"),
        (vec![AUTHENTICATION_OK, READY], "no cancel key"),
        (vec![AUTHENTICATION_OK, KEY, b"Z\0\0\0\x05T"], "out of place"),
        (vec![AUTHENTICATION_OK, b"K\0\0\0\x08\0\0\0\x07"], "invalid message format"),
        (vec![AUTHENTICATION_OK, b"S\0\0\0\x06ab"], "invalid message format"),
        (vec![AUTHENTICATION_OK, b"D\0\0\0\x06\0\0"], "out of place"),
    ] {
        let refused = refusal(&script, password()).await;
        assert!(refused.contains(expected), "{refused} instead of {expected}");
    }
}

#[tokio::test]
async fn required_encryption_is_never_given_up() {
    let tls = || TlsToNode::required(None, Verification::Nothing).expect("no files needed");
    for (answer, expected) in
        [(&b"N"[..], "does not encrypt"), (b"E", "does not encrypt"), (b"Sx", "unencrypted data")]
    {
        let (address, _node) = node(tls(), move |mut tcp: TcpStream| async move {
            tcp.write_all(answer).await.expect("room");
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let outcome = log_in(&address, &LOGIN, &Credential::None, SECONDS_MAX).await;
        let refused = outcome.expect_err("must be refused").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn a_silent_node_costs_no_more_than_the_time_given() {
    let (address, _node) = node(TlsToNode::Off, move |tcp: TcpStream| async move {
        tokio::time::sleep(SECONDS_MAX).await;
        drop(tcp);
    })
    .await;
    let short = Duration::from_millis(30);
    let outcome = log_in(&address, &LOGIN, &Credential::None, short).await;
    assert!(matches!(outcome, Err(ConnectError::TimedOut)));
    let outcome = cancel(&address, 7, b"abcd", short).await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn a_cancel_request_waits_for_the_node_to_close() {
    let (address, node) = node(TlsToNode::Off, move |mut tcp: TcpStream| async move {
        let mut request = [0; 16];
        tcp.read_exact(&mut request).await.expect("a whole request");
        tokio::time::sleep(Duration::from_millis(50)).await;
        (request, std::time::Instant::now())
    })
    .await;
    cancel(&address, 7, b"abcd", SECONDS_MAX).await.expect("delivered");
    let returned = std::time::Instant::now();
    let (request, closed) = node.await.expect("no panic");
    assert_eq!(&request, b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd");
    assert!(returned >= closed);
}

#[tokio::test]
async fn where_nobody_listens_is_said_with_the_address() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("bound").port()
    };
    let address = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
    let outcome = log_in(&address, &LOGIN, &Credential::None, SECONDS_MAX).await;
    let error = outcome.expect_err("nobody is there");
    assert!(error.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}")));
    let address = NodeAddress::new("/nonexistent", 5432, TlsToNode::Off);
    let outcome = log_in(&address, &LOGIN, &Credential::None, SECONDS_MAX).await;
    let error = outcome.expect_err("nobody is there");
    assert!(error.to_string().contains("/nonexistent/.s.PGSQL.5432"));
}

#[test]
fn credentials_are_not_printed() {
    assert_eq!(format!("{:?}", password()), "Password(…)");
}
