//! Herd as a client of a real PostgreSQL server.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::BytesMut;
use herd_testkit::TempPostgres;
use herd_wire::auth::{Md5Hash, StoredPassword};
use herd_wire::connect::{ConnectError, Credential, LoggedIn, Login, NodeAddress, cancel, log_in};
use herd_wire::error::ServerError;
use herd_wire::frame;
use herd_wire::message;
use herd_wire::scram::ScramVerifier;
use herd_wire::startup::ClientTls;
use herd_wire::tls::{TlsToNode, Verification};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod support;
use support::{Demand, certificates, tcp_door};

const SECONDS_MAX: Duration = Duration::from_secs(20);

const HBA: &str = "
local   all postgres                trust
local   all all                     password
host    all postgres 127.0.0.1/32   trust
host    all open     127.0.0.1/32   password
host    all old      127.0.0.1/32   md5
host    all bound    127.0.0.1/32   reject
host    all all      127.0.0.1/32   scram-sha-256
";

/// Comes first, where the server was built with TLS.
const TLS_HBA: &str = "hostssl all bound 127.0.0.1/32 scram-sha-256";

struct Server {
    postgres: TempPostgres,
    encrypts: bool,
}

/// One server for all tests of this file.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let postgres = TempPostgres::start(&[]);
    let certificates = certificates();
    let files = [("ca.pem", "ca.pem"), ("server.pem", "server.crt"), ("server.key", "server.key")];
    for (from, to) in files {
        let to = postgres.directory().join(to);
        fs::copy(certificates.path(from), &to).expect("writable");
        give_to_owner_of(postgres.directory(), &to);
    }
    let encrypts = !postgres.psql("show ssl_library").trim().is_empty();
    let (tls_hba, ssl) = if encrypts { (TLS_HBA, "on") } else { ("", "off") };
    let hba = format!("{tls_hba}\n{HBA}");
    fs::write(postgres.directory().join("pg_hba.conf"), hba).expect("writable");
    let printed = postgres.psql(&format!(
        "alter system set ssl = {ssl};
         alter system set work_mem = '3MB';
         do 'begin perform pg_reload_conf(); end';
         create role ann login password 'pencil';
         create role bound login password 'pencil';
         create role open login password 'pencil';
         set password_encryption = md5;
         create role old login password 'pencil';"
    ));
    assert_eq!(printed, "");
    // The new rules hold once the postmaster has read them.
    while postgres.psql("show work_mem").trim() != "3MB" {
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { postgres, encrypts }
});

fn give_to_owner_of(directory: &Path, file: &Path) {
    let owner = fs::metadata(directory).expect("it exists");
    chown(file, Some(owner.uid()), Some(owner.gid())).expect("allowed");
}

fn address() -> NodeAddress {
    NodeAddress::new("127.0.0.1", SERVER.postgres.port(), TlsToNode::Off)
}

fn password(secret: &str) -> Credential {
    Credential::Password(secret.into())
}

async fn log_in_as(
    address: &NodeAddress,
    user: &str,
    credential: &Credential,
) -> Result<LoggedIn, ConnectError> {
    let settings = [("application_name".to_owned(), "herd test".to_owned())];
    let login = Login { user, database: "postgres", settings: &settings };
    log_in(address, &login, credential, SECONDS_MAX).await
}

/// The first column of the first row, or the error.
async fn query(server: &mut LoggedIn, sql: &str) -> Result<String, ServerError> {
    let mut out = BytesMut::new();
    message::query(&mut out, sql.as_bytes());
    server.stream.write_all(&out).await.expect("the server listens");
    let mut outcome = Ok(String::new());
    loop {
        while let Some((header, body)) = frame::first(&server.leftover).expect("valid frames") {
            match header.tag {
                b'D' => {
                    let mut row = message::Reader::new(body);
                    assert!(row.u16().expect("a count") > 0);
                    let value = row.value().expect("a value").unwrap_or_default();
                    outcome = Ok(String::from_utf8(value.to_vec()).expect("UTF-8"));
                }
                b'E' => outcome = Err(ServerError::read(body.to_vec().into()).expect("an error")),
                b'Z' => {
                    server.leftover.clear();
                    return outcome;
                }
                _ => {}
            }
            let _ = server.leftover.split_to(header.frame_bytes);
        }
        let count = server.stream.read_buf(&mut server.leftover).await.expect("still open");
        assert!(count > 0, "the server closed");
    }
}

#[tokio::test]
async fn scram_logs_in_and_the_parameters_are_those_of_the_server() {
    let mut server =
        log_in_as(&address(), "ann", &password("pencil")).await.expect("the right password");
    let has =
        |name: &str, value: &str| server.parameters.iter().any(|(n, v)| n == name && v == value);
    assert!(has("application_name", "herd test") && has("session_authorization", "ann"));
    assert!(server.leftover.is_empty());
    assert_eq!(query(&mut server, "select current_user").await.expect("a row"), "ann");
    let process_id = query(&mut server, "select pg_backend_pid()").await.expect("a row");
    assert_eq!(process_id, server.process_id.to_string());
}

#[tokio::test]
async fn what_a_client_proved_to_herd_logs_in_to_the_node() {
    let stored = SERVER.postgres.psql("select rolpassword from pg_authid where rolname = 'ann'");
    let Ok(StoredPassword::Scram(verifier)) = stored.trim().parse() else {
        panic!("not a SCRAM verifier: {stored}");
    };
    let (port, door) = tcp_door(ClientTls::Refused, Demand::Scram(verifier)).await;
    let herd = NodeAddress::new("127.0.0.1", port, TlsToNode::Off);
    drop(log_in_as(&herd, "ann", &password("pencil")).await.expect("the right password"));
    let (proven, _) = door.await.expect("no panic").expect("let in");

    let credential = Credential::from(proven.how());
    let mut server = log_in_as(&address(), "ann", &credential).await.expect("the right keys");
    assert_eq!(query(&mut server, "select session_user").await.expect("a row"), "ann");
    let error = log_in_as(&address(), "bound", &credential).await.expect_err("another role");
    assert_ne!(error.sqlstate().as_str(), "00000");
}

