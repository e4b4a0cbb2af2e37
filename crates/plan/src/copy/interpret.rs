//! What a list of options means.
//!
//! Only what the splitting of rows rests on is checked; the nodes get the same options and check
//! the rest, before the first row.

use herd_types::{ClientError, SqlState};

use super::format::{CopyFormat, CsvFormat, OnError, TextFormat};
use super::options::{CopyOption, Value};
use crate::lex;

/// Every option that COPY FROM knows, as given.
#[derive(Debug, Default)]
pub(super) struct Interpreted<'a> {
    format: Option<&'a CopyOption<'a>>,
    freeze: Option<&'a CopyOption<'a>>,
    delimiter: Option<&'a CopyOption<'a>>,
    null: Option<&'a CopyOption<'a>>,
    default: Option<&'a CopyOption<'a>>,
    header: Option<&'a CopyOption<'a>>,
    quote: Option<&'a CopyOption<'a>>,
    escape: Option<&'a CopyOption<'a>>,
    force_quote: Option<&'a CopyOption<'a>>,
    force_not_null: Option<&'a CopyOption<'a>>,
    force_null: Option<&'a CopyOption<'a>>,
    encoding: Option<&'a CopyOption<'a>>,
    on_error: Option<&'a CopyOption<'a>>,
    reject_limit: Option<&'a CopyOption<'a>>,
    log_verbosity: Option<&'a CopyOption<'a>>,
}

impl<'a> Interpreted<'a> {
    pub(super) fn new(
        sql: &[u8],
        options: &'a [CopyOption<'a>],
    ) -> Result<Interpreted<'a>, ClientError> {
        let mut all = Interpreted::default();
        for option in options {
            let place = match &*option.name {
                "format" => &mut all.format,
                "freeze" => &mut all.freeze,
                "delimiter" => &mut all.delimiter,
                "null" => &mut all.null,
                "default" => &mut all.default,
                "header" => &mut all.header,
                "quote" => &mut all.quote,
                "escape" => &mut all.escape,
                "force_quote" => &mut all.force_quote,
                "force_not_null" => &mut all.force_not_null,
                "force_null" => &mut all.force_null,
                "encoding" => &mut all.encoding,
                "on_error" => &mut all.on_error,
                "reject_limit" => &mut all.reject_limit,
                "log_verbosity" => &mut all.log_verbosity,
                name => {
                    let message = format!("option \"{name}\" not recognized");
                    return Err(ClientError::error(SqlState::SYNTAX_ERROR, message)
                        .at(lex::position(sql, option.at)));
                }
            };
            if place.replace(option).is_some() {
                let message = "conflicting or redundant options";
                return Err(ClientError::error(SqlState::SYNTAX_ERROR, message)
                    .at(lex::position(sql, option.at)));
            }
        }
        Ok(all)
    }

    /// `fields` are the names of the columns in the stream.
    pub(super) fn format(&self, fields: &[&str]) -> Result<CopyFormat, ClientError> {
        let format = self.format.map_or(Ok(b"text".as_slice()), CopyOption::text)?;
        match format {
            b"text" => self.text().map(CopyFormat::Text),
            b"csv" => self.csv(fields).map(CopyFormat::Csv),
            b"binary" => Ok(CopyFormat::Binary),
            other => Err(ClientError::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("COPY format \"{}\" not recognized", String::from_utf8_lossy(other)),
            )),
        }
    }

    fn text(&self) -> Result<TextFormat, ClientError> {
        let delimiter = match self.delimiter {
            None => b'\t',
            Some(option) => option.byte("delimiter")?,
        };
        if matches!(delimiter, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9') {
            return Err(ClientError::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("COPY delimiter cannot be \"{}\"", char::from(delimiter)),
            ));
        }
        Ok(TextFormat {
            delimiter,
            null: self.null.map_or(Ok(b"\\N".as_slice()), CopyOption::text)?.to_vec(),
            default: self.default_marker()?,
            header: self.has_header()?,
        })
    }

    fn csv(&self, fields: &[&str]) -> Result<CsvFormat, ClientError> {
        let delimiter = match self.delimiter {
            None => b',',
            Some(option) => option.byte("delimiter")?,
        };
        let quote = match self.quote {
            None => b'"',
            Some(option) => option.byte("quote")?,
        };
        let escape = match self.escape {
            None => quote,
            Some(option) => option.byte("escape")?,
        };
        if delimiter == quote {
            return Err(ClientError::error(
                SqlState::INVALID_PARAMETER_VALUE,
                "COPY delimiter and quote must be different",
            ));
        }
        Ok(CsvFormat {
            delimiter,
            quote,
            escape,
            null: self.null.map_or(Ok(b"".as_slice()), CopyOption::text)?.to_vec(),
            default: self.default_marker()?,
            header: self.has_header()?,
            force_null: places(self.force_null, fields),
            force_not_null: places(self.force_not_null, fields),
        })
    }

    fn default_marker(&self) -> Result<Option<Vec<u8>>, ClientError> {
        self.default.map(|option| option.text().map(<[u8]>::to_vec)).transpose()
    }

    fn has_header(&self) -> Result<bool, ClientError> {
        match self.header {
            None => Ok(false),
            Some(CopyOption { value: Value::Text(text), .. })
                if text.eq_ignore_ascii_case(b"match") =>
            {
                Ok(true)
            }
            Some(option) => option.boolean(),
        }
    }

    pub(super) fn encoding(&self) -> Result<Option<String>, ClientError> {
        let encoding = self.encoding.map(CopyOption::text).transpose()?;
        Ok(encoding.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    pub(super) fn on_error(&self) -> Result<OnError, ClientError> {
        let on_error = self.on_error.map_or(Ok(b"stop".as_slice()), CopyOption::text)?;
        if on_error.eq_ignore_ascii_case(b"stop") {
            return Ok(OnError::Stop);
        }
        let reject_limit = self.reject_limit.map(CopyOption::number).transpose()?;
        Ok(OnError::Ignore { reject_limit: reject_limit.and_then(|limit| limit.try_into().ok()) })
    }

    pub(super) fn freezes(&self) -> Result<bool, ClientError> {
        self.freeze.map_or(Ok(false), CopyOption::boolean)
    }

    /// Whether a field may ask for its column's default.
    pub(super) fn has_default_marker(&self) -> bool {
        self.default.is_some()
    }
}

/// Which of `fields` an option names; the nodes refuse names of other columns.
fn places(option: Option<&CopyOption<'_>>, fields: &[&str]) -> Vec<usize> {
    let place = |name: &str| fields.iter().position(|field| *field == name);
    match option.map(|option| &option.value) {
        Some(Value::Columns(names)) => names.iter().filter_map(|name| place(name)).collect(),
        Some(Value::Star) => (0..fields.len()).collect(),
        _ => Vec::new(),
    }
}
