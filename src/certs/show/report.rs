//! The report of `certs show`, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::certs::keyring::Keyring;
use crate::certs::state::Problem;
use crate::pki::{Authority, Certificate, format_date, format_rfc3339};

const THE_CA: &str = "the CA";

/// The certificates of one webhook, and the problems with them.
pub struct CertsReport {
    pub secret: String,
    pub keyring: Keyring,
    pub published: Vec<Published>,
    pub served: Vec<Served>,
    pub problems: Vec<Problem>,
}

pub struct Published {
    pub object: String,
    pub webhook: String,
    pub trusts: Vec<Certificate>,
    /// Whether the apiserver accepts the stored certificate.
    pub accepts_stored: bool,
}

pub struct Served {
    pub address: String,
    /// The served chain, the leaf first; or why it is unknown.
    pub chain: Result<Vec<Certificate>, String>,
    /// Whether the leaf is the stored certificate.
    pub is_stored: bool,
}

impl CertsReport {
    pub fn fits(&self) -> bool {
        self.problems.is_empty()
    }

    /// The role of an authority of the Secret, or the name of any other.
    fn name_of(&self, certificate: &Certificate) -> String {
        let is = |it: &Option<Authority>| it.as_ref().is_some_and(|it| it.certificate == *certificate);
        if is(&self.keyring.signing) {
            THE_CA.to_owned()
        } else if is(&self.keyring.next) {
            "the next CA".to_owned()
        } else if self.keyring.older.contains(certificate) {
            "an older CA".to_owned()
        } else {
            certificate.to_string()
        }
    }

    pub fn json(&self) -> Value {
        let authority = |it: &Authority| facts(&it.certificate);
        json!({
            "secret": {
                "object": self.secret,
                "serving": self.keyring.leaf().map(facts),
                "ca": self.keyring.signing.as_ref().map(authority),
                "nextCa": self.keyring.next.as_ref().map(authority),
                "olderCas": self.keyring.older.iter().map(facts).collect::<Vec<_>>(),
            },
            "published": self.published.iter().map(|it| json!({
                "object": it.object,
                "webhook": it.webhook,
                "trusts": it.trusts.iter().map(facts).collect::<Vec<_>>(),
                "acceptsStored": it.accepts_stored,
            })).collect::<Vec<_>>(),
            "served": self.served.iter().map(|it| json!({
                "address": it.address,
                "certificate": it.chain.as_ref().ok().and_then(|chain| chain.first()).map(facts),
                "error": it.chain.as_ref().err(),
                "isStored": it.is_stored,
            })).collect::<Vec<_>>(),
            "fits": self.fits(),
            "findings": self.problems.iter().map(|it| json!({
                "object": it.object, "what": it.what, "command": it.command,
            })).collect::<Vec<_>>(),
        })
    }
}

fn facts(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject,
        "sha256": certificate.fingerprint(),
        "notBefore": format_rfc3339(certificate.not_before),
        "notAfter": format_rfc3339(certificate.not_after),
        "renewFrom": format_rfc3339(certificate.renewal()),
    })
}

impl fmt::Display for CertsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stored in {}", self.secret)?;
        match &self.keyring.serving {
            Ok(chain) => chain.iter().take(1).try_for_each(|it| line(f, "serving", it, "renewed"))?,
            Err(why) => writeln!(f, "  {:<10}{why}", "serving")?,
        }
        for (label, authority) in [("CA", &self.keyring.signing), ("next CA", &self.keyring.next)] {
            authority.iter().try_for_each(|it| line(f, label, &it.certificate, "replaced"))?;
        }
        self.keyring.older.iter().try_for_each(|it| writeln!(f, "  {:<10}{it}", "older CA"))?;
        writeln!(f, "published")?;
        for it in &self.published {
            let accepts = if it.accepts_stored { "accepts" } else { "does NOT accept" };
            let mut trusts: Vec<_> = it.trusts.iter().map(|it| self.name_of(it)).collect();
            trusts.sort_by_key(|it| it != THE_CA);
            let trusts = if trusts.is_empty() { "no CA".to_owned() } else { trusts.join(", ") };
            writeln!(f, "  {}\n    in {}", it.webhook, it.object)?;
            writeln!(f, "    {accepts} the stored certificate; trusts {trusts}")?;
        }
        writeln!(f, "served")?;
        for it in &self.served {
            match &it.chain {
                Ok(_) if it.is_stored => writeln!(f, "  {}: the stored certificate", it.address)?,
                Ok(chain) => {
                    chain.iter().take(1).try_for_each(|leaf| writeln!(f, "  {}: {leaf}", it.address))?;
                }
                Err(why) => writeln!(
                    f,
                    "  {}: not seen from here ({why}); forward a port of a pod and name it with --connect",
                    it.address
                )?,
            }
        }
        if self.fits() {
            return writeln!(f, "all of it fits");
        }
        writeln!(f, "what does not fit")?;
        self.problems.iter().try_for_each(|it| writeln!(f, "  {it}"))
    }
}

fn line(f: &mut fmt::Formatter<'_>, label: &str, it: &Certificate, renewed: &str) -> fmt::Result {
    writeln!(f, "  {label:<10}{it}, {renewed} from {}", format_date(it.renewal()))
}