#[tokio::test]
async fn refusals_are_the_words_of_the_server() {
    let error = log_in_as(&address(), "ann", &password("eraser")).await.expect_err("wrong");
    let body = error.server_error().expect("the server's own");
    assert_eq!(herd_wire::error::field(body, b'C'), Some(&b"28P01"[..]));
    assert_eq!(herd_wire::error::field(body, b'R'), Some(&b"auth_failed"[..]));
    let error = log_in_as(&address(), "ann", &Credential::None).await.expect_err("nothing");
    assert!(matches!(error, ConnectError::CredentialUnfit { .. }));
    let login = Login { user: "postgres", database: "nowhere", settings: &[] };
    let error = log_in(&address(), &login, &Credential::None, SECONDS_MAX).await;
    assert_eq!(error.expect_err("no such database").sqlstate().as_str(), "3D000");
}

#[tokio::test]
async fn md5_logs_in_with_a_password_or_its_hash() {
    for credential in [password("pencil"), Credential::Md5(Md5Hash::of("old", "pencil"))] {
        log_in_as(&address(), "old", &credential).await.expect("the right secret");
    }
    let error = log_in_as(&address(), "old", &password("eraser")).await.expect_err("wrong");
    assert_eq!(error.sqlstate().as_str(), "28P01");
}

#[tokio::test]
async fn a_password_in_plain_text_goes_only_where_nobody_listens() {
    let error = log_in_as(&address(), "open", &password("pencil")).await.expect_err("open");
    assert!(matches!(error, ConnectError::PasswordInPlainText));
    let directory = SERVER.postgres.directory().to_str().expect("a plain path");
    let unix = NodeAddress::new(directory, SERVER.postgres.port(), TlsToNode::Off);
    log_in_as(&unix, "open", &password("pencil")).await.expect("within one machine");
    let error = log_in_as(&unix, "open", &password("eraser")).await.expect_err("wrong");
    assert_eq!(error.sqlstate().as_str(), "28P01");
    if let Some(encrypted) = encrypted() {
        log_in_as(&encrypted, "open", &password("pencil")).await.expect("encrypted");
    }
}

/// The server over TLS, where it was built with it.
fn encrypted() -> Option<NodeAddress> {
    let ca = SERVER.postgres.directory().join("ca.pem");
    let tls = TlsToNode::required(Some(&ca), Verification::Host).expect("a good authority");
    SERVER.encrypts.then(|| NodeAddress::new("localhost", SERVER.postgres.port(), tls))
}

#[tokio::test]
async fn encrypted_logins_are_bound_to_the_certificate() {
    let Some(encrypted) = encrypted() else { return };
    let mut server = log_in_as(&encrypted, "bound", &password("pencil")).await.expect("encrypted");
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(query(&mut server, sql).await.expect("a row"), "t");
    let error = log_in_as(&address(), "bound", &password("pencil")).await.expect_err("open");
    assert_eq!(error.sqlstate().as_str(), "28000");
}

#[tokio::test]
async fn verifiers_made_here_are_good_there_and_the_other_way_round() {
    // Normalised, mapped to nothing or to a blank, prohibited, bidirectional, unassigned.
    let passwords = [
        "plain",
        "IX",
        "\u{2168}",
        "I\u{ad}X",
        "a\u{a0}b",
        "\u{1}x",
        "\u{627}1",
        "\u{1f600}",
        "ｐｅｎｃｉｌ",
        "e\u{301}",
        "\u{ad}",
        "\u{fffd}",
        "ﬁ",
        "\u{e000}",
        "a\u{300}\u{320}",
        "\u{340}x",
        "\u{2028}",
        "'",
        "\\",
    ];
    for (index, secret) in passwords.into_iter().enumerate() {
        let user = format!("unicode_{index}");
        let quoted = secret.replace('\'', "''");
        let verifier = ScramVerifier::make(secret).to_text();
        let printed = SERVER.postgres.psql(&format!(
            "create role {user}_theirs login password '{quoted}';
             create role {user}_ours login password '{verifier}';"
        ));
        assert_eq!(printed, "");
        for whose in ["theirs", "ours"] {
            let user = format!("{user}_{whose}");
            let outcome = log_in_as(&address(), &user, &password(secret)).await;
            assert!(outcome.is_ok(), "{secret:?} {whose}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_cancel_request_stops_the_statement_of_its_key_only() {
    for address in [Some(address()), encrypted()].into_iter().flatten() {
        let mut server =
            log_in_as(&address, "ann", &password("pencil")).await.expect("the right password");
        let (process_id, key) = (server.process_id, server.cancel_key.clone());
        let mut wrong = key.clone();
        wrong[0] ^= 1;
        let cancelling = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            cancel(&address, process_id, &wrong, SECONDS_MAX).await.expect("ignored");
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel(&address, process_id, &key, SECONDS_MAX).await.expect("delivered");
        };
        let started = std::time::Instant::now();
        let (outcome, ()) = tokio::join!(query(&mut server, "select pg_sleep(60)"), cancelling);
        assert_eq!(outcome.expect_err("cancelled").sqlstate.as_str(), "57014");
        assert!(started.elapsed() >= Duration::from_millis(500));
        assert_eq!(query(&mut server, "select 1").await.expect("still there"), "1");
    }
}
