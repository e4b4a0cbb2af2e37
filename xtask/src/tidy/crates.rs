//! Which crate may use which, and that all keep the workspace's lints.

use anyhow::{Context, Result};
use toml::Table;

use super::Breach;
use super::tree::Tree;

/// Each crate with those it may use: all of them stand above it.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("types", &[]),
    ("config", &["types"]),
    ("catalog", &["types"]),
    ("plan", &["types", "catalog"]),
    ("merge", &["types"]),
    ("wire", &["types"]),
    ("node", &["types", "config", "catalog", "wire"]),
    ("execute", &["types", "config", "catalog", "plan", "merge", "wire", "node"]),
    ("session", &["types", "config", "catalog", "plan", "wire", "node", "execute"]),
    ("store", &["types", "catalog"]),
    ("sidecar", &["types", "config", "catalog", "wire", "node", "store"]),
    ("http", &["types", "config", "catalog", "sidecar"]),
    (
        "herd",
        &[
            "types", "config", "catalog", "plan", "merge", "wire", "node", "execute", "session",
            "store", "sidecar", "http",
        ],
    ),
    // For tests only: no crate may use them but as dev-dependencies.
    ("testkit", &[]),
    ("fuzz-entries", &["types", "config", "catalog", "plan", "wire", "execute"]),
];

pub fn check(tree: &Tree) -> Result<Vec<Breach>> {
    let mut breaches = Vec::new();
    for (path, text) in tree.files() {
        let manifest = path.strip_suffix("Cargo.toml").filter(|dir| dir.starts_with("crates/"));
        if let Some(directory) = manifest {
            let table: Table = text.parse().with_context(|| format!("cannot parse {path}"))?;
            let name = directory.trim_start_matches("crates/").trim_end_matches('/');
            breaches.extend(check_crate(name, path, &table));
        }
    }
    Ok(breaches)
}

fn check_crate(name: &str, path: &str, manifest: &Table) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(toml::Value::as_bool) != Some(true) {
        breaches.push(Breach::new(
            path,
            "does not keep the workspace's lints: [lints] workspace = true",
        ));
    }
    let Some((_, may_use)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        let message = "has no place among the crates: add it to xtask/src/tidy/crates.rs";
        breaches.push(Breach::new(path, message));
        return breaches;
    };
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flat_map(Table::keys) {
        let Some(used) = dependency.strip_prefix("herd-") else { continue };
        if !may_use.contains(&used) {
            breaches.push(Breach::new(path, format!("{name} may not use {used}")));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn breaches(name: &str, dependencies: &str) -> Vec<String> {
        let path = format!("crates/{name}/Cargo.toml");
        let text = format!("{LINTS}[dependencies]\n{dependencies}");
        let tree = Tree::of([(path.as_str(), text.as_str())]);
        check(&tree).unwrap().into_iter().map(|breach| breach.message).collect()
    }

    #[test]
    fn crates_use_only_what_stands_above_them() {
        for (index, (name, may_use)) in MAY_USE.iter().enumerate() {
            for used in *may_use {
                let above = MAY_USE[..index].iter().any(|(above, _)| above == used);
                assert!(above, "{name} may use {used}, which does not stand above it");
            }
        }
    }

    #[test]
    fn an_arrow_that_points_upwards_is_told() {
        assert_eq!(breaches("plan", "herd-catalog.workspace = true\nsmallvec = \"1\""), [""; 0]);
        let upwards = "herd-node.workspace = true\n[dev-dependencies]\nherd-execute = \"1\"";
        assert_eq!(breaches("plan", upwards), ["plan may not use node"]);
        assert!(breaches("unheard", "")[0].contains("has no place"));
    }

    #[test]
    fn every_crate_keeps_the_lints() {
        let tree = Tree::of([("crates/types/Cargo.toml", "[package]\nname = \"herd-types\"\n")]);
        assert!(check(&tree).unwrap()[0].message.contains("lints"));
    }
}
