//! Common table expressions.
//!
//! A plain one counts as if it were written out where it is used, once for each use: rows that
//! make no difference to any of its uses make none to the statement. One that changes data, or is
//! recursive, is there once, and what is outside tells nothing of its rows.

use std::cell::{Cell, RefCell};

use super::Analysis;
use super::graph::Meaning;
use super::outputs::Outputs;
use super::query::Env;
use super::scope::Scope;
use crate::statement::{Body, Cte, Query, SetOperation, SetOperator};

/// The CTEs of one WITH.
pub(super) struct Ctes<'s> {
    recursive: bool,
    bindings: Vec<Binding<'s>>,
    /// What surrounds the WITH.
    scope: Option<&'s Scope<'s>>,
    outer: Option<Visible<'s>>,
}

struct Binding<'s> {
    cte: &'s Cte,
    state: RefCell<State>,
    used: Cell<bool>,
}

#[derive(Clone)]
enum State {
    /// Its turn has not come.
    Later,
    /// Its own body is being looked at, which has named it or not.
    Building {
        named: bool,
    },
    /// To be looked at wherever it is used.
    Inline,
    Made(Outputs),
}

/// The first CTEs of a WITH, and those around it.
#[derive(Clone, Copy)]
pub(super) struct Visible<'s> {
    ctes: &'s Ctes<'s>,
    count: usize,
}

/// A CTE that a name in FROM means.
#[derive(Clone, Copy)]
pub(super) struct Found<'s> {
    ctes: &'s Ctes<'s>,
    index: usize,
}

impl<'s> Ctes<'s> {
    pub(super) fn new(query: &'s Query, env: &Env<'s>) -> Ctes<'s> {
        let binding =
            |cte| Binding { cte, state: RefCell::new(State::Later), used: Cell::new(false) };
        Ctes {
            recursive: query.recursive,
            bindings: query.ctes.iter().map(binding).collect(),
            scope: env.scope,
            outer: env.ctes,
        }
    }

    pub(super) fn all(&'s self) -> Visible<'s> {
        Visible { ctes: self, count: self.bindings.len() }
    }

    /// What the body of the `index`-th sees: with RECURSIVE all, itself among them.
    fn before(&'s self, index: usize) -> Visible<'s> {
        if self.recursive { self.all() } else { Visible { ctes: self, count: index } }
    }
}

impl<'s> Visible<'s> {
    pub(super) fn find(self, name: &str) -> Option<Found<'s>> {
        let bindings = &self.ctes.bindings[..self.count];
        match bindings.iter().position(|binding| &*binding.cte.name.text == name) {
            Some(index) => Some(Found { ctes: self.ctes, index }),
            None => self.ctes.outer?.find(name),
        }
    }
}

impl<'s> Found<'s> {
    fn binding(self) -> &'s Binding<'s> {
        &self.ctes.bindings[self.index]
    }
}

