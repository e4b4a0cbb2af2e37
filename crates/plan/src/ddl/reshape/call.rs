//! `SELECT herd.fragment_table(…)` and its like: which function is called, and with what.

use std::borrow::Cow;

use herd_types::{ClientError, SqlState};

use crate::cursor::Cursor;
use crate::ddl::options::split_at_commas;
use crate::lex::{self, Kind, Token};

/// An administrative function of schema `herd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Fragment,
    Unfragment,
    Reference,
}

/// A call, its arguments by the names of their parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub function: Function,
    pub verb: Verb,
    arguments: Vec<(&'static str, String)>,
}

/// How it is called, which is how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Select,
    Call,
}

impl Function {
    const ALL: [Function; 3] = [Function::Fragment, Function::Unfragment, Function::Reference];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Function::Fragment => "fragment_table",
            Function::Unfragment => "unfragment_table",
            Function::Reference => "reference_table",
        }
    }

    /// In the order in which arguments without a name are given.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Function::Fragment => &["table", "key", "fragments", "like_table", "family"],
            Function::Unfragment | Function::Reference => &["table"],
        }
    }
}

impl Call {
    /// The function that all of `tokens` call, if it is one of these.
    pub fn function(sql: &[u8], tokens: &[Token]) -> Option<(Verb, Function)> {
        let mut cursor = Cursor::new(sql, tokens);
        let verb = match cursor.one_of(&["select", "call"])? {
            "select" => Verb::Select,
            _ => Verb::Call,
        };
        cursor.identifier().filter(|schema| schema == "herd")?;
        cursor.kind(Kind::Dot)?;
        let name = cursor.identifier()?;
        let function = Function::ALL.into_iter().find(|function| function.name() == name)?;
        cursor.sees_kind(Kind::LeftParen).then_some((verb, function))
    }

    /// `None`: it calls none of these functions.
    ///
    /// # Errors
    /// When the arguments are not such as the function takes.
    pub fn read(sql: &[u8], tokens: &[Token]) -> Result<Option<Call>, ClientError> {
        let Some((verb, function)) = Call::function(sql, tokens) else { return Ok(None) };
        let mut cursor = Cursor::new(sql, tokens);
        while !cursor.sees_kind(Kind::LeftParen) {
            cursor.advance();
        }
        let Some(inner) = cursor.parenthesised().filter(|_| cursor.is_done()) else {
            return Err(not_alone(function));
        };
        let mut call = Call { function, verb, arguments: Vec::new() };
        let items = split_at_commas(inner).into_iter().filter(|item| !item.is_empty());
        for (place, item) in items.enumerate() {
            call.read_argument(sql, item, place)?;
        }
        match call.argument("table") {
            Some(_) => Ok(Some(call)),
            None => Err(call.does_not_exist("It needs the name of a table.")),
        }
    }

    pub fn argument(&self, name: &str) -> Option<&str> {
        let found = self.arguments.iter().find(|(parameter, _)| *parameter == name);
        found.map(|(_, value)| value.as_str())
    }

    fn read_argument(
        &mut self,
        sql: &[u8],
        item: &[Token],
        place: usize,
    ) -> Result<(), ClientError> {
        let mut cursor = Cursor::new(sql, item);
        let parameters = self.function.parameters();
        let mut ahead = cursor;
        let name = ahead.identifier();
        let is_named =
            name.is_some() && (ahead.operator("=>") || ahead.kind(Kind::ColonEquals).is_some());
        let parameter = match name.filter(|_| is_named) {
            Some(name) => {
                cursor = ahead;
                parameters.iter().find(|parameter| **parameter == name)
            }
            None => parameters.get(place),
        };
        let Some(parameter) = parameter else {
            return Err(
                self.does_not_exist(&format!("Its parameters are: {}.", parameters.join(", ")))
            );
        };
        if self.argument(parameter).is_some() {
            return Err(self.does_not_exist(&format!("Argument {parameter} is given twice.")));
        }
        if let Some(value) = read_value(&mut cursor, self.function, parameter)? {
            self.arguments.push((parameter, value));
        }
        Ok(())
    }

