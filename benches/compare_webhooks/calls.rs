//! What the apiserver and the kernel report about the calls.

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

/// The program that a `Leashed` runs.
#[derive(Clone, Copy)]
pub struct Program(u32);

impl Program {
    /// The child of the process `leash` that does the work; the other one waits for its end.
    pub fn of(leash: u32) -> Self {
        let children = std::fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).unwrap();
        let children = children.split_whitespace().map(|child| Self(child.parse().unwrap()));
        children.max_by(|a, b| a.memory().total_cmp(&b.memory())).unwrap()
    }

    /// The peak of resident memory, in MiB.
    pub fn memory(self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// The CPU time so far, in milliseconds; the kernel reports steps of ten.
    pub fn processor(self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // The name of the program may contain spaces; it ends with the last parenthesis.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let (user, system) = (fields[11].parse::<f64>().unwrap(), fields[12].parse::<f64>().unwrap());
        (user + system) * 10.0
    }
}
