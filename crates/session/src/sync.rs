//! Sync: the end of a batch, at which the client is owed a ReadyForQuery, come what may.

use bytes::BytesMut;
use herd_execute::{Expected, Shown};
use herd_wire::message;

use crate::exchange::Heard;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

impl Session {
    pub(crate) async fn sync(&mut self) -> Result<(), Trouble> {
        let heard = loop {
            match self.reach_ready().await {
                Ok(heard) => break heard,
                // The client is owed a ReadyForQuery all the same.
                Err(trouble) => self.fail_batch(trouble).await?,
            }
        };
        if let Some(heard) = heard {
            self.settle(&heard).await?;
        }
        self.batch.end(!matches!(self.transaction, Transaction::None));
        Ok(())
    }

    /// Up to ReadyForQuery; what was heard of the current link, if that was asked.
    async fn reach_ready(&mut self) -> Result<Option<Heard>, Trouble> {
        if !self.batch.is_skipping() {
            self.resolve_pending().await?;
        }
        let timer = self.worker.gateway.metrics.start();
        if self.batch.is_block {
            Box::pin(self.end_pipeline_block()).await?;
        }
        if self.aside.is_some() {
            Box::pin(self.sync_aside()).await?;
            return Ok(None);
        }
        if self.links.current.is_none() {
            self.answer_ready().await?;
            return Ok(None);
        }
        self.exchange.out.extend_from_slice(&message::SYNC);
        self.exchange.replies.expect(Expected::Ready { shown: Shown::AsItIs });
        let relayed = self.relay().await;
        self.worker.gateway.metrics.stop_extended(&timer, &relayed);
        let heard = relayed?;
        self.act_on(&heard);
        Ok(Some(heard))
    }

    /// ReadyForQuery that no server is asked for.
    pub(crate) async fn answer_ready(&mut self) -> Result<(), Trouble> {
        let mut ready = BytesMut::new();
        message::ready(&mut ready, self.transaction.status());
        self.answer(&ready);
        self.relay().await.map(drop)
    }
}
