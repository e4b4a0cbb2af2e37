//! Portals: on the session's own transaction, or on one aside, which stays until they are read to
//! their end.

use herd_execute::Token;
use herd_types::ClientError;

use super::State;
use crate::batch::{Portal, Stage};
use crate::link::Link;
use crate::session::Session;
use crate::trouble::Trouble;

impl Session {
    /// Makes current what a portal is on, or a cursor that is called as one. Whether it is aside.
    pub(crate) async fn face_portal(
        &mut self,
        name: &[u8],
        portal: Option<&Portal>,
    ) -> Result<bool, Trouble> {
        let aside = match portal {
            Some(portal) => portal.aside.clone(),
            None => self.is_aside(name).then(|| name.to_vec()),
        };
        match aside {
            Some(cursor) => Box::pin(self.go_to_cursor(&cursor)).await,
            None if self.aside.is_none() => Ok(false),
            None => Box::pin(self.leave_aside()).await.map(|()| false),
        }
    }

    /// In a transaction on several nodes, a portal may be on another node than the current one.
    pub(crate) async fn attach_portal(&mut self, name: &[u8]) -> Result<(), Trouble> {
        match self.batch.portal(name).and_then(|portal| portal.node) {
            Some(node) if self.is_spread() && self.aside.is_none() => self.attach(node).await,
            _ => Ok(()),
        }
    }

    /// A cursor made by DECLARE is a portal too, and only its server knows it.
    pub(crate) async fn attach_cursor(
        &mut self,
        name: &[u8],
        error: ClientError,
    ) -> Result<(), Trouble> {
        self.face_portal(name, None).await?;
        if self.links.current.is_none() {
            let Some(node) = self.links.kept.first().map(Link::node) else {
                return Err(error.into());
            };
            self.attach(node).await?;
        }
        self.batch.advance(Stage::Engaged);
        Ok(())
    }

    /// The portal for which the transaction aside is there is executed.
    pub(crate) fn await_end_of_portal(&mut self, name: &[u8], token: Token) {
        if self.cursor_on_current() == Some(name) {
            self.set_state(State::EndsWith(token));
        }
    }

    /// A portal that was not read to its end has told nothing.
    pub(crate) fn note_executed(&mut self, token: Token) {
        let cursor = self.aside.as_ref().and_then(|aside| aside.cursor.as_ref());
        if cursor.is_some_and(|cursor| cursor.state == State::EndsWith(token)) {
            self.set_state(State::Over);
        }
    }

    /// A portal that takes the name of one that was not read to its end.
    pub(crate) async fn replace_portal(&mut self, name: &[u8]) -> Result<(), Trouble> {
        if !self.cursors.has_aside(name) {
            return Ok(());
        }
        if !name.is_empty() {
            return Box::pin(self.check_not_open(name)).await;
        }
        if let Some(resting) = self.cursors.take_aside(name) {
            self.end_resting(resting).await;
        }
        Ok(())
    }
}
