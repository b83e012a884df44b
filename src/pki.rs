//! Certificates and their keys: read from PEM, matched, verified and issued in one place, for the server and for `certs`.

mod authority;
mod bundle;
mod certificate;
mod instant;
mod pair;
mod verify;

pub use self::authority::{Authority, BACKDATED_SECONDS, Issued};
pub use self::bundle::{Bundle, pem_of};
pub use self::certificate::Certificate;
pub use self::instant::{DAY_SECONDS, UnixTime, format_date, format_rfc3339, now};
pub use self::pair::{PairError, certify};
pub use self::verify::verify;
