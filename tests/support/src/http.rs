//! The least HTTP that tests need, so that they can also send what no library would.

use crate::Error;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Status; 0 if the server closed without a word.
    pub status: u16,
    /// Everything up to the empty line.
    pub head: String,
    /// The rest, as it came.
    pub body: String,
}

/// `GET path`.
///
/// # Errors
/// If the connection fails.
pub async fn get(server: SocketAddr, path: &str) -> Result<Answer, Error> {
    raw(server, format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").as_bytes()).await
}

/// `POST path` with a JSON body.
///
/// # Errors
/// If the connection fails.
pub async fn post_json(server: SocketAddr, path: &str, body: &str) -> Result<Answer, Error> {
    post(server, path, "Content-Type: application/json\r\n", body).await
}

/// An order to a room: `POST /twirp/<method>` with a token.
///
/// # Errors
/// If the connection fails.
pub async fn order(server: SocketAddr, method: &str, token: &str, body: &str) -> Result<Answer, Error> {
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
    post(server, &format!("/twirp/{method}"), &headers, body).await
}

async fn post(server: SocketAddr, path: &str, headers: &str, body: &str) -> Result<Answer, Error> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    raw(server, format!("{head}{body}").as_bytes()).await
}

/// Sends bytes and reads until the server closes. A server that closes while we still send has answered too.
///
/// # Errors
/// If there is no connection.
pub async fn raw(server: SocketAddr, request: &[u8]) -> Result<Answer, Error> {
    let mut stream = TcpStream::connect(server).await?;
    // A refusal may come, and the connection close, before all is written.
    let _ = stream.write_all(request).await;
    Ok(read(&mut stream).await)
}

/// Reads an answer up to the close.
pub async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer leaves what was read.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
