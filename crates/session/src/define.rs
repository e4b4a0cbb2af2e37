//! DDL: what lies on several nodes is defined on all of them, by connections that are the client's
//! in all but name.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::Subject;
use herd_execute::define::{
    Completed, DefineError, NodeError as DefineNodeError, NodeSession, Nodes, Refusal, Rows,
};
use herd_node::{Lease, NodeError, PoolKey, ServerConnection, Settings};
use herd_plan::ddl::reshape::SELECT_TAG;
use herd_plan::ddl::{Draft, Outcome};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::connect::Credential;
use herd_wire::error::NoticeLevel;
use herd_wire::message::{self, TransactionStatus};
use parking_lot::Mutex;

use crate::exchange::Heard;
use crate::gateway::Worker;
use crate::link::Link;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Gives connections with the role and the settings of one client.
pub struct ClientNodes {
    worker: Arc<Worker>,
    pool_key: PoolKey,
    credential: Credential,
    settings: Arc<Settings>,
    reuse: Reuse,
    /// What the home node had to say beside its answers.
    notices: Notices,
}

pub(crate) type Notices = Arc<Mutex<Vec<Bytes>>>;

/// A connection that runs part of a definition.
pub struct ClientNode {
    /// Taken when it is given back.
    link: Option<Link>,
    /// `None` when the connection is lost.
    status: Option<TransactionStatus>,
    /// Only of the home node: the others say the same.
    notices: Option<Notices>,
    /// Where it goes when it is the session's own.
    returned: Option<Returned>,
    reuse: Reuse,
}

/// Whether others may have the connection afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    /// Functions of the database may have left something on it.
    Forbidden,
}

impl Reuse {
    pub(crate) fn unless(leaves_something: bool) -> Reuse {
        if leaves_something { Reuse::Forbidden } else { Reuse::Allowed }
    }

    /// Gives a connection back that has nothing more to do, or closes it.
    pub(crate) fn apply(self, lease: Lease) {
        match self {
            Reuse::Allowed => lease.give_back(),
            Reuse::Forbidden => lease.close(),
        }
    }
}

/// The session's own connection, when a definition has used it, and where its transaction stands.
pub(crate) type Returned = Arc<Mutex<Option<(Link, TransactionStatus)>>>;

impl Nodes for ClientNodes {
    type Session = ClientNode;

    async fn open(&self, node: NodeId) -> Result<ClientNode, DefineNodeError> {
        let leased = async {
            let pool = self.worker.pools.pool(node, &self.pool_key, &self.credential)?;
            let mut lease = pool.lease(&self.settings).await?;
            lease.connection().restore(&self.settings).await?;
            Ok(lease)
        };
        match leased.await {
            Ok(lease) => {
                let is_home = node == self.worker.gateway.catalog().home();
                let notices = is_home.then(|| Arc::clone(&self.notices));
                let status = Some(TransactionStatus::Idle);
                let link = Some(Link::new(lease));
                Ok(ClientNode { link, status, notices, returned: None, reuse: self.reuse })
            }
            Err(NodeError::Server(body)) => Err(refused(&body)),
            Err(error) => Err(DefineNodeError::Unavailable(error.to_client())),
        }
    }
}

impl NodeSession for ClientNode {
    async fn query(&mut self, sql: &str) -> Result<Rows, DefineNodeError> {
        let Some(Link { lease, .. }) = &mut self.link else {
            return Err(DefineNodeError::Lost("the connection was given back".to_owned()));
        };
        match lease.connection().simple(sql.as_bytes()).await {
            Ok((answer, status)) => {
                self.status = Some(status);
                if let Some(notices) = &self.notices {
                    notices.lock().extend(answer.notices);
                }
                let text = |value: Option<Bytes>| {
                    value.map(|value| String::from_utf8_lossy(&value).into_owned())
                };
                let row = |row: Vec<Option<Bytes>>| row.into_iter().map(text).collect();
                Ok(answer.rows.into_iter().map(row).collect())
            }
            Err(NodeError::Server(body)) => {
                // Whether it failed in a block, the next answer tells; until then it is no idle one.
                if self.status == Some(TransactionStatus::InBlock) {
                    self.status = Some(TransactionStatus::Failed);
                }
                Err(refused(&body))
            }
            Err(error) => {
                self.status = None;
                Err(DefineNodeError::Lost(error.to_string()))
            }
        }
    }

