//! Statements that were bound: what is remembered of each, and how it is found again.

use std::sync::Arc;

use bytes::Bytes;
use herd_plan::{CustomSettings, Understood};
use herd_types::{ClientError, SqlState};
use herd_wire::message::Bind;

use crate::batch::{Portal, Runs};
use crate::link::Link;
use crate::parameters::BoundParameters;
use crate::session::Session;
use crate::statements::ClientStatement;

impl Session {
    pub(crate) fn open_portal(
        &mut self,
        bind: &Bind<'_>,
        statement: Arc<ClientStatement>,
        runs: Runs,
    ) {
        let probes = |understood: &Understood| understood.plan.effects.probes_settings;
        let custom_settings = if statement.understood.as_ref().is_some_and(probes) {
            let parameters = BoundParameters::new(bind, statement.statement.origin.types());
            CustomSettings::made_by(&statement.text, &parameters)
        } else {
            CustomSettings::default()
        };
        let name = bind.portal.to_vec();
        let node = self.links.current.as_ref().map(Link::node).filter(|_| runs == Runs::OnServer);
        let aside = self.cursor_on_current().map(<[u8]>::to_vec);
        let bind = match runs {
            Runs::OverNodes | Runs::Dispatched => Bytes::copy_from_slice(bind.body),
            _ => Bytes::new(),
        };
        let portal = Portal { name, statement, runs, node, aside, custom_settings, bind };
        self.batch.open_portal(portal);
    }

    pub(crate) fn portal(&self, name: &[u8]) -> Result<Portal, ClientError> {
        self.batch.portal(name).cloned().ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            ClientError::error(
                SqlState::INVALID_CURSOR_NAME,
                format!("portal \"{name}\" does not exist"),
            )
        })
    }
}
