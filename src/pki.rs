//! Certificates and their keys: read from PEM, matched, verified and issued in one place, for the server and for `certs`.

mod authority;
mod bundle;
mod certificate;
mod pair;
mod verify;

use rcgen::date_time_ymd;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::authority::{Authority, BACKDATED_SECONDS};
pub use self::bundle::{Bundle, pem_of};
pub use self::certificate::Certificate;
pub use self::pair::{PairError, certify};
pub use self::verify::verify;

/// Seconds since 1970 in UTC.
pub type UnixTime = i64;

pub const DAY_SECONDS: i64 = 24 * 3600;

pub fn now() -> UnixTime {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// The day in UTC: `2026-11-22`.
pub fn format_date(at: UnixTime) -> String {
    date_time(at).date().to_string()
}

/// The instant in UTC: `2026-11-22T08:30:00Z`.
pub fn format_rfc3339(at: UnixTime) -> String {
    date_time(at).format(&Rfc3339).unwrap_or_default()
}

/// An instant out of range becomes the end of 9999, which RFC 5280 takes for "does not expire".
fn date_time(at: UnixTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at).unwrap_or_else(|_| date_time_ymd(9999, 12, 31))
}
