//! Numbers for operators, in the text format of Prometheus: `GET /metrics`.
//!
//! They are served on addresses of their own (`metrics_bind`), for they tell how many people talk and when: nothing for the public.

mod process;
mod text;
mod worker;

pub use worker::{Board, Reading, strain};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use ramai_signaling::Counts;
use std::sync::Arc;
use text::{CONTENT_TYPE, Kind, Text};

/// Where all numbers are found.
#[derive(Clone)]
pub struct Metrics {
    /// By worker.
    pub boards: Arc<[Arc<Board>]>,
    /// Signaling's.
    pub signaling: Arc<Counts>,
}

impl Metrics {
    /// The route.
    pub fn router(self) -> Router {
        Router::new().route("/metrics", get(|| async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.page()) }))
    }

    fn page(&self) -> String {
        let mut text = Text::default();
        text.family("ramai_build_info", Kind::Gauge, "1, with the version.");
        text.sample("ramai_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1.0);
        self.write_signaling(&mut text);
        worker::write(self.boards.iter().map(Arc::as_ref), &mut text);
        process::write(&mut text);
        text.finish()
    }

    fn write_signaling(&self, text: &mut Text) {
        let now = self.signaling.snapshot();
        text.single("ramai_rooms", Kind::Gauge, "Rooms, also those that just became empty.", now.rooms as f64);
        text.single("ramai_participants", Kind::Gauge, "Participants in all rooms.", now.participants as f64);
        text.single("ramai_websockets", Kind::Gauge, "Open signaling connections.", now.websockets as f64);
        let help = "Signaling connections that were opened.";
        text.single("ramai_websockets_opened_total", Kind::Counter, help, now.websockets_opened as f64);
        text.family("ramai_joins_total", Kind::Counter, "Participants that were let in, by protocol.");
        for (protocol, count) in now.joins {
            text.sample("ramai_joins_total", format_args!("protocol=\"{protocol}\""), count as f64);
        }
        let help = "How often a client read more slowly than its room changed, and was given the room as it is later.";
        text.single("ramai_slow_readers_total", Kind::Counter, help, now.fell_behind as f64);
        let help = "Clients that were cut off because they did not read what concerned them alone.";
        text.single("ramai_slow_readers_cut_total", Kind::Counter, help, now.cut_off as f64);
        text.family("ramai_refused_total", Kind::Counter, "Requests that were turned away, by reason.");
        for (reason, count) in now.refused {
            text.sample("ramai_refused_total", format_args!("reason=\"{reason}\""), count as f64);
        }
        let help = "Orders to rooms over the server API, by method and outcome.";
        text.family("ramai_orders_total", Kind::Counter, help);
        for (method, outcome, count) in now.orders {
            let labels = format_args!("method=\"{method}\",outcome=\"{outcome}\"");
            text.sample("ramai_orders_total", labels, count as f64);
        }
    }
}
