//! The instrument's own truth: a link does what its shape says.

use super::{Burst, Link, Loss, Shape, kbit, mbit};
use crate::{At, MS, SECOND};
use std::time::Duration;

/// Offers packets of `size` bytes every `gap` for `time`; when each came out, with its number.
fn run(link: &mut Link<u32>, size: usize, gap: Duration, time: Duration) -> Vec<(At, u32)> {
    let (mut out, mut now, mut number) = (Vec::new(), At::ZERO, 0);
    let mut next = At::ZERO;
    loop {
        while let Some(n) = link.poll(now) {
            out.push((now, n));
        }
        if now == next && now < time {
            link.send(now, size, number);
            number += 1;
            next += gap;
        }
        match link.poll_timeout().into_iter().chain((next < time).then_some(next)).min() {
            Some(at) => now = now.max(at),
            None => return out,
        }
    }
}

fn link(shape: Shape) -> Link<u32> {
    Link::new(7, shape)
}

#[test]
fn a_link_passes_exactly_its_capacity() {
    for capacity in [kbit(500), kbit(777), mbit(3)] {
        let mut link = link(Shape { capacity: Some(capacity), delay: Duration::ZERO, ..Shape::default() });
        let out = run(&mut link, 1_200, Duration::from_micros(2_400), 10 * SECOND);
        let within = out.iter().filter(|(at, _)| *at <= 10 * SECOND).count() as u64;
        assert!((within * 1_200 * 8).abs_diff(capacity * 10) <= 1_200 * 8, "{capacity}: {within}");
        let passed = |n: usize| (out[n].0 - out[100].0).as_nanos() * u128::from(capacity);
        let bits = (out.len() as u128 - 101) * 1_200 * 8 * 1_000_000_000;
        assert!(passed(out.len() - 1).abs_diff(bits) <= 2 * u128::from(capacity), "not a bit more or less");
    }
}

#[test]
fn capacity_changes_also_for_what_waits() {
    let shape = Shape { capacity: Some(kbit(80)), delay: Duration::ZERO, ..Shape::default() };
    let mut link = link(shape);
    link.send(At::ZERO, 1_000, 1); // 100 ms at 80 kbit/s
    assert_eq!(link.poll_timeout(), Some(100 * MS));
    assert_eq!(link.queue_delay(50 * MS), 50 * MS);
    link.reshape(50 * MS, |shape| shape.capacity = Some(kbit(400)));
    assert_eq!(link.poll_timeout(), Some(60 * MS), "the second half goes five times as fast");
    link.reshape(55 * MS, |shape| shape.capacity = Some(0));
    assert_eq!(link.poll_timeout(), None);
    link.reshape(SECOND, |shape| shape.capacity = None);
    assert_eq!(link.poll(SECOND), Some(1));
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    let mut link = link(Shape { capacity: Some(kbit(96)), queue: 3_600, delay: 5 * MS, ..Shape::default() });
    for n in 0..10 {
        link.send(At::ZERO, 1_200, n);
    }
    assert_eq!(link.queue_delay(At::ZERO), 400 * MS, "one on its way, three wait");
    let out: Vec<_> = (1..=4).map(|n| (n * 100 + 5) * MS).map(|at| (at, link.poll(at))).collect();
    assert_eq!(out, (0..4).map(|n| ((u64::from(n) * 100 + 105) as u32 * MS, Some(n))).collect::<Vec<_>>());
    assert_eq!((link.poll(SECOND * 9), link.traffic().overflowed), (None, 6));
}

#[test]
fn delay_is_exact_and_jitter_keeps_order_and_its_bounds() {
    let out = run(&mut link(Shape { delay: 70 * MS, ..Shape::default() }), 100, 5 * MS, SECOND);
    assert!(out.iter().all(|(at, n)| *at == *n * 5 * MS + 70 * MS));

    let jitter = Shape { delay: 70 * MS, jitter: 30 * MS, ..Shape::default() };
    let out = run(&mut link(jitter), 100, SECOND, 5_000 * SECOND);
    let extra: Vec<f64> = out.iter().map(|(at, n)| (*at - *n * SECOND).as_secs_f64() - 0.07).collect();
    let mean = extra.iter().sum::<f64>() / extra.len() as f64;
    // A half-normal's mean is 0.798 sigma; cut at 2 sigma it is 0.723.
    assert!((mean - 0.723 * 0.03).abs() < 0.001, "{mean}");
    assert!(extra.iter().all(|extra| (0.0..=0.060_001).contains(extra)));

    let out = run(&mut link(jitter), 100, MS, 10 * SECOND);
    assert_eq!(out.len(), 10_000);
    assert!(out.windows(2).all(|w| w[0].1 < w[1].1 && w[0].0 <= w[1].0), "in order");
}

#[test]
fn random_loss_is_as_frequent_as_told() {
    let loss = Loss { random: 0.05, burst: None };
    let out = run(&mut link(Shape { loss, ..Shape::default() }), 100, MS, 100 * SECOND);
    let lost = 100_000 - out.len();
    assert!((4_700..5_300).contains(&lost), "{lost}");
}

#[test]
fn bursts_lose_their_share_in_a_row() {
    let loss = Loss { random: 0.0, burst: Some(Burst::losing(0.1, 20.0)) };
    let out = run(&mut link(Shape { loss, ..Shape::default() }), 100, MS, 200 * SECOND);
    let lost = 200_000 - out.len();
    let bursts = out.windows(2).filter(|w| w[1].1 > w[0].1 + 1).count();
    assert!((17_000..23_000).contains(&lost), "{lost}");
    assert!((17.0..23.0).contains(&(lost as f64 / bursts as f64)), "{bursts}");
}

#[test]
fn reordering_and_duplication_are_as_frequent_as_told() {
    let shape = Shape { reorder: 0.02, duplicate: 0.03, ..Shape::default() };
    let out = run(&mut link(shape), 100, MS, 100 * SECOND);
    let overtaken = out.iter().filter(|(at, n)| *at == *n * MS + shape.delay + shape.late_by).count();
    assert!((102_500..103_500).contains(&out.len()), "{}", out.len());
    assert!((1_800..2_300).contains(&overtaken), "{overtaken}");
    let mut numbers: Vec<u32> = out.iter().map(|(_, n)| *n).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100_000);
}

#[test]
fn an_outage_loses_all_and_ends() {
    let mut link = link(Shape::default());
    link.reshape(At::ZERO, |shape| shape.down = true);
    link.send(At::ZERO, 100, 1);
    assert_eq!(link.poll_timeout(), None);
    link.reshape(SECOND, |shape| shape.down = false);
    link.send(SECOND, 100, 2);
    assert_eq!(link.poll(2 * SECOND), Some(2));
}

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    let shape = Shape {
        capacity: Some(mbit(1)),
        jitter: 10 * MS,
        loss: Loss { random: 0.02, burst: Some(Burst::losing(0.01, 5.0)) },
        reorder: 0.01,
        duplicate: 0.01,
        ..Shape::default()
    };
    let trace = |seed| run(&mut Link::new(seed, shape), 1_000, 7 * MS, 10 * SECOND);
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
