//! The statements that are prepared on one server connection.

use std::collections::HashMap;

use ahash::RandomState;

/// A statement text with its parameter types, numbered once for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatementKey(pub u64);

impl StatementKey {
    /// The name under which it is prepared on servers.
    #[must_use]
    pub fn server_name(self) -> ServerName {
        let mut bytes = *b"herd_0000000000000000";
        for (at, digit) in bytes[5..].iter_mut().enumerate() {
            let nibble = (self.0 >> (60 - 4 * at)) & 0xf;
            *digit = b"0123456789abcdef"[usize::try_from(nibble).expect("a nibble is below 16")];
        }
        ServerName(bytes)
    }
}

/// `herd_` and sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerName([u8; 21]);

impl ServerName {
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a server name is ASCII")
    }
}

/// Which statements a connection has, and which was used longest ago.
#[derive(Debug)]
pub struct PreparedCache {
    used_at: HashMap<StatementKey, u64, RandomState>,
    clock: u64,
    statements_max: usize,
}

impl PreparedCache {
    #[must_use]
    pub fn new(statements_max: usize) -> PreparedCache {
        PreparedCache {
            used_at: HashMap::default(),
            clock: 0,
            statements_max: statements_max.max(1),
        }
    }

    /// Whether `key` is prepared; it counts as used then.
    pub fn touch(&mut self, key: StatementKey) -> bool {
        self.clock += 1;
        match self.used_at.get_mut(&key) {
            Some(used_at) => {
                *used_at = self.clock;
                true
            }
            None => false,
        }
    }

    /// Notes that `key` is being prepared; returns the statement to close for it when full.
    pub fn insert(&mut self, key: StatementKey) -> Option<StatementKey> {
        self.clock += 1;
        let evicted = if self.used_at.len() >= self.statements_max {
            self.used_at.iter().min_by_key(|(_, used_at)| **used_at).map(|(key, _)| *key)
        } else {
            None
        };
        if let Some(evicted) = evicted {
            self.used_at.remove(&evicted);
        }
        self.used_at.insert(key, self.clock);
        evicted
    }

    pub fn remove(&mut self, key: StatementKey) -> bool {
        self.used_at.remove(&key).is_some()
    }

    pub fn clear(&mut self) {
        self.used_at.clear();
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.used_at.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used_at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_closes_what_was_used_longest_ago() {
        let mut cache = PreparedCache::new(2);
        assert_eq!(cache.insert(StatementKey(1)), None);
        assert_eq!(cache.insert(StatementKey(2)), None);
        assert!(cache.touch(StatementKey(1)));
        assert_eq!(cache.insert(StatementKey(3)), Some(StatementKey(2)));
        assert!(!cache.touch(StatementKey(2)));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn server_names_are_distinct_and_short() {
        assert_eq!(StatementKey(0xab).server_name().as_str(), "herd_00000000000000ab");
    }
}
