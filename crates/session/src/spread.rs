//! Transactions that concern more than one node.
//!
//! A node joins when a statement needs it: it is told BEGIN and whatever else has set the transaction
//! up. One link is the current one, with which everything else in this crate deals; the others wait
//! with their part. What sets things up goes to all of them, and so do savepoints. Only Herd ends
//! such a transaction: in one phase if a single node has written, else in two.

use std::sync::Arc;

use futures::future::join_all;
use herd_catalog::quote_identifier;
use herd_execute::commit::{commit_open, roll_back};
use herd_execute::{Intent, IntentKind};
use herd_node::Settings;
use herd_plan::{Action, PinReason, Plan, SettingCommand, TransactionCommand};
use herd_types::{ClientError, NodeId};
use herd_wire::message::TransactionStatus;

use crate::copy::trouble;
use crate::exchange::Heard;
use crate::link::Link;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// The role is set last: it may not be allowed to set the others.
const ROLE_TOO: &[u8] = b" UNION ALL SELECT 'role', pg_catalog.current_setting('role')";

impl Session {
    pub(crate) fn is_spread(&self) -> bool {
        !self.links.joined.is_empty()
    }

    /// Makes another node's link current, in the session's transaction.
    pub(crate) async fn join(&mut self, node: NodeId) -> Result<(), Trouble> {
        self.check_can_spread(node)?;
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        if heard.failed {
            self.transaction.note(TransactionStatus::Failed);
        }
        if self.batch.is_skipping() || heard.failed {
            return Ok(());
        }
        let has_joined = self.links.take_joined(node);
        if has_joined.is_none() && !self.is_spread() {
            self.check_sees_others().await?;
        }
        let setup = match has_joined {
            Some(_) => Vec::new(),
            None => self.setup_elsewhere().await?,
        };
        let before = self.links.current.take();
        let arrived = match has_joined {
            Some(link) => {
                self.handle().runs_on(link.lease.identity());
                self.links.current = Some(link);
                Ok(())
            }
            None => self.arrive(node, &setup).await,
        };
        match arrived {
            Ok(()) => {
                let client = Arc::clone(self.handle());
                before.into_iter().for_each(|link| self.links.join(link, &client));
            }
            Err(_) => {
                self.links.current = before;
                if let Some(link) = &self.links.current {
                    self.handle().runs_on(link.lease.identity());
                }
            }
        }
        arrived
    }

