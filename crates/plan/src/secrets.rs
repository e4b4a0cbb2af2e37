//! A statement as people may see it: without the passwords in it.

use crate::lex::Lexer;

const HIDDEN: &str = "'…'";
const CUT_OFF: &str = "…";
const WORD: &[u8] = b"password";

/// Hides literals that follow the word PASSWORD, and those in which it is found. The text may end
/// in the middle of a literal.
#[must_use]
pub fn without_secrets(sql: &[u8]) -> String {
    let mut lexer = Lexer::new(sql);
    let mut shown = Vec::with_capacity(sql.len());
    let mut copied = 0;
    let mut follows = false;
    while let Ok(Some(token)) = lexer.next_token() {
        let (span, text) = (token.span(), token.text(sql));
        if token.kind.is_string() {
            if follows || names_password(text) {
                shown.extend_from_slice(&sql[copied..span.start]);
                shown.extend_from_slice(HIDDEN.as_bytes());
                copied = span.end;
            }
            follows = false;
        } else if text != b"=" {
            follows = text.eq_ignore_ascii_case(WORD);
        }
    }
    let (whole, rest) = sql.split_at(lexer.position().max(copied));
    shown.extend_from_slice(&whole[copied..]);
    let is_secret = !rest.trim_ascii().is_empty() && (follows || names_password(rest));
    shown.extend_from_slice(if is_secret { CUT_OFF.as_bytes() } else { rest });
    String::from_utf8_lossy(&shown).into_owned()
}

fn names_password(text: &[u8]) -> bool {
    text.windows(WORD.len()).any(|window| window.eq_ignore_ascii_case(WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_the_rest_stays() {
        for (sql, shown) in [
            ("SELECT 'a', password FROM t", "SELECT 'a', password FROM t"),
            (
                "ALTER ROLE a PASSWORD 'x''y' VALID UNTIL 'z'",
                "ALTER ROLE a PASSWORD '…' VALID UNTIL 'z'",
            ),
            ("CREATE ROLE a password E'\\'x'", "CREATE ROLE a password '…'"),
            ("CREATE ROLE a PASSWORD /* a */ $x$x$x$;", "CREATE ROLE a PASSWORD /* a */ '…';"),
            ("WHERE password = 'x' AND a = 'b'", "WHERE password = '…' AND a = 'b'"),
            (
                "CREATE SUBSCRIPTION s CONNECTION 'host=a password=b'",
                "CREATE SUBSCRIPTION s CONNECTION '…'",
            ),
            ("DO $$ ALTER ROLE a PASSWORD 'x' $$", "DO '…'"),
            ("ALTER ROLE a PASSWORD NULL", "ALTER ROLE a PASSWORD NULL"),
        ] {
            assert_eq!(without_secrets(sql.as_bytes()), shown);
        }
    }

    #[test]
    fn a_literal_that_is_cut_off_is_hidden_too() {
        for (sql, shown) in [
            ("ALTER ROLE a PASSWORD 'secr", "ALTER ROLE a PASSWORD …"),
            ("DO $$ ALTER ROLE a PASSWORD 'secr", "DO …"),
            ("SELECT 'a long tex", "SELECT 'a long tex"),
        ] {
            assert_eq!(without_secrets(sql.as_bytes()), shown);
        }
    }
}
