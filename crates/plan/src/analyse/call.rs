//! Function calls: which of them only one node can answer.
//!
//! A function of the user's own is on every node, and DDL sees to it that none reads a fragmented
//! table or changes a reference table. What it reads of home, it finds only there, or fails.

use super::Analysis;
use crate::statement::{Call, Ident};

/// State that lies on the home node: sequences, advisory locks, large objects, notifications.
const HOME: &[&str] = &[
    "currval",
    "lastval",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_export",
    "lo_from_bytea",
    "lo_get",
    "lo_import",
    "lo_lseek",
    "lo_lseek64",
    "lo_open",
    "lo_put",
    "lo_tell",
    "lo_tell64",
    "lo_truncate",
    "lo_truncate64",
    "lo_unlink",
    "loread",
    "lowrite",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_notify",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "setval",
];

/// Run SQL given as text, or read tables given by name.
const RUN_TEXT: &[&str] = &[
    "connectby",
    "crosstab",
    "crosstab2",
    "crosstab3",
    "crosstab4",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
    "xpath_table",
];

/// How far a function of PostgreSQL's own, which leaves nothing behind, gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// For the same arguments one and the same value, and it fails for none.
    Total,
    /// For the same arguments one and the same value.
    Steady,
    /// The same on every node, for a session at one moment; or several rows.
    Alike,
    /// Something else at each call.
    Unsteady,
}

/// Those that any node may be asked for.
const NEUTRAL: &[(&str, Nature)] = &[
    ("abs", Nature::Steady),
    ("age", Nature::Alike),
    ("array_length", Nature::Steady),
    ("ascii", Nature::Steady),
    ("bit_length", Nature::Steady),
    ("btrim", Nature::Total),
    ("ceil", Nature::Total),
    ("ceiling", Nature::Total),
    ("char_length", Nature::Total),
    ("chr", Nature::Steady),
    ("clock_timestamp", Nature::Unsteady),
    ("coalesce", Nature::Total),
    ("concat", Nature::Steady),
    ("concat_ws", Nature::Steady),
    ("current_database", Nature::Alike),
    ("current_schema", Nature::Alike),
    ("current_schemas", Nature::Alike),
    ("current_setting", Nature::Alike),
    ("date_part", Nature::Total),
    ("date_trunc", Nature::Total),
    ("exp", Nature::Steady),
    ("floor", Nature::Total),
    ("format", Nature::Steady),
    ("gen_random_uuid", Nature::Unsteady),
    ("generate_series", Nature::Alike),
    ("greatest", Nature::Total),
    ("initcap", Nature::Total),
    ("isfinite", Nature::Steady),
    ("json_build_array", Nature::Steady),
    ("json_build_object", Nature::Steady),
    ("jsonb_build_array", Nature::Steady),
    ("jsonb_build_object", Nature::Steady),
    ("least", Nature::Total),
    ("left", Nature::Total),
    ("length", Nature::Total),
    ("ln", Nature::Steady),
    ("log", Nature::Steady),
    ("lower", Nature::Total),
    ("lpad", Nature::Steady),
    ("ltrim", Nature::Total),
    ("make_date", Nature::Steady),
    ("make_interval", Nature::Steady),
    ("make_timestamp", Nature::Steady),
    ("md5", Nature::Total),
    ("mod", Nature::Steady),
    ("now", Nature::Alike),
    ("nullif", Nature::Total),
    ("octet_length", Nature::Total),
    ("pg_sleep", Nature::Alike),
    ("pg_typeof", Nature::Alike),
    ("pi", Nature::Steady),
    ("power", Nature::Steady),
    ("quote_ident", Nature::Steady),
    ("quote_literal", Nature::Steady),
    ("quote_nullable", Nature::Steady),
    ("random", Nature::Unsteady),
    ("repeat", Nature::Steady),
    ("replace", Nature::Total),
    ("reverse", Nature::Total),
    ("right", Nature::Total),
    ("round", Nature::Total),
    ("row_to_json", Nature::Alike),
    ("rpad", Nature::Steady),
    ("rtrim", Nature::Total),
    ("sign", Nature::Total),
    ("split_part", Nature::Steady),
    ("sqrt", Nature::Steady),
    ("statement_timestamp", Nature::Alike),
    ("strpos", Nature::Total),
    ("substr", Nature::Steady),
    ("substring", Nature::Steady),
    ("timeofday", Nature::Unsteady),
    ("to_char", Nature::Steady),
    ("to_date", Nature::Steady),
    ("to_json", Nature::Steady),
    ("to_jsonb", Nature::Steady),
    ("to_number", Nature::Steady),
    ("to_timestamp", Nature::Steady),
    ("transaction_timestamp", Nature::Alike),
    ("trim", Nature::Total),
    ("trunc", Nature::Total),
    ("unnest", Nature::Alike),
    ("upper", Nature::Total),
    ("version", Nature::Alike),
];

/// Aggregates that give the same of the same rows, in whatever order these come.
const OF_ANY_ORDER: &[&str] = &["bool_and", "bool_or", "count", "every", "max", "min"];

/// What a function asks of the node that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// State that lies at home.
    Home,
    /// SQL that Herd does not see.
    RunsText,
    /// Nothing: any node will do.
    Neutral,
    Other,
}

pub(super) fn kind(name: &str) -> Kind {
    let among = |list: &[&str]| list.binary_search(&name).is_ok();
    if among(HOME) {
        Kind::Home
    } else if among(RUN_TEXT) {
        Kind::RunsText
    } else if nature(name).is_some() {
        Kind::Neutral
    } else {
        Kind::Other
    }
}

fn nature(name: &str) -> Option<Nature> {
    let found = NEUTRAL.binary_search_by_key(&name, |(name, _)| name);
    found.ok().map(|at| NEUTRAL[at].1)
}

/// Of what is called with these arguments, and not over a window.
pub(super) fn nature_of(call: &Call) -> Option<Nature> {
    let name = match &*call.name {
        [name] => name,
        [schema, name] if &*schema.text == "pg_catalog" => name,
        _ => return None,
    };
    nature(&name.text).filter(|_| call.over.is_none())
}

/// Whether a function gives the same on every node, the values of the moment being told to them.
fn is_alike_everywhere(name: &str) -> bool {
    nature(name).is_some_and(|nature| nature != Nature::Unsteady)
        || OF_ANY_ORDER.binary_search(&name).is_ok()
}

impl Analysis<'_> {
    pub(super) fn call(&mut self, call: &Call) {
        let Some(Ident { text: name, .. }) = call.name.last() else { return };
        self.manner.calls_unsteady |= !is_alike_everywhere(name);
        match kind(name) {
            Kind::Home => self.home(format!("what function {name} works on")),
            Kind::RunsText => self.beyond(
                format!("function {name} cannot be used while tables lie on several nodes"),
                "It runs SQL that Herd does not see, on one node.",
            ),
            Kind::Neutral | Kind::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(HOME.is_sorted());
        assert!(RUN_TEXT.is_sorted());
        assert!(NEUTRAL.is_sorted_by_key(|(name, _)| name));
        assert!(OF_ANY_ORDER.is_sorted());
    }
}
