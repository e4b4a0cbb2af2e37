//! Where rows come together: the session's own transaction, or one of Herd's aside of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use herd_execute::{Expected, Shown};
use herd_node::Lease;
use herd_plan::{Beside, PinReason};
use herd_types::{ClientError, NodeId};
use herd_wire::message::{self, TransactionStatus};

use super::{Gathering, gone};
use crate::cursors::AsideCursor;
use crate::link::Link;
use crate::session::Session;
use crate::simple::REFUSED_SQL;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Temporary tables are made in it, whatever the session's default is.
const BEGIN_ASIDE: &[u8] = b"BEGIN READ WRITE";
const READ_WRITE: &[u8] = b"SET TRANSACTION READ WRITE";
/// What the statement may do is again what the session's own transaction would allow it.
const AS_BY_DEFAULT: &[u8] =
    b"SELECT pg_catalog.set_config('transaction_read_only', pg_catalog.current_setting('default_transaction_read_only'), true)";
/// What a statement aside of the session's transaction did could not be undone with it.
const READ_ONLY: &[u8] = b"SET TRANSACTION READ ONLY";
const HOW_IT_READS: &[u8] = b"SELECT pg_catalog.current_setting('transaction_isolation'), \
    pg_catalog.current_setting('transaction_read_only')";
/// The only isolation level at which each statement sees what is committed when it starts, so that
/// nodes which the transaction has not touched may be read outside of it.
const READ_COMMITTED: &[u8] = b"read committed";

/// A transaction of Herd's own on the current link, for one query.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Where the session's own transaction waits.
    pub(crate) waiting: Option<Link>,
    /// What reads it, if that may do so again later.
    pub(crate) cursor: Option<AsideCursor>,
}

impl Session {
    /// A pipeline outside of a transaction block is one transaction, aside if its first query was.
    pub(super) async fn goes_on_aside(&mut self) -> Result<bool, Trouble> {
        if self.aside.is_none() {
            return Ok(false);
        }
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        if heard.failed || matches!(self.transaction, Transaction::None) {
            return Ok(true);
        }
        self.end_aside(false).await?;
        Ok(false)
    }

