//! One client's WebSocket: frames in become requests, notices become frames out; pings are answered here.

use super::encode::frame;
use super::websocket::{CloseCode, CloseFrame, Message, Socket, Wire};
use crate::counts::OpenSocket;
use crate::rooms::actor::Handle;
use crate::rooms::effect::Closing;
use crate::rooms::outbox::Outbound;
use crate::session::{Join, Request};
use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What clients are told: ping so often, and take so long a silence for the end, in seconds.
pub const PING_INTERVAL: i32 = 5;
pub const PING_TIMEOUT: i32 = 15;
/// A client that says nothing for so long is cut off.
const SILENCE: Duration = Duration::from_secs(PING_TIMEOUT as u64);
/// Seconds' worth of its rate of requests that a client may send at once.
const BURST: f64 = 10.0;
/// A client gets so long to take a frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// And so long for each step of a farewell: to take its words, the end, and to end in turn.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves one client until its socket ends.
pub async fn run(mut socket: Socket<Wire>, rooms: Handle, join: Box<Join>, request_rate: u32) {
    let _open = OpenSocket::new(rooms.counts.clone());
    let Some((conn, mut outbox)) = rooms.join(join).await else { return };
    let mut limit = Limit::new(request_rate, Instant::now());
    let mut last = Instant::now();
    let (how, farewell) = loop {
        socket.shrink().await;
        let silence = tokio::time::sleep_until((last + SILENCE).into());
        tokio::select! {
            outbound = outbox.recv() => match outbound {
                Some(Outbound::Frame(frame)) => {
                    let sent = tokio::time::timeout(WRITE_TIMEOUT, socket.send(Message::Binary(frame))).await;
                    if !matches!(sent, Ok(Ok(()))) {
                        break (Closing::Cut, None);
                    }
                }
                Some(Outbound::Close) => break (Closing::Closed, Some((CloseCode::Normal, ""))),
                None => break (Closing::Cut, Some((CloseCode::Again, "too slow"))),
            },
            frame = socket.recv() => {
                last = Instant::now();
                let message = match frame {
                    Some(Ok(message)) => message,
                    Some(Err(error)) => {
                        tracing::info!(conn = conn.0, reason = %error, "WebSocket failed");
                        break (Closing::Cut, Some((CloseCode::Size, "frame too large or malformed")));
                    }
                    None => break (Closing::Cut, None),
                };
                match handle(message, &mut limit) {
                    Step::Nothing => {}
                    Step::Reply(frames) => {
                        for frame in frames {
                            if socket.send(Message::Binary(frame)).await.is_err() {
                                break;
                            }
                        }
                    }
                    Step::Request(request) => rooms.request(conn, *request).await,
                    Step::End(how) => break (how, None),
                    Step::Refuse(code, words) => {
                        tracing::info!(conn = conn.0, reason = words, "WebSocket closed");
                        break (Closing::Closed, Some((code, words)));
                    }
                }
            }
            () = silence => break (Closing::Cut, Some((CloseCode::Policy, "silent for too long"))),
        }
    };
    // The room goes first: whoever comes back at once finds it settled.
    rooms.closed(conn, how).await;
    drop(outbox);
    let told = farewell.is_some();
    if let Some((code, words)) = farewell {
        let frame = CloseFrame { code, reason: words.into() };
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
    }
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, socket.close()).await;
    if told {
        // A TCP socket that is closed with bytes unread resets the connection, and the peer may lose the words with it. So what is
        // still under way is read until the client closes too (RFC 6455 section 7.1.1).
        let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, rest).await;
    }
}

enum Step {
    Nothing,
    Reply(Vec<Bytes>),
    Request(Box<Request>),
    End(Closing),
    Refuse(CloseCode, &'static str),
}

fn handle(message: Message, limit: &mut Limit) -> Step {
    let bytes = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(_) => return Step::Refuse(CloseCode::Unsupported, "only binary protobuf frames are understood"),
        Message::Close(frame) => {
            let away = frame.is_some_and(|f| f.code == CloseCode::Away);
            return Step::End(if away { Closing::GoingAway } else { Closing::Closed });
        }
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Step::Nothing,
    };
    if !limit.take() {
        return Step::Refuse(CloseCode::Policy, "too many requests");
    }
    let Ok(request) = proto::SignalRequest::decode(bytes) else {
        return Step::Refuse(CloseCode::Invalid, "the frame is not a SignalRequest");
    };
    match request.message {
        // A request of a newer protocol than ours.
        None => Step::Nothing,
        Some(Request::Ping(_)) => Step::Reply(vec![frame(proto::signal_response::Message::Pong(now_ms()))]),
        Some(Request::PingReq(ping)) => {
            let pong = proto::Pong { last_ping_timestamp: ping.timestamp, timestamp: now_ms() };
            Step::Reply(vec![frame(proto::signal_response::Message::PongResp(pong))])
        }
        Some(request) => Step::Request(Box::new(request)),
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

/// Requests that a client may still send.
struct Limit {
    /// Requests in a second.
    rate: f64,
    left: f64,
    at: Instant,
}

impl Limit {
    fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate);
        Self { rate, left: BURST * rate, at: now }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = now.duration_since(self.at).as_secs_f64() * self.rate;
        self.left = (self.left + gained).min(BURST * self.rate) - 1.0;
        self.at = now;
        self.left >= 0.0
    }
}
