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

/// Give the same on every node, and leave nothing behind.
const NEUTRAL: &[&str] = &[
    "abs",
    "age",
    "array_length",
    "ascii",
    "bit_length",
    "btrim",
    "ceil",
    "ceiling",
    "char_length",
    "chr",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "date_part",
    "date_trunc",
    "exp",
    "floor",
    "format",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "initcap",
    "isfinite",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_timestamp",
    "md5",
    "mod",
    "now",
    "nullif",
    "octet_length",
    "pg_sleep",
    "pg_typeof",
    "pi",
    "power",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "random",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_to_json",
    "rpad",
    "rtrim",
    "sign",
    "split_part",
    "sqrt",
    "statement_timestamp",
    "strpos",
    "substr",
    "substring",
    "timeofday",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "trim",
    "trunc",
    "unnest",
    "upper",
    "version",
];

/// Give the same for the same arguments whenever and wherever they run, and fail for none.
const STEADY: &[&str] = &[
    "btrim",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "date_part",
    "date_trunc",
    "floor",
    "greatest",
    "initcap",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "md5",
    "nullif",
    "octet_length",
    "replace",
    "reverse",
    "right",
    "round",
    "rtrim",
    "sign",
    "strpos",
    "trim",
    "trunc",
    "upper",
];

/// Of the neutral ones, those that give another value at each call.
const UNSTEADY: &[&str] = &["clock_timestamp", "gen_random_uuid", "random", "timeofday"];

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
    } else if among(NEUTRAL) {
        Kind::Neutral
    } else {
        Kind::Other
    }
}

pub(super) fn is_steady(call: &Call) -> bool {
    match &*call.name {
        [name] => call.over.is_none() && STEADY.binary_search(&&*name.text).is_ok(),
        _ => false,
    }
}

/// Whether a function gives the same on every node, the values of the moment being told to them.
fn is_alike_everywhere(name: &str) -> bool {
    let among = |list: &[&str]| list.binary_search(&name).is_ok();
    kind(name) == Kind::Neutral && !among(UNSTEADY) || among(OF_ANY_ORDER)
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
        assert!(NEUTRAL.is_sorted());
        assert!(STEADY.is_sorted());
        assert!(UNSTEADY.is_sorted());
        assert!(OF_ANY_ORDER.is_sorted());
    }
}
