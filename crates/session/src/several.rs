//! Query strings of several statements: one transaction, unless they say otherwise.

use std::sync::Arc;

use bytes::BytesMut;
use herd_execute::Expected;
use herd_plan::{
    Action, Part, Plan, PreparedCommand, Query, SettingCommand, TransactionCommand, Understood,
};
use herd_types::{ClientError, NodeId};

use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// In front of statements that are a transaction without saying so.
const BEGIN: &[u8] = b"BEGIN";

impl Session {
    /// A query string of several statements is one transaction: it runs whole on one node.
    pub(crate) async fn answer_several(
        &mut self,
        frame: &[u8],
        sql: &[u8],
        parts: Vec<Part>,
    ) -> Result<(), Trouble> {
        self.check_parts_keep_block(sql, &parts)?;
        if self.is_failed_on_server() {
            return self.forward_here(frame).await;
        }
        if self.defines_on_several_nodes(&parts).await? {
            return self.define_together(sql, parts).await;
        }
        let mut node = None;
        let mut binds = false;
        let mut plans: Vec<(Arc<Plan>, &[u8])> = Vec::with_capacity(parts.len());
        for part in parts {
            let understood = part.understood?;
            self.check_not_void(&understood.plan)?;
            let text = &sql[part.span];
            if let Some(wanted) = self.place_part(&understood, text)? {
                if node.is_some_and(|node| node != wanted) {
                    return Err(Trouble::Refused(several_nodes()));
                }
                node = Some(wanted);
                binds = true;
            }
            plans.push((understood.plan, text));
        }
        let node = node.unwrap_or_else(|| self.node_for_settings());
        self.attach_placed(node).await?;
        if binds {
            self.transaction.bind();
        }
        self.exchange.out.extend_from_slice(frame);
        self.exchange.replies.expect(Expected::Query { token: None });
        let heard = self.relay().await?;
        if !heard.failed {
            for (plan, text) in &plans {
                self.apply(plan, text);
            }
        }
        self.settle(&heard).await
    }

    /// Whether any of the statements defines what is not the home node's alone.
    async fn defines_on_several_nodes(&mut self, parts: &[Part]) -> Result<bool, Trouble> {
        for part in parts {
            if let Ok(understood) = &part.understood
                && let Action::Define(draft) = &understood.plan.action
                && (self.defining.is_some() || !self.is_homes_own(draft).await?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All of them or none, as every query string: in a transaction of their own, unless there is one.
    async fn define_together(&mut self, sql: &[u8], parts: Vec<Part>) -> Result<(), Trouble> {
        let is_alone = matches!(self.transaction, Transaction::None);
        if is_alone {
            self.transaction = Transaction::Promised { begin: BEGIN.to_vec() };
        }
        let mut answer = BytesMut::new();
        let mut defined = self.define_each(sql, parts, &mut answer).await;
        if is_alone {
            defined = self.end_together(defined).await;
        }
        if let Err(trouble) = defined {
            self.write(&answer).await?;
            return Err(trouble);
        }
        self.complete(&answer).await
    }

    /// Each is understood only now that those before it are defined.
    async fn define_each(
        &mut self,
        sql: &[u8],
        parts: Vec<Part>,
        answer: &mut BytesMut,
    ) -> Result<(), Trouble> {
        for part in parts {
            let draft = match self.understand(&sql[part.span], &[])? {
                Query::One(Understood { plan, .. }) => match &plan.action {
                    Action::Define(draft) => draft.clone(),
                    _ => return Err(not_among_others("a definition on several nodes").into()),
                },
                Query::Empty => continue,
                Query::Several(_) => {
                    return Err(not_among_others("a definition on several nodes").into());
                }
            };
            answer.extend_from_slice(&self.define_or_forward(&draft).await?);
        }
        Ok(())
    }

    async fn end_together(&mut self, defined: Result<(), Trouble>) -> Result<(), Trouble> {
        let end = match defined {
            Ok(()) => TransactionCommand::Commit { chain: false },
            Err(_) => TransactionCommand::Rollback { chain: false },
        };
        let mut ended = Ok(());
        if matches!(self.transaction, Transaction::Open { .. }) {
            ended = self.end_definitions(&end).await.map(drop);
            if ended.is_err() && self.links.current.is_some() {
                self.lose_link();
            }
        }
        // If it was not open, no node has heard of it, or none knows of it any more.
        self.drop_definitions();
        self.transaction = Transaction::None;
        defined.and(ended)
    }

    /// The node that a part insists on, if it does.
    pub(crate) fn place_part(
        &self,
        understood: &Understood,
        text: &[u8],
    ) -> Result<Option<NodeId>, ClientError> {
        match &understood.plan.action {
            Action::Forward(forward) if forward.inline.is_empty() => {
                let (node, binds) = self.place(&forward.target, text, understood)?;
                Ok(binds.then_some(node))
            }
            Action::Transaction(_) => Ok(None),
            // Those of several nodes were found before.
            Action::Define(_) => Ok(Some(self.catalog().home())),
            Action::Setting(SettingCommand::DiscardAll) => Err(not_among_others("DISCARD ALL")),
            Action::Setting(_) => Ok(None),
            Action::Prepared(PreparedCommand::DeallocateAll) => {
                Err(not_among_others("DEALLOCATE ALL"))
            }
            Action::Prepared(_) => Err(not_among_others("PREPARE, EXECUTE or DEALLOCATE")),
            Action::CopyIn(_) | Action::CopyOut(_) | Action::CopyGather(_) => {
                Err(not_among_others("COPY of a fragmented table"))
            }
            _ => Err(not_among_others("a command of Herd's own")),
        }
    }
}

fn several_nodes() -> ClientError {
    ClientError::unsupported("the statements of this query string need more than one node")
        .with_detail("A query string of several statements is one transaction.")
        .with_hint("Send the statements one by one.")
}

pub(crate) fn not_among_others(what: &str) -> ClientError {
    ClientError::unsupported(format!(
        "{what} cannot be one of several statements in a query string"
    ))
    .with_hint("Send the statements one by one.")
}
