//! Reads the traces in `tests/levels` and plays them to the choice of speakers.

use ramai_sfu::id::{TrackId, TransportId};
use ramai_sfu::rtp::AudioLevel;
use ramai_sfu::speakers::Speakers;
use std::path::Path;
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(20);
/// Louder than this by so many dB than a person's noise is a sound that others should hear.
const SOUND: u8 = 20;

/// When somebody spoke.
#[derive(Debug)]
pub struct Turn {
    pub who: String,
    pub begin: Duration,
    pub end: Duration,
}

/// What the microphones of a meeting wrote into their packets.
pub struct Trace {
    people: Vec<(String, Vec<u8>)>,
    turns: Vec<Turn>,
}

impl Trace {
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/levels").join(name).with_extension("txt");
        let mut trace = Self { people: Vec::new(), turns: Vec::new() };
        for line in std::fs::read_to_string(path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["mark", who, "speaks", begin, end] => {
                    let seconds = |text: &str| Duration::from_secs_f64(text.parse().unwrap());
                    trace.turns.push(Turn { who: who.to_string(), begin: seconds(begin), end: seconds(end) });
                }
                ["mark", ..] => {}
                ["person", who] => trace.people.push((who.to_string(), Vec::new())),
                [levels] => {
                    let bytes = levels.as_bytes().chunks(2).map(|hex| std::str::from_utf8(hex).unwrap());
                    trace.people.last_mut().unwrap().1.extend(bytes.map(|hex| u8::from_str_radix(hex, 16).unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
        trace
    }

    /// When who spoke, in order.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter()
    }
}

/// What came of it.
pub struct Played {
    /// Who had the floor, from when on.
    pub floor: Vec<(Duration, String)>,
    /// Of each person and frame: it was a sound, and it was let through.
    frames: Vec<(String, Vec<(bool, bool)>)>,
}

impl Played {
    /// How long after the beginning of the first sound of a turn the first of it was let through.
    pub fn first_heard(&self, turn: &Turn) -> Duration {
        let (sounds, heard): (Vec<_>, Vec<_>) = self.of(turn).unzip();
        let first = sounds.iter().position(|sound| *sound).unwrap();
        let heard = heard.iter().skip(first).position(|heard| *heard);
        heard.map_or(Duration::MAX, |frames| FRAME * frames as u32)
    }

    /// How much of a turn's sounds wasn't let through.
    pub fn unheard(&self, turn: &Turn) -> Duration {
        FRAME * self.of(turn).filter(|(sound, heard)| *sound && !heard).count() as u32
    }

    fn of(&self, turn: &Turn) -> impl Iterator<Item = (bool, bool)> {
        let frame = |at: Duration| (at.as_millis() / FRAME.as_millis()) as usize;
        let (_, frames) = self.frames.iter().find(|(who, _)| *who == turn.who).unwrap();
        frames.iter().copied().take(frame(turn.end)).skip(frame(turn.begin))
    }
}

/// Plays a trace as packets of 20 ms each; so many people are let through.
#[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
pub fn play(trace: &Trace, audible: usize) -> Played {
    let start = Instant::now();
    let mut speakers = Speakers::new(audible);
    let frames = trace.people.iter().map(|(who, _)| (who.clone(), Vec::new())).collect();
    let mut played = Played { floor: Vec::new(), frames };
    let count = trace.people.iter().map(|(_, levels)| levels.len()).min().unwrap();
    for frame in 0..count {
        let now = start + FRAME * frame as u32;
        for (index, (_, levels)) in trace.people.iter().enumerate() {
            let level = AudioLevel { level: levels[frame], voice: false };
            let id = index as u64 + 1;
            let seat = speakers.observe(now, TrackId(id), TransportId(id), level);
            let noise = *levels.iter().max().unwrap();
            let sound = levels[frame] + SOUND < noise;
            played.frames[index].1.push((sound, seat.is_some()));
        }
        let Some(heard) = speakers.poll(now) else { continue };
        let who = heard.dominant.and_then(|track| trace.people.get(track.0 as usize - 1)).map(|(who, _)| who.clone());
        if let Some(who) = who.filter(|who| played.floor.last().is_none_or(|(_, last)| last != who)) {
            played.floor.push((now - start, who));
        }
    }
    played
}
