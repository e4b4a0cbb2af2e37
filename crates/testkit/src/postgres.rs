//! A PostgreSQL server in a temporary directory, gone when it is dropped or the test process ends.

use std::env;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};

use crate::binaries::{binary_directory, psql};

const START_WAIT_MAX: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(20);
/// Another process may take a port between its choice and the server's start.
const START_ATTEMPTS_MAX: usize = 5;

/// Who runs the servers when the tests run as root, whom PostgreSQL refuses.
const SERVER_USER: &str = "postgres";

/// Runs a server until its standard input ends, which it does however the test process ends.
const WATCHDOG: &str = r#"
    dir=$1; shift
    "$@" </dev/null >"$dir/log" 2>&1 & server=$!
    read -r _
    kill -QUIT $server
    wait $server
    rm -rf "$dir"
"#;

/// A server for one test, or for the tests of one file in a `LazyLock`.
///
/// The superuser is `postgres`, without a password; the database is `postgres`, in UTF-8 with
/// locale C. Nothing is synced to disk.
pub struct TempPostgres {
    directory: PathBuf,
    port: u16,
    watchdog: Child,
}

impl TempPostgres {
    /// Starts a server with these `name=value` settings beside its own.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> TempPostgres {
        for _ in 0..START_ATTEMPTS_MAX {
            let directory = make_data_directory();
            let port = free_port();
            let watchdog = spawn(&directory, port, settings);
            let mut server = TempPostgres { directory, port, watchdog };
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("PostgreSQL did not start:\n{log}"),
            }
        }
        panic!("no free port for PostgreSQL in {START_ATTEMPTS_MAX} attempts");
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As libpq and tokio-postgres read it.
    #[must_use]
    pub fn dsn(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    /// The directory of the cluster, with the server's Unix socket in it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What psql prints for the statements, rows as lines and columns between tabs; NULL is empty.
    ///
    /// # Panics
    /// When a statement fails.
    #[must_use]
    pub fn psql(&self, sql: &str) -> String {
        let mut psql = Command::new(psql())
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--field-separator=\t", "--set=ON_ERROR_STOP=1", "--dbname", &self.dsn()])
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql can be run");
        let mut stdin = psql.stdin.take().expect("its input is piped");
        let output = thread::scope(|scope| {
            // It may end before it has read everything; then its output tells why.
            scope.spawn(move || stdin.write_all(sql.as_bytes()));
            psql.wait_with_output().expect("psql can be waited for")
        });
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql failed: {error}");
        String::from_utf8(output.stdout).expect("the database is in UTF-8")
    }

    /// The error is the server's log.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_WAIT_MAX;
        let ready_line = "database system is ready to accept connections";
        loop {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            if log.contains(ready_line) {
                return Ok(());
            }
            if log.contains("FATAL:") || Instant::now() > deadline {
                return Err(log);
            }
            thread::sleep(START_POLL);
        }
    }
}

impl Drop for TempPostgres {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        // A watchdog that cannot be waited for still ends the server.
        let _ = self.watchdog.wait();
    }
}

fn spawn(directory: &Path, port: u16, settings: &[&str]) -> Child {
    let mut command = as_server_user("sh", directory);
    command.args(["-c", WATCHDOG, "watchdog"]).arg(directory);
    command.arg(binary_directory().join("postgres")).arg("-D").arg(directory);
    for setting in ["fsync=off", "listen_addresses=127.0.0.1", "max_wal_size=256MB"] {
        command.args(["-c", setting]);
    }
    command.args(["-c", &format!("port={port}")]);
    command.args(["-c", &format!("unix_socket_directories={}", directory.display())]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh can be run")
}

fn make_data_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("herd-test-pg-{}-{number}", std::process::id());
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory).expect("the temporary directory is writable");
    if let Some(user) = server_user() {
        chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .expect("root may change owners");
    }
    let output = as_server_user(binary_directory().join("initdb"), &directory)
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
        .args(["--no-sync", "--no-instructions", "--pgdata"])
        .arg(&directory)
        .output()
        .expect("initdb can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "initdb failed: {error}");
    directory
}

fn as_server_user(program: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory);
    if let Some(user) = server_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// `None`: the user of the tests will do.
fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let user = User::from_name(SERVER_USER).expect("the user database can be read");
    Some(user.unwrap_or_else(|| panic!("root needs a user {SERVER_USER} to run PostgreSQL")))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_server_is_gone_with_its_directory() {
        let server = TempPostgres::start(&["max_prepared_transactions=3"]);
        let directory = server.directory().to_owned();
        let port = server.port();
        assert_eq!(server.psql("show max_prepared_transactions").trim(), "3");
        drop(server);
        assert!(!directory.exists());
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
