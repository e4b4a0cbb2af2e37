//! The bounds of this crate.

use std::time::Duration;

/// What a server connection reads at once.
pub(crate) const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Read buffers that grew for a long message are given back above this.
pub(crate) const READ_BUFFER_KEPT_BYTES_MAX: usize = 256 * 1024;
/// Notices that are kept of one statement of Herd's own.
pub(crate) const NOTICES_MAX: usize = 1000;
/// How long an idle connection may take to show that it lives.
pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a cancel request may take to reach its server; so long its client waits.
pub(crate) const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long restoring a client's settings may take.
pub(crate) const SETTINGS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long two nodes may take to say what they call their types.
pub(crate) const LEARN_TIMEOUT: Duration = Duration::from_secs(5);
/// A number that is not known even now is not asked for again at once.
pub(crate) const LEARN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A connection lives up to this part longer or shorter than its lifetime, so that a herd of them
/// is not renewed all at once.
pub(crate) const LIFETIME_JITTER: f64 = 0.1;
/// Distinct sets of start-up settings whose reported parameters a pool remembers.
pub(crate) const KNOWN_STARTS_MAX: usize = 64;