    fn does_not_exist(&self, detail: &str) -> ClientError {
        let message = format!("no function herd.{} takes these arguments", self.function.name());
        ClientError::error(SqlState::UNDEFINED_FUNCTION, message).with_detail(detail.to_owned())
    }
}

/// A constant, or NULL, which says as much as nothing.
fn read_value(
    cursor: &mut Cursor<'_>,
    function: Function,
    parameter: &str,
) -> Result<Option<String>, ClientError> {
    let refused = || not_constant(function, parameter);
    if cursor.word("null") {
        return Ok(None);
    }
    let sql = cursor.sql();
    let value = match cursor.string() {
        Some(text) => String::from_utf8_lossy(&text).into_owned(),
        None => {
            let number = cursor.kind(Kind::Integer).ok_or_else(refused)?;
            String::from_utf8_lossy(number.text(sql)).into_owned()
        }
    };
    // A cast to the parameter's own type says nothing.
    while cursor.kind(Kind::Typecast).is_some() {
        cursor.name().ok_or_else(refused)?;
    }
    if cursor.is_done() { Ok(Some(value)) } else { Err(refused()) }
}

/// A name in an argument, as `regclass` reads it.
pub fn read_name(text: &str) -> Result<(Option<String>, String), ClientError> {
    let sql = text.as_bytes();
    let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
    let mut cursor = Cursor::new(sql, &tokens);
    match cursor.name().filter(|_| cursor.is_done()) {
        Some(name) => Ok((name.schema.map(Cow::into_owned), name.name.into_owned())),
        None => {
            Err(ClientError::error(SqlState::SYNTAX_ERROR, format!("invalid name: \"{text}\"")))
        }
    }
}

fn not_alone(function: Function) -> ClientError {
    ClientError::unsupported(format!("herd.{} must be called on its own", function.name()))
        .with_hint(format!("SELECT herd.{}('…');", function.name()))
}

fn not_constant(function: Function, parameter: &str) -> ClientError {
    ClientError::unsupported(format!(
        "argument {parameter} of herd.{} must be a constant",
        function.name()
    ))
    .with_hint("Write it into the statement, without parameters and expressions.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Result<Option<Call>, ClientError> {
        let tokens = lex::tokens(sql.as_bytes()).unwrap();
        Call::read(sql.as_bytes(), &tokens)
    }

    fn arguments(sql: &str) -> Vec<(&'static str, String)> {
        read(sql).unwrap().unwrap().arguments
    }

    #[test]
    fn arguments_are_taken_by_name_and_by_place() {
        let expected = [("table", "orders".to_owned()), ("key", "user_id".to_owned())];
        assert_eq!(arguments("SELECT herd.fragment_table('orders', key => 'user_id')"), expected);
        assert_eq!(arguments("CALL herd.fragment_table('orders'::text, 'user_id')"), expected);
        assert_eq!(
            arguments(
                "select HERD.fragment_table(key := 'user_id', \"table\" => 'orders', fragments => null)"
            ),
            [("key", "user_id".to_owned()), ("table", "orders".to_owned())]
        );
    }

    #[test]
    fn what_is_no_call_of_these_is_somebody_elses() {
        for sql in
            ["SELECT herd.nodes(1)", "SELECT fragment_table('t')", "SELECT herd.fragment_table"]
        {
            assert_eq!(read(sql), Ok(None), "{sql}");
        }
    }

    #[test]
    fn anything_but_a_call_alone_with_constants_is_refused() {
        for sql in [
            "SELECT herd.fragment_table('t', key => 'k') FROM x",
            "SELECT herd.fragment_table('t', key => $1)",
            "SELECT herd.fragment_table('t', key => 'a' || 'b')",
            "SELECT herd.fragment_table('t', shards => 3)",
            "SELECT herd.fragment_table()",
            "SELECT herd.unfragment_table('t', 'u')",
            "SELECT herd.fragment_table('t', \"table\" => 'u')",
        ] {
            assert!(read(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn names_are_read_as_postgresql_reads_them() {
        assert_eq!(read_name("Orders"), Ok((None, "orders".to_owned())));
        assert_eq!(read_name("s.\"Big\""), Ok((Some("s".to_owned()), "Big".to_owned())));
        assert!(read_name("a b").is_err());
    }
}
