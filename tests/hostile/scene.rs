//! The call that runs beside every attack, and what "not disturbed" means.

use livekit_protocol::TrackSource;
use ramai_test_support::{Client, Error, Join, PATIENCE, Server, State, udp_drops};
use std::time::Duration;

/// The room of the call.
pub const ROOM: &str = "quiet";
/// The longest pause in a call that counts as none: what a busy machine may hold up two clients and a server.
const PAUSE: Duration = Duration::from_secs(2);

/// A server with Ana and Ben in a call, both with microphone and camera.
pub struct Scene {
    pub server: Server,
    pub ana: Client,
    pub ben: Client,
}

impl Scene {
    /// The call is under way: each has seen and heard the other.
    pub async fn start() -> Result<Self, Error> {
        let server = Server::start(env!("CARGO_BIN_EXE_ramai"), &[]).await?;
        let ana = Client::join(server.http(), Join::new(ROOM, "ana").publishing()).await?;
        let ben = Client::join(server.http(), Join::new(ROOM, "ben").publishing()).await?;
        let mut scene = Self { server, ana, ben };
        scene.goes_on().await;
        Ok(scene)
    }

    /// Both get half a second more of each other, and nothing was amiss so far.
    pub async fn goes_on(&mut self) {
        for (client, other) in [(&mut self.ana, "ben"), (&mut self.ben, "ana")] {
            let (frames, heard) = (client.state().frames(other), client.state().heard(other));
            client
                .until("the call to go on", |s| {
                    s.ended.is_some() || (s.frames(other) >= frames + 12 && s.heard(other) >= heard + 25)
                })
                .await;
            let state = client.state();
            assert_eq!(state.ended, None, "{}", client.identity());
            assert!(state.participants.contains_key(other), "{} lost sight of {other}", client.identity());
            for source in [TrackSource::Microphone, TrackSource::Camera] {
                let meter = state.from(other, source).expect("received before");
                let got = (meter.duplicates, meter.malformed, meter.discontinuities, meter.ssrcs.len());
                assert_eq!(got, (0, 0, 0, 1), "{} of {other}: {source:?} {meter:?}", client.identity());
                assert!(meter.longest_silence < PAUSE, "{} of {other}: {source:?} {meter:?}", client.identity());
            }
        }
        let dropped = self.dropped_by_kernel();
        let missing = self.ana.state().missing() + self.ben.state().missing();
        assert!(missing <= dropped, "{missing} packets missing, {dropped} of them by the kernel");
    }

    /// Datagrams of the call, or of what else goes to its ports, for which the kernel had no room.
    fn dropped_by_kernel(&self) -> u64 {
        let clients = [&self.ana, &self.ben].map(|c| udp_drops(c.address().port()).expect("the kernel tells"));
        self.server.kernel_drops().expect("the kernel tells") + clients.iter().sum::<u64>()
    }

    /// ICE user name fragments of Ana's connection: the server's and her own.
    pub fn ufrags(&self) -> (String, String) {
        let state: State = self.ana.state();
        let of = |sdp: &str| {
            let line = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
            line.expect("every description has a ufrag").trim().to_owned()
        };
        (of(&state.answer), of(&state.offer))
    }
}

/// Runs an attack to its end, bounded, and then looks at the call.
pub async fn beside_a_call(attack: impl AsyncFnOnce(&Scene)) {
    let mut scene = Scene::start().await.expect("a call to attack");
    tokio::time::timeout(PATIENCE, attack(&scene)).await.expect("the attack ends");
    scene.goes_on().await;
}
