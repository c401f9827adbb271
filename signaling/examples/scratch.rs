//! scratch
use ramai_signaling::*;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter("debug").init();
    let (_tx, rx) = tokio::sync::mpsc::channel(16);
    let door: Door = Arc::new(|c| { println!("CMD {c:?}"); Ok(()) });
    let mut s = Settings::new(vec![("devkey".into(), "secret".into())], vec![vec!["127.0.0.1:50000".parse().unwrap()]], ramai_sfu::params::Fingerprint([7; 32]));
    s.demo_tokens = true;
    let html = std::fs::read("/tmp/sig/page.html").unwrap();
    let js = std::fs::read("/tmp/sig/package/dist/livekit-client.umd.js").unwrap();
    let sig = start(s, MediaLink { workers: vec![door], events: rx }, Arc::new(move |p: &str| match p {
        "" => Some(Asset { bytes: html.clone().into(), content_type: "text/html".into(), etag: "\"1\"".into(), immutable: false }),
        "lk.js" => Some(Asset { bytes: js.clone().into(), content_type: "text/javascript".into(), etag: "\"1\"".into(), immutable: false }),
        _ => None,
    }));
    let l = tokio::net::TcpListener::bind("127.0.0.1:7991").await.unwrap();
    axum::serve(l, sig.router()).await.unwrap();
}
