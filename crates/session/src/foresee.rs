//! What a statement may leave behind even if it fails, and what it makes of the functions of its
//! database: noted before it is sent, and acted on when its transaction has ended.

use std::sync::Arc;

use bytes::BytesMut;
use herd_plan::{Action, PinReason, Plan, PreparedCommand};
use herd_wire::message::{self, TransactionStatus};

use crate::define::Reuse;
use crate::routines::Otherwise;
use crate::session::Session;
use crate::statements::ClientStatement;
use crate::trouble::Trouble;

/// PostgreSQL's functions of large objects, which is what calls by number are still used for.
const LARGE_OBJECTS: [u32; 14] =
    [715, 764, 767, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171];

/// An EXECUTE that executes itself is PostgreSQL's to refuse.
const EXECUTE_DEPTH_MAX: usize = 4;

impl Session {
    /// To be called when there is a link, if there is to be one, and before anything is sent.
    pub(crate) fn foresee(&mut self, plan: &Plan) {
        match self.executed_by(plan).and_then(|known| known.understood.clone()) {
            Some(understood) => self.foresee_own(&understood.plan),
            None => self.foresee_own(plan),
        }
    }

    fn foresee_own(&mut self, plan: &Plan) {
        if self.batch.redefines && may_call(plan) {
            self.batch.probes = true;
            self.pin(PinReason::NewCode);
        } else if let Some(reason) = plan.effects.lasting_pin() {
            self.pin(reason.clone());
        }
        if plan.effects.probes_settings {
            // A procedure may have committed before it failed.
            self.batch.probes = true;
            self.batch.custom_settings.extend(plan.effects.custom_settings.iter().cloned());
        }
        if plan.effects.redefines {
            self.batch.redefines = true;
            self.exchange.replies.hold_end();
        }
    }

    /// What is noted of a function that is called by its number.
    pub(crate) fn foresee_call(&mut self, function: u32) {
        if !LARGE_OBJECTS.contains(&function) {
            self.batch.probes = true;
            self.pin(PinReason::UnreadCode);
        }
    }

    /// EXECUTE has run another statement than its own text.
    pub(crate) fn apply_executed(&mut self, plan: &Plan) {
        if let Some(known) = self.executed_by(plan)
            && let Some(understood) = &known.understood
        {
            self.apply(&understood.plan, &known.text);
        }
    }

    /// The statement that an EXECUTE runs, which may be an EXECUTE by the extended protocol.
    fn executed_by(&self, plan: &Plan) -> Option<Arc<ClientStatement>> {
        let executed = |plan: &Plan| match &plan.action {
            Action::Prepared(PreparedCommand::Execute { name, .. }) => {
                self.statements.get(name.as_bytes()).ok()
            }
            _ => None,
        };
        let mut found = executed(plan)?;
        for _ in 0..EXECUTE_DEPTH_MAX {
            let next = found.understood.as_ref().and_then(|next| executed(&next.plan));
            match next {
                Some(next) => found = next,
                None => break,
            }
        }
        Some(found)
    }

    pub(crate) fn pin(&mut self, reason: PinReason) {
        if let Some(link) = &mut self.links.current {
            link.pin(reason);
            self.show_pins();
        }
    }

    /// After the end of a transaction that has changed functions: they are read before the client
    /// is told.
    pub(crate) async fn renew_routines(&mut self) -> Result<(), Trouble> {
        if !self.reread_routines().await {
            return Ok(());
        }
        let mut ready = BytesMut::new();
        message::ready(&mut ready, TransactionStatus::Idle);
        self.write(&ready).await.map_err(Trouble::End)
    }

    /// Whether the client is still to be told that the transaction has ended.
    pub(crate) async fn reread_routines(&mut self) -> bool {
        if !std::mem::take(&mut self.batch.redefines) {
            return false;
        }
        self.worker.gateway.read_routines(&self.routines, Otherwise::Forget).await;
        self.exchange.replies.stop_holding()
    }

    /// Whether connections that the session borrows for one statement after the other are fit for
    /// clients that come after it.
    pub(crate) fn reuse(&self) -> Reuse {
        Reuse::unless(!self.routines.current().is_harmless())
    }
}

/// Whether a statement may call what its own transaction has defined.
fn may_call(plan: &Plan) -> bool {
    let is_command =
        matches!(plan.action, Action::Transaction(_) | Action::Setting(_) | Action::Define(_));
    !is_command && !plan.effects.redefines
}
