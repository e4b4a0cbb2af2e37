//! Under which circumstances a statement is understood and prepared: what its plan and the shape of
//! its result depend on besides its text.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use herd_catalog::SearchPath;
use herd_node::PoolKey;
use herd_types::ClientId;

use crate::session::Session;

/// While two clients are in equal ones, equal texts mean the same to them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Circumstances {
    pub catalog_version: u64,
    pub definitions: u64,
    pub search_path: SearchPath,
    pub pool: PoolKey,
    /// The client, while it sees relations as no other does.
    pub alone: Option<ClientId>,
}

impl Session {
    /// Those of this moment; the same value as last time while nothing has changed.
    pub(crate) fn circumstances(&mut self) -> Arc<Circumstances> {
        let catalog_version = self.catalog().version();
        let definitions = self.worker.gateway.definitions.load(Ordering::Acquire);
        let alone = self.sees_own_relations().then(|| self.handle().id);
        let search_path = self.settings.search_path();
        let is_current = |known: &&Arc<Circumstances>| {
            known.catalog_version == catalog_version
                && known.definitions == definitions
                && known.alone == alone
                && known.search_path == *search_path
        };
        if let Some(known) = self.last_circumstances.as_ref().filter(is_current) {
            return Arc::clone(known);
        }
        let made = Arc::new(Circumstances {
            catalog_version,
            definitions,
            search_path: search_path.clone(),
            pool: self.pool_key.clone(),
            alone,
        });
        self.last_circumstances = Some(Arc::clone(&made));
        made
    }

    /// Temporary tables, and what its transaction has defined, are the client's alone.
    fn sees_own_relations(&self) -> bool {
        self.batch.defined.is_some() || self.defining.is_some() || self.links.may_have_relations()
    }
}
