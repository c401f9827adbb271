//! Frames that a client wouldn't send: each closes the connection with a code and a reason, and that one alone.

use crate::scene::{ROOM, Scene, beside_a_call};
use futures_util::{SinkExt, StreamExt};
use livekit_protocol::SignalRequest;
use livekit_protocol::signal_request::Message as Request;
use prost::Message as _;
use ramai_test_support::signal::{self, Said, Socket};
use ramai_test_support::{token, within};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Eve is in the room of the call, with a good token.
async fn eve(scene: &Scene) -> Socket {
    let token = token::mint(ROOM, "eve");
    let mut socket = signal::connect(scene.server.http(), &signal::v0_path(&token)).await.expect("let in");
    match within("the join", signal::receive(&mut socket)).await {
        Ok(Ok(Said::Message(_))) => socket,
        other => panic!("{other:?}"),
    }
}

/// Reads to the end of the connection; the close frame's code and reason.
async fn end(mut socket: Socket) -> Option<(u16, String)> {
    let last = async {
        loop {
            match signal::receive(&mut socket).await {
                Ok(Said::Message(_)) => {}
                Ok(Said::Closed(frame)) => return frame.map(|f| (u16::from(f.code), f.reason.as_str().to_owned())),
                Err(error) => panic!("{error}"),
            }
        }
    };
    within("the close", last).await.expect("a close")
}

/// Sends one message and expects to be cut off with a code and words.
async fn is_cut_off(scene: &Scene, message: Message, code: u16, words: &str) {
    let mut socket = eve(scene).await;
    // The server may close while a long message is still on its way.
    let _ = socket.send(message).await;
    let (got, reason) = end(socket).await.expect("a close frame");
    assert!(got == code && reason.contains(words), "{got} {reason:?}, expected {code} {words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_the_wrong_kind_close_the_connection_with_a_reason() {
    beside_a_call(async |scene| {
        is_cut_off(scene, Message::text(r#"{"ping":1}"#), 1003, "binary").await;
        is_cut_off(scene, Message::binary(vec![0xff; 64]), 1007, "SignalRequest").await;
        // A field that says to be longer than the frame.
        is_cut_off(scene, Message::binary(vec![0x0a, 0xff, 0xff, 0xff, 0x7f, 0]), 1007, "SignalRequest").await;
        is_cut_off(scene, Message::binary(vec![0; 3 * 1024 * 1024]), 1009, "too large").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_is_cut_off() {
    beside_a_call(async |scene| {
        let mut socket = eve(scene).await;
        let ping = Message::binary(SignalRequest { message: Some(Request::Ping(1)) }.encode_to_vec());
        for _ in 0..3000 {
            if socket.feed(ping.clone()).await.is_err() {
                break;
            }
        }
        let _ = socket.flush().await;
        let (code, reason) = end(socket).await.expect("a close frame");
        assert!(code == 1008 && reason.contains("too many"), "{code} {reason:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_many_fragments_is_put_together_but_not_without_end() {
    beside_a_call(async |scene| {
        let mut socket = eve(scene).await;
        let ping = SignalRequest { message: Some(Request::Ping(7)) }.encode_to_vec();
        let last = ping.len() - 1;
        for (i, byte) in ping.iter().enumerate() {
            let opcode = OpCode::Data(if i == 0 { Data::Binary } else { Data::Continue });
            socket.send(Message::Frame(Frame::message(vec![*byte], opcode, i == last))).await.expect("taken");
        }
        let answered = async {
            loop {
                match signal::receive(&mut socket).await {
                    Ok(Said::Message(message))
                        if matches!(*message, livekit_protocol::signal_response::Message::Pong(_)) =>
                    {
                        return;
                    }
                    Ok(Said::Message(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        within("the pong", answered).await.expect("a pong");

        for i in 0..200 {
            let opcode = OpCode::Data(if i == 0 { Data::Binary } else { Data::Continue });
            let frame = Frame::message(vec![0; 64 * 1024], opcode, false);
            if socket.send(Message::Frame(frame)).await.is_err() {
                break;
            }
        }
        if let Some((code, reason)) = end(socket).await {
            assert!(code == 1009, "{code} {reason:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_end_only_their_own_connection() {
    beside_a_call(async |scene| {
        for garbage in [
            vec![0xff; 200],
            vec![0x82, 0x05, 1, 2, 3, 4, 5],
            vec![0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        ] {
            let mut socket = eve(scene).await;
            let MaybeTlsStream::Plain(stream) = socket.get_mut() else { panic!("no TLS here") };
            stream.write_all(&garbage).await.expect("taken");
            let drained = async { while let Some(Ok(_)) = socket.next().await {} };
            within("the close", drained).await.expect("a close");
        }
    })
    .await;
}
