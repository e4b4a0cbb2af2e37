//! Statements of the extended protocol: understood for the client, prepared on the server it needs.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use herd_execute::{Expected, Token};
use herd_node::{FIRST_OF_USERS, Numbering, StatementKey, Wanted};
use herd_plan::{Action, PreparedCommand, Query, Understood};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message;

use crate::batch::Meaning;
use crate::circumstances::Circumstances;
use crate::inline;
use crate::prepared::{prepared_in_sql, rename};
use crate::session::Session;
use crate::statements::{ClientStatement, Origin, Statement};
use crate::transaction::Transaction;
use crate::trouble::Trouble;

impl Session {
    /// Understands a statement; the unnamed one is often the same as last time.
    pub(crate) fn client_statement(
        &mut self,
        name: &[u8],
        sql: &[u8],
        types: &[u32],
    ) -> Result<Arc<ClientStatement>, Trouble> {
        let made = self.circumstances();
        if name.is_empty()
            && let Ok(last) = self.statements.get(b"")
            && last.text == sql
            && matches!(&last.statement.origin, Origin::Protocol { types: known } if known == types)
            && last.statement.made == made
            && last.is_confirmed()
        {
            return Ok(last);
        }
        let understood = self.understand_one(sql, types)?;
        let origin = Origin::Protocol { types: types.to_vec() };
        let on_server = self.text_on_server(understood.as_ref(), sql);
        let statement = self.worker.statements.lock().intern(&on_server, origin, &made);
        let text = match &on_server {
            Cow::Borrowed(_) => statement.sql.clone(),
            Cow::Owned(_) => Bytes::copy_from_slice(sql),
        };
        Ok(ClientStatement::new(statement, understood, text))
    }

