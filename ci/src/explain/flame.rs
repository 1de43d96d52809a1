//! The differential flamegraph: one picture that needs nothing but itself.
//!
//! The operation is on top, callees below their callers. Width is what a stack costs after the
//! change; colour is the difference: red where it costs more, blue where less, grey where neither.
//! What is gone has no width; the table of functions names it. The idea is Brendan Gregg's
//! ("Differential Flame Graphs", 2014).

use super::names::short;
use super::stacks::Node;
use crate::render::html::escape::Html;
use crate::render::number;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
const TOP: f64 = 44.0;
/// Narrower frames can't be seen.
const WIDTH_MIN: f64 = 0.5;
/// What one letter takes at the size of the labels.
const LETTER: f64 = 6.7;
/// Deeper stacks are cut, so that a picture stays one.
const ROWS_MAX: usize = 90;
const STYLE: &str = "font:11px ui-monospace,Menlo,Consolas,monospace";

/// A picture of these stacks, as an SVG element that can stand in a page or in a file of its own.
pub(crate) fn draw(id: &str, root: &Node) -> String {
    let mut frames = Vec::new();
    if root.head > 0.0 {
        place(id, root, (0.0, 0), WIDTH / root.head, &mut frames);
    }
    let rows = frames.iter().map(|frame| frame.row + 1).max().unwrap_or(0);
    let height = TOP + rows as f64 * ROW + 4.0;
    let most = frames.iter().map(|frame| frame.node.difference().abs()).fold(0.0, f64::max);
    let mut html = Html::default();
    html.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    html.raw(&format!("viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" role=\"img\" "));
    html.raw(&format!("style=\"background:#fff;{STYLE}\" aria-label=\""));
    html.text(summary(id, root)).raw("\">");
    html.raw("<text x=\"4\" y=\"16\" font-size=\"13\" fill=\"#111\">").text(summary(id, root));
    html.raw("</text><text x=\"4\" y=\"34\" fill=\"#555\">");
    html.text("width: after the change; red: costs more; blue: costs less; point at a frame for its numbers");
    html.raw("</text>");
    for frame in &frames {
        draw_frame(&mut html, frame, root, most);
    }
    html.raw("</svg>\n");
    html.finish()
}

struct Frame<'a> {
    name: &'a str,
    node: &'a Node,
    x: f64,
    width: f64,
    row: usize,
}

/// Lays out a node and what is below it, the widest left.
fn place<'a>(
    name: &'a str,
    node: &'a Node,
    (x, row): (f64, usize),
    scale: f64,
    frames: &mut Vec<Frame<'a>>,
) {
    frames.push(Frame { name, node, x, width: node.head * scale, row });
    if row + 1 >= ROWS_MAX {
        return;
    }
    let mut children: Vec<(&str, &Node)> =
        node.children.iter().map(|(name, child)| (&**name, child)).collect();
    children.sort_by(|(_, a), (_, b)| b.head.total_cmp(&a.head));
    let mut at = x;
    for (name, child) in children {
        let width = child.head * scale;
        if width < WIDTH_MIN {
            break;
        }
        place(name, child, (at, row + 1), scale, frames);
        at += width;
    }
}

fn draw_frame(html: &mut Html, frame: &Frame<'_>, root: &Node, most: f64) {
    let Frame { name, node, x, width, row } = frame;
    let y = TOP + *row as f64 * ROW;
    html.raw("<g><title>").text(name).raw("\n").text(told(node, root)).raw("</title>");
    html.raw(&format!(
        "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\" fill=\"{}\" \
         stroke=\"#fff\" stroke-width=\"0.5\"/>",
        ROW - 1.0,
        colour(node.difference(), most)
    ));
    let letters = ((width - 6.0) / LETTER).max(0.0) as usize;
    if letters >= 4 {
        html.raw(&format!("<text x=\"{:.1}\" y=\"{:.0}\" fill=\"#111\">", x + 3.0, y + 13.0));
        html.text(fit(&short(name), letters)).raw("</text>");
    }
    html.raw("</g>");
}

