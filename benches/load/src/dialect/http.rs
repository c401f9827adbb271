//! One HTTP request after the other, each over a connection of its own, bounded in time.

use super::PATIENCE;
use crate::Error;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// Largest body that is read, in bytes.
const MAX_BODY: usize = 4 << 20;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

/// What to ask.
pub struct Ask<'a> {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// Content type and body.
    pub body: Option<(&'a str, String)>,
    /// For so long at most.
    pub patience: Duration,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, token: None, body: None, patience: PATIENCE }
    }
}

/// Asks `server` (host and port).
///
/// # Errors
/// If there is no answer; whatever the status, an answer is one.
pub async fn ask(server: &str, ask: Ask<'_>) -> Result<Answer, Error> {
    let patience = ask.patience;
    tokio::time::timeout(patience, answer(server, ask)).await.map_err(|_| Error::Late("an HTTP request"))?
}

async fn answer(server: &str, ask: Ask<'_>) -> Result<Answer, Error> {
    let failed = |e: &dyn std::fmt::Display| Error::Signaling(e.to_string());
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    // It ends when the sender is gone.
    tokio::spawn(connection);
    let mut request = Request::builder().method(ask.method).uri(ask.path).header(HOST, server);
    if let Some(token) = ask.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let (kind, body) = ask.body.unzip();
    if let Some(kind) = kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    let body = Full::new(Bytes::from(body.unwrap_or_default()));
    let request = request.body(body).map_err(|e| failed(&e))?;
    let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|e| failed(&e))?.to_bytes();
    Ok(Answer { status, location, body: String::from_utf8_lossy(&body).into_owned() })
}
