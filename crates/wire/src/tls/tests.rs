//! Certificates made for tests.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;

/// A certificate with its key; as an authority it can sign others.
pub(crate) struct Authority {
    pub certificate: rcgen::Certificate,
    params: CertificateParams,
    key: KeyPair,
}

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Test authority");
    let key = KeyPair::generate().expect("randomness");
    let certificate = params.self_signed(&key).expect("valid parameters");
    Authority { certificate, params, key }
}

/// PEM files in a directory that goes away with it.
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// `ca.pem`; `server.pem` and `server.key` for localhost; `client.pem` and `client.key` for `name`.
pub(crate) fn files(client_name: &str) -> Files {
    let unique = format!("herd-wire-{}-{:016x}", std::process::id(), rand::random::<u64>());
    let files = Files { directory: std::env::temp_dir().join(unique) };
    std::fs::create_dir(&files.directory).expect("a fresh directory");
    let authority = authority();
    let issuer = Issuer::from_params(&authority.params, &authority.key);
    let write = |name: &str, pem: String| std::fs::write(files.path(name), pem).expect("writable");
    write("ca.pem", authority.certificate.pem());
    for (file, names, common_name) in
        [("server", vec!["localhost".to_owned()], "localhost"), ("client", vec![], client_name)]
    {
        let mut params = CertificateParams::new(names).expect("valid names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &issuer).expect("valid parameters");
        write(&format!("{file}.pem"), certificate.pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
    files
}

pub(crate) fn identity(files: &Files, clients: ClientCertificates) -> TlsIdentity {
    TlsIdentity::load(&TlsFiles {
        certificate: files.path("server.pem"),
        key: files.path("server.key"),
        clients,
    })
    .expect("good files")
}

#[test]
fn an_end_point_is_the_hash_of_the_certificate_by_the_hash_of_its_signature() {
    let certificate = authority().certificate;
    let expected = ring::digest::digest(&ring::digest::SHA256, certificate.der());
    let end_point = EndPoint::of(certificate.der()).expect("signed with SHA-256");
    assert_eq!(end_point.as_bytes(), expected.as_ref());
}

#[test]
fn a_signature_without_a_hash_of_its_own_gives_no_end_point() {
    let params = CertificateParams::new(Vec::new()).expect("no names");
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("randomness");
    let certificate = params.self_signed(&key).expect("valid parameters");
    assert_eq!(EndPoint::of(certificate.der()), None);
    assert_eq!(EndPoint::of(b"no certificate"), None);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let files = files("someone");
    let load = |certificate: &str, key: &str| {
        let files = TlsFiles {
            certificate: files.path(certificate),
            key: files.path(key),
            clients: ClientCertificates::Ignored,
        };
        TlsIdentity::load(&files).expect_err("bad files").to_string()
    };
    assert!(load("missing.pem", "server.key").contains("missing.pem"));
    assert!(load("server.key", "server.key").contains("holds no certificate"));
    assert!(load("server.pem", "ca.pem").contains("ca.pem"));
    assert!(load("server.pem", "client.key").contains("cannot be used"));
}
