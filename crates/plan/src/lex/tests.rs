//! The lexer against the rules of PostgreSQL's `scan.l`, and against whatever bytes there are.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Kind, Token, tokens};

fn check(sql: &str, expected: Expect) {
    let actual: String = match tokens(sql.as_bytes()) {
        Ok(tokens) => tokens
            .iter()
            .map(|token| format!("{:?} {}\n", token.kind, &sql[token.span()]))
            .collect(),
        Err(error) => {
            let error = error.into_client_error(sql.as_bytes());
            format!("{} {}\n", error.position.unwrap(), error.message)
        }
    };
    expected.assert_eq(&actual);
}

/// The kinds of all tokens, for inputs whose spans are plain.
fn kinds(sql: &str) -> Vec<Kind> {
    tokens(sql.as_bytes()).unwrap().iter().map(|token| token.kind).collect()
}

fn only(sql: &str) -> Token {
    let tokens = tokens(sql.as_bytes()).unwrap();
    assert_eq!(tokens.len(), 1, "{sql}");
    tokens[0]
}

fn string(sql: &str) -> Option<String> {
    let value = only(sql).string_value(sql.as_bytes())?.into_owned();
    Some(String::from_utf8(value).unwrap())
}

fn identifier(sql: &str) -> Option<String> {
    only(sql).identifier(sql.as_bytes()).map(std::borrow::Cow::into_owned)
}

