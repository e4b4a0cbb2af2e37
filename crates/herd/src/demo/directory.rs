//! The directory of a demo: who holds it, and what it remembers between runs.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

const STATE_FILE: &str = "demo.toml";
const LOCK_FILE: &str = "lock";

/// `DIR`, held by this process alone until it is dropped or the process dies.
pub struct Directory {
    path: PathBuf,
    _lock: Flock<File>,
}

/// `DIR/demo.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The major version of the servers that made the data.
    pub postgresql: u32,
    /// Whether the sample was loaded to its end.
    pub sample: bool,
    pub nodes: Vec<NodeState>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    pub name: String,
    /// On 127.0.0.1.
    pub port: u16,
}

impl Directory {
    pub fn open(path: &Path) -> Result<Directory> {
        let told = || format!("cannot use the directory {}", path.display());
        fs::create_dir_all(path).with_context(told)?;
        let path = path.canonicalize().with_context(told)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .with_context(told)?;
        let Ok(lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
            bail!("another Herd uses the directory {}", path.display());
        };
        Ok(Directory { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the servers' data and logs are.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes")
    }

    /// Where Herd keeps its catalog.
    pub fn catalog(&self) -> PathBuf {
        self.path.join("herd")
    }

    /// `None` on the first use.
    pub fn state(&self) -> Result<Option<State>> {
        let file = self.path.join(STATE_FILE);
        if !file.exists() {
            return Ok(None);
        }
        let told = || format!("cannot read {}", file.display());
        let text = fs::read_to_string(&file).with_context(told)?;
        toml::from_str(&text).map(Some).with_context(told)
    }

    /// Replaces the file as a whole: a crash leaves the old state or the new.
    pub fn remember(&self, state: &State) -> Result<()> {
        let file = self.path.join(STATE_FILE);
        let new = self.path.join("demo.toml.new");
        let told = || format!("cannot write {}", file.display());
        fs::write(&new, toml::to_string(state).with_context(told)?).with_context(told)?;
        fs::rename(&new, &file).with_context(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_uses_a_directory_and_state_survives() {
        let path = std::env::temp_dir().join(format!("herd-directory-{}", std::process::id()));
        let directory = Directory::open(&path).unwrap();
        assert!(Directory::open(&path).is_err());
        assert_eq!(directory.state().unwrap(), None);
        let nodes = vec![NodeState { name: "n1".to_owned(), port: 20_001 }];
        let state = State { postgresql: 15, sample: true, nodes };
        directory.remember(&state).unwrap();
        drop(directory);
        assert_eq!(Directory::open(&path).unwrap().state().unwrap(), Some(state));
        fs::remove_dir_all(&path).unwrap();
    }
}
