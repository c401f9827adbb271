//! A signaling server on a loopback port, with the test in the place of the media plane; tokens and plain HTTP for it.

// Each test binary uses its part of this.
#![allow(dead_code)]

use ramai_sfu::api::Command;
use ramai_sfu::params::Fingerprint;
use ramai_signaling::{Asset, Claims, Door, Gauge, Grants, MediaLink, Settings, Signaling, Strain, mint, start};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

pub struct Server {
    pub address: SocketAddr,
    pub signaling: Signaling,
    pub commands: mpsc::UnboundedReceiver<Command>,
    // Without the sending end no event can come, and that is what these stories want.
    _events: mpsc::Sender<(ramai_sfu::id::WorkerId, ramai_sfu::api::Event)>,
}

pub async fn serve() -> Server {
    serve_with(|_| {}, Arc::new(Strain::default)).await
}

pub async fn serve_with(change: impl FnOnce(&mut Settings), strain: Gauge) -> Server {
    let (sender, commands) = mpsc::unbounded_channel();
    let door: Door = Arc::new(move |command| sender.send(command).map_err(|e| e.0));
    let (_events, events) = mpsc::channel(8);
    let candidates = vec![vec!["127.0.0.1:7882".parse().unwrap()]];
    let mut settings = Settings::new(vec![("key".into(), "secret".into())], candidates, Fingerprint([3; 32]));
    settings.demo_tokens = true;
    settings.max_participants = 2;
    change(&mut settings);
    let page = |path: &str| {
        (path.is_empty()).then(|| Asset {
            bytes: b"<!doctype html>".as_slice().into(),
            content_type: "text/html".into(),
            etag: "\"1\"".into(),
            immutable: false,
        })
    };
    let signaling = start(settings, MediaLink { workers: vec![door], events, strain }, Arc::new(page));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = signaling.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { address, signaling, commands, _events }
}

pub fn token(who: &str, change: impl FnOnce(&mut Claims), secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let video = Grants { room_join: true, room: "r".into(), ..Grants::default() };
    let mut claims = Claims { iss: "key".into(), sub: who.into(), exp: now + 60, video, ..Claims::default() };
    change(&mut claims);
    mint(&claims, secret).unwrap()
}

/// An answer over plain HTTP.
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

impl Server {
    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// One request and its answer. A body brings its length along.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        // A server that refuses a body doesn't read it to the end.
        let sending = tokio::spawn(async move { writing.write_all(request.as_bytes()).await.map(|()| writing) });
        let mut bytes = Vec::new();
        let _ = reading.read_to_end(&mut bytes).await;
        drop(sending);
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
        Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
    }
}
