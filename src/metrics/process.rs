//! What the kernel says of this process: memory, processor time, open files. Names as other exporters have them.

use super::text::{Kind, Text};
use rustix::param::{clock_ticks_per_second, page_size};

/// Writes what can be read.
pub fn write(text: &mut Text) {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
    // The second field is the program's name in parentheses, and may hold anything. From the third on, these count from 0.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return };
    let fields: Vec<u64> = fields.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or(0) as f64;
    let cpu = (field(11) + field(12)) / clock_ticks_per_second().max(1) as f64;
    text.single("process_cpu_seconds_total", Kind::Counter, "User and system time.", cpu);
    let memory = field(21) * page_size() as f64;
    text.single("process_resident_memory_bytes", Kind::Gauge, "Resident memory.", memory);
    text.single("process_threads", Kind::Gauge, "Threads.", field(17));
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        text.single("process_open_fds", Kind::Gauge, "Open file descriptors.", files.count() as f64);
    }
}
