//! Names of types that are written in several words.

use sqlparser::tokenizer::Token as Fed;

use super::Feeder;
use crate::lex::{Kind, Token};
use crate::parse::words;

impl Feeder<'_> {
    /// Types that are written in several words, fed as one. Whether the word began one.
    pub(super) fn type_of_words(&mut self, word: &str, token: Token) -> bool {
        match word {
            "double" if self.next_is(0, "precision") => self.type_name("float8", 1, token),
            "character" | "char" | "nchar" if self.next_is(0, "varying") => {
                self.type_name("varchar", 1, token);
            }
            "bit" if self.next_is(0, "varying") => self.type_name("varbit", 1, token),
            "national" if self.next_is(0, "character") || self.next_is(0, "char") => {
                if self.next_is(1, "varying") {
                    self.type_name("varchar", 2, token);
                } else {
                    self.type_name("character", 1, token);
                }
            }
            "timestamp" | "time" => return self.zoned_type(word, token),
            "interval" => {
                self.type_name("interval", 0, token);
                self.skip_interval_fields();
            }
            _ => return false,
        }
        true
    }

    fn type_name(&mut self, name: &str, skipped: usize, token: Token) {
        self.at += skipped;
        self.push_name(name, token);
    }

    /// `timestamp [(n)] [WITH | WITHOUT TIME ZONE]`
    fn zoned_type(&mut self, word: &str, token: Token) -> bool {
        let modifier = match (self.next_kind(0), self.next_kind(1), self.next_kind(2)) {
            (Some(Kind::LeftParen), Some(Kind::Integer), Some(Kind::RightParen)) => 3,
            _ => 0,
        };
        let has_zone = |with: &str| {
            self.next_is(modifier, with)
                && self.next_is(modifier + 1, "time")
                && self.next_is(modifier + 2, "zone")
        };
        let name = match word {
            _ if has_zone("without") => word.to_owned(),
            _ if has_zone("with") => format!("{word}tz"),
            // AT TIME ZONE, or a plain name.
            _ => return false,
        };
        self.push_name(&name, token);
        for _ in 0..modifier {
            let token = self.tokens[self.at];
            self.at += 1;
            let fed = match token.kind {
                Kind::LeftParen => Fed::LParen,
                Kind::RightParen => Fed::RParen,
                _ => Fed::Number("1".to_owned(), false),
            };
            self.push(fed, token);
        }
        self.at += 3;
        true
    }

    /// `DAY TO SECOND (3)` after an interval's type or literal.
    pub(super) fn skip_interval_fields(&mut self) {
        loop {
            let word = self.lower(self.next(0));
            let after = self.lower(self.next(1));
            let goes_on =
                words::is_interval_field(&word) || word == "to" && words::is_interval_field(&after);
            if !goes_on {
                return;
            }
            self.at += 1;
            let has_digits = word == "second"
                && self.next_kind(0) == Some(Kind::LeftParen)
                && self.next_kind(1) == Some(Kind::Integer);
            if has_digits {
                self.at += 3;
            }
        }
    }
}
