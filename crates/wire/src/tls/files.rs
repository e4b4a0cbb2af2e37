//! Certificates and keys from PEM files.

use std::path::{Path, PathBuf};

use herd_types::SqlState;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::VerifierBuilderError;
use thiserror::Error;

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Pem { path: PathBuf, source: pem::Error },
    #[error("{} holds no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} is not a certificate authority: {source}", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("no certificate authority of this system can be read")]
    NoSystemAuthorities,
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    #[error("certificates cannot be verified: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl TlsError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            TlsError::Pem { .. } => SqlState::IO_ERROR,
            TlsError::NoCertificate { .. }
            | TlsError::Authority { .. }
            | TlsError::NoSystemAuthorities
            | TlsError::Unusable(_)
            | TlsError::Verifier(_) => SqlState::INVALID_PARAMETER_VALUE,
        }
    }
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Pem { path: path.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(|chain| chain.collect::<Result<Vec<_>, _>>())
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })
}

/// Every certificate of the file, as one that may sign others.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

/// Whom this machine trusts.
pub(super) fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(TlsError::NoSystemAuthorities) } else { Ok(roots) }
}
