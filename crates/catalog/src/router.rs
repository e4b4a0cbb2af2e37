//! From a key to its fragment: structures built once for each snapshot of a table.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Bound;

use crate::bound::{ParsedBound, ParsedLimit};
use crate::hash::partition_hash;
use crate::{KeyValue, Method};

/// The position of a fragment in its table; [`crate::limits::FRAGMENTS_PER_TABLE_MAX`] fits.
type Position = u16;

#[derive(Clone, Debug)]
pub(crate) enum Router {
    Hash(HashRouter),
    List(ListRouter),
    Range(RangeRouter),
}

#[derive(Clone, Debug)]
pub(crate) struct HashRouter {
    /// One for each remainder by the greatest modulus.
    slots: Box<[Option<Position>]>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ListRouter {
    values: HashMap<KeyValue, Position, ahash::RandomState>,
    null: Option<Position>,
    default: Option<Position>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct RangeRouter {
    /// Ascending, without overlaps.
    ranges: Vec<Range>,
    default: Option<Position>,
}

#[derive(Clone, Debug)]
struct Range {
    from: Vec<ParsedLimit>,
    to: Vec<ParsedLimit>,
    position: Position,
}

/// Why bounds cannot stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The bounds at these positions have keys in common.
    Overlap(usize, usize),
    /// These moduli do not divide one another.
    Moduli(u32, u32),
}

impl Router {
    /// `bounds` must have been read for `method`, and be sorted.
    pub(crate) fn build(method: Method, bounds: &[ParsedBound]) -> Result<Router, Conflict> {
        match method {
            Method::Hash => HashRouter::build(bounds).map(Router::Hash),
            Method::List => ListRouter::build(bounds).map(Router::List),
            Method::Range => RangeRouter::build(bounds).map(Router::Range),
        }
    }

    /// The position of the fragment that holds `key`, one entry for each key column.
    #[inline]
    pub(crate) fn find(&self, key: &[Option<KeyValue>]) -> Option<usize> {
        match self {
            Router::Hash(hash) => hash.find(key),
            Router::List(list) => list.find(key),
            Router::Range(range) => range.find(key),
        }
        .map(usize::from)
    }

    /// The positions of the fragments that may hold keys whose first column lies between `low`
    /// and `high`. `None`: bounds of this method tell nothing of that.
    pub(crate) fn between(
        &self,
        low: Bound<&KeyValue>,
        high: Bound<&KeyValue>,
    ) -> Option<Vec<usize>> {
        match self {
            Router::Range(range) => Some(range.between(low, high)),
            Router::Hash(_) | Router::List(_) => None,
        }
    }
}

impl HashRouter {
    fn build(bounds: &[ParsedBound]) -> Result<HashRouter, Conflict> {
        let pieces: Vec<(u32, u32)> = bounds
            .iter()
            .filter_map(|bound| match *bound {
                ParsedBound::Hash { modulus, remainder } => Some((modulus, remainder)),
                _ => None,
            })
            .collect();
        if let Some(pair) = pieces.windows(2).find(|pair| pair[1].0 % pair[0].0 != 0) {
            return Err(Conflict::Moduli(pair[0].0, pair[1].0));
        }
        let greatest = pieces.last().map_or(0, |piece| piece.0 as usize);
        let mut slots: Box<[Option<Position>]> = vec![None; greatest].into();
        for (position, &(modulus, remainder)) in pieces.iter().enumerate() {
            for slot in slots.iter_mut().skip(remainder as usize).step_by(modulus as usize) {
                if let Some(taken) = slot.replace(narrow(position)) {
                    return Err(Conflict::Overlap(taken.into(), position));
                }
            }
        }
        Ok(HashRouter { slots })
    }

    #[inline]
    fn find(&self, key: &[Option<KeyValue>]) -> Option<Position> {
        let slot = partition_hash(key).checked_rem(self.slots.len() as u64)?;
        self.slots[slot as usize]
    }
}

impl ListRouter {
    fn build(bounds: &[ParsedBound]) -> Result<ListRouter, Conflict> {
        let mut router = ListRouter::default();
        for (position, bound) in bounds.iter().enumerate() {
            let here = narrow(position);
            let taken = match bound {
                ParsedBound::Default => router.default.replace(here),
                ParsedBound::List { values } => values.iter().find_map(|value| match value {
                    Some(value) => router.values.insert(value.clone(), here),
                    None => router.null.replace(here),
                }),
                ParsedBound::Hash { .. } | ParsedBound::Range { .. } => None,
            };
            if let Some(taken) = taken {
                return Err(Conflict::Overlap(taken.into(), position));
            }
        }
        Ok(router)
    }

