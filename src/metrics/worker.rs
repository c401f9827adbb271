//! What each media worker tells: one table of numbers, which the worker writes down ten times a second, each by itself and without
//! a lock, and whoever scrapes reads.

use super::text::{Kind, Text};
use crate::udp;
use ramai_sfu::overload::{Level, Load};
use ramai_sfu::{Bandwidth, Worker};
use ramai_signaling::Strain;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moment of a worker.
pub struct Reading<'a> {
    /// The plane.
    pub worker: &'a Worker,
    /// Its socket.
    pub socket: udp::Counters,
    /// How its thread fared lately.
    pub load: Load,
    /// Packets for other workers that found no room there.
    pub relays_dropped: u64,
    /// The time that it worked so far.
    pub busy: Duration,
    /// What its receivers may be sent.
    pub bandwidth: Bandwidth,
}

/// One number of the table.
struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    /// Beside the worker's own, with its comma; numbers of one name follow each other.
    label: &'static str,
    read: fn(&Reading<'_>) -> f64,
}

/// Writes the table: `counter "name" "help" { "label" => expression of a reading, … }`.
macro_rules! table {
    ($reading:ident; $( $kind:ident $name:literal $help:literal { $( $label:literal => $value:expr ),+ $(,)? } )+) => {
        const TABLE: &[Metric] = &[$($(
            Metric {
                name: concat!("ramai_worker_", $name),
                kind: Kind::$kind,
                help: $help,
                label: $label,
                read: |$reading| $value as f64,
            },
        )+)+];
    };
}

table! { r;
    Counter "received_packets_total" "Datagrams that came in." { "" => r.socket.received }
    Counter "received_dropped_packets_total" "Datagrams that came and went no further, by reason." {
        // receive_buffer: the kernel had no room, for the worker was too slow; they are not among those received.
        r#"reason="receive_buffer""# => r.socket.overflowed,
        r#"reason="too_long""# => r.socket.truncated,
        r#"reason="unknown_class""# => r.worker.counters().unknown_class,
        r#"reason="unknown_source""# => r.worker.counters().unknown_source,
        r#"reason="not_opened""# => r.worker.counters().not_opened,
        r#"reason="malformed""# => r.worker.counters().malformed,
        r#"reason="unrouted""# => r.worker.counters().unrouted,
    }
    Counter "forwarded_packets_total" "RTP packets given to subscribers." { "" => r.worker.counters().forwarded }
    Counter "audio_deepened_packets_total" "Audio packets sent with more earlier frames than they came with, to receivers that lose many." {
        "" => r.worker.counters().deepened
    }
    Counter "audio_gated_packets_total" "Audio packets of microphones that were not among the loudest of their room, and went no further." {
        "" => r.worker.counters().gated
    }
    Counter "slot_switches_total" "Times that another speaker was put into a speaker slot." { "" => r.worker.counters().slot_switches }
    Counter "first_pictures_kept_total" "Viewers whose first picture came from packets that were kept, without a key frame from the publisher." {
        "" => r.worker.counters().openings
    }
    Counter "sent_packets_total" "Datagrams that the kernel took." { "" => r.socket.out.sent }
    Counter "sent_messages_total" "Messages that datagrams were given to the kernel in: with UDP GSO one may hold many." {
        "" => r.socket.messages
    }
    Counter "sent_dropped_packets_total" "Datagrams that should have gone out and didn't, by reason." {
        r#"reason="send_buffer""# => r.socket.out.wouldblock,
        r#"reason="refused""# => r.socket.out.dropped,
        r#"reason="not_sealed""# => r.worker.counters().not_sealed,
    }
    Counter "relayed_packets_total" "Packets handed to other workers, counted for each." { "" => r.worker.counters().relayed }
    Counter "relayed_dropped_packets_total" "Packets for other workers that found no room there." { "" => r.relays_dropped }
    Counter "mirrored_packets_total" "Packets taken in from other workers." { "" => r.worker.counters().mirrored }
    Counter "stale_envelopes_total" "What other workers said about tracks that were not there." {
        "" => r.worker.counters().stale_envelopes
    }
    Counter "bandwidth_feedback_total" "Transport-wide feedback and REMB that receivers sent." {
        "" => r.worker.counters().bandwidth_feedback
    }
    Counter "bandwidth_feedback_malformed_total" "Transport-wide feedback that made no sense." {
        "" => r.worker.counters().malformed_feedback
    }
    Gauge "receivers" "Transports that receive video, by what limits them." {
        // none: they negotiated no feedback, or send none.
        r#"limit="estimate""# => r.bandwidth.estimated,
        r#"limit="none""# => r.bandwidth.unlimited,
    }
    Gauge "estimates_bits_per_second" "Sum of the bandwidth estimates of all receivers that have one." { "" => r.bandwidth.estimates }
    Gauge "estimate_lowest_bits_per_second" "The lowest of these." { "" => r.bandwidth.lowest }
    Gauge "paused_subscriptions" "Videos that are not sent, for there is no room on the way to the receiver." {
        "" => r.bandwidth.paused
    }
    Gauge "reduced_subscriptions" "Videos sent in less quality than wanted, or not at all, for the same reason." {
        "" => r.bandwidth.reduced
    }
    Counter "streams_paused_total" "How often a subscriber was told that there is no room for a video." {
        "" => r.worker.counters().streams_paused
    }
    Counter "probes_total" "Probes whether the way to a receiver takes more." { "" => r.worker.counters().probes }
    Counter "probes_failed_total" "Those that found it full, or learned nothing." { "" => r.worker.counters().probes_failed }
    Counter "padding_packets_total" "Packets of padding sent for probes." { "" => r.worker.counters().padding }
    Counter "limits_told_total" "Times that a publisher was told how much to send at most." {
        "" => r.worker.counters().limits_told
    }
    Counter "stale_commands_total" "Commands about something that was closed already." {
        "" => r.worker.counters().stale_commands
    }
    Counter "handshakes_dropped_total" "Datagrams of handshakes for which there was no place in the queue." {
        "" => r.worker.counters().handshakes_dropped
    }
    Counter "data_dropped_total" "Data messages that could not be handed on." { "" => r.worker.counters().data_dropped }
    Gauge "transports" "Peer connections." { "" => r.worker.sizes().peers }
    Gauge "tracks" "Published tracks." { "" => r.worker.sizes().tracks }
    Gauge "subscriptions" "Tracks sent to participants." { "" => r.worker.sizes().subscriptions }
    Gauge "rooms" "Rooms with somebody in them." { "" => r.worker.sizes().rooms }
    Counter "busy_seconds_total" "Time spent working; its rate is the share of a core." { "" => r.busy.as_secs_f64() }
    Gauge "busy_share" "Share of the last 0.1 s that was spent working." { "" => r.load.share() }
    Gauge "late_seconds" "The longest that a deadline was missed by in the last 0.1 s." { "" => r.load.late.as_secs_f64() }
    Gauge "waiting_bytes" "Bytes that wait in the socket's receive buffer." { "" => r.load.waiting }
    Gauge "turn_seconds" "How long a turn is under load: 0.001, up to 0.02 where time runs out." { "" => r.worker.busy_turn().as_secs_f64() }
    Gauge "overload_level" "0: everything is sent; 6: audio only." { "" => r.worker.level().get() }
    Counter "overload_changes_total" "How often the level changed." { "" => r.worker.overload().changes() }
    Counter "overload_seconds_total" "Time spent in each level." {
        r#"level="0""# => in_level(r, 0),
        r#"level="1""# => in_level(r, 1),
        r#"level="2""# => in_level(r, 2),
        r#"level="3""# => in_level(r, 3),
        r#"level="4""# => in_level(r, 4),
        r#"level="5""# => in_level(r, 5),
        r#"level="6""# => in_level(r, 6),
    }
    Counter "shed_packets_total" "Packets of video that were let go, for the worker could not keep up." {
        "" => r.worker.counters().shed
    }
    Gauge "shed_subscriptions" "Subscriptions that get less than they ask for, for the worker can't keep up." {
        "" => r.worker.shed_subscriptions()
    }
}

