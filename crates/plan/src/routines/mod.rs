//! What the functions of a database leave behind in a session, and what runs them without being
//! asked: triggers, views, defaults, policies, operators.
//!
//! Names are compared without their schemas, so that a name may stand for more than one function:
//! then it stands for all of them.

mod code;
mod computed;
mod mentions;
mod other_language;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lex::Token;
use crate::{Context, Effects, PinReason};

pub(crate) use self::code::{Code, Makes};
pub(crate) use self::mentions::Mentions;
pub use self::survey::{Dependent, Object, RoutineText, Survey};

/// What is known of the code of one database. Only what leaves something behind is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routines {
    version: u64,
    knowledge: Knowledge,
    called: BTreeMap<Arc<str>, Effects>,
    named: BTreeMap<Arc<str>, OnUse>,
    operators: BTreeMap<Arc<str>, Effects>,
    /// What event triggers do.
    on_definition: Effects,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// Nothing has been read: any statement may call anything.
    Nothing,
    All,
}

/// What the use of a relation, or of a type, leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OnUse {
    always: Effects,
    on_write: Effects,
}

static NONE: Routines = Routines::empty(Knowledge::All);
static UNKNOWN: Routines = Routines::empty(Knowledge::Nothing);

impl Routines {
    const fn empty(knowledge: Knowledge) -> Routines {
        Routines {
            version: 0,
            knowledge,
            called: BTreeMap::new(),
            named: BTreeMap::new(),
            operators: BTreeMap::new(),
            on_definition: Effects::NONE,
        }
    }

    /// No function leaves anything behind.
    #[must_use]
    pub fn none() -> &'static Routines {
        &NONE
    }

    /// They have not been read.
    #[must_use]
    pub fn unknown() -> &'static Routines {
        &UNKNOWN
    }

    #[must_use]
    pub fn is_known(&self) -> bool {
        self.knowledge == Knowledge::All
    }

    /// Plans made by other routines have another number.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    #[must_use]
    pub fn with_version(self, version: u64) -> Routines {
        Routines { version, ..self }
    }

    /// Whether they mean the same, whatever their numbers are.
    #[must_use]
    pub fn says_the_same(&self, other: &Routines) -> bool {
        let Routines { version: _, knowledge, called, named, operators, on_definition } = self;
        *knowledge == other.knowledge
            && *called == other.called
            && *named == other.named
            && *operators == other.operators
            && *on_definition == other.on_definition
    }

    /// Whether no statement at all needs a second look.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.is_known()
            && self.called.is_empty()
            && self.named.is_empty()
            && self.operators.is_empty()
            && self.on_definition.is_none()
    }

    /// What a statement leaves behind by what it calls and uses.
    pub(crate) fn of_statement(
        &self,
        sql: &[u8],
        tokens: &[Token],
        context: &Context<'_>,
    ) -> Effects {
        if self.is_harmless() {
            return Effects::NONE;
        }
        let mut mentions = Mentions::of(sql, tokens);
        mentions.add_tables_of_fragments(context);
        self.touched_by(&mentions)
    }

    pub(crate) fn of_code(&self, code: &Code) -> Effects {
        if self.is_harmless() { Effects::NONE } else { self.touched_by(&code.mentions) }
    }

    pub(crate) fn on_definition(&self) -> Effects {
        if self.is_known() { self.on_definition.clone() } else { Effects::of_unknown_code() }
    }

    /// Whether what a definition speaks of would run such functions.
    pub(crate) fn concern_definition(&self, sql: &[u8], tokens: &[Token]) -> bool {
        !self.is_harmless() && !self.touched_by(&Mentions::of_definition(sql, tokens)).is_none()
    }

    fn touched_by(&self, mentions: &Mentions) -> Effects {
        if !self.is_known() {
            return Effects::of_unknown_code();
        }
        let on_use = |of: &OnUse| {
            let on_write = if mentions.writes { of.on_write.clone() } else { Effects::NONE };
            of.always.clone().and(on_write)
        };
        let called = mentions.called.iter().filter_map(|name| self.called.get(name.as_str()));
        let operators =
            mentions.operators.iter().filter_map(|name| self.operators.get(name.as_str()));
        let named = mentions.named.iter().filter_map(|name| self.named.get(name.as_str()));
        let computed = self.named.values().filter(|_| mentions.computes_names);
        let used = named.chain(computed).map(on_use);
        called.chain(operators).cloned().chain(used).fold(Effects::NONE, Effects::and)
    }
}

impl Effects {
    fn of_unknown_code() -> Effects {
        Effects { probes_settings: true, ..Effects::pinned(PinReason::UnknownCode) }
    }
}

#[cfg(test)]
mod tests;