    async fn copy_out(&mut self, sql: &str) -> Result<(), DefineNodeError> {
        let begun = self.connection()?.begin_copy_out(sql.as_bytes()).await;
        self.heard(begun)
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, DefineNodeError> {
        let piece = self.connection()?.next_copied().await;
        self.heard(piece)
    }

    async fn copy_in(&mut self, sql: &str) -> Result<(), DefineNodeError> {
        let begun = self.connection()?.begin_copy(sql.as_bytes()).await;
        self.heard(begun)
    }

    async fn put(&mut self, data: Bytes) -> Result<(), DefineNodeError> {
        let put = self.connection()?.put_copied(&data).await;
        self.heard(put)
    }

    async fn end_copy(&mut self) -> Result<(), DefineNodeError> {
        let ended = self.connection()?.end_copy().await;
        self.heard(ended).map(|status| self.status = Some(status))
    }
}

impl ClientNode {
    fn connection(&mut self) -> Result<&mut ServerConnection, DefineNodeError> {
        match &mut self.link {
            Some(link) => Ok(link.lease.connection()),
            None => Err(DefineNodeError::Lost("the connection was given back".to_owned())),
        }
    }

    /// What a node said, in the words of definitions.
    fn heard<T>(&mut self, result: Result<T, NodeError>) -> Result<T, DefineNodeError> {
        result.map_err(|error| match error {
            NodeError::Server(body) => {
                self.status = self.status.map(|_| TransactionStatus::Failed);
                refused(&body)
            }
            error => {
                self.status = None;
                DefineNodeError::Lost(error.to_string())
            }
        })
    }

    /// The session's own connection to the home node, in its transaction.
    pub(crate) fn of_client(link: Link, notices: &Notices, returned: &Returned) -> ClientNode {
        ClientNode {
            link: Some(link),
            status: Some(TransactionStatus::InBlock),
            notices: Some(Arc::clone(notices)),
            returned: Some(Arc::clone(returned)),
            reuse: Reuse::Forbidden,
        }
    }

    /// The settings may have changed since it was opened.
    pub(crate) async fn restore(&mut self, settings: &Arc<Settings>) -> Result<(), NodeError> {
        match &mut self.link {
            Some(link) => link.lease.connection().restore(settings).await,
            None => Ok(()),
        }
    }
}

/// A connection in a transaction is closed instead, which ends that.
impl Drop for ClientNode {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        match (self.status, &self.returned) {
            (Some(status), Some(returned)) => *returned.lock() = Some((link, status)),
            (Some(TransactionStatus::Idle), None) => self.reuse.apply(link.lease),
            _ => {}
        }
    }
}

fn refused(body: &[u8]) -> DefineNodeError {
    let field = |tag| herd_wire::error::field(body, tag).unwrap_or_default();
    DefineNodeError::Refused(Refusal {
        sqlstate: SqlState::from_bytes(field(b'C')).unwrap_or(SqlState::INTERNAL_ERROR),
        message: String::from_utf8_lossy(field(b'M')).into_owned(),
        frame: Bytes::copy_from_slice(body),
    })
}

/// What a definition has come to.
pub(crate) enum Defined {
    /// The home node runs the text as it is.
    ByHome,
    /// Notices and CommandComplete for the client.
    Done(BytesMut),
}

impl ClientNodes {
    pub(crate) fn notices(&self) -> Notices {
        Arc::clone(&self.notices)
    }
}

impl Session {
    pub(crate) fn client_nodes(&self, reuse: Reuse) -> ClientNodes {
        ClientNodes {
            worker: Arc::clone(&self.worker),
            pool_key: self.pool_key.clone(),
            credential: self.credential.clone(),
            settings: Arc::clone(self.settings.current()),
            reuse,
            notices: Notices::default(),
        }
    }

