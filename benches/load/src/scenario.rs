//! Scenarios by name: who comes when, sends what and looks at what. Every number of theirs can be overridden.

use crate::Error;
use crate::args::Args;
use crate::dialect::{Protocol, Publish, Seat, View};
use crate::media::descriptor::Codec;
use crate::media::encoder::{CAMERA, Shape};
use crate::media::film;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// What happens in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// One publishes camera and microphone, N receive.
    Broadcast,
    /// N publish and receive, each sees M cameras.
    Meeting,
    /// Ten publish, N receive.
    Webinar,
    /// N microphones, most of them silent.
    Speakers,
    /// N join a broadcast at once.
    Storm,
    /// Participants of a meeting leave and others come, all the time.
    Churn,
    /// A meeting with churn for hours.
    Soak,
    /// N join, are connected, publish nothing and subscribe to nothing: what a participant costs by being there.
    Idle,
}

/// One participant with its times, from the beginning of the run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Who.
    pub seat: Seat,
    /// When it sets out.
    pub at: Duration,
    /// When it leaves; else at the end.
    pub until: Option<Duration>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order of their coming.
    pub seats: Vec<Planned>,
    /// From when everybody who comes at first should have joined.
    pub joined_by: Duration,
    /// How long they stay then.
    pub duration: Duration,
}

/// The numbers of a scenario.
struct Numbers {
    publishers: usize,
    receivers: usize,
    view: View,
    layers: u8,
    talk: f64,
    join_rate: f64,
    duration: u64,
    /// How long one stays, on average; else all the time.
    stay: Option<f64>,
}

impl Scenario {
    fn numbers(self, participants: Option<usize>) -> Numbers {
        const ALL: usize = usize::MAX;
        let all = View { audible: ALL, visible: ALL, quality: 2, slots: false };
        let base = Numbers {
            publishers: 1,
            receivers: participants.unwrap_or(100),
            view: all,
            layers: 3,
            talk: 1.0,
            join_rate: 50.0,
            duration: 20,
            stay: None,
        };
        let meeting =
            Numbers { publishers: participants.unwrap_or(10), receivers: 0, talk: 0.2, join_rate: 10.0, ..base };
        match self {
            Scenario::Broadcast => base,
            Scenario::Meeting => meeting,
            Scenario::Webinar => Numbers { publishers: 10, talk: 0.15, ..base },
            Scenario::Speakers => {
                let publishers = participants.unwrap_or(50);
                Numbers { publishers, layers: 0, talk: (3.0 / publishers.max(1) as f64).min(1.0), ..meeting }
            }
            Scenario::Storm => Numbers { join_rate: base.receivers as f64 / 2.0, ..base },
            Scenario::Churn => Numbers { duration: 60, stay: Some(10.0), ..meeting },
            Scenario::Idle => Numbers { publishers: 0, view: View { audible: 0, visible: 0, ..all }, ..base },
            Scenario::Soak => Numbers { duration: 3_600, stay: Some(120.0), ..meeting },
        }
    }

