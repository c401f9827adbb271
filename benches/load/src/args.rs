//! The command line.

use crate::Error;
use crate::dialect::Protocol;
use crate::media::descriptor::Codec;
use crate::media::pacer::Pacing;
use crate::media::scalability::Mode;
use crate::scenario::Scenario;
use clap::Parser;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Load generator for WebRTC group-call servers: many light participants with real ICE, DTLS and SRTP, and honest numbers.
///
/// A run is bounded: participants come, stay for --duration, and leave. It ends with exit code 1 if an expectation failed, 2 if it
/// could not be made.
#[derive(Clone, Debug, Parser)]
#[command(name = "ramai-load", version, max_term_width = 120)]
pub struct Args {
    /// The server, for signaling.
    #[arg(long, default_value = "http://127.0.0.1:7880")]
    pub url: String,
    /// How to join.
    #[arg(long, value_enum, default_value_t = Protocol::V1)]
    pub dialect: Protocol,
    /// API key that tokens are made with.
    #[arg(long, default_value = "devkey", env = "RAMAI_LOAD_API_KEY")]
    pub api_key: String,
    /// Its secret.
    #[arg(long, default_value = "secret", env = "RAMAI_LOAD_API_SECRET", hide_env_values = true)]
    pub api_secret: String,
    /// Send media to this address instead of where the server says, for example through `lossy`.
    #[arg(long, value_name = "ADDRESS")]
    pub media_via: Option<SocketAddr>,
    /// Confirms that a server beyond this machine and its private networks is yours: load on others' servers is an attack.
    #[arg(long)]
    pub i_own_this_server: bool,

    /// What happens.
    #[arg(long, value_enum, default_value_t = Scenario::Broadcast)]
    pub scenario: Scenario,
    /// Participants; in broadcast and webinar those who receive.
    #[arg(long)]
    pub participants: Option<usize>,
    /// Participants that publish.
    #[arg(long)]
    pub publishers: Option<usize>,
    /// Cameras that each receives at most.
    #[arg(long)]
    pub visible: Option<usize>,
    /// Microphones that each receives at most.
    #[arg(long)]
    pub audible: Option<usize>,
    /// Simulcast layers of each camera, 0 to 3; 0 is no camera.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub layers: Option<u8>,
    /// What video looks like.
    #[arg(long, value_enum, default_value_t = Codec::Vp8)]
    pub codec: Codec,
    /// Bitrates of a camera's simulcast layers instead of LiveKit's, in kbit/s, lowest first.
    #[arg(long, value_name = "KBPS,…", value_delimiter = ',', conflicts_with = "svc")]
    pub rates: Vec<u32>,
    /// Cameras are sent in three spatial layers of one stream, not in simulcast; with VP9 and AV1.
    #[arg(long, value_enum, conflicts_with = "layers")]
    pub svc: Option<Mode>,
    /// Cameras show the VP8 films of this folder (`<actor>-<height>.ivf`, heights as a camera's layers) instead of invented pictures, so
    /// that a browser can watch; what is received isn't checked.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["codec", "svc", "layers"])]
    pub film: Option<PathBuf>,
    /// Names of participants, one a line, given in turn.
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// Share of publishers that have a camera; the others send sound only.
    #[arg(long, default_value_t = 1.0)]
    pub cameras: f64,
    /// Publishers go on with layers that nobody watches, whatever the server says.
    #[arg(long)]
    pub no_dynacast: bool,
    /// How publishers space a camera's packets.
    #[arg(long, value_enum, default_value_t = Pacing::Burst)]
    pub pacing: Pacing,
    /// Highest layer that receivers ask for: 0, 1 or 2.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub quality: Option<u8>,
    /// Share of the time that each publisher talks, 0.0 to 1.0.
    #[arg(long)]
    pub talk: Option<f64>,
    /// Joins in a second.
    #[arg(long)]
    pub join_rate: Option<f64>,
    /// How long one stays on average in churn and soak.
    #[arg(long, value_parser = duration)]
    pub stay: Option<Duration>,
    /// How long to stay after all have joined.
    #[arg(long, value_parser = duration)]
    pub duration: Option<Duration>,
    /// Not measured at the start of the stay: key frames, first requests.
    #[arg(long, value_parser = duration, default_value = "2s")]
    pub settle: Duration,
    /// Who is answered 503 comes back when the server says, for so long; joins are timed from the first attempt.
    #[arg(long, value_parser = duration)]
    pub retry: Option<Duration>,
    /// Hear the room through its speaker slots, instead of subscribing to each microphone.
    #[arg(long)]
    pub slots: bool,
    /// The room's name; with Janus its number.
    #[arg(long)]
    pub room: Option<String>,
    /// Take runs of datagrams as one (UDP GRO): as if a network card had done the server's segmenting. Lighter for both on one machine.
    #[arg(long)]
    pub gro: bool,
    /// Share of receivers that decrypt and check all that they get; the others count by header.
    #[arg(long, default_value_t = 0.05)]
    pub check_share: f64,
    /// Of all that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Process whose CPU and memory are read from /proc.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Where the JSON document goes; `-` is standard output.
    #[arg(long, default_value = "-")]
    pub json: PathBuf,
    /// Where a line of JSON goes for each second of the run; `-` is standard error.
    #[arg(long)]
    pub live: Option<PathBuf>,
    /// End early, and fail, after a second in which a larger share of packets was lost: to find out what a server can take without
    /// staying where it can't.
    #[arg(long, value_name = "SHARE")]
    pub abort_loss: Option<f64>,
    /// No progress lines.
    #[arg(long)]
    pub quiet: bool,

