//! Plans by normalised text, bounded by bytes, with the contexts that texts are read in.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use herd_catalog::SearchPath;
use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::{Context, Plan, Slots};

/// Contexts remembered at a time. A forgotten one comes back under a new number.
const CONTEXTS_MAX: usize = 1024;
/// What an entry takes besides its key: the plan, its reasons, the cache's own bookkeeping.
const ENTRY_BYTES: u64 = 1024;
/// What a plan keeps for a byte of its text, at most: key sources and the like.
const PLAN_BYTES_PER_KEY_BYTE: u64 = 3;
/// Guessed size of an entry, from which the cache sizes its tables.
const ENTRY_BYTES_EXPECTED: usize = 2048;

pub(crate) struct PlanCache {
    plans: Cache<Box<[u8]>, Cached, ByBytes>,
    contexts: Contexts,
}

#[derive(Clone, Debug)]
pub(crate) struct Cached {
    pub(crate) plan: Arc<Plan>,
    /// The literals of a statement that is cached by its very text.
    pub(crate) slots: Option<Box<Slots>>,
}

impl PlanCache {
    pub(crate) fn new(bytes_max: usize) -> PlanCache {
        let entries = (bytes_max / ENTRY_BYTES_EXPECTED).max(1);
        PlanCache {
            plans: Cache::with_weighter(entries, bytes_max as u64, ByBytes),
            contexts: Contexts::new(),
        }
    }

    /// Begins a key with everything that a plan depends on besides its text.
    pub(crate) fn begin_key(&mut self, key: &mut Vec<u8>, context: &Context<'_>) {
        key.clear();
        key.extend_from_slice(&self.contexts.number(context).to_le_bytes());
        key.extend_from_slice(&(context.parameter_types.len() as u64).to_le_bytes());
        for oid in context.parameter_types {
            key.extend_from_slice(&oid.to_le_bytes());
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Cached> {
        self.plans.get(key)
    }

    pub(crate) fn insert(&mut self, key: &[u8], cached: Cached) {
        self.plans.insert(key.into(), cached);
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<[u8]>, Cached> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, _cached: &Cached) -> u64 {
        ENTRY_BYTES + (1 + PLAN_BYTES_PER_KEY_BYTE) * key.len() as u64
    }
}

/// Numbers for contexts, so that a key holds eight bytes instead of a search_path.
struct Contexts {
    numbers: Cache<KnownContext, u64>,
    /// The one that was asked for last, and most often is next.
    current: Option<(KnownContext, u64)>,
    last_number: u64,
}

#[derive(Clone, Debug)]
struct KnownContext {
    catalog_version: u64,
    routines_version: u64,
    search_path: SearchPath,
    auto_fragment: Option<String>,
}

impl Contexts {
    fn new() -> Contexts {
        Contexts { numbers: Cache::new(CONTEXTS_MAX), current: None, last_number: 0 }
    }

    fn number(&mut self, context: &Context<'_>) -> u64 {
        let part = ContextPart::of(context);
        match &self.current {
            Some((current, number)) if part.equivalent(current) => *number,
            _ => self.find(&part),
        }
    }

    fn find(&mut self, part: &ContextPart<'_>) -> u64 {
        let number = self.numbers.get(part).copied().unwrap_or(self.last_number + 1);
        self.last_number = self.last_number.max(number);
        let known = part.to_known();
        self.numbers.insert(known.clone(), number);
        self.current = Some((known, number));
        number
    }
}

/// What a [`KnownContext`] is looked up by.
#[derive(Hash)]
struct ContextPart<'a> {
    catalog_version: u64,
    routines_version: u64,
    search_path: &'a SearchPath,
    auto_fragment: Option<&'a str>,
}

impl<'a> ContextPart<'a> {
    fn of(context: &Context<'a>) -> ContextPart<'a> {
        ContextPart {
            catalog_version: context.catalog.version(),
            routines_version: context.routines.version(),
            search_path: context.search_path,
            auto_fragment: context.auto_fragment,
        }
    }
}

impl ContextPart<'_> {
    fn to_known(&self) -> KnownContext {
        KnownContext {
            catalog_version: self.catalog_version,
            routines_version: self.routines_version,
            search_path: self.search_path.clone(),
            auto_fragment: self.auto_fragment.map(str::to_owned),
        }
    }
}

impl KnownContext {
    fn part(&self) -> ContextPart<'_> {
        ContextPart {
            catalog_version: self.catalog_version,
            routines_version: self.routines_version,
            search_path: &self.search_path,
            auto_fragment: self.auto_fragment.as_deref(),
        }
    }
}

impl Hash for KnownContext {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.part().hash(state);
    }
}

impl PartialEq for KnownContext {
    fn eq(&self, other: &KnownContext) -> bool {
        other.part().equivalent(self)
    }
}

impl Eq for KnownContext {}

impl Equivalent<KnownContext> for ContextPart<'_> {
    fn equivalent(&self, known: &KnownContext) -> bool {
        self.catalog_version == known.catalog_version
            && self.routines_version == known.routines_version
            && self.search_path == &known.search_path
            && self.auto_fragment == known.auto_fragment.as_deref()
    }
}
