//! A dependency that others should not feel is named in one place only.

use super::Breach;
use super::source::Sources;

/// The crate and where it may be named.
const SEAMS: [(&str, &str); 8] = [
    ("sqlparser", "crates/plan/src/parse/"),
    ("pgwire", "crates/wire/src/"),
    ("rustls", "crates/wire/src/"),
    ("redb", "crates/store/src/"),
    ("bb8", "crates/sidecar/src/control/"),
    ("bb8_postgres", "crates/sidecar/src/control/"),
    ("tokio_postgres_rustls", "crates/sidecar/src/control/"),
    ("axum", "crates/http/src/"),
];

pub fn check(sources: &Sources) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in &sources.0 {
        for (dependency, seam) in SEAMS {
            let path = source.paths.iter().find(|path| begins_with(path, dependency));
            if let Some(path) = path.filter(|_| !source.path.starts_with(seam)) {
                let message = format!("names {path}: {dependency} is for {seam} alone");
                breaches.push(Breach::new(&source.path, message));
            }
        }
    }
    breaches
}

fn begins_with(path: &str, dependency: &str) -> bool {
    path.split("::").next() == Some(dependency)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn breaches(path: &str, text: &str) -> usize {
        check(&Sources::parse(&Tree::of([(path, text)])).unwrap()).len()
    }

    #[test]
    fn only_the_seam_names_the_dependency() {
        let text = "use sqlparser::ast::{Expr, Query};";
        assert_eq!(breaches("crates/plan/src/parse/mod.rs", text), 0);
        assert_eq!(breaches("crates/plan/src/analyse/mod.rs", text), 1);
        assert_eq!(breaches("crates/plan/src/analyse/mod.rs", "use sqlparser_like::A;"), 0);
    }
}