    /// What must hold.
    #[command(flatten)]
    pub expect: Expect,
}

/// What must hold, or the run ends with exit code 1. That every join succeeds and every track flows is expected always,
/// but for microphones with --allow-unheard.
#[derive(Clone, Copy, Debug, Default, clap::Args, serde::Serialize)]
pub struct Expect {
    /// Share of packets lost for good, for example 0.001; also of those a server lost before it numbered them.
    #[arg(long, value_name = "SHARE")]
    pub expect_loss_below: Option<f64>,
    /// Share of packets that came twice.
    #[arg(long, value_name = "SHARE")]
    pub expect_duplicates_below: Option<f64>,
    /// Share of packets that came out of order or had to be sent again.
    #[arg(long, value_name = "SHARE")]
    pub expect_disorder_below: Option<f64>,
    /// 99th percentile from publisher to receiver, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub expect_latency_p99_below: Option<f64>,
    /// 95th percentile of joins, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub expect_join_p95_below: Option<f64>,
    /// Freezes of all pictures together.
    #[arg(long, value_name = "COUNT")]
    pub expect_freezes_below: Option<u64>,
    /// Server CPU for each forwarded packet, in microseconds.
    #[arg(long, value_name = "US")]
    pub expect_cpu_below: Option<f64>,
    /// Growth of the server's resident memory while all stay, in MiB.
    #[arg(long, value_name = "MIB")]
    pub expect_growth_below: Option<f64>,
    /// The longest that a picture may stand still, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub expect_gap_below: Option<f64>,
    /// Microphones that are never heard are no fault: the server forwards only the loudest.
    #[arg(long)]
    pub allow_unheard: bool,
    /// Share of joins that may fail.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub allow_failed_joins: f64,
}

/// `90`, `90s`, `5m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| "a number of seconds, or with ms, s, m or h".to_owned())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err("units are ms, s, m and h".into()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

/// A server as the URL names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Host and port.
    pub server: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Args {
    /// Resolves the URL, and refuses what isn't on this machine or in a private network.
    ///
    /// # Errors
    /// If it can't be resolved, isn't plain HTTP, or is somebody else's.
    pub fn target(&self) -> Result<Target, Error> {
        let usage = |text: String| Error::Usage(text);
        let rest = self
            .url
            .strip_prefix("http://")
            .or(self.url.strip_prefix("ws://"))
            .ok_or_else(|| usage("--url must begin with http:// or ws://; measure before the TLS proxy".into()))?;
        let server = rest.split('/').next().unwrap_or_default().to_owned();
        let server = if server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            server
        } else {
            format!("{server}:80")
        };
        let resolved = std::net::ToSocketAddrs::to_socket_addrs(&server);
        let addresses: Vec<IpAddr> = resolved.map_err(|e| usage(format!("{server}: {e}")))?.map(|a| a.ip()).collect();
        let all = addresses.iter().copied().chain(self.media_via.map(|via| via.ip()));
        if let Some(foreign) = all.into_iter().find(|ip| !is_private(*ip))
            && !self.i_own_this_server
        {
            return Err(usage(format!(
                "{foreign} is not on this machine or a private network; if the server is yours, say --i-own-this-server"
            )));
        }
        Ok(Target { server, addresses })
    }
}

/// This machine, a private network (RFC 1918, RFC 4193), a link, or addresses kept for benchmarks (RFC 2544).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || (a == 198 && (b & 0xfe) == 18)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(args: &[&str]) -> Result<Target, Error> {
        Args::try_parse_from(std::iter::once("ramai-load").chain(args.iter().copied())).unwrap().target()
    }

    #[test]
    fn others_servers_are_refused() {
        for own in [
            "http://127.0.0.1:7880",
            "http://10.1.2.3:7880",
            "http://192.168.0.9",
            "ws://[::1]:80/",
            "http://198.18.0.1:1",
        ] {
            assert!(target(&["--url", own]).is_ok(), "{own}");
        }
        assert!(target(&["--url", "http://192.0.2.1:7880"]).unwrap_err().to_string().contains("--i-own-this-server"));
        assert!(target(&["--url", "http://8.8.8.8"]).is_err());
        assert!(target(&["--url", "http://8.8.8.8", "--i-own-this-server"]).is_ok());
        assert!(target(&["--media-via", "8.8.8.8:1"]).is_err());
        assert!(target(&["--url", "https://127.0.0.1"]).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert!(duration("5 parsecs").is_err() && duration("x").is_err() && duration("-1").is_err());
    }
}
