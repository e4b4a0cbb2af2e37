//! Where the PostgreSQL server's programs are.

use std::env;
use std::fs;
use std::path::PathBuf;

const DEBIAN_DIRECTORY: &str = "/usr/lib/postgresql";

/// The directory in `PG_BIN`, or that of the newest version installed.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary_directory() -> PathBuf {
    if let Some(directory) = env::var_os("PG_BIN") {
        return directory.into();
    }
    newest_installed().unwrap_or_else(|| {
        panic!("no PostgreSQL server in {DEBIAN_DIRECTORY}: install one, or set PG_BIN")
    })
}

/// The client beside the server; some server packages have none, and any version will do.
pub(crate) fn psql() -> PathBuf {
    let beside = binary_directory().join("psql");
    if beside.exists() { beside } else { "psql".into() }
}

fn newest_installed() -> Option<PathBuf> {
    fs::read_dir(DEBIAN_DIRECTORY)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let directory = entry.path().join("bin");
            directory.join("initdb").exists().then_some((version, directory))
        })
        .max()
        .map(|(_, directory)| directory)
}
