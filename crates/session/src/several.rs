//! Query strings of several statements: one transaction, unless they say otherwise.

use std::sync::Arc;

use bytes::BytesMut;
use herd_execute::Expected;
use herd_plan::{Action, Part, Plan, PreparedCommand, SettingCommand, Understood};
use herd_types::{ClientError, NodeId};

use crate::session::Session;
use crate::trouble::Trouble;

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
            return self.define_one_by_one(parts).await;
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

    /// Definitions of several nodes are transactions of their own, also within a query string.
    async fn define_one_by_one(&mut self, parts: Vec<Part>) -> Result<(), Trouble> {
        let mut drafts = Vec::with_capacity(parts.len());
        for part in parts {
            match &part.understood?.plan.action {
                Action::Define(draft) => drafts.push(draft.clone()),
                _ => return Err(not_among_others("a definition on several nodes").into()),
            }
        }
        let mut answer = BytesMut::new();
        for draft in drafts {
            match self.define_or_forward(&draft).await {
                Ok(done) => answer.extend_from_slice(&done),
                Err(trouble) => {
                    self.write(&answer).await?;
                    return Err(trouble);
                }
            }
        }
        self.complete(&answer).await
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
