//! From text to plan, through the cache.

use std::ops::Range;
use std::sync::Arc;

use herd_catalog::{Catalog, SearchPath};
use herd_types::ClientError;

use crate::{Plan, Slots};

/// What a statement's meaning depends on besides its text.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub catalog: &'a Arc<Catalog>,
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

/// One statement of several in a query string. A part that follows a change of search_path or of
/// the catalog must be understood anew when its turn comes.
#[derive(Clone, Debug)]
pub struct Part {
    pub span: Range<usize>,
    /// A refusal is the part's own: what stands before it runs first, as in PostgreSQL.
    pub understood: Result<Understood, ClientError>,
}

/// A plan, and the literals that this very text fills into it.
#[derive(Clone, Debug)]
pub struct Understood {
    pub plan: Arc<Plan>,
    /// Spans into the statement's own text.
    pub slots: Slots,
}
