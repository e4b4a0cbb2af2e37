//! The conversation up to the startup packet, as states that consume each other.
//!
//! Encryption can be asked for only in the plain state, and each kind only once; the encrypted
//! state has no way back and no second way in.

use std::io;

use bytes::BytesMut;
use herd_types::{ClientError, SqlState};
use pgwire::messages::startup::NegotiateProtocolVersion;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::ArrivalError;
use super::farewell::turn_away;
use super::packet::{Negotiation, Packet, ProtocolMinor, Startup, unsupported_version, violation};
use crate::bounds::STARTUP_PACKET_BYTES_MAX;
use crate::cancel::CancelKey;
use crate::error::put;
use crate::exact::{self, ReadError};
use crate::stream::{Peer, Stream};
use crate::tls::{ALPN_POSTGRESQL, TlsFacts, TlsIdentity};

/// The first byte of a TLS handshake, which no startup packet within its bounds can have.
const TLS_HANDSHAKE: u8 = 0x16;
const _: () = assert!(STARTUP_PACKET_BYTES_MAX < (TLS_HANDSHAKE as usize) << 24);

/// What a listener offers to those who connect.
#[derive(Clone, Debug)]
pub struct GreetingPolicy {
    pub tls: ClientTls,
    /// At most `STARTUP_PACKET_BYTES_MAX`.
    pub startup_bytes_max: usize,
}

/// Whether clients on TCP may or must encrypt. Unix sockets never do.
#[derive(Clone, Debug)]
pub enum ClientTls {
    Refused,
    Offered(TlsIdentity),
    /// A cancel request may still come in plain text: before libpq 17 there was no other.
    Required(TlsIdentity),
}

impl ClientTls {
    fn identity(&self) -> Option<&TlsIdentity> {
        match self {
            ClientTls::Refused => None,
            ClientTls::Offered(identity) | ClientTls::Required(identity) => Some(identity),
        }
    }
}

/// What a connection turned out to be.
#[derive(Debug)]
pub enum Greeting {
    Client(Box<Arrived>),
    /// Answered by closing the connection, whatever the key was good for.
    Cancel(Stream, CancelKey),
    /// Closed without having asked for anything, as probes of load balancers are.
    Left,
}

/// A client that said who it wants to be, and has not proven it.
#[derive(Debug)]
pub struct Arrived {
    pub stream: Stream,
    pub peer: Peer,
    pub tls: Option<TlsFacts>,
    pub minor: ProtocolMinor,
    pub user: String,
    pub database: String,
    /// Names are well formed; nothing else is known of them.
    pub settings: Vec<(String, String)>,
}

/// Listens until the client has said what it wants. Who is refused is told why before the
/// connection closes. Not cancel safe: dropping it closes the connection.
pub async fn greet(
    stream: Stream,
    policy: &GreetingPolicy,
    deadline: Instant,
) -> Result<Greeting, ArrivalError> {
    let conversation = async {
        let mut state = State::Fresh(Fresh { stream });
        loop {
            state = match state.handle(policy).await? {
                Step::Next(state) => state,
                Step::Done(greeting) => return Ok(greeting),
            };
        }
    };
    match timeout_at(deadline, conversation).await {
        Err(_) => Err(ArrivalError::TimedOut),
        Ok(Ok(greeting)) => Ok(greeting),
        Ok(Err(Failure::Lost(error))) => Err(error),
        Ok(Err(Failure::Refused(mut stream, error))) => {
            turn_away(&mut stream, &error).await;
            Err(ArrivalError::Refused(error))
        }
    }
}

enum State {
    Fresh(Fresh),
    Plain(Plain),
    Encrypted(Encrypted),
}

enum Step {
    Next(State),
    Done(Greeting),
}

enum Failure {
    /// There is someone to tell.
    Refused(Stream, ClientError),
    Lost(ArrivalError),
}

