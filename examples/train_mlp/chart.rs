//! The chart of loss curves.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and height, in pixels of a screen.
const SIZE: (u32, u32) = (920, 460);

/// What the legend takes of the width.
const LEGEND: u32 = 290;

/// The backend has whole coordinates only: the chart is drawn so many times as large.
const SCALE: u32 = 10;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe6, 0xe6, 0xe6);
const COLORS: [RGBColor; 6] = [
    RGBColor(0x1b, 0x6c, 0xa8),
    RGBColor(0xd9, 0x5f, 0x02),
    RGBColor(0x2c, 0x8c, 0x4f),
    RGBColor(0x8e, 0x44, 0x9b),
    RGBColor(0xb5, 0x8a, 0x00),
    RGBColor(0xc2, 0x2e, 0x54),
];

/// A loss for each epoch.
pub(crate) struct Curve<'a> {
    pub(crate) name: String,
    pub(crate) losses: &'a [f64],
    /// Curves of one family have one colour.
    pub(crate) family: usize,
    /// Drawn thinner and lighter.
    pub(crate) frozen: bool,
}

/// An SVG file's text.
pub(crate) fn svg(title: &str, curves: &[Curve<'_>]) -> Result<String, String> {
    let mut text = String::new();
    let size = (SIZE.0 * SCALE, SIZE.1 * SCALE);
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    draw(&area, title, curves).map_err(|error| error.to_string())?;
    drop(area);
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let shown = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    Ok(text.replacen(&drawn, &shown, 1))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(area: &Area<'a>, title: &str, curves: &[Curve<'_>]) -> Drawn<'a> {
    // Where there is a logarithm.
    let shown = |loss: &f64| loss.is_finite() && *loss > 0.0;
    let all = || {
        curves
            .iter()
            .flat_map(|curve| curve.losses)
            .copied()
            .filter(shown)
    };
    let (low, high) = (
        all().fold(1.0, f64::min),
        all().fold(0.0, f64::max).max(1.0),
    );
    let epochs = curves
        .iter()
        .map(|curve| curve.losses.len())
        .max()
        .unwrap_or(1);

    area.fill(&WHITE)?;
    let font = |size: u32| ("sans-serif", size * SCALE).into_font().color(&INK);
    let text = |text: &str, x: u32, y: u32, size: u32| {
        let style = font(size).pos(Pos::new(HPos::Left, VPos::Center));
        Text::new(
            text.to_owned(),
            ((x * SCALE) as i32, (y * SCALE) as i32),
            style,
        )
    };
    area.draw(&text(title, 16, 22, 17))?;
    let (_, below) = area.split_vertically(40 * SCALE);
    let (left, legend) = below.split_horizontally((SIZE.0 - LEGEND) * SCALE);
    let mut chart = ChartBuilder::on(&left)
        .margin_right(16 * SCALE)
        .margin_bottom(8 * SCALE)
        .x_label_area_size(26 * SCALE)
        .y_label_area_size(56 * SCALE)
        .build_cartesian_2d(0.0..epochs as f64, (low * 0.9..high * 1.1).log_scale())?;
    chart
        .configure_mesh()
        .label_style(font(12))
        .axis_style(INK.stroke_width(SCALE))
        .bold_line_style(GRID.stroke_width(SCALE))
        .light_line_style(TRANSPARENT)
        .x_labels(epochs.min(10) + 1)
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|loss| format!("{loss}"))
        .set_all_tick_mark_size(4 * SCALE)
        .draw()?;
    for (line, curve) in (0u32..).zip(curves) {
        let color = COLORS[curve.family % COLORS.len()];
        let style = if curve.frozen {
            color.mix(0.6).stroke_width(SCALE)
        } else {
            color.stroke_width(5 * SCALE / 2)
        };
        // An epoch's mean stands at its middle. What has no logarithm leaves a gap.
        let points = curve.losses.iter().enumerate();
        let points: Vec<_> = points
            .map(|(epoch, loss)| (epoch as f64 + 0.5, *loss))
            .collect();
        for part in points.split(|(_, loss)| !shown(loss)) {
            match part {
                [alone] => {
                    let dot = Circle::new(*alone, 3 * SCALE, color.filled());
                    chart.draw_series([dot])?;
                }
                _ => {
                    let line = PathElement::new(part.to_vec(), style);
                    chart.draw_series([line])?;
                }
            }
        }
        let y = 16 + 20 * line;
        let at = |x: u32| ((x * SCALE) as i32, (y * SCALE) as i32);
        legend.draw(&PathElement::new([at(0), at(24)], style))?;
        legend.draw(&text(&curve.name, 32, y, 12))?;
    }
    area.present()
}
