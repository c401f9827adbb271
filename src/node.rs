//! One node: brings up sockets, media threads and signaling, and takes them down in the order that lets clients know.

use crate::config::Config;
use crate::metrics::{Board, Metrics};
use crate::udp::UdpSocket;
use crate::worker::{Inbox, Post, Slot, WorkerHandle, inbox};
use ramai_sfu::Worker;
use ramai_sfu::id::WorkerId;
use ramai_sfu::transport::Identity;
use ramai_signaling::{Asset, Assets, Door, MediaLink, Settings};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

/// Events that may wait for signaling; a worker keeps its own while this is full.
const EVENT_QUEUE: usize = 8192;

/// Scrapers are few.
const METRICS_CONNECTIONS: usize = 64;

/// Why the node didn't start, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A socket is taken or the address isn't ours.
    #[error("cannot listen on {0} ({1}): {2}")]
    Bind(SocketAddr, &'static str, io::Error),
    /// No address to announce.
    #[error("cannot tell which address to announce for media, set node_ip: {0}")]
    Address(io::Error),
    /// No DTLS certificate.
    #[error(transparent)]
    Identity(#[from] ramai_sfu::transport::IdentityError),
    /// A media thread is gone; its calls are lost, and whoever watches this process should start it again.
    #[error("a media worker ended by itself")]
    Worker,
    /// The operating system refused something.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

/// How much nicer threads of signaling are than media threads: the system gives them a third of the time where both want it.
const SIGNALING_NICE: i32 = 5;

/// Runs the node until SIGTERM, SIGINT or a failure.
///
/// # Errors
/// [`NodeError`] says what could not be brought up.
pub fn run(config: &Config) -> Result<(), NodeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(yield_to_media)
        .build()
        .map_err(|e| NodeError::System("cannot start the runtime", e))?;
    runtime.block_on(serve(config))
}

async fn serve(config: &Config) -> Result<(), NodeError> {
    let stop = stop_signal()?;
    raise_file_limit();
    let http = SocketAddr::new(config.bind, config.port);
    let listener = TcpListener::bind(http).await.map_err(|e| NodeError::Bind(http, "HTTP, keys bind and port", e))?;
    let http = listener.local_addr().map_err(|e| NodeError::System("cannot read the HTTP address", e))?;

    let identity = Identity::generate()?;
    let ended = Arc::new(Notify::new());
    let Media { workers, boards, candidates, link } = start_media(config, &identity, &ended)?;
    tracing::info!(candidates = ?candidates.concat(), workers = workers.len(), "media is ready");

    let keys = config.keys.iter().map(|(key, secret)| (key.to_owned(), secret.expose().to_owned())).collect();
    let settings = Settings {
        demo_tokens: config.demo_tokens,
        max_participants: config.max_participants as usize,
        max_total_participants: config.max_total_participants as usize,
        max_rooms: config.max_rooms as usize,
        max_tracks: config.max_tracks as usize,
        data_rate: config.data_rate,
        request_rate: config.request_rate,
        join_rate: config.join_rate,
        join_burst: config.join_burst,
        worker_streams: config.worker_streams as usize,
        audible: config.audible.into(),
        speaker_slots_from: config.speaker_slots_from as usize,
        auto_subscribe_videos: config.auto_subscribe_videos as usize,
        remote_unmute: config.remote_unmute,
        ..Settings::new(keys, candidates, identity.fingerprint())
    };
    let signaling = ramai_signaling::start(settings, link, assets(config.demo));
    let metrics = Metrics { boards, signaling: signaling.counts() };
    let metrics_servers = serve_metrics(config, &metrics).await?;
    tracing::info!(address = %http, "ready: {}", url(http));

    let (close, closed) = oneshot::channel::<()>();
    let mut router = signaling.router();
    if config.dev {
        // This machine alone can ask.
        router = router.merge(metrics.router());
    }
    let most = config.max_connections as usize;
    let server = tokio::spawn(async move {
        // A dropped sender means the same: stop.
        crate::http::serve(listener, router, most, async { closed.await.unwrap_or_default() }).await;
    });
    let outcome = tokio::select! {
        () = stop => Ok(()),
        () = ended.notified() => Err(NodeError::Worker),
    };

    // Clients first, while their sockets still work; then HTTP; media says its goodbyes last.
    tracing::info!("stopping: telling clients");
    signaling.shutdown().await;
    drop(close);
    drop(metrics_servers);
    if server.await.is_err() {
        tracing::error!("the HTTP server panicked");
    }
    for worker in workers {
        worker.stop();
    }
    tracing::info!("stopped");
    outcome
}

/// Serves the metrics where the configuration says, until the handles are dropped.
async fn serve_metrics(config: &Config, metrics: &Metrics) -> Result<JoinSet<()>, NodeError> {
    let mut servers = JoinSet::new();
    for address in &config.metrics_bind {
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|e| NodeError::Bind(*address, "metrics, key metrics_bind", e))?;
        tracing::info!(%address, "metrics are served at /metrics");
        servers.spawn(crate::http::serve(
            listener,
            metrics.clone().router(),
            METRICS_CONNECTIONS,
            std::future::pending(),
        ));
    }
    Ok(servers)
}

