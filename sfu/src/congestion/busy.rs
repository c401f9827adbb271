//! How much a receiver gets while packets wait on the way: then they come back to back, and that is what the link takes. What
//! arrives on average tells only what was sent.

/// A packet that took so much longer than usual has waited, in ms.
const WAITED: f64 = 8.0;
/// Less than this much of waiting measures nothing, in microseconds.
const LEAST: i64 = 40_000;
/// Beyond this much the older half counts half, in microseconds.
const WINDOW: i64 = 200_000;
/// Packets that are further apart don't wait for each other, in microseconds.
const APART: i64 = 200_000;

/// See the module. Its input is [`Busy::arrived`]; times are microseconds of the receiver's clock.
#[derive(Debug, Default)]
pub struct Busy {
    bytes: i64,
    time: i64,
    /// Arrival of the last packet, and whether it had waited.
    last: Option<(i64, bool)>,
}

impl Busy {
    /// Takes in a packet that came `wait` ms later than usual.
    pub fn arrived(&mut self, arrival: i64, bytes: usize, wait: f64) {
        let waited = wait > WAITED;
        let last = self.last.replace((arrival, waited));
        if !waited {
            // The queue is empty; the next one is measured by itself.
            (self.bytes, self.time) = (0, 0);
            return;
        }
        if let Some((at, true)) = last
            && (0..APART).contains(&(arrival - at))
        {
            self.time += arrival - at;
            self.bytes += bytes as i64;
        }
        if self.time > WINDOW {
            self.time /= 2;
            self.bytes /= 2;
        }
    }

    /// Bits per second that the link takes while it is busy; `None` if it isn't.
    pub fn rate(&self) -> Option<u64> {
        (self.time >= LEAST).then(|| (self.bytes.max(0) as f64 * 8e6 / self.time as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_into_a_free_link_shows_what_the_link_takes() {
        let mut busy = Busy::default();
        // A key frame of 40 packets that 3 Mbit/s take 2.67 ms each for.
        for n in 0..40 {
            busy.arrived(n * 2_667, 1_000, n as f64 * 2.0);
        }
        let rate = busy.rate().unwrap();
        assert!((2_900_000..3_100_000).contains(&rate), "{rate}");
        busy.arrived(5_000_000, 1_000, 0.0);
        assert_eq!(busy.rate(), None, "the queue is empty");
    }

    #[test]
    fn packets_that_do_not_wait_measure_nothing() {
        let mut busy = Busy::default();
        (0..100).for_each(|n| busy.arrived(n * 10_000, 1_000, 3.0));
        assert_eq!(busy.rate(), None);
    }
}
