//! `nonlin plot`.

use crate::define::{self, Defined};
use crate::list::preset_text;
use crate::output::{files, short};
use crate::pending::Pending;
use crate::{Failure, Result, Verdict};
use nonlin::{Activation, Chain, Preset, reference};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

/// Draw a chain: its value and its derivative
///
/// The curves are the f64 reference; no adapter is needed. Dots mark the knots, where the formula of
/// a chain's first step changes, and what the curves are exactly there. The file's extension, .svg
/// or .png, says what is written. The file appears whole or not at all.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin plot silu --out silu.svg
    nonlin plot 'scale(0.5) | gelu' --out gelu.png --from -10 --to 10
    nonlin plot --define my.wgsl my_act --out my_act.svg
    nonlin plot --gallery docs/gallery")]
pub(crate) struct Args {
    /// The steps, such as 'scale(0.5) | silu | scale(2)'; `nonlin list` shows what there is
    #[arg(required_unless_present = "gallery", requires = "out")]
    chain: Option<String>,
    #[command(flatten)]
    defined: Defined,
    /// Where to draw it: a file with the extension .svg or .png
    #[arg(long, value_name = "FILE", value_parser = files(), requires = "chain")]
    out: Option<PathBuf>,
    /// Draw every activation into this folder, as SVG, and write a README.md that shows them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["chain", "out"])]
    gallery: Option<PathBuf>,
    /// Where the x axis begins
    #[arg(long, default_value_t = -6.0, allow_negative_numbers = true)]
    from: f32,
    /// Where the x axis ends
    #[arg(long, default_value_t = 6.0, allow_negative_numbers = true)]
    to: f32,
}

/// Width and height, in units of the picture: pixels of a screen.
const SIZE: (u32, u32) = (640, 400);

/// What stands above the chart: the title and the legend.
const HEADER: u32 = 64;

/// Points of a curve.
const POINTS: usize = 400;

/// The backends have whole coordinates only. SVG is drawn so many times as large, and says so.
const SVG_SCALE: u32 = 10;

/// PNG is drawn so many times as large, and made smaller by [`PNG_SHRINK`], which smooths edges.
const PNG_SCALE: u32 = 8;
const PNG_SHRINK: u32 = 4;

const VALUE: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const DERIVATIVE: RGBColor = RGBColor(0xd9, 0x5f, 0x02);
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const AXIS: RGBColor = RGBColor(0xa0, 0xa0, 0xa0);
const GRID: RGBColor = RGBColor(0xe6, 0xe6, 0xe6);

pub(crate) fn plot(args: &Args) -> Result<Verdict> {
    let (from, to) = (args.from, args.to);
    if !(from.is_finite() && to.is_finite() && from < to) {
        let problem = "the x axis must have a beginning and a later end";
        return Err(Failure(format!("--from {from} --to {to}: {problem}")));
    }
    // Text is measured and, in PNG, drawn with this font, so that none need be installed.
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| drawing("no font"))?;
    if let Some(folder) = &args.gallery {
        gallery(folder, from, to)?;
    } else if let (Some(chain), Some(out)) = (&args.chain, &args.out) {
        let render = renderer(out)?;
        let chain = Chain::parse_with(chain, &args.defined.read()?)?;
        if chain.row().is_some() {
            let problem = "depends on whole rows, so there is no curve of it";
            return Err(Failure(format!("cannot draw {chain}: it {problem}")));
        }
        let picture = render(&Plot::new(&chain, from, to)?)?;
        define::say(&chain);
        let mut file = Pending::create(out)?;
        file.write(&picture)?;
        file.persist()?;
    }
    Ok(Verdict::Fine)
}

/// Makes the contents of a file.
type Render = fn(&Plot) -> Result<Vec<u8>>;