#[test]
fn a_statement_is_cut_into_tokens() {
    check(
        "SELECT a.\"B\", $1::int4 FROM t WHERE x>=-1.5 AND y[1:2] := 'z';",
        expect![[r#"
            Word SELECT
            Word a
            Dot .
            QuotedWord "B"
            Comma ,
            Parameter $1
            Typecast ::
            Word int4
            Word FROM
            Word t
            Word WHERE
            Word x
            Operator >=
            Operator -
            Decimal 1.5
            Word AND
            Word y
            LeftBracket [
            Integer 1
            Colon :
            Integer 2
            RightBracket ]
            ColonEquals :=
            Text 'z'
            Semicolon ;
        "#]],
    );
}

#[test]
fn comments_nest_and_end_operators() {
    check(
        "a /* x /* y */ ' */ b -- c\n+--d\r*/**/-/*/*/ */ */ e",
        expect![[r#"
        Word a
        Word b
        Operator +
        Operator *
        Operator -
        Word e
    "#]],
    );
    check(
        "select /* /* */",
        expect![[r#"
        8 unterminated /* comment at or near "/* /* */"
    "#]],
    );
    assert_eq!(kinds("-- only a comment"), []);
}

#[test]
fn operators_end_in_signs_only_when_extended() {
    check(
        "*- @- <+ +-+ <=- ~+- ?-+ ->> => != a<-1",
        expect![[r#"
        Operator *
        Operator -
        Operator @-
        Operator <
        Operator +
        Operator +
        Operator -
        Operator +
        Operator <=
        Operator -
        Operator ~+-
        Operator ?-+
        Operator ->>
        Operator =>
        Operator !=
        Word a
        Operator <
        Operator -
        Integer 1
    "#]],
    );
    let longest = "@".repeat(63);
    assert_eq!(kinds(&longest), [Kind::Operator]);
    assert!(tokens("@".repeat(64).as_bytes()).is_err());
}

#[test]
fn strings_continue_after_a_newline_only() {
    check(
        "'a'\n'b' 'c' 'd' -- x\n  'e' 'f' /**/ \n 'g'",
        expect![[r#"
        Text 'a'
        'b'
        Text 'c'
        Text 'd' -- x
          'e'
        Text 'f'
        Text 'g'
    "#]],
    );
    assert_eq!(string("'a''b'\n  'c'").unwrap(), "a'bc");
}

#[test]
fn strings_mean_what_postgresql_reads() {
    assert_eq!(string("'it''s \\n'").unwrap(), "it's \\n");
    assert_eq!(string("N'x'").unwrap(), "x");
    assert_eq!(string(r"E'\'\\\n\x41\101\u00e4\U0001F600\q'''").unwrap(), "'\\\nAAä😀q'");
    assert_eq!(string(r"e'\uD83D\uDE00'").unwrap(), "😀");
    assert_eq!(string("E'a\\n'\n'\\tb'").unwrap(), "a\n\tb");
    assert_eq!(string(r"U&'d\0061t\+000061\\'").unwrap(), "data\\");
    assert_eq!(string(r"u&'d!0061' UESCAPE '!'").unwrap(), "da");
    assert_eq!(string("$$it's$$").unwrap(), "it's");
    assert_eq!(string("$a$x$$y$b$z$a$").unwrap(), "x$$y$b$z");
    for invalid in [r"E'\uD83D'", r"E'\uD83Dx'", r"E'\u00'", r"E'\000'", r"U&'\00'", r"U&'\D83D'"] {
        assert_eq!(string(invalid), None, "{invalid}");
    }
}

#[test]
fn uescape_belongs_to_its_string() {
    check(
        "U&\"a!0062\" uescape '!' x, U&'b' y, U&'c' uescape E'#'",
        expect![[r#"
        UnicodeWord U&"a!0062" uescape '!'
        Word x
        Comma ,
        UnicodeText U&'b'
        Word y
        Comma ,
        UnicodeText U&'c' uescape E'#'
    "#]],
    );
    check(
        "U&'a' uescape 'ab'",
        expect![[r#"
        15 invalid Unicode escape character at or near "'ab'"
    "#]],
    );
    check(
        "U&'a' uescape +",
        expect![[r#"
        15 UESCAPE must be followed by a simple string literal at or near "+"
    "#]],
    );
}

#[test]
fn identifiers_fold_ascii_and_end_at_63_bytes() {
    assert_eq!(identifier("FooÄ$1").unwrap(), "fooÄ$1");
    assert_eq!(identifier("\"Foo\"\"\"").unwrap(), "Foo\"");
    assert_eq!(identifier("U&\"\\0041b\"").unwrap(), "Ab");
    assert_eq!(identifier(&"A".repeat(64)).unwrap(), "a".repeat(63));
    let umlauts = "ä".repeat(40);
    assert_eq!(identifier(&umlauts).unwrap(), "ä".repeat(31));
    assert_eq!(identifier(&format!("\"{umlauts}\"")).unwrap(), "ä".repeat(31));
    assert_eq!(identifier("'a'"), None);
}

#[test]
fn numbers_take_no_junk() {
    check(
        "1 1.5 .5 1. 1e10 1.5E-3 0x1F 0o17 0b01 1_000 0x_1f 1..10",
        expect![[r#"
        Integer 1
        Decimal 1.5
        Decimal .5
        Decimal 1.
        Decimal 1e10
        Decimal 1.5E-3
        Integer 0x1F
        Integer 0o17
        Integer 0b01
        Integer 1_000
        Integer 0x_1f
        Integer 1
        DotDot ..
        Integer 10
    "#]],
    );
    for junk in ["1a", "1_", "1__0", "1.5x", "1e", "1e+", "0x", "0xg", "0b12", "1_000$1", "1e5$"] {
        assert!(tokens(junk.as_bytes()).is_err(), "{junk}");
    }
    assert_eq!(kinds("1$1"), [Kind::Integer, Kind::Parameter]);
}

#[test]
fn parameters_and_dollar_quotes_are_told_apart() {
    check(
        "$1 $12 $1$2 a$b$ $$x$$ $é$y$é$",
        expect![[r#"
        Parameter $1
        Parameter $12
        Parameter $1
        Parameter $2
        Word a$b$
        DollarText $$x$$
        DollarText $é$y$é$
    "#]],
    );
    check(
        "$1a",
        expect![[r#"
        1 trailing junk after parameter at or near "$1a"
    "#]],
    );
    check(
        "$a",
        expect![[r#"
        1 syntax error at or near "$"
    "#]],
    );
    check(
        "select $x$ $y$",
        expect![[r#"
        8 unterminated dollar-quoted string at or near "$x$ $y$"
    "#]],
    );
}

#[test]
fn what_never_ends_is_named() {
    for (sql, expected) in [
        ("'a", "unterminated quoted string at or near \"'a\""),
        ("E'a\\'", "unterminated quoted string at or near \"E'a\\'\""),
        ("E'a\\", "unterminated quoted string at or near \"E'a\\\""),
        ("\"a", "unterminated quoted identifier at or near \"\"a\""),
        ("\"\"", "zero-length delimited identifier at or near \"\"\"\""),
        ("b'0", "unterminated bit string literal at or near \"b'0\""),
        ("x'0", "unterminated hexadecimal string literal at or near \"x'0\""),
        ("{", "syntax error at or near \"{\""),
    ] {
        let error = tokens(sql.as_bytes()).unwrap_err().into_client_error(sql.as_bytes());
        assert_eq!(error.message, expected);
    }
}

#[test]
fn positions_count_characters() {
    check(
        "select 'ä', \"öü\", {",
        expect![[r#"
        19 syntax error at or near "{"
    "#]],
    );
}

/// Anything quadratic would take hours.
#[test]
fn a_megabyte_of_anything_is_read_at_once() {
    for piece in [
        "(", "'", "''''", "+", "-+", "/*", "$", "$a$", "\"", "1,", "E'\\", "*-", "1.", "'a'\n",
        "U&''",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let _ = tokens(text.as_bytes());
    }
}

/// Pieces that mean something to the lexer, more often than random bytes do.
fn lively_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "'",
            "''",
            "\"",
            "E'",
            "U&'",
            "U&\"",
            "$$",
            "$a$",
            "/*",
            "*/",
            "--",
            "\n",
            "\\",
            " ",
            "uescape",
            "'!'",
            "a",
            "1",
            "0x",
            "_",
            "e+",
            ".",
            "..",
            ":",
            "::",
            "$1",
            "é",
            "(",
            ";",
            "+",
            "-",
            "@",
            "b'",
            "n'",
            "begin atomic",
            "end",
            "create function",
            "order by",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(sql in lively_text()) {
        if let Ok(tokens) = tokens(&sql) {
            let mut end = 0;
            for token in &tokens {
                prop_assert!(token.start >= end && token.end > token.start);
                end = token.end;
                let _ = token.identifier(&sql);
                let _ = token.string_value(&sql);
            }
            let _ = crate::split::split(&sql, &tokens);
        }
    }

    #[test]
    fn tokens_with_blanks_between_are_the_same_tokens(sql in lively_text()) {
        if let Ok(first) = tokens(&sql) {
            let mut joined = Vec::new();
            for token in &first {
                joined.extend_from_slice(token.text(&sql));
                joined.push(b' ');
            }
            let second = tokens(&joined).unwrap();
            let texts = |sql: &[u8], tokens: &[Token]| -> Vec<(Kind, Vec<u8>)> {
                tokens.iter().map(|token| (token.kind, token.text(sql).to_vec())).collect()
            };
            prop_assert_eq!(texts(&sql, &first), texts(&joined, &second));
        }
    }
}
