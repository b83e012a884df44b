//! What a connection is doing.

use crate::server::metrics::ConnectionState;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Handshake,
    Unused,
    Idle,
    Header,
    Receiving,
    Reviewing,
    Sending,
}

impl Phase {
    /// The same in the words of `/metrics`.
    pub const fn state(self) -> ConnectionState {
        match self {
            Self::Handshake => ConnectionState::Handshake,
            Self::Unused => ConnectionState::Unused,
            Self::Idle => ConnectionState::Idle,
            Self::Header | Self::Receiving | Self::Reviewing | Self::Sending => ConnectionState::Busy,
        }
    }

    /// Whether every byte of a request that was read has been answered.
    pub const fn is_evictable(self) -> bool {
        !matches!(self.state(), ConnectionState::Busy)
    }
}
