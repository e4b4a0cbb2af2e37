//! Prepared statements: one number for each text in the process, and each client's names for them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ahash::RandomState;
use bytes::Bytes;
use herd_node::StatementKey;
use herd_plan::{Action, PreparedCommand, Understood};
use herd_types::{ClientError, SqlState};
use parking_lot::Mutex;

use crate::circumstances::Circumstances;
use crate::shape::Shape;

/// How a statement came to be prepared, and so how it is prepared on another connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A Parse message.
    Protocol { types: Vec<u32> },
    /// PREPARE in SQL; the text is the whole statement with Herd's name in it.
    Sql { types: Vec<u32> },
}

/// A statement that can be prepared on any server connection. Equal ones under equal circumstances
/// share their number, so that what one client had parsed serves the next.
#[derive(Debug)]
pub struct Statement {
    pub key: StatementKey,
    pub sql: Bytes,
    pub origin: Origin,
    pub made: Arc<Circumstances>,
    /// Once a server has described it.
    pub shape: OnceLock<Shape>,
    /// A server has described it otherwise.
    is_contested: AtomicBool,
}

/// What makes two statements the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lookup {
    sql: Bytes,
    origin: Origin,
    made: Arc<Circumstances>,
}

/// Numbers statements; bounded by bytes, forgetting what nobody holds first in first out.
#[derive(Debug)]
pub struct Interner {
    known: HashMap<Lookup, Arc<Statement>, RandomState>,
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

    pub fn intern(
        &mut self,
        sql: &[u8],
        origin: Origin,
        made: &Arc<Circumstances>,
    ) -> Arc<Statement> {
        let lookup = Lookup { sql: Bytes::copy_from_slice(sql), origin, made: Arc::clone(made) };
        if let Some(statement) = self.known.get(&lookup) {
            return Arc::clone(statement);
        }
        let Lookup { sql, origin, made } = lookup.clone();
        let statement = Statement::new(next_key(), sql, origin, made);
        self.bytes += statement.bytes();
        self.order.push_back(Arc::clone(&statement));
        self.known.insert(lookup, Arc::clone(&statement));
        self.shrink();
        statement
    }

    /// Notes what a server said of a statement; the first description stays.
    pub fn describe(&mut self, statement: &Arc<Statement>, shape: Shape) {
        if let Some(known) = statement.shape.get() {
            if !known.is_like(&shape) {
                statement.is_contested.store(true, Ordering::Relaxed);
            }
            return;
        }
        let is_known = self
            .known
            .get(&Lookup::of(statement))
            .is_some_and(|known| Arc::ptr_eq(known, statement));
        let bytes = shape.bytes();
        if statement.shape.set(shape).is_ok() && is_known {
            self.bytes += bytes;
            self.shrink();
        }
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
            self.bytes -= oldest.bytes();
            self.known.remove(&Lookup::of(&oldest));
        }
    }
}

impl Statement {
    #[must_use]
    pub fn new(
        key: StatementKey,
        sql: Bytes,
        origin: Origin,
        made: Arc<Circumstances>,
    ) -> Arc<Statement> {
        let (shape, is_contested) = (OnceLock::new(), AtomicBool::new(false));
        Arc::new(Statement { key, sql, origin, made, shape, is_contested })
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.sql.len() + self.shape.get().map_or(0, Shape::bytes)
    }

    /// Whether servers have described it in different ways, as before and after a definition.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        self.is_contested.load(Ordering::Relaxed)
    }

    /// Whether it gives what `other` gave, as far as either is known.
    #[must_use]
    pub fn is_shaped_like(&self, other: &Statement) -> bool {
        let is_like = match (self.shape.get(), other.shape.get()) {
            (Some(ours), Some(theirs)) => ours.is_like(theirs),
            _ => true,
        };
        is_like && !self.is_contested() && !other.is_contested()
    }

    /// How it is prepared again with parameters of the types that it has now.
    #[must_use]
    pub fn origin_with_types(&self) -> Origin {
        match (&self.origin, self.shape.get()) {
            (Origin::Protocol { types }, Some(shape)) => {
                Origin::Protocol { types: shape.parameter_types(types) }
            }
            (origin, _) => origin.clone(),
        }
    }
}

impl Lookup {
    fn of(statement: &Statement) -> Lookup {
        let Statement { sql, origin, made, .. } = statement;
        Lookup { sql: sql.clone(), origin: origin.clone(), made: Arc::clone(made) }
    }
}

#[must_use]
pub fn next_key() -> StatementKey {
    StatementKey(NEXT_KEY.fetch_add(1, Ordering::Relaxed))
}

