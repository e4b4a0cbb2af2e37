//! The arguments of EXECUTE, as far as they are plain values.

use crate::lex::{Kind, Token};
use crate::values::{Parameter, Parameters};

/// What stands between the parentheses of `EXECUTE name (…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    values: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    Null,
    /// As PostgreSQL prints it, which is what a parameter of type text receives.
    Text(Box<[u8]>),
    /// Only the server can tell its value.
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

/// Arguments under the types that PREPARE declared.
#[derive(Clone, Copy, Debug)]
pub struct TypedArguments<'a> {
    arguments: &'a Arguments,
    types: &'a [u32],
}

impl Arguments {
    /// `types` are those of [`crate::Prepare`].
    #[must_use]
    pub fn with_types<'a>(&'a self, types: &'a [u32]) -> TypedArguments<'a> {
        TypedArguments { arguments: self, types }
    }
}

impl Parameters for TypedArguments<'_> {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let value = match self.arguments.values.get(index)? {
            Argument::Null => None,
            Argument::Text(text) => Some(&**text),
            Argument::Expression => return None,
        };
        let type_oid = self.types.get(index).copied().unwrap_or(0);
        Some(Parameter { type_oid, binary: false, value })
    }
}

impl Argument {
    fn read(sql: &[u8], tokens: &[Token]) -> Argument {
        let text = |text: &[u8]| Argument::Text(text.into());
        match tokens {
            [word] if word.is_word(sql, "null") => Argument::Null,
            [word] if word.is_word(sql, "true") => text(b"true"),
            [word] if word.is_word(sql, "false") => text(b"false"),
            [string] if string.kind.is_string() && string.kind != Kind::NationalText => {
                string.string_value(sql).map_or(Argument::Expression, |value| text(&value))
            }
            [number] if is_canonical(*number, sql) => text(number.text(sql)),
            [sign, number]
                if sign.is_operator(sql, "-")
                    && is_canonical(*number, sql)
                    && number.text(sql).iter().any(|digit| (b'1'..=b'9').contains(digit)) =>
            {
                text(&[b"-", number.text(sql)].concat())
            }
            _ => Argument::Expression,
        }
    }
}

/// Whether PostgreSQL prints a number as it is written: no leading zeros, underscores, exponent
/// or other base.
fn is_canonical(number: Token, sql: &[u8]) -> bool {
    let text = number.text(sql);
    let plain = match number.kind {
        Kind::Integer => text.iter().all(u8::is_ascii_digit),
        Kind::Decimal => {
            text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
                && text.first().is_some_and(u8::is_ascii_digit)
                && text.last().is_some_and(u8::is_ascii_digit)
        }
        _ => false,
    };
    let leading_zero = text.len() > 1 && text[0] == b'0' && text[1] != b'.';
    plain && !leading_zero
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use crate::lex;
    use crate::values::Parameters;

    fn read(list: &str) -> Vec<Option<Option<String>>> {
        let tokens = lex::tokens(list.as_bytes()).unwrap();
        let arguments = Arguments::read(list.as_bytes(), &tokens);
        let typed = arguments.with_types(&[]);
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        (0..arguments.len())
            .map(|index| typed.get(index).map(|parameter| parameter.value.map(text)))
            .collect()
    }

    fn known(text: &str) -> Option<Option<String>> {
        Some(Some(text.to_owned()))
    }

    #[test]
    fn plain_values_are_read() {
        assert_eq!(
            read("1, -20, 'it''s', E'a\\tb', $$x$$, true, 1.50, 0.5"),
            [
                known("1"),
                known("-20"),
                known("it's"),
                known("a\tb"),
                known("x"),
                known("true"),
                known("1.50"),
                known("0.5"),
            ]
        );
        assert_eq!(read("null"), [Some(None)]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn what_the_server_would_print_otherwise_is_not_known() {
        let odd = "007, 1e3, .5, 1., 0x1F, 1_000, -0, N'a', 1 + 1, f(1, 2), 'a'::text, array[1, 2]";
        assert!(read(odd).iter().all(Option::is_none));
        assert_eq!(read(odd).len(), 12);
    }
}
