//! `herd demo` as a new user meets it: the sample, the README's first ten minutes, and the end.

#![cfg(test)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const README: &str = include_str!("../../../README.md");
const READY_SECONDS_MAX: Duration = Duration::from_secs(180);

/// A running demo. Dropping it stops it and forgets its data.
struct Demo {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Demo {
    fn new() -> Demo {
        let name = format!("herd-demo-test-{}", std::process::id());
        Demo { directory: std::env::temp_dir().join(name), port: 0, child: None }
    }

    /// Returns what it told on the way to being ready.
    fn start(&mut self) -> String {
        self.port = free_port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_herd"))
            .args(["demo", "--nodes", "3", "--dir"])
            .arg(&self.directory)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--http", &format!("127.0.0.1:{}", free_port())])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = collect(child.stderr.take().unwrap());
        let (ready, is_ready) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        self.child = Some(child);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = ready.send(line);
            }
        });
        let first = is_ready.recv_timeout(READY_SECONDS_MAX);
        let told = told.lock().unwrap().join("\n");
        let first = first.unwrap_or_else(|_| panic!("it is not ready: {told}"));
        assert!(first.starts_with("herd: ready"), "{first}");
        told
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Standard output and error of psql, interleaved, for statements read as if typed.
    fn psql(&self, port: u16, input: &str) -> String {
        let script = self.directory.join("input.sql");
        fs::write(&script, input).unwrap();
        let target = format!("host=127.0.0.1 port={port} user=herd password=herd dbname=herd");
        let command = format!("psql --no-psqlrc --tuples-only --no-align '{target}' 2>&1");
        let output = Command::new("sh")
            .args(["-c", &command])
            .stdin(fs::File::open(&script).unwrap())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Summed over all nodes, asked directly.
    fn count_on_nodes(&self, table: &str) -> u64 {
        let state = fs::read_to_string(self.directory.join("demo.toml")).unwrap();
        let ports = state.lines().filter_map(|line| line.strip_prefix("port = "));
        let count = |port: &str| {
            let answer = self.psql(port.parse().unwrap(), &format!("SELECT count(*) FROM {table}"));
            answer.parse::<u64>().unwrap_or_else(|_| panic!("{answer}"))
        };
        ports.map(count).sum()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM);
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Reads in the background, so that the demo never waits for its reader.
fn collect(from: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let into = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
    lines
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The indented blocks of the README's section, each with the prose line before it.
fn blocks(section: &str) -> Vec<(String, String)> {
    let text = README.split(&format!("## {section}\n")).nth(1).expect("the section exists");
    let text = text.split("\n## ").next().unwrap();
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut prose = String::new();
    let mut in_block = false;
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) if in_block => {
                let block = &mut blocks.last_mut().unwrap().1;
                block.push_str(&format!("{code}\n"));
            }
            Some(code) => blocks.push((prose.clone(), format!("{code}\n"))),
            None if line.is_empty() => continue,
            None => prose = line.to_owned(),
        }
        in_block = line.starts_with("    ");
    }
    blocks
}

fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_string_lossy().into_owned();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .filter(|command| command.contains(&directory))
        .collect()
}

#[test]
fn the_first_ten_minutes_go_as_the_readme_says() {
    let mut demo = Demo::new();
    let told = demo.start();
    assert!(told.contains("200000 rows in reads"), "{told}");
    for (table, rows) in [("users", 10_000), ("articles", 10_000), ("reads", 200_000)] {
        assert_eq!(demo.count_on_nodes(table), rows, "{table}");
    }
    assert_eq!(demo.count_on_nodes("categories"), 3 * 2);

    let blocks = blocks("The first ten minutes");
    assert!(blocks.len() >= 8, "{blocks:?}");
    assert!(blocks[0].1.starts_with("psql "));
    for (prose, block) in &blocks[1..] {
        let answer = demo.psql(demo.port, block);
        let is_refused = answer.contains("ERROR");
        assert_eq!(is_refused, prose.contains("does nothing"), "{prose}\n{block}\n{answer}");
    }

    let one = "SELECT name, dept FROM users WHERE region = 'america' AND uid = 42";
    assert!(README.contains(one));
    assert_eq!(demo.psql(demo.port, one), "Ada Novak|dept2");

    demo.stop();
    assert_eq!(processes_of(&demo.directory), [""; 0]);
    let told = demo.start();
    assert!(!told.contains("loading the sample"), "{told}");
    assert_eq!(demo.psql(demo.port, "SELECT body FROM notes WHERE id = 1"), "one");
    demo.stop();
}
