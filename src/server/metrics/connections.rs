//! The states of connections in `/metrics`.

use prometheus_client::metrics::gauge::Gauge;

/// What a connection is doing, in the words of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// In the TLS handshake.
    Handshake,
    /// No request has arrived yet.
    Unused,
    /// Between two requests.
    Idle,
    /// From the first byte of a request to the last of its response.
    Busy,
}

impl ConnectionState {
    /// In the order of their gauges.
    pub const ALL: [Self; 4] = [Self::Handshake, Self::Unused, Self::Idle, Self::Busy];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Unused => "unused",
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// How many connections of a listener are in each state.
#[derive(Clone, Debug, Default)]
pub struct ConnectionGauges(pub [Gauge; ConnectionState::ALL.len()]);

impl ConnectionGauges {
    pub const fn of(&self, state: ConnectionState) -> &Gauge {
        &self.0[state as usize]
    }
}
