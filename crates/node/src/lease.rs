//! A connection on loan from its pool.

use std::sync::Arc;

use herd_types::NodeId;

use crate::{Numbering, Pool, ServerConnection, ServerIdentity};

/// A connection on loan. Dropped without being given back, it is closed, and what it may still
/// run is cancelled.
#[derive(Debug)]
pub struct Lease {
    connection: Option<Box<ServerConnection>>,
    pool: Arc<Pool>,
}

impl Lease {
    pub(crate) fn new(connection: Box<ServerConnection>, pool: Arc<Pool>) -> Lease {
        Lease { connection: Some(connection), pool }
    }

    pub fn connection(&mut self) -> &mut ServerConnection {
        self.connection.as_mut().expect("a lease has its connection until it is consumed")
    }

    #[must_use]
    pub fn identity(&self) -> &Arc<ServerIdentity> {
        let connection = self.connection.as_ref();
        &connection.expect("a lease has its connection until it is consumed").identity
    }

    #[must_use]
    pub fn node(&self) -> NodeId {
        self.identity().node
    }

    /// The connection, and how its node numbers types if not as clients know them.
    pub fn parts(&mut self) -> (&mut ServerConnection, Option<&Numbering>) {
        let connection = self.connection.as_mut();
        let connection = connection.expect("a lease has its connection until it is consumed");
        (connection, self.pool.numbering())
    }

    #[must_use]
    pub fn numbering(&self) -> Option<&Numbering> {
        self.pool.numbering()
    }

    /// Only after ReadyForQuery said idle.
    pub fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.give_back(connection);
        }
    }

    /// Closes a connection that runs nothing.
    pub fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.discard(connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        self.pool.forget(&connection.identity);
        tokio::spawn(async move {
            if let Err(error) = connection.identity.cancel().await {
                tracing::debug!(%error, "cannot cancel what an abandoned connection runs");
            }
            connection.terminate();
        });
    }
}
