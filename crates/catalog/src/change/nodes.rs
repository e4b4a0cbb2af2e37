//! Changes of nodes.

use herd_types::NodeId;

use super::NodeSpec;
use crate::{Catalog, CatalogError, Node, NodeStatus};

impl Catalog {
    pub(super) fn add_node(&mut self, spec: &NodeSpec) -> Result<(), CatalogError> {
        if self.node_named(&spec.name).is_some() {
            return Err(CatalogError::NodeNameTaken(spec.name.clone()));
        }
        let id = NodeId(self.next.node);
        self.next.node = self.next.node.checked_add(1).ok_or(CatalogError::IdsExhausted)?;
        let NodeSpec { name, host, port, dc, zone, role, status, capacity } = spec.clone();
        self.nodes.insert(id, Node { id, name, host, port, dc, zone, role, status, capacity });
        Ok(())
    }

    pub(super) fn set_node_status(
        &mut self,
        id: NodeId,
        status: NodeStatus,
    ) -> Result<(), CatalogError> {
        let node = self.nodes.get(&id).ok_or(CatalogError::NoNode(id))?;
        let in_use = |reason| CatalogError::NodeInUse { node: node.name.clone(), reason };
        if status == NodeStatus::Removed {
            if id == self.home {
                return Err(in_use("it is the home node"));
            }
            if self.fragments_on(id).next().is_some() {
                return Err(in_use("it holds fragments"));
            }
        } else if node.status == NodeStatus::Removed {
            // Its name may be another's by now.
            return Err(CatalogError::NoNode(id));
        }
        self.change_node(id, |node| node.status = status)
    }

    pub(super) fn set_node_address(
        &mut self,
        id: NodeId,
        host: &str,
        port: u16,
    ) -> Result<(), CatalogError> {
        self.change_node(id, |node| {
            node.host = host.to_owned();
            node.port = port;
        })
    }

    pub(super) fn set_home(&mut self, id: NodeId) -> Result<(), CatalogError> {
        let node = self.nodes.get(&id).ok_or(CatalogError::NoNode(id))?;
        if !node.takes_fragments() {
            return Err(CatalogError::NotHome(node.name.clone()));
        }
        self.home = id;
        Ok(())
    }

    fn change_node(
        &mut self,
        id: NodeId,
        change: impl FnOnce(&mut Node),
    ) -> Result<(), CatalogError> {
        change(self.nodes.get_mut(&id).ok_or(CatalogError::NoNode(id))?);
        Ok(())
    }
}
