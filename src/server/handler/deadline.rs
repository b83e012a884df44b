//! How long one review may take: the server's own bound, or what the apiserver says it will wait, minus the time that
//! the response needs to arrive.

use std::time::Duration;

use tokio::time::Instant;

use super::rejection::Rejection;

/// Subtracted from `?timeout=`: the apiserver's clock starts before it encodes the review, and it still has to read
/// the response.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    own: Duration,
    /// `?timeout=`, where it ends sooner than the bound of the server.
    requested: Option<Duration>,
}

impl Deadline {
    /// The deadline of a request with `query` that began at `started`; `own` is the server's bound. A `timeout` that is
    /// not a Go duration is ignored: a query string is no reason to reject a request.
    pub fn of(query: Option<&str>, started: Instant, own: Duration) -> Self {
        let mut parameters = query.unwrap_or_default().split('&');
        let requested = parameters.find_map(|pair| pair.strip_prefix("timeout=")).and_then(go_duration);
        let requested = requested.filter(|requested| requested.saturating_sub(MARGIN) < own);
        let allowed = requested.map_or(own, |requested| requested.saturating_sub(MARGIN));
        Self { at: started + allowed, own, requested }
    }

    /// The result of `work`, or 504 when the deadline passes first.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Rejection>>) -> Result<T, Rejection> {
        tokio::time::timeout_at(self.at, work).await.unwrap_or_else(|_| Err(self.missed()))
    }

    /// How long to queue: at most `bound`, and at most half of the remaining time, so that the client can still try
    /// another replica.
    pub fn queue_timeout(&self, bound: Duration) -> Duration {
        bound.min(self.at.saturating_duration_since(Instant::now()) / 2)
    }

    fn missed(&self) -> Rejection {
        Rejection::too_late(match self.requested {
            Some(requested) => format!(
                "no answer within ?timeout={}s less {} ms; timeoutSeconds of the webhook configuration sets it",
                requested.as_secs_f64(),
                MARGIN.as_millis()
            ),
            None => format!("no answer within {} s, the limit of the server", self.own.as_secs_f64()),
        })
    }
}

/// A duration as Go writes it, such as `10s`, `1m30s`, `500ms` and `1.5h`, but not a negative one. `kube` has a parser
/// of these, which panics on overflow.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest[..digits].parse().ok()?;
        let (unit, after) = unit(&rest[digits..])?;
        total = total.checked_add(Duration::try_from_secs_f64(count * unit).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// The unit at the start of `text`, in seconds, and the rest. The micro sign may be U+00B5 or U+03BC, also
/// percent-encoded.
fn unit(text: &str) -> Option<(f64, &str)> {
    const UNITS: [(&str, f64); 10] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("%C2%B5s", 1e-6),
        ("%CE%BCs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    UNITS.iter().find_map(|(name, seconds)| Some((*seconds, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_duration_is_read_as_go_reads_it() {
        let cases = [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("+2s", 2_000),
            ("0", 0),
            (".5s", 500),
            ("1h0m0.25s", 3_600_250),
        ];
        for (text, millis) in cases {
            assert_eq!(go_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_go_duration_is_ignored() {
        for text in ["", "10", "s", "-1s", "1 s", "1d", "1.2.3s", ".s", "99999999999999999999999h", "1s2"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
