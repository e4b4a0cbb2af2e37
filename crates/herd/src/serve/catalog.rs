//! The catalog with which a process starts: the one that is stored, with the nodes as the
//! configuration has them now.

use anyhow::{Context, Result, bail};
use herd_catalog::{Catalog, Change, Node, NodeRole, NodeSpec, NodeStatus};
use herd_config::Config;
use herd_sidecar::Ledger;
use herd_types::NodeId;

pub async fn open(ledger: &Ledger, config: &Config) -> Result<Catalog> {
    let Some(stored) = ledger.load().context("cannot read Herd's catalog")? else {
        let fresh = fresh(config)?;
        ledger.publish(0, &fresh).context("cannot write Herd's catalog")?;
        return Ok(fresh);
    };
    let changes = changes(&stored, config)?;
    if changes.is_empty() {
        return Ok(stored);
    }
    if !ledger.is_alone() {
        tracing::warn!("the nodes are others than before: waiting for the other Herd to be gone");
        ledger.take_over().await.context("cannot take Herd's catalog over")?;
    }
    let next = stored.apply_all(&changes).context("the nodes do not fit the stored catalog")?;
    ledger.publish(stored.version(), &next).context("cannot write Herd's catalog")?;
    Ok(next)
}

/// Everything is on the home node until tables are declared otherwise.
fn fresh(config: &Config) -> Result<Catalog> {
    let mut home = NodeId(1);
    let mut nodes = Vec::with_capacity(config.nodes.len());
    for (index, node) in config.nodes.iter().enumerate() {
        let id = NodeId(u16::try_from(index + 1).context("too many nodes")?);
        if node.name == config.home {
            home = id;
        }
        nodes.push(Node {
            id,
            name: node.name.clone(),
            host: node.host.clone(),
            port: node.port,
            dc: node.dc.clone(),
            zone: node.zone.clone(),
            role: NodeRole::Primary,
            status: NodeStatus::Active,
            capacity: node.capacity,
        });
    }
    Ok(Catalog::new(home, nodes))
}

fn changes(stored: &Catalog, config: &Config) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for node in &config.nodes {
        match stored.node_named(&node.name) {
            Some(known) if known.host == node.host && known.port == node.port => {}
            Some(known) => changes.push(Change::SetNodeAddress {
                node: known.id,
                host: node.host.clone(),
                port: node.port,
            }),
            None if stored.has_tables() => bail!(
                "node \"{}\" is new: a node cannot join a herd that has fragmented or reference \
                 tables yet",
                node.name
            ),
            None => changes.push(Change::AddNode(NodeSpec {
                name: node.name.clone(),
                host: node.host.clone(),
                port: node.port,
                dc: node.dc.clone(),
                zone: node.zone.clone(),
                role: NodeRole::Primary,
                status: NodeStatus::Active,
                capacity: node.capacity,
            })),
        }
    }
    for known in stored.nodes() {
        if !config.nodes.iter().any(|node| node.name == known.name) {
            bail!(
                "node \"{}\" is in the catalog of {} and not in the configuration",
                known.name,
                config.data_dir.display()
            );
        }
    }
    Ok(changes)
}
