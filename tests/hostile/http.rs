//! Requests that aren't HTTP, are too large, or never end.

use crate::scene::beside_a_call;
use ramai_test_support::http::{self, Answer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn raw(server: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    http::raw(server, request.as_ref()).await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_or_too_large_is_refused() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let long = "x".repeat(2 * 1024 * 1024);

        assert_eq!(raw(server, "\x16\x03\x01\x02\x00 this is TLS\r\n\r\n").await.status, 400);
        assert_eq!(raw(server, "GET / HTTP/1.1\r\nno colon here\r\n\r\n").await.status, 400);
        assert_eq!(raw(server, "GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n").await.status, 400);
        let status = raw(server, format!("GET /{long} HTTP/1.1\r\n\r\n")).await.status;
        assert!(matches!(status, 414 | 431), "{status}");
        let status = raw(server, format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n\r\n")).await.status;
        assert_eq!(status, 431);
        let many: String = (0..1000).map(|i| format!("X-{i}: x\r\n")).collect();
        assert_eq!(raw(server, format!("GET / HTTP/1.1\r\n{many}\r\n")).await.status, 431);

        assert_eq!(http::get(server, "/rtc/v2").await.expect("an answer").status, 404);
        let traversal = http::get(server, "/../../etc/passwd").await.expect("an answer");
        assert!(!traversal.body.contains("root:"), "{traversal:?}");
        assert_eq!(raw(server, "DELETE /rtc HTTP/1.1\r\nConnection: close\r\n\r\n").await.status, 405);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_token_endpoint_says_what_is_wrong() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let endless = format!(r#"{{"room":"a","name":"{}"}}"#, "x".repeat(1000));
        let huge = format!(r#"{{"room":"a","name":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
        for (body, word) in [
            ("", "JSON"),
            ("[]", "JSON"),
            (r#"{"room":"a"}"#, "JSON"),
            (r#"{"room":"","name":"b"}"#, "room"),
            (r#"{"room":"a","name":" "}"#, "name"),
            (r#"{"room":"a\u0000","name":"b"}"#, "room"),
            (&endless, "name"),
        ] {
            let answer = http::post_json(server, "/demo/token", body).await.expect("an answer");
            assert!(answer.status == 400 && answer.body.contains(word), "{body}: {answer:?}");
        }
        let answer = http::post_json(server, "/demo/token", &huge).await.expect("an answer");
        assert!(matches!(answer.status, 400 | 413), "{answer:?}");
    })
    .await;
}

/// A request that trickles in holds nobody up: others are served meanwhile, and so is it, once it is whole.
#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_hold_nobody_up() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let mut slow = Vec::new();
        for _ in 0..64 {
            let mut stream = TcpStream::connect(server).await.expect("a connection");
            stream.write_all(b"GET /health HT").await.expect("taken");
            slow.push(stream);
        }
        assert_eq!(http::get(server, "/health").await.expect("an answer").status, 200);
        for stream in &mut slow {
            stream.write_all(b"TP/1.1\r\nConnection: close\r\n\r\n").await.expect("taken");
            assert_eq!(http::read(stream).await.status, 200);
        }
    })
    .await;
}

/// A request header that never ends is given up: otherwise every such connection would hold memory and a descriptor for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_request_header_is_cut_off() {
    beside_a_call(async |scene| {
        let mut stream = TcpStream::connect(scene.server.http()).await.expect("a connection");
        stream.write_all(b"GET /health HTTP/1.1\r\nX-Slow: ").await.expect("taken");
        let mut answer = Vec::new();
        // The end of the connection is the event; the bound is far beyond the server's own.
        tokio::time::timeout(Duration::from_secs(40), stream.read_to_end(&mut answer))
            .await
            .expect("the server hangs up")
            .expect("in order");
    })
    .await;
}
