//! The four messages of SCRAM as text: attributes `letter=value`, joined by commas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ScramError;
use super::keys::Key;
use crate::bounds::SCRAM_SALT_BYTES_MAX;

const TLS_SERVER_END_POINT: &str = "tls-server-end-point";

/// What the client says of channel binding, in the header that both of its messages repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gs2Flag {
    /// `n`: the client cannot.
    Unsupported,
    /// `y`: the client could, and believes that the server cannot.
    NotOffered,
    /// `p`: bound to the server's certificate.
    Bound,
}

impl Gs2Flag {
    pub fn header(self) -> String {
        match self {
            Gs2Flag::Unsupported => "n,,".to_owned(),
            Gs2Flag::NotOffered => "y,,".to_owned(),
            Gs2Flag::Bound => format!("p={TLS_SERVER_END_POINT},,"),
        }
    }

    /// The attribute `c` of client-final: the header, and what the client is bound to.
    pub fn binding(self, end_point: &[u8]) -> String {
        let mut input = self.header().into_bytes();
        if self == Gs2Flag::Bound {
            input.extend_from_slice(end_point);
        }
        STANDARD.encode(input)
    }
}

/// `n,,n=,r=nonce`
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFirstMessage<'a> {
    pub flag: Gs2Flag,
    /// What both sides sign.
    pub bare: &'a str,
    pub nonce: &'a str,
}

impl<'a> ClientFirstMessage<'a> {
    pub fn read(message: &'a [u8]) -> Result<ClientFirstMessage<'a>, ScramError> {
        let text = text(message)?;
        let mut parts = text.splitn(3, ',');
        let flag = match parts.next() {
            Some("n") => Gs2Flag::Unsupported,
            Some("y") => Gs2Flag::NotOffered,
            Some(flag) => match flag.strip_prefix("p=") {
                Some(TLS_SERVER_END_POINT) => Gs2Flag::Bound,
                Some(_) => return Err(ScramError::UnsupportedBinding),
                None => return Err(ScramError::Malformed("Unexpected channel-binding flag.")),
            },
            None => return Err(ScramError::Malformed("The message is empty.")),
        };
        match parts.next() {
            Some("") => {}
            Some(identity) if identity.starts_with("a=") => {
                return Err(ScramError::AuthorizationIdentity);
            }
            _ => return Err(ScramError::Malformed("Comma expected.")),
        }
        let bare = parts.next().ok_or(ScramError::Malformed("Attribute \"n\" expected."))?;
        let mut attributes = Attributes { rest: Some(bare) };
        if attributes.starts_with('m') {
            return Err(ScramError::RequiredExtension);
        }
        attributes.expect('n', "Attribute \"n\" expected.")?;
        let nonce = attributes.expect('r', "Attribute \"r\" expected.")?;
        check_nonce(nonce)?;
        attributes.skip_rest()?;
        Ok(ClientFirstMessage { flag, bare, nonce })
    }
}

/// `r=nonce,s=salt,i=iterations`
#[derive(Debug, PartialEq, Eq)]
pub struct ServerFirstMessage<'a> {
    pub nonce: &'a str,
    pub salt: Vec<u8>,
    pub iterations: u32,
}

impl<'a> ServerFirstMessage<'a> {
    pub fn read(message: &'a [u8]) -> Result<ServerFirstMessage<'a>, ScramError> {
        let mut attributes = Attributes { rest: Some(text(message)?) };
        if attributes.starts_with('m') {
            return Err(ScramError::RequiredExtension);
        }
        let nonce = attributes.expect('r', "Attribute \"r\" expected.")?;
        check_nonce(nonce)?;
        let salt = attributes.expect('s', "Attribute \"s\" expected.")?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| salt.len() <= SCRAM_SALT_BYTES_MAX);
        let salt = salt.ok_or(ScramError::Malformed("Malformed salt."))?;
        let iterations = attributes.expect('i', "Attribute \"i\" expected.")?;
        let iterations =
            iterations.parse().map_err(|_| ScramError::Malformed("Malformed iteration count."))?;
        attributes.skip_rest()?;
        Ok(ServerFirstMessage { nonce, salt, iterations })
    }
}

/// `c=binding,r=nonce,p=proof`
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFinalMessage<'a> {
    /// What both sides sign.
    pub without_proof: &'a str,
    pub binding: &'a str,
    pub nonce: &'a str,
    pub proof: Key,
}

impl<'a> ClientFinalMessage<'a> {
    pub fn read(message: &'a [u8]) -> Result<ClientFinalMessage<'a>, ScramError> {
        let text = text(message)?;
        // The proof comes last, and no value can hold a comma.
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or(ScramError::Malformed("Attribute \"p\" expected."))?;
        let mut attributes = Attributes { rest: Some(without_proof) };
        let binding = attributes.expect('c', "Attribute \"c\" expected.")?;
        let nonce = attributes.expect('r', "Attribute \"r\" expected.")?;
        attributes.skip_rest()?;
        let proof = STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok());
        let proof = proof.ok_or(ScramError::Malformed("Malformed proof."))?;
        Ok(ClientFinalMessage { without_proof, binding, nonce, proof })
    }
}

/// `v=signature`, or `e=reason`.
pub fn read_server_final(message: &[u8]) -> Result<Key, ScramError> {
    let mut attributes = Attributes { rest: Some(text(message)?) };
    if attributes.starts_with('e') {
        return Err(ScramError::ServerRefused);
    }
    let signature = attributes.expect('v', "Attribute \"v\" expected.")?;
    let signature = STANDARD.decode(signature).ok().and_then(|signature| signature.try_into().ok());
    let signature = signature.ok_or(ScramError::Malformed("Malformed server signature."))?;
    attributes.skip_rest()?;
    Ok(signature)
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    match std::str::from_utf8(message) {
        Ok("") => Err(ScramError::Malformed("The message is empty.")),
        Ok(text) if text.contains('\0') => {
            Err(ScramError::Malformed("Message length does not match input length."))
        }
        Ok(text) => Ok(text),
        Err(_) => Err(ScramError::Malformed("The message is not UTF-8.")),
    }
}

fn check_nonce(nonce: &str) -> Result<(), ScramError> {
    if !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        return Ok(());
    }
    Err(ScramError::Malformed("Non-printable characters in SCRAM nonce."))
}

/// What is left of a message; `None` after its last attribute.
struct Attributes<'a> {
    rest: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    fn starts_with(&self, name: char) -> bool {
        self.rest.is_some_and(|rest| rest.starts_with(name))
    }

    fn next(&mut self) -> Option<Result<(char, &'a str), ScramError>> {
        let rest = self.rest.take()?;
        let attribute = match rest.split_once(',') {
            None => rest,
            Some((attribute, after)) => {
                self.rest = Some(after);
                attribute
            }
        };
        let mut characters = attribute.chars();
        Some(match (characters.next(), characters.next()) {
            (Some(name), Some('=')) if name.is_ascii_alphabetic() => {
                Ok((name, characters.as_str()))
            }
            _ => Err(ScramError::Malformed("Attribute expected, but found invalid character.")),
        })
    }

    fn expect(&mut self, name: char, else_detail: &'static str) -> Result<&'a str, ScramError> {
        match self.next().transpose()? {
            Some((found, value)) if found == name => Ok(value),
            _ => Err(ScramError::Malformed(else_detail)),
        }
    }

    /// Optional extensions, of which there are none that we know.
    fn skip_rest(mut self) -> Result<(), ScramError> {
        while let Some(attribute) = self.next() {
            attribute?;
        }
        Ok(())
    }
}
