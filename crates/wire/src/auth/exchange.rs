//! The conversation in which a client proves who it is.

use bytes::{Bytes, BytesMut};
use herd_types::{ClientError, SqlState};
use pgwire::messages::startup::{
    Authentication, MESSAGE_TYPE_BYTE_PASSWORD_MESSAGE_FAMILY as PASSWORD_TAG,
};
use tokio::time::{Instant, timeout_at};

use super::md5::SALT_BYTES;
use super::{How, Md5Hash, Method, Proven};
use crate::bounds::CLIENT_LOGIN_MESSAGE_BYTES_MAX;
use crate::error::put;
use crate::exact::{self, ReadError};
use crate::message::{Malformed, Reader};
use crate::scram::{Offer, ScramError, ScramKeys, ServerFirst};
use crate::startup::{ArrivalError, Arrived, turn_away};
use crate::stream::Stream;

/// Makes the client prove that it is `arrived.user`. On success AuthenticationOk has not been sent
/// yet; on failure the client has been told. Not cancel safe: drop the connection with it.
pub async fn authenticate(
    arrived: &mut Arrived,
    method: Method<'_>,
    deadline: Instant,
) -> Result<Proven, ArrivalError> {
    let outcome = timeout_at(deadline, prove(arrived, method)).await;
    let error = match outcome {
        Ok(Ok(how)) => return Ok(Proven::new(&arrived.user, how)),
        Ok(Err(error)) => error,
        Err(_) => ArrivalError::TimedOut,
    };
    match &error {
        ArrivalError::Refused(error) => turn_away(&mut arrived.stream, error).await,
        ArrivalError::TimedOut => {
            let late = ClientError::fatal(
                SqlState::QUERY_CANCELED,
                "canceling authentication due to timeout",
            );
            turn_away(&mut arrived.stream, &late).await;
        }
        ArrivalError::Disconnected | ArrivalError::Tls(_) | ArrivalError::Io(_) => {}
    }
    Err(error)
}

async fn prove(arrived: &mut Arrived, method: Method<'_>) -> Result<How, ArrivalError> {
    let end_point = arrived.tls.as_ref().and_then(|tls| tls.end_point.clone());
    let offer = end_point.map_or(Offer::Plain, Offer::Bound);
    let (stream, user) = (&mut arrived.stream, arrived.user.as_str());
    match method {
        Method::Scram(verifier) => {
            scram(stream, user, ServerFirst::new(verifier, offer)).await.map(How::Scram)
        }
        Method::ScramMock(secret) => {
            scram(stream, user, ServerFirst::mock(&secret.0, user, offer)).await.map(How::Scram)
        }
        Method::Md5(hash) => md5(stream, user, hash).await.map(How::Md5),
        Method::Certificate => certificate(arrived).map(|()| How::Certificate),
        Method::Trust => Ok(How::Trust),
        Method::Reject(error) => Err(error.into()),
    }
}

async fn scram(
    stream: &mut Stream,
    user: &str,
    first: ServerFirst,
) -> Result<ScramKeys, ArrivalError> {
    let refused = |error: ScramError| ArrivalError::Refused(error.to_client(user));
    let mechanisms = first.offer().mechanisms();
    let offered = mechanisms.iter().map(|&name| name.to_owned()).collect();
    ask(stream, &Authentication::SASL(offered)).await?;

    let response = SaslInitialResponse::read(&read(stream).await?)
        .map_err(|_| protocol_violation("invalid SASLInitialResponse message"))?;
    if !mechanisms.contains(&response.mechanism.as_str()) {
        return Err(
            protocol_violation("client selected an invalid SASL authentication mechanism").into()
        );
    }
    let client_first = match response.client_first {
        Some(client_first) => client_first,
        None => {
            ask(stream, &Authentication::SASLContinue(Bytes::new())).await?;
            read(stream).await?
        }
    };
    let (last, server_first) = first.answer(&response.mechanism, &client_first).map_err(refused)?;
    ask(stream, &Authentication::SASLContinue(server_first.into())).await?;

    let client_final = read(stream).await?;
    let (keys, server_final) = last.verify(&client_final).map_err(refused)?;
    ask(stream, &Authentication::SASLFinal(server_final.into())).await?;
    Ok(keys)
}

/// How a client begins: the mechanism that it chose, and client-first unless it waits to be asked.
#[derive(Debug, PartialEq, Eq)]
pub struct SaslInitialResponse {
    pub mechanism: String,
    pub client_first: Option<Vec<u8>>,
}

impl SaslInitialResponse {
    pub fn read(body: &[u8]) -> Result<SaslInitialResponse, Malformed> {
        let mut reader = Reader::new(body);
        let mechanism = String::from_utf8_lossy(reader.string()?).into_owned();
        let client_first = reader.value()?.map(<[u8]>::to_vec);
        reader.end()?;
        Ok(SaslInitialResponse { mechanism, client_first })
    }
}

async fn md5(stream: &mut Stream, user: &str, hash: Md5Hash) -> Result<Md5Hash, ArrivalError> {
    let salt: [u8; SALT_BYTES] = rand::random();
    ask(stream, &Authentication::MD5Password(salt.to_vec())).await?;
    let body = read(stream).await?;
    let mut reader = Reader::new(&body);
    let response = reader.string().and_then(|response| reader.end().map(|()| response));
    let response = response.map_err(|_| protocol_violation("invalid password packet size"))?;
    if hash.accepts(salt, response) {
        return Ok(hash);
    }
    Err(ArrivalError::Refused(ScramError::WrongProof.to_client(user)))
}

fn certificate(arrived: &Arrived) -> Result<(), ArrivalError> {
    let shown = arrived.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref());
    let Some(shown) = shown else {
        return Err(ArrivalError::Refused(ClientError::fatal(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "connection requires a valid client certificate",
        )));
    };
    if shown.common_name() == Some(arrived.user.as_str()) {
        return Ok(());
    }
    Err(ArrivalError::Refused(
        ClientError::fatal(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("certificate authentication failed for user \"{}\"", arrived.user),
        )
        .with_hint("The common name of the certificate must be the user name."),
    ))
}

async fn ask(stream: &mut Stream, request: &Authentication) -> Result<(), ArrivalError> {
    let mut out = BytesMut::new();
    put(&mut out, request);
    stream.send(&out).await.map_err(|error| ArrivalError::from(ReadError::Io(error)))
}

async fn read(stream: &mut Stream) -> Result<Vec<u8>, ArrivalError> {
    match exact::message(stream, PASSWORD_TAG, CLIENT_LOGIN_MESSAGE_BYTES_MAX).await {
        Ok(body) => Ok(body),
        Err(ReadError::Unexpected(tag)) => {
            Err(protocol_violation(format!("expected password response, got message type {tag}"))
                .into())
        }
        Err(error) => Err(error.into()),
    }
}

fn protocol_violation(message: impl Into<std::borrow::Cow<'static, str>>) -> ClientError {
    ClientError::fatal(SqlState::PROTOCOL_VIOLATION, message)
}
