//! From text to plan, through the cache.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use herd_catalog::{Catalog, SearchPath};
use herd_types::{ClientError, SqlState};

use crate::cache::{Cached, PlanCache};
use crate::lex::{self, Kind, Token};
use crate::normalise::{self, Normaliser, Reading};
use crate::several::Names;
use crate::split::split;
use crate::{
    Action, Effects, Exchange, Plan, PreparedCommand, Routines, Slots, analyse, ddl, effects,
    named, utility,
};

/// What a statement's meaning depends on besides its text.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub catalog: &'a Arc<Catalog>,
    /// What the functions of the session's database leave behind.
    pub routines: &'a Routines,
    pub search_path: &'a SearchPath,
    /// The setting `herd.auto_fragment`, such as `hash:8`.
    pub auto_fragment: Option<&'a str>,
    /// Type OIDs given in Parse, 0 for those that the server infers.
    pub parameter_types: &'a [u32],
}

/// A query string, understood.
#[derive(Clone, Debug)]
pub enum Query {
    /// White space, comments and semicolons.
    Empty,
    One(Understood),
    Several(Vec<Part>),
}

/// One statement of several in a query string, understood as if the others were not there.
#[derive(Clone, Debug)]
pub struct Part {
    pub span: Range<usize>,
    pub understood: Result<Understood, Unclear>,
}

/// Why it is not known what a statement among others means.
#[derive(Clone, Debug)]
pub enum Unclear {
    /// Those before it may change what names mean: it can be understood when they have run.
    Depends,
    /// The statement's own: those before it run first, as in PostgreSQL.
    Refused(ClientError),
}

/// A plan, and the literals that this very text fills into it.
#[derive(Clone, Debug)]
pub struct Understood {
    pub plan: Arc<Plan>,
    /// Spans into the statement's own text.
    pub slots: Slots,
}

/// Understands statements, and remembers them. One for each worker: it is not shared.
pub struct Planner {
    cache: PlanCache,
    normaliser: Normaliser,
}

impl Planner {
    /// The cache of plans takes about `cache_bytes_max`.
    #[must_use]
    pub fn new(cache_bytes_max: usize) -> Planner {
        Planner { cache: PlanCache::new(cache_bytes_max), normaliser: Normaliser::default() }
    }

    /// The meaning of a query string, or of the one statement of the extended protocol.
    pub fn understand(&mut self, sql: &[u8], context: &Context<'_>) -> Result<Query, ClientError> {
        if u32::try_from(sql.len()).is_err() {
            let message = "a query string cannot be longer than 4 GiB";
            return Err(ClientError::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.cache.begin_key(&mut self.normaliser.key, context);
        let reading = self.normaliser.read(sql).map_err(|error| error.into_client_error(sql))?;
        match reading {
            Reading::Empty => Ok(Query::Empty),
            Reading::Query => self.shared(sql, context).map(Query::One),
            Reading::Utility => self.verbatim(sql, context).map(Query::One),
            Reading::Unkeyed => self.afresh(sql, context),
        }
    }

    /// A query, through the plan of all its likes.
    fn shared(&mut self, sql: &[u8], context: &Context<'_>) -> Result<Understood, ClientError> {
        let slots = std::mem::take(&mut self.normaliser.slots);
        if let Some(cached) = self.cache.get(&self.normaliser.key) {
            return Ok(Understood { plan: Arc::clone(&cached.plan), slots });
        }
        let Meaning { plan, slots } = understand_all(sql, context)?;
        let plan = Arc::new(plan);
        if !points_into_text(&plan.action) {
            let cached = Cached { plan: Arc::clone(&plan), slots: None };
            self.cache.insert(&self.normaliser.key, cached);
        }
        Ok(Understood { plan, slots })
    }

    /// Any other statement, through the plan of its very text.
    fn verbatim(&mut self, sql: &[u8], context: &Context<'_>) -> Result<Understood, ClientError> {
        if let Some(Cached { plan, slots }) = self.cache.get(&self.normaliser.key) {
            let slots = slots.as_deref().cloned().unwrap_or_default();
            return Ok(Understood { plan: Arc::clone(plan), slots });
        }
        let Meaning { plan, slots } = understand_all(sql, context)?;
        let plan = Arc::new(plan);
        if is_repeated(&plan.action) {
            let kept = (!slots.is_empty()).then(|| Box::new(slots.clone()));
            let cached = Cached { plan: Arc::clone(&plan), slots: kept };
            self.cache.insert(&self.normaliser.key, cached);
        }
        Ok(Understood { plan, slots })
    }

    /// A text with semicolons within, or one that is too long to be kept.
    fn afresh(&mut self, sql: &[u8], context: &Context<'_>) -> Result<Query, ClientError> {
        let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
        let statements = split(sql, &tokens);
        match statements.as_slice() {
            [] => Ok(Query::Empty),
            [only] => {
                let meaning = statement(sql, &tokens[only.clone()], context)?;
                Ok(Query::One(meaning.into_understood()))
            }
            several => {
                let mut names = Names::default();
                let part = |range: &Range<usize>| {
                    self.part(sql, &tokens[range.clone()], &mut names, context)
                };
                Ok(Query::Several(several.iter().map(part).collect()))
            }
        }
    }

    fn part(
        &mut self,
        sql: &[u8],
        tokens: &[Token],
        names: &mut Names,
        context: &Context<'_>,
    ) -> Part {
        let span = tokens[0].start as usize..tokens[tokens.len() - 1].end as usize;
        let understood = match self.one(&sql[span.clone()], context) {
            Ok(understood) if names.may_change(&understood.plan) => Err(Unclear::Depends),
            Err(_) if names.are_changed() => Err(Unclear::Depends),
            alone => alone.map_err(Unclear::Refused),
        };
        if let Ok(understood) = &understood {
            names.follow(&understood.plan);
        }
        Part { span, understood }
    }

    /// A text that is known to be one statement.
    fn one(&mut self, sql: &[u8], context: &Context<'_>) -> Result<Understood, ClientError> {
        self.cache.begin_key(&mut self.normaliser.key, context);
        let reading = self.normaliser.read(sql).map_err(|error| error.into_client_error(sql))?;
        match reading {
            Reading::Query => self.shared(sql, context),
            Reading::Utility => self.verbatim(sql, context),
            Reading::Empty | Reading::Unkeyed => {
                understand_all(sql, context).map(Meaning::into_understood)
            }
        }
    }
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planner").finish_non_exhaustive()
    }
}

/// A plan that nobody shares yet.
pub(crate) struct Meaning {
    pub(crate) plan: Plan,
    pub(crate) slots: Slots,
}

impl Meaning {
    /// Of a statement whose literals nobody reads.
    pub(crate) fn of(plan: Plan) -> Meaning {
        Meaning { plan, slots: Slots::default() }
    }

