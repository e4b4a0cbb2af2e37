//! Where PostgreSQL's server programs are, and which version they have.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];
const MAJOR_MIN: u32 = 15;
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// `PG_BIN` when it is set, else what `pg_config` says, else the newest of Debian's packages.
    pub fn find() -> Result<Binaries> {
        if let Some(directory) = env::var_os("PG_BIN").map(PathBuf::from) {
            if !is_complete(&directory) {
                let needed = NEEDED.join(", ");
                bail!("PG_BIN = {}: no {needed} in this directory", directory.display());
            }
            return Binaries::of(directory);
        }
        let Some(directory) = from_pg_config().or_else(newest_of_debian) else {
            bail!(
                "PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found: install \
                 them, on Debian with `apt-get install postgresql-15`, or set PG_BIN to their \
                 directory"
            );
        };
        Binaries::of(directory)
    }

    pub fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    fn of(directory: PathBuf) -> Result<Binaries> {
        let program = directory.join("postgres");
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let major = major(&text)
            .with_context(|| format!("{} --version says {text:?}", program.display()))?;
        if major < MAJOR_MIN {
            bail!(
                "{} is {text}: Herd needs PostgreSQL {MAJOR_MIN} or newer; set PG_BIN to the \
                 directory of one",
                program.display()
            );
        }
        Ok(Binaries { directory, major })
    }
}

fn is_complete(directory: &Path) -> bool {
    NEEDED.iter().all(|program| directory.join(program).is_file())
}

/// `pg_config` comes with the client library, so it may name a directory without a server.
fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    is_complete(&directory).then_some(directory)
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = Path::new(DEBIAN_ROOT).read_dir().ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major: u32 = entry.file_name().to_str()?.parse().ok()?;
            let directory = entry.path().join("bin");
            is_complete(&directory).then_some((major, directory))
        })
        .max()
        .map(|(_, directory)| directory)
}

/// From `postgres (PostgreSQL) 15.20 (Debian …)`, `… 18beta1` or `… 17devel`.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        assert_eq!(major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18.1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19beta2"), Some(19));
        assert_eq!(major("postgres"), None);
    }
}
