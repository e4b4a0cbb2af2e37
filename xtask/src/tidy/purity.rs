//! Pure crates: no I/O, no clock, no randomness, no runtime; values in, values out.

use super::Breach;
use super::source::Sources;

const PURE_CRATES: [&str; 5] = ["types", "config", "catalog", "plan", "merge"];

/// By path from its first segment on. Addresses as values are fine, sockets are not.
const IMPURE: [&str; 17] = [
    "tokio",
    "rand",
    "getrandom",
    "socket2",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::env",
    "std::process",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
];

pub fn check(sources: &Sources) -> Vec<Breach> {
    let pure = |path: &str| {
        PURE_CRATES.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")))
    };
    let breach = |path: &str, named: &str| {
        Breach::new(path, format!("names {named} in a pure crate: let the caller pass it in"))
    };
    sources
        .0
        .iter()
        .filter(|source| pure(&source.path))
        .flat_map(|source| {
            let impure = source.paths.iter().filter(|path| is_impure(path));
            impure.map(|path| breach(&source.path, path)).collect::<Vec<_>>()
        })
        .collect()
}

fn is_impure(path: &str) -> bool {
    IMPURE.iter().any(|impure| {
        path.strip_prefix(impure).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn breaches(path: &str, text: &str) -> usize {
        check(&Sources::parse(&Tree::of([(path, text)])).unwrap()).len()
    }

    #[test]
    fn a_pure_crate_names_no_clock_no_socket_and_no_file() {
        let text = "use std::net::{IpAddr, TcpStream};\nuse std::time::{Duration, Instant};\n\
                    fn f() { std::fs::read(\"x\"); tokio::spawn(g()); }";
        assert_eq!(breaches("crates/plan/src/a.rs", text), 4);
        assert_eq!(breaches("crates/node/src/a.rs", text), 0);
    }

    #[test]
    fn a_longer_name_is_another_name() {
        assert_eq!(breaches("crates/plan/src/a.rs", "use tokio_postgres::types::Oid;"), 0);
        assert_eq!(breaches("crates/plan/src/a.rs", "use std::fs_like::A;"), 0);
    }
}
