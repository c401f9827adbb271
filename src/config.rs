//! Configuration: one table of keys, filled from a TOML file, then the environment (`RAMAI_…`), then flags; the later wins.
//!
//! The table below is the only place where a key is described: the `Config` struct, `ramai --help`, `ramai config` and the
//! check for unknown keys all come from it.

mod check;
mod detect;
mod error;
mod flags;
mod key;
mod layers;
mod secret;
mod show;

pub use error::ConfigError;
pub use key::LogFormat;
pub use secret::Keys;

use key::{Key, Kind};
use layers::Layers;
use serde::Deserialize;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Writes the struct and the table of its keys from one list: `/// doc`, `name: type = Kind, "default", dev "default with dev";`
macro_rules! keys {
    ($( $(#[doc = $doc:literal])+ $name:ident: $type:ty = $kind:ident, $default:literal $(, dev $dev:literal)?; )+) => {
        /// Everything the server can be told, checked.
        #[derive(Clone, PartialEq, Debug)]
        pub struct Config {
            $( $(#[doc = $doc])+ pub $name: $type, )+
        }

        /// Every key, in the order in which they are shown.
        const KEYS: &[Key] = &[$(
            Key {
                name: stringify!($name),
                doc: &[$($doc),+],
                kind: Kind::$kind,
                default: $default,
                dev_default: [$($dev,)? $default][0],
            },
        )+];

        impl Config {
            /// Takes every key's value out of the layers.
            fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
                Ok(Self { $( $name: layers.get(stringify!($name))?, )+ })
            }
        }
    };
}

keys! {
    /// Development mode: serve this machine only, with the well-known API key `devkey` (secret `secret`) and the demo page
    /// handing out tokens.
    dev: bool = Bool, "false";
    /// IP address on which HTTP and WebSocket are served.
    bind: IpAddr = Text, "0.0.0.0", dev "127.0.0.1";
    /// TCP port on which HTTP and WebSocket are served; 0 lets the system choose.
    port: u16 = Integer, "7880";
    /// Addresses announced to clients for media: the public ones, where the server stands behind a 1:1 NAT. Empty means
    /// detected: `udp_bind` if that is one address, else the addresses of all interfaces that are up, the default route's first.
    node_ip: Vec<IpAddr> = List, "";
    /// IP address on which media is received; its family (IPv4 or IPv6) is the family of all media.
    udp_bind: IpAddr = Text, "0.0.0.0", dev "127.0.0.1";
    /// UDP port of the first media worker; each further worker takes the next port. 0 lets the system choose all of them.
    udp_base_port: u16 = Integer, "7882";
    /// Media workers, each a thread with its own UDP port; 0 means one for each core.
    workers: u16 = Integer, "0";
    /// Streams that one room may be sent by one media worker before newcomers go to another: each track sent to a participant is one,
    /// and so is the participant. Small rooms stay on one worker, large ones spread; who is in is never moved. 0: rooms never spread.
    worker_streams: u32 = Integer, "500";
    /// API keys and their secrets, which sign the tokens of clients and of your application: in the file a table
    /// `[keys]` of `name = "secret"`, else `name:secret,name:secret`. A secret has at least 32 characters. Never shown.
    keys: Keys = Secrets, "", dev "devkey:secret";
    /// Serve the demo page at `/`.
    demo: bool = Bool, "true";
    /// Let anybody who opens the demo page join any room: `POST /demo/token` gives out tokens.
    demo_tokens: bool = Bool, "false", dev "true";
    /// How many participants one room takes; 0 means no limit.
    max_participants: u32 = Integer, "1000";
    /// How many participants all rooms together take; 0 means no limit.
    max_total_participants: u32 = Integer, "0";
    /// How many rooms there may be at a time, those that just became empty included; 0 means no limit.
    max_rooms: u32 = Integer, "10000";
    /// How many tracks one participant may publish: 1 to 32.
    max_tracks: u32 = Integer, "16";
    /// How many newcomers are let in in a second, for long; fewer while media workers are busy. Beyond it they wait for up to 8 s, and then
    /// are answered 503 with a time to come back. Whoever is in its room already isn't asked to wait. 0 means no limit.
    join_rate: u32 = Integer, "100";
    /// How many newcomers are let in at once after a quiet time.
    join_burst: u32 = Integer, "200";
    /// How many requests one client may send in a second, for long; ten times as many at once. Who sends more is disconnected.
    request_rate: u32 = Integer, "100";
    /// Bytes of data messages that one participant may send in a second, for long; twice as many at once. What is over it is dropped.
    data_rate: u32 = Integer, "8388608";
    /// How many TCP connections for HTTP and WebSocket may be open; what comes beyond is answered 503 unread. 0 means no limit.
    max_connections: u32 = Integer, "10000";
    /// Whether the server API may unmute somebody's microphone or camera, not only mute it. Off, people open their own.
    remote_unmute: bool = Bool, "false";
    /// How many microphones of a room are heard at once, the loudest; the others are silent to everybody until they are louder. 0: all.
    audible: u8 = Integer, "5";
    /// From how many participants on a room hears through speaker slots: `audible` tracks into which the server puts the loudest, instead
    /// of a track for each microphone. 0: never.
    speaker_slots_from: u32 = Integer, "50";
    /// How many cameras, and as many screens, a client that subscribes to everything is sent without asking, the first of the room. It
    /// subscribes to any other itself. 0: all.
    auto_subscribe_videos: u32 = Integer, "50";
    /// Addresses with port on which metrics for Prometheus are served, at `/metrics`: `127.0.0.1:9464`. Empty means nowhere, but
    /// with `dev` beside everything else. They tell who talks how much: keep them from the public.
    metrics_bind: Vec<SocketAddr> = List, "";
    /// What is logged, to standard error: a level (error, warn, info, debug, trace) or a list of `target=level`.
    log: String = Text, "info";
    /// How it is logged: `text` or `json`, one object a line.
    log_format: LogFormat = Text, "text";
}

/// What the process was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Run the server.
    Serve,
    /// Print this text to standard output: every key with its default and its value in force, as TOML.
    Show(String),
}

/// The configuration and the command of a process, from its arguments (without the program's name), its environment and the
/// file that one of these names. It reads nothing else, so the same input gives the same result.
///
/// # Errors
/// The first thing that is wrong: [`ConfigError`] names the key and where it came from. `--help` and `--version` are errors
/// here too, of the kind [`ConfigError::Usage`], which prints itself and ends well.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Path) -> std::io::Result<String>,
) -> Result<(Config, Command), ConfigError> {
    let flags = flags::parse(args)?;
    let env = layers::environment(env)?;
    let mut layers = Layers::default();
    if let Some(path) = flags.file.as_deref().or(env.file.as_deref()) {
        layers.add_file(path, read)?;
    }
    layers.add(env.values);
    layers.add(flags.values);
    layers.add_defaults()?;
    let config = Config::from_layers(&layers)?;
    check::values(&config, &layers)?;
    if flags.show {
        let text = show::render(&layers);
        return Ok((config, Command::Show(text)));
    }
    check::complete(&config)?;
    Ok((config, Command::Serve))
}

impl Config {
    /// How many media workers run: the number asked for, or one for each core this process may use.
    pub fn worker_count(&self) -> u16 {
        match self.workers {
            0 => {
                std::thread::available_parallelism().map_or(1, |n| n.get().min(usize::from(check::MAX_WORKERS)) as u16)
            }
            n => n,
        }
    }

    /// The addresses to announce for media: `node_ip`, or what is detected where that is empty. Never empty.
    ///
    /// # Errors
    /// The interfaces can't be listed, or none has an address of the family of `udp_bind`.
    pub fn node_ips(&self) -> std::io::Result<Vec<IpAddr>> {
        if self.node_ip.is_empty() { detect::node_ips(self.udp_bind) } else { Ok(self.node_ip.clone()) }
    }
}

#[cfg(test)]
mod tests;
