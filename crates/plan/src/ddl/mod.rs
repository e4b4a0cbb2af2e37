//! DDL: from the tokens of a statement and the catalog to a [`Definition`].
//!
//! A statement that is the home node's own affair is forwarded. Any other becomes a [`Draft`],
//! which is planned when its turn comes: definitions run one at a time, and each rests on the
//! catalog that the one before it left. What neither text nor catalog tell, such as which table an
//! index belongs to, the home node is asked (`facts`).
//!
//! Statements are edited, never rendered: what a client wrote reaches the nodes as written, save
//! for Herd's own options and for what has to differ between nodes.

mod alter_table;
mod attached;
mod bounds;
mod broadcast;
mod clauses;
mod columns;
mod comment;
mod concurrent;
mod create_table;
mod definition;
mod drop;
mod elements;
mod facts;
mod foreign_key;
mod function;
mod grant;
mod index;
mod lists;
mod maintain;
mod mentions;
mod objects;
mod options;
mod readback;
mod request;
pub mod reshape;
mod role;
mod schema;
mod sequence;
mod serial;
mod serial_columns;
mod splice;
mod sql;
mod truncate;
mod types;
mod view;
mod volatility;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use herd_catalog::{Catalog, SearchPath};
use herd_types::{ClientError, SqlState};

use self::request::Request;
use crate::lex::{self, Token};
use crate::planner::Context;
use crate::shape::{Action, Effects};
use crate::{Forward, Target};

pub use definition::{
    Atomic, Concurrent, Definition, Missing, Observe, Procedure, Publish, Script, Statement,
};
pub use facts::{Facts, Question, Rows, Stop};
pub use readback::{Observed, Reading};

/// A DDL statement that is not plainly the home node's, before the home node has been asked.
#[derive(Clone)]
pub struct Draft {
    sql: Arc<str>,
    search_path: SearchPath,
    auto_fragment: Option<Arc<str>>,
    leaves_something: bool,
}

/// What a DDL statement comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The home node runs the text as it is.
    Home,
    Define(Box<Definition>),
}

type Planned = Result<Outcome, Stop>;

/// What a DDL statement does; `None` when the statement is none.
///
/// # Errors
/// When it cannot be done, as far as the text and the catalog tell.
pub fn read(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Option<Action>, ClientError> {
    let text = utf8_of_same_length(sql);
    let request = Request {
        sql: &text,
        tokens,
        catalog: context.catalog,
        search_path: context.search_path,
        auto_fragment: context.auto_fragment,
        facts: &Facts::default(),
    };
    let Some(planned) = dispatch(&request) else {
        return Ok(None);
    };
    match planned {
        Ok(Outcome::Home) => {
            let forward = Forward::to(Target::Home);
            return Ok(Some(Action::Forward(forward)));
        }
        Err(Stop::Refused(error)) => return Err(error),
        Ok(Outcome::Define(_)) | Err(Stop::Ask(_)) => {}
    }
    if matches!(text, Cow::Owned(_)) {
        return Err(not_utf8());
    }
    Ok(Some(Action::Define(Draft {
        sql: Arc::from(request.text()),
        search_path: context.search_path.clone(),
        auto_fragment: context.auto_fragment.map(Arc::from),
        leaves_something: false,
    })))
}

impl Draft {
    /// What the statement comes to, as far as `facts` tell.
    ///
    /// # Errors
    /// [`Stop::Ask`] when more must be known, [`Stop::Refused`] when it cannot be done.
    pub fn plan(&self, catalog: &Catalog, facts: &Facts) -> Result<Outcome, Stop> {
        let sql = self.sql.as_bytes();
        let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
        let request = Request {
            sql: &self.sql,
            tokens: &tokens,
            catalog,
            search_path: &self.search_path,
            auto_fragment: self.auto_fragment.as_deref(),
            facts,
        };
        dispatch(&request).unwrap_or(Ok(Outcome::Home))
    }

    #[must_use]
    pub(crate) fn with_effects(self, effects: &Effects) -> Draft {
        Draft { leaves_something: effects.leave_something(), ..self }
    }

    /// Whether a connection that has run it is not as it was before.
    #[must_use]
    pub fn leaves_something(&self) -> bool {
        self.leaves_something
    }

    /// The name of the column of its one row, if it answers with a row.
    #[must_use]
    pub fn answers_with(&self) -> Option<&'static str> {
        let tokens = lex::tokens(self.sql.as_bytes()).unwrap_or_default();
        reshape::selected(self.sql.as_bytes(), &tokens)
    }

    /// The statement as written: it may contain a password.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.sql
    }
}

/// The text may contain a password.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").finish_non_exhaustive()
    }
}

fn dispatch(request: &Request<'_>) -> Option<Planned> {
    if reshape::is_called(request.sql.as_bytes(), request.tokens) {
        return reshape::plan(request);
    }
    let mut cursor = request.cursor();
    let command = cursor.advance().filter(|token| token.kind == lex::Kind::Word)?;
    let command = command.identifier(request.sql.as_bytes())?;
    Some(match command.as_ref() {
        "create" => objects::plan_create(request, cursor),
        "alter" => objects::plan_alter(request, cursor),
        "drop" => drop::plan(request, cursor),
        "truncate" => truncate::plan(request, cursor),
        "comment" => comment::plan(request, cursor, "COMMENT"),
        "security" => comment::plan(request, cursor, "SECURITY LABEL"),
        "grant" => grant::plan(request, cursor, "GRANT"),
        "revoke" => grant::plan(request, cursor, "REVOKE"),
        "reindex" => index::plan_reindex(request, cursor),
        "cluster" => index::plan_cluster(request, cursor),
        "vacuum" => maintain::plan(request, cursor, "VACUUM"),
        "analyze" | "analyse" => maintain::plan(request, cursor, "ANALYZE"),
        "reassign" => broadcast::plan_owned(request, "REASSIGN OWNED"),
        "refresh" | "import" => request.at_home(),
        _ => return None,
    })
}

/// The text itself, or one with the same spans that can be read.
fn utf8_of_same_length(sql: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(sql) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let ascii = |&byte: &u8| if byte.is_ascii() { char::from(byte) } else { '?' };
            Cow::Owned(sql.iter().map(ascii).collect())
        }
    }
}

fn not_utf8() -> ClientError {
    ClientError::error(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        "a definition that concerns several nodes must be in UTF-8",
    )
    .with_hint("SET client_encoding = 'UTF8'.")
}

#[cfg(test)]
mod tests;
