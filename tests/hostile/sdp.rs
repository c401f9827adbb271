//! Offers that lack what we need: answered in words, and the client let go, for it has no connection that could go on.

use crate::scene::{ROOM, Scene, beside_a_call};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{ClientInfo, JoinRequest, SessionDescription};
use ramai_test_support::signal::{self, Said, Socket};
use ramai_test_support::{token, within};

/// What the server said after a bad offer, in words; `None` if it took it.
async fn objection(socket: &mut Socket) -> Option<String> {
    let heard = async {
        loop {
            match signal::receive(socket).await.expect("messages") {
                Said::Message(message) => match *message {
                    Response::RequestResponse(response) => return Some(response.message),
                    Response::Answer(_) => return None,
                    _ => {}
                },
                Said::Closed(frame) => panic!("closed without words: {frame:?}"),
            }
        }
    };
    within("an answer to the offer", heard).await.expect("an answer")
}

/// After the objection comes a LeaveRequest or the close, not silence.
async fn is_let_go(socket: &mut Socket) {
    let gone = async {
        loop {
            match signal::receive(socket).await.expect("messages") {
                Said::Message(message) if matches!(*message, Response::Leave(_)) => return,
                Said::Message(_) => {}
                Said::Closed(_) => return,
            }
        }
    };
    within("the leave", gone).await.expect("a leave");
}

/// Ana's own offer, which is good, without the lines that begin so.
fn without(offer: &str, prefix: &str) -> String {
    offer.lines().filter(|line| !line.starts_with(prefix)).map(|line| format!("{line}\r\n")).collect()
}

fn offers(scene: &Scene) -> Vec<(&'static str, String, &'static str)> {
    let good = scene.ana.state().offer;
    vec![
        ("empty", String::new(), "SDP"),
        ("no SDP", "hello\r\n".into(), "cannot be parsed"),
        ("binary", "\u{0}\u{1}\u{2}".repeat(1000), "cannot be parsed"),
        ("no media", without(&good[..good.find("m=").expect("media")], "a=group"), "no usable media section"),
        ("no fingerprint", without(&good, "a=fingerprint"), "fingerprint"),
        ("no ufrag", without(&good, "a=ice-ufrag"), "ICE"),
        ("no password", without(&good, "a=ice-pwd"), "ICE"),
        ("no BUNDLE", without(&good, "a=group"), "bundle"),
        ("no rtcp-mux", without(&good, "a=rtcp-mux"), "rtcp-mux"),
        ("no mid", without(&good, "a=mid"), "mid"),
        ("the DTLS server's role", good.replace("a=setup:actpass", "a=setup:passive"), "setup"),
        ("too many sections", format!("{good}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(3000)), "too many"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_without_what_we_need_are_answered_in_words() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        for (what, sdp, words) in offers(scene) {
            // As a frame after the join, and with the join itself where it fits a URL.
            let offer = SessionDescription { r#type: "offer".into(), sdp, id: 1, ..Default::default() };
            let token = token::mint(ROOM, "eve");
            let client_info = Some(ClientInfo { protocol: 16, ..Default::default() });
            let path = signal::v1_path(&token, &JoinRequest { client_info, ..Default::default() });
            let mut socket = signal::connect(server, &path).await.expect("let in");
            signal::send(&mut socket, Request::Offer(offer.clone())).await.expect("taken");
            let objection_now =
                objection(&mut socket).await.unwrap_or_else(|| panic!("an offer with {what} was taken"));
            assert!(objection_now.contains(words), "{what}: {objection_now}");
            is_let_go(&mut socket).await;

            let join = JoinRequest { publisher_offer: Some(offer), ..Default::default() };
            let path = signal::v1_path(&token, &join);
            if path.len() < 60_000 && what != "empty" {
                let mut socket = signal::connect(server, &path).await.expect("let in");
                let at_join = objection(&mut socket).await.unwrap_or_else(|| panic!("an offer with {what} was taken"));
                assert!(at_join.contains(words), "{what}: {at_join}");
                is_let_go(&mut socket).await;
            }
        }
        let log = scene.server.process().log();
        assert!(!log.contains("a=ice-pwd") && !log.contains("m=audio"), "SDP is in the log");
    })
    .await;
}
