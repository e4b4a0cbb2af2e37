//! Answering a node's authentication requests, as states that consume each other.

use bytes::{Bytes, BytesMut};
use pgwire::messages::startup::{Password, SASLInitialResponse, SASLResponse};

use super::{ConnectError, Credential};
use crate::auth::Md5Hash;
use crate::error::put;
use crate::message::Reader;
use crate::scram::{ClientFinal, ClientFirst, ClientSecret, SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::tls::EndPoint;

/// Mechanisms that a node may offer before we stop listening.
const MECHANISMS_MAX: usize = 32;

/// Who we are, and what the connection allows us to say.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub user: &'a str,
    pub credential: &'a Credential,
    /// Encrypted, or within one machine.
    pub is_private: bool,
    pub end_point: Option<&'a EndPoint>,
}

/// How far the authentication has come.
#[derive(Debug)]
pub enum Exchange {
    /// Nothing has been asked.
    Start,
    ScramFirst(ClientFirst),
    ScramFinal(ClientFinal),
    /// Everything asked for has been answered, and SCRAM's server verified.
    Answered,
    Authenticated,
}

impl Exchange {
    /// Takes an Authentication message; what must be sent is appended to `out`.
    pub fn handle(
        self,
        body: &Bytes,
        claim: Claim<'_>,
        out: &mut BytesMut,
    ) -> Result<Exchange, ConnectError> {
        let mut reader = Reader::new(body);
        let code = reader.u32()?;
        match (self, code) {
            (Exchange::Start | Exchange::Answered, 0) => {
                reader.end()?;
                Ok(Exchange::Authenticated)
            }
            (Exchange::Start, 3) => {
                reader.end()?;
                clear_text(claim, out)
            }
            (Exchange::Start, 5) => {
                let salt = reader.bytes(4)?;
                reader.end()?;
                md5(claim, [salt[0], salt[1], salt[2], salt[3]], out)
            }
            (Exchange::Start, 10) => scram_first(claim, reader, out),
            (Exchange::ScramFirst(first), 11) => {
                let (last, message) = first.answer(reader.rest(), secret(claim)?)?;
                put(out, &SASLResponse::new(message.into()));
                Ok(Exchange::ScramFinal(last))
            }
            (Exchange::ScramFinal(last), 12) => {
                last.verify(reader.rest())?;
                Ok(Exchange::Answered)
            }
            (Exchange::Start, 2 | 7 | 9) => {
                Err(ConnectError::UnsupportedMethod("Kerberos, GSSAPI or SSPI".to_owned()))
            }
            _ => Err(ConnectError::Protocol("an authentication request out of place")),
        }
    }
}

fn clear_text(claim: Claim<'_>, out: &mut BytesMut) -> Result<Exchange, ConnectError> {
    match claim.credential {
        Credential::Password(_) if !claim.is_private => Err(ConnectError::PasswordInPlainText),
        Credential::Password(password) => {
            put(out, &Password::new(password.to_string()));
            Ok(Exchange::Answered)
        }
        _ => Err(ConnectError::CredentialUnfit { asked: "a password" }),
    }
}

fn md5(claim: Claim<'_>, salt: [u8; 4], out: &mut BytesMut) -> Result<Exchange, ConnectError> {
    let response = match claim.credential {
        Credential::Md5(hash) => hash.response(salt),
        Credential::Password(password) => Md5Hash::of(claim.user, password).response(salt),
        Credential::Scram(_) | Credential::None => {
            return Err(ConnectError::CredentialUnfit { asked: "an MD5 password" });
        }
    };
    put(out, &Password::new(response));
    Ok(Exchange::Answered)
}

fn scram_first(
    claim: Claim<'_>,
    mut offered: Reader<'_>,
    out: &mut BytesMut,
) -> Result<Exchange, ConnectError> {
    let mut mechanisms = Vec::new();
    loop {
        match offered.string()? {
            b"" => break,
            _ if mechanisms.len() == MECHANISMS_MAX => {
                return Err(ConnectError::Protocol("too many SASL mechanisms"));
            }
            mechanism => mechanisms.push(String::from_utf8_lossy(mechanism)),
        }
    }
    offered.end()?;
    secret(claim)?;
    let offers = |name: &str| mechanisms.iter().any(|offered| offered == name);
    let (mechanism, first) = match claim.end_point {
        Some(end_point) if offers(SCRAM_SHA_256_PLUS) => {
            (SCRAM_SHA_256_PLUS, ClientFirst::bound(end_point))
        }
        end_point if offers(SCRAM_SHA_256) => {
            (SCRAM_SHA_256, ClientFirst::unbound(end_point.is_some()))
        }
        _ => return Err(ConnectError::UnsupportedMethod(mechanisms.join(", "))),
    };
    let message = Bytes::from(first.message());
    put(out, &SASLInitialResponse::new(mechanism.to_owned(), Some(message)));
    Ok(Exchange::ScramFirst(first))
}

fn secret(claim: Claim<'_>) -> Result<ClientSecret<'_>, ConnectError> {
    match claim.credential {
        Credential::Scram(keys) => Ok(ClientSecret::Keys(keys)),
        Credential::Password(password) => Ok(ClientSecret::Password(password)),
        Credential::Md5(_) | Credential::None => {
            Err(ConnectError::CredentialUnfit { asked: "a SCRAM password" })
        }
    }
}
