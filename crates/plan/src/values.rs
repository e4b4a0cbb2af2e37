//! Where key values come from when a plan is placed: the literals of a text, and bound
//! parameters.

use smallvec::SmallVec;

use crate::lex::Token;

/// Literals of a text that are kept without touching the heap.
const SLOTS_INLINE: usize = 16;

/// The literals of one very text, in order. Texts that differ only in these share a plan.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    literals: SmallVec<[Token; SLOTS_INLINE]>,
}

impl Slots {
    #[must_use]
    pub fn len(&self) -> usize {
        self.literals.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.literals.is_empty()
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<Token> {
        self.literals.get(index).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = Token> + '_ {
        self.literals.iter().copied()
    }

    /// The slot of the literal that starts at byte `offset` of the text.
    #[must_use]
    pub fn index_at(&self, offset: usize) -> Option<usize> {
        self.literals.binary_search_by_key(&offset, |literal| literal.start as usize).ok()
    }

    pub(crate) fn push(&mut self, literal: Token) {
        self.literals.push(literal);
    }

    pub(crate) fn clear(&mut self) {
        self.literals.clear();
    }
}

/// What the key sources of a target are read from.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The text that `slots` point into.
    pub text: &'a [u8],
    pub slots: &'a Slots,
    pub parameters: &'a dyn Parameters,
}

/// The values of `$1`, `$2`, …
pub trait Parameters: Sync {
    /// `index` counts from 0 for `$1`. `None` when the value is not known.
    fn get(&self, index: usize) -> Option<Parameter<'_>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// 0 when the server infers it.
    pub type_oid: u32,
    pub binary: bool,
    /// `None` is NULL.
    pub value: Option<&'a [u8]>,
}

/// A statement without bound parameters.
#[derive(Clone, Copy, Debug)]
pub struct NoParameters;

impl Parameters for NoParameters {
    fn get(&self, _index: usize) -> Option<Parameter<'_>> {
        None
    }
}
