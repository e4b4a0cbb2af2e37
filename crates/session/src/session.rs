//! One client: waits for its messages and hands each to the protocol it belongs to.
//!
//! How statements are answered is in `simple` and `extended`; how server connections come and go
//! in `attach`.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use herd_execute::{ClientConnection, ClientLost, Event, Interrupt, Output, Relay, Replies};
use herd_node::{Pool, PoolKey, Reported};
use herd_plan::{Context as PlanContext, Planner, Query};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::connect::Credential;
use herd_wire::frame::Header;
use herd_wire::message::{self, TransactionStatus};
use smallvec::SmallVec;

use crate::batch::Batch;
use crate::block::Defining;
use crate::bring::Aside;
use crate::circumstances::Circumstances;
use crate::cursors::Cursors;
use crate::exchange::{Exchange, Heard};
use crate::gateway::Worker;
use crate::link::Links;
use crate::registry::{ClientHandle, Phase, Registered};
use crate::routines::DatabaseRoutines;
use crate::settings::SessionSettings;
use crate::statements::ClientStatements;
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble, protocol_violation};

/// A client's read buffer above this is given back when the client falls silent.
const READ_BUFFER_KEPT_BYTES_MAX: usize = 16 * 1024;

/// What is known of a client once it has logged in.
pub struct Login {
    pub registered: Registered,
    pub client: ClientConnection,
    pub pool_key: PoolKey,
    pub credential: Credential,
    pub routines: Arc<DatabaseRoutines>,
    pub told: Reported,
    pub settings: SessionSettings,
    pub is_admin: bool,
}

pub struct Session {
    pub(crate) worker: Arc<Worker>,
    registered: Registered,
    pub(crate) client: ClientConnection,
    pub(crate) pool_key: PoolKey,
    pub(crate) credential: Credential,
    pub(crate) pools: SmallVec<[(NodeId, Arc<Pool>); 4]>,
    pub(crate) routines: Arc<DatabaseRoutines>,
    /// The parameters as the client knows them.
    pub(crate) told: Reported,
    pub(crate) settings: SessionSettings,
    pub(crate) statements: ClientStatements,
    pub(crate) last_circumstances: Option<Arc<Circumstances>>,
    pub(crate) transaction: Transaction,
    pub(crate) defining: Option<Defining>,
    pub(crate) links: Links,
    /// Herd's own transaction on the current link, around a query of several nodes.
    pub(crate) aside: Option<Aside>,
    /// The transaction has temporary tables of Herd's, with which it cannot be prepared.
    pub(crate) holds_temporary_tables: bool,
    /// The transaction has written to reference tables, which others see as they were.
    pub(crate) changed_copies: bool,
    pub(crate) cursors: Cursors,
    /// How many temporary tables the session has had made, for their names.
    pub(crate) brought_tables: u64,
    pub(crate) exchange: Exchange,
    pub(crate) batch: Batch,
    pub(crate) is_admin: bool,
}

impl Session {
    #[must_use]
    pub fn new(worker: Arc<Worker>, login: Login) -> Session {
        let statements_max = worker.gateway.config.load().limits.client_statements_max;
        Session {
            worker,
            registered: login.registered,
            client: login.client,
            pool_key: login.pool_key,
            credential: login.credential,
            pools: SmallVec::new(),
            routines: login.routines,
            told: login.told,
            settings: login.settings,
            statements: ClientStatements::new(statements_max),
            last_circumstances: None,
            transaction: Transaction::None,
            defining: None,
            links: Links::default(),
            aside: None,
            holds_temporary_tables: false,
            changed_copies: false,
            cursors: Cursors::default(),
            brought_tables: 0,
            exchange: Exchange::default(),
            batch: Batch::default(),
            is_admin: login.is_admin,
        }
    }

    pub(crate) fn handle(&self) -> &Arc<ClientHandle> {
        &self.registered.handle
    }

    /// Serves the client until it leaves or is told to.
    pub async fn run(&mut self) {
        let ending = loop {
            if let Err(ending) = self.serve_message().await {
                break ending;
            }
        };
        self.end(ending).await;
    }