    /// What the server is given to parse: Herd's own relations as they are at this moment.
    fn text_on_server<'a>(&self, understood: Option<&Understood>, sql: &'a [u8]) -> Cow<'a, [u8]> {
        match understood.map(|understood| &understood.plan.action) {
            Some(Action::Forward(forward)) if !forward.inline.is_empty() => {
                let gateway = &self.worker.gateway;
                Cow::Owned(inline::splice(sql, &forward.inline, gateway, &self.asker()))
            }
            Some(Action::CopyOut(copy)) => Cow::Owned(copy.text.clone()),
            Some(Action::Prepared(PreparedCommand::Execute { name, name_span, .. })) => {
                match self.statements.get(name.as_bytes()) {
                    Ok(known) => Cow::Owned(rename(sql, name_span, known.statement.key).to_vec()),
                    Err(_) => Cow::Borrowed(sql),
                }
            }
            _ => Cow::Borrowed(sql),
        }
    }

    fn understand_one(&self, sql: &[u8], types: &[u32]) -> Result<Option<Understood>, ClientError> {
        match self.understand(sql, types)? {
            Query::Empty => Ok(None),
            Query::One(understood) => Ok(Some(understood)),
            Query::Several(_) => Err(ClientError::error(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            )),
        }
    }

    /// The types that a client names by the home node's numbers are looked up on the other nodes,
    /// before the statement is prepared on any of them.
    pub(crate) async fn learn_types(&mut self, types: &[u32]) -> Result<(), Trouble> {
        let nodes: Vec<NodeId> = self.catalog().data_nodes().map(|node| node.id).collect();
        for node in nodes {
            let pool = self.pool(node)?;
            let Some(numbering) = pool.numbering() else { continue };
            for &number in types {
                numbering.learn(Wanted::TypeHere(number)).await;
            }
        }
        Ok(())
    }

    /// The client's statement, understood under the circumstances of this moment.
    pub(crate) fn current_statement(
        &mut self,
        name: &[u8],
    ) -> Result<Arc<ClientStatement>, ClientError> {
        let known = self.statements.get(name)?;
        let made = self.circumstances();
        if known.statement.made == made && !known.has_fleeting_text() {
            return Ok(known);
        }
        let renewed = Arc::new(self.renew(&known, &made)?);
        self.statements.replace(name, Arc::clone(&renewed));
        Ok(renewed)
    }

    /// The same statement, understood anew; on servers it is another one.
    fn renew(
        &mut self,
        known: &ClientStatement,
        made: &Arc<Circumstances>,
    ) -> Result<ClientStatement, ClientError> {
        let ClientStatement { first, text, .. } = known;
        let origin = first.origin_with_types();
        let understood = self.understand_one(text, origin.types())?;
        let (statement, understood) = match (&origin, understood) {
            (Origin::Protocol { .. }, understood) => {
                self.renew_executed(understood.as_ref())?;
                let sql = self.text_on_server(understood.as_ref(), text);
                let statement = self.worker.statements.lock().intern(&sql, origin, made);
                (statement, understood)
            }
            (Origin::Sql { .. }, Some(Understood { plan, slots })) => match &plan.action {
                Action::Prepared(PreparedCommand::Prepare(prepare)) => {
                    let statement = prepared_in_sql(prepare, text, Arc::clone(made));
                    (statement, Some(Understood { plan: Arc::clone(&prepare.body), slots }))
                }
                _ => (Arc::clone(&known.statement), Some(Understood { plan, slots })),
            },
            (Origin::Sql { .. }, None) => (Arc::clone(&known.statement), None),
        };
        let (first, text) = (Arc::clone(first), text.clone());
        Ok(ClientStatement { statement, first, understood, text })
    }

    /// What an EXECUTE names must be current too, for the text that names it.
    fn renew_executed(&mut self, understood: Option<&Understood>) -> Result<(), ClientError> {
        if let Some(Action::Prepared(PreparedCommand::Execute { name, .. })) =
            understood.map(|understood| &understood.plan.action)
            && let Ok(executed) = self.statements.get(name.as_bytes())
            && executed.executes().is_none()
        {
            self.current_statement(name.as_bytes())?;
        }
        Ok(())
    }

    /// Prepares the statement on the current link, and says so to the client if it is waiting to
    /// hear it.
    pub(crate) fn announce(&mut self, statement: &ClientStatement) {
        let action = statement.understood.as_ref().map(|understood| &understood.plan.action);
        if let Some(Action::Prepared(PreparedCommand::Execute { name, .. })) = action
            && let Ok(executed) = self.statements.get(name.as_bytes())
        {
            self.prepare_hidden(&executed.statement);
        }
        match self.batch.pending.take() {
            None => self.prepare_hidden(&statement.statement),
            Some(pending) => {
                if !self.is_prepared_here(&statement.statement) {
                    return self.send_parse(&statement.statement, Some(pending.name));
                }
                self.answer(&message::PARSE_COMPLETE);
                if !pending.name.is_empty() && statement.statement.shape.get().is_none() {
                    self.ask_shape(&statement.statement);
                }
            }
        }
    }

    /// A Parse that nothing in this batch binds is sent to a node that can judge it.
    pub(crate) async fn resolve_pending(&mut self) -> Result<(), Trouble> {
        let Some(pending) = &self.batch.pending else { return Ok(()) };
        let statement = Arc::clone(&pending.statement);
        if self.runs_in_herd(&statement) {
            self.batch.pending = None;
            self.answer(&message::PARSE_COMPLETE);
            return Ok(());
        }
        self.attach(self.judge(&statement)).await?;
        self.announce(&statement);
        Ok(())
    }

    /// A node that was only asked what a statement is: what is bound now goes to another one.
    pub(crate) async fn leave_judge(&mut self) -> Result<(), Trouble> {
        let is_free = matches!(self.transaction, Transaction::None) && self.batch.may_move();
        if is_free && self.links.current.is_some() {
            let heard = self.send_held_back().await?;
            self.act_on(&heard);
            self.release().await;
        }
        Ok(())
    }

    /// The node that can say whether a statement is right: the one at hand or home, whose type numbers
    /// are those that clients look up.
    pub(crate) fn judge(&self, statement: &ClientStatement) -> NodeId {
        let catalog = self.catalog();
        let target =
            statement.understood.as_ref().and_then(|understood| match &understood.plan.action {
                Action::Forward(forward) => Some(&forward.target),
                Action::CopyOut(copy) => Some(&copy.target),
                _ => None,
            });
        let node = target.map(|target| self.node_of(target.judge(&catalog)));
        node.unwrap_or_else(|| self.node_for_settings())
    }

    pub(crate) fn is_prepared_here(&mut self, statement: &Statement) -> bool {
        let link = self.links.current.as_mut();
        link.is_some_and(|link| link.lease.connection().prepared.touch(statement.key))
    }

    /// Makes sure that the current link has the statement, unseen by the client.
    pub(crate) fn prepare_hidden(&mut self, statement: &Arc<Statement>) {
        if !self.is_prepared_here(statement) {
            self.send_parse(statement, None);
        }
    }

    /// Counts a statement among those of the current link; the one that has to go is closed.
    pub(crate) fn make_room(&mut self, key: StatementKey) {
        let Some(link) = &mut self.links.current else { return };
        if let Some(evicted) = link.lease.connection().prepared.insert(key) {
            let name = evicted.server_name();
            message::close_statement(&mut self.exchange.out, name.as_bytes());
            let closed = Expected::Single { tag: b'3', hidden: true, token: None };
            self.exchange.replies.expect(closed);
        }
    }

    /// The server describes to Herd what a client can come back to, each time that it is prepared: all
    /// connections must have it in the same shape.
    fn send_parse(&mut self, statement: &Arc<Statement>, client_name: Option<Vec<u8>>) {
        let is_named = client_name.as_ref().is_some_and(|name| !name.is_empty());
        self.make_room(statement.key);
        let out = &mut self.exchange.out;
        let replies = &mut self.exchange.replies;
        let hidden = client_name.is_none();
        let meaning = Meaning::Parsed { key: statement.key, client_name };
        let token = Some(self.batch.mean(meaning));
        match &statement.origin {
            Origin::Protocol { types } => {
                let name = statement.key.server_name();
                let link = self.links.current.as_ref();
                let types = numbered_here(types, link.and_then(|link| link.lease.numbering()));
                message::parse(out, name.as_bytes(), &statement.sql, &types);
                replies.expect(Expected::Single { tag: b'1', hidden, token });
            }
            Origin::Sql { .. } => self.send_prepare(&statement.sql, hidden, token),
        }
        if is_named || statement.shape.get().is_some() {
            self.ask_shape(statement);
        }
    }

    /// A PREPARE in SQL, as messages of the extended protocol.
    pub(crate) fn send_prepare(&mut self, sql: &[u8], hidden: bool, token: Option<Token>) {
        let out = &mut self.exchange.out;
        let replies = &mut self.exchange.replies;
        message::parse(out, b"", sql, &[]);
        message::bind_plain(out, b"", b"");
        message::execute(out, b"", 0);
        replies.expect(Expected::Single { tag: b'1', hidden: true, token: None });
        replies.expect(Expected::Single { tag: b'2', hidden: true, token: None });
        replies.expect(Expected::Execute { hidden, token });
    }
}

/// The types as the node of the link numbers them.
fn numbered_here<'a>(types: &'a [u32], numbering: Option<&Numbering>) -> Cow<'a, [u32]> {
    match numbering {
        Some(numbering) if types.iter().any(|&number| number >= FIRST_OF_USERS) => {
            let numbers = numbering.numbers();
            types.iter().map(|&number| numbers.type_here(number)).collect()
        }
        _ => Cow::Borrowed(types),
    }
}