const _: () = assert!(Level::COUNT == 7, "a line of the table for each level");

fn in_level(reading: &Reading<'_>, level: usize) -> f64 {
    reading.worker.overload().times().get(level).map_or(0.0, Duration::as_secs_f64)
}

/// Where one worker writes its numbers down.
pub struct Board {
    /// Each the bits of an `f64`.
    values: [AtomicU64; TABLE.len()],
}

impl Default for Board {
    fn default() -> Self {
        Self { values: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Board {
    fn strain(&self) -> Strain {
        let read = |name: &str| {
            let found = TABLE.iter().zip(&self.values).find(|(metric, _)| metric.name == name);
            found.map_or(0.0, |(_, value)| f64::from_bits(value.load(Ordering::Relaxed)))
        };
        Strain { busy: read("ramai_worker_busy_share"), level: read("ramai_worker_overload_level") as u8 }
    }

    /// Writes all down. Who reads meanwhile may see some numbers of now and some of 0.1 s ago.
    pub fn post(&self, reading: &Reading<'_>) {
        for (metric, value) in TABLE.iter().zip(&self.values) {
            value.store((metric.read)(reading).to_bits(), Ordering::Relaxed);
        }
    }
}

/// How the most loaded of all workers fares.
pub fn strain<'a>(boards: impl Iterator<Item = &'a Board>) -> Strain {
    boards
        .map(Board::strain)
        .fold(Strain::default(), |most, one| Strain { busy: most.busy.max(one.busy), level: most.level.max(one.level) })
}

/// Writes the families of all workers.
pub fn write<'a>(boards: impl Iterator<Item = &'a Board> + Clone, text: &mut Text) {
    let mut family = "";
    for (index, metric) in TABLE.iter().enumerate() {
        if metric.name != family {
            family = metric.name;
            text.family(family, metric.kind, metric.help);
        }
        for (worker, board) in boards.clone().enumerate() {
            let Some(value) = board.values.get(index) else { continue };
            let comma = if metric.label.is_empty() { "" } else { "," };
            let value = f64::from_bits(value.load(Ordering::Relaxed));
            text.sample(metric.name, format_args!("worker=\"{worker}\"{comma}{}", metric.label), value);
        }
    }
}
