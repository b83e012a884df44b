//! What the kernel reports about this process, under the names of Prometheus' client libraries.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks a second in `/proc/*/stat`: a constant of Linux for programs, independent of the kernel's own tick.
const TICKS: f64 = 100.0;

/// Reads `/proc` at each scrape; without it, nothing is shown.
#[derive(Debug)]
pub struct Process {
    started: f64,
}

impl Default for Process {
    fn default() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let age = age().unwrap_or_default();
        Self { started: now - age }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let ticks = stat(14).zip(stat(15)).map_or(0.0, |(user, system)| user + system);
        let cpu = ConstCounter::new(ticks / TICKS);
        let help = "CPU time of user and system, in seconds";
        let descriptor =
            encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), cpu.metric_type())?;
        cpu.encode(descriptor)?;
        for (name, help, value) in self.gauges() {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

impl Process {
    fn gauges(&self) -> [(&'static str, &'static str, Option<f64>); 7] {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").ok();
        let bytes = |name| Some(field(&status, name)? * 1024.0);
        [
            ("process_resident_memory_bytes", "Resident memory, in bytes", bytes("VmRSS:")),
            ("process_virtual_memory_bytes", "Virtual memory, in bytes", bytes("VmSize:")),
            (
                "process_virtual_memory_max_bytes",
                "Limit of virtual memory, in bytes",
                limit("Max address space"),
            ),
            ("process_open_fds", "Open file descriptors", files.map(|it| it.count() as f64)),
            ("process_max_fds", "Limit of open file descriptors", limit("Max open files")),
            ("process_threads", "Threads", field(&status, "Threads:")),
            ("process_start_time_seconds", "Start time, in seconds since 1970", Some(self.started)),
        ]
    }
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A soft limit; -1 if there is none, as in Go.
fn limit(name: &str) -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse().unwrap_or(-1.0))
}

/// The fields of `/proc/self/stat` after the name of the program, which may hold spaces; the first is the third.
fn stat(number: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(number - 3)?.parse().ok()
}

fn age() -> Option<f64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some(uptime - stat(22)? / TICKS)
}
