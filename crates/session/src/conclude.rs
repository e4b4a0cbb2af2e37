//! How a simple query ends that did not run its course.

use bytes::{Bytes, BytesMut};
use herd_execute::{Expected, Shown};
use herd_types::{ClientError, SqlState};
use herd_wire::message;

use crate::batch::Stage;
use crate::session::Session;
use crate::simple::REFUSED_SQL;
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble};

impl Session {
    /// Tells the client what went wrong with a simple query, and makes the transaction fail.
    pub(crate) async fn conclude(&mut self, trouble: Trouble) -> Result<(), Ending> {
        let mut trouble = trouble;
        // Telling one trouble can meet another: a node that is lost meanwhile.
        loop {
            let error = self.describe_trouble(trouble)?;
            match self.fail(error).await {
                Ok(()) => return Ok(()),
                Err(next) => trouble = next,
            }
        }
    }

    /// The ErrorResponse for the client; what the trouble has broken is put in order.
    pub(crate) fn describe_trouble(&mut self, trouble: Trouble) -> Result<Bytes, Ending> {
        let mut out = BytesMut::new();
        match trouble {
            Trouble::End(ending) => return Err(ending),
            Trouble::Refused(error) => herd_wire::error::put_error(&mut out, &error),
            Trouble::Server(body) => {
                message::frame(&mut out, b'E', |out| out.extend_from_slice(&body));
            }
            Trouble::Outdated => herd_wire::error::put_error(&mut out, &outdated()),
            Trouble::NodeLost(error) => {
                let told = self.lose_node(&error)?;
                if let Some(error) = told {
                    herd_wire::error::put_error(&mut out, &error);
                }
            }
        }
        Ok(out.freeze())
    }

    pub(crate) async fn fail(&mut self, error: Bytes) -> Result<(), Trouble> {
        // The statements of a pipeline that no Sync has ended are undone with it.
        let is_in_pipeline = self.links.current.is_some() && self.batch.stage == Stage::Engaged;
        match &self.transaction {
            Transaction::Open { failed: false, .. } => return self.fail_on_server(error).await,
            Transaction::None if is_in_pipeline => return self.fail_on_server(error).await,
            Transaction::Promised { .. } => self.transaction = Transaction::Void,
            _ => {}
        }
        if matches!(self.transaction, Transaction::None) {
            self.settings.roll_back();
            self.reread_routines().await;
            self.release().await;
        }
        self.complete(&error).await
    }

    async fn fail_on_server(&mut self, error: Bytes) -> Result<(), Trouble> {
        message::query(&mut self.exchange.out, REFUSED_SQL);
        self.exchange.replies.expect(Expected::Refusal(error));
        self.exchange.replies.expect(Expected::Ready { shown: Shown::AsItIs });
        let mut heard = self.relay().await?;
        heard.failed = true;
        self.settle(&heard).await
    }
}

fn outdated() -> ClientError {
    ClientError::error(
        SqlState::SERIALIZATION_FAILURE,
        "the tables were redefined while the statement waited for a connection",
    )
    .with_hint("Try again.")
}