    fn into_understood(self) -> Understood {
        Understood { plan: Arc::new(self.plan), slots: self.slots }
    }
}

/// The meaning of a text that is one statement, with or without a semicolon at its end.
fn understand_all(sql: &[u8], context: &Context<'_>) -> Result<Meaning, ClientError> {
    let mut tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
    while tokens.pop_if(|token| token.kind == Kind::Semicolon).is_some() {}
    statement(sql, &tokens, context)
}

/// The meaning of one statement. Its tokens may be some of those of `sql`.
pub(crate) fn statement(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Meaning, ClientError> {
    if ddl::reshape::is_called(sql, tokens) {
        return reshaping(sql, tokens, context).map(Meaning::of);
    }
    match whole_query(sql, tokens, context)? {
        Some(meaning) => Ok(meaning),
        None => utility::understand(sql, tokens, context),
    }
}

/// A call of one of Herd's own functions that change how a table lies on the nodes.
fn reshaping(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Result<Plan, ClientError> {
    let action = ddl::read(sql, tokens, context)?;
    let action = action.expect("what is called is read as a definition");
    Ok(Plan::new(action, "a table is laid out anew on all nodes"))
}

/// The meaning of a query within another statement.
pub(crate) fn query(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let mut meaning = whole_query(sql, tokens, context)?;
    if let Some(exchange) = meaning.as_mut().and_then(|it| it.plan.exchange_mut())
        && let [first, .., last] = tokens
    {
        exchange.part = Some(first.start as usize..last.end as usize);
        exchange.scatter = None;
    }
    Ok(meaning)
}

/// The same for one that can only be answered with the other statement, by one node.
pub(crate) fn query_of_one_node(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let mut meaning = whole_query(sql, tokens, context)?;
    if let Some(Action::Forward(forward)) = meaning.as_mut().map(|it| &mut it.plan.action) {
        forward.keep_to_one_node();
    }
    Ok(meaning)
}

/// The meaning of a statement that begins like a query; `None` for all others.
fn whole_query(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let first = tokens.iter().find(|token| token.kind != Kind::LeftParen);
    if !first.is_some_and(|&first| normalise::starts_query(first, sql)) {
        return Ok(None);
    }
    named::check_into(sql, tokens, context)?;
    let slots = normalise::slots(sql, tokens);
    let mut plan = analyse::understand(sql, tokens, &slots, context)?;
    plan.effects = plan.effects.and(effects::of_statement(sql, tokens, context));
    if plan.effects.leave_something()
        && let Action::Forward(forward) = &mut plan.action
    {
        // It would be left on connections that are not the session's.
        forward.keep_to_one_node();
    }
    Ok(Some(Meaning { plan, slots }))
}

/// Whether a plan has spans that are true for one text only.
fn points_into_text(action: &Action) -> bool {
    !matches!(action, Action::Forward(forward) if forward.inline.is_empty())
}

/// Whether the same text is likely to come again. DDL and the arguments of EXECUTE seldom do.
fn is_repeated(action: &Action) -> bool {
    !matches!(action, Action::Prepared(PreparedCommand::Execute { .. }) | Action::Define(_))
}

impl Plan {
    pub(crate) fn new(action: Action, reason: &'static str) -> Plan {
        Plan { action, effects: Effects::default(), reasons: vec![reason.into()] }
    }

    /// Of a plan that nobody shares yet.
    pub(crate) fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match &mut self.action {
            Action::Forward(forward) => forward.exchange.as_mut().and_then(Arc::get_mut),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