/// The end of a name says more than its beginning.
fn fit(name: &str, letters: usize) -> String {
    let length = name.chars().count();
    if length <= letters {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - letters).collect();
    format!("…{end}")
}

fn summary(id: &str, root: &Node) -> String {
    let change = if root.base > 0.0 {
        format!(" ({})", number::change(root.head / root.base))
    } else {
        String::new()
    };
    format!("{id}: {} to {} instructions{change}", whole(root.base), whole(root.head))
}

fn told(node: &Node, root: &Node) -> String {
    let share = if root.head > 0.0 { node.head / root.head * 100.0 } else { 0.0 };
    let sign = if node.difference() < 0.0 { "-" } else { "+" };
    format!(
        "{} instructions ({share:.2} %), before {}, difference {sign}{}",
        whole(node.head),
        whole(node.base),
        whole(node.difference().abs()),
    )
}

fn whole(instructions: f64) -> String {
    number::count(instructions.round() as u64)
}

/// From grey to red or blue; the root of the share, so that small differences are seen too. Less
/// than half an instruction is rounding.
fn colour(difference: f64, most: f64) -> String {
    let strength =
        if most < 0.5 || difference.abs() < 0.5 { 0.0 } else { (difference.abs() / most).sqrt() };
    let (from, to) = (
        [226.0, 226.0, 222.0],
        if difference > 0.0 { [232.0, 88.0, 70.0] } else { [92.0, 150.0, 224.0] },
    );
    let mix =
        |channel: usize| (from[channel] + (to[channel] - from[channel]) * strength).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(base: f64, head: f64, children: &[(&str, Node)]) -> Node {
        let children = children.iter().map(|(name, node)| ((*name).into(), node.clone())).collect();
        Node { base, head, children }
    }

    #[test]
    fn what_costs_more_is_red_and_what_costs_less_is_blue() {
        let root = node(
            100.0,
            150.0,
            &[
                ("more", node(20.0, 90.0, &[])),
                ("less", node(60.0, 40.0, &[])),
                ("gone", node(20.0, 0.0, &[])),
            ],
        );
        let svg = draw("a/b", &root);
        assert_eq!(svg.matches("<rect").count(), 3, "what is gone has no width: {svg}");
        assert!(svg.contains("90 instructions (60.00 %), before 20, difference +70"), "{svg}");
        assert!(svg.contains("a/b: 100 to 150 instructions (+50.00 %)"), "{svg}");
        assert_eq!(colour(70.0, 70.0), "#e85846");
        assert_eq!(colour(-70.0, 70.0), "#5c96e0");
        assert_eq!(colour(0.0, 70.0), "#e2e2de");
    }

    #[test]
    fn hostile_names_stay_text_and_nothing_is_loaded() {
        let evil = "</text><script>alert(1)</script>\u{1}\"'&<img src=x onerror=y>";
        let svg = draw(evil, &node(1.0, 2.0, &[(evil, node(1.0, 2.0, &[]))]));
        assert!(
            !svg.contains("<script") && !svg.contains("<img") && !svg.contains('\u{1}'),
            "{svg}"
        );
        assert!(!svg.contains("href") && !svg.contains("url("));
        assert_eq!(svg.matches("http").count(), 1, "the name space alone");
    }

    #[test]
    fn an_operation_that_cost_nothing_is_a_picture_without_frames() {
        let svg = draw("a", &Node::default());
        assert!(svg.starts_with("<svg") && !svg.contains("<rect") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn an_endless_stack_is_cut() {
        let mut deep = node(1.0, 1.0, &[]);
        for _ in 0..500 {
            deep = node(1.0, 1.0, &[("f", deep)]);
        }
        assert_eq!(draw("a", &deep).matches("<rect").count(), ROWS_MAX);
        assert_eq!(fit("abcdefgh", 5), "…efgh");
    }
}