/// A client's prepared statement.
#[derive(Debug)]
pub struct ClientStatement {
    pub statement: Arc<Statement>,
    /// The same as it was when the client last could count on its shape.
    pub first: Arc<Statement>,
    /// `None` for an empty one.
    pub understood: Option<Understood>,
    /// The text that `understood` speaks of: the body of a PREPARE, or the whole.
    pub text: Bytes,
}

impl ClientStatement {
    #[must_use]
    pub fn new(
        statement: Arc<Statement>,
        understood: Option<Understood>,
        text: Bytes,
    ) -> Arc<ClientStatement> {
        let first = Arc::clone(&statement);
        Arc::new(ClientStatement { statement, first, understood, text })
    }

    /// Its text on the server holds rows of Herd's own, which age, or the name of another statement.
    #[must_use]
    pub fn has_fleeting_text(&self) -> bool {
        self.understood.as_ref().is_some_and(|understood| match &understood.plan.action {
            Action::Forward(forward) => !forward.inline.is_empty(),
            Action::Prepared(PreparedCommand::Execute { .. }) => true,
            _ => false,
        })
    }

    /// Whether there was nothing since then that could have changed its shape.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.statement.made == self.first.made
    }

    /// The same once its shape has turned out to be the one that the client counts on.
    #[must_use]
    pub fn confirmed(&self) -> Arc<ClientStatement> {
        let ClientStatement { statement, understood, text, .. } = self;
        ClientStatement::new(Arc::clone(statement), understood.clone(), text.clone())
    }
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

#[cfg(test)]
mod tests {
    use herd_catalog::SearchPath;
    use herd_node::PoolKey;
    use herd_types::ClientId;

    use super::*;

    const BYTES_MAX: usize = 1 << 20;

    fn made(definitions: u64, role: &str, alone: Option<u64>) -> Arc<Circumstances> {
        Arc::new(Circumstances {
            catalog_version: 1,
            definitions,
            search_path: SearchPath::default_for(role),
            pool: PoolKey { database: "herd".to_owned(), role: role.to_owned() },
            alone: alone.map(ClientId),
        })
    }

    fn intern(interner: &mut Interner, made: &Arc<Circumstances>) -> Arc<Statement> {
        interner.intern(b"SELECT 1", Origin::Protocol { types: Vec::new() }, made)
    }

    fn shape() -> Shape {
        Shape::read(&[0, 1, 0, 0, 0, 23], None).expect("it is well formed")
    }

    #[test]
    fn equal_statements_are_one_under_equal_circumstances() {
        let mut interner = Interner::new(BYTES_MAX);
        let first = intern(&mut interner, &made(1, "ann", None));
        assert_eq!(first.key, intern(&mut interner, &made(1, "ann", None)).key);
        let others = [made(2, "ann", None), made(1, "bob", None), made(1, "ann", Some(7))];
        for other in &others {
            assert_ne!(first.key, intern(&mut interner, other).key);
        }
    }

    #[test]
    fn a_second_description_that_differs_contests_the_statement() {
        let mut interner = Interner::new(BYTES_MAX);
        let statement = intern(&mut interner, &made(1, "ann", None));
        let other = intern(&mut interner, &made(2, "ann", None));
        for _ in 0..2 {
            interner.describe(&statement, shape());
            assert!(statement.is_shaped_like(&other));
        }
        interner.describe(&statement, Shape::read(&[0, 0], None).expect("it is well formed"));
        assert!(!statement.is_shaped_like(&other) && !other.is_shaped_like(&statement));
    }

    #[test]
    fn the_first_description_stays() {
        let mut interner = Interner::new(BYTES_MAX);
        let statement = intern(&mut interner, &made(1, "ann", None));
        for _ in 0..2 {
            interner.describe(&statement, shape());
        }
        assert_eq!(statement.origin_with_types(), Origin::Protocol { types: vec![23] });
        assert_eq!(interner.bytes, statement.bytes());
    }

    #[test]
    fn what_is_forgotten_takes_its_bytes_along() {
        let mut interner = Interner::new(BYTES_MAX);
        let described_late = intern(&mut interner, &made(1, "ann", None));
        interner.clear();
        interner.describe(&described_late, shape());
        assert_eq!(interner.bytes, 0);
        let statement = intern(&mut interner, &made(2, "ann", None));
        interner.describe(&statement, shape());
        interner.bytes_max = 0;
        interner.shrink();
        assert_eq!(interner.bytes, 0);
        assert!(interner.known.is_empty());
    }
}
