//! psql, which is libpq, at a door like Herd's own.

use std::process::Output;

use herd_testkit::binary_directory;
use herd_wire::auth::{How, Md5Hash};
use herd_wire::scram::ScramVerifier;
use herd_wire::startup::ClientTls;
use tokio::process::Command;

mod support;
use support::{Demand, Directory, certificates, identity, tcp_door, unix_door};

/// The first major version of libpq that can encrypt without asking.
const DIRECT_TLS_MAJOR: u32 = 17;

async fn psql(conninfo: &str, password: &str) -> Output {
    let mut psql = Command::new(binary_directory().join("psql"));
    psql.args(["--no-psqlrc", "--no-password", "--command", ""]).args(["--dbname", conninfo]);
    psql.env("PGPASSWORD", password).env("HOME", "/nonexistent").env_remove("PGSSLMODE");
    psql.output().await.expect("psql can be run")
}

/// Whether this psql was built with TLS.
async fn encrypts() -> bool {
    let output = psql("host=/nonexistent sslmode=require", "").await;
    !String::from_utf8_lossy(&output.stderr).contains("SSL support is not compiled in")
}

fn assert_let_in(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn assert_refused(output: &Output, because: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(because), "{said}");
}

fn scram() -> Demand {
    Demand::Scram(ScramVerifier::make("pencil"))
}

fn tls_conninfo(port: u16, files: &Directory) -> String {
    let ca = files.path("ca.pem");
    format!(
        "host=localhost hostaddr=127.0.0.1 port={port} user=ann \
         sslmode=verify-full sslrootcert={}",
        ca.display()
    )
}

#[tokio::test]
async fn it_logs_in_with_scram() {
    for (tls, mode) in [
        (ClientTls::Refused, "prefer"),
        (ClientTls::Refused, "disable"),
        (ClientTls::Refused, "prefer gssencmode=prefer"),
    ] {
        let (port, door) = tcp_door(tls, scram()).await;
        let conninfo = format!("host=127.0.0.1 port={port} user=ann sslmode={mode}");
        assert_let_in(&psql(&conninfo, "pencil").await);
        let (proven, _) = door.await.expect("no panic").expect("let in");
        assert!(matches!(proven.how(), How::Scram(_)));
    }
}

#[tokio::test]
async fn it_shows_why_it_was_refused() {
    for demand in [scram(), Demand::Nobody] {
        let (port, door) = tcp_door(ClientTls::Refused, demand).await;
        let conninfo = format!("host=127.0.0.1 port={port} user=ann");
        let output = psql(&conninfo, "eraser").await;
        assert_refused(&output, "FATAL:  password authentication failed for user \"ann\"");
        assert!(door.await.expect("no panic").is_none());
    }
    let (port, _door) = tcp_door(ClientTls::Refused, Demand::Nobody).await;
    let conninfo = format!("host=127.0.0.1 port={port} user=ann replication=database");
    assert_refused(&psql(&conninfo, "").await, "replication connections are not supported");
}

#[tokio::test]
async fn it_logs_in_with_scram_bound_to_the_certificate() {
    if !encrypts().await {
        return;
    }
    let files = certificates();
    let (port, door) = tcp_door(ClientTls::Required(identity(&files, false)), scram()).await;
    let conninfo = format!("{} channel_binding=require", tls_conninfo(port, &files));
    assert_let_in(&psql(&conninfo, "pencil").await);
    let (_, is_encrypted) = door.await.expect("no panic").expect("let in");
    assert!(is_encrypted);

    let (port, _door) = tcp_door(ClientTls::Required(identity(&files, false)), scram()).await;
    let conninfo = format!("{} channel_binding=disable", tls_conninfo(port, &files));
    assert_let_in(&psql(&conninfo, "pencil").await);

    let (port, _door) = tcp_door(ClientTls::Required(identity(&files, false)), scram()).await;
    let conninfo = format!("host=127.0.0.1 port={port} user=ann sslmode=disable");
    assert_refused(&psql(&conninfo, "pencil").await, "without encryption");
}

#[tokio::test]
async fn it_encrypts_without_asking_where_libpq_can() {
    let version = Command::new(binary_directory().join("psql")).arg("--version").output().await;
    let version = String::from_utf8(version.expect("psql can be run").stdout).expect("ASCII");
    let major = version.split([' ', '.']).find_map(|word| word.parse::<u32>().ok());
    if major.expect("psql tells its version") < DIRECT_TLS_MAJOR || !encrypts().await {
        return;
    }
    let files = certificates();
    let (port, door) = tcp_door(ClientTls::Required(identity(&files, false)), scram()).await;
    let conninfo = format!("{} sslnegotiation=direct", tls_conninfo(port, &files));
    assert_let_in(&psql(&conninfo, "pencil").await);
    let (_, is_encrypted) = door.await.expect("no panic").expect("let in");
    assert!(is_encrypted);
}

#[tokio::test]
async fn its_certificate_must_name_the_user() {
    if !encrypts().await {
        return;
    }
    let files = certificates();
    let with_certificate = |port, user: &str| {
        format!(
            "{} user={user} sslcert={} sslkey={}",
            tls_conninfo(port, &files),
            files.path("client.pem").display(),
            files.path("client.key").display(),
        )
    };
    let tls = || ClientTls::Required(identity(&files, true));
    let (port, door) = tcp_door(tls(), Demand::Certificate).await;
    assert_let_in(&psql(&with_certificate(port, "ann"), "").await);
    let (proven, _) = door.await.expect("no panic").expect("let in");
    assert!(matches!(proven.how(), How::Certificate));

    let (port, _door) = tcp_door(tls(), Demand::Certificate).await;
    let output = psql(&with_certificate(port, "bob"), "").await;
    assert_refused(&output, "certificate authentication failed for user \"bob\"");

    let (port, _door) = tcp_door(tls(), Demand::Certificate).await;
    let output = psql(&tls_conninfo(port, &files), "").await;
    assert_refused(&output, "requires a valid client certificate");
}

#[tokio::test]
async fn it_logs_in_with_md5_over_a_unix_socket() {
    let directory = Directory::make();
    let door = unix_door(&directory, 5432, Demand::Md5(Md5Hash::of("ann", "pencil")));
    let host = directory.path("");
    let conninfo = format!("host={} port=5432 user=ann", host.display());
    assert_let_in(&psql(&conninfo, "pencil").await);
    let (proven, _) = door.await.expect("no panic").expect("let in");
    assert!(matches!(proven.how(), How::Md5(_)));
}
