//! How a server ends: two moments, each known to whoever has to act on it.

use tokio_util::sync::CancellationToken;

/// The end of a server, in steps. Each is cancelled once and for good.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// The end is near: not ready any more, every answer asks the caller to connect anew.
    pub leaving: CancellationToken,
    /// No new connections, no further requests on those there are.
    pub closing: CancellationToken,
}
