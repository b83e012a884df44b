//! What the kernel says of a process.

use std::time::Duration;

/// A running process.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// A figure of its memory in bytes: `VmRSS` is the current resident size, `VmHWM` the peak.
    pub fn memory(self, figure: &str) -> f64 {
        self.memory_if_any(figure).unwrap()
    }

    /// The same; `None` after its end, before somebody waits for it.
    pub fn memory_if_any(self, figure: &str) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure))?;
        let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
        Some(kib * 1024.0)
    }

    /// The processor time of all its threads so far; the kernel reports steps of ten milliseconds.
    pub fn processor_time(self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // The name of the program may contain spaces; it ends with the last parenthesis.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = [11, 12].map(|field: usize| fields[field].parse::<u64>().unwrap()).iter().sum();
        Duration::from_millis(ticks * 10)
    }
}
