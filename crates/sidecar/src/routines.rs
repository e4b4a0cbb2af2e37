//! The functions of a database as the home node has them, and what runs them without being called.
//!
//! What they mean is for others to judge.

use std::sync::Arc;

use herd_types::NodeId;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::{ControlError, ControlPools};

/// Objects below are PostgreSQL's own.
const FIRST_OWN_OID: u32 = 16384;

const TEXTS: &str = "SELECT p.oid, p.proname::text, l.lanname::text, \
        EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass \
                AND d.objid = p.oid AND d.deptype = 'e'), \
        coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) \
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
    WHERE p.oid >= $1 AND p.prokind <> 'a' ORDER BY p.oid";

/// What calls, without a function between, those of PostgreSQL's own that change a session.
const USES_OF_BUILTINS: &str = "WITH pattern(calls) AS ( \
        SELECT ':funcid (' || string_agg(oid::text, '|') || ') ' FROM pg_proc \
        WHERE oid < $1 AND proname IN ('set_config', 'pg_advisory_lock', \
            'pg_advisory_lock_shared', 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared')), \
    used(relation, on_write) AS ( \
        SELECT ev_class, ev_type <> '1' FROM pg_rewrite, pattern \
        WHERE oid >= $1 AND ev_action::text ~ calls \
        UNION ALL SELECT polrelid, polcmd IN ('a', 'w', 'd') FROM pg_policy, pattern \
        WHERE polqual::text ~ calls OR polwithcheck::text ~ calls \
        UNION ALL SELECT adrelid, true FROM pg_attrdef, pattern WHERE adbin::text ~ calls \
        UNION ALL SELECT conrelid, true FROM pg_constraint, pattern \
        WHERE conrelid <> 0 AND conbin::text ~ calls) \
    SELECT 'b', 0::oid, 'r', c.oid, c.relname::text, u.on_write \
    FROM used u JOIN pg_class c ON c.oid = u.relation";

/// What depends on functions ($1), relations ($2), types ($3) and operators ($4): each row has the
/// one, the other, and whether it takes a write.
const DEPENDENTS: &str = "WITH source(kind, class, oid) AS ( \
        SELECT 'f', 'pg_proc'::regclass, unnest($1::oid[]) \
        UNION ALL SELECT 'r', 'pg_class'::regclass, unnest($2::oid[]) \
        UNION ALL SELECT 't', 'pg_type'::regclass, unnest($3::oid[]) \
        UNION ALL SELECT 'o', 'pg_operator'::regclass, unnest($4::oid[])), \
    d AS (SELECT s.kind, s.oid, d.classid, d.objid FROM source s \
          JOIN pg_depend d ON d.refclassid = s.class AND d.refobjid = s.oid), \
    used(kind, oid, relation, on_write) AS ( \
        SELECT d.kind, d.oid, coalesce(i.indrelid, c.oid), true \
        FROM d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid \
        LEFT JOIN pg_index i ON i.indexrelid = c.oid \
        UNION ALL SELECT d.kind, d.oid, r.ev_class, r.ev_type <> '1' \
        FROM d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid \
        UNION ALL SELECT d.kind, d.oid, t.tgrelid, true \
        FROM d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid \
        WHERE d.kind = 'f' \
        UNION ALL SELECT d.kind, d.oid, v.adrelid, a.attgenerated <> 'v' \
        FROM d JOIN pg_attrdef v ON d.classid = 'pg_attrdef'::regclass AND v.oid = d.objid \
        JOIN pg_attribute a ON a.attrelid = v.adrelid AND a.attnum = v.adnum \
        WHERE d.kind <> 'r' \
        UNION ALL SELECT d.kind, d.oid, p.polrelid, p.polcmd IN ('a', 'w', 'd') \
        FROM d JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid \
        UNION ALL SELECT d.kind, d.oid, c.conrelid, true \
        FROM d JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid \
        WHERE d.kind <> 'r' AND c.conrelid <> 0 \
        UNION ALL SELECT s.kind, s.oid, c.confrelid, true \
        FROM source s JOIN pg_constraint c ON c.conrelid = s.oid AND c.contype = 'f' \
        AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd')) \
        WHERE s.kind = 'r' \
        UNION ALL SELECT s.kind, s.oid, i.inhparent, true \
        FROM source s JOIN pg_inherits i ON i.inhrelid = s.oid WHERE s.kind = 'r'), \
    typed(kind, oid, type) AS ( \
        SELECT d.kind, d.oid, d.objid FROM d WHERE d.classid = 'pg_type'::regclass \
        UNION ALL SELECT d.kind, d.oid, c.casttarget \
        FROM d JOIN pg_cast c ON d.classid = 'pg_cast'::regclass AND c.oid = d.objid \
        UNION ALL SELECT d.kind, d.oid, c.contypid \
        FROM d JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid \
        WHERE c.contypid <> 0) \
    SELECT u.kind, u.oid, 'r', c.oid, c.relname::text, u.on_write \
    FROM used u JOIN pg_class c ON c.oid = u.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
    UNION SELECT x.kind, x.oid, 't', t.oid, t.typname::text, false \
    FROM typed x JOIN pg_type t ON t.oid = x.type WHERE x.kind <> 'r' \
    UNION SELECT d.kind, d.oid, 'f', p.oid, p.proname::text, false \
    FROM d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid \
    WHERE d.kind <> 'r' \
    UNION SELECT d.kind, d.oid, 'o', o.oid, o.oprname::text, false \
    FROM d JOIN pg_operator o ON d.classid = 'pg_operator'::regclass AND o.oid = d.objid \
    UNION SELECT d.kind, d.oid, 'e', e.oid, e.evtname::text, false \
    FROM d JOIN pg_event_trigger e ON d.classid = 'pg_event_trigger'::regclass AND e.oid = d.objid";

