//! The roles of the home node with their password verifiers, remembered for a moment so that a
//! storm of logins is not a storm of queries.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use herd_types::{NodeId, SqlState};
use parking_lot::Mutex;

use crate::{ControlError, ControlPools};

/// A changed password is noticed after this time at the latest.
const REMEMBERED_FOR: Duration = Duration::from_secs(2);
const REMEMBERED_MAX: usize = 10_000;

const FROM_CATALOG: &str = "SELECT rolpassword, rolvaliduntil, rolcanlogin, rolsuper \
     FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";
const FROM_FUNCTION: &str = "SELECT rolpassword, rolvaliduntil, rolcanlogin, rolsuper \
     FROM herd.role_verifiers() WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";

/// A row of `pg_authid`.
#[derive(Clone, Debug)]
pub struct RoleEntry {
    pub password: Option<String>,
    pub valid_until: Option<SystemTime>,
    pub can_login: bool,
    pub is_superuser: bool,
}

pub struct RoleDirectory {
    pools: Arc<ControlPools>,
    home: NodeId,
    remembered: Mutex<HashMap<String, (Instant, Option<RoleEntry>)>>,
    /// The account may not read `pg_authid`, and uses the function made for it.
    uses_function: AtomicBool,
}

impl RoleDirectory {
    #[must_use]
    pub fn new(pools: Arc<ControlPools>, home: NodeId) -> RoleDirectory {
        RoleDirectory {
            pools,
            home,
            remembered: Mutex::default(),
            uses_function: AtomicBool::new(false),
        }
    }

    pub async fn find(&self, role: &str) -> Result<Option<RoleEntry>, ControlError> {
        if let Some((at, entry)) = self.remembered.lock().get(role)
            && at.elapsed() < REMEMBERED_FOR
        {
            return Ok(entry.clone());
        }
        let entry = self.ask(role).await?;
        let mut remembered = self.remembered.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(role.to_owned(), (Instant::now(), entry.clone()));
        Ok(entry)
    }

    /// A statement that changes roles has passed.
    pub fn forget_all(&self) {
        self.remembered.lock().clear();
    }

    async fn ask(&self, role: &str) -> Result<Option<RoleEntry>, ControlError> {
        if !self.uses_function.load(Ordering::Relaxed) {
            match self.query(FROM_CATALOG, role).await {
                Err(error) if error.sqlstate() == SqlState::INSUFFICIENT_PRIVILEGE => {
                    self.uses_function.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        self.query(FROM_FUNCTION, role).await
    }

    async fn query(&self, sql: &str, role: &str) -> Result<Option<RoleEntry>, ControlError> {
        let rows = self.pools.query(self.home, sql, &[&role]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(RoleEntry {
            password: row.try_get(0)?,
            valid_until: valid_until(row)?,
            can_login: row.try_get(2)?,
            is_superuser: row.try_get(3)?,
        }))
    }
}

/// `infinity` is no time that a `SystemTime` has.
fn valid_until(row: &tokio_postgres::Row) -> Result<Option<SystemTime>, ControlError> {
    use tokio_postgres::types::Timestamp;
    match row.try_get::<_, Option<Timestamp<SystemTime>>>(1)? {
        None | Some(Timestamp::PosInfinity) => Ok(None),
        Some(Timestamp::NegInfinity) => Ok(Some(SystemTime::UNIX_EPOCH)),
        Some(Timestamp::Value(until)) => Ok(Some(until)),
    }
}
