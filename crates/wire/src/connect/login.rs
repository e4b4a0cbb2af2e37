//! Logging in to a node.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::startup::Startup;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::dial::{Reached, reach};
use super::exchange::{Claim, Exchange};
use super::{ConnectError, Credential, NodeAddress};
use crate::bounds::{
    NODE_LOGIN_MESSAGE_BYTES_MAX, NODE_LOGIN_MESSAGES_MAX, STARTUP_PACKET_BYTES_MAX,
};
use crate::cancel::CancelKey;
use crate::error::ServerError;
use crate::frame::{self, HEADER_BYTES, Header};
use crate::message::Reader;
use crate::stream::Stream;

/// As whom to log in, where, and with which settings from the start.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub user: &'a str,
    pub database: &'a str,
    pub settings: &'a [(String, String)],
}

/// A connection that is ready for its first statement.
#[derive(Debug)]
pub struct LoggedIn {
    pub stream: Stream,
    pub process_id: i32,
    pub cancel_key: Vec<u8>,
    /// What the server reported, in its order.
    pub parameters: Vec<(String, String)>,
    /// What came after ReadyForQuery.
    pub leftover: BytesMut,
}

/// Connects and logs in, within `time_max` altogether. Dropping it closes the connection.
pub async fn log_in(
    address: &NodeAddress,
    login: &Login<'_>,
    credential: &Credential,
    time_max: Duration,
) -> Result<LoggedIn, ConnectError> {
    let startup = startup_packet(login)?;
    let deadline = Instant::now() + time_max;
    let conversation = async {
        let Reached { stream, end_point } = reach(address, deadline).await?;
        let claim = Claim {
            user: login.user,
            credential,
            is_private: stream.is_encrypted() || matches!(stream, Stream::Unix(_)),
            end_point: end_point.as_ref(),
        };
        let mut node =
            Node { stream, read: BytesMut::new(), messages_left: NODE_LOGIN_MESSAGES_MAX };
        node.stream.send(&startup).await?;
        node.authenticate(claim).await?;
        node.settle().await
    };
    timeout_at(deadline, conversation).await.map_err(|_| ConnectError::TimedOut)?
}

fn startup_packet(login: &Login<'_>) -> Result<BytesMut, ConnectError> {
    let mut startup = Startup::new();
    let named = [("user", login.user), ("database", login.database)];
    let settings = login.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in settings.chain(named) {
        if name.is_empty() || name.contains('\0') || value.contains('\0') {
            return Err(ConnectError::InvalidParameters);
        }
        startup.parameters.insert(name.to_owned(), value.to_owned());
    }
    if startup.message_length() > STARTUP_PACKET_BYTES_MAX {
        return Err(ConnectError::InvalidParameters);
    }
    let mut out = BytesMut::new();
    startup.encode(&mut out).map_err(|_| ConnectError::InvalidParameters)?;
    Ok(out)
}

/// A node that has not let us in yet.
struct Node {
    stream: Stream,
    read: BytesMut,
    messages_left: usize,
}

impl Node {
    async fn authenticate(&mut self, claim: Claim<'_>) -> Result<(), ConnectError> {
        let mut exchange = Exchange::Start;
        loop {
            match self.next_message().await? {
                (b'R', body) => {
                    let mut out = BytesMut::new();
                    exchange = exchange.handle(&body, claim, &mut out)?;
                    if let Exchange::Authenticated = exchange {
                        return Ok(());
                    }
                    self.stream.send(&out).await?;
                }
                (b'E', body) => return Err(server_error(body)),
                (b'N', _) => {}
                (b'v', _) => return Err(ConnectError::Protocol("protocol 3.0 was not accepted")),
                _ => return Err(ConnectError::Protocol("a message before authentication")),
            }
        }
    }

    async fn settle(mut self) -> Result<LoggedIn, ConnectError> {
        let mut parameters = Vec::new();
        let mut key = None;
        loop {
            match self.next_message().await? {
                (b'S', body) => parameters.push(parameter(&body)?),
                (b'K', body) => key = Some(CancelKey::read(&body)?),
                (b'N', _) => {}
                (b'E', body) => return Err(server_error(body)),
                (b'Z', body) if *body == *b"I" => break,
                _ => return Err(ConnectError::Protocol("a message out of place after login")),
            }
        }
        let key = key.ok_or(ConnectError::Protocol("no cancel key"))?;
        Ok(LoggedIn {
            stream: self.stream,
            process_id: key.process_id,
            cancel_key: key.secret().to_vec(),
            parameters,
            leftover: self.read,
        })
    }

    async fn next_message(&mut self) -> Result<(u8, Bytes), ConnectError> {
        self.messages_left =
            self.messages_left.checked_sub(1).ok_or(ConnectError::Protocol("too many messages"))?;
        let header = loop {
            match Header::peek(&self.read)? {
                Some(header) if header.frame_bytes > NODE_LOGIN_MESSAGE_BYTES_MAX => {
                    return Err(ConnectError::Protocol("a message is too long"));
                }
                Some(header) if frame::first(&self.read)?.is_some() => break header,
                _ => {}
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        };
        let mut whole = self.read.split_to(header.frame_bytes).freeze();
        Ok((header.tag, whole.split_off(HEADER_BYTES)))
    }
}

fn parameter(body: &[u8]) -> Result<(String, String), ConnectError> {
    let mut reader = Reader::new(body);
    let name = String::from_utf8_lossy(reader.string()?).into_owned();
    let value = String::from_utf8_lossy(reader.string()?).into_owned();
    reader.end()?;
    Ok((name, value))
}

fn server_error(body: Bytes) -> ConnectError {
    match ServerError::read(body) {
        Ok(error) => ConnectError::Server(Box::new(error)),
        Err(malformed) => malformed.into(),
    }
}
