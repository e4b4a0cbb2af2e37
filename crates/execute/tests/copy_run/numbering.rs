//! Nodes without types of their own.

use std::future::Future;
use std::pin::Pin;

use herd_node::{Inventories, Inventory};
use herd_types::NodeId;

#[derive(Debug)]
pub struct OneNumbering;

impl Inventories for OneNumbering {
    fn is_home(&self, _node: NodeId) -> bool {
        true
    }

    fn of_home_and<'a>(
        &'a self,
        _node: NodeId,
        _database: &'a str,
    ) -> Pin<Box<dyn Future<Output = Option<[Inventory; 2]>> + Send + 'a>> {
        Box::pin(async { None })
    }
}
