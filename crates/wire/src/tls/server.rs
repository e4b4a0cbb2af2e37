//! Herd as the server of TLS: its certificate, and which clients it believes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use herd_types::{ClientError, SqlState};
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{TlsError, authorities, certificates, private_key};
use super::{ALPN_POSTGRESQL, EndPoint};

/// Where the certificate lies, and what is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub clients: ClientCertificates,
}

/// Whether clients show certificates, and who must have signed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    Ignored,
    Allowed { authority: PathBuf },
    Required { authority: PathBuf },
}

/// A certificate with its key, ready to accept connections. Cheap to clone; load it anew when the
/// files have changed.
#[derive(Clone)]
pub struct TlsIdentity {
    acceptor: TlsAcceptor,
    end_point: Option<EndPoint>,
}

impl TlsIdentity {
    pub fn load(files: &TlsFiles) -> Result<TlsIdentity, TlsError> {
        let chain = certificates(&files.certificate)?;
        let key = private_key(&files.key)?;
        let end_point = chain.first().and_then(|certificate| EndPoint::of(certificate));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let verifier = |authority| -> Result<_, TlsError> {
            let roots = Arc::new(authorities(authority)?);
            Ok(WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)))
        };
        let builder = match &files.clients {
            ClientCertificates::Ignored => builder.with_no_client_auth(),
            ClientCertificates::Allowed { authority } => builder
                .with_client_cert_verifier(verifier(authority)?.allow_unauthenticated().build()?),
            ClientCertificates::Required { authority } => {
                builder.with_client_cert_verifier(verifier(authority)?.build()?)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec()];
        // PostgreSQL does not resume sessions either; tickets would only cost memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsIdentity { acceptor: TlsAcceptor::from(Arc::new(config)), end_point })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity(…)")
    }
}

/// What a finished handshake proved.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    pub client_certificate: Option<ClientCertificate>,
    /// Of Herd's own certificate, for SCRAM-SHA-256-PLUS.
    pub end_point: Option<EndPoint>,
}

impl TlsFacts {
    pub(crate) fn of(
        session: &ServerConnection,
        identity: &TlsIdentity,
    ) -> Result<TlsFacts, ClientError> {
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let client_certificate = shown.map(|shown| ClientCertificate::read(shown)).transpose()?;
        Ok(TlsFacts { client_certificate, end_point: identity.end_point.clone() })
    }
}

/// Whom a client's certificate names. It was verified against the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The only common name; one of several would be a guess.
    common_name: Option<String>,
    alternative_names: Vec<String>,
}

impl ClientCertificate {
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// DNS names, mail addresses and URIs.
    #[must_use]
    pub fn alternative_names(&self) -> &[String] {
        &self.alternative_names
    }

    fn read(certificate: &[u8]) -> Result<ClientCertificate, ClientError> {
        let unreadable = || {
            ClientError::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "the client certificate cannot be read",
            )
        };
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| unreadable())?;
        let mut common_names = parsed.subject().iter_common_name();
        let common_name = match (common_names.next(), common_names.next()) {
            (Some(only), None) => only.as_str().ok(),
            _ => None,
        };
        let alternative = parsed.subject_alternative_name().map_err(|_| unreadable())?;
        let alternative_names = alternative
            .map(|extension| extension.value.general_names.iter().filter_map(name_of).collect())
            .unwrap_or_default();
        // A zero byte would make the rest of the name invisible to whoever compares C strings.
        let common_name = common_name.filter(|name| !name.contains('\0')).map(str::to_owned);
        Ok(ClientCertificate { common_name, alternative_names })
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        _ => None,
    }
}
