//! Rows that nodes left out because of ON_ERROR ignore: counted together, as one server would.

use bytes::BytesMut;
use herd_plan::OnError;
use herd_types::{ClientError, SqlState};
use herd_wire::error::{NoticeLevel, field, put_notice};

#[derive(Debug)]
pub(super) struct Skips {
    on_error: OnError,
    rows: u64,
}

impl Skips {
    pub(super) fn new(on_error: OnError) -> Skips {
        Skips { on_error, rows: 0 }
    }

    /// Whether the notice was a node's own count; then it is added to the others.
    pub(super) fn take(&mut self, notice: &[u8]) -> bool {
        let count = match self.on_error {
            OnError::Ignore { .. } => summary(notice),
            OnError::Stop => None,
        };
        self.rows += count.unwrap_or_default();
        count.is_some()
    }

    /// All nodes are done: the notice for the client, if any row was left out.
    pub(super) fn finish(&self) -> Result<Option<BytesMut>, ClientError> {
        if let OnError::Ignore { reject_limit: Some(limit) } = self.on_error
            && self.rows > limit
        {
            let message = format!(
                "skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility"
            );
            return Err(ClientError::error(SqlState::INVALID_TEXT_REPRESENTATION, message));
        }
        let message = match self.rows {
            0 => return Ok(None),
            1 => "1 row was skipped due to data type incompatibility".to_owned(),
            rows => format!("{rows} rows were skipped due to data type incompatibility"),
        };
        let mut out = BytesMut::new();
        let notice = ClientError::error(SqlState::SUCCESSFUL_COMPLETION, message);
        put_notice(&mut out, NoticeLevel::Notice, &notice);
        Ok(Some(out))
    }
}

/// The number in the notice with which `CopyFrom` ends. Its words depend on the server's language,
/// its origin does not.
fn summary(notice: &[u8]) -> Option<u64> {
    if field(notice, b'R') != Some(b"CopyFrom") {
        return None;
    }
    let message = field(notice, b'M')?;
    let digits: Vec<u8> = message.iter().copied().filter(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(routine: &str, message: &str) -> Vec<u8> {
        format!("SNOTICE\0VNOTICE\0C00000\0M{message}\0Fcopyfrom.c\0L1\0R{routine}\0\0")
            .into_bytes()
    }

    #[test]
    fn counts_of_all_nodes_make_one_notice() {
        let mut skips = Skips::new(OnError::Ignore { reject_limit: Some(12) });
        assert!(skips.take(&notice("CopyFrom", "1 row was skipped")));
        assert!(!skips.take(&notice("NextCopyFrom", "skipping row … at line 7")));
        assert!(skips.take(&notice("CopyFrom", "11 Zeilen wurden übersprungen")));
        let out = skips.finish().expect("within the limit").expect("a notice");
        let text = String::from_utf8_lossy(&out);
        assert!(text.contains("12 rows were skipped due to data type incompatibility"), "{text}");
        assert!(skips.take(&notice("CopyFrom", "1 row was skipped")));
        assert!(skips.finish().is_err());
    }

    #[test]
    fn other_notices_pass() {
        assert!(!Skips::new(OnError::Stop).take(&notice("CopyFrom", "1 row was skipped")));
        assert!(Skips::new(OnError::Stop).finish().is_ok_and(|notice| notice.is_none()));
    }
}
