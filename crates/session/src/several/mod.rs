//! Query strings of several statements: one transaction, unless they say otherwise.
//!
//! What one node can carry out goes to it whole. Everything else runs statement by statement, as
//! PostgreSQL itself runs a query string.

mod implicit;
mod one_by_one;
mod syntax;

use std::sync::Arc;

use herd_execute::Expected;
use herd_plan::lex::position;
use herd_plan::{
    Action, Part, Place, Plan, SettingCommand, TransactionCommand, Unclear, Understood,
};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message::TransactionStatus;

use crate::batch::Conclusion;
use crate::link::Link;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

pub(crate) use implicit::ImplicitEnd;

/// How a query string is carried out.
enum Course<'a> {
    /// The frame goes to one node as it is.
    Whole {
        needs: Need,
        statements: Vec<(Arc<Plan>, &'a [u8])>,
    },
    OneByOne,
}

/// What statements need that go to one node together. The transaction belongs to that node, unless
/// they need nothing.
#[derive(Clone, Copy)]
enum Need {
    Nothing,
    AnyNode,
    Node(NodeId),
}

impl Need {
    /// Both; `None` if no node can give both.
    fn and(self, other: Need) -> Option<Need> {
        match (self, other) {
            (Need::Node(node), Need::Node(other)) if node != other => None,
            (Need::Node(node), _) | (_, Need::Node(node)) => Some(Need::Node(node)),
            (Need::AnyNode, _) | (_, Need::AnyNode) => Some(Need::AnyNode),
            (Need::Nothing, Need::Nothing) => Some(Need::Nothing),
        }
    }
}

/// How a statement among others runs.
enum Manner {
    Together(Need),
    /// Herd has its own part in it.
    Alone,
    /// The same, and what the names in those after it mean is known when it has run.
    AloneBeforeOthers,
}

impl Session {
    pub(crate) async fn answer_several(
        &mut self,
        frame: &[u8],
        sql: &[u8],
        parts: &[Part],
    ) -> Result<(), Trouble> {
        if self.is_failed_on_server() && !parts.iter().any(controls_transaction) {
            return self.forward_here(frame).await;
        }
        match self.chart(sql, parts).await {
            Ok(Course::Whole { needs, statements }) => {
                self.run_whole(frame, needs, &statements).await
            }
            Ok(Course::OneByOne) => self.run_one_by_one(sql, parts).await,
            Err(refusal) => {
                self.check_syntax(sql, parts).await?;
                Err(refusal.into())
            }
        }
    }