/// A function that is not PostgreSQL's own.
#[derive(Clone, Debug)]
pub struct RoutineRow {
    pub oid: u32,
    pub name: String,
    pub language: String,
    pub in_extension: bool,
    pub body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeObject {
    Routine(u32),
    Relation(u32),
    Type(u32),
    Operator(u32),
    EventTrigger(u32),
    /// A function of PostgreSQL's own that changes the session.
    Builtin,
}

/// The use of `object` uses `source`.
#[derive(Clone, Debug)]
pub struct UseRow {
    pub source: CodeObject,
    pub object: CodeObject,
    pub name: String,
    /// Only when rows are written.
    pub on_write: bool,
}

/// Where functions are read.
pub struct RoutineCatalog {
    pools: Arc<ControlPools>,
    home: NodeId,
}

/// One reading of one database.
pub struct RoutineReading {
    client: Client,
}

impl RoutineCatalog {
    #[must_use]
    pub fn new(pools: Arc<ControlPools>, home: NodeId) -> RoutineCatalog {
        RoutineCatalog { pools, home }
    }

    /// On a connection of its own, which is not kept: it would be in the way of DROP DATABASE.
    pub async fn open(&self, database: &str) -> Result<RoutineReading, ControlError> {
        Ok(RoutineReading { client: self.pools.connect(self.home, database).await? })
    }
}

impl RoutineReading {
    pub async fn texts(&self) -> Result<Vec<RoutineRow>, ControlError> {
        let rows = self.client.query(TEXTS, &[&FIRST_OWN_OID]).await?;
        rows.iter().map(RoutineRow::read).collect()
    }

    pub async fn uses_of_builtins(&self) -> Result<Vec<UseRow>, ControlError> {
        let rows = self.client.query(USES_OF_BUILTINS, &[&FIRST_OWN_OID]).await?;
        UseRow::read_all(&rows)
    }

    pub async fn dependents(&self, objects: &[CodeObject]) -> Result<Vec<UseRow>, ControlError> {
        let of = |oid: fn(&CodeObject) -> Option<u32>| -> Vec<u32> {
            objects.iter().filter_map(oid).collect()
        };
        let routines = of(|object| match object {
            CodeObject::Routine(oid) => Some(*oid),
            _ => None,
        });
        let relations = of(|object| match object {
            CodeObject::Relation(oid) => Some(*oid),
            _ => None,
        });
        let types = of(|object| match object {
            CodeObject::Type(oid) => Some(*oid),
            _ => None,
        });
        let operators = of(|object| match object {
            CodeObject::Operator(oid) => Some(*oid),
            _ => None,
        });
        let parameters: [&(dyn ToSql + Sync); 4] = [&routines, &relations, &types, &operators];
        UseRow::read_all(&self.client.query(DEPENDENTS, &parameters).await?)
    }
}

impl RoutineRow {
    fn read(row: &Row) -> Result<RoutineRow, ControlError> {
        Ok(RoutineRow {
            oid: row.try_get(0)?,
            name: row.try_get(1)?,
            language: row.try_get(2)?,
            in_extension: row.try_get(3)?,
            body: row.try_get(4)?,
        })
    }
}

impl UseRow {
    fn read_all(rows: &[Row]) -> Result<Vec<UseRow>, ControlError> {
        let mut uses = Vec::with_capacity(rows.len());
        for row in rows {
            let source = object(row.try_get(0)?, row.try_get(1)?);
            let object = object(row.try_get(2)?, row.try_get(3)?);
            let (name, on_write) = (row.try_get(4)?, row.try_get(5)?);
            uses.push(UseRow { source, object, name, on_write });
        }
        Ok(uses)
    }
}

fn object(kind: &str, oid: u32) -> CodeObject {
    match kind {
        "f" => CodeObject::Routine(oid),
        "r" => CodeObject::Relation(oid),
        "t" => CodeObject::Type(oid),
        "o" => CodeObject::Operator(oid),
        "e" => CodeObject::EventTrigger(oid),
        _ => CodeObject::Builtin,
    }
}
