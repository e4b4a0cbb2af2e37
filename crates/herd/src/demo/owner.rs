//! The operating-system user that the embedded servers run as: PostgreSQL refuses root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::{User, geteuid};

const SERVER_USER: &str = "postgres";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever runs Herd.
    Same,
    Other {
        name: String,
        uid: u32,
        gid: u32,
    },
}

impl Owner {
    pub fn choose() -> Result<Owner> {
        if !geteuid().is_root() {
            return Ok(Owner::Same);
        }
        let user = User::from_name(SERVER_USER).context("cannot look up users")?;
        let Some(user) = user else {
            bail!(
                "as root, the embedded servers run as user {SERVER_USER}, which does not exist: \
                 install Debian's postgresql-15, make the user, or run as another user"
            );
        };
        Ok(Owner::Other { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    /// A command that runs as this user, in its own process group so that Ctrl-C on the terminal
    /// reaches Herd alone, and without the settings of the caller's libpq.
    pub fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory).process_group(0);
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(variable);
            }
        }
        command.env("LC_ALL", "C");
        if let Owner::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    pub fn give(&self, path: &Path) -> Result<()> {
        match self {
            Owner::Same => Ok(()),
            Owner::Other { name, uid, gid } => chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} to user {name}", path.display())),
        }
    }

    /// Says so when the directory lies below one that only root may enter.
    pub fn check_reach(&self, directory: &Path) -> Result<()> {
        let Owner::Other { name, .. } = self else { return Ok(()) };
        let root = Path::new("/");
        let reached = self.command(Path::new("test"), root).arg("-w").arg(directory).status();
        if reached.context("cannot run test")?.success() {
            return Ok(());
        }
        bail!(
            "user {name}, as which the embedded servers run, cannot reach {}: choose a directory \
             below one that everyone may enter, such as /tmp or /var/lib",
            directory.display()
        )
    }
}