    /// The home node, in the session's own transaction if that is there.
    pub(super) async fn go_where_rows_come_together(
        &mut self,
        gathering: &Gathering,
        setup: &[Vec<u8>],
    ) -> Result<(), Trouble> {
        let home = gathering.catalog.home();
        if matches!(self.transaction, Transaction::Open { .. }) {
            self.send_held_back().await?;
            let read_only = self.check_sees_others().await?;
            let may_be_changed = match gathering.beside {
                Beside::Nothing => false,
                Beside::Copies => self.changed_copies,
                Beside::Home => true,
            };
            if may_be_changed && self.has_been_to(home) {
                if self.is_spread() || read_only {
                    return Err(needs_own_home().into());
                }
                self.holds_temporary_tables = true;
                return Ok(());
            }
        }
        let begin = match &self.transaction {
            Transaction::Promised { begin } => Some(begin.clone()),
            _ => None,
        };
        let mut link = match self.take_own_home(home) {
            Some(link) => link,
            None => {
                let mut leases = self.lease_each([home].into_iter()).await?;
                Link::new(leases.remove(&home).ok_or_else(gone)?)
            }
        };
        self.check_still_placed(&gathering.catalog)?;
        let promised = begin.is_some();
        let began = begin_aside(&mut link.lease, begin.as_deref(), setup).await;
        // A lease that is dropped closes its connection.
        began?;
        self.handle().runs_on(link.lease.identity());
        let waiting = self.links.current.replace(link);
        self.aside = Some(Aside { waiting, cursor: None });
        if promised && let Err(error) = self.check_sees_others().await {
            self.end_aside(true).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Locks belong to the session's transaction, which has to be on all nodes for that. False if what
    /// stands before it in a pipeline has failed.
    pub(super) async fn join_all_that_lock(
        &mut self,
        gathering: &Gathering,
    ) -> Result<bool, Trouble> {
        if matches!(self.transaction, Transaction::None) {
            return Ok(true);
        }
        let nodes: BTreeSet<NodeId> =
            gathering.requests.iter().flat_map(|request| request.nodes.iter().copied()).collect();
        for node in nodes {
            self.attach(node).await?;
            if self.batch.is_skipping() {
                return Ok(false);
            }
            self.transaction.bind();
        }
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        Ok(!self.batch.is_skipping())
    }

    /// The connection that has what the session has left at home. A transaction leaves alone one that has
    /// nothing: it may be needed while a cursor keeps the transaction aside.
    fn take_own_home(&mut self, home: NodeId) -> Option<Link> {
        let in_block = !matches!(self.transaction, Transaction::None);
        let has_something =
            |link: &Link| link.pins().any(|reason| *reason != PinReason::SessionPooling);
        let mut kept = self.links.kept.iter().filter(|link| link.node() == home);
        if in_block && !kept.any(has_something) {
            return None;
        }
        self.links.take_kept(home)
    }

    /// Whether the session's transaction may have changed something on a node.
    fn has_been_to(&self, node: NodeId) -> bool {
        let mut links = self.links.current.iter().chain(&self.links.joined);
        self.transaction.is_bound() && links.any(|link| link.node() == node)
    }

    /// Whether the transaction of the current link is read-only; an error if it reads from a
    /// snapshot, which the nodes do not have in common.
    pub(crate) async fn check_sees_others(&mut self) -> Result<bool, Trouble> {
        let Some(link) = &mut self.links.current else { return Ok(false) };
        let asked = link.lease.connection().simple(HOW_IT_READS).await;
        let (answer, _) = asked.map_err(Trouble::in_transaction)?;
        match answer.rows.first().map(Vec::as_slice) {
            Some([Some(level), Some(read_only)]) if level == READ_COMMITTED => {
                Ok(read_only == b"on".as_slice())
            }
            _ => Err(ClientError::unsupported(
                "what concerns several nodes needs a transaction at isolation level READ COMMITTED",
            )
            .with_detail("The nodes have no snapshot in common.")
            .with_hint("Run it by itself, outside of the transaction block.")
            .into()),
        }
    }

    pub(super) async fn limit_what_it_may_do(&mut self) -> Result<(), Trouble> {
        let Some(_) = &self.aside else { return Ok(()) };
        let limit = match self.transaction {
            Transaction::None => AS_BY_DEFAULT,
            _ => READ_ONLY,
        };
        let Some(link) = &mut self.links.current else { return Err(gone().into()) };
        link.lease.connection().simple(limit).await.map(drop).map_err(Trouble::in_transaction)
    }

    /// The end of a batch in which rows were brought together aside.
    pub(crate) async fn sync_aside(&mut self) -> Result<(), Trouble> {
        let mut failed = false;
        if self.links.current.is_some() {
            self.exchange.out.extend_from_slice(&message::SYNC);
            self.exchange.replies.expect(Expected::Ready { shown: Shown::No });
            let heard = self.relay().await?;
            self.act_on(&heard);
            failed = heard.failed || heard.status == Some(TransactionStatus::Failed);
        }
        self.end_aside(failed).await?;
        self.answer_ready().await
    }

    /// Ends the transaction aside, unless it is kept for a cursor; the session's own, if there is one, is
    /// current again, and fails with it.
    pub(crate) async fn end_aside(&mut self, failed: bool) -> Result<(), Trouble> {
        let Some(Aside { waiting, cursor }) = self.aside.take() else { return Ok(()) };
        self.handle().brought.reset();
        let link = std::mem::replace(&mut self.links.current, waiting);
        let cursor = cursor.filter(|cursor| !failed && !cursor.is_over());
        let ended = match (link, cursor) {
            (None, _) => Ok(()),
            (Some(link), Some(cursor)) => self.rest(cursor, link).await,
            (Some(link), None) => self.end_link_aside(link, failed).await,
        };
        if let Some(own) = &self.links.current {
            self.handle().runs_on(own.lease.identity());
        }
        if failed {
            self.fail_with_aside().await?;
        }
        ended
    }

    async fn end_link_aside(&mut self, mut link: Link, failed: bool) -> Result<(), Trouble> {
        let end: &[u8] = if failed { b"ROLLBACK" } else { b"COMMIT" };
        let ended = link.lease.connection().simple(end).await;
        ended.map_err(Trouble::in_transaction)?;
        self.put_away(link).await;
        Ok(())
    }

    /// The statement that failed aside was one of the session's transaction.
    async fn fail_with_aside(&mut self) -> Result<(), Trouble> {
        match self.transaction {
            Transaction::Open { failed: false, .. } => {
                message::query(&mut self.exchange.out, REFUSED_SQL);
                self.exchange.replies.expect(Expected::Refusal(Bytes::new()));
                self.exchange.replies.expect(Expected::Ready { shown: Shown::No });
                let heard = self.relay().await?;
                self.transaction.note(heard.status.unwrap_or(TransactionStatus::Failed));
                self.let_joined_go().await;
            }
            Transaction::Promised { .. } => self.transaction = Transaction::Void,
            _ => {}
        }
        Ok(())
    }
}

/// `promised` is the BEGIN of a transaction of which no node has heard, `setup` what another node has
/// heard of one.
async fn begin_aside(
    lease: &mut Lease,
    promised: Option<&[u8]>,
    setup: &[Vec<u8>],
) -> Result<(), Trouble> {
    let (begin, preamble) = match (promised, setup.split_first()) {
        (Some(begin), _) => (begin, &[][..]),
        (None, Some((begin, preamble))) => (begin.as_slice(), preamble),
        (None, None) => (BEGIN_ASIDE, &[][..]),
    };
    let preamble = preamble.iter().map(Vec::as_slice).filter(|sql| !sets_manner(sql));
    for statement in [begin, READ_WRITE].into_iter().chain(preamble) {
        lease.connection().simple(statement).await.map_err(Trouble::in_transaction)?;
    }
    Ok(())
}

/// SET TRANSACTION: whether it reads or writes is looked after here.
pub(crate) fn sets_manner(sql: &[u8]) -> bool {
    const WORDS: &[u8] = b"set transaction";
    sql.get(..WORDS.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORDS))
}

fn needs_own_home() -> ClientError {
    ClientError::unsupported("this query of several nodes cannot run in this transaction")
        .with_detail(
            "It needs home or reference tables as the transaction has left them, and temporary tables \
             beside them, which a transaction on several nodes, or a read-only one, cannot have.",
        )
        .with_hint("Run it first in the transaction, or by itself.")
}