    /// Whether it turns out that the home node can run the statement as it is.
    pub(crate) async fn is_homes_own(&self, draft: &Draft) -> Result<bool, Trouble> {
        let definitions = Arc::clone(&self.worker.gateway.definitions_runner);
        let outcome = definitions.resolve(draft.clone(), self.client_nodes(Reuse::Allowed)).await;
        Ok(outcome.map_err(trouble)? == Outcome::Home)
    }

    /// The definition's answer, whoever runs it.
    pub(crate) async fn define_or_forward(&mut self, draft: &Draft) -> Result<BytesMut, Trouble> {
        match self.define(draft).await? {
            Defined::Done(answer) => Ok(answer),
            Defined::ByHome => self.run_on_home(draft.text().as_bytes()).await,
        }
    }

    /// A statement without rows; its text does not pass as the client's own message.
    async fn run_on_home(&mut self, sql: &[u8]) -> Result<BytesMut, Trouble> {
        let home = self.catalog().home();
        self.attach(home).await?;
        self.transaction.bind();
        self.send_held_back().await?;
        let Some(link) = &mut self.links.current else {
            return Err(ClientError::unsupported("the statement has no node to run on").into());
        };
        let (answer, status) = link.lease.connection().simple(sql).await?;
        if let Some(subject) = Subject::of(answer.tag.as_bytes()) {
            self.batch.defined.get_or_insert(subject);
            self.worker.gateway.note_definition(subject);
        }
        let mut out = BytesMut::new();
        put_notices(&mut out, &answer.notices);
        message::command_complete(&mut out, &answer.tag);
        let heard = Heard { status: Some(status), ..Heard::default() };
        self.settle(&heard).await?;
        Ok(out)
    }

    pub(crate) async fn define(&mut self, draft: &Draft) -> Result<Defined, Trouble> {
        if !matches!(self.transaction, Transaction::None) {
            return self.define_in_block(draft).await;
        }
        let nodes = self.client_nodes(Reuse::unless(draft.leaves_something()));
        let definitions = Arc::clone(&self.worker.gateway.definitions_runner);
        let said = Arc::clone(&nodes.notices);
        // A task of its own: it comes to its end even if the client goes away.
        let draft = draft.clone();
        let run = tokio::spawn(async move { definitions.run(draft, nodes).await });
        let ended = |_| ClientError::error(SqlState::INTERNAL_ERROR, "the definition was given up");
        let completed = run.await.map_err(ended)?.map_err(trouble);
        if !matches!(completed, Ok(Completed::Home)) {
            self.renew_routines().await?;
        }
        match completed? {
            Completed::Home => Ok(Defined::ByHome),
            Completed::Done { tag, notices } => {
                let subject = Subject::of(tag.as_bytes()).unwrap_or(Subject::Object);
                self.worker.gateway.note_definition(subject);
                Ok(Defined::Done(answer_of(&tag, notices, &said.lock())))
            }
        }
    }
}

/// Notices, those of the home node first, the row of a function that gives nothing, and
/// CommandComplete.
pub(crate) fn answer_of(tag: &str, notices: Vec<String>, said: &[Bytes]) -> BytesMut {
    let mut out = BytesMut::new();
    put_notices(&mut out, said);
    for notice in notices {
        let notice = ClientError::error(SqlState::SUCCESSFUL_COMPLETION, notice);
        herd_wire::error::put_notice(&mut out, NoticeLevel::Notice, &notice);
    }
    if tag == SELECT_TAG {
        message::data_row(&mut out, std::iter::once(Some(b"".as_slice())));
    }
    message::command_complete(&mut out, tag);
    out
}

fn put_notices(out: &mut BytesMut, notices: &[Bytes]) {
    for body in notices {
        message::frame(out, b'N', |out| out.extend_from_slice(body));
    }
}

pub(crate) fn trouble(error: DefineError) -> Trouble {
    match error {
        DefineError::Server { refusal, .. } => Trouble::Server(refusal.frame),
        other => Trouble::Refused(other.into_client_error()),
    }
}
