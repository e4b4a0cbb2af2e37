//! From the bodies of all functions to what each name leaves behind: who calls whom, and what runs
//! them unasked, until nothing new is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Code, Knowledge, OnUse, Routines, other_language};
use crate::{Effects, PinReason};

/// Functions of extensions in C that are known to leave something in the session.
const KNOWN_IN_C: [&str; 4] = ["dblink_connect", "dblink_connect_u", "set_limit", "load_graph"];
/// Extensions of which all functions share what they keep for a session.
const KNOWN_PREFIXES_IN_C: [&str; 3] = ["hypopg_", "pgv_", "dbms_"];

/// A function as `pg_proc` has it.
#[derive(Clone, Debug)]
pub struct RoutineText {
    pub oid: u32,
    pub name: String,
    pub language: String,
    pub in_extension: bool,
    pub body: String,
}

/// Something in a database that can run code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Routine(u32),
    Relation(u32),
    Type(u32),
    Operator(u32),
    EventTrigger(u32),
    /// A function of PostgreSQL's own that changes the session.
    Builtin,
}

/// What runs another object's code when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    pub source: Object,
    pub object: Object,
    pub name: String,
    /// Only when rows are written.
    pub on_write: bool,
}

/// What has been found out so far.
#[derive(Debug)]
pub struct Survey {
    codes: Vec<(Object, Arc<str>, Code)>,
    found: BTreeMap<Object, Found>,
    routines: Routines,
}

#[derive(Debug, Default)]
struct Found {
    effects: OnUse,
    /// With these, its dependents have been asked for.
    asked: OnUse,
}

impl Survey {
    #[must_use]
    pub fn new(texts: impl IntoIterator<Item = RoutineText>) -> Survey {
        let code = |text: RoutineText| {
            let name: Arc<str> = text.name.as_str().into();
            let Code { effects, mentions } = read(&text);
            let code = Code { effects: effects.blamed_on(&name), mentions };
            (Object::Routine(text.oid), name, code)
        };
        let builtin: Effects =
            Effects { probes_settings: true, ..Effects::pinned(PinReason::UnreadCode) };
        let always = builtin.blamed_on("a view or the like");
        let builtin = OnUse { always, on_write: Effects::NONE };
        let builtin = Found { effects: builtin.clone(), asked: builtin };
        let mut survey = Survey {
            codes: texts.into_iter().map(code).collect(),
            found: BTreeMap::from([(Object::Builtin, builtin)]),
            routines: Routines::empty(Knowledge::All),
        };
        survey.spread();
        survey
    }

    /// Objects of which it is not known yet what depends on them.
    pub fn unasked(&mut self) -> Vec<Object> {
        let mut unasked = Vec::new();
        for (object, found) in &mut self.found {
            if found.asked != found.effects {
                found.asked = found.effects.clone();
                unasked.push(*object);
            }
        }
        unasked
    }

    /// What depends on objects that were asked for.
    pub fn note(&mut self, dependents: impl IntoIterator<Item = Dependent>) {
        for Dependent { source, object, name, on_write } in dependents {
            let Some(of_source) = self.found.get(&source).map(|found| found.effects.clone()) else {
                continue;
            };
            let OnUse { always, on_write: written } = of_source;
            let effects = if on_write {
                OnUse { always: Effects::NONE, on_write: always.and(written) }
            } else {
                OnUse { always, on_write: written }
            };
            self.add(object, &name.into(), effects);
        }
        self.spread();
    }

    #[must_use]
    pub fn into_routines(self) -> Routines {
        self.routines
    }

    /// Whoever calls a function that leaves something behind does so too.
    fn spread(&mut self) {
        let codes = std::mem::take(&mut self.codes);
        loop {
            let mut grew = false;
            for (object, name, code) in &codes {
                let always = code.effects.clone().and(self.routines.of_code(code));
                if !always.is_none() {
                    grew |= self.add(*object, name, OnUse { always, on_write: Effects::NONE });
                }
            }
            if !grew {
                break;
            }
        }
        self.codes = codes;
    }

    /// Whether it is something new.
    fn add(&mut self, object: Object, name: &Arc<str>, effects: OnUse) -> bool {
        let found = self.found.entry(object).or_default();
        let known = found.effects.clone();
        found.effects = known.clone().and(effects.clone());
        if found.effects == known {
            return false;
        }
        let OnUse { always, on_write } = effects;
        match object {
            Object::Routine(_) => extend(self.routines.called.entry(Arc::clone(name)), always),
            Object::Operator(_) => extend(self.routines.operators.entry(Arc::clone(name)), always),
            Object::EventTrigger(_) => {
                let known = std::mem::take(&mut self.routines.on_definition);
                self.routines.on_definition = known.and(always).and(on_write);
            }
            Object::Relation(_) | Object::Type(_) => {
                let named = self.routines.named.entry(Arc::clone(name)).or_default();
                *named = std::mem::take(named).and(OnUse { always, on_write });
            }
            Object::Builtin => {}
        }
        true
    }
}

type Entry<'a> = std::collections::btree_map::Entry<'a, Arc<str>, Effects>;

fn extend(entry: Entry<'_>, effects: Effects) {
    let known = entry.or_default();
    *known = std::mem::take(known).and(effects);
}

impl OnUse {
    fn and(self, other: OnUse) -> OnUse {
        OnUse { always: self.always.and(other.always), on_write: self.on_write.and(other.on_write) }
    }
}

impl Effects {
    fn blamed_on(self, name: &str) -> Effects {
        let told = |reason: PinReason| format!("{} in {name}", reason.as_str());
        let pin = self.pin.clone().map(|reason| PinReason::Routine(told(reason).into()));
        Effects { pin, ..self }
    }
}

fn read(text: &RoutineText) -> Code {
    let body = text.body.as_bytes();
    match text.language.as_str() {
        "sql" | "plpgsql" => Code::read(body),
        "c" | "internal" if text.in_extension && !is_known_in_c(&text.name) => Code::default(),
        "c" | "internal" => {
            let unread = Effects::pinned(PinReason::UnreadCode);
            let effects = Effects { probes_settings: true, ..unread };
            Code { effects, ..Code::default() }
        }
        _ => other_language::read(body),
    }
}

fn is_known_in_c(name: &str) -> bool {
    KNOWN_IN_C.contains(&name) || KNOWN_PREFIXES_IN_C.iter().any(|prefix| name.starts_with(prefix))
}
