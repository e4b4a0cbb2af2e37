//! The text that an EXECUTE of PL/pgSQL runs, as far as it can be told before it runs.
//!
//! Literals are read as they stand. What is put in as an identifier or a literal cannot change
//! the statement around it: a mark stands for it.

use super::code::TOKENS_AHEAD_MAX;
use crate::lex::{Kind, Token};

/// Stands for a name or a value that is computed; nobody calls anything so.
pub(super) const UNKNOWN: &str = "?computed?";
const UNKNOWN_NAME: &[u8] = b"\"?computed?\"";
const UNKNOWN_LITERAL: &[u8] = b"'?computed?'";

pub(super) struct Computed {
    pub(super) text: Vec<u8>,
    /// There are names in it that are known only when it runs.
    pub(super) computes_names: bool,
}

/// `None` when it can be anything.
pub(super) fn text_of(sql: &[u8], expression: &[Token]) -> Option<Computed> {
    let mut computed = Computed { text: Vec::new(), computes_names: false };
    let mut rest = &expression[..end_of(sql, expression)?];
    loop {
        rest = computed.take_piece(sql, rest)?;
        match rest {
            [] => return Some(computed),
            [operator, after @ ..] if operator.is_operator(sql, "||") => rest = after,
            _ => return None,
        }
    }
}

impl Computed {
    /// A literal, or a call that makes something harmless of a value.
    fn take_piece<'t>(&mut self, sql: &[u8], tokens: &'t [Token]) -> Option<&'t [Token]> {
        let (first, rest) = tokens.split_first()?;
        if first.kind.is_string() {
            self.text.extend_from_slice(&first.string_value(sql)?);
            return Some(rest);
        }
        let name = first.identifier(sql)?;
        if name == "pg_catalog" && rest.first()?.kind == Kind::Dot {
            return self.take_piece(sql, &rest[1..]);
        }
        let length = length_of_parentheses(rest)?;
        match name.as_ref() {
            "quote_ident" => self.take_unknown_name(),
            "quote_literal" | "quote_nullable" => self.text.extend_from_slice(UNKNOWN_LITERAL),
            "format" => {
                let template = rest.get(1).filter(|token| token.kind.is_string())?;
                let ends = matches!(rest.get(2)?.kind, Kind::Comma | Kind::RightParen);
                let template = template.string_value(sql).filter(|_| ends)?;
                self.take_template(&template)?;
            }
            _ => return None,
        }
        Some(&rest[length..])
    }

    fn take_unknown_name(&mut self) {
        self.computes_names = true;
        self.text.extend_from_slice(UNKNOWN_NAME);
    }

    /// `%I` and `%L`, with positions and widths; `%s` can be anything.
    fn take_template(&mut self, template: &[u8]) -> Option<()> {
        let mut bytes = template.iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'%' {
                self.text.push(byte);
                continue;
            }
            let is_modifier = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'$' | b'-');
            match bytes.find(|byte| !is_modifier(byte))? {
                b'%' => self.text.push(b'%'),
                b'I' => self.take_unknown_name(),
                b'L' => self.text.extend_from_slice(UNKNOWN_LITERAL),
                _ => return None,
            }
        }
        Some(())
    }
}

/// The expression ends with the statement, or where INTO, USING or LOOP begins.
fn end_of(sql: &[u8], tokens: &[Token]) -> Option<usize> {
    let ends = |token: &Token| {
        token.kind == Kind::Semicolon
            || ["into", "using", "loop"].iter().any(|word| token.is_word(sql, word))
    };
    let mut depth = 0_usize;
    for (n, token) in tokens.iter().take(TOKENS_AHEAD_MAX).enumerate() {
        match token.kind {
            Kind::LeftParen => depth += 1,
            Kind::RightParen => depth = depth.saturating_sub(1),
            _ if depth == 0 && ends(token) => return Some(n),
            _ => {}
        }
    }
    (tokens.len() <= TOKENS_AHEAD_MAX).then_some(tokens.len())
}

fn length_of_parentheses(tokens: &[Token]) -> Option<usize> {
    if tokens.first()?.kind != Kind::LeftParen {
        return None;
    }
    let mut depth = 0_usize;
    for (n, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::LeftParen => depth += 1,
            Kind::RightParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(n + 1);
        }
    }
    None
}
