//! What the functions of each database leave behind, as far as Herd has read them, and when they
//! are read again.
//!
//! A client that has defined something hears so only when it has been read: whoever learns of it
//! from that client finds Herd prepared. Statements that ran meanwhile, by the old knowledge, may
//! have left something: the connections that were there are not used again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use herd_plan::Routines;
use herd_types::ClientError;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::gateway::{Boxed, Gateway};

/// What is defined behind Herd's back is noticed after this time at the latest.
const REREAD_INTERVAL: Duration = Duration::from_secs(60);
/// How often it is looked whether something has to be read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the functions of a database on the home node.
pub trait RoutineReader: Send + Sync {
    fn read<'a>(&'a self, database: &'a str) -> Boxed<'a, Result<Routines, ClientError>>;
}

/// All databases that have clients.
pub struct RoutineBook {
    reader: Arc<dyn RoutineReader>,
    databases: Mutex<HashMap<String, Arc<DatabaseRoutines>>>,
    last_version: AtomicU64,
}

/// The functions of one database.
pub struct DatabaseRoutines {
    database: String,
    current: ArcSwap<Routines>,
    /// Counts those who want to know what there is from now on.
    asked: AtomicU64,
    /// How many of them have been answered.
    answered: tokio::sync::Mutex<u64>,
    read_at: Mutex<Option<Instant>>,
    /// Why it could not be read the last time, if so.
    trouble: Mutex<Option<String>>,
}

/// What becomes of the old knowledge when it cannot be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Keep,
    /// It is known to be outdated.
    Forget,
}

impl RoutineBook {
    #[must_use]
    pub fn new(reader: Arc<dyn RoutineReader>) -> RoutineBook {
        RoutineBook { reader, databases: Mutex::default(), last_version: AtomicU64::new(0) }
    }

    /// Read them all again soon.
    pub fn outdate(&self) {
        for database in self.databases.lock().values() {
            *database.read_at.lock() = None;
        }
    }

    pub(crate) fn of(&self, database: &str) -> Arc<DatabaseRoutines> {
        let mut databases = self.databases.lock();
        if let Some(known) = databases.get(database) {
            return Arc::clone(known);
        }
        let unknown = Arc::new(DatabaseRoutines {
            database: database.to_owned(),
            current: ArcSwap::from_pointee(Routines::unknown().clone()),
            asked: AtomicU64::new(0),
            answered: tokio::sync::Mutex::new(0),
            read_at: Mutex::new(None),
            trouble: Mutex::new(None),
        });
        databases.insert(database.to_owned(), Arc::clone(&unknown));
        unknown
    }

    /// Those that are due; databases without clients are forgotten.
    fn due(&self) -> Vec<Arc<DatabaseRoutines>> {
        let mut databases = self.databases.lock();
        databases.retain(|_, database| Arc::strong_count(database) > 1);
        databases.values().filter(|database| database.is_due()).map(Arc::clone).collect()
    }
}

impl DatabaseRoutines {
    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Routines>> {
        self.current.load()
    }

    fn is_due(&self) -> bool {
        let is_old = self.read_at.lock().is_none_or(|at| at.elapsed() >= REREAD_INTERVAL);
        is_old || !self.current().is_known()
    }

    /// Once for each reason.
    fn warn(&self, error: ClientError) {
        let trouble = Some(error.message.into_owned());
        let mut known = self.trouble.lock();
        if *known != trouble {
            let (database, error) = (&self.database, trouble.as_deref());
            tracing::warn!(database, error, "cannot read the functions of a database");
            *known = trouble;
        }
    }
}

impl Gateway {
    /// The functions of a database, read before its first client is served. While they cannot be
    /// read, every statement counts as one that may call anything.
    pub(crate) async fn know_routines(&self, database: &str) -> Arc<DatabaseRoutines> {
        let routines = self.routines.of(database);
        let home = self.node_states.of(self.catalog().home());
        let home_answers = home.is_none_or(|home| home.error.is_none());
        if !routines.current().is_known() && home_answers {
            self.read_routines(&routines, Otherwise::Keep).await;
        }
        routines
    }

    /// Reads what there is from now on. Those who ask meanwhile share the next reading.
    pub(crate) async fn read_routines(&self, of: &DatabaseRoutines, otherwise: Otherwise) {
        let ticket = of.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut answered = of.answered.lock().await;
        if *answered >= ticket {
            return;
        }
        let answers = of.asked.load(Ordering::Acquire);
        match self.routines.reader.read(&of.database).await {
            Ok(next) => {
                *answered = answers;
                *of.read_at.lock() = Some(Instant::now());
                *of.trouble.lock() = None;
                self.publish_routines(of, next);
            }
            Err(error) => {
                of.warn(error);
                if otherwise == Otherwise::Forget {
                    self.publish_routines(of, Routines::unknown().clone());
                }
            }
        }
    }

    fn publish_routines(&self, of: &DatabaseRoutines, next: Routines) {
        let before = of.current();
        if before.says_the_same(&next) {
            return;
        }
        let version = self.routines.last_version.fetch_add(1, Ordering::AcqRel) + 1;
        of.current.store(Arc::new(next.with_version(version)));
        // Statements that were understood before are understood anew.
        self.definitions.fetch_add(1, Ordering::AcqRel);
        if !before.is_known() {
            return;
        }
        for worker in self.workers.lock().iter() {
            for pool in worker.pools.all() {
                if pool.key().database == of.database {
                    pool.renew();
                }
            }
        }
    }
}

/// Reads functions again and again, until `stop` is cancelled.
pub async fn keep_routines(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        for database in gateway.routines.due() {
            tokio::select! {
                () = gateway.read_routines(&database, Otherwise::Keep) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
