//! What the databases of nodes hold that has a number of its own on each node.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use herd_node::{Inventories, Inventory, Named};
use herd_types::NodeId;
use tokio::runtime::Handle;

use crate::{ControlError, ControlPools};

/// Types and relations that users made; those of temporary schemas never leave their connection.
const WHAT_THERE_IS: &str = "SELECT 'type', n.nspname::text, t.typname::text, t.oid \
       FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
      WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp_)' \
     UNION ALL \
     SELECT 'relation', n.nspname::text, c.relname::text, c.oid \
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') \
        AND n.nspname !~ '^pg_(toast|temp_)'";

/// Looks them up by control connections.
#[derive(Debug)]
pub struct NodeInventories {
    pools: Arc<ControlPools>,
    home: NodeId,
    /// Where control connections live.
    runtime: Handle,
}

impl NodeInventories {
    #[must_use]
    pub fn new(pools: Arc<ControlPools>, home: NodeId, runtime: Handle) -> NodeInventories {
        NodeInventories { pools, home, runtime }
    }
}

impl Inventories for NodeInventories {
    fn is_home(&self, node: NodeId) -> bool {
        node == self.home
    }

    fn of_home_and<'a>(
        &'a self,
        node: NodeId,
        database: &'a str,
    ) -> Pin<Box<dyn Future<Output = Option<[Inventory; 2]>> + Send + 'a>> {
        let (pools, home, database) = (Arc::clone(&self.pools), self.home, database.to_owned());
        let asked = self.runtime.spawn(async move {
            let (home, here) =
                tokio::try_join!(ask(&pools, home, &database), ask(&pools, node, &database))?;
            Ok::<_, ControlError>([home, here])
        });
        Box::pin(async move {
            let answered = asked.await.ok()?;
            answered.inspect_err(|error| tracing::warn!(%error, "cannot ask for types")).ok()
        })
    }
}

async fn ask(
    pools: &ControlPools,
    node: NodeId,
    database: &str,
) -> Result<Inventory, ControlError> {
    let client = pools.connect(node, database).await?;
    let mut inventory = Inventory::default();
    for row in client.query(WHAT_THERE_IS, &[]).await? {
        let named = Named { schema: row.try_get(1)?, name: row.try_get(2)? };
        let of_kind = match row.try_get::<_, &str>(0)? {
            "type" => &mut inventory.types,
            _ => &mut inventory.relations,
        };
        of_kind.insert(named, row.try_get(3)?);
    }
    Ok(inventory)
}
