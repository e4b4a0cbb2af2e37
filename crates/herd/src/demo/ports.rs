//! Loopback ports for the embedded servers.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};

/// Below the range from which the kernel takes ports for outgoing connections, so that no client
/// can hold a server's port while it is down.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// Free ports, none twice. Different directories begin at different ports.
pub struct Ports {
    next: u16,
    left: u16,
    given: HashSet<u16>,
}

impl Ports {
    pub fn for_directory(directory: &Path) -> Ports {
        let mut hasher = DefaultHasher::new();
        directory.hash(&mut hasher);
        let offset = u16::try_from(hasher.finish() % u64::from(LAST - FIRST))
            .expect("less than the range, which is an u16");
        Ports { next: FIRST + offset, left: LAST - FIRST, given: HashSet::new() }
    }

    /// The remembered port if it is still free, else another.
    pub fn prefer(&mut self, port: Option<u16>) -> Result<u16> {
        match port {
            Some(port) if is_free(port) && self.given.insert(port) => Ok(port),
            _ => self.any(),
        }
    }

    fn any(&mut self) -> Result<u16> {
        while self.left > 0 {
            let port = self.next;
            self.next = if port == LAST { FIRST } else { port + 1 };
            self.left -= 1;
            if is_free(port) && self.given.insert(port) {
                return Ok(port);
            }
        }
        None.with_context(|| format!("no free port from {FIRST} to {LAST} on 127.0.0.1"))
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_and_none_is_given_twice() {
        let mut ports = Ports::for_directory(Path::new("/a"));
        let first = ports.prefer(None).unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let mut again = Ports::for_directory(Path::new("/a"));
        let second = again.prefer(Some(first)).unwrap();
        assert_ne!(first, second);
        assert_ne!(again.prefer(Some(second)).unwrap(), second);
    }
}
