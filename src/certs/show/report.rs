//! The report of `certs show`, for people and for programs.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::CertsReport;
use crate::pki::{Authority, Certificate, format_date, format_rfc3339};

const THE_CA: &str = "the CA";

impl CertsReport<'_> {
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
        let authority = |it: &Option<Authority>| json!(it.as_ref().map(|it| &it.certificate));
        json!({
            "secret": {
                "object": self.target.secret(),
                "serving": self.keyring.leaf(),
                "ca": authority(&self.keyring.signing),
                "nextCa": authority(&self.keyring.next),
                "olderCas": self.keyring.older,
            },
            "published": self.webhooks().map(|(configuration, webhook)| json!({
                "object": configuration.reference.to_string(),
                "webhook": webhook.name,
                "trusts": webhook.bundle.certificates,
                "acceptsStored": self.accepts_stored(webhook).is_ok(),
            })).collect::<Vec<_>>(),
            "served": self.served.iter().map(|it| json!({
                "address": it.address,
                "certificate": it.chain.as_ref().ok().and_then(|chain| chain.first()),
                "error": it.chain.as_ref().err(),
                "isStored": it.chain.as_ref().is_ok_and(|chain| self.is_stored(chain)),
            })).collect::<Vec<_>>(),
            "fits": self.fits(),
            "findings": self.problems,
        })
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = json!({
            "subject": self.subject,
            "sha256": self.fingerprint(),
            "notBefore": format_rfc3339(self.not_before),
            "notAfter": format_rfc3339(self.not_after),
            "renewFrom": format_rfc3339(self.renewal()),
        });
        facts.serialize(serializer)
    }
}

impl fmt::Display for CertsReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stored in {}", self.target.secret())?;
        match &self.keyring.serving {
            Ok(chain) => chain.iter().take(1).try_for_each(|it| line(f, "serving", it, "renewed"))?,
            Err(why) => writeln!(f, "  {:<10}{why}", "serving")?,
        }
        for (label, authority) in [("CA", &self.keyring.signing), ("next CA", &self.keyring.next)] {
            authority.iter().try_for_each(|it| line(f, label, &it.certificate, "replaced"))?;
        }
        self.keyring.older.iter().try_for_each(|it| writeln!(f, "  {:<10}{it}", "older CA"))?;
        writeln!(f, "published")?;
        for (configuration, webhook) in self.webhooks() {
            let accepts = if self.accepts_stored(webhook).is_ok() { "accepts" } else { "does NOT accept" };
            let mut trusts: Vec<_> = webhook.bundle.certificates.iter().map(|it| self.name_of(it)).collect();
            trusts.sort_by_key(|it| it != THE_CA);
            let trusts = if trusts.is_empty() { "no CA".to_owned() } else { trusts.join(", ") };
            writeln!(f, "  {}\n    in {}", webhook.name, configuration.reference)?;
            writeln!(f, "    {accepts} the stored certificate; trusts {trusts}")?;
        }
        writeln!(f, "served")?;
        for it in &self.served {
            write!(f, "  {}: ", it.address)?;
            match &it.chain {
                Ok(chain) if self.is_stored(chain) => writeln!(f, "the stored certificate")?,
                Ok(chain) => chain.iter().take(1).try_for_each(|leaf| writeln!(f, "{leaf}"))?,
                Err(why) => writeln!(
                    f,
                    "not seen from here ({why}); forward a port of a pod and name it with --connect"
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
