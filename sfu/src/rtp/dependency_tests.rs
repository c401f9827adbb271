use super::*;

/// Bits, most significant first, filled up to bytes.
fn bits(fields: &[(u32, usize)]) -> Vec<u8> {
    let all: Vec<bool> =
        fields.iter().flat_map(|(value, width)| (0..*width).rev().map(move |bit| value >> bit & 1 != 0)).collect();
    all.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at)))
        .collect()
}

/// "SDR-" as indications.
fn indications(words: &str) -> Vec<(u32, usize)> {
    words.chars().map(|c| ("-DSR".find(c).unwrap() as u32, 2)).collect()
}

/// The descriptor of a key frame whose structure has these templates: next-layer step, indications, frame differences; and one chain for
/// each spatial layer.
fn key(offset: u32, targets: u32, templates: &[(u32, &str, &[u32])], chains: u32, active: Option<u32>) -> Vec<u8> {
    let mut fields = vec![(0b11, 2), (offset, 6), (0x0102, 16), (1, 1), (active.is_some().into(), 1), (0, 3)];
    fields.extend([(offset, 6), (targets - 1, 5)]);
    fields.extend(templates.iter().skip(1).map(|(step, _, _)| (*step, 2)));
    fields.push((3, 2));
    fields.extend(templates.iter().flat_map(|(_, words, _)| indications(words)));
    for (_, _, differences) in templates {
        fields.extend(differences.iter().flat_map(|difference| [(1, 1), (*difference - 1, 4)]));
        fields.push((0, 1));
    }
    // Both numbers are below a bound that makes them whole fields here: see `numbers_below_a_bound`.
    let width = |bound: u32| 32 - bound.leading_zeros() as usize;
    let below = |value: u32, bound: u32| {
        let short = (1 << width(bound)) - bound;
        if value < short { (value, width(bound) - 1) } else { (value + short, width(bound)) }
    };
    fields.push(below(chains, targets + 1));
    if chains > 0 {
        fields.extend((0..targets).map(|target| below(target * chains / targets, chains)));
        fields.extend((0..templates.len() as u32 * chains).map(|_| (5, 4)));
    }
    // Resolutions of two spatial layers.
    fields.extend([(1, 1), (639, 16), (359, 16), (1279, 16), (719, 16)]);
    fields.extend(active.map(|mask| ((mask.reverse_bits() >> (32 - targets)), targets as usize)));
    bits(&fields)
}

/// Two spatial layers that build on each other at key pictures only, with two temporal layers each. Targets: (0,0) (0,1) (1,0) (1,1).
const L2T2_KEY: &[(u32, &str, &[u32])] =
    &[(0, "SSSS", &[]), (0, "SS--", &[4]), (1, "-D--", &[2]), (2, "--SS", &[1]), (0, "--SS", &[4]), (1, "---D", &[2])];

fn structure(active: Option<u32>) -> (Structure, FrameMeta) {
    let mut structure = Structure::default();
    let meta = structure.read(&key(9, 4, L2T2_KEY, 2, active)).unwrap();
    (structure, meta)
}

/// The frame of a template, by place.
fn frame(structure: &mut Structure, template: u8) -> FrameMeta {
    structure.read(&[0x80 | (9 + template), 1, 3]).unwrap()
}

#[test]
fn a_template_structure_starts_a_key_frame_and_names_the_layers_after_it() {
    let (mut structure, meta) = structure(None);
    assert!(meta.keyframe && meta.start && meta.end && meta.needed_above);
    assert_eq!(meta.spatials, LayerSet(0b11));
    assert_eq!(frame_number(&key(9, 4, L2T2_KEY, 2, None)), Some(0x102));
    assert_eq!(structure.targets.as_slice(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    let layers: Vec<_> = (0..6).map(|at| frame(&mut structure, at)).map(|meta| (meta.spatial, meta.temporal)).collect();
    assert_eq!(layers, [(0, 0), (0, 0), (0, 1), (1, 0), (1, 0), (1, 1)]);
    let delta = frame(&mut structure, 4);
    assert!(!delta.keyframe && delta.start && !delta.end);
}

#[test]
fn it_tells_what_builds_on_a_frame_and_where_more_may_be_taken() {
    let (mut structure, _) = structure(None);
    let needed: Vec<bool> = (0..6).map(|at| frame(&mut structure, at).needed_above).collect();
    assert_eq!(needed, [true, false, false, false, false, false]);
    let all = Rise { from: 0, to: 1 };
    let rises: Vec<Rise> = (0..6).map(|at| frame(&mut structure, at).rise).collect();
    assert_eq!(rises, [all, all, Rise::default(), all, all, Rise::default()]);
    // A frame with indications of its own: the switch is none for once.
    let custom =
        bits(&[(0b10, 2), (10, 6), (0x0103, 16), (0, 1), (0, 1), (1, 1), (0, 2), (3, 2), (3, 2), (1, 2), (0, 2)]);
    let meta = structure.read(&custom).unwrap();
    assert_eq!((meta.rise, meta.needed_above), (Rise::default(), true));
}

#[test]
fn layers_that_are_not_sent_are_told_with_a_structure_or_later() {
    let (mut structure, meta) = structure(Some(0b0011));
    assert_eq!(meta.spatials, LayerSet(0b01));
    assert!(!meta.needed_above, "nothing is above");
    let on = bits(&[(0b10, 2), (10, 6), (0x0103, 16), (0, 1), (1, 1), (0, 3), (0b1111, 4)]);
    assert_eq!(structure.read(&on).unwrap().spatials, LayerSet(0b11));
    assert_eq!(frame(&mut structure, 1).spatials, LayerSet(0b11));
}

#[test]
fn numbers_below_a_bound() {
    // Of five: 0, 1 and 2 take two bits, 3 and 4 three.
    let bytes = bits(&[(0, 2), (1, 2), (2, 2), (0b110, 3), (0b111, 3)]);
    let mut reader = Bits { bytes: &bytes, at: 0 };
    assert_eq!([(); 5].map(|()| reader.take_below(5)), [0, 1, 2, 3, 4].map(Some));
    assert_eq!(reader.at, 12);
}

#[test]
fn cut_off_descriptors_are_none_or_mandatory_fields_only() {
    let whole = key(9, 4, L2T2_KEY, 2, None);
    let mut structure = Structure::default();
    assert_eq!(structure.read(&whole[..2]), None);
    for len in 3..whole.len() {
        assert!(!structure.read(&whole[..len]).unwrap().keyframe, "{len}");
    }
    assert!(structure.read(&whole).unwrap().keyframe);
    assert_eq!(frame_number(&[1, 2]), None);
}
