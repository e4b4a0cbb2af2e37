//! The parameters that a server reports to its client.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Values of ParameterStatus, shared between connections that agree on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    values: Arc<Values>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Values {
    by_name: BTreeMap<String, String>,
    /// Asked for with every statement.
    client_speaks_utf8: bool,
}

impl Default for Values {
    fn default() -> Values {
        Values::new(BTreeMap::new())
    }
}

impl Values {
    fn new(by_name: BTreeMap<String, String>) -> Values {
        let encoding = by_name.get("client_encoding").map(String::as_str);
        let client_speaks_utf8 = matches!(encoding, Some("UTF8") | None);
        Values { by_name, client_speaks_utf8 }
    }
}

impl Reported {
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Reported {
        Reported { values: Arc::new(Values::new(values.into_iter().collect())) }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.by_name.get(name).map(String::as_str)
    }

    #[must_use]
    pub fn client_speaks_utf8(&self) -> bool {
        self.values.client_speaks_utf8
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.by_name.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn set(&mut self, name: &str, value: &str) {
        if self.get(name) != Some(value) {
            let mut by_name = self.values.by_name.clone();
            by_name.insert(name.to_owned(), value.to_owned());
            self.values = Arc::new(Values::new(by_name));
        }
    }

    /// Whether both are certainly the same, at the cost of comparing two addresses.
    #[must_use]
    pub fn is_same(&self, other: &Reported) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
    }

    /// Lets equal values share one address: the lower one, so that all who meet come to the same,
    /// and `is_same` tells the next time. False if the values differ.
    pub fn unify(&mut self, other: &mut Reported) -> bool {
        if self.values != other.values {
            return false;
        }
        if Arc::as_ptr(&self.values) < Arc::as_ptr(&other.values) {
            other.values = Arc::clone(&self.values);
        } else {
            self.values = Arc::clone(&other.values);
        }
        true
    }

    /// What a client that knows `self` has to be told to know `other`.
    pub fn changes_to<'a>(
        &'a self,
        other: &'a Reported,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        other.iter().filter(|(name, value)| self.get(name) != Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::Reported;

    fn reported(values: &[(&str, &str)]) -> Reported {
        Reported::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn all_who_meet_come_to_share_one_address() {
        let mut clients: Vec<Reported> = (0..3).map(|_| reported(&[("TimeZone", "UTC")])).collect();
        let mut servers = clients.clone();
        servers.iter_mut().for_each(|server| *server = reported(&[("TimeZone", "UTC")]));
        for _ in 0..2 {
            for client in &mut clients {
                assert!(servers.iter_mut().all(|server| client.unify(server)));
            }
        }
        assert!(clients.iter().chain(&servers).all(|each| each.is_same(&clients[0])));
    }

    #[test]
    fn what_differs_is_not_shared() {
        let mut client = reported(&[("TimeZone", "UTC")]);
        let mut server = reported(&[("TimeZone", "Europe/Paris"), ("is_superuser", "on")]);
        assert!(!client.unify(&mut server));
        assert_eq!(
            client.changes_to(&server).collect::<Vec<_>>(),
            [("TimeZone", "Europe/Paris"), ("is_superuser", "on")]
        );
    }

    #[test]
    fn the_clients_encoding_is_followed() {
        let mut reported = reported(&[("client_encoding", "UTF8")]);
        assert!(reported.client_speaks_utf8());
        reported.set("client_encoding", "LATIN1");
        assert!(!reported.client_speaks_utf8());
    }
}
