//! The words that are part of the grammar. Every other word is fed to sqlparser as a quoted name,
//! so that no keyword of another dialect is ever taken for one.

/// Reserved by PostgreSQL: never the name of a table, a column or an alias.
pub(super) const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "asc",
    "both",
    "case",
    "cast",
    "collate",
    "cross",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "into",
    "is",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "returning",
    "right",
    "select",
    "similar",
    "some",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "using",
    "when",
    "where",
    "window",
    "with",
];

/// Reserved as well, but no part of a query that can be read.
pub(super) const UNREADABLE: &[&str] = &[
    "analyse",
    "analyze",
    "authorization",
    "binary",
    "check",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "deferrable",
    "foreign",
    "freeze",
    "grant",
    "initially",
    "only",
    "primary",
    "references",
    "symmetric",
    "table",
    "unique",
    "verbose",
];

/// Keywords wherever they stand, as far as the grammar cares, though PostgreSQL allows them as
/// names.
pub(super) const UNRESERVED: &[&str] = &[
    "between",
    "by",
    "conflict",
    "constraint",
    "delete",
    "escape",
    "following",
    "groups",
    "insert",
    "locked",
    "merge",
    "nowait",
    "ordinality",
    "preceding",
    "range",
    "row",
    "rows",
    "set",
    "share",
    "ties",
    "unbounded",
    "update",
    "values",
];

/// Keywords only before a parenthesis.
const CALLED: &[&str] = &[
    "cast",
    "cube",
    "exists",
    "extract",
    "operator",
    "overlay",
    "position",
    "rollup",
    "substring",
    "trim",
];

/// Keywords only between the words given; `None` for any.
const BETWEEN: &[(Option<&str>, &str, Option<&str>)] = &[
    (None, "at", Some("time")),
    (Some("at"), "time", Some("zone")),
    (Some("time"), "zone", None),
    (None, "current", Some("row")),
    (Some("fetch"), "first", None),
    (Some("nulls"), "first", None),
    (Some("nulls"), "last", None),
    (None, "nulls", Some("first")),
    (None, "nulls", Some("last")),
    (Some("fetch"), "next", None),
    (None, "grouping", Some("sets")),
    (Some("grouping"), "sets", None),
    (Some("not"), "matched", None),
    (Some("when"), "matched", None),
    (Some("do"), "nothing", None),
    (None, "partition", Some("by")),
    (Some("with"), "recursive", None),
    (None, "skip", Some("locked")),
    (Some("by"), "source", None),
    (Some("by"), "target", None),
    (Some("into"), "temp", None),
    (Some("into"), "temporary", None),
    (Some("into"), "unlogged", None),
    (Some("is"), "unknown", None),
    (Some("not"), "unknown", None),
    (None, "within", Some("group")),
];

/// What stands around a word.
pub(super) struct Around<'a> {
    /// The words before and after, in lower case; empty for other tokens.
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    pub(super) parenthesis_before: bool,
    pub(super) parenthesis_after: bool,
    pub(super) bracket_after: bool,
}

/// Whether `word`, in lower case, is a keyword here.
pub(super) fn is_keyword(word: &str, around: &Around<'_>) -> bool {
    match word {
        // left(…) and right(…) are functions: no join has a parenthesis there.
        "left" | "right" => !around.parenthesis_after,
        "array" => around.parenthesis_after || around.bracket_after,
        "filter" => around.parenthesis_before && around.parenthesis_after,
        "over" => around.parenthesis_before,
        "materialized" => around.parenthesis_after && matches!(around.before, "as" | "not"),
        "only" => matches!(around.before, "row" | "rows"),
        _ if CALLED.contains(&word) => around.parenthesis_after,
        _ if RESERVED.binary_search(&word).is_ok() => true,
        _ if UNRESERVED.binary_search(&word).is_ok() => true,
        _ => BETWEEN.iter().any(|&(before, name, after)| {
            name == word
                && before.is_none_or(|before| before == around.before)
                && after.is_none_or(|after| after == around.after)
        }),
    }
}

/// Whether `word` can follow INTERVAL '…', telling its fields.
pub(super) fn is_interval_field(word: &str) -> bool {
    matches!(word, "year" | "month" | "day" | "hour" | "minute" | "second")
}
