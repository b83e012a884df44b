//! `certs show`: which certificates are stored, published and served, and whether they match.

mod report;
mod served;

pub use self::report::CertsReport;
use self::report::{Published, Served};
use super::keyring::{self, Keyring};
use super::state::{ClusterState, Configuration, Problem, Target, Webhook};
use crate::pki::{Certificate, DAY_SECONDS, UnixTime, format_date, verify};

/// Renewal runs hourly; when it is this late, nothing runs it.
const OVERDUE_SECONDS: i64 = 3 * DAY_SECONDS;

/// Compares the stored, the published and the served certificates; the latter at `connect` (host:port), or, where that is
/// empty, at the Service.
pub async fn check(state: &ClusterState, target: &Target, connect: &[String], now: UnixTime) -> CertsReport {
    let data = state.data();
    let keyring = Keyring::read(data);
    let published = published(state, &keyring, target, now);
    let served = serve(connect, target, &keyring).await;
    let mut problems = state.problems.clone();
    let checker = Checker { state, target, keyring: &keyring, ours: !keyring::is_foreign(data), now };
    problems.extend(checker.stored());
    for configuration in &state.configurations {
        problems.extend(configuration.webhooks.iter().flat_map(|it| checker.published(configuration, it)));
    }
    problems.extend(served.iter().flat_map(|it| checker.served(it, !connect.is_empty())));
    CertsReport { secret: target.secret(), keyring, published, served, problems }
}

fn published(state: &ClusterState, keyring: &Keyring, target: &Target, now: UnixTime) -> Vec<Published> {
    let [name, _] = target.names();
    let chain = keyring.serving.as_deref().unwrap_or_default();
    let pairs = state.configurations.iter().flat_map(|it| it.webhooks.iter().map(move |hook| (it, hook)));
    pairs
        .map(|(configuration, webhook)| Published {
            object: configuration.reference.to_string(),
            webhook: webhook.name.clone(),
            trusts: webhook.bundle.certificates.clone(),
            accepts_stored: verify(&webhook.bundle.certificates, chain, &name, now).is_ok(),
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

struct Checker<'a> {
    state: &'a ClusterState,
    target: &'a Target,
    keyring: &'a Keyring,
    /// Whether this program wrote the Secret.
    ours: bool,
    now: UnixTime,
}

impl Checker<'_> {
    fn stored(&self) -> Vec<Problem> {
        if self.state.secret.is_none() {
            // That it could not be read is already among the problems.
            let unread = self.state.problems.iter().any(|it| it.object == self.target.secret());
            let absent = self.target.problem("it does not exist; `certs ensure` creates it");
            return if unread { Vec::new() } else { vec![absent] };
        }
        let mut problems = Vec::new();
        if let Err(why) = &self.keyring.serving {
            problems.push(self.target.problem(format!("{why}; `certs ensure` issues a certificate")));
        }
        if self.ours {
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

    fn published(&self, configuration: &Configuration, webhook: &Webhook) -> Vec<Problem> {
        let mut whats = Vec::new();
        let bundle = &webhook.bundle;
        let [name, _] = self.target.names();
        if bundle.certificates.is_empty() {
            whats.push("its caBundle is empty, so the apiserver cannot call it".to_owned());
        } else if let Ok(chain) = &self.keyring.serving
            && let Err(why) = verify(&bundle.certificates, chain, &name, self.now)
        {
            whats.push(format!("the apiserver would not accept the stored certificate: {why}"));
        }
        if bundle.has_unreadable() {
            whats.push("a block of its caBundle is not a certificate in PEM".to_owned());
        }
        if self.ours {
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
            // The Service is not reachable from outside the cluster, which is not a fault of the certificate.
            Err(_) if !asked_for => return Vec::new(),
            Err(why) => return vec![problem(format!("no certificate is served there: {why}"))],
            Ok(chain) => chain,
        };
        let mut problems = Vec::new();
        if !served.is_stored {
            let stored = self.target.secret();
            problems.push(problem(format!(
                "it serves another certificate than the one in {stored}; the kubelet updates the volume within two minutes, and the log of the pod says if the certificate cannot be used"
            )));
        }
        for configuration in &self.state.configurations {
            for webhook in &configuration.webhooks {
                if let Err(why) = verify(&webhook.bundle.certificates, chain, &name, self.now) {
                    problems
                        .push(problem(format!("{} would not accept what it serves: {why}", webhook.name)));
                }
            }
        }
        problems
    }
}
