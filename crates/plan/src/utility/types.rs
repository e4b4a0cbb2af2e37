//! The parameter types of PREPARE, as far as Herd knows their OIDs.

use crate::lex::{Kind, Token};

/// The type of a parameter that is none of those below: never the type of a key.
pub(super) const OTHER_TYPE_OID: u32 = u32::MAX;

/// Names as PostgreSQL's grammar or catalog has them.
const TYPES: &[(&str, u32)] = &[
    ("bool", 16),
    ("boolean", 16),
    ("bytea", 17),
    ("int8", 20),
    ("bigint", 20),
    ("int2", 21),
    ("smallint", 21),
    ("int4", 23),
    ("int", 23),
    ("integer", 23),
    ("text", 25),
    ("float4", 700),
    ("real", 700),
    ("float8", 701),
    ("double precision", 701),
    ("unknown", 0),
    ("bpchar", 1042),
    ("char", 1042),
    ("character", 1042),
    ("varchar", 1043),
    ("character varying", 1043),
    ("char varying", 1043),
    ("date", 1082),
    ("timestamp", 1114),
    ("timestamp without time zone", 1114),
    ("timestamptz", 1184),
    ("timestamp with time zone", 1184),
    ("numeric", 1700),
    ("decimal", 1700),
    ("dec", 1700),
    ("uuid", 2950),
];

/// The OIDs of a list of types, given as the tokens between its parentheses.
pub(super) fn parameter_types(sql: &[u8], list: &[Token]) -> Vec<u32> {
    let mut depth = 0_usize;
    let types = list.split(|token| {
        match token.kind {
            Kind::LeftParen => depth += 1,
            Kind::RightParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.kind == Kind::Comma
    });
    types.map(|tokens| type_oid(sql, tokens)).collect()
}

fn type_oid(sql: &[u8], tokens: &[Token]) -> u32 {
    let tokens = match tokens {
        [schema, dot, rest @ ..]
            if dot.kind == Kind::Dot
                && schema.identifier(sql).is_some_and(|name| name == "pg_catalog") =>
        {
            rest
        }
        tokens => tokens,
    };
    let mut name = String::new();
    let mut depth = 0_usize;
    for token in tokens {
        match token.kind {
            // A length or precision does not change the type.
            Kind::LeftParen => depth += 1,
            Kind::RightParen => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Kind::Word => {
                let separator = if name.is_empty() { "" } else { " " };
                name.push_str(separator);
                name.push_str(&token.identifier(sql).unwrap_or_default());
            }
            _ => return OTHER_TYPE_OID,
        }
    }
    let known = TYPES.iter().find(|(known, _)| *known == name);
    known.map_or(OTHER_TYPE_OID, |(_, oid)| *oid)
}
