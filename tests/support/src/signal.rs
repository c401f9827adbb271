//! The signaling connection of a client: protobuf messages over a WebSocket.

use crate::{Error, within};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use livekit_protocol::{
    JoinRequest, SignalRequest, SignalResponse, WrappedJoinRequest, signal_request, signal_response,
};
use prost::Message as _;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A WebSocket to the server.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the server said.
#[derive(Debug)]
pub enum Said {
    /// A message.
    Message(Box<signal_response::Message>),
    /// Goodbye; with the close frame, if there was one.
    Closed(Option<CloseFrame>),
}

/// The path of a v1 join: token and request travel in the URL.
pub fn v1_path(token: &str, join: &JoinRequest) -> String {
    let wrapped = WrappedJoinRequest { compression: 0, join_request: join.encode_to_vec() };
    format!("/rtc/v1?access_token={token}&join_request={}", URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec()))
}

/// The path of a v0 join.
pub fn v0_path(token: &str) -> String {
    format!("/rtc?access_token={token}&protocol=16&sdk=rust&version=0&auto_subscribe=1")
}

/// Opens a WebSocket.
///
/// # Errors
/// [`Error::Refused`] with the server's words, or that there is no connection.
pub async fn connect(server: SocketAddr, path: &str) -> Result<Socket, Error> {
    match within("the WebSocket", tokio_tungstenite::connect_async(format!("ws://{server}{path}"))).await? {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let words = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            Err(Error::Refused(response.status().as_u16(), words))
        }
        Err(error) => Err(Error::WebSocket(Box::new(error))),
    }
}

/// Sends one message.
///
/// # Errors
/// If the connection is gone.
pub async fn send(socket: &mut Socket, message: signal_request::Message) -> Result<(), Error> {
    let bytes = SignalRequest { message: Some(message) }.encode_to_vec();
    socket.send(Message::Binary(bytes.into())).await.map_err(|e| Error::WebSocket(Box::new(e)))
}

/// The next message, or the end. WebSocket pings are answered on the way.
///
/// # Errors
/// Bytes that aren't a message.
pub async fn receive(socket: &mut Socket) -> Result<Said, Error> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let response = SignalResponse::decode(bytes)
                    .map_err(|_| Error::Protocol("a frame that is not a SignalResponse"))?;
                // A response of a kind that we don't know is skipped, as clients do.
                if let Some(message) = response.message {
                    return Ok(Said::Message(Box::new(message)));
                }
            }
            Some(Ok(Message::Close(frame))) => return Ok(Said::Closed(frame)),
            Some(Ok(Message::Text(_))) => return Err(Error::Protocol("a text frame")),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Ok(Said::Closed(None)),
        }
    }
}
