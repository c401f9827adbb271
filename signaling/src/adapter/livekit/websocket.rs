//! A client's WebSocket. Its buffers grow with the largest message, an SDP or a page of the roster, and clients are mostly silent
//! after that: once such a message is through, what it needed is given back.

use super::boundary::Boundary;
use crate::error::Refusal;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
pub use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
pub use tokio_tungstenite::tungstenite::{Error, Message};

/// Largest frame that is taken, in bytes: an SDP of the largest size and its envelope.
const MAX_MESSAGE: usize = crate::negotiate::sdp::MAX_SDP + 64 * 1024;
/// What one read may take from the kernel, in bytes; each socket keeps so much for as long as it lives, and writes zeros over it
/// before each read. Requests are some hundred bytes, and a longer one only takes more reads.
const READ_BUFFER: usize = 2 * 1024;
/// A message of more bytes leaves buffers that aren't worth keeping.
const LARGE: usize = 2 * READ_BUFFER;
/// A client gets so long to take what waits for it before buffers are given back.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The request for one, checked (RFC 6455 section 4.2.1).
pub struct Handshake {
    accept: String,
    upgrade: OnUpgrade,
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let refused = Refusal::BadRequest("a WebSocket upgrade is needed here");
        let asked = parts.method == Method::GET
            && names(&parts.headers, header::CONNECTION, "upgrade")
            && names(&parts.headers, header::UPGRADE, "websocket")
            && names(&parts.headers, header::SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked).ok_or(refused.clone())?;
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(refused)?;
        Ok(Self { accept, upgrade })
    }
}

/// Whether a header lists a word, in whatever case.
fn names(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(word)))
}

impl Handshake {
    /// Answers the request; `serve` gets the socket in a task of its own.
    pub fn open<F: Future<Output = ()> + Send>(
        self,
        serve: impl FnOnce(Socket<Wire>) -> F + Send + 'static,
    ) -> Response {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => serve(Socket::open(TokioIo::new(upgraded)).await).await,
                Err(error) => tracing::debug!(%error, "the connection ended before it was a WebSocket"),
            }
        });
        let headers = [
            (header::CONNECTION, "upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

/// What a client's bytes come over.
pub type Wire = TokioIo<Upgraded>;

/// See the module.
pub struct Socket<W> {
    /// None only while it is set up anew, and after that failed.
    ws: Option<WebSocketStream<Framed<W>>>,
    /// Its buffers have grown.
    grown: bool,
}

impl<W: AsyncRead + AsyncWrite + Unpin> Socket<W> {
    async fn open(wire: W) -> Self {
        let framed = Framed { wire, boundary: Boundary::default() };
        Self { ws: Some(set_up(framed).await), grown: false }
    }

    /// The next message; `None` at the end. Nothing is lost if this isn't waited for to its end.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        let message = self.ws.as_mut()?.next().await;
        self.grown |= matches!(&message, Some(Ok(message)) if message.len() > LARGE);
        message
    }

    /// Sends a message and everything before it.
    ///
    /// # Errors
    /// The connection is gone, or the end was said already.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.grown |= message.len() > LARGE;
        self.ws.as_mut().ok_or(Error::AlreadyClosed)?.send(message).await
    }

    /// Says the end.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn close(&mut self) -> Result<(), Error> {
        match &mut self.ws {
            Some(ws) => SinkExt::close(ws).await,
            None => Ok(()),
        }
    }

    /// Gives back what a large message needed, if there was one and none is under way: all buffers are empty then, so the protocol
    /// can go on with new ones.
    pub async fn shrink(&mut self) {
        let Some(mut ws) = self.ws.take_if(|ws| self.grown && ws.get_ref().boundary.is_between_messages()) else {
            return;
        };
        // What it has to say by itself, as the answer to a ping, must be on its way.
        if matches!(tokio::time::timeout(FLUSH_TIMEOUT, ws.flush()).await, Ok(Ok(()))) {
            ws = set_up(ws.into_inner()).await;
            self.grown = false;
        }
        self.ws = Some(ws);
    }
}

async fn set_up<W: AsyncRead + AsyncWrite + Unpin>(framed: Framed<W>) -> WebSocketStream<Framed<W>> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    WebSocketStream::from_raw_socket(framed, Role::Server, Some(config)).await
}

/// A connection of which no read goes beyond the end of a frame.
pub struct Framed<W> {
    wire: W,
    boundary: Boundary,
}

impl<W: AsyncRead + Unpin> AsyncRead for Framed<W> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let most = this.boundary.allowed().min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.wire).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        this.boundary.read(part.filled());
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Framed<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Client = WebSocketStream<tokio::io::DuplexStream>;

    async fn pair() -> (Client, Socket<tokio::io::DuplexStream>) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, Socket::open(ours).await)
    }

    fn binary(length: usize) -> Message {
        Message::binary(vec![7; length])
    }

    #[tokio::test]
    async fn nothing_is_lost_when_buffers_are_given_back() {
        let (mut client, mut socket) = pair().await;
        let sizes = [10, 9_000, 20, 30_000, 5, 100_000, 0, 6_000];
        for size in sizes {
            client.feed(binary(size)).await.unwrap();
        }
        client.flush().await.unwrap();
        for size in sizes {
            assert_eq!(socket.recv().await.unwrap().unwrap(), binary(size));
            socket.shrink().await;
            assert!(!socket.grown);
            socket.send(binary(size)).await.unwrap();
            socket.shrink().await;
            assert_eq!(client.next().await.unwrap().unwrap(), binary(size));
        }
    }

    #[tokio::test]
    async fn buffers_are_kept_while_a_message_is_under_way() {
        let (theirs, ours) = tokio::io::duplex(1 << 20);
        let (mut client, mut socket) = (theirs, Socket::open(ours).await);
        let mut frame = vec![0x82, 0x80 | 126];
        frame.extend(9_000u16.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend([7; 9_000]);
        let (first, rest) = frame.split_at(5_000);
        tokio::io::AsyncWriteExt::write_all(&mut client, first).await.unwrap();
        socket.send(binary(LARGE + 1)).await.unwrap();
        // It takes what is there of the message, and waits for the rest in vain.
        tokio::select! {
            biased;
            message = socket.recv() => panic!("{message:?}"),
            () = std::future::ready(()) => {}
        }
        socket.shrink().await;
        assert!(socket.grown);
        tokio::io::AsyncWriteExt::write_all(&mut client, rest).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap(), binary(9_000));
        socket.shrink().await;
        assert!(!socket.grown);
    }

    #[tokio::test]
    async fn a_ping_is_answered_though_buffers_are_given_back() {
        let (mut client, mut socket) = pair().await;
        client.send(Message::Ping("here?".into())).await.unwrap();
        client.send(binary(9_000)).await.unwrap();
        for _ in 0..2 {
            socket.recv().await.unwrap().unwrap();
            socket.shrink().await;
        }
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("here?".into()));
    }
}
