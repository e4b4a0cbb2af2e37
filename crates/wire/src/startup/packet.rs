//! What the first packets of a connection say, as bytes in and values out.

use herd_types::{ClientError, SqlState};

use super::options;
use crate::bounds::NAME_BYTES_MAX;
use crate::cancel::CancelKey;
use crate::message::Reader;

const CANCEL_REQUEST: u32 = 80_877_102;
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

const MAJOR: u16 = 3;
/// The newest minor version that is spoken.
const MINOR_MAX: u16 = 2;
/// What a client asks of the protocol itself, rather than of the session, starts with this.
const PROTOCOL_OPTION_PREFIX: &str = "_pq_.";

/// The minor versions of protocol 3 that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolMinor {
    Zero,
    /// Cancel keys may be long.
    Two,
}

/// A packet without a tag.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet {
    TlsRequest,
    GssRequest,
    Cancel(CancelKey),
    Startup(Startup),
}

/// Who wants to do what where.
#[derive(Debug, PartialEq, Eq)]
pub struct Startup {
    pub minor: ProtocolMinor,
    /// What must be answered with NegotiateProtocolVersion.
    pub negotiation: Option<Negotiation>,
    pub user: String,
    pub database: String,
    /// From `options` first and then as parameters of their own, so that the last one holds.
    pub settings: Vec<(String, String)>,
}

/// What the client asked of the protocol that is not spoken here.
#[derive(Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// The version that is spoken instead, as the protocol writes it.
    pub version: u32,
    pub unknown_options: Vec<String>,
}

impl Packet {
    /// Reads what follows the length word.
    pub fn read(body: &[u8]) -> Result<Packet, ClientError> {
        let mut reader = Reader::new(body);
        let code = reader.u32().map_err(|_| violation("invalid length of startup packet"))?;
        match code {
            TLS_REQUEST => reader.end().map(|()| Packet::TlsRequest),
            GSS_REQUEST => reader.end().map(|()| Packet::GssRequest),
            CANCEL_REQUEST => CancelKey::read(reader.rest()).map(Packet::Cancel),
            version => return Startup::read(version, reader.rest()).map(Packet::Startup),
        }
        .map_err(|_| violation("invalid length of startup packet"))
    }
}

impl Startup {
    fn read(version: u32, parameters: &[u8]) -> Result<Startup, ClientError> {
        let [major, minor] = [(version >> 16) as u16, (version & 0xffff) as u16];
        if major != MAJOR {
            return Err(unsupported_version(major, minor));
        }
        let mut draft = Draft::default();
        for (name, value) in pairs(parameters)? {
            draft.take(name, value)?;
        }
        draft.finish(minor)
    }
}

pub(super) fn violation(message: impl Into<std::borrow::Cow<'static, str>>) -> ClientError {
    ClientError::fatal(SqlState::PROTOCOL_VIOLATION, message)
}

/// In PostgreSQL's words; a request for encryption out of place reads as version 1234.567x too.
pub(super) fn unsupported_version(major: u16, minor: u16) -> ClientError {
    ClientError::fatal(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!(
            "unsupported frontend protocol {major}.{minor}: \
             server supports {MAJOR}.0 to {MAJOR}.{MINOR_MAX}"
        ),
    )
}

/// Names and values as zero-terminated strings, ended by an empty name as the very last byte.
fn pairs(parameters: &[u8]) -> Result<Vec<(&str, &str)>, ClientError> {
    let layout = || violation("invalid startup packet layout: expected terminator as last byte");
    let mut reader = Reader::new(parameters);
    let mut pairs = Vec::new();
    loop {
        let name = reader.string().map_err(|_| layout())?;
        if name.is_empty() {
            return reader.end().map(|()| pairs).map_err(|_| layout());
        }
        let value = reader.string().map_err(|_| layout())?;
        pairs.push((utf8(name)?, utf8(value)?));
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ClientError> {
    std::str::from_utf8(bytes).map_err(|_| {
        ClientError::fatal(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\" in startup packet",
        )
    })
}

/// A startup packet while it is read.
#[derive(Default)]
struct Draft<'a> {
    user: &'a str,
    database: &'a str,
    options: &'a str,
    settings: Vec<(String, String)>,
    unknown_options: Vec<String>,
}

impl<'a> Draft<'a> {
    fn take(&mut self, name: &'a str, value: &'a str) -> Result<(), ClientError> {
        match name {
            "user" => self.user = value,
            "database" => self.database = value,
            "options" => self.options = value,
            "replication" => return refuse_replication(value),
            _ if name.starts_with(PROTOCOL_OPTION_PREFIX) => {
                self.unknown_options.push(name.to_owned());
            }
            _ => self.settings.push((options::setting_name(name)?, value.to_owned())),
        }
        Ok(())
    }

    fn finish(self, minor: u16) -> Result<Startup, ClientError> {
        if self.user.is_empty() {
            return Err(ClientError::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "no PostgreSQL user name specified in startup packet",
            ));
        }
        let database = if self.database.is_empty() { self.user } else { self.database };
        let mut settings = options::read(self.options)?;
        settings.extend(self.settings);
        let spoken = minor.min(MINOR_MAX);
        let negotiation =
            (minor > MINOR_MAX || !self.unknown_options.is_empty()).then(|| Negotiation {
                version: u32::from(MAJOR) << 16 | u32::from(spoken),
                unknown_options: self.unknown_options,
            });
        Ok(Startup {
            minor: if spoken == MINOR_MAX { ProtocolMinor::Two } else { ProtocolMinor::Zero },
            negotiation,
            user: cut(self.user),
            database: cut(database),
            settings,
        })
    }
}

/// Names longer than an identifier mean what is left of them, as in PostgreSQL.
fn cut(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn refuse_replication(value: &str) -> Result<(), ClientError> {
    if options::is_off(value) {
        return Ok(());
    }
    Err(ClientError::fatal(
        SqlState::FEATURE_NOT_SUPPORTED,
        "replication connections are not supported",
    )
    .with_detail("A replication stream belongs to one node, and this endpoint stands for several.")
    .with_hint("Connect to the node itself."))
}
