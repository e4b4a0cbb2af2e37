//! The type of a column, from the words of its definition.

use crate::lex::{Kind, Token};

/// A column's type as far as Herd has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredType {
    /// One that `format_type` prints so.
    Known(String),
    /// smallserial, serial or bigserial: an integer of this type with a sequence.
    Serial(&'static str),
    /// Anything else.
    Other,
}

/// What `tokens`, which are all of a type name, declare.
pub fn read(sql: &[u8], tokens: &[Token]) -> DeclaredType {
    let mut words = Vec::new();
    let mut modifier = None;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Word => words.push(token.text(sql).to_ascii_lowercase()),
            Kind::QuotedWord | Kind::UnicodeWord => {
                // Quoted, a type goes by its own name: "char" is not char.
                let name = token.identifier(sql).unwrap_or_default();
                if tokens.len() > 3 || is_alias(&name) {
                    return DeclaredType::Other;
                }
                words.push(name.into_owned().into_bytes());
            }
            Kind::Dot if words == [b"pg_catalog"] => words.clear(),
            Kind::LeftParen if modifier.is_none() && !words.is_empty() => {
                let Some((text, length)) = read_modifier(sql, &tokens[at..]) else {
                    return DeclaredType::Other;
                };
                modifier = Some(text);
                at += length;
                continue;
            }
            _ => return DeclaredType::Other,
        }
        at += 1;
    }
    let words = words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
    let words = words.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
    name_of(&words, modifier.as_deref())
}

/// `(10)` or `(10, 2)` without blanks, and how many tokens it takes.
fn read_modifier(sql: &[u8], tokens: &[Token]) -> Option<(String, usize)> {
    let end = tokens.iter().position(|token| token.kind == Kind::RightParen)?;
    let mut text = String::new();
    for token in &tokens[1..end] {
        let fits = matches!(token.kind, Kind::Integer | Kind::Comma) || token.is_operator(sql, "-");
        if !fits {
            return None;
        }
        text.push_str(std::str::from_utf8(token.text(sql)).ok()?);
    }
    Some((text, end + 1))
}

/// SQL's words for types whose own names are others.
fn is_alias(name: &str) -> bool {
    matches!(
        name,
        "char"
            | "character"
            | "int"
            | "integer"
            | "smallint"
            | "bigint"
            | "boolean"
            | "decimal"
            | "dec"
            | "serial"
            | "serial4"
            | "bigserial"
            | "serial8"
            | "smallserial"
            | "serial2"
    )
}

fn name_of(words: &[&str], modifier: Option<&str>) -> DeclaredType {
    let plain = |name: &str| match modifier {
        None => DeclaredType::Known(name.to_owned()),
        Some(_) => DeclaredType::Other,
    };
    match words {
        ["smallserial" | "serial2"] => DeclaredType::Serial("smallint"),
        ["serial" | "serial4"] => DeclaredType::Serial("integer"),
        ["bigserial" | "serial8"] => DeclaredType::Serial("bigint"),
        ["bool" | "boolean"] => plain("boolean"),
        ["int2" | "smallint"] => plain("smallint"),
        ["int" | "int4" | "integer"] => plain("integer"),
        ["int8" | "bigint"] => plain("bigint"),
        ["text"] => plain("text"),
        ["uuid"] => plain("uuid"),
        ["date"] => plain("date"),
        ["bytea"] => plain("bytea"),
        ["varchar"] | ["national", "char" | "character", "varying"] => {
            with_length("character varying", modifier)
        }
        ["char" | "character" | "nchar", "varying"] => with_length("character varying", modifier),
        ["char" | "character" | "nchar"] | ["national", "char" | "character"] => {
            with_length("character", Some(modifier.unwrap_or("1")))
        }
        ["bpchar"] => match modifier {
            None => DeclaredType::Known("bpchar".to_owned()),
            length => with_length("character", length),
        },
        ["numeric" | "decimal" | "dec"] => match modifier {
            Some(precision) if !precision.contains(',') => {
                DeclaredType::Known(format!("numeric({precision},0)"))
            }
            modifier => with_length("numeric", modifier),
        },
        ["timestamp"] | ["timestamp", "without", "time", "zone"] => {
            timestamp(modifier, "without time zone")
        }
        ["timestamptz"] | ["timestamp", "with", "time", "zone"] => {
            timestamp(modifier, "with time zone")
        }
        _ => DeclaredType::Other,
    }
}

fn with_length(name: &str, modifier: Option<&str>) -> DeclaredType {
    DeclaredType::Known(match modifier {
        Some(modifier) => format!("{name}({modifier})"),
        None => name.to_owned(),
    })
}

fn timestamp(modifier: Option<&str>, zone: &str) -> DeclaredType {
    DeclaredType::Known(match modifier {
        Some(digits) => format!("timestamp({digits}) {zone}"),
        None => format!("timestamp {zone}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex;

    fn declared(text: &str) -> DeclaredType {
        read(text.as_bytes(), &lex::tokens(text.as_bytes()).unwrap())
    }

    #[test]
    fn every_spelling_of_a_key_type_is_known() {
        let spellings = [
            ("int", "integer"),
            ("INT8", "bigint"),
            ("pg_catalog.int4", "integer"),
            ("\"text\"", "text"),
            ("varchar(20)", "character varying(20)"),
            ("Character Varying ( 20 )", "character varying(20)"),
            ("national character varying(3)", "character varying(3)"),
            ("char", "character(1)"),
            ("bpchar", "bpchar"),
            ("bpchar(4)", "character(4)"),
            ("decimal(10, 2)", "numeric(10,2)"),
            ("numeric(7)", "numeric(7,0)"),
            ("dec", "numeric"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("timestamp (0) without time zone", "timestamp(0) without time zone"),
            ("timestamp with time zone", "timestamp with time zone"),
        ];
        for (text, known) in spellings {
            assert_eq!(declared(text), DeclaredType::Known(known.to_owned()), "{text}");
        }
    }

    #[test]
    fn serials_are_integers_with_a_sequence() {
        assert_eq!(declared("bigserial"), DeclaredType::Serial("bigint"));
        assert_eq!(declared("SERIAL4"), DeclaredType::Serial("integer"));
    }

    #[test]
    fn other_types_are_not_taken_for_known_ones() {
        for text in ["int[]", "my.text", "\"char\"", "\"int\"", "json", "int4(3)", "text array"] {
            assert_eq!(declared(text), DeclaredType::Other, "{text}");
        }
    }
}
