//! What the kernel tells of a process: CPU time, memory, threads.

use std::fs::read_to_string;

/// Clock ticks in a second, as /proc counts them: 100 on every Linux that we know.
const TICK: u64 = 1_000_000_000 / 100;

/// One reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// CPU time so far in nanoseconds, by ticks.
    pub ticks: u64,
    /// The same, exact, of the threads that exist now. 0 where the kernel doesn't tell.
    pub exact: u64,
    /// Threads.
    pub threads: u64,
    /// Resident memory in bytes.
    pub rss: u64,
}

impl Sample {
    /// Reads process `pid`; `None` if it is gone.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let ticks = ticks(&stat)?;
        let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mut exact = 0;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let times = read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            exact += times.split(' ').next().and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
        }
        Some(Self { ticks, exact, threads: field(&status, "Threads:")?, rss: field(&status, "VmRSS:")? * 1024 })
    }

    /// CPU time since an earlier reading, in nanoseconds.
    pub fn cpu_since(&self, earlier: &Self) -> u64 {
        // A thread that ended takes its exact time with it; ticks keep it.
        if self.threads == earlier.threads && self.exact > earlier.exact {
            self.exact - earlier.exact
        } else {
            self.ticks.saturating_sub(earlier.ticks)
        }
    }
}

/// User and system time in /proc/<pid>/stat. The second field is the program's name, which may have spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some((fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?) * TICK)
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
}

/// The machine, so far as it matters for numbers.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Machine {
    /// Model name of the first CPU.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// Asks the kernel.
    pub fn read() -> Self {
        let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim()));
        Self {
            cpu: model.unwrap_or("unknown").to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat = "7 (a) b) c) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 5 0 1 1 1";
        assert_eq!(ticks(stat), Some(3_000_000_000));
    }

    #[test]
    fn our_own_work_is_seen() {
        let own = std::process::id();
        let before = Sample::read(own).unwrap();
        // Ticks are 10 ms: work until some were seen, however long this machine takes for it.
        let (mut n, mut after) = (0u64, before);
        while after.cpu_since(&before) <= 10_000_000 {
            n = std::hint::black_box((0..1_000_000).fold(n, |sum, i| sum ^ std::hint::black_box(i)));
            after = Sample::read(own).unwrap();
        }
        assert!(after.rss > 1 << 20 && after.threads >= 1);
    }
}
