//! What came of the messages of a batch: what ran, what was lost, and how a failure is told.

use bytes::Bytes;
use herd_execute::{Event, Expected, Subject, Token};
use herd_wire::message;

use crate::batch::{Meaning, Stage};
use crate::exchange::Heard;
use crate::session::Session;
use crate::simple::REFUSED_SQL;
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble};

impl Session {
    /// What the replies to messages of a batch mean for the session.
    pub(crate) fn act_on(&mut self, heard: &Heard) {
        self.note(heard);
        if heard.failed {
            self.batch.advance(Stage::Skipping);
        }
    }

    /// The same where a statement may have come by the simple protocol, which skips nothing.
    pub(crate) fn act_on_if_batch(&mut self, heard: &Heard) {
        match self.batch.stage {
            Stage::Empty => self.note(heard),
            _ => self.act_on(heard),
        }
    }

    /// What has happened, whichever messages brought it about.
    pub(crate) fn note(&mut self, heard: &Heard) {
        for event in &heard.events {
            match event {
                Event::Done(token) => {
                    self.note_executed(*token);
                    if let Some(Meaning::Executed(statement, custom)) =
                        self.batch.take_meaning(*token)
                        && let Some(understood) = &statement.understood
                    {
                        self.apply_with(&understood.plan, &statement.text, custom);
                        self.apply_executed(&understood.plan);
                    }
                }
                Event::Lost(token) => self.forget_parse(*token),
                Event::Error(body) => self.forget_stale_plans(body),
                Event::Described { token, parameters, row } => {
                    self.note_shape(*token, parameters, row.as_deref());
                }
                _ => {}
            }
        }
    }

    fn forget_parse(&mut self, token: Token) {
        let Some(Meaning::Parsed { key, client_name }) = self.batch.take_meaning(token) else {
            return;
        };
        if let Some(link) = &mut self.links.current {
            link.lease.connection().prepared.remove(key);
        }
        if let Some(name) = client_name {
            self.statements.remove(&name);
        }
    }

    /// PostgreSQL refuses to go on with a prepared statement whose result has changed its shape: there
    /// was a definition of which Herd has not heard.
    fn forget_stale_plans(&self, error: &[u8]) {
        if herd_wire::error::field(error, b'R') == Some(b"RevalidateCachedQuery") {
            self.worker.gateway.note_definition(Subject::Object);
        }
    }

    /// Tells the client at once, and skips to the next Sync.
    pub(crate) async fn fail_batch(&mut self, trouble: Trouble) -> Result<(), Ending> {
        let mut trouble = trouble;
        loop {
            if let Some(pending) = self.batch.pending.take() {
                self.statements.remove(&pending.name);
            }
            let error = self.describe_trouble(trouble)?;
            self.batch.advance(Stage::Skipping);
            match self.fail_extended(error).await {
                Ok(()) => return Ok(()),
                Err(next) => trouble = next,
            }
        }
    }

    /// A server that already works on this batch must fail too, so that nothing of it stays.
    async fn fail_extended(&mut self, error: Bytes) -> Result<(), Trouble> {
        if self.links.current.is_some() {
            message::parse(&mut self.exchange.out, b"", REFUSED_SQL, &[]);
            self.exchange.replies.expect(Expected::Refusal(error));
            let heard = self.relay().await?;
            self.act_on(&heard);
            return Ok(());
        }
        if let Transaction::Promised { .. } = self.transaction {
            self.transaction = Transaction::Void;
        }
        self.answer(&error);
        self.relay().await.map(drop)
    }
}