    /// What must be said on another connection so that it does as the session's transaction does; all
    /// of it, from BEGIN on. Nothing while there is no transaction.
    pub(crate) async fn setup_elsewhere(&mut self) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut statements: Vec<Vec<u8>> = match &self.transaction {
            Transaction::Open { setup: Some(setup), .. } => {
                setup.statements().map(<[u8]>::to_vec).collect()
            }
            Transaction::Open { setup: None, .. } => return Err(unknown_setup().into()),
            _ => return Ok(Vec::new()),
        };
        if self.has_set_by_functions() {
            statements.extend(self.set_by_functions().await?);
        }
        Ok(statements)
    }

    pub(crate) fn has_set_by_functions(&self) -> bool {
        self.batch.probes || !self.batch.local_settings.is_empty()
    }

    /// What functions have set, only the server knows.
    async fn set_by_functions(&mut self) -> Result<Vec<Vec<u8>>, Trouble> {
        let names = self.batch.custom_settings.union(&self.batch.local_settings).cloned().collect();
        let mut query = Settings::query_of_session(&names);
        query.extend_from_slice(ROLE_TOO);
        let Some(link) = &mut self.links.current else { return Ok(Vec::new()) };
        if link.pins().any(|reason| *reason == PinReason::CustomSetting) {
            return Err(unknown_setup().into());
        }
        let asked = link.lease.connection().simple(&query).await;
        let (answer, _) = asked.map_err(Trouble::in_transaction)?;
        let set = answer.rows.iter().filter_map(|row| match row.as_slice() {
            [Some(name), Some(value), ..] => Some(set_locally(name, value)),
            _ => None,
        });
        Ok(set.collect())
    }

    async fn arrive(&mut self, node: NodeId, statements: &[Vec<u8>]) -> Result<(), Trouble> {
        let version = self.worker.gateway.catalog().version();
        self.lease(node).await?;
        if self.worker.gateway.catalog().version() != version {
            self.links.current = None;
            return Err(Trouble::Outdated);
        }
        let Some(link) = &mut self.links.current else { return Ok(()) };
        for statement in statements {
            let said = link.lease.connection().simple(statement).await;
            if let Err(error) = said {
                // Dropping the lease closes its connection.
                self.links.current = None;
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn check_can_spread(&self, node: NodeId) -> Result<(), ClientError> {
        let is_open = matches!(self.transaction, Transaction::Open { failed: false, .. });
        let here = self.links.current.as_ref().map(Link::node);
        if self.holds_temporary_tables {
            return Err(self.bound_elsewhere(here, node).with_detail(
                "It has run a query of several nodes over home tables that it may have changed, for \
                 which it has temporary tables, with which it cannot be committed on several nodes.",
            ));
        }
        if !is_open || self.defining.is_some() || self.aside.is_some() {
            return Err(self.bound_elsewhere(here, node));
        }
        Ok(())
    }

    /// Whether this command is for Herd to carry out on all nodes of the transaction.
    pub(crate) fn concerns_all_joined(&self, plan: &Plan) -> bool {
        self.is_spread()
            && match &plan.action {
                Action::Transaction(command) => *command != TransactionCommand::Begin,
                Action::Setting(command) => *command != SettingCommand::DiscardAll,
                _ => false,
            }
    }

    /// Carries it out; the command tag.
    pub(crate) async fn command_all_joined(
        &mut self,
        plan: &Plan,
        sql: &[u8],
    ) -> Result<String, Trouble> {
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        let failed = matches!(self.transaction.status(), TransactionStatus::Failed);
        match &plan.action {
            Action::Transaction(
                TransactionCommand::Commit { chain: true }
                | TransactionCommand::Rollback { chain: true },
            ) => Err(ClientError::unsupported(
                "a transaction on several nodes cannot be ended with AND CHAIN",
            )
            .into()),
            Action::Transaction(TransactionCommand::Commit { chain: false }) if !failed => {
                self.commit_spread().await?;
                Ok("COMMIT".to_owned())
            }
            Action::Transaction(
                TransactionCommand::Commit { chain: false }
                | TransactionCommand::Rollback { chain: false },
            ) => {
                self.roll_back_spread().await?;
                Ok("ROLLBACK".to_owned())
            }
            _ => self.tell_all_joined(plan, sql).await,
        }
    }

    /// The same statement on all nodes: it sets something up, or marks a point to go back to.
    async fn tell_all_joined(&mut self, plan: &Plan, sql: &[u8]) -> Result<String, Trouble> {
        let said = join_all(self.links.all_mut().map(|link| link.lease.connection().simple(sql)));
        let mut tag = String::new();
        let mut status = TransactionStatus::InBlock;
        for answer in said.await {
            let (answer, told) = answer.map_err(Trouble::in_transaction)?;
            tag = answer.tag;
            status = told;
        }
        self.transaction.note(status);
        self.apply(plan, sql);
        self.tell_parameters();
        self.restore_startup_of_joined().await?;
        self.restore_startup().await?;
        Ok(tag)
    }

    /// After a RESET, as on the current link.
    async fn restore_startup_of_joined(&mut self) -> Result<(), Trouble> {
        let Some(bare) = &self.batch.bare_settings else { return Ok(()) };
        let missing = self.settings.current().beyond(bare);
        if missing.is_empty() {
            return Ok(());
        }
        let joined = self.links.joined.iter_mut();
        let restored = join_all(joined.map(|link| link.lease.connection().simple(&missing))).await;
        restored.into_iter().try_for_each(|told| told.map(drop)).map_err(Trouble::in_transaction)
    }

    pub(crate) async fn commit_spread(&mut self) -> Result<(), Trouble> {
        let nodes: Vec<NodeId> = self.links.all_mut().map(|link| link.node()).collect();
        let names: Vec<String> =
            nodes.iter().map(|&node| self.worker.gateway.node_name(node)).collect();
        let intent = Intent {
            kind: IntentKind::Transaction,
            description: format!("COMMIT on {}", names.join(", ")),
            nodes,
            database: self.pool_key.database.clone(),
            role: self.pool_key.role.clone(),
        };
        let decisions = Arc::clone(&self.worker.gateway.decisions);
        // What may still be on its way to cancel must not hit the commit.
        if self.handle().runs_nowhere().await {
            join_all(self.links.all_mut().map(|link| link.lease.connection().simple(b""))).await;
        }
        let mut unusable = Vec::new();
        let connections = self.links.all_mut().map(|link| link.lease.connection()).collect();
        let committed = commit_open(connections, decisions.as_ref(), intent, &mut unusable).await;
        self.end_spread(committed.is_err(), &unusable).await?;
        committed.map_err(trouble)
    }

    pub(crate) async fn roll_back_spread(&mut self) -> Result<(), Trouble> {
        let mut unusable = Vec::new();
        let connections = self.links.all_mut().map(|link| link.lease.connection()).collect();
        roll_back(connections, &mut unusable).await;
        self.end_spread(true, &unusable).await
    }

    /// The transaction has failed on one node, where nothing of it is locked any more, save for what was
    /// before the last savepoint: the same on all others.
    pub(crate) async fn let_joined_go(&mut self) {
        if let Some(name) = self.settings.innermost_savepoint() {
            let back = format!("ROLLBACK TO {}", quote_identifier(name));
            let joined = self.links.joined.iter_mut();
            for told in
                join_all(joined.map(|it| it.lease.connection().simple(back.as_bytes()))).await
            {
                if let Err(error) = told {
                    tracing::warn!(%error, "a node did not go back to a savepoint");
                }
            }
            return;
        }
        let mut unusable = Vec::new();
        let mut joined = self.links.part();
        let connections = joined.iter_mut().map(|link| link.lease.connection()).collect();
        roll_back(connections, &mut unusable).await;
        for link in joined {
            // A lease that is dropped closes its connection.
            if !unusable.contains(&link.node()) {
                self.put_away_rolled_back(link).await;
            }
        }
        if let Some(link) = &self.links.current {
            self.handle().runs_on(link.lease.identity());
        }
    }

    /// What its transaction had set is gone.
    async fn put_away_rolled_back(&mut self, mut link: Link) {
        let server = link.lease.connection();
        server.applied = Arc::clone(self.settings.committed());
        self.put_away(link).await;
    }

    /// The transaction is over on all nodes.
    async fn end_spread(&mut self, failed: bool, unusable: &[NodeId]) -> Result<(), Trouble> {
        self.end_cursors().await;
        let is_usable = |link: &Link| !unusable.contains(&link.node());
        let joined = self.links.part();
        self.links.current = self.links.current.take().filter(is_usable);
        let probed = self.batch.probes;
        let status = Some(TransactionStatus::Idle);
        if self.links.current.is_some() {
            self.settle(&Heard { status, failed, ..Heard::default() }).await?;
        } else {
            self.transaction = Transaction::None;
            self.forget_transaction();
            if failed { self.settings.roll_back() } else { self.settings.commit() }
        }
        for mut link in joined.into_iter().filter(is_usable) {
            if probed && !link.is_pinned() {
                // Functions may have set on one node what the others do not have.
                link.lease.close();
                continue;
            }
            let server = link.lease.connection();
            server.applied = Arc::clone(self.settings.committed());
            self.put_away(link).await;
        }
        Ok(())
    }
}

fn set_locally(name: &[u8], value: &[u8]) -> Vec<u8> {
    let literal = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    };
    format!("SELECT pg_catalog.set_config({}, {}, true)", literal(name), literal(value))
        .into_bytes()
}

fn unknown_setup() -> ClientError {
    ClientError::unsupported("what this transaction has set is not known on other nodes")
        .with_detail(
            "It was begun by one of several statements of a query string, or set up by very many.",
        )
        .with_hint("Send BEGIN by itself.")
}