    /// Makes the plan.
    ///
    /// # Errors
    /// If the numbers make no sense together.
    pub fn plan(self, args: &Args) -> Result<Plan, Error> {
        let mut n = self.numbers(args.participants);
        n.publishers = args.publishers.unwrap_or(n.publishers);
        n.view.visible = args.visible.unwrap_or(n.view.visible);
        n.view.audible = args.audible.unwrap_or(n.view.audible);
        n.view.quality = args.quality.unwrap_or(n.view.quality);
        n.view.slots = args.slots;
        // Nobody can see or hear more; dialects that have to ask for a number ask for this.
        n.view.visible = n.view.visible.min(n.publishers);
        n.view.audible = n.view.audible.min(n.publishers);
        n.layers = args.layers.unwrap_or(n.layers);
        if args.svc.is_some() {
            if args.codec == Codec::Vp8 {
                return Err(Error::Usage("VP8 has no spatial layers: --svc needs --codec vp9 or av1".into()));
            }
            n.layers = n.layers.min(1);
        }
        let mode = args.svc.unwrap_or_default();
        n.talk = args.talk.unwrap_or(n.talk);
        n.join_rate = args.join_rate.unwrap_or(n.join_rate);
        let duration = args.duration.unwrap_or(Duration::from_secs(n.duration));
        if ![n.talk, args.check_share, args.cameras].iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(Error::Usage("--talk, --check-share and --cameras are shares from 0 to 1".into()));
        }
        let films = args.film.as_deref().map(film::load).transpose()?.unwrap_or_default();
        let names = args.names.as_deref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
        let names: Vec<&str> = names.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        let name_of = |place: usize, identity: &str| {
            let name = names.get(place % names.len().max(1));
            name.map_or_else(|| identity.to_owned(), |name| (*name).to_owned())
        };
        if !n.join_rate.is_finite() || n.join_rate <= 0.0 {
            return Err(Error::Usage("--join-rate must be more than 0".into()));
        }
        if self == Scenario::Idle && matches!(args.dialect, Protocol::Whip | Protocol::Janus) {
            return Err(Error::Usage("who is idle has no connection in this dialect: use v1 or v0".into()));
        }
        if n.publishers == 0 && self != Scenario::Idle {
            return Err(Error::Usage("without publishers there is nothing to measure".into()));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        let room = args.room.clone().unwrap_or_else(|| match args.dialect {
            Protocol::Janus => "1234".into(),
            _ => format!("load-{:08x}", rand::random::<u32>()),
        });
        // Without receivers of their own, publishers receive.
        let publishers_view =
            if n.receivers == 0 { n.view } else { View { audible: 0, visible: 0, slots: false, ..n.view } };
        let layers = n.layers;
        let mut number = 0;
        let mut publisher = |rng: &mut ChaCha8Rng| {
            number += 1;
            let place = number as usize - 1;
            let film = films.get(place % films.len().max(1)).cloned().unwrap_or_default();
            // A single encoding is the largest.
            let invented = CAMERA.iter().skip(if layers == 1 { 2 } else { 0 }).take(layers.into()).enumerate();
            let invented = invented.map(|(n, shape)| match args.rates.get(n) {
                Some(kbps) => Shape { bitrate: kbps.saturating_mul(1_000), ..*shape },
                None => *shape,
            });
            let filmed = film.iter().map(|reel| reel.shape);
            let dark = args.cameras < 1.0 && rng.random::<f64>() >= args.cameras;
            let layers = match (dark, film.is_empty()) {
                (true, _) => Vec::new(),
                (false, true) => invented.collect(),
                (false, false) => filmed.collect(),
            };
            let (codec, pacing) = (args.codec, args.pacing);
            let publish = Publish { number, talk: Some(n.talk), layers, codec, pacing, mode, film };
            let identity = format!("publisher-{number}");
            Seat {
                room: room.clone(),
                name: name_of(place, &identity),
                identity,
                publish: Some(publish),
                view: publishers_view,
                checked: false,
                seed: rng.random(),
            }
        };
        let interval = Duration::from_secs_f64(1.0 / n.join_rate);
        let mut seats: Vec<Planned> = Vec::new();
        for place in 0..n.publishers {
            seats.push(Planned { seat: publisher(&mut rng), at: interval * place as u32, until: None });
        }
        // Receivers come when there is something to receive.
        let first = interval * n.publishers as u32
            + if n.publishers > 0 && n.receivers > 0 { Duration::from_secs(1) } else { Duration::ZERO };
        for place in 0..n.receivers {
            let identity = format!("receiver-{place}");
            let seat = Seat {
                room: room.clone(),
                name: name_of(n.publishers + place, &identity),
                identity,
                publish: None,
                view: n.view,
                checked: false,
                seed: rng.random(),
            };
            seats.push(Planned { seat, at: first + interval * place as u32, until: None });
        }
        let joined_by = seats.last().map_or(Duration::ZERO, |s| s.at);
        if let Some(stay) = n.stay.map(|usual| args.stay.map_or(usual, |stay| stay.as_secs_f64())) {
            let end = joined_by + duration;
            churn(&mut seats, stay, end, &mut rng, &mut publisher);
        }
        // Films have no stamps to check.
        check_some(&mut seats, if films.is_empty() { args.check_share } else { 0.0 });
        Ok(Plan { seats, joined_by, duration })
    }
}

