//! Herd as a client of a door like its own.

use std::time::Duration;

use herd_wire::auth::{How, Md5Hash};
use herd_wire::connect::{ConnectError, Credential, LoggedIn, Login, NodeAddress, log_in};
use herd_wire::scram::ScramVerifier;
use herd_wire::startup::ClientTls;
use herd_wire::tls::{TlsToNode, Verification};

mod support;
use support::{Demand, Visit, certificates, identity, tcp_door, unix_door};

const SECONDS_MAX: Duration = Duration::from_secs(20);

fn password(secret: &str) -> Credential {
    Credential::Password(secret.into())
}

async fn visit(address: &NodeAddress, credential: &Credential) -> Result<LoggedIn, ConnectError> {
    let login = Login { user: "ann", database: "d", settings: &[] };
    log_in(address, &login, credential, SECONDS_MAX).await
}

/// How the door was convinced, once the visitor has left.
async fn how(visit: Visit, logged_in: LoggedIn) -> How {
    drop(logged_in);
    let (proven, _) = visit.await.expect("no panic").expect("let in");
    assert_eq!(proven.user(), "ann");
    proven.how().clone()
}

#[tokio::test]
async fn a_password_becomes_keys_that_open_the_next_door() {
    let demand = || {
        Demand::Scram("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=".parse().expect("a verifier"))
    };
    let (port, door) = tcp_door(ClientTls::Refused, demand()).await;
    let address = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
    let logged_in = visit(&address, &password("pencil")).await.expect("the right password");
    assert_eq!(logged_in.process_id, 7);
    assert_eq!(logged_in.cancel_key.len(), 4);
    let credential = Credential::from(&how(door, logged_in).await);
    assert!(matches!(credential, Credential::Scram(_)));

    let (port, door) = tcp_door(ClientTls::Refused, demand()).await;
    let address = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
    let logged_in = visit(&address, &credential).await.expect("the right keys");
    assert!(matches!(how(door, logged_in).await, How::Scram(_)));

    let other = Demand::Scram(ScramVerifier::make("pencil"));
    let (port, _door) = tcp_door(ClientTls::Refused, other).await;
    let address = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
    let error = visit(&address, &credential).await.expect_err("another salt");
    assert!(error.to_string().contains("verifier differs"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_read_alike() {
    for demand in [Demand::Scram(ScramVerifier::make("pencil")), Demand::Nobody] {
        let (port, door) = tcp_door(ClientTls::Refused, demand).await;
        let address = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
        let error = visit(&address, &password("eraser")).await.expect_err("not let in");
        assert_eq!(error.to_string(), "28P01: password authentication failed for user \"ann\"");
        assert!(door.await.expect("no panic").is_none());
    }
}

#[tokio::test]
async fn encrypted_connections_are_bound_to_the_certificate() {
    let files = certificates();
    let ca = files.path("ca.pem");
    for verification in [Verification::Host, Verification::Authority, Verification::Nothing] {
        let tls = ClientTls::Required(identity(&files, false));
        let demand = Demand::Scram(ScramVerifier::make("pencil"));
        let (port, door) = tcp_door(tls, demand).await;
        let tls = TlsToNode::required(Some(&ca), verification).expect("a good authority");
        // The name has an IPv6 address too, where nobody listens.
        let address = NodeAddress::new("localhost", port, tls);
        let logged_in = visit(&address, &password("pencil")).await.expect("the right password");
        assert!(logged_in.stream.is_encrypted());
        assert!(matches!(how(door, logged_in).await, How::Scram(_)));
    }
}

#[tokio::test]
async fn a_node_with_the_wrong_certificate_is_not_believed() {
    let files = certificates();
    let others = certificates();
    for (host, ca, verification) in [
        ("127.0.0.1", files.path("ca.pem"), Verification::Host),
        ("localhost", others.path("ca.pem"), Verification::Host),
        ("localhost", others.path("ca.pem"), Verification::Authority),
    ] {
        let tls = ClientTls::Offered(identity(&files, false));
        let (port, door) = tcp_door(tls, Demand::Nobody).await;
        let tls = TlsToNode::required(Some(&ca), verification).expect("a good authority");
        let address = NodeAddress::new(host, port, tls);
        let error = visit(&address, &password("pencil")).await.expect_err("not believed");
        assert!(matches!(error, ConnectError::Tls(_)), "{error}");
        assert!(door.await.expect("no panic").is_none());
    }
}

#[tokio::test]
async fn md5_and_unix_sockets_work_both_ways() {
    let files = certificates();
    let demand = Demand::Md5(Md5Hash::of("ann", "pencil"));
    let door = unix_door(&files, 5432, demand);
    let directory = files.path("");
    let host = directory.to_str().expect("a plain path");
    let address = NodeAddress::new(host, 5432, TlsToNode::Off);
    let logged_in = visit(&address, &password("pencil")).await.expect("the right password");
    assert!(matches!(how(door, logged_in).await, How::Md5(_)));
}
