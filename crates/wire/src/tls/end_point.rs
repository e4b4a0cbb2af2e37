//! Channel binding `tls-server-end-point` (RFC 5929): a hash of the server's certificate.

use std::fmt;

use ring::digest::{self, Algorithm, SHA256, SHA384, SHA512};
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, Oid,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

/// What both ends of a TLS connection know of the server's certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct EndPoint(Box<[u8]>);

impl EndPoint {
    /// `None` when the certificate's signature names no hash, as Ed25519 does not: then there is
    /// no such channel binding.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<EndPoint> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let hash = hash_of(&parsed.signature_algorithm)?;
        Some(EndPoint(digest::digest(hash, certificate).as_ref().into()))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EndPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndPoint({} bytes)", self.0.len())
    }
}

/// The hash of the signature, where MD5 and SHA-1 are replaced by SHA-256.
fn hash_of(signature: &AlgorithmIdentifier<'_>) -> Option<&'static Algorithm> {
    if let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(signature)
    {
        return hash_named(parameters.hash_algorithm_oid());
    }
    match signature.algorithm.to_id_string().as_str() {
        // md5, sha1 and sha256 with RSA; ECDSA with SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(&SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(&SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(&SHA512),
        _ => None,
    }
}

fn hash_named(oid: &Oid<'_>) -> Option<&'static Algorithm> {
    let hashes = [
        (OID_HASH_SHA1, &SHA256),
        (OID_NIST_HASH_SHA256, &SHA256),
        (OID_NIST_HASH_SHA384, &SHA384),
        (OID_NIST_HASH_SHA512, &SHA512),
    ];
    hashes.into_iter().find_map(|(name, hash)| (name == *oid).then_some(hash))
}
