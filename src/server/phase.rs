//! What a connection can be doing, and how many connections do it.

use prometheus_client::metrics::gauge::Gauge;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TLS handshake.
    Handshake,
    /// Nothing was asked yet.
    Unused,
    /// Nothing is asked now.
    Idle,
    /// A header has begun.
    Header,
    /// A body is arriving.
    Receiving,
    /// The server is at work.
    Reviewing,
    /// An answer is being sent.
    Sending,
}

/// The label of [`Phase`] in metrics, and how many connections have it.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// In the TLS handshake.
    pub handshake: Gauge,
    /// Without a request so far.
    pub unused: Gauge,
    /// Between two requests.
    pub idle: Gauge,
    /// From the first byte of a request to the last of its answer.
    pub busy: Gauge,
}

impl Gauges {
    /// The gauge of those in `phase`.
    pub fn of(&self, phase: Phase) -> &Gauge {
        match phase {
            Phase::Handshake => &self.handshake,
            Phase::Unused => &self.unused,
            Phase::Idle => &self.idle,
            Phase::Header | Phase::Receiving | Phase::Reviewing | Phase::Sending => &self.busy,
        }
    }
}

impl Phase {
    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Unused => "unused",
            Self::Idle => "idle",
            Self::Header | Self::Receiving | Self::Reviewing | Self::Sending => "busy",
        }
    }

    /// Whether no byte of a request was read that is not answered.
    pub const fn is_evictable(self) -> bool {
        matches!(self, Self::Handshake | Self::Unused | Self::Idle)
    }
}
