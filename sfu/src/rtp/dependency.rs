//! Dependency descriptor (AV1 RTP specification 1.0, appendix A): frame boundaries, layers, and which of them need a frame, without
//! looking at payload.

use super::frame::{FrameMeta, Rise};
use super::media::LayerSet;
use smallvec::SmallVec;

/// Templates are numbered with six bits.
const MAX_TEMPLATES: usize = 64;
/// Decode targets are counted with five bits.
const MAX_TARGETS: u8 = 32;

/// The newest template structure of a stream: what later packets refer to by template id.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    offset: u8,
    templates: SmallVec<[Template; 16]>,
    /// (spatial, temporal) of each decode target.
    targets: SmallVec<[(u8, u8); 9]>,
    /// The decode targets that are sent, a bit each.
    active: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Template {
    spatial: u8,
    temporal: u8,
    indications: Indications,
}

/// What a frame is to each decode target: two bits each.
#[derive(Clone, Copy, Debug, Default)]
struct Indications(u64);

/// Indication: a receiver of this target may begin here, if it can decode this frame.
const SWITCH: u8 = 2;

impl Indications {
    fn read(bits: &mut Bits<'_>, targets: u8) -> Option<Self> {
        let mut all = 0;
        for target in 0..targets {
            all |= u64::from(bits.take(2)?) << (2 * target);
        }
        Some(Self(all))
    }

    fn of(self, target: usize) -> u8 {
        (self.0 >> (2 * target)) as u8 & 0x03
    }
}

/// The frame number, in the mandatory fields of every descriptor.
pub fn frame_number(descriptor: &[u8]) -> Option<u16> {
    match descriptor {
        &[_, high, low, ..] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

impl Structure {
    /// Reads one descriptor. A template structure in it starts a key frame, and is remembered.
    pub fn read(&mut self, descriptor: &[u8]) -> Option<FrameMeta> {
        let &[first, _, _, ref rest @ ..] = descriptor else { return None };
        let mut meta = FrameMeta { start: first & 0x80 != 0, end: first & 0x40 != 0, ..FrameMeta::default() };
        let custom = self.extended(rest, &mut meta);
        let slot = (first & 0x3f).wrapping_sub(self.offset) & 0x3f;
        if let Some(template) = self.templates.get(usize::from(slot)) {
            (meta.spatial, meta.temporal) = (template.spatial, template.temporal);
            let indications = custom.unwrap_or(template.indications);
            meta.needed_above = self.any(|(spatial, _), at| spatial > meta.spatial && indications.of(at) != 0);
            meta.rise = self.rise(&meta, indications);
        }
        meta.spatials = self.spatials();
        Some(meta)
    }

    /// The fields behind the mandatory ones, as far as they can be read; the frame's own indications, if it has some.
    fn extended(&mut self, fields: &[u8], meta: &mut FrameMeta) -> Option<Indications> {
        let mut bits = Bits { bytes: fields, at: 0 };
        let (structure, active, custom) = (bits.flag()?, bits.flag()?, bits.flag()?);
        bits.take(2)?; // custom frame differences and chains, which stand at the end
        if structure {
            *self = Structure::parse(&mut bits)?;
            meta.keyframe = meta.start;
        }
        let targets = self.targets.len() as u8;
        if active {
            let mut mask = 0;
            for target in 0..targets {
                mask |= u32::from(bits.flag()?) << target;
            }
            self.active = mask;
        }
        if custom { Indications::read(&mut bits, targets) } else { None }
    }

    /// Reads a template structure up to its end.
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = bits.take(6)?;
        let count = bits.take(5)? + 1;
        let mut templates: SmallVec<[Template; 16]> = SmallVec::new();
        let mut next = Template::default();
        loop {
            if templates.len() >= MAX_TEMPLATES {
                return None;
            }
            templates.push(next);
            match bits.take(2)? {
                0 => {}
                1 => next.temporal += 1,
                2 => (next.spatial, next.temporal) = (next.spatial + 1, 0),
                _ => break,
            }
        }
        for template in &mut templates {
            template.indications = Indications::read(bits, count)?;
        }
        // A target has the layers of all frames that it needs.
        let layers = |target: u8| {
            let needs = templates.iter().filter(|template| template.indications.of(target.into()) != 0);
            needs.fold((0, 0), |(s, t), template| (template.spatial.max(s), template.temporal.max(t)))
        };
        let targets = (0..count).map(layers).collect();
        for _ in &templates {
            while bits.flag()? {
                bits.take(4)?; // a frame difference
            }
        }
        let chains = bits.take_below(count + 1)?;
        if chains > 0 {
            for _ in 0..count {
                bits.take_below(chains)?;
            }
            for _ in 0..templates.len() * usize::from(chains) {
                bits.take(4)?;
            }
        }
        if bits.flag()? {
            let spatials = templates.iter().map(|template| template.spatial).max().unwrap_or(0);
            for _ in 0..=spatials {
                (0..4).try_for_each(|_| bits.take(8).map(|_| ()))?; // width and height
            }
        }
        let active = u32::MAX >> (MAX_TARGETS - count);
        Some(Self { offset, templates, targets, active })
    }

    /// Whether a target that is sent is like this.
    fn any(&self, is: impl Fn((u8, u8), usize) -> bool) -> bool {
        self.targets.iter().enumerate().any(|(at, layers)| self.is_active(at) && is(*layers, at))
    }

    fn is_active(&self, target: usize) -> bool {
        self.active >> target & 1 != 0
    }

    fn spatials(&self) -> LayerSet {
        let active = self.targets.iter().enumerate().filter(|(at, _)| self.is_active(*at));
        active.fold(LayerSet::default(), |set, (_, (spatial, _))| set.with(*spatial))
    }

    /// The temporal layers that may begin at a frame: those of the targets of its spatial layer that it is a switch for.
    fn rise(&self, meta: &FrameMeta, indications: Indications) -> Rise {
        let begins = |(at, (spatial, temporal)): (usize, &(u8, u8))| {
            (*spatial == meta.spatial && indications.of(at) == SWITCH).then_some(*temporal)
        };
        let to = self.targets.iter().enumerate().filter_map(begins).max();
        to.filter(|to| *to > meta.temporal).map_or(Rise::default(), |to| Rise { from: meta.temporal, to })
    }
}

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit != 0)
    }

    /// Up to eight bits.
    fn take(&mut self, count: usize) -> Option<u8> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | byte >> (7 - self.at % 8) & 1;
            self.at += 1;
        }
        Some(value)
    }

    /// A number below `bound` in as few bits as it takes (`ns(n)`, section A.8.1 there).
    fn take_below(&mut self, bound: u8) -> Option<u8> {
        let width = u8::BITS as usize - bound.leading_zeros() as usize;
        let short = (1u16 << width) - u16::from(bound);
        let value = self.take(width.saturating_sub(1))?;
        if u16::from(value) < short {
            return Some(value);
        }
        Some((value << 1).wrapping_add(self.take(1)?).wrapping_sub(short as u8))
    }
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
mod tests;