    async fn serve_message(&mut self) -> Result<(), Ending> {
        let header = self.next_message().await?;
        let frame = self.take_frame(header);
        if self.batch.is_empty() {
            self.handle().enter(Phase::Running);
        }
        let served = match header.tag {
            b'Q' => self.simple_query(&frame).await,
            b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' => {
                self.extended_message(header.tag, &frame).await
            }
            b'F' => self.function_call(&frame).await,
            // What is left of a COPY that failed.
            b'd' | b'c' | b'f' => Ok(()),
            b'X' => Err(Ending::ClientLeft),
            tag => Err(Ending::Fatal(ClientError::fatal(
                SqlState::PROTOCOL_VIOLATION,
                format!("invalid frontend message type {tag}"),
            ))),
        };
        self.reuse_buffer(frame);
        served
    }

    async fn next_message(&mut self) -> Result<Header, Ending> {
        loop {
            self.check_drain()?;
            let header = Header::peek(&self.client.read);
            if let Some(header) = header.map_err(|e| Ending::Fatal(protocol_violation(&e)))? {
                if header.frame_bytes <= self.client.read.len() {
                    return Ok(header);
                }
                self.check_length(header)?;
            }
            self.wait_for_client().await?;
        }
    }

    fn check_length(&self, header: Header) -> Result<(), Ending> {
        let bytes_max = self.worker.gateway.config.load().limits.message_bytes_max;
        if header.frame_bytes <= bytes_max || header.tag == b'd' {
            return Ok(());
        }
        let error = ClientError::fatal(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a message of {} bytes is too long", header.frame_bytes),
        );
        let hint = format!("limits.message_bytes_max is {bytes_max} bytes.");
        Err(Ending::Fatal(error.with_hint(hint)))
    }

    fn take_frame(&mut self, header: Header) -> BytesMut {
        if self.client.read.len() == header.frame_bytes {
            std::mem::take(&mut self.client.read)
        } else {
            self.client.read.split_to(header.frame_bytes)
        }
    }

    /// The buffer of the message just served takes the next one, if nothing else has come.
    fn reuse_buffer(&mut self, mut frame: BytesMut) {
        if self.client.read.capacity() == 0 && frame.capacity() <= READ_BUFFER_KEPT_BYTES_MAX {
            frame.clear();
            self.client.read = frame;
        }
    }

    /// Notifications, notices and parameter changes of connections that stay with the client.
    pub(crate) async fn pass_unasked(&mut self) -> Result<(), Ending> {
        let interrupts = &self.registered.handle.interrupts;
        let mut lost = None;
        for link in
            self.links.kept.iter_mut().chain(&mut self.links.current).chain(&mut self.links.joined)
        {
            let server = link.lease.connection();
            let mut output = Output::default();
            let walked = Replies::default().walk(&server.read, &mut output, None);
            let Ok(consumed) = walked else {
                lost = Some(server.node_name().to_owned());
                continue;
            };
            if consumed == 0 && server.read.is_empty() {
                lost = Some(server.node_name().to_owned());
                continue;
            }
            let bytes = output.bytes(&server.read, consumed);
            self.client.write(bytes, interrupts).await.map_err(gone)?;
            server.read.advance(consumed);
        }
        match lost {
            None => Ok(()),
            Some(node) => Err(Ending::Fatal(ClientError::fatal(
                SqlState::CONNECTION_FAILURE,
                format!("the connection to node \"{node}\" was closed by the server"),
            ))),
        }
    }

    /// Understands a query string under the session's circumstances.
    pub(crate) fn understand(&self, sql: &[u8], types: &[u32]) -> Result<Query, ClientError> {
        self.check_encoding(sql)?;
        let catalog = self.catalog();
        let routines = self.routines.current();
        let context = PlanContext {
            catalog: &catalog,
            routines: &routines,
            search_path: self.settings.search_path(),
            auto_fragment: self.settings.auto_fragment(),
            parameter_types: types,
        };
        match &self.defining {
            // Nobody else may plan by a catalog that is not committed.
            Some(Defining::Open(_)) => Planner::new(0).understand(sql, &context),
            Some(Defining::Failed) | None => self.worker.planner.lock().understand(sql, &context),
        }
    }

    /// Keys are hashed in the servers' encoding: in another one only ASCII is the same.
    pub(crate) fn check_encoding(&self, bytes: &[u8]) -> Result<(), ClientError> {
        let is_same = self.told.client_speaks_utf8();
        if is_same || bytes.is_ascii() || !self.catalog().has_tables() {
            return Ok(());
        }
        Err(ClientError::unsupported(
            "with fragmented tables, such text needs client_encoding UTF8",
        ))
    }

    /// Sends what is to be sent to the current link and passes on what it answers.
    pub(crate) async fn relay(&mut self) -> Result<Heard, Trouble> {
        let mut heard = Heard::default();
        let Some(link) = &mut self.links.current else {
            return self.answer_alone().await.map(|()| heard);
        };
        let (server, numbering) = link.lease.parts();
        let relay = Relay {
            server,
            numbering,
            client: &mut self.client,
            replies: &mut self.exchange.replies,
            out: &mut self.exchange.out,
            output: &mut self.exchange.output,
            interrupts: &self.registered.handle.interrupts,
        };
        let gateway = &self.worker.gateway;
        let defined_before = self.batch.defined;
        let relayed = relay
            .run(|event| {
                heard.hear(event);
                // Whoever is told of a definition finds it noted.
                let defined = match event {
                    Event::Defined(subject) => Some(*subject),
                    Event::Ready(TransactionStatus::Idle) => heard.defined.or(defined_before),
                    _ => None,
                };
                if let Some(subject) = defined {
                    gateway.note_definition(subject);
                }
            })
            .await;
        if let Some(completion) = heard.completion.take() {
            self.exchange.completion.extend_from_slice(&completion);
        }
        self.exchange.told_error = heard.failed;
        self.registered.handle.interrupts.lower(Interrupt::QueryTimeout);
        if let Some(subject) = heard.defined {
            self.batch.defined = Some(subject);
        }
        if heard.status == Some(TransactionStatus::Idle) {
            self.batch.defined = None;
        }
        relayed?;
        self.answer_alone().await?;
        if let Some(link) = &mut self.links.current {
            let reported = &link.lease.connection().reported;
            if !self.told.is_same(reported) {
                self.told = reported.clone();
            }
        }
        Ok(heard)
    }

    /// Answers of Herd's own that no server reply stands before.
    pub(crate) async fn answer_alone(&mut self) -> Result<(), Trouble> {
        let mut answers = BytesMut::new();
        self.exchange.replies.take_answers(&mut answers);
        self.write(&answers).await.map_err(Trouble::End)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let interrupts = &self.registered.handle.interrupts;
        self.client.write(bytes, interrupts).await.map_err(gone)
    }

    async fn end(&mut self, ending: Ending) {
        if let Ending::Fatal(error) = &ending {
            let mut out = BytesMut::new();
            herd_wire::error::put_error(&mut out, error);
            herd_wire::startup::farewell(&mut self.client.stream, &out).await;
        }
        tracing::debug!(client = %self.handle().id, ?ending, "session ended");
        self.abandon_links().await;
    }
}

fn gone(lost: ClientLost) -> Ending {
    match lost {
        ClientLost::Gone | ClientLost::Io(_) => Ending::ClientLeft,
        ClientLost::Interrupted => Ending::Terminated,
    }
}

/// The text of a simple query: everything before its closing zero byte.
pub(crate) fn query_text(frame: &[u8]) -> Result<&[u8], Ending> {
    let mut reader = message::Reader::new(&frame[herd_wire::frame::HEADER_BYTES..]);
    let text = reader.string().map_err(|e| Ending::Fatal(protocol_violation(&e)))?;
    reader.end().map_err(|e| Ending::Fatal(protocol_violation(&e)))?;
    Ok(text)
}