/// What makes the kind of file that the extension says.
fn renderer(path: &Path) -> Result<Render> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        Some("svg") => Ok(svg),
        Some("png") => Ok(png),
        _ => Err(Failure(format!(
            "cannot draw {}: the extension must be .svg or .png",
            path.display()
        ))),
    }
}

/// Draws every activation, and the page that shows them.
fn gallery(folder: &Path, from: f32, to: f32) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::io(format_args!("cannot write {}", folder.display()), error))?;
    let (first, last) = (short(from), short(to));
    let mut page = format!(
        "# Gallery\n\n\
         Every activation with its default parameters, from {first} to {last}: the value, the\n\
         derivative, and dots at the knots, where the formula changes. Drawn from the f64 reference\n\
         by `nonlin plot --gallery docs/gallery`.\n\n\
         | | |\n|---|---|\n"
    );
    let mut files = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| -> Result<()> {
        let mut file = Pending::create(&folder.join(name))?;
        file.write(bytes)?;
        files.push(file);
        Ok(())
    };
    for pair in Activation::ALL.chunks(2) {
        for activation in pair {
            let name = activation.name();
            let picture = svg(&Plot::new(&Chain::from(*activation), from, to)?)?;
            add(&format!("{name}.svg"), &picture)?;
            // A bar would end the cell, inside code as well.
            let formula = activation.formula().replace('|', "\\|");
            _ = write!(
                page,
                "| <img src=\"{name}.svg\" width=\"420\" alt=\"plot of {name}\"><br>\
                 **{name}**<br>`{formula}` "
            );
        }
        page += if pair.len() == 1 { "| |\n" } else { "|\n" };
    }
    page += &presets();
    add("README.md", page.as_bytes())?;
    files.into_iter().try_for_each(Pending::persist)
}

/// The presets, and the chains that they stand for.
fn presets() -> String {
    let mut page = String::from(
        "\n## Presets\n\n\
         Names that stand for chains. `{p}` is the parameter p, `{-p}` its negative, and `{1/p}` its reciprocal.\n\n\
         | preset | chain |\n|---|---|\n",
    );
    for preset in Preset::ALL {
        let chain = preset.text().replace('|', "\\|");
        _ = writeln!(page, "| `{}` | `{chain}` |", preset_text(preset));
    }
    page
}

/// What is drawn.
#[derive(Debug)]
struct Plot {
    title: String,
    x: (f64, f64),
    y: (f64, f64),
    value: Curve,
    derivative: Curve,
}

#[derive(Debug, Default)]
struct Curve {
    /// Lines without a gap.
    lines: Vec<Vec<(f64, f64)>>,
    /// What the curve is at the knots.
    knots: Vec<(f64, f64)>,
}

impl Plot {
    fn new(chain: &Chain, from: f32, to: f32) -> Result<Plot> {
        let first = chain.steps().first().and_then(nonlin::Step::activation);
        let knots = first.map(|first| first.knots()).unwrap_or_default();
        let knots = knots.into_iter().map(|x| x as f32);
        let knots: Vec<f32> = knots.collect();
        let knots: Vec<f32> = knots
            .into_iter()
            .filter(|x| (from..=to).contains(x))
            .collect();
        let mut value = Curve::default();
        let mut derivative = Curve::default();
        for x in segments(from, to, &knots) {
            value
                .lines
                .extend(lines(&x, &reference::forward(chain, &x)?));
            derivative.lines.extend(lines(&x, &slopes(chain, &x)?));
        }
        let at = |values: Vec<f64>| lines(&knots, &values).concat();
        value.knots = at(reference::forward(chain, &knots)?);
        derivative.knots = at(slopes(chain, &knots)?);

        let all = [&value, &derivative].into_iter();
        let all = all.flat_map(|curve| curve.lines.iter().chain([&curve.knots]).flatten());
        let (lo, hi) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), (_, y)| {
            (lo.min(*y), hi.max(*y))
        });
        if lo > hi {
            let (from, to) = (short(from), short(to));
            return Err(Failure(format!(
                "{chain} has no finite value from {from} to {to}"
            )));
        }
        let margin = match hi - lo {
            0.0 => hi.abs().max(1.0),
            span => 0.05 * span,
        };
        Ok(Plot {
            title: chain.to_string(),
            x: (from.into(), to.into()),
            y: (lo - margin, hi + margin),
            value,
            derivative,
        })
    }
}

