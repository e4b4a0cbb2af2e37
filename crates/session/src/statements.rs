//! Prepared statements: one number for each text in the process, and each client's names for them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use bytes::Bytes;
use herd_node::StatementKey;
use herd_plan::Understood;
use herd_types::{ClientError, SqlState};
use parking_lot::Mutex;

/// How a statement came to be prepared, and so how it is prepared on another connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A Parse message.
    Protocol { types: Vec<u32> },
    /// PREPARE in SQL; the text is the whole statement with Herd's name in it.
    Sql { types: Vec<u32> },
}

/// A statement that can be prepared on any server connection. Equal ones share their number, so
/// that what one client had parsed serves the next.
#[derive(Debug)]
pub struct Statement {
    pub key: StatementKey,
    pub sql: Bytes,
    pub origin: Origin,
}

/// Numbers statements; bounded by bytes, forgetting what nobody holds first in first out.
#[derive(Debug)]
pub struct Interner {
    known: HashMap<(Bytes, Origin), Arc<Statement>, RandomState>,
    order: VecDeque<Arc<Statement>>,
    bytes: usize,
    bytes_max: usize,
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// What an entry costs beside its text.
const ENTRY_BYTES: usize = 256;

impl Origin {
    /// The parameter types that were given, 0 for those that the server infers.
    #[must_use]
    pub fn types(&self) -> &[u32] {
        match self {
            Origin::Protocol { types } | Origin::Sql { types } => types,
        }
    }
}

impl Interner {
    #[must_use]
    pub fn new(bytes_max: usize) -> Interner {
        Interner { known: HashMap::default(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub fn intern(&mut self, sql: &[u8], origin: Origin) -> Arc<Statement> {
        let lookup = (Bytes::copy_from_slice(sql), origin);
        if let Some(statement) = self.known.get(&lookup) {
            return Arc::clone(statement);
        }
        let statement = new_statement(lookup.0.clone(), lookup.1.clone());
        self.bytes += sql.len() + ENTRY_BYTES;
        self.order.push_back(Arc::clone(&statement));
        self.known.insert(lookup, Arc::clone(&statement));
        self.shrink();
        statement
    }

    pub fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// A statement that is forgotten here lives on with those who hold it.
    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= oldest.sql.len() + ENTRY_BYTES;
            self.known.remove(&(oldest.sql.clone(), oldest.origin.clone()));
        }
    }
}

/// A statement with a number of its own.
#[must_use]
pub fn new_statement(sql: Bytes, origin: Origin) -> Arc<Statement> {
    Arc::new(Statement { key: next_key(), sql, origin })
}

#[must_use]
pub fn next_key() -> StatementKey {
    StatementKey(NEXT_KEY.fetch_add(1, Ordering::Relaxed))
}

/// A client's prepared statement.
#[derive(Debug)]
pub struct ClientStatement {
    pub statement: Arc<Statement>,
    /// `None` for an empty one.
    pub understood: Option<Understood>,
    /// The text that `understood` speaks of: the body of a PREPARE, or the whole.
    pub text: Bytes,
    /// Under which circumstances it was understood; when they change it must be anew.
    pub made: Circumstances,
}

impl ClientStatement {
    /// Its text on the server holds rows of Herd's own, which age.
    #[must_use]
    pub fn has_inlined_rows(&self) -> bool {
        self.understood.as_ref().is_some_and(|understood| match &understood.plan.action {
            herd_plan::Action::Forward(forward) => !forward.inline.is_empty(),
            _ => false,
        })
    }
}

/// What a plan depends on besides its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    pub catalog_version: u64,
    pub definitions: u64,
    pub search_path: herd_catalog::SearchPath,
}

/// A client's names.
#[derive(Debug)]
pub struct ClientStatements {
    named: HashMap<Vec<u8>, Arc<ClientStatement>, RandomState>,
    unnamed: Option<Arc<ClientStatement>>,
    statements_max: usize,
}

impl ClientStatements {
    #[must_use]
    pub fn new(statements_max: usize) -> ClientStatements {
        ClientStatements { named: HashMap::default(), unnamed: None, statements_max }
    }

    pub fn get(&self, name: &[u8]) -> Result<Arc<ClientStatement>, ClientError> {
        let found = if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) };
        found.cloned().ok_or_else(|| no_such_statement(name))
    }

    /// As PostgreSQL: a named statement is never replaced, the unnamed one always.
    pub fn insert(
        &mut self,
        name: &[u8],
        statement: Arc<ClientStatement>,
    ) -> Result<(), ClientError> {
        if name.is_empty() {
            self.unnamed = Some(statement);
            return Ok(());
        }
        if self.named.contains_key(name) {
            let name = String::from_utf8_lossy(name);
            return Err(ClientError::error(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        if self.named.len() >= self.statements_max {
            return Err(ClientError::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("a client may have at most {} prepared statements", self.statements_max),
            )
            .with_hint("Close or DEALLOCATE some, or raise limits.client_statements_max."));
        }
        self.named.insert(name.to_owned(), statement);
        Ok(())
    }

    /// The same statement, understood anew.
    pub fn replace(&mut self, name: &[u8], statement: Arc<ClientStatement>) {
        if name.is_empty() {
            self.unnamed = Some(statement);
        } else if let Some(slot) = self.named.get_mut(name) {
            *slot = statement;
        }
    }

    pub fn remove(&mut self, name: &[u8]) -> bool {
        if name.is_empty() {
            self.unnamed.take().is_some()
        } else {
            self.named.remove(name).is_some()
        }
    }

    pub fn clear(&mut self) {
        self.named.clear();
        self.unnamed = None;
    }
}

pub fn no_such_statement(name: &[u8]) -> ClientError {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{}\" does not exist", String::from_utf8_lossy(name))
    };
    ClientError::error(SqlState::INVALID_SQL_STATEMENT_NAME, message)
}

/// Interned statements of one worker.
pub type SharedInterner = Mutex<Interner>;
