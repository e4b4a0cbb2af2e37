//! The embedded servers of a demo together. Whoever drops them stops them.

use std::fs;
use std::mem;
use std::thread;

use anyhow::{Context, Result, bail};

use super::binaries::Binaries;
use super::directory::{Directory, NodeState, State};
use super::node::{Node, Tools};
use super::owner::Owner;
use super::ports::Ports;

const HOST: &str = "127.0.0.1";

pub struct Cluster {
    tools: Tools,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Makes what is missing and starts what does not run, all nodes at once, and records it in
    /// the directory.
    pub fn start(directory: &Directory, count: usize) -> Result<(Cluster, State)> {
        let tools = Tools { binaries: Binaries::find()?, owner: Owner::choose()? };
        let known = directory.state()?;
        if let Some(state) = &known {
            check_same(state, &tools, directory, count)?;
        }
        let folder = directory.nodes();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        tools.owner.give(&folder)?;
        tools.owner.check_reach(&folder)?;

        let nodes = (1..=count).map(|number| Node::new(format!("n{number}"), &folder)).collect();
        let cluster = Cluster { tools, nodes };
        cluster.initialise()?;
        let remembered = known.as_ref().map_or(&[][..], |state| &state.nodes);
        let state = State {
            postgresql: cluster.tools.binaries.major,
            sample: known.as_ref().is_some_and(|state| state.sample),
            nodes: cluster.launch(directory, remembered)?,
        };
        directory.remember(&state)?;
        Ok((cluster, state))
    }

    /// Waits until every server is gone; afterwards there is nothing left to stop.
    pub fn stop(&mut self) -> Result<()> {
        each(mem::take(&mut self.nodes), |node| node.stop(&self.tools)).map(drop)
    }

    fn initialise(&self) -> Result<()> {
        let fresh: Vec<&Node> = self.nodes.iter().filter(|node| !node.is_initialised()).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let major = self.tools.binaries.major;
        eprintln!("herd demo: making the data of {} PostgreSQL {major} nodes", fresh.len());
        each(fresh, |node| node.initialise(&self.tools)).map(drop)
    }

    fn launch(&self, directory: &Directory, remembered: &[NodeState]) -> Result<Vec<NodeState>> {
        let mut ports = Ports::for_directory(directory.path());
        let mut launches = Vec::new();
        for node in &self.nodes {
            let before = remembered.iter().find(|state| state.name == node.name);
            launches.push(match node.running_port(&self.tools)? {
                Some(port) => Launch { node, port, runs: true },
                None => {
                    let port = ports.prefer(before.map(|state| state.port))?;
                    Launch { node, port, runs: false }
                }
            });
        }
        each(launches, |launch| launch.perform(&self.tools))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("herd demo: {error:#}");
        }
    }
}

struct Launch<'a> {
    node: &'a Node,
    port: u16,
    /// An earlier Herd was killed and left it running.
    runs: bool,
}

impl Launch<'_> {
    fn perform(&self, tools: &Tools) -> Result<NodeState> {
        let Launch { node, port, runs } = self;
        if *runs {
            eprintln!("herd demo: {} at {HOST}:{port} was left running, taken over", node.name);
        } else {
            node.start(tools, *port)?;
            eprintln!("herd demo: {} at {HOST}:{port} started", node.name);
        }
        Ok(NodeState { name: node.name.clone(), port: *port })
    }
}

fn check_same(state: &State, tools: &Tools, directory: &Directory, count: usize) -> Result<()> {
    let path = directory.path().display();
    if state.postgresql != tools.binaries.major {
        bail!(
            "{path} was made by PostgreSQL {}, the one found is {}: set PG_BIN to the former, or \
             use another directory",
            state.postgresql,
            tools.binaries.major
        );
    }
    if state.nodes.len() != count {
        bail!(
            "{path} was made with --nodes {}, not {count}: use the same number, or another \
             directory",
            state.nodes.len()
        );
    }
    Ok(())
}

/// Does the same to each item on a thread of its own, and waits for all even if one fails.
fn each<T: Send, R: Send>(items: Vec<T>, action: impl Fn(T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let action = &action;
    thread::scope(|scope| {
        let threads: Vec<_> =
            items.into_iter().map(|item| scope.spawn(move || action(item))).collect();
        let results: Vec<Result<R>> = threads
            .into_iter()
            .map(|thread| thread.join().expect("handling a node returns errors, not panics"))
            .collect();
        results.into_iter().collect()
    })
}
