//! What the apiserver and the kernel report about the calls.

use testkit::process::Process;

use super::plane::Plane;

/// The `/metrics` of the apiserver at one time.
pub struct Calls(String);

impl Calls {
    pub fn so_far(plane: &Plane) -> Self {
        Self(plane.kubectl(&["get", "--raw", "/metrics"]).ok())
    }

    /// How many calls of a webhook for an UPDATE succeeded.
    pub fn answered(&self, webhook: &str) -> f64 {
        self.sum("apiserver_admission_webhook_request_total", webhook, "code=\"200\"")
    }

    /// The seconds of those calls, from encoding the review to decoding the response.
    pub fn waited(&self, webhook: &str) -> f64 {
        self.sum("apiserver_admission_webhook_admission_duration_seconds_sum", webhook, "rejected=\"false\"")
    }

    fn sum(&self, metric: &str, webhook: &str, label: &str) -> f64 {
        let webhook = format!("name=\"{webhook}\"");
        let labels = [webhook.as_str(), "operation=\"UPDATE\"", label];
        let series = self.0.lines().filter_map(|line| line.strip_prefix(metric)?.rsplit_once(' '));
        let wanted = series.filter(|(name, _)| labels.iter().all(|label| name.contains(label)));
        wanted.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }
}

/// The program that a `Leashed` runs: the child of the process `leash` that does the work; the other one waits for its end.
pub fn program_of(leash: u32) -> Process {
    let children = std::fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).unwrap();
    let children = children.split_whitespace().map(|child| Process(child.parse().unwrap()));
    children.max_by(|a, b| a.memory("VmHWM").total_cmp(&b.memory("VmHWM"))).unwrap()
}
