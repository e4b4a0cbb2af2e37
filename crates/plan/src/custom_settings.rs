//! The settings with a dot in their name that a statement makes by `set_config`: no server lists
//! them, so whoever wants to know them must know their names.

use crate::lex::{self, Kind, Token};
use crate::{Parameter, Parameters};

/// Code within code: a DO whose body executes a text with a body of its own.
const DEPTH_MAX: usize = 4;
const SET_CONFIG: &str = "set_config";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomSettings {
    /// Those that may outlive the transaction.
    pub names: Vec<String>,
    /// Those that do not, and that must be known on other nodes until then.
    pub local: Vec<String>,
    /// Another name is computed, so that any setting may have been made.
    pub is_incomplete: bool,
}

impl CustomSettings {
    /// Asked of the very text, since texts that differ in the name share a plan.
    #[must_use]
    pub fn made_by(sql: &[u8], parameters: &dyn Parameters) -> CustomSettings {
        let mut made = CustomSettings::default();
        made.read(sql, parameters, DEPTH_MAX);
        made
    }

    fn read(&mut self, sql: &[u8], parameters: &dyn Parameters, depth: usize) {
        let (Ok(tokens), 1..) = (lex::tokens(sql), depth) else {
            self.is_incomplete = true;
            return;
        };
        for (n, &token) in tokens.iter().enumerate() {
            if is_call(sql, &tokens[n..]) {
                self.note_call(sql, &tokens[n + 2..], parameters);
            } else if token.kind.is_string()
                && let Some(body) = token.string_value(sql)
                && mentions_set_config(&body)
            {
                self.read(&body, parameters, depth - 1);
            }
        }
    }

    fn note_call(&mut self, sql: &[u8], arguments: &[Token], parameters: &dyn Parameters) {
        match name_of(sql, arguments, parameters) {
            Some(name) if is_local(sql, arguments) => self.local.push(name.to_ascii_lowercase()),
            Some(name) if name.contains('.') => self.names.push(name.to_ascii_lowercase()),
            Some(_) => {}
            None => self.is_incomplete = true,
        }
    }
}

fn is_call(sql: &[u8], tokens: &[Token]) -> bool {
    let [name, next, ..] = tokens else { return false };
    next.kind == Kind::LeftParen && name.identifier(sql).is_some_and(|name| name == SET_CONFIG)
}

fn mentions_set_config(text: &[u8]) -> bool {
    text.windows(SET_CONFIG.len()).any(|window| window.eq_ignore_ascii_case(SET_CONFIG.as_bytes()))
}

/// The first argument, if it is a constant and nothing is computed from it.
pub(crate) fn name_of(
    sql: &[u8],
    arguments: &[Token],
    parameters: &dyn Parameters,
) -> Option<String> {
    let (&first, rest) = arguments.split_first()?;
    let after_cast = match rest {
        [cast, text, rest @ ..] if is_text_cast(sql, *cast, *text) => rest,
        _ => rest,
    };
    if after_cast.first()?.kind != Kind::Comma {
        return None;
    }
    let value = if first.kind == Kind::Parameter {
        parameter(parameters, first.text(sql))?
    } else if first.kind.is_string() {
        first.string_value(sql)?.into_owned()
    } else {
        return None;
    };
    String::from_utf8(value).ok()
}

fn is_text_cast(sql: &[u8], cast: Token, name: Token) -> bool {
    cast.text(sql) == b"::" && name.is_word(sql, "text")
}

fn parameter(parameters: &dyn Parameters, placeholder: &[u8]) -> Option<Vec<u8>> {
    let number: usize = std::str::from_utf8(placeholder.get(1..)?).ok()?.parse().ok()?;
    let Parameter { value, .. } = parameters.get(number.checked_sub(1)?)?;
    // NULL is refused by the server.
    Some(value.unwrap_or_default().to_vec())
}

/// `…, …, true)`, whatever the values before are.
pub(crate) fn is_local(sql: &[u8], arguments: &[Token]) -> bool {
    let mut depth = 0_usize;
    let mut commas = 0;
    for (n, token) in arguments.iter().enumerate() {
        match token.kind {
            Kind::LeftParen | Kind::LeftBracket => depth += 1,
            Kind::RightParen | Kind::RightBracket if depth == 0 => return false,
            Kind::RightParen | Kind::RightBracket => depth -= 1,
            Kind::Comma if depth == 0 => commas += 1,
            _ => {}
        }
        if commas == 2 {
            let rest = &arguments[n + 1..];
            return matches!(rest, [local, end, ..]
                if local.is_word(sql, "true") && end.kind == Kind::RightParen);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoParameters;

    struct One(&'static [u8]);

    impl Parameters for One {
        fn get(&self, index: usize) -> Option<Parameter<'_>> {
            (index == 0).then_some(Parameter { type_oid: 25, binary: true, value: Some(self.0) })
        }
    }

    fn named(sql: &str) -> Vec<String> {
        let made = CustomSettings::made_by(sql.as_bytes(), &One(b"by.parameter"));
        assert!(!made.is_incomplete, "{sql}");
        made.names
    }

    #[test]
    fn names_are_read_from_literals_and_parameters() {
        assert_eq!(named("SELECT set_config('My.Own', '1', false)"), ["my.own"]);
        assert_eq!(named("SELECT pg_catalog.set_config ( 'a.b'::text, $2, $3)"), ["a.b"]);
        assert_eq!(named("SELECT set_config($1, 'x', false)"), ["by.parameter"]);
        assert_eq!(
            named("SELECT set_config('a.b', 'x', false), set_config('c.d', 'x', false)"),
            ["a.b", "c.d"]
        );
    }

    #[test]
    fn listed_and_local_settings_need_no_name() {
        assert!(named("SELECT set_config('work_mem', '1MB', false)").is_empty());
        assert!(named("SELECT set_config('a.b', 'x', true)").is_empty());
        assert!(named("SELECT 'set_config', set_config FROM t").is_empty());
    }

    #[test]
    fn code_is_looked_into() {
        assert_eq!(
            named("DO $$ BEGIN PERFORM set_config('a.b', current_user, false); END $$"),
            ["a.b"]
        );
        assert_eq!(
            named("DO $$ BEGIN EXECUTE 'SELECT set_config(''a.b'', ''1'', false)'; END $$"),
            ["a.b"]
        );
    }

    #[test]
    fn computed_names_are_not_guessed() {
        let computed = [
            "SELECT set_config('a.' || 'b', 'x', false)",
            "SELECT set_config(name, 'x', false) FROM settings",
            "SELECT set_config($2, 'x', false)",
            "SELECT set_config('a.b' COLLATE \"C\", 'x', false)",
        ];
        for sql in computed {
            let made = CustomSettings::made_by(sql.as_bytes(), &One(b"by.parameter"));
            assert!(made.is_incomplete, "{sql}");
        }
        assert!(
            CustomSettings::made_by(b"SELECT set_config($1, 'x', false)", &NoParameters)
                .is_incomplete
        );
    }
}
