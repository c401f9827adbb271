//! A small SVG writer: three panels over one axis of time, for rate, queue and layer.

use crate::At;
use crate::room::Room;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 34.0;
const COLOURS: [&str; 4] = ["#1f6fb2", "#d1641a", "#3a8f3a", "#8a4fb0"];

/// One line of a panel; steps hold their value up to the next.
#[derive(Clone, Debug)]
pub struct Line {
    /// For the legend.
    pub name: String,
    /// Seconds and value.
    pub points: Vec<(f64, f64)>,
    /// Draw as steps.
    pub steps: bool,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What is drawn, with its unit.
    pub heading: &'static str,
    /// The axis reaches at least so far.
    pub least: f64,
    /// About so many ticks.
    pub ticks: u32,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// Rate in Mbit/s, queue in ms and layer over time.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// Heading.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

impl Plot {
    /// What `viewer` got of each of `publishers` over its downlink.
    pub fn of(room: &Room, title: &str, viewer: &str, publishers: &[&str]) -> Self {
        let samples = room.down_samples(viewer);
        let at = |at: At| at.as_secs_f64();
        let line = |name: &str, points, steps| Line { name: name.to_owned(), points, steps };
        let rates = samples.chunks(5).map(|few| {
            let seconds = few.len() as f64 * crate::room::SAMPLE.as_secs_f64();
            (at(few[0].at), few.iter().map(|s| s.passed).sum::<u64>() as f64 * 8e-6 / seconds)
        });
        let mut rate = vec![line("sent over the link", rates.collect(), false)];
        if samples.iter().any(|sample| sample.capacity.is_some()) {
            let capacity = samples.iter().filter_map(|s| Some((at(s.at), s.capacity? as f64 / 1e6)));
            rate.push(line("capacity", capacity.collect(), true));
        }
        let queue = samples.iter().map(|sample| (at(sample.at), sample.queue.as_secs_f64() * 1e3)).collect();
        let layers = publishers.iter().map(|publisher| {
            let mut points = Vec::new();
            let mut last = None;
            for shown in &room.video(viewer, publisher).shown {
                // A gap in the line is a picture that stands still.
                if last.is_some_and(|last: At| shown.at.saturating_sub(last) > crate::MS * 300) {
                    points.push((at(last.unwrap_or_default()), f64::NAN));
                }
                points.push((at(shown.at), f64::from(shown.layer)));
                last = Some(shown.at);
            }
            line(publisher, points, true)
        });
        let layers = layers.collect();
        let panels = vec![
            Panel { heading: "rate, Mbit/s", least: 0.5, ticks: 4, lines: rate },
            Panel {
                heading: "queue, ms",
                least: 100.0,
                ticks: 4,
                lines: vec![line("before the bottleneck", queue, false)],
            },
            Panel { heading: "layer shown", least: 2.0, ticks: 2, lines: layers },
        ];
        Self { title: title.to_owned(), panels }
    }
}

/// The plot as an SVG document.
pub fn svg(plot: &Plot) -> String {
    let height = 30.0 + plot.panels.len() as f64 * (PANEL + GAP) + 16.0;
    let end = plot.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|p| p.0);
    let end = end.fold(1.0, f64::max).ceil();
    let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - RIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"18\" font-size=\"13\">{}</text>\n",
        plot.title
    );
    for (n, Panel { heading, least, ticks, lines }) in plot.panels.iter().enumerate() {
        let top = 30.0 + n as f64 * (PANEL + GAP) + 16.0;
        let most =
            lines.iter().flat_map(|line| &line.points).map(|p| p.1).filter(|v| v.is_finite()).fold(*least, f64::max);
        let step = tick(most, *ticks);
        let most = (most / step).ceil().max(1.0) * step;
        let y = |value: f64| top + PANEL - value / most * PANEL;
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" fill=\"#333\">{heading}</text>", top - 5.0);
        for k in 0..=(most / step).round() as u32 {
            let value = f64::from(k) * step;
            let (at, right) = (y(value), WIDTH - RIGHT);
            let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>");
            let _ =
                writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", LEFT - 6.0, at + 4.0);
        }
        let step = tick(end, 8);
        for k in 0..=(end / step) as u32 {
            let at = x(f64::from(k) * step);
            let _ = writeln!(svg, "<path d=\"M{at:.1} {top:.1}v{PANEL}\" stroke=\"#eee\"/>");
            let low = top + PANEL + 13.0;
            let _ = writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{low:.1}\" text-anchor=\"middle\">{} s</text>",
                f64::from(k) * step
            );
        }
        for (n, line) in lines.iter().enumerate() {
            let (mut path, mut pen, mut before) = (String::new(), 'M', 0.0);
            for (seconds, value) in &line.points {
                if value.is_nan() {
                    pen = 'M';
                    continue;
                }
                if line.steps && pen == 'L' && before != *value {
                    let _ = write!(path, "L{:.1} {:.1}", x(*seconds), y(before));
                }
                let _ = write!(path, "{pen}{:.1} {:.1}", x(*seconds), y(*value));
                (pen, before) = ('L', *value);
            }
            let colour = COLOURS[n % COLOURS.len()];
            let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>");
            let (right, name) = (WIDTH - RIGHT - 150.0 * (lines.len() - 1 - n) as f64, &line.name);
            let _ = writeln!(
                svg,
                "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                top - 5.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A round distance of ticks, so that there are about `count`.
fn tick(range: f64, count: u32) -> f64 {
    let rough = range / f64::from(count);
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!([tick(30.0, 8), tick(3.3, 4), tick(2.0, 4)], [5.0, 1.0, 0.5]);
    }
}