impl State {
    async fn handle(self, policy: &GreetingPolicy) -> Result<Step, Failure> {
        match self {
            State::Fresh(state) => state.handle(policy).await,
            State::Plain(state) => state.handle(policy).await,
            State::Encrypted(state) => state.handle(policy).await,
        }
    }
}

/// Nothing has been read.
struct Fresh {
    stream: Stream,
}

impl Fresh {
    async fn handle(self, policy: &GreetingPolicy) -> Result<Step, Failure> {
        let stream = match (self.stream, policy.tls.identity()) {
            (Stream::Tcp(tcp), Some(identity)) => {
                let mut first = [0];
                let count = tcp.peek(&mut first).await.map_err(lost)?;
                if count == 1 && first[0] == TLS_HANDSHAKE {
                    return encrypt(tcp, identity, Alpn::Required).await;
                }
                Stream::Tcp(tcp)
            }
            (stream, _) => stream,
        };
        Ok(Step::Next(State::Plain(Plain { stream, asked: Asked::Nothing })))
    }
}

/// Which kinds of encryption have been asked for and declined.
#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    Tls,
    Gss,
    Both,
}

/// Whatever arrives is plain text.
struct Plain {
    stream: Stream,
    asked: Asked,
}

impl Plain {
    async fn handle(mut self, policy: &GreetingPolicy) -> Result<Step, Failure> {
        match read_packet(&mut self.stream, policy).await {
            Ok(Some(Packet::TlsRequest)) => self.tls_requested(policy).await,
            Ok(Some(Packet::GssRequest)) => self.gss_requested().await,
            Ok(Some(Packet::Cancel(key))) => Ok(Step::Done(Greeting::Cancel(self.stream, key))),
            Ok(Some(Packet::Startup(startup))) => self.startup(startup, policy).await,
            Ok(None) => Ok(Step::Done(Greeting::Left)),
            Err(error) => Err(failure(self.stream, error)),
        }
    }

    async fn tls_requested(self, policy: &GreetingPolicy) -> Result<Step, Failure> {
        let asked = match self.asked {
            Asked::Nothing => Asked::Tls,
            Asked::Gss => Asked::Both,
            Asked::Tls | Asked::Both => return Err(Failure::Refused(self.stream, repeated(5679))),
        };
        if self.stream.holds_unread_bytes().await.map_err(lost)? {
            let error = violation("received unencrypted data after SSL request").with_detail(
                "This could be either a client-software bug or evidence of an attempted \
                 man-in-the-middle attack.",
            );
            return Err(Failure::Refused(self.stream, error));
        }
        match (self.stream, policy.tls.identity()) {
            (Stream::Tcp(mut tcp), Some(identity)) => {
                tcp.write_all(b"S").await.map_err(lost)?;
                encrypt(tcp, identity, Alpn::Optional).await
            }
            (mut stream, _) => {
                stream.send(b"N").await.map_err(lost)?;
                Ok(Step::Next(State::Plain(Plain { stream, asked })))
            }
        }
    }

    async fn gss_requested(mut self) -> Result<Step, Failure> {
        let asked = match self.asked {
            Asked::Nothing => Asked::Gss,
            Asked::Tls => Asked::Both,
            Asked::Gss | Asked::Both => return Err(Failure::Refused(self.stream, repeated(5680))),
        };
        self.stream.send(b"N").await.map_err(lost)?;
        Ok(Step::Next(State::Plain(Plain { stream: self.stream, asked })))
    }

    async fn startup(self, startup: Startup, policy: &GreetingPolicy) -> Result<Step, Failure> {
        if let (Stream::Tcp(_), ClientTls::Required(_)) = (&self.stream, &policy.tls) {
            let error = ClientError::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "connections without encryption are not accepted",
            )
            .with_hint("Connect with sslmode=require.");
            return Err(Failure::Refused(self.stream, error));
        }
        arrive(self.stream, None, startup).await
    }
}

