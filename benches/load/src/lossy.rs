//! A UDP proxy between participants and a server that does to media what bad servers do: drop, duplicate, delay, and keep what they
//! should let go. It exists to show
//! that the load generator sees it.
//!
//! Faults concern RTP from the server only; joining stays as it is. Each participant gets a socket of its own towards the server.

use crate::Error;
use ramai_sfu::demux::Class;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Faults {
    /// Share of packets that vanish.
    #[arg(long, default_value_t = 0.0)]
    pub drop: f64,
    /// Share of packets that come twice.
    #[arg(long, default_value_t = 0.0)]
    pub duplicate: f64,
    /// Added to every packet's way, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub delay_ms: u64,
    /// Keep a copy of every packet for good, as a server that leaks does.
    #[arg(long)]
    pub leak: bool,
    /// Of all that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Larger than any datagram on the way.
const DATAGRAM: usize = 2048;
/// Packets on their way to one participant.
const QUEUE: usize = 10_000;

/// A running proxy; it ends when dropped.
pub struct Proxy {
    /// Where participants send to.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens on `port` of the loopback address (0 is any) for traffic to `server`.
    ///
    /// # Errors
    /// If it can't listen.
    pub async fn start(port: u16, server: SocketAddr, faults: Faults) -> Result<Self, Error> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?);
        let address = front.local_addr()?;
        let task = tokio::spawn(async move {
            // What is spawned in it ends with the set.
            let mut legs = tokio::task::JoinSet::new();
            let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut datagram = [0; DATAGRAM];
            while let Ok((len, from)) = front.recv_from(&mut datagram).await {
                let back = match backs.get(&from) {
                    Some(back) => back.clone(),
                    None => {
                        let any: IpAddr = if server.is_ipv4() {
                            Ipv4Addr::UNSPECIFIED.into()
                        } else {
                            std::net::Ipv6Addr::UNSPECIFIED.into()
                        };
                        let Ok(back) = UdpSocket::bind((any, 0)).await else { continue };
                        if back.connect(server).await.is_err() {
                            continue;
                        }
                        let back = Arc::new(back);
                        backs.insert(from, back.clone());
                        let seed = faults.seed.wrapping_add(backs.len() as u64);
                        legs.spawn(leg(back.clone(), front.clone(), from, Faults { seed, ..faults }));
                        back
                    }
                };
                // A refused port is the server's end; participants will notice.
                let _ = back.send(datagram.get(..len).unwrap_or_default()).await;
            }
        });
        Ok(Self { address, task })
    }
}

/// From the server to one participant, with faults.
async fn leg(back: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, faults: Faults) {
    let mut rng = ChaCha8Rng::seed_from_u64(faults.seed);
    let (late, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
    let read = async {
        let mut datagram = [0; DATAGRAM];
        let mut leaked: Vec<Vec<u8>> = Vec::new();
        loop {
            let Ok(len) = back.recv(&mut datagram).await else { continue };
            let bytes = datagram.get(..len).unwrap_or_default();
            let media = Class::of(bytes) == Class::Rtp;
            if faults.leak {
                leaked.push(bytes.to_vec());
            }
            if media && rng.random_bool(faults.drop.clamp(0.0, 1.0)) {
                continue;
            }
            let copies = 1 + usize::from(media && rng.random_bool(faults.duplicate.clamp(0.0, 1.0)));
            let at = Instant::now() + Duration::from_millis(if media { faults.delay_ms } else { 0 });
            for _ in 0..copies {
                if media && faults.delay_ms > 0 {
                    // A full queue drops, as a line does.
                    let _ = late.try_send((at, bytes.to_vec()));
                } else {
                    let _ = front.send_to(bytes, to).await;
                }
            }
        }
    };
    let write = async {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            let _ = front.send_to(&bytes, to).await;
        }
    };
    tokio::join!(read, write);
}
