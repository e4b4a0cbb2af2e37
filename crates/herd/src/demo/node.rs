//! One embedded PostgreSQL server: made, started, found running, stopped.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio_postgres::NoTls;

use super::binaries::Binaries;
use super::directory::NodeState;
use super::owner::Owner;

/// The role, its password and its database, for clients and for Herd's own work.
pub const ACCOUNT: &str = "herd";

/// `ACCOUNT` as a password: initdb stores a verifier as it is, so every node has the same one and
/// SCRAM passes through from the client. The password is public, so may be its verifier.
const VERIFIER: &str = "SCRAM-SHA-256$4096:W5/oTyHPRR3oOpkSjDuGmA==$\
    VjiryNF/3O+dnkCYhl7q+fthqMBNWKuAgPzJjwR9UJo=:IV3wX6zfI9i3qStMGkn3FbwzsKkc2tDIZVWlUUgxfF8=";

const SETTINGS_FILE: &str = "herd.conf";
const START_SECONDS_MAX: u64 = 60;
const STOP_SECONDS_MAX: u64 = 60;

/// How long a killed server's children may hold its shared memory.
const LEFTOVERS_MAX: Duration = Duration::from_secs(10);
const LEFTOVERS_RETRY: Duration = Duration::from_millis(250);

/// What starting and stopping servers takes.
#[derive(Clone, Debug)]
pub struct Tools {
    pub binaries: Binaries,
    pub owner: Owner,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    data: PathBuf,
    log: PathBuf,
}

impl Node {
    pub fn new(name: String, folder: &Path) -> Node {
        let data = folder.join(&name);
        let log = folder.join(format!("{name}.log"));
        Node { name, data, log }
    }

    pub fn is_initialised(&self) -> bool {
        self.data.exists()
    }

    /// initdb, under another name until it is complete.
    pub fn initialise(&self, tools: &Tools) -> Result<()> {
        let new = self.data.with_extension("new");
        if new.exists() {
            fs::remove_dir_all(&new)
                .with_context(|| format!("cannot remove the unfinished {}", new.display()))?;
        }
        let verifier = self.data.with_extension("verifier");
        write(&verifier, VERIFIER, tools)?;
        let mut initdb = self.command(tools, "initdb");
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"]);
        initdb.arg(format!("--username={ACCOUNT}")).arg("--pwfile").arg(&verifier);
        initdb.arg("--pgdata").arg(&new);
        let made = run(initdb).with_context(|| format!("cannot make the data of {}", self.name));
        fs::remove_file(&verifier).context("cannot remove the password file of initdb")?;
        made?;
        let settings = new.join("postgresql.conf");
        let mut text = fs::read_to_string(&settings)
            .with_context(|| format!("cannot read {}", settings.display()))?;
        text.push_str(&format!("\ninclude = '{SETTINGS_FILE}'\n"));
        write(&settings, &text, tools)?;
        fs::rename(&new, &self.data)
            .with_context(|| format!("cannot move {} into place", new.display()))
    }

    /// The port of the server if it runs.
    pub fn running_port(&self, tools: &Tools) -> Result<Option<u16>> {
        const PORT_LINE: usize = 3;
        if !self.is_running(tools)? {
            return Ok(None);
        }
        let file = self.data.join("postmaster.pid");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let port = text.lines().nth(PORT_LINE).and_then(|line| line.trim().parse().ok());
        port.map(Some).with_context(|| format!("no port in {}", file.display()))
    }

    pub fn start(&self, tools: &Tools, port: u16) -> Result<()> {
        write(&self.data.join(SETTINGS_FILE), &settings(port), tools)?;
        let deadline = Instant::now() + LEFTOVERS_MAX;
        loop {
            let log_start = fs::metadata(&self.log).map_or(0, |log| log.len());
            let mut start = self.command(tools, "pg_ctl");
            start.args(["start", "--wait", "--silent"]);
            start.arg(format!("--timeout={START_SECONDS_MAX}")).arg("--log").arg(&self.log);
            start.arg("--pgdata").arg(&self.data);
            let Err(error) = run(start) else { return Ok(()) };
            let log = self.log_since(log_start);
            let leftovers = log.contains("shared memory block") && log.contains("still in use");
            if !leftovers || Instant::now() > deadline {
                return Err(error.context(format!("cannot start {}: {}", self.name, log.trim())));
            }
            thread::sleep(LEFTOVERS_RETRY);
        }
    }

    /// Waits until the server is gone. One that does not run is left alone.
    pub fn stop(&self, tools: &Tools) -> Result<()> {
        if !self.is_initialised() || !self.is_running(tools)? {
            return Ok(());
        }
        let stop = |mode: &str| {
            let mut stop = self.command(tools, "pg_ctl");
            stop.args(["stop", "--wait", "--silent", "--mode", mode]);
            stop.arg(format!("--timeout={STOP_SECONDS_MAX}")).arg("--pgdata").arg(&self.data);
            run(stop)
        };
        if stop("fast").is_ok() || !self.is_running(tools)? {
            return Ok(());
        }
        stop("immediate").with_context(|| format!("cannot stop {}", self.name))
    }

    fn is_running(&self, tools: &Tools) -> Result<bool> {
        const NOT_RUNNING: i32 = 3;
        let mut status = self.command(tools, "pg_ctl");
        status.arg("status").arg("--pgdata").arg(&self.data);
        let output = status.output().context("cannot run pg_ctl")?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(NOT_RUNNING) => Ok(false),
            _ => bail!(
                "cannot tell whether {} runs: {}",
                self.name,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }

    fn log_since(&self, start: u64) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or(log.len()).min(log.len());
        String::from_utf8_lossy(&log[start..]).into_owned()
    }

    fn command(&self, tools: &Tools, program: &str) -> Command {
        let directory = self.data.parent().expect("a node's data is in the directory of nodes");
        tools.owner.command(&tools.binaries.path(program), directory)
    }
}

/// Creates the account's database where it is missing.
pub async fn create_databases(nodes: &[NodeState]) -> Result<()> {
    for node in nodes {
        create_database(node.port)
            .await
            .with_context(|| format!("cannot create database {ACCOUNT} on {}", node.name))?;
    }
    Ok(())
}

async fn create_database(port: u16) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::Config::new()
        .host(Ipv4Addr::LOCALHOST.to_string())
        .port(port)
        .user(ACCOUNT)
        .password(ACCOUNT)
        .dbname("postgres")
        .connect(NoTls)
        .await?;
    let connection = tokio::spawn(connection);
    let exists = client
        .query_opt("SELECT FROM pg_catalog.pg_database WHERE datname = $1", &[&ACCOUNT])
        .await?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {ACCOUNT}")).await?;
    }
    drop(client);
    connection.await.expect("a connection ends with a result, not a panic")
}

/// `herd.conf`, written at each start.
fn settings(port: u16) -> String {
    format!(
        "# Written by `herd demo` at each start.\n\
         listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = ''\n\
         max_connections = 200\n\
         shared_buffers = '64MB'\n\
         jit = off\n\
         wal_level = logical\n\
         max_prepared_transactions = 200\n\
         password_encryption = 'scram-sha-256'\n\
         log_line_prefix = '%m [%p] %q%u@%d '\n"
    )
}

fn write(file: &Path, text: &str, tools: &Tools) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    tools.owner.give(file)
}

fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    bail!("{program}: {}: {}", output.status, String::from_utf8_lossy(&text).trim())
}
