//! A door like Herd's own: it greets, authenticates, welcomes, and answers every query with nothing.

#![allow(dead_code, reason = "each test file uses its share")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use herd_wire::auth::{Md5Hash, Method, MockSecret, Proven, authenticate};
use herd_wire::bounds::STARTUP_PACKET_BYTES_MAX;
use herd_wire::cancel::CancelKey;
use herd_wire::message::{EMPTY_QUERY, TransactionStatus, ready};
use herd_wire::put_welcome;
use herd_wire::scram::ScramVerifier;
use herd_wire::startup::{Arrived, ClientTls, Greeting, GreetingPolicy, greet};
use herd_wire::stream::Stream;
use herd_wire::tls::{ClientCertificates, TlsFiles, TlsIdentity};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a door demands of the next client.
#[derive(Clone)]
pub enum Demand {
    Scram(ScramVerifier),
    Md5(Md5Hash),
    Certificate,
    Nobody,
}

/// What came of the one client that a door waits for.
pub type Visit = JoinHandle<Option<(Proven, bool)>>;

/// Waits for one client on a free TCP port.
pub async fn tcp_door(tls: ClientTls, demand: Demand) -> (u16, Visit) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let visit = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("a client");
        receive(Stream::from_tcp(tcp).expect("options are set"), tls, demand).await
    });
    (port, visit)
}

/// Waits for one client on a Unix socket in `directory`.
pub fn unix_door(directory: &Directory, port: u16, demand: Demand) -> Visit {
    let socket = directory.path(&format!(".s.PGSQL.{port}"));
    let listener = UnixListener::bind(socket).expect("a fresh socket");
    tokio::spawn(async move {
        let (unix, _) = listener.accept().await.expect("a client");
        receive(Stream::from_unix(unix), ClientTls::Refused, demand).await
    })
}

/// Who it was, if the client got in, and whether the connection was encrypted.
async fn receive(stream: Stream, tls: ClientTls, demand: Demand) -> Option<(Proven, bool)> {
    let policy = GreetingPolicy { tls, startup_bytes_max: STARTUP_PACKET_BYTES_MAX };
    let deadline = Instant::now() + Duration::from_secs(30);
    let Greeting::Client(mut arrived) = greet(stream, &policy, deadline).await.ok()? else {
        return None;
    };
    let mock = MockSecret::random();
    let method = match demand {
        Demand::Scram(verifier) => Method::Scram(verifier),
        Demand::Md5(hash) => Method::Md5(hash),
        Demand::Certificate => Method::Certificate,
        Demand::Nobody => Method::ScramMock(&mock),
    };
    let proven = authenticate(&mut arrived, method, deadline).await.ok()?;
    let is_encrypted = arrived.stream.is_encrypted();
    serve(*arrived, &proven).await;
    Some((proven, is_encrypted))
}

/// Until the client leaves, or says something that is not a query.
async fn serve(mut arrived: Arrived, proven: &Proven) {
    let mut out = BytesMut::new();
    let parameters = [("server_version", "15.0 (a door)"), ("client_encoding", "UTF8")];
    put_welcome(&mut out, proven, parameters, &CancelKey::generate(7, arrived.minor));
    loop {
        arrived.stream.write_all(&out).await.expect("the client listens");
        arrived.stream.flush().await.expect("the client listens");
        let mut header = [0; 5];
        let Ok(_) = arrived.stream.read_exact(&mut header).await else { return };
        let [b'Q', a, b, c, d] = header else { return };
        let mut query = vec![0; u32::from_be_bytes([a, b, c, d]) as usize - 4];
        arrived.stream.read_exact(&mut query).await.expect("a whole query");
        out.clear();
        out.extend_from_slice(&EMPTY_QUERY);
        ready(&mut out, TransactionStatus::Idle);
    }
}

/// A directory that goes away with it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn make() -> Directory {
        let random = CancelKey::generate(0, herd_wire::startup::ProtocolMinor::Two);
        let unique: String = random.secret()[..8].iter().map(|b| format!("{b:02x}")).collect();
        let path = std::env::temp_dir().join(format!("herd-wire-{unique}"));
        fs::create_dir(&path).expect("a fresh directory");
        Directory(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `ca.pem`; `server.pem` and `server.key` for localhost; `client.pem` and `client.key` for `ann`.
pub fn certificates() -> Directory {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::make();
    let write = |name: &str, pem: String| {
        let path = directory.path(name);
        fs::write(&path, pem).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    };
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Test authority");
    let authority_key = KeyPair::generate().expect("randomness");
    write("ca.pem", authority.self_signed(&authority_key).expect("valid").pem());
    let issuer = Issuer::from_params(&authority, &authority_key);
    for (file, names, common_name) in
        [("server", vec!["localhost".to_owned()], "localhost"), ("client", vec![], "ann")]
    {
        let mut params = CertificateParams::new(names).expect("valid names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().expect("randomness");
        write(&format!("{file}.pem"), params.signed_by(&key, &issuer).expect("valid").pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
    directory
}

pub fn identity(directory: &Directory, with_clients: bool) -> TlsIdentity {
    let authority = directory.path("ca.pem");
    TlsIdentity::load(&TlsFiles {
        certificate: directory.path("server.pem"),
        key: directory.path("server.key"),
        clients: if with_clients {
            ClientCertificates::Allowed { authority }
        } else {
            ClientCertificates::Ignored
        },
    })
    .expect("good files")
}