    /// Refuses what no transaction on one node can carry, as far as that is known before anything
    /// has run.
    async fn chart<'a>(&self, sql: &'a [u8], parts: &[Part]) -> Result<Course<'a>, ClientError> {
        let is_void = matches!(self.transaction, Transaction::Void);
        if is_void || self.is_failed_on_server() || self.defining.is_some() || self.is_spread() {
            return Ok(Course::OneByOne);
        }
        let mut is_whole = true;
        let mut needs = Need::Nothing;
        let mut statements = Vec::with_capacity(parts.len());
        for (n, part) in parts.iter().enumerate() {
            let text = &sql[part.span.clone()];
            let manner = match &part.understood {
                Ok(understood) => self.manner_of(understood, text).await,
                Err(Unclear::Depends) => Ok(Manner::AloneBeforeOthers),
                Err(Unclear::Refused(error)) => Err(error.clone()),
            };
            match manner {
                Ok(Manner::Together(need)) => match needs.and(need) {
                    Some(both) => needs = both,
                    None => is_whole = false,
                },
                Ok(Manner::Alone) => is_whole = false,
                Ok(Manner::AloneBeforeOthers) => return Ok(Course::OneByOne),
                Err(error) if error.sqlstate == SqlState::FEATURE_NOT_SUPPORTED => {
                    return Err(error.moved(position(sql, part.span.start) - 1));
                }
                // PostgreSQL tells it when those before it have run.
                Err(_) => return Ok(Course::OneByOne),
            }
            if let Ok(understood) = &part.understood {
                statements.push((Arc::clone(&understood.plan), text));
            }
            if ends_transaction(part, text) && n + 1 < parts.len() {
                is_whole = false;
                needs = Need::Nothing;
            }
        }
        let is_whole = is_whole && !self.would_join(needs);
        Ok(if is_whole { Course::Whole { needs, statements } } else { Course::OneByOne })
    }

    /// Whether another node would join the transaction: what sets it up or ends it is not for that node
    /// alone then.
    fn would_join(&self, needs: Need) -> bool {
        let here = self.links.current.as_ref().map(Link::node);
        match (&self.transaction, needs) {
            (Transaction::Open { .. }, Need::Node(node)) => here != Some(node),
            _ => false,
        }
    }

    async fn manner_of(&self, understood: &Understood, text: &[u8]) -> Result<Manner, ClientError> {
        Ok(match &understood.plan.action {
            Action::Forward(_) if self.is_for_cursors_elsewhere(text) => Manner::Alone,
            Action::Forward(forward) if forward.inline.is_empty() => {
                match self.place_of(&forward.target, text, understood) {
                    Ok(Place::Neutral) => Manner::Together(Need::Nothing),
                    Ok(Place::Everywhere) => Manner::Together(Need::AnyNode),
                    Ok(place) => Manner::Together(Need::Node(self.node_of(place))),
                    Err(_) if Session::is_for_several(&understood.plan) => Manner::Alone,
                    Err(refusal) => return Err(refusal),
                }
            }
            // The node does not know what they go back to.
            Action::Setting(SettingCommand::Reset { .. } | SettingCommand::ResetAll) => {
                Manner::Alone
            }
            Action::Transaction(_) | Action::Setting(_) => Manner::Together(Need::Nothing),
            Action::Define(draft) => match self.is_homes_own(draft).await {
                Ok(true) => Manner::Together(Need::Node(self.catalog().home())),
                // It may be about what those before it define.
                Ok(false) | Err(_) => Manner::AloneBeforeOthers,
            },
            _ => Manner::Alone,
        })
    }

    async fn run_whole(
        &mut self,
        frame: &[u8],
        needs: Need,
        statements: &[(Arc<Plan>, &[u8])],
    ) -> Result<(), Trouble> {
        let uses_sequences = statements.iter().any(|(plan, _)| plan.effects.uses_sequences);
        let node = match needs {
            Need::Node(node) => node,
            Need::AnyNode => self.node_of(Place::Everywhere),
            Need::Nothing => self.node_for_settings(),
        };
        self.attach_for(node, uses_sequences).await?;
        if !matches!(needs, Need::Nothing) {
            self.transaction.bind();
        }
        for (plan, _) in statements {
            self.foresee(plan);
            self.batch.conclusion = Conclusion::of(plan, self.batch.conclusion);
        }
        self.exchange.out.extend_from_slice(frame);
        self.exchange.replies.expect(Expected::Query { token: None });
        let heard = self.relay().await?;
        if !heard.failed {
            for (plan, text) in statements {
                self.apply(plan, text);
            }
        }
        if heard.status != Some(TransactionStatus::Idle) {
            self.batch.conclusion = Conclusion::Open;
        }
        self.settle(&heard).await
    }
}

fn controls_transaction(part: &Part) -> bool {
    matches!(&part.understood, Ok(understood) if matches!(understood.plan.action, Action::Transaction(_)))
}

fn ends_transaction(part: &Part, text: &[u8]) -> bool {
    let Ok(understood) = &part.understood else { return false };
    match &understood.plan.action {
        Action::Transaction(command) => matches!(
            command,
            TransactionCommand::Commit { .. } | TransactionCommand::Rollback { .. }
        ),
        Action::Forward(_) => {
            text.first().is_some_and(|byte| byte | 0x20 == b'p')
                && herd_plan::prepares_transaction(text)
        }
        _ => false,
    }
}
