//! How server connections come to a session and leave it.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use herd_config::PoolMode;
use herd_execute::Expected;
use herd_node::{NodeError, Pool, Settings};
use herd_plan::{PinReason, Place};
use herd_types::{ClientError, NodeId};
use herd_wire::message::{self, TransactionStatus};

use crate::batch::{Conclusion, Stage};
use crate::exchange::Heard;
use crate::link::Link;
use crate::registry::Phase;
use crate::session::Session;
use crate::simple::aborted;
use crate::statements::Origin;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// How long a leaving client's connections may take to be cleaned up for the next.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// The node of a place: whatever can run anywhere stays where the transaction is.
    pub(crate) fn node_of(&self, place: Place) -> NodeId {
        let here = self.links.current.as_ref().map(Link::node);
        match place {
            Place::Node(node) => node,
            Place::Home => self.catalog().home(),
            Place::Current => here.unwrap_or_else(|| self.catalog().home()),
            Place::Neutral | Place::Everywhere => here.unwrap_or_else(|| self.any_node()),
        }
    }

    /// Home; while it is down, another that answers.
    pub(crate) fn any_node(&self) -> NodeId {
        let gateway = &self.worker.gateway;
        let answers =
            |node: NodeId| gateway.node_states.of(node).is_none_or(|state| state.error.is_none());
        let catalog = gateway.catalog();
        let home = catalog.home();
        if answers(home) {
            return home;
        }
        let mut others = catalog.data_nodes().map(|node| node.id);
        others.find(|&node| answers(node)).unwrap_or(home)
    }

    /// Makes `node` the session's current link, with the session's settings in force and its
    /// transaction begun.
    pub(crate) async fn attach(&mut self, node: NodeId) -> Result<(), Trouble> {
        self.check_may_begin()?;
        match &self.links.current {
            Some(link) if link.node() == node => return Ok(()),
            Some(_) => return Box::pin(self.move_to(node)).await,
            None => {}
        }
        self.lease(node).await?;
        self.begin();
        Ok(())
    }

    /// No node takes part in a transaction that has failed without any: what it was told would be done
    /// outside of it.
    fn check_may_begin(&self) -> Result<(), ClientError> {
        if matches!(self.transaction, Transaction::Void) { Err(aborted()) } else { Ok(()) }
    }

    fn begin(&mut self) {
        if let Some(begin) = self.transaction.open() {
            self.send_begin(&begin);
        }
    }

    /// The same for a statement that was placed by the catalog: while it waits for a connection, the
    /// catalog may change.
    pub(crate) async fn attach_placed(&mut self, node: NodeId) -> Result<(), Trouble> {
        if self.links.current.is_some() {
            return self.attach(node).await;
        }
        self.check_may_begin()?;
        let version = self.worker.gateway.catalog().version();
        self.lease(node).await?;
        if self.worker.gateway.catalog().version() != version {
            self.release().await;
            return Err(Trouble::Outdated);
        }
        self.begin();
        Ok(())
    }

    /// The same for a statement that may ask what `nextval` gave in its session: what it gave to
    /// other clients on the same connection is forgotten first.
    pub(crate) async fn attach_for(
        &mut self,
        node: NodeId,
        uses_sequences: bool,
    ) -> Result<(), Trouble> {
        let was_attached = self.links.current.is_some();
        self.attach_placed(node).await?;
        if uses_sequences && !was_attached {
            self.own_sequences().await?;
        }
        Ok(())
    }

    async fn own_sequences(&mut self) -> Result<(), Trouble> {
        let client = Some(self.handle().id);
        let Some(link) = &mut self.links.current else { return Ok(()) };
        let server = link.lease.connection();
        if server.sequences_of != client {
            server.simple(b"DISCARD SEQUENCES").await?;
            server.sequences_of = client;
        }
        Ok(())
    }

    pub(crate) async fn lease(&mut self, node: NodeId) -> Result<(), Trouble> {
        let mut link = match self.links.take_kept(node) {
            Some(link) => link,
            None => {
                let pool = self.pool(node)?;
                Link::new(pool.lease(self.settings.committed()).await?)
            }
        };
        if self.worker.gateway.config.load().pool.mode == PoolMode::Session {
            link.pin(PinReason::SessionPooling);
        }
        let client = self.handle().id;
        self.handle().runs_on(link.lease.identity());
        let restored = link.lease.connection().restore(self.settings.committed()).await;
        if let Err(error) = restored {
            self.handle().runs_nowhere().await;
            return Err(error.into());
        }
        let server = link.lease.connection();
        if server.sequences_of != Some(client) {
            server.sequences_of = None;
        }
        self.links.current = Some(link);
        self.tell_parameters();
        Ok(())
    }

    /// What the current link's parameters are, as far as the client knows others.
    pub(crate) fn tell_parameters(&mut self) {
        let Some(link) = &mut self.links.current else { return };
        let reported = &mut link.lease.connection().reported;
        if self.told.is_same(reported) || self.told.unify(reported) {
            return;
        }
        let mut news = BytesMut::new();
        for (name, value) in self.told.changes_to(reported) {
            message::parameter_status(&mut news, name, value);
        }
        if !news.is_empty() {
            self.exchange.replies.expect(Expected::Answer(news.freeze()));
        }
        self.told = reported.clone();
    }

    pub(crate) fn pool(&mut self, node: NodeId) -> Result<Arc<Pool>, NodeError> {
        if let Some((_, pool)) = self.pools.iter().find(|(known, _)| *known == node) {
            return Ok(Arc::clone(pool));
        }
        let pool = self.worker.pools.pool(node, &self.pool_key, &self.credential)?;
        self.pools.push((node, Arc::clone(&pool)));
        Ok(pool)
    }

    /// Tells the node BEGIN, in front of the statement and in the same packet. As messages of the
    /// extended protocol, so that a BEGIN that fails takes the statement with it.
    pub(crate) fn send_begin(&mut self, begin: &[u8]) {
        let made = self.circumstances();
        let origin = Origin::Protocol { types: Vec::new() };
        let statement = self.worker.statements.lock().intern(begin, origin, &made);
        self.prepare_hidden(&statement);
        let out = &mut self.exchange.out;
        message::bind_plain(out, b"", statement.key.server_name().as_bytes());
        message::execute(out, b"", 0);
        self.exchange.replies.expect(Expected::Single { tag: b'2', hidden: true, token: None });
        self.exchange.replies.expect(Expected::Execute { hidden: true, token: None });
    }

    /// The transaction has only been set up so far: set it up on another node instead.
    async fn move_to(&mut self, node: NodeId) -> Result<(), Trouble> {
        let here = self.links.current.as_ref().map(Link::node);
        let setup = match &self.transaction {
            Transaction::Open { setup: Some(setup), bound: false, failed: false }
                if self.batch.may_move() && !self.is_spread() && !self.has_set_by_functions() =>
            {
                setup.clone()
            }
            Transaction::Open { failed: false, .. } => return self.join(node).await,
            Transaction::None if self.batch.stage == Stage::Engaged => {
                self.begin_pipeline_block().await?;
                return self.join(node).await;
            }
            _ => return Err(Trouble::Refused(self.bound_elsewhere(here, node))),
        };
        let heard = self.send_held_back().await?;
        self.act_on_if_batch(&heard);
        if heard.failed || self.batch.is_skipping() {
            self.transaction.note(TransactionStatus::Failed);
            return Ok(());
        }
        if let Some(mut link) = self.links.current.take() {
            link.lease.connection().simple(b"ROLLBACK").await?;
            self.put_away(link).await;
        }
        self.lease(node).await?;
        if let Some(link) = &mut self.links.current {
            for statement in setup.statements() {
                link.lease.connection().simple(statement).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn bound_elsewhere(&self, here: Option<NodeId>, there: NodeId) -> ClientError {
        let gateway = &self.worker.gateway;
        let here = here.map_or_else(String::new, |node| gateway.node_name(node));
        let there = gateway.node_name(there);
        ClientError::unsupported("this transaction concerns more than one node")
            .with_detail(format!(
                "It is bound to node \"{here}\"; this statement needs node \"{there}\"."
            ))
            .with_hint("End the transaction first, or keep its keys on one node.")
    }

    /// After ReadyForQuery: the transaction goes on, or the connection goes back.
    pub(crate) async fn settle(&mut self, heard: &Heard) -> Result<(), Trouble> {
        let Some(status) = heard.status else { return Ok(()) };
        let was_failed = matches!(self.transaction, Transaction::Open { failed: true, .. });
        let rolling_back = self.batch.conclusion == Conclusion::RollingBack;
        self.transaction.note(status);
        if !matches!(self.transaction, Transaction::None) {
            self.handle().enter(Phase::InTransaction);
            if self.is_spread() && !was_failed && self.is_failed_on_server() {
                self.let_joined_go().await;
            }
            self.restore_startup().await?;
            return self.probe_search_path().await;
        }
        self.end_cursors().await;
        self.forget_transaction();
        self.drop_definitions();
        if let Some(subject) = self.batch.defined.take() {
            self.worker.gateway.note_definition(subject);
        }
        self.renew_routines().await?;
        self.batch.conclusion = Conclusion::Open;
        if heard.failed || was_failed || rolling_back {
            self.settings.roll_back();
        } else {
            self.settings.commit();
        }
        self.probe_settings().await?;
        self.release().await;
        Ok(())
    }

    /// What was noted of a transaction that is over. A node that is still in it loses its connection, and
    /// its part with it.
    pub(crate) fn forget_transaction(&mut self) {
        self.links.part();
        self.holds_temporary_tables = false;
        self.changed_copies = false;
        self.cursors.clear();
        self.batch.local_settings.clear();
    }

    /// The current link has nothing more to do.
    pub(crate) async fn release(&mut self) {
        if let Some(mut link) = self.links.current.take() {
            let server = link.lease.connection();
            if let Some(bare) = self.batch.bare_settings.take() {
                server.applied = bare;
            } else if !Arc::ptr_eq(&server.applied, self.settings.committed()) {
                server.applied = Arc::clone(self.settings.committed());
            }
            self.put_away(link).await;
        }
    }

    /// The current link is in the middle of something for good; its transaction is lost with it.
    pub(crate) fn lose_link(&mut self) {
        self.batch.forget_link();
        // Dropping a lease closes the connection and frees its place.
        self.links.current = None;
        self.links.part();
        self.cursors.clear();
        self.transaction = Transaction::Void;
    }

    pub(crate) async fn put_away(&mut self, mut link: Link) {
        let cancelled = self.handle().runs_nowhere().await;
        if cancelled && link.lease.connection().simple(b"").await.is_err() {
            // Dropping the lease closes it.
            return;
        }
        if link.is_pinned() {
            self.links.kept.push(link);
            self.show_pins();
        } else {
            link.lease.give_back();
        }
    }

    pub(crate) fn show_pins(&self) {
        let pins = self.links.describe_pins();
        self.handle().show(|shown| shown.pins = pins);
    }

    /// Lets go of pinned connections, wiped clean for the next client.
    pub(crate) async fn unpin_all(&mut self) {
        for link in std::mem::take(&mut self.links.kept) {
            wipe(link).await;
        }
        self.show_pins();
    }

    /// The session ends. A connection that is in the middle of something is closed; one that
    /// waits in a transaction is rolled back.
    pub(crate) async fn abandon_links(&mut self) {
        self.drop_definitions();
        self.aside = None;
        self.cursors.clear();
        for link in self.links.part() {
            wipe(link).await;
        }
        if let Some(link) = self.links.current.take() {
            self.handle().runs_nowhere().await;
            if self.exchange.replies.is_empty() && self.exchange.out.is_empty() {
                wipe(link).await;
            }
        }
        self.unpin_all().await;
    }
}

/// Makes a connection as good as new, or closes it.
async fn wipe(mut link: Link) {
    let cleaned = tokio::time::timeout(CLEAN_UP_TIMEOUT, async {
        let server = link.lease.connection();
        server.simple(b"ROLLBACK").await?;
        if link.is_pinned() {
            let server = link.lease.connection();
            server.simple(b"DISCARD ALL").await?;
            server.prepared.clear();
            server.applied = Arc::new(Settings::default());
        }
        Ok::<(), NodeError>(())
    });
    match cleaned.await {
        Ok(Ok(())) => link.lease.give_back(),
        Ok(Err(error)) => tracing::debug!(%error, "closing a connection that cannot be cleaned"),
        Err(_) => tracing::debug!("closing a connection that is not cleaned in time"),
    }
}
