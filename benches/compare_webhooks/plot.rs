//! The plot: what each subject adds to a PATCH, as bars on a logarithmic scale.

use std::fmt::Write as _;

use super::{Measured, SUBJECTS};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 60.0;
const BAR: f64 = 18.0;
const GAP: f64 = 26.0;
/// The left end of the scale, in milliseconds.
const LEAST: f64 = 0.1;

/// Colors that are distinct on a light and on a dark background.
const fn color(subject: usize) -> &'static str {
    ["#888888", "#d9822b", "#8a63d2", "#1a9c6b"][subject]
}

const fn label(subject: usize) -> &'static str {
    ["nothing", "policy in CEL", "webhook in Go", "ippool-webhook"][subject]
}

/// The plot as SVG.
pub fn svg(all: &[Measured]) -> String {
    let bars = SUBJECTS.len() - 1;
    let group = bars as f64 * BAR + GAP;
    let height = TOP + all.len() as f64 * group + 40.0;
    let most = all.iter().flat_map(|it| (1..=bars).map(|index| it.added(index))).fold(1.0, f64::max);
    let scale = Scale { decades: (most / LEAST).log10().ceil() };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<style>text {{ fill: #24292f }} line {{ stroke: #8884 }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} }}</style>\n\
         <text x=\"10\" y=\"24\" font-size=\"16\">What is added to a PATCH of one allocation, milliseconds (less is better)</text>\n"
    );
    scale.draw(&mut svg, height);
    for (row, measured) in all.iter().enumerate() {
        let top = TOP + row as f64 * group;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{}\">{} allocations</text>",
            top + BAR * 1.8,
            measured.allocations
        );
        for subject in 1..=bars {
            scale.bar(&mut svg, top + (subject - 1) as f64 * BAR, subject, measured.added(subject));
        }
    }
    svg + "</svg>\n"
}

struct Scale {
    decades: f64,
}

impl Scale {
    fn x(&self, milliseconds: f64) -> f64 {
        let share = (milliseconds.max(LEAST) / LEAST).log10() / self.decades;
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn draw(&self, svg: &mut String, height: f64) {
        for decade in 0..=self.decades as i32 {
            let value = LEAST * 10f64.powi(decade);
            let (x, foot) = (self.x(value), height - 30.0);
            let _ = writeln!(svg, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{foot}\"/>", TOP - 10.0);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
                height - 12.0
            );
        }
    }

    fn bar(&self, svg: &mut String, y: f64, subject: usize, milliseconds: f64) {
        let (end, thick, base) = (self.x(milliseconds), BAR - 3.0, y + BAR - 6.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{thick}\" fill=\"{}\"/>",
            (end - LEFT).max(1.0),
            color(subject)
        );
        let text = format!("{milliseconds:.1}  {}", label(subject));
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{base:.1}\" font-size=\"11\">{text}</text>", end + 5.0);
    }
}
