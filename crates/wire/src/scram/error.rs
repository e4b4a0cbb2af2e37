//! What can be wrong with a SCRAM exchange.

use herd_types::{ClientError, SqlState};
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScramError {
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    #[error("SCRAM nonce does not match")]
    NonceMismatch,
    #[error("client uses authorization identity, but it is not supported")]
    AuthorizationIdentity,
    #[error("client requires an unsupported SCRAM extension")]
    RequiredExtension,
    #[error("unsupported SCRAM channel-binding type")]
    UnsupportedBinding,
    #[error("SCRAM mechanism and channel-binding flag do not go together")]
    BindingOutOfPlace,
    #[error("SCRAM channel binding negotiation error")]
    BindingDowngraded,
    #[error("SCRAM channel binding check failed")]
    BindingMismatch,
    #[error("the password is wrong")]
    WrongProof,
    #[error("server refused the SCRAM exchange")]
    ServerRefused,
    #[error("server did not prove that it knows the password")]
    WrongServerSignature,
    #[error("server asks for {iterations} SCRAM iterations, at most {iterations_max} are done")]
    TooManyIterations { iterations: u32, iterations_max: u32 },
    #[error("the role's password verifier differs from the one that the client logged in with")]
    VerifierDiffers,
}

impl ScramError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ScramError::Malformed(_)
            | ScramError::NonceMismatch
            | ScramError::UnsupportedBinding
            | ScramError::BindingOutOfPlace
            | ScramError::TooManyIterations { .. } => SqlState::PROTOCOL_VIOLATION,
            ScramError::AuthorizationIdentity | ScramError::RequiredExtension => {
                SqlState::FEATURE_NOT_SUPPORTED
            }
            ScramError::BindingDowngraded | ScramError::BindingMismatch => {
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            }
            ScramError::WrongProof
            | ScramError::ServerRefused
            | ScramError::WrongServerSignature
            | ScramError::VerifierDiffers => SqlState::INVALID_PASSWORD,
        }
    }

    /// In the words in which PostgreSQL tells a client.
    #[must_use]
    pub fn to_client(self, user: &str) -> ClientError {
        let error = |message| ClientError::fatal(self.sqlstate(), message);
        match self {
            ScramError::WrongProof => ClientError::fatal(
                self.sqlstate(),
                format!("password authentication failed for user \"{user}\""),
            ),
            ScramError::Malformed(detail) => error("malformed SCRAM message").with_detail(detail),
            ScramError::NonceMismatch => {
                error("invalid SCRAM response").with_detail("Nonce does not match.")
            }
            ScramError::BindingDowngraded => error("SCRAM channel binding negotiation error")
                .with_detail(
                    "The client supports SCRAM channel binding but thinks the server does not. \
                     However, this server does support channel binding.",
                ),
            _ => ClientError::fatal(self.sqlstate(), self.to_string()),
        }
    }
}
