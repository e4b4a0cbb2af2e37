//! What the name of a type tells.

/// Types whose order can be told from their binary format, as `format_type` prints them and as casts
/// may spell them.
const MERGEABLE: &[&str] = &[
    "bigint",
    "bool",
    "boolean",
    "bytea",
    "date",
    "decimal",
    "double precision",
    "float4",
    "float8",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "numeric",
    "real",
    "smallint",
    "time",
    "time without time zone",
    "timestamp",
    "timestamp with time zone",
    "timestamp without time zone",
    "timestamptz",
    "uuid",
];

/// Text types, which can be sorted by their bytes.
const TEXTS: &[&str] = &["character", "character varying", "text"];

/// Others of PostgreSQL's own, the same on every node.
const OTHERS: &[&str] = &[
    "bit",
    "bit varying",
    "char",
    "cidr",
    "inet",
    "json",
    "jsonb",
    "macaddr",
    "name",
    "time with time zone",
    "timetz",
    "tsvector",
    "varchar",
    "xml",
];

pub(super) fn is_mergeable(type_name: &str) -> bool {
    MERGEABLE.contains(&&*without_modifier(type_name))
}

pub(super) fn is_text(type_name: &str) -> bool {
    TEXTS.contains(&&*without_modifier(type_name))
}

/// Whether it is one of PostgreSQL's own, or an array of such.
pub(super) fn is_own(type_name: &str) -> bool {
    let name = without_modifier(type_name.trim_end_matches("[]"));
    [MERGEABLE, TEXTS, OTHERS].iter().any(|types| types.contains(&&*name))
}

/// `timestamp(3) with time zone` is a `timestamp with time zone`.
fn without_modifier(type_name: &str) -> String {
    match (type_name.find('('), type_name.rfind(')')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}", &type_name[..start], &type_name[end + 1..])
        }
        _ => type_name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modifier_does_not_make_another_type() {
        assert!(is_mergeable("numeric(12,2)"));
        assert!(is_mergeable("timestamp(3) with time zone"));
        assert!(is_text("character varying(20)"));
        assert!(is_own("numeric(3,1)[]"));
    }

    #[test]
    fn types_that_users_made_are_neither() {
        for name in ["standing", "public.money", "text[][]x", "integer[]"] {
            assert!(!is_mergeable(name), "{name}");
        }
        assert!(!is_own("standing[]"));
        assert!(is_own("integer[]"));
    }
}
