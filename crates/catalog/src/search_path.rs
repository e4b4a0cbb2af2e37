//! The schemas in which an unqualified table name is looked up.

/// A session's effective search_path: `"$user"` already replaced by the role's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SearchPath {
    schemas: Vec<String>,
}

impl SearchPath {
    pub fn new(schemas: impl IntoIterator<Item = String>) -> SearchPath {
        SearchPath { schemas: schemas.into_iter().collect() }
    }

    /// PostgreSQL's default, `"$user", public`.
    #[must_use]
    pub fn default_for(role: &str) -> SearchPath {
        SearchPath::new([role.to_owned(), "public".to_owned()])
    }

    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.schemas.iter().map(String::as_str)
    }
}
