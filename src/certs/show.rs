//! `certs show`: what is stored, published and served, and whether they fit.

mod report;
mod served;

pub use self::report::Report;
use self::report::{Published, Served};
use super::certificate::{Certificate, Seconds, day};
use super::cluster::{Configuration, Observed, Problem, Target, Webhook};
use super::keyring::{self, Keyring};
use super::trust::accepts;

/// Renewal is tried daily; when it is this late, nobody does it.
const OVERDUE: Seconds = 3 * 24 * 3600;

/// Compares what was `observed` with itself and with what is served: at `connect` (host:port), or, where that
/// is empty, at the Service.
pub async fn examine(observed: &Observed, target: &Target, connect: &[String], now: Seconds) -> Report {
    let data = observed.data();
    let keyring = Keyring::read(data);
    let published = published(observed, &keyring, target, now);
    let served = serve(connect, target, &keyring).await;
    let mut problems = observed.problems.clone();
    let examiner = Examiner { observed, target, keyring: &keyring, ours: !keyring::is_foreign(data), now };
    problems.extend(examiner.stored());
    for configuration in &observed.configurations {
        problems.extend(configuration.webhooks.iter().flat_map(|it| examiner.published(configuration, it)));
    }
    problems.extend(served.iter().flat_map(|it| examiner.served(it, !connect.is_empty())));
    Report { secret: target.secret(), keyring, published, served, problems }
}

fn published(observed: &Observed, keyring: &Keyring, target: &Target, now: Seconds) -> Vec<Published> {
    let [name, _] = target.names();
    let chain = keyring.serving.as_deref().unwrap_or_default();
    let pairs = observed.configurations.iter().flat_map(|it| it.webhooks.iter().map(move |hook| (it, hook)));
    pairs
        .map(|(configuration, webhook)| Published {
            object: configuration.reference.to_string(),
            webhook: webhook.name.clone(),
            trusts: webhook.bundle.certificates.clone(),
            accepts_stored: accepts(&webhook.bundle.certificates, chain, &name, now).is_ok(),
        })
        .collect()
}

async fn serve(connect: &[String], target: &Target, keyring: &Keyring) -> Vec<Served> {
    let [name, _] = target.names();
    let service = [format!("{name}:443")];
    let mut all = Vec::new();
    for address in if connect.is_empty() { &service } else { connect } {
        let chain = served::chain_at(address, &name).await;
        let is_stored = chain.as_ref().ok().and_then(|it| it.first()) == keyring.leaf();
        all.push(Served { address: address.clone(), is_stored: is_stored && chain.is_ok(), chain });
    }
    all
}

struct Examiner<'a> {
    observed: &'a Observed,
    target: &'a Target,
    keyring: &'a Keyring,
    /// Whether this program filled the Secret.
    ours: bool,
    now: Seconds,
}

impl Examiner<'_> {
    fn problem(&self, what: String) -> Problem {
        Problem { object: self.target.secret(), what, command: self.target.show_secret() }
    }

    fn stored(&self) -> Vec<Problem> {
        if self.observed.secret.is_none() {
            // Whether it is absent or could not be read is said elsewhere.
            let unread = self.observed.problems.iter().any(|it| it.object == self.target.secret());
            let absent = self.problem("it is not there; `certs ensure` makes it".to_owned());
            return if unread { Vec::new() } else { vec![absent] };
        }
        let mut problems = Vec::new();
        if let Err(why) = &self.keyring.serving {
            problems.push(self.problem(format!("{why}; `certs ensure` issues a certificate")));
        }
        if self.ours {
            if self.keyring.signing.is_none() && self.keyring.leaf().is_some() {
                problems.push(self.problem(
                    "ca.key is missing or not the key of ca.crt; `certs ensure` replaces the CA".to_owned(),
                ));
            }
            let keyed = self.keyring.signing.iter().map(|it| &it.certificate);
            problems.extend(self.keyring.leaf().into_iter().chain(keyed).filter_map(|it| self.overdue(it)));
        }
        problems
    }

    fn overdue(&self, certificate: &Certificate) -> Option<Problem> {
        let due = certificate.renewal();
        (self.now > due + OVERDUE).then(|| Problem {
            object: self.target.secret(),
            what: format!(
                "{certificate} should have been replaced from {} on; does the CronJob run?",
                day(due)
            ),
            command: format!("kubectl -n {} get cronjobs,jobs", self.target.namespace),
        })
    }

    fn published(&self, configuration: &Configuration, webhook: &Webhook) -> Vec<Problem> {
        let mut whats = Vec::new();
        let bundle = &webhook.bundle;
        let [name, _] = self.target.names();
        if bundle.certificates.is_empty() {
            whats.push("its caBundle is empty, so the apiserver cannot call it".to_owned());
        } else if let Ok(chain) = &self.keyring.serving
            && let Err(why) = accepts(&bundle.certificates, chain, &name, self.now)
        {
            whats.push(format!("the apiserver would not accept the stored certificate: {why}"));
        }
        if bundle.unreadable > 0 {
            whats.push("something in its caBundle is no certificate in PEM".to_owned());
        }
        if self.ours {
            let trusted = self.keyring.trusted(self.now);
            let foreign = bundle.certificates.iter().filter(|it| !trusted.contains(it));
            whats.extend(
                foreign.map(|it| format!("it also trusts {it}, which is not of {}", self.target.secret())),
            );
            let injector = configuration.injected_by.iter();
            whats.extend(
                injector.map(|it| format!("the annotation {it} has somebody else fill in its caBundle")),
            );
        }
        let problem = |what| Problem {
            object: configuration.reference.to_string(),
            what: format!("{}: {what}", webhook.name),
            command: configuration.reference.show(),
        };
        whats.into_iter().map(problem).collect()
    }

    fn served(&self, served: &Served, asked_for: bool) -> Vec<Problem> {
        let [name, _] = self.target.names();
        let Target { namespace, service, .. } = self.target;
        let problem = |what| Problem {
            object: served.address.clone(),
            what,
            command: format!(
                "kubectl -n {namespace} get endpointslices,pods -l app.kubernetes.io/name={service}"
            ),
        };
        let chain = match &served.chain {
            // A laptop cannot look at a Service, which is no fault of the certificate.
            Err(_) if !asked_for => return Vec::new(),
            Err(why) => return vec![problem(format!("nothing is seen there: {why}"))],
            Ok(chain) => chain,
        };
        let mut problems = Vec::new();
        if !served.is_stored {
            let stored = self.target.secret();
            problems.push(problem(format!(
                "it serves another certificate than {stored} holds; the kubelet brings a new one within two minutes, and the pod's log says if it cannot be used"
            )));
        }
        for configuration in &self.observed.configurations {
            for webhook in &configuration.webhooks {
                if let Err(why) = accepts(&webhook.bundle.certificates, chain, &name, self.now) {
                    problems
                        .push(problem(format!("{} would not accept what it serves: {why}", webhook.name)));
                }
            }
        }
        problems
    }
}
