//! One PostgreSQL server of the herd.

use herd_types::NodeId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    pub host: String,
    pub port: u16,
    pub dc: String,
    pub zone: String,
    pub role: NodeRole,
    pub status: NodeStatus,
    /// Relative share of fragments that the node should carry.
    pub capacity: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    Primary,
    Standby,
    Cold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    Joining,
    Active,
    Draining,
    Removed,
    Down,
}

impl Node {
    /// Whether it has every logical table's parent and a copy of each reference table.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        self.role == NodeRole::Primary
            && matches!(self.status, NodeStatus::Active | NodeStatus::Draining | NodeStatus::Down)
    }

    /// Whether new fragments may be put on it.
    #[must_use]
    pub fn takes_fragments(&self) -> bool {
        self.role == NodeRole::Primary && self.status == NodeStatus::Active
    }
}

impl NodeRole {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NodeRole::Primary => "primary",
            NodeRole::Standby => "standby",
            NodeRole::Cold => "cold",
        }
    }
}

impl NodeStatus {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Joining => "joining",
            NodeStatus::Active => "active",
            NodeStatus::Draining => "draining",
            NodeStatus::Removed => "removed",
            NodeStatus::Down => "down",
        }
    }
}