/// The places of the samples, apart between knots: a curve may jump there.
fn segments(from: f32, to: f32, knots: &[f32]) -> Vec<Vec<f32>> {
    let mut knots = knots.to_vec();
    knots.sort_by(f32::total_cmp);
    let starts = std::iter::once(from).chain(knots.iter().map(|knot| knot.next_up()));
    let ends = knots.iter().map(|knot| knot.next_down());
    let pairs = starts.zip(ends.chain([to]));
    let pairs = pairs.filter(|(start, end)| start <= end);
    let segment = |(start, end): (f32, f32)| {
        let (start, span) = (f64::from(start), f64::from(end) - f64::from(start));
        let share = span / (f64::from(to) - f64::from(from));
        let count = (share * POINTS as f64).ceil().max(1.0);
        let at = |index| (start + span * (f64::from(index) / count)) as f32;
        (0..=count as u32).map(at).collect()
    };
    pairs.map(segment).collect()
}

fn slopes(chain: &Chain, x: &[f32]) -> Result<Vec<f64>> {
    Ok(reference::backward(chain, x, &vec![1.0f32; x.len()])?)
}

/// Lines through the points that f32 has numbers for.
fn lines(x: &[f32], y: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<_> = x
        .iter()
        .map(|x| f64::from(*x))
        .zip(y.iter().copied())
        .collect();
    let finite = |(_, y): &(f64, f64)| y.abs() <= f64::from(f32::MAX);
    let lines = points.split(|point| !finite(point));
    lines
        .filter(|line| !line.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

fn drawing(error: impl Display) -> Failure {
    Failure(format!("cannot draw the plot: {error}"))
}

fn svg(plot: &Plot) -> Result<Vec<u8>> {
    let (width, height) = SIZE;
    let large = (width * SVG_SCALE, height * SVG_SCALE);
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, large).into_drawing_area();
    draw(&area, SVG_SCALE, plot).map_err(drawing)?;
    drop(area);
    let size = |(width, height)| format!("width=\"{width}\" height=\"{height}\"");
    Ok(text.replacen(&size(large), &size(SIZE), 1).into_bytes())
}

fn png(plot: &Plot) -> Result<Vec<u8>> {
    let [width, height] = [SIZE.0, SIZE.1].map(|side| (side * PNG_SCALE) as usize);
    let mut pixels = vec![0; width * height * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, (width as u32, height as u32));
    let area = area.into_drawing_area();
    draw(&area, PNG_SCALE, plot).map_err(drawing)?;
    drop(area);
    let shrink = PNG_SHRINK as usize;
    let (columns, rows) = (width / shrink, height / shrink);
    let mut small = Vec::with_capacity(columns * rows * 3);
    for row in 0..rows {
        for column in 0..columns {
            for channel in 0..3 {
                let block = (0..shrink * shrink).map(|i| {
                    let (y, x) = (row * shrink + i / shrink, column * shrink + i % shrink);
                    usize::from(pixels[(y * width + x) * 3 + channel])
                });
                small.push((block.sum::<usize>() / (shrink * shrink)) as u8);
            }
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().map_err(drawing)?;
    writer.write_image_data(&small).map_err(drawing)?;
    writer.finish().map_err(drawing)?;
    Ok(file)
}

type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Draws a plot, every length `scale` times as large.
fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, scale: u32, plot: &Plot) -> Drawn<B> {
    area.fill(&WHITE)?;
    let (top, chart) = area.split_vertically(HEADER * scale);
    header(&top, scale, plot)?;

    let text = |size: u32| ("sans-serif", size * scale).into_font().color(&INK);
    let line = |color: &RGBColor, width: u32| color.stroke_width(width * scale / 2);
    let mut chart = ChartBuilder::on(&chart)
        .margin_right(16 * scale)
        .margin_bottom(8 * scale)
        .x_label_area_size(24 * scale)
        .y_label_area_size(56 * scale)
        .build_cartesian_2d(plot.x.0..plot.x.1, plot.y.0..plot.y.1)?;
    let label = |value: &f64, (lo, hi): (f64, f64)| {
        // What is left of zero after sums of steps.
        let nothing = value.abs() < 1e-9 * (hi - lo);
        short(if nothing { 0.0 } else { *value as f32 })
    };
    chart
        .configure_mesh()
        .x_labels(13)
        .y_labels(8)
        .x_label_formatter(&|x| label(x, plot.x))
        .y_label_formatter(&|y| label(y, plot.y))
        .label_style(text(13))
        .axis_style(line(&AXIS, 2))
        .bold_line_style(line(&GRID, 2))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(4 * scale)
        .draw()?;
    for (x, y) in [((0.0, 0.0), plot.y), (plot.x, (0.0, 0.0))] {
        // The axes' zeros, where they are to be seen.
        let inside = |(lo, hi): (f64, f64), all: (f64, f64)| all.0 <= lo && hi <= all.1;
        if inside(x, plot.x) && inside(y, plot.y) {
            let zero = PathElement::new([(x.0, y.0), (x.1, y.1)], line(&AXIS, 2));
            chart.draw_series([zero])?;
        }
    }
    // The value lies above the derivative, which is wider, so that both are seen where they are one.
    for (curve, color, width, dot) in [
        (&plot.derivative, DERIVATIVE, 7, 6),
        (&plot.value, VALUE, 4, 4),
    ] {
        let paths = curve.lines.iter();
        chart.draw_series(paths.map(|path| PathElement::new(path.clone(), line(&color, width))))?;
        let knots = curve.knots.iter();
        chart.draw_series(knots.map(|knot| Circle::new(*knot, dot * scale, color.filled())))?;
    }
    area.present()
}

/// The title, and the legend below it.
fn header<B: DrawingBackend>(area: &DrawingArea<B, Shift>, scale: u32, plot: &Plot) -> Drawn<B> {
    const LONGEST: usize = 120;
    let length = plot.title.chars().count();
    let mut title: String = plot.title.chars().take(LONGEST).collect();
    if length > LONGEST {
        title.push('…');
    }
    // A letter is some 0.55 times as wide as the font's size.
    let room = f64::from(SIZE.0 - 32) / 0.55 * 1.24;
    let size = (room / length.min(LONGEST) as f64).min(24.0);
    let at = |x: u32, y: u32| ((x * scale) as i32, (y * scale) as i32);
    let text = |text: &str, size: f64, position: (i32, i32)| {
        use plotters::style::text_anchor::{HPos, Pos, VPos};
        let style = ("sans-serif", size * f64::from(scale)).into_font();
        let style = style.color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        Text::new(text.to_owned(), position, style)
    };
    area.draw(&text(&title, size, at(16, 22)))?;
    let mut left = 16;
    for (name, color) in [("value", VALUE), ("derivative", DERIVATIVE)] {
        let stroke = color.stroke_width(5 * scale / 2);
        area.draw(&PathElement::new([at(left, 48), at(left + 24, 48)], stroke))?;
        area.draw(&text(name, 15.0, at(left + 32, 48)))?;
        left += 110;
    }
    if !plot.value.knots.is_empty() || !plot.derivative.knots.is_empty() {
        left += 20;
        area.draw(&Circle::new(at(left, 48), 4 * scale, INK.filled()))?;
        area.draw(&text("knot", 15.0, at(left + 12, 48)))?;
    }
    Ok(())
}