/// The media threads, and what others need to deal with them.
struct Media {
    workers: Vec<WorkerHandle>,
    boards: Arc<[Arc<Board>]>,
    candidates: Vec<Vec<SocketAddr>>,
    link: MediaLink,
}

fn start_media(config: &Config, identity: &Identity, ended: &Arc<Notify>) -> Result<Media, NodeError> {
    let ips = config.node_ips().map_err(NodeError::Address)?;
    let (events, from_workers) = mpsc::channel(EVENT_QUEUE);
    let mut sockets: Vec<(UdpSocket, Inbox)> = Vec::new();
    let mut slots: Vec<Slot> = Vec::new();
    let mut candidates = Vec::new();
    let mut boards = Vec::new();
    for index in 0..config.worker_count() {
        let port = if config.udp_base_port == 0 { 0 } else { config.udp_base_port.saturating_add(index) };
        let address = SocketAddr::new(config.udp_bind, port);
        let socket = UdpSocket::bind(address)
            .map_err(|e| NodeError::Bind(address, "media, keys udp_bind, udp_base_port and workers", e))?;
        let port = socket.local_addr().port();
        candidates.push(ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
        let (inbox, slot) = inbox(socket.waker());
        sockets.push((socket, inbox));
        slots.push(slot);
    }
    let mut handles: Vec<WorkerHandle> = Vec::new();
    for (index, (socket, inbox)) in (0..).zip(sockets) {
        let id = WorkerId(index);
        let mut worker = Worker::new(std::time::Instant::now(), id, identity.clone(), rand::random());
        worker.set_audible(config.audible.into());
        let board = Arc::new(Board::default());
        boards.push(board.clone());
        let post = (inbox, Post::new(slots.clone()));
        let handle = WorkerHandle::start(id, worker, socket, post, events.clone(), board, ended.clone())
            .map_err(|e| NodeError::System("cannot start a media thread", e))?;
        handles.push(handle);
    }
    let doors = handles
        .iter()
        .map(|handle| {
            let sender = handle.sender();
            Arc::new(move |command| sender.send(command)) as Door
        })
        .collect();
    let boards: Arc<[Arc<Board>]> = boards.into();
    let strain = Arc::new({
        let boards = boards.clone();
        move || crate::metrics::strain(boards.iter().map(Arc::as_ref))
    });
    let link = MediaLink { workers: doors, events: from_workers, strain };
    Ok(Media { workers: handles, boards, candidates, link })
}

/// The demo page out of the binary, or nothing at all.
fn assets(demo: bool) -> Assets {
    Arc::new(move |path| {
        let asset = match path {
            _ if !demo => return None,
            "" => ramai_web_demo::index(),
            path => ramai_web_demo::asset(path)?,
        };
        Some(Asset {
            bytes: asset.bytes,
            content_type: asset.content_type,
            etag: asset.etag,
            immutable: asset.immutable,
        })
    })
}

/// What a person on this machine opens: browsers give camera and microphone to `localhost`, not to its number.
fn url(http: SocketAddr) -> String {
    if http.ip().is_loopback() || http.ip().is_unspecified() {
        format!("http://localhost:{}", http.port())
    } else {
        format!("http://{http}")
    }
}

/// Media threads go before the calling one where both want the same core: a newcomer waits some milliseconds longer, and nobody's
/// picture stands still. Needs no privilege.
fn yield_to_media() {
    // On Linux this is about the calling thread, not its process.
    if let Err(error) = rustix::process::nice(SIGNALING_NICE) {
        tracing::warn!(%error, "signaling has no lower priority than media");
    }
}

/// Each client is a file, and the usual soft limit of 1,024 is for programs that wait in `select`: takes what the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, current = ?limit.current, "the limit of open files could not be raised");
    }
}

/// Ends when the process is asked to stop.
fn stop_signal() -> Result<impl Future<Output = ()>, NodeError> {
    let listen = |kind| signal(kind).map_err(|e| NodeError::System("cannot listen to signals", e));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
