//! `certs show`: which certificates are stored, published and served, and whether they match.

mod report;
mod served;

use super::keyring::{self, Keyring};
use super::state::{ClusterState, Configuration, Problem, Target, Webhook};
use crate::pki::{Certificate, DAY_SECONDS, UnixTime, format_date, verify};

/// Renewal runs hourly; when it is this late, nothing runs it.
const OVERDUE_SECONDS: i64 = 3 * DAY_SECONDS;

/// The certificates as they were read, and the problems with them.
pub struct CertsReport<'a> {
    state: &'a ClusterState,
    target: &'a Target,
    keyring: Keyring,
    served: Vec<Served>,
    now: UnixTime,
    problems: Vec<Problem>,
}

struct Served {
    address: String,
    /// The served chain, the leaf first; or why it is unknown.
    chain: Result<Vec<Certificate>, String>,
}

impl<'a> CertsReport<'a> {
    /// Compares the stored, the published and the served certificates; the latter at `connect` (host:port), or, where
    /// that is empty, at the Service.
    pub async fn of(state: &'a ClusterState, target: &'a Target, connect: &[String], now: UnixTime) -> Self {
        let [name, _] = target.names();
        let service = [format!("{name}:443")];
        let mut served = Vec::new();
        for address in if connect.is_empty() { &service } else { connect } {
            served.push(Served { address: address.clone(), chain: served::chain_at(address, &name).await });
        }
        let (keyring, problems) = (Keyring::read(state.data()), state.problems.clone());
        let mut report = Self { state, target, keyring, served, now, problems };
        let mut problems = report.of_stored();
        problems.extend(report.webhooks().flat_map(|(it, webhook)| report.of_published(it, webhook)));
        problems.extend(report.served.iter().flat_map(|it| report.of_served(it, !connect.is_empty())));
        report.problems.append(&mut problems);
        report
    }

    pub fn fits(&self) -> bool {
        self.problems.is_empty()
    }

    /// That the stored certificate expires within `seconds`, if it does.
    pub fn expiring_within(&self, seconds: i64) -> Option<Problem> {
        let leaf = self.keyring.leaf().filter(|leaf| leaf.not_after - self.now < seconds)?;
        let expiry = format_date(leaf.not_after);
        Some(self.target.problem(format!("{leaf} expires on {expiry}; is it renewed by what issued it?")))
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Each webhook with its configuration.
    fn webhooks(&self) -> impl Iterator<Item = (&Configuration, &Webhook)> {
        self.state.configurations.iter().flat_map(|it| it.webhooks.iter().map(move |webhook| (it, webhook)))
    }

    /// Whether the apiserver accepts `chain` from `webhook`; if not, why.
    fn accepts(&self, webhook: &Webhook, chain: &[Certificate]) -> Result<(), String> {
        verify(&webhook.bundle.certificates, chain, &self.target.names()[0], self.now)
    }

    fn accepts_stored(&self, webhook: &Webhook) -> Result<(), String> {
        self.accepts(webhook, self.keyring.serving.as_deref().unwrap_or_default())
    }

    fn is_stored(&self, chain: &[Certificate]) -> bool {
        chain.first() == self.keyring.leaf()
    }

    /// Whether this program wrote the Secret.
    fn is_ours(&self) -> bool {
        !keyring::is_foreign(self.state.data())
    }

    fn of_stored(&self) -> Vec<Problem> {
        if self.state.secret.is_none() {
            // That it could not be read is already among the problems.
            let unread = self.problems.iter().any(|it| it.object == self.target.secret());
            let absent = self.target.problem("it does not exist; `certs ensure` creates it");
            return if unread { Vec::new() } else { vec![absent] };
        }
        let mut problems = Vec::new();
        if let Err(why) = &self.keyring.serving {
            problems.push(self.target.problem(format!("{why}; `certs ensure` issues a certificate")));
        }
        if self.is_ours() {
            if self.keyring.signing.is_none() && self.keyring.leaf().is_some() {
                let what = "ca.key is missing or not the key of ca.crt; `certs ensure` replaces the CA";
                problems.push(self.target.problem(what));
            }
            let keyed = self.keyring.signing.iter().map(|it| &it.certificate);
            problems.extend(self.keyring.leaf().into_iter().chain(keyed).filter_map(|it| self.overdue(it)));
        }
        problems
    }

    fn overdue(&self, certificate: &Certificate) -> Option<Problem> {
        let due = certificate.renewal();
        let what =
            format!("{certificate} should have been replaced on {}; does its pod run?", format_date(due));
        let label = "app.kubernetes.io/name=ippool-webhook-certs";
        let command = format!("kubectl -n {} get pods -l {label}", self.target.namespace);
        (self.now > due + OVERDUE_SECONDS).then(|| Problem { command, ..self.target.problem(what) })
    }

    fn of_published(&self, configuration: &Configuration, webhook: &Webhook) -> Vec<Problem> {
        let mut whats = Vec::new();
        let bundle = &webhook.bundle;
        if bundle.certificates.is_empty() {
            whats.push("its caBundle is empty, so the apiserver cannot call it".to_owned());
        } else if self.keyring.serving.is_ok()
            && let Err(why) = self.accepts_stored(webhook)
        {
            whats.push(format!("the apiserver would not accept the stored certificate: {why}"));
        }
        if bundle.has_unreadable() {
            whats.push("a block of its caBundle is not a certificate in PEM".to_owned());
        }
        if self.is_ours() {
            let trusted = self.keyring.trusted(self.now);
            let foreign = bundle.certificates.iter().filter(|it| !trusted.contains(it));
            let secret = self.target.secret();
            whats.extend(foreign.map(|it| format!("it also trusts {it}, which is not from {secret}")));
            let injector = configuration.injected_by.iter();
            let what = |it| format!("the annotation {it} has another program fill in its caBundle");
            whats.extend(injector.map(what));
        }
        let problem = |what| configuration.reference.problem(format!("{}: {what}", webhook.name));
        whats.into_iter().map(problem).collect()
    }

    fn of_served(&self, served: &Served, asked_for: bool) -> Vec<Problem> {
        let mut whats = Vec::new();
        match &served.chain {
            // The Service is not reachable from outside the cluster, which is not a fault of the certificate.
            Err(_) if !asked_for => {}
            Err(why) => whats.push(format!("no certificate is served there: {why}")),
            Ok(chain) => {
                if !self.is_stored(chain) {
                    let stored = self.target.secret();
                    whats.push(format!(
                        "it serves another certificate than the one in {stored}; the kubelet updates the volume within two minutes, and the log of the pod says if the certificate cannot be used"
                    ));
                }
                let errors =
                    self.webhooks().filter_map(|(_, it)| Some((&it.name, self.accepts(it, chain).err()?)));
                whats.extend(
                    errors.map(|(name, why)| format!("{name} would not accept what it serves: {why}")),
                );
            }
        }
        let Target { namespace, service, .. } = self.target;
        let command =
            format!("kubectl -n {namespace} get endpointslices,pods -l app.kubernetes.io/name={service}");
        let problem = |what| Problem { object: served.address.clone(), what, command: command.clone() };
        whats.into_iter().map(problem).collect()
    }
}
