//! Operators: the longest run of operator characters, cut where a comment starts and before
//! trailing signs, as SQL demands of `2*-1`.

use super::comment;
use super::{CLASSES, Class, Kind, LexError, LexErrorKind};

/// NAMEDATALEN - 1.
const OPERATOR_BYTES_MAX: usize = 63;

/// What one run of operator characters has taught, so that a run of a million plus signs is not
/// read again for every sign.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OperatorRun {
    /// The end of the run, or where a comment starts in it.
    end: usize,
    /// After the last character that lets an operator end in `+` or `-`; 0 when there is none.
    after_last_extended: usize,
    /// After the last character that is no sign; 0 when there is none.
    after_last_unsigned: usize,
}

/// Reads the operator that starts at `start`, which no comment does.
#[inline]
pub(super) fn read(
    sql: &[u8],
    start: usize,
    run: &mut OperatorRun,
) -> Result<(Kind, usize), LexError> {
    if !continues(sql, start + 1) {
        return Ok((Kind::Operator, start + 1));
    }
    if run.end <= start {
        *run = OperatorRun::scan(sql, start);
    }
    let end = run.end_of_operator(start);
    if end - start > OPERATOR_BYTES_MAX {
        return Err(LexError::new(LexErrorKind::OperatorTooLong, start, end));
    }
    Ok((Kind::Operator, end))
}

impl OperatorRun {
    fn scan(sql: &[u8], start: usize) -> OperatorRun {
        let mut run = OperatorRun::default();
        let mut at = start;
        while continues(sql, at) && !comment::starts(sql, at) {
            let byte = sql[at];
            at += 1;
            if !matches!(byte, b'+' | b'-') {
                run.after_last_unsigned = at;
            }
            if matches!(byte, b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%') {
                run.after_last_extended = at;
            }
        }
        run.end = at;
        run
    }

    fn end_of_operator(&self, start: usize) -> usize {
        if self.after_last_extended > start {
            self.end
        } else {
            self.after_last_unsigned.max(start + 1)
        }
    }
}

fn continues(sql: &[u8], at: usize) -> bool {
    sql.get(at).is_some_and(|&byte| CLASSES[usize::from(byte)] == Class::Operator)
}