impl Analysis<'_> {
    /// Looks at the CTEs of a WITH, as far as that does not wait for their uses.
    pub(super) fn define<'s>(&mut self, ctes: &'s Ctes<'s>, env: &Env<'s>) {
        for (index, binding) in ctes.bindings.iter().enumerate() {
            let inside = self.graph.add_region(Some(env.region));
            let around =
                Env { ctes: Some(ctes.before(index)), region: inside, locked: false, ..*env };
            let state = if changes_data(&binding.cte.query.body) {
                let mut outputs = self.query(&binding.cte.query, &around);
                outputs.seal();
                State::Made(outputs)
            } else if ctes.recursive {
                self.build(binding, &around)
            } else {
                State::Inline
            };
            *binding.state.borrow_mut() = match state {
                State::Made(mut outputs) => {
                    outputs.rename(&binding.cte.columns);
                    State::Made(outputs)
                }
                state => state,
            };
        }
    }

    /// A CTE under RECURSIVE, which may or may not name itself.
    fn build(&mut self, binding: &Binding<'_>, env: &Env<'_>) -> State {
        let mark = self.mark();
        *binding.state.borrow_mut() = State::Building { named: false };
        self.query(&binding.cte.query, env);
        let named = matches!(*binding.state.borrow(), State::Building { named: true });
        self.rewind(mark);
        if !named {
            return State::Inline;
        }
        match &binding.cte.query {
            Query { ctes, body: Body::Set(operation), .. }
                if ctes.is_empty() && operation.operator == SetOperator::Union =>
            {
                State::Made(self.recursive(binding, operation, env))
            }
            query => {
                // Not a form that PostgreSQL allows, as far as is known here.
                *binding.state.borrow_mut() = State::Made(Outputs::unknown());
                self.query(query, env);
                State::Made(Outputs::unknown())
            }
        }
    }

    /// The first term tells what is true of a column's values; it stays true if the recursive
    /// term hands the column on.
    fn recursive(
        &mut self,
        binding: &Binding<'_>,
        operation: &SetOperation,
        env: &Env<'_>,
    ) -> Outputs {
        let SetOperation { arms: [first, term], .. } = operation;
        let mut outputs = self.body(first, env);
        outputs.seal();
        loop {
            let mark = self.mark();
            let mut named = outputs.clone();
            named.rename(&binding.cte.columns);
            *binding.state.borrow_mut() = State::Made(named);
            let handed_on = self.body(term, env);
            let mut all_kept = true;
            for (index, column) in outputs.columns.iter_mut().enumerate() {
                let Meaning::Same(first) = column.meaning else {
                    column.meaning = Meaning::Unknown;
                    continue;
                };
                let next = handed_on.columns.get(index).filter(|_| index < handed_on.placed);
                let is_kept = index < outputs.placed
                    && next.is_some_and(|next| match next.meaning {
                        Meaning::Same(next) => self.graph.class(next).contains(first),
                        _ => false,
                    });
                if !is_kept {
                    column.meaning = Meaning::Unknown;
                    all_kept = false;
                }
            }
            if all_kept {
                return outputs;
            }
            self.rewind(mark);
        }
    }

    /// One use of a CTE, whose rows stand in the region of `env`.
    pub(super) fn use_of(&mut self, found: Found<'_>, env: &Env<'_>) -> Outputs {
        let binding = found.binding();
        binding.used.set(true);
        let state = binding.state.borrow().clone();
        match state {
            State::Later => {
                self.beyond(
                    "Herd cannot read a WITH that names what comes later in it",
                    format!("\"{}\" is used before it is defined.", binding.cte.name.text),
                );
                Outputs::unknown()
            }
            State::Building { .. } => {
                *binding.state.borrow_mut() = State::Building { named: true };
                Outputs::unknown()
            }
            State::Made(outputs) => outputs,
            State::Inline => {
                let Found { ctes, index } = found;
                let around = Env {
                    scope: ctes.scope,
                    ctes: Some(ctes.before(index)),
                    region: env.region,
                    locked: false,
                };
                let mut outputs = self.query(&binding.cte.query, &around);
                outputs.rename(&binding.cte.columns);
                outputs
            }
        }
    }

    /// A CTE that nobody uses is not run, but PostgreSQL looks at it all the same.
    pub(super) fn look_at_unused<'s>(&mut self, ctes: &'s Ctes<'s>, env: &Env<'s>) {
        for (index, binding) in ctes.bindings.iter().enumerate() {
            if !binding.used.get() && matches!(*binding.state.borrow(), State::Inline) {
                let inside = self.graph.add_region(Some(env.region));
                let around = Env { ctes: Some(ctes.before(index)), region: inside, ..*env };
                self.query(&binding.cte.query, &around);
            }
        }
    }
}

pub(super) fn changes_data(body: &Body) -> bool {
    match body {
        Body::Insert(_) | Body::Update(_) | Body::Delete(_) | Body::Merge(_) => true,
        Body::Nested(query) => changes_data(&query.body),
        Body::Select(_) | Body::Set(_) | Body::Values(_) => false,
    }
}
