//! The parameters that a server reports to its client.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Values of ParameterStatus, shared between connections that agree on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    values: Arc<BTreeMap<String, String>>,
}

impl Reported {
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Reported {
        Reported { values: Arc::new(values.into_iter().collect()) }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn set(&mut self, name: &str, value: &str) {
        if self.get(name) != Some(value) {
            Arc::make_mut(&mut self.values).insert(name.to_owned(), value.to_owned());
        }
    }

    /// Whether both are certainly the same, at the cost of comparing two addresses.
    #[must_use]
    pub fn is_same(&self, other: &Reported) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
    }

    /// What a client that knows `self` has to be told to know `other`.
    pub fn changes_to<'a>(
        &'a self,
        other: &'a Reported,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        other.iter().filter(|(name, value)| self.get(name) != Some(value))
    }
}