/// The handshake is done, and a client certificate verified if there was one.
struct Encrypted {
    stream: Stream,
    facts: TlsFacts,
}

impl Encrypted {
    async fn handle(mut self, policy: &GreetingPolicy) -> Result<Step, Failure> {
        match read_packet(&mut self.stream, policy).await {
            Ok(Some(Packet::TlsRequest)) => Err(Failure::Refused(self.stream, repeated(5679))),
            Ok(Some(Packet::GssRequest)) => Err(Failure::Refused(self.stream, repeated(5680))),
            Ok(Some(Packet::Cancel(key))) => Ok(Step::Done(Greeting::Cancel(self.stream, key))),
            Ok(Some(Packet::Startup(startup))) => {
                arrive(self.stream, Some(self.facts), startup).await
            }
            Ok(None) => Ok(Step::Done(Greeting::Left)),
            Err(error) => Err(failure(self.stream, error)),
        }
    }
}

/// The next packet; `None` when the client has gone instead of sending one.
async fn read_packet(
    stream: &mut Stream,
    policy: &GreetingPolicy,
) -> Result<Option<Packet>, ArrivalError> {
    let bytes_max = policy.startup_bytes_max.min(STARTUP_PACKET_BYTES_MAX);
    match exact::packet(stream, bytes_max).await {
        Ok(body) => Ok(Some(Packet::read(&body)?)),
        Err(ReadError::Closed) => Ok(None),
        Err(ReadError::Length { .. }) => Err(violation("invalid length of startup packet").into()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alpn {
    Optional,
    Required,
}

async fn encrypt(tcp: TcpStream, identity: &TlsIdentity, alpn: Alpn) -> Result<Step, Failure> {
    let handshake = identity.acceptor().accept(tcp).await;
    let tls = handshake.map_err(|error| Failure::Lost(ArrivalError::Tls(error)))?;
    let session = tls.get_ref().1;
    let spoken = session.alpn_protocol() == Some(ALPN_POSTGRESQL);
    let facts = TlsFacts::of(session, identity);
    let stream = Stream::TlsServer(Box::new(tls));
    match facts {
        Err(error) => Err(Failure::Refused(stream, error)),
        Ok(_) if alpn == Alpn::Required && !spoken => {
            let error = violation(
                "received direct SSL connection request without ALPN protocol negotiation extension",
            );
            Err(Failure::Refused(stream, error))
        }
        Ok(facts) => Ok(Step::Next(State::Encrypted(Encrypted { stream, facts }))),
    }
}

async fn arrive(
    mut stream: Stream,
    tls: Option<TlsFacts>,
    startup: Startup,
) -> Result<Step, Failure> {
    let peer = stream.peer().map_err(lost)?;
    if let Some(negotiation) = &startup.negotiation {
        stream.send(&negotiate(negotiation)).await.map_err(lost)?;
    }
    let Startup { minor, negotiation: _, user, database, settings } = startup;
    let arrived = Arrived { stream, peer, tls, minor, user, database, settings };
    Ok(Step::Done(Greeting::Client(Box::new(arrived))))
}

fn negotiate(negotiation: &Negotiation) -> BytesMut {
    let version = i32::try_from(negotiation.version).expect("protocol versions are small");
    let mut out = BytesMut::new();
    put(&mut out, &NegotiateProtocolVersion::new(version, negotiation.unknown_options.clone()));
    out
}

/// In PostgreSQL's words: out of place, the request's code is read as a version.
fn repeated(code: u16) -> ClientError {
    unsupported_version(1234, code)
}

fn failure(stream: Stream, error: ArrivalError) -> Failure {
    match error {
        ArrivalError::Refused(error) => Failure::Refused(stream, error),
        error => Failure::Lost(error),
    }
}

fn lost(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Failure::Lost(ArrivalError::Disconnected)
        }
        _ => Failure::Lost(ArrivalError::Io(error)),
    }
}