    fn find(&self, key: &[Option<KeyValue>]) -> Option<Position> {
        let found = match key.first()? {
            Some(value) => self.values.get(value).copied(),
            None => self.null,
        };
        found.or(self.default)
    }
}

impl RangeRouter {
    fn build(bounds: &[ParsedBound]) -> Result<RangeRouter, Conflict> {
        let mut router = RangeRouter::default();
        for (position, bound) in bounds.iter().enumerate() {
            let here = narrow(position);
            match bound {
                ParsedBound::Default => {
                    if let Some(taken) = router.default.replace(here) {
                        return Err(Conflict::Overlap(taken.into(), position));
                    }
                }
                ParsedBound::Range { from, to } => {
                    if let Some(last) = router.ranges.last().filter(|last| last.to > *from) {
                        return Err(Conflict::Overlap(last.position.into(), position));
                    }
                    let (from, to) = (from.clone(), to.clone());
                    router.ranges.push(Range { from, to, position: here });
                }
                ParsedBound::Hash { .. } | ParsedBound::List { .. } => {}
            }
        }
        Ok(router)
    }

    fn find(&self, key: &[Option<KeyValue>]) -> Option<Position> {
        if key.contains(&None) {
            return self.default;
        }
        let above = self.ranges.partition_point(|range| compare(key, &range.from).is_ge());
        let range = above.checked_sub(1).map(|last| &self.ranges[last]);
        match range {
            Some(range) if compare(key, &range.to).is_lt() => Some(range.position),
            _ => self.default,
        }
    }

    fn between(&self, low: Bound<&KeyValue>, high: Bound<&KeyValue>) -> Vec<usize> {
        let meets = |range: &&Range| range.reaches_down_to(high) && range.reaches_up_to(low);
        let ranges = self.ranges.iter().filter(meets).map(|range| range.position);
        ranges.chain(self.default).map(usize::from).collect()
    }
}

impl Range {
    /// Whether it may hold values that are low enough. With more columns in the key, values of
    /// the first that are equal to its limit's may be on either side.
    fn reaches_down_to(&self, high: Bound<&KeyValue>) -> bool {
        match high {
            Bound::Unbounded => true,
            Bound::Included(high) => compare_first(high, &self.from).is_ge(),
            Bound::Excluded(high) => compare_first(high, &self.from).is_gt(),
        }
    }

    fn reaches_up_to(&self, low: Bound<&KeyValue>) -> bool {
        match low {
            Bound::Unbounded => true,
            Bound::Included(low) | Bound::Excluded(low) => match compare_first(low, &self.to) {
                Ordering::Less => true,
                Ordering::Equal => self.to.len() > 1,
                Ordering::Greater => false,
            },
        }
    }
}

/// Where a value of the first column lies relative to the first column of a limit.
fn compare_first(value: &KeyValue, limits: &[ParsedLimit]) -> Ordering {
    match limits.first() {
        Some(ParsedLimit::MinValue) => Ordering::Greater,
        Some(ParsedLimit::MaxValue) => Ordering::Less,
        Some(ParsedLimit::Value(limit)) => value.cmp(limit),
        None => Ordering::Equal,
    }
}

/// Where a key without NULLs lies relative to a limit.
fn compare(key: &[Option<KeyValue>], limits: &[ParsedLimit]) -> Ordering {
    key.iter()
        .flatten()
        .zip(limits)
        .map(|(value, limit)| match limit {
            ParsedLimit::MinValue => Ordering::Greater,
            ParsedLimit::MaxValue => Ordering::Less,
            ParsedLimit::Value(limit) => value.cmp(limit),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn narrow(position: usize) -> Position {
    Position::try_from(position).expect("a table's number of fragments was checked")
}