/// Gives everybody an end and a successor, until the end of the run.
fn churn(
    seats: &mut Vec<Planned>,
    stay: f64,
    end: Duration,
    rng: &mut ChaCha8Rng,
    publisher: &mut impl FnMut(&mut ChaCha8Rng) -> Seat,
) {
    let mut next = 0;
    while let Some(planned) = seats.get_mut(next) {
        next += 1;
        let until = planned.at + Duration::from_secs_f64(stay * rng.random_range(0.5..1.5));
        // Whoever would come for the last moments isn't missed.
        if until + Duration::from_secs(2) < end {
            planned.until = Some(until);
            seats.push(Planned { seat: publisher(rng), at: until, until: None });
        }
    }
    seats.sort_by_key(|planned| planned.at);
}

/// Chooses those who decrypt, evenly spread: at least one, if any at all.
fn check_some(seats: &mut [Planned], share: f64) {
    let mut receivers: Vec<&mut Seat> = seats.iter_mut().map(|p| &mut p.seat).filter(|s| s.view.wants_any()).collect();
    if share <= 0.0 || receivers.is_empty() {
        return;
    }
    let count = ((receivers.len() as f64 * share).ceil() as usize).clamp(1, receivers.len());
    let total = receivers.len();
    for n in 0..count {
        if let Some(seat) = receivers.get_mut(n * total / count) {
            seat.checked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(args: &[&str]) -> Result<Plan, Error> {
        let args = Args::try_parse_from(std::iter::once("ramai-load").chain(args.iter().copied())).unwrap();
        args.scenario.plan(&args)
    }

    #[test]
    fn a_broadcast_is_one_to_many() {
        let plan = plan(&["--participants", "300"]).unwrap();
        assert_eq!(plan.seats.len(), 301);
        let first = &plan.seats[0].seat;
        assert_eq!((first.publish.as_ref().unwrap().layers.len(), first.view.visible), (3, 0));
        assert!(plan.seats[1..].iter().all(|p| p.seat.publish.is_none() && p.seat.view.visible > 0));
        assert_eq!(plan.seats.iter().filter(|p| p.seat.checked).count(), 15);
        assert!(plan.seats.is_sorted_by_key(|p| p.at));
    }

    #[test]
    fn a_meeting_is_all_to_all_with_some_visible() {
        let plan = plan(&["--scenario", "meeting", "--participants", "20", "--visible", "9", "--layers", "1"]).unwrap();
        assert_eq!(plan.seats.len(), 20);
        for planned in &plan.seats {
            let publish = planned.seat.publish.as_ref().unwrap();
            assert_eq!((planned.seat.view.visible, publish.layers[0].width), (9, 1280));
        }
    }

    #[test]
    fn churn_keeps_the_room_full_to_the_end() {
        let plan = plan(&["--scenario", "churn", "--participants", "5", "--duration", "60s"]).unwrap();
        assert!(plan.seats.len() > 15);
        let identities: std::collections::BTreeSet<_> = plan.seats.iter().map(|p| &p.seat.identity).collect();
        assert_eq!(identities.len(), plan.seats.len());
        assert_eq!(plan.seats.iter().filter(|p| p.until.is_none()).count(), 5);
        for second in 2..60 {
            let at = Duration::from_secs(second);
            let present = plan.seats.iter().filter(|p| p.at <= at && p.until.is_none_or(|u| u > at)).count();
            assert_eq!(present, 5, "{second}");
        }
    }

    #[test]
    fn spatial_layers_are_one_encoding_of_a_codec_that_has_them() {
        let one = plan(&["--svc", "L3T3_KEY", "--codec", "vp9"]).unwrap().seats.remove(0).seat.publish.unwrap();
        assert_eq!((one.layers.len(), one.layers[0].width, one.mode.spatial()), (1, 1280, 3));
        assert!(plan(&["--svc", "L3T3"]).is_err());
    }

    #[test]
    fn the_idle_are_there_and_nothing_else() {
        let plan = plan(&["--scenario", "idle", "--participants", "7"]).unwrap();
        assert_eq!(plan.seats.len(), 7);
        assert!(plan.seats.iter().all(|p| p.seat.publish.is_none() && !p.seat.view.wants_any() && !p.seat.checked));
        assert!(super::tests::plan(&["--scenario", "idle", "--dialect", "whip"]).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [["--talk", "2"], ["--check-share", "-1"], ["--join-rate", "0"], ["--publishers", "0"]] {
            let args = format!("{}={}", args[0], args[1]);
            assert!(plan(&[&args]).is_err(), "{args}");
        }
    }
}
