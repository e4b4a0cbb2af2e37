//! The arguments of EXECUTE, as far as they are plain values.

use crate::lex::{Kind, Token};
use crate::values::{Parameter, Parameters};

const BOOL_OID: u32 = 16;
const INT8_OID: u32 = 20;
const INT4_OID: u32 = 23;
const NUMERIC_OID: u32 = 1700;

/// What stands between the parentheses of `EXECUTE name (…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    values: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    Null,
    Value {
        type_oid: u32,
        text: Box<[u8]>,
    },
    /// An expression: only the server can tell its value.
    Expression,
}

impl Arguments {
    /// Reads the tokens between the parentheses.
    pub(crate) fn read(sql: &[u8], tokens: &[Token]) -> Arguments {
        if tokens.is_empty() {
            return Arguments::default();
        }
        let mut depth = 0_usize;
        let arguments = tokens.split(|token| {
            match token.kind {
                Kind::LeftParen | Kind::LeftBracket => depth += 1,
                Kind::RightParen | Kind::RightBracket => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.kind == Kind::Comma
        });
        Arguments { values: arguments.map(|tokens| Argument::read(sql, tokens)).collect() }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl Parameters for Arguments {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        match self.values.get(index)? {
            Argument::Null => Some(Parameter { type_oid: 0, binary: false, value: None }),
            Argument::Value { type_oid, text } => {
                Some(Parameter { type_oid: *type_oid, binary: false, value: Some(text) })
            }
            Argument::Expression => None,
        }
    }
}

impl Argument {
    fn read(sql: &[u8], tokens: &[Token]) -> Argument {
        match tokens {
            [word] if word.is_word(sql, "null") => Argument::Null,
            [word] if word.is_word(sql, "true") => Argument::value(BOOL_OID, b"true"),
            [word] if word.is_word(sql, "false") => Argument::value(BOOL_OID, b"false"),
            [string] if string.kind.is_string() && string.kind != Kind::NationalText => {
                let value = string.string_value(sql);
                value.map_or(Argument::Expression, |value| Argument::value(0, &value))
            }
            [number] => Argument::number("", number.kind, number.text(sql)),
            [sign, number] if sign.is_operator(sql, "-") => {
                Argument::number("-", number.kind, number.text(sql))
            }
            _ => Argument::Expression,
        }
    }

    fn value(type_oid: u32, text: &[u8]) -> Argument {
        Argument::Value { type_oid, text: text.into() }
    }

    /// A number as PostgreSQL prints it, which is what a text parameter receives.
    fn number(sign: &str, kind: Kind, text: &[u8]) -> Argument {
        let canonical = text.first() != Some(&b'0') || text == b"0" || text.starts_with(b"0.");
        let plain = text.first().is_some_and(u8::is_ascii_digit)
            && text.last().is_some_and(u8::is_ascii_digit)
            && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        if !(matches!(kind, Kind::Integer | Kind::Decimal) && canonical && plain) {
            return Argument::Expression;
        }
        let Ok(text) = std::str::from_utf8(text) else {
            return Argument::Expression;
        };
        let text = if text == "0" { text.to_owned() } else { format!("{sign}{text}") };
        // The grammar negates a positive number: -2147483648 is an int8 that was negated.
        let magnitude = text.trim_start_matches('-');
        let type_oid = if magnitude.parse::<i32>().is_ok() {
            INT4_OID
        } else if magnitude.parse::<i64>().is_ok() {
            INT8_OID
        } else {
            NUMERIC_OID
        };
        Argument::value(type_oid, text.as_bytes())
    }
}
