//! Which frame builds on which: three temporal layers, over one spatial layer or three, as the templates of a dependency
//! descriptor tell it (AV1 RTP specification 1.0, appendix A).
//!
//! Pictures come in turns of four, of the temporal layers 0, 2, 1, 2. A picture has a frame for each spatial layer, lowest first.
//! Every frame follows a template exactly, so templates need no exceptions.

/// Temporal layers.
pub const TEMPORAL: usize = 3;

/// How the layers of one stream hang together; names are those of W3C's scalability modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum, serde::Serialize)]
pub enum Mode {
    /// One spatial layer.
    #[default]
    #[value(skip)]
    L1t3,
    /// Three spatial layers that always build on each other.
    #[value(name = "L3T3")]
    L3t3,
    /// Three spatial layers that build on each other only in key pictures: what browsers send unless told otherwise.
    #[value(name = "L3T3_KEY")]
    L3t3Key,
}

/// A frame's place in the turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Of a key picture.
    Key,
    /// Temporal layer 0.
    Base,
    /// Temporal layer 1.
    Middle,
    /// Temporal layer 2, after layer 0.
    TopFirst,
    /// Temporal layer 2, after layer 1.
    TopSecond,
}

/// In the order of templates; there is one of each for every spatial layer.
pub const KINDS: [Kind; 5] = [Kind::Key, Kind::Base, Kind::Middle, Kind::TopFirst, Kind::TopSecond];

/// What a frame is to a decode target (section A.8.1.1), by its two bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indication {
    /// Not in it.
    NotPresent = 0,
    /// Nothing builds on it.
    Discardable = 1,
    /// Who wasn't in this target before may begin with it.
    Switch = 2,
    /// Others may build on it.
    Required = 3,
}

impl Kind {
    /// The kind of picture number `phase` of a turn.
    pub fn at(phase: usize, key: bool) -> Self {
        match phase % 4 {
            _ if key => Kind::Key,
            0 => Kind::Base,
            1 => Kind::TopFirst,
            2 => Kind::Middle,
            _ => Kind::TopSecond,
        }
    }

    /// Its temporal layer.
    pub fn temporal(self) -> u8 {
        match self {
            Kind::Key | Kind::Base => 0,
            Kind::Middle => 1,
            Kind::TopFirst | Kind::TopSecond => 2,
        }
    }

    /// Pictures back to the one that it builds on.
    fn back(self) -> Option<usize> {
        match self {
            Kind::Key => None,
            Kind::Base => Some(4),
            Kind::Middle => Some(2),
            Kind::TopFirst | Kind::TopSecond => Some(1),
        }
    }
}

impl Mode {
    /// Spatial layers.
    pub fn spatial(self) -> usize {
        if self == Mode::L1t3 { 1 } else { 3 }
    }

    /// Whether a frame builds on the lower spatial layer of its picture.
    pub fn on_lower(self, spatial: usize, kind: Kind) -> bool {
        spatial > 0 && (kind == Kind::Key || self == Mode::L3t3)
    }

    /// Number of a frame's template.
    pub fn template(self, spatial: usize, kind: Kind) -> u8 {
        (spatial * KINDS.len() + KINDS.iter().position(|k| *k == kind).unwrap_or(0)) as u8
    }

    /// What a frame is to the decode target of spatial layer `to.0` and temporal layer `to.1`.
    pub fn indication(self, spatial: usize, kind: Kind, to: (usize, usize)) -> Indication {
        let temporal = usize::from(kind.temporal());
        match kind {
            _ if to.0 < spatial || to.1 < temporal => Indication::NotPresent,
            Kind::Key => Indication::Switch,
            _ if to.0 > spatial && self == Mode::L3t3 => Indication::Required,
            _ if to.0 > spatial => Indication::NotPresent,
            _ if temporal > 0 && to.1 == temporal => Indication::Discardable,
            _ => Indication::Switch,
        }
    }

    /// How many frames back are those that a frame builds on.
    pub fn frame_diffs(self, spatial: usize, kind: Kind) -> Vec<u8> {
        let picture = kind.back().map(|pictures| (pictures * self.spatial()) as u8);
        let lower = self.on_lower(spatial, kind).then_some(1);
        picture.into_iter().chain(lower).collect()
    }

    /// For each chain (one for each spatial layer: what must not be lost to see it at all) how many frames back its last frame is.
    pub fn chain_diffs(self, spatial: usize, kind: Kind) -> Vec<u8> {
        // Plays a key picture and the turn after it up to the frame.
        let mut last = vec![None; self.spatial()];
        for picture in 0..=4usize {
            let playing = Kind::at(picture, picture == 0);
            for layer in 0..self.spatial() {
                let number = picture * self.spatial() + layer;
                if (playing, layer) == (kind, spatial) {
                    return last.iter().map(|at: &Option<usize>| at.map_or(0, |at| (number - at) as u8)).collect();
                }
                for (chain, at) in last.iter_mut().enumerate().skip(layer) {
                    let in_chain = chain == layer || playing == Kind::Key || self == Mode::L3t3;
                    if playing.temporal() == 0 && in_chain {
                        *at = Some(number);
                    }
                }
            }
        }
        Vec::new()
    }
}
