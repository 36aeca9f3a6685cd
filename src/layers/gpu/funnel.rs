//! FReLU: kernels whose lanes walk down a strip of an image, with the rows that a window needs in registers.

use super::super::Frelu;
use super::super::frelu::Window;
use super::super::parts::too_few;
use super::small::{Phase, phases};
use super::text::{Buffer, COMPONENTS, Form, LANES, Program, each_component, main, reduce, sum};
use super::{Access, Sizes};
use crate::{Error, Pass};
use std::fmt::Write;

/// Rows that a lane walks down at most before it begins a new running sum.
const ROWS: u64 = 64;

/// What of x's size partial sums may take, if they can: a 128th.
const SHARE: u64 = 128;

/// The strips of a layer's kernels, and the text that walks down them.
struct Walk<'a> {
    layer: &'a Frelu,
    form: Form,
    windows: Vec<Window>,
    /// How far windows reach up and down, and to the sides.
    reach: [usize; 2],
    /// Columns of a strip.
    width: usize,
}

/// What a walk is for.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    /// The convolutions' mean and spread.
    Statistics,
    Forward,
    /// The gradients of a batch norm in training.
    Norm,
    /// The windows' gradients and, where no norm trains, those of the norm.
    Sums,
    /// dx. It has a kernel of its own: with the sums' barriers in it, some drivers take minutes to compile it.
    Dx,
}

impl Walk<'_> {
    fn strips(&self, sizes: Sizes) -> u64 {
        let chunks = sizes.height.div_ceil(ROWS);
        sizes.samples * chunks * (sizes.width / self.width as u64)
    }

    fn taps(&self) -> u64 {
        self.windows
            .iter()
            .map(|window| (window.height * window.width) as u64)
            .sum()
    }

    /// Sums for each channel.
    fn values(&self, task: Task) -> u64 {
        let windows = self.windows.len() as u64;
        match task {
            Task::Forward | Task::Dx => 0,
            Task::Statistics => 3 * windows,
            Task::Norm => 1 + windows,
            Task::Sums if self.trains() => self.taps(),
            Task::Sums => self.taps() + 1 + windows,
        }
    }

    fn trains(&self) -> bool {
        self.layer.norm.as_ref().is_some_and(|norm| norm.training)
    }

    /// Columns of x, and of the convolutions, beyond a strip's own on either side, in what a walk loads.
    fn margins(&self, task: Task) -> [usize; 2] {
        let side = self.reach[1];
        if task == Task::Dx {
            [2 * side, side]
        } else {
            [side, 0]
        }
    }

    /// `fn hold(c)`: the windows' elements and what the norm makes of a convolution: with t = (conv - center)
    /// scale, T is gain t + lift.
    fn held(&self, task: Task) -> String {
        let mut fields = String::new();
        let mut text = String::new();
        let read = |buffer: &str, region: &str, stride: usize, at: usize| {
            let one = |j: usize| format!("{buffer}[u.{region} + (c + {j}u) * {stride}u + {at}u]");
            if self.form.has_channel_words() {
                let all: Vec<_> = (0..4).map(one).collect();
                format!("vec4<f32>({})", all.join(", "))
            } else {
                one(0)
            }
        };
        for window in &self.windows {
            let mark = window.mark;
            let size = window.height * window.width;
            for t in 0..size {
                _ = writeln!(fields, "    k{mark}_{t}: T,");
                let value = read("parameters", &format!("weight{mark}"), size, t);
                _ = writeln!(text, "    h.k{mark}_{t} = {value};");
            }
            for name in ["center", "scale", "gain", "lift", "bend0", "bend1"] {
                _ = writeln!(fields, "    {name}{mark}: T,");
            }
            let parameter = |name: &str| read("parameters", &format!("{name}{mark}"), 1, 0);
            let bias = |or: &str| {
                if self.layer.bias {
                    parameter("bias")
                } else {
                    or.to_owned()
                }
            };
            let none = "T(0.0)";
            let [center, scale] = match &self.layer.norm {
                None => [format!("-{}", bias(none)), "T(1.0)".into()],
                Some(norm) if norm.training => [
                    read("saved", &format!("mean{mark}"), 1, 0),
                    read("saved", &format!("inverse{mark}"), 1, 0),
                ],
                Some(_) => [
                    format!("{} - {}", parameter("running_mean"), bias(none)),
                    format!("T(1.0) / sqrt({} + u.eps)", parameter("running_var")),
                ],
            };
            let norm = |name: &str| read("parameters", &format!("bn{mark}_{name}"), 1, 0);
            let [gain, lift] = if self.layer.norm.is_some() {
                [norm("weight"), norm("bias")]
            } else {
                ["T(1.0)".into(), none.into()]
            };
            if task == Task::Statistics {
                continue;
            }
            for (name, value) in [
                ("center", center),
                ("scale", scale),
                ("gain", gain),
                ("lift", lift),
            ] {
                _ = writeln!(text, "    h.{name}{mark} = {value};");
            }
            if matches!(task, Task::Sums | Task::Dx) && self.trains() {
                // By way of the batch's mean, and of its variance.
                let sum = |name: &str| read("gradients", &format!("d_bn{mark}_{name}"), 1, 0);
                _ = writeln!(text, "    h.bend0{mark} = -{} * u.share;", sum("bias"));
                _ = writeln!(text, "    h.bend1{mark} = -{} * u.share;", sum("weight"));
            }
        }
        format!(
            "struct Held {{\n{fields}}}\n\nfn hold(c: u32) -> Held {{\n    var h: Held;\n{text}    return \
             h;\n}}\n\n"
        )
    }

    /// `fn NAME_row(...)`: statements that load a row's columns `from..to`, counted from the strip's first, into
    /// `NAME_0` and on. Outside of the image all is zero.
    fn row(&self, name: &str, from: i64, to: i64) -> String {
        let mut text = String::new();
        if self.width == 1 {
            for (index, column) in (from..to).enumerate() {
                _ = writeln!(
                    text,
                    "        let {name}_{index} = {name}_at(n, c, row, first + {column}i);"
                );
            }
            return text;
        }
        // Four columns are a word.
        let (low, high) = (from.div_euclid(4), (to + 3).div_euclid(4));
        for word in low..high {
            let called = (word - low) as u64;
            _ = writeln!(
                text,
                "        let {name}_word_{called} = {name}_at(n, c, row, first + {}i);",
                word * 4
            );
        }
        for (index, column) in (from..to).enumerate() {
            let word = column.div_euclid(4) - low;
            let part = COMPONENTS[column.rem_euclid(4) as usize];
            _ = writeln!(
                text,
                "        let {name}_{index} = {name}_word_{word}.{part};"
            );
        }
        text
    }

    /// `fn NAME_at(n, c, row, column)`: what is loaded at once there.
    fn at(&self, name: &str) -> String {
        let kind = match self.form.access {
            Access::Vec4 => "vec4<f32>",
            Access::Scalar => "f32",
        };
        format!(
            "fn {name}_at(n: u32, c: u32, row: i32, column: i32) -> {kind} {{
    let inside = (row >= 0i) & (row < i32(u.height)) & (column >= 0i) & (column < i32(u.width));
    let place = u32(select(0i, row * i32(u.width) + column, inside));
    let v = {name}_load({});
    return select({kind}(0.0), v, inside);
}}

",
            self.index()
        )
    }

    /// The word of channel `c`, or the channels from `c` on, at `place`.
    fn index(&self) -> &'static str {
        if self.form.is_nchw() {
            match self.form.access {
                Access::Vec4 => "((n * u.channels + c) * u.places + place) / 4u",
                Access::Scalar => "(n * u.channels + c) * u.places + place",
            }
        } else {
            match self.form.access {
                Access::Vec4 => "((n * u.places + place) * u.channels + c) / 4u",
                Access::Scalar => "(n * u.places + place) * u.channels + c",
            }
        }
    }

    /// Statements that compute, for each column that `task` needs, the windows' convolutions around row `row`
    /// from the ring of rows of x, into `conv{mark}_{column}`.
    fn convolutions(&self, task: Task) -> String {
        let [_, beyond] = self.margins(task);
        let mut text = String::new();
        for window in &self.windows {
            let (up, left) = (window.height / 2, window.width / 2);
            for column in 0..self.width + 2 * beyond {
                let mut terms = Vec::new();
                for i in 0..window.height {
                    for j in 0..window.width {
                        let row = self.reach[0] - up + i;
                        let from = column + self.reach[1] - left + j;
                        terms.push(format!(
                            "h.k{}_{} * x{row}_{from}",
                            window.mark,
                            i * window.width + j
                        ));
                    }
                }
                _ = writeln!(
                    text,
                    "        let conv{}_{column} = {};",
                    window.mark,
                    terms.join(" + ")
                );
            }
        }
        text
    }

    /// The larger of x and T for each column, or what of dy goes to either.
    fn funnels(&self, task: Task) -> String {
        let [_, beyond] = self.margins(task);
        let [up, side] = self.reach;
        let mut text = String::new();
        for column in 0..self.width + 2 * beyond {
            let mut parts = Vec::new();
            for Window { mark, .. } in &self.windows {
                _ = writeln!(
                    text,
                    "        let hat{mark}_{column} = (conv{mark}_{column} - h.center{mark}) * h.scale{mark};"
                );
                parts.push(format!(
                    "(h.gain{mark} * hat{mark}_{column} + h.lift{mark})"
                ));
            }
            let x = format!("x{up}_{}", column + side);
            _ = writeln!(text, "        let t_{column} = {};", parts.join(" + "));
            if task == Task::Forward {
                _ = writeln!(
                    text,
                    "        let y_{column} = select(t_{column}, {x}, {x} > t_{column});"
                );
            } else {
                let half = format!("select(dy_{column}, dy_{column} * 0.5, {x} == t_{column})");
                _ = writeln!(text, "        let half_{column} = {half};");
                _ = writeln!(
                    text,
                    "        let dt_{column} = select(half_{column}, T(0.0), {x} > t_{column});"
                );
            }
        }
        text
    }

    /// The kernel, without what it does with its sums.
    fn kernel(&self, task: Task, put: &str) -> String {
        let up = self.reach[0];
        let [wide, beyond] = self.margins(task);
        let (columns, convs) = (self.width + 2 * wide, self.width + 2 * beyond);
        let rows = 2 * up + 1;
        let (parts, lanes) = self.form.beside();
        let backward = task == Task::Dx;
        // Rows beyond a chunk's own whose gradients its own dx needs.
        let extra = if backward { up } else { 0 };
        let mut text = self.held(task) + &self.at("x");
        if matches!(task, Task::Norm | Task::Sums | Task::Dx) {
            text += &self.at("dy");
        }
        let values = self.values(task);
        let mut reduced = String::new();
        if task == Task::Statistics {
            text += put;
        } else if values > 0 {
            text += put;
            reduced = reduce(&self.form, values, &mut text);
        }
        text += &main(LANES);
        let each = |f: &dyn Fn(u64) -> String| (0..values).map(f).collect::<String>();
        let zero = |name: &str| format!("{name} = T(0.0);\n");
        let mut rings = String::new();
        let mut shifts = String::new();
        for row in 0..rows {
            for column in 0..columns {
                rings += &format!("        var x{row}_{column} = T(0.0);\n");
                if row + 1 < rows {
                    shifts += &format!("        x{row}_{column} = x{}_{column};\n", row + 1);
                }
            }
        }
        if backward {
            for row in 0..rows {
                for Window { mark, .. } in &self.windows {
                    for column in 0..convs {
                        rings += &format!("        var g{mark}_{row}_{column} = T(0.0);\n");
                        if row + 1 < rows {
                            shifts += &format!(
                                "        g{mark}_{row}_{column} = g{mark}_{}_{column};\n",
                                row + 1
                            );
                        }
                    }
                }
            }
            for row in 0..=up {
                for column in 0..self.width {
                    rings += &format!("        var own{row}_{column} = T(0.0);\n");
                    if row < up {
                        shifts +=
                            &format!("        own{row}_{column} = own{}_{column};\n", row + 1);
                    }
                }
            }
        }
        let mut body = String::new();
        // The row of x that comes in is `up` below the one whose convolution is complete.
        body += "        row += 1i;\n";
        body += &self.row("x", -(wide as i64), (self.width + wide) as i64);
        for column in 0..columns {
            body += &format!("        x{}_{column} = x_{column};\n", rows - 1);
        }
        let mut inner = format!("        row -= {up}i;\n");
        inner += &self.convolutions(task);
        if task == Task::Statistics {
            inner += &self.gather_statistics();
        } else {
            if task != Task::Forward {
                inner += &self.row("dy", -(beyond as i64), (self.width + beyond) as i64);
            }
            inner += &self.funnels(task);
            inner += &match task {
                Task::Forward => self.store("y", "row", &format!("x{up}")),
                Task::Norm => self.gather_norm(0),
                Task::Sums => self.gather_sums(),
                _ => self.gather_dx(),
            };
        }
        inner += &format!("        row += {up}i;\n");
        let ready = format!("row >= top - {extra}i + {up}i");
        let (open, close) = if task == Task::Statistics {
            (self.open_statistics(), self.close_statistics())
        } else {
            (
                each(&|v| format!("        var sum_{v} = T(0.0);\n")),
                each(&|v| format!("        total_{v} += sum_{v};\n")),
            )
        };
        let totals = if task == Task::Statistics {
            self.total_statistics()
        } else {
            each(&|v| "    var ".to_owned() + &zero(&format!("total_{v}")))
        };
        _ = writeln!(
            text,
            "    let block = group % u.strip_blocks_{k};
    let unit = (group / u.strip_blocks_{k}) * {parts}u + lane % {parts}u;
    let c = min(unit, u.units - 1u) * {word}u;
    let h = hold(c);
{totals}
    let begin = (block * {lanes}u + lane / {parts}u) * u.strips_each_{k};
    let end = select(0u, min(begin + u.strips_each_{k}, u.strips), unit < u.units);
    for (var strip = begin; strip < end; strip += 1u) {{
        let above = strip / u.across;
        let first = i32((strip - above * u.across) * {width}u);
        let n = above / u.chunks;
        let top = i32((above - n * u.chunks) * {ROWS}u);
        let bottom = min(top + {ROWS}i, i32(u.height));
{rings}{open}
        var row = top - {lead}i - 1i;
        let last = bottom + {tail}i;
        while row + 1i < last {{
{shifts}{body}
        if {ready} {{
{inner}        }}
        }}
{close}    }}
{reduced}}}",
            k = Self::key(task),
            word = self.form.unit(),
            width = self.width,
            lead = up + extra,
            tail = up + extra,
        );
        if task == Task::Statistics {
            let text_end = text.rfind('}').unwrap_or(text.len());
            text.truncate(text_end);
            text += &self.finish_statistics();
            text.push_str("}\n");
        }
        text
    }

    fn key(task: Task) -> &'static str {
        match task {
            Task::Statistics => "statistics",
            Task::Forward => "forward",
            Task::Norm => "norm",
            Task::Sums => "sums",
            Task::Dx => "dx",
        }
    }

    /// Stores the columns' values in row `row` of `to`; NaN where x is, or, backward, dy.
    fn store(&self, to: &str, row: &str, x: &str) -> String {
        let side = self.margins(if to == "y" { Task::Forward } else { Task::Dx })[0];
        let index = self.index();
        let value = |column: usize| format!("{to}_{column}");
        let nan = |column: usize| {
            let x = format!("{x}_{}", column + side);
            if to == "y" {
                x
            } else {
                format!("({x} + {to}_{column})")
            }
        };
        let mut text = format!("        let place = u32({row} * i32(u.width) + first);\n");
        let flags = |v: &str| {
            if self.form.has_channel_words() {
                format!("vec4<bool>(is_nan({v}.x), is_nan({v}.y), is_nan({v}.z), is_nan({v}.w))")
            } else {
                format!("is_nan({v})")
            }
        };
        if self.width == 1 {
            _ = writeln!(
                text,
                "        {to}_store({index}, {}, {});",
                value(0),
                flags(&nan(0))
            );
        } else {
            let values: Vec<_> = (0..self.width).map(value).collect();
            let nans: Vec<_> = (0..self.width).map(|column| flags(&nan(column))).collect();
            _ = writeln!(
                text,
                "        {to}_store({index}, vec4<f32>({}), vec4<bool>({}));",
                values.join(", "),
                nans.join(", ")
            );
        }
        text
    }

    /// Adds the terms of the norm's gradients to sums from `first` on.
    fn gather_norm(&self, first: usize) -> String {
        let mut text = String::new();
        let columns = 0..self.width;
        let all: Vec<_> = columns
            .clone()
            .map(|column| format!("dt_{column}"))
            .collect();
        _ = writeln!(text, "        sum_{first} += {};", all.join(" + "));
        for (index, Window { mark, .. }) in self.windows.iter().enumerate() {
            let all: Vec<_> = columns
                .clone()
                .map(|column| format!("dt_{column} * hat{mark}_{column}"))
                .collect();
            _ = writeln!(
                text,
                "        sum_{} += {};",
                first + 1 + index,
                all.join(" + ")
            );
        }
        text
    }

    /// `let dconv{mark}_{column}`: the gradient of a convolution there.
    fn gradient(&self, mark: &str, column: usize) -> String {
        let mut d = format!("dt_{column}");
        if self.trains() {
            d = format!("({d} + h.bend0{mark} + h.bend1{mark} * hat{mark}_{column})");
        }
        format!("        let dconv{mark}_{column} = {d} * (h.gain{mark} * h.scale{mark});\n")
    }

    /// Adds the terms of the windows' gradients.
    fn gather_sums(&self) -> String {
        let [up, side] = self.reach;
        let mut text = String::new();
        let mut value = 0;
        for window in &self.windows {
            let mark = window.mark;
            for column in 0..self.width {
                text += &self.gradient(mark, column);
            }
            for i in 0..window.height {
                for j in 0..window.width {
                    let x_row = up - window.height / 2 + i;
                    let term = |column| {
                        let x_column = column + side - window.width / 2 + j;
                        format!("dconv{mark}_{column} * x{x_row}_{x_column}")
                    };
                    let all: Vec<_> = (0..self.width).map(term).collect();
                    _ = writeln!(text, "        sum_{value} += {};", all.join(" + "));
                    value += 1;
                }
            }
        }
        if !self.trains() {
            text += &self.gather_norm(value);
        }
        text
    }

    /// Takes in a row of the convolutions' gradients, and stores dx of the row whose neighbours all are there.
    fn gather_dx(&self) -> String {
        let [up, side] = self.reach;
        let [wide, beyond] = self.margins(Task::Dx);
        let rows = 2 * up + 1;
        let mut text = String::new();
        for column in 0..self.width + 2 * beyond {
            // What lies outside of the image has no gradient.
            let at = column as i64 - beyond as i64;
            _ = writeln!(
                text,
                "        let in_{column} = (row >= 0i) & (row < i32(u.height)) & (first + {at}i >= 0i) & (first + {at}i \
                 < i32(u.width));"
            );
            for Window { mark, .. } in &self.windows {
                text += &self.gradient(mark, column);
                _ = writeln!(
                    text,
                    "        g{mark}_{}_{column} = select(T(0.0), dconv{mark}_{column}, in_{column});",
                    rows - 1
                );
            }
        }
        for column in 0..self.width {
            let x = format!("x{up}_{}", column + wide);
            let at = column + beyond;
            _ = writeln!(
                text,
                "        own{up}_{column} = select(half_{at}, T(0.0), {x} < t_{at});"
            );
        }
        _ = writeln!(
            text,
            "        let done = row - {up}i;\n        if (done >= top) & (done < bottom) {{"
        );
        for column in 0..self.width {
            let mut terms = vec![format!("own0_{column}")];
            for window in &self.windows {
                let mark = window.mark;
                for i in 0..window.height {
                    for j in 0..window.width {
                        // Output (h - i + kh / 2, w - j + kw / 2) takes the element (i, j) times this x.
                        let g_row = up + window.height / 2 - i;
                        let g_column = column + side + window.width / 2 - j;
                        terms.push(format!(
                            "h.k{mark}_{} * g{mark}_{g_row}_{g_column}",
                            i * window.width + j
                        ));
                    }
                }
            }
            _ = writeln!(text, "        let dx_{column} = {};", terms.join(" + "));
        }
        text += &self.store("dx", "done", "x0");
        text += "        }\n";
        text
    }

    fn open_statistics(&self) -> String {
        let mut text = String::new();
        for Window { mark, .. } in &self.windows {
            _ = writeln!(
                text,
                "        var base{mark} = T(0.0);\n        var some{mark} = T(0.0);\n        var square{mark} = T(0.0);"
            );
        }
        text
    }

    /// Sums of the differences from the strip's first value, and of their squares.
    fn gather_statistics(&self) -> String {
        let mut text = String::new();
        for Window { mark, .. } in &self.windows {
            _ = writeln!(
                text,
                "        base{mark} = select(base{mark}, conv{mark}_0, row == top);"
            );
            for column in 0..self.width {
                _ = writeln!(
                    text,
                    "        let off{mark}_{column} = conv{mark}_{column} - base{mark};
        some{mark} += off{mark}_{column};
        square{mark} += off{mark}_{column} * off{mark}_{column};"
                );
            }
        }
        text
    }

    fn total_statistics(&self) -> String {
        let mut text = String::from("    var count = 0.0;\n");
        for Window { mark, .. } in &self.windows {
            _ = writeln!(
                text,
                "    var mean{mark} = T(0.0);\n    var spread{mark} = T(0.0);"
            );
        }
        text
    }

    /// Joins a strip's statistics to the lane's: Chan, Golub and LeVeque 1979.
    fn close_statistics(&self) -> String {
        let mut text = format!(
            "        let here = f32((bottom - top) * {}i);\n        let both = count + here;\n",
            self.width
        );
        for Window { mark, .. } in &self.windows {
            _ = writeln!(
                text,
                "        let here_mean{mark} = base{mark} + some{mark} / here;
        let here_spread{mark} = square{mark} - some{mark} * (some{mark} / here);
        let apart{mark} = here_mean{mark} - mean{mark};
        spread{mark} += here_spread{mark} + apart{mark} * apart{mark} * (count * here / both);
        mean{mark} += apart{mark} * (here / both);"
            );
        }
        text + "        count = both;\n"
    }

    /// Joins the lanes' statistics; the first lane of each unit writes them.
    fn finish_statistics(&self) -> String {
        let (parts, lanes) = self.form.beside();
        let mut text = String::new();
        for (index, Window { mark, .. }) in self.windows.iter().enumerate() {
            if index > 0 {
                text += "    workgroupBarrier();\n";
            }
            _ = writeln!(
                text,
                "    lanes_count[lane] = count;
    lanes_mean[lane] = mean{mark};
    lanes_spread[lane] = spread{mark};
    workgroupBarrier();
    if lane < {parts}u {{
        let base = lanes_mean[lane];
        var all = 0.0;
        var off = T(0.0);
        for (var l = 0u; l < {lanes}u; l += 1u) {{
            let here = lanes_count[l * {parts}u + lane];
            all += here;
            off += (lanes_mean[l * {parts}u + lane] - base) * here;
        }}
        let joined = base + off / max(all, 1.0);
        var spread = T(0.0);
        for (var l = 0u; l < {lanes}u; l += 1u) {{
            let here = lanes_count[l * {parts}u + lane];
            let apart = lanes_mean[l * {parts}u + lane] - joined;
            spread += lanes_spread[l * {parts}u + lane] + apart * apart * here;
        }}
        put({v}u, T(all), group, lane);
        put({v}u + 1u, joined, group, lane);
        put({v}u + 2u, spread, group, lane);
    }}",
                v = index * 3
            );
        }
        text
    }

    /// `fn put`: writes a workgroup's sum, or value, for channel and block.
    fn put(&self, task: Task) -> String {
        let (parts, _) = self.form.beside();
        let key = Self::key(task);
        let mut text = String::new();
        if task == Task::Statistics {
            _ = writeln!(
                text,
                "var<workgroup> lanes_count: array<f32, {LANES}>;
var<workgroup> lanes_mean: array<T, {LANES}>;
var<workgroup> lanes_spread: array<T, {LANES}>;
"
            );
        }
        _ = writeln!(
            text,
            "fn put(value: u32, sum: T, group: u32, part: u32) {{
    let unit = (group / u.strip_blocks_{key}) * {parts}u + part;
    if unit < u.units {{
        let c = unit * {unit}u;
        let at = u.{key}_parts + (value * u.channels + c) * u.strip_blocks_{key} + group % u.strip_blocks_{key};",
            unit = self.form.unit()
        );
        if self.form.has_channel_words() {
            text += &each_component(|j, name| {
                format!("        scratch[at + {j}u * u.strip_blocks_{key}] = sum.{name};\n")
            });
        } else {
            text.push_str("        scratch[at] = sum;\n");
        }
        text.push_str("    }\n}\n\n");
        text
    }

    /// Adds the walk's dispatch.
    fn stage(&self, program: &mut Program, sizes: Sizes, task: Task, buffers: &[(Buffer, bool)]) {
        let key = Self::key(task);
        let values = self.values(task);
        let (parts, lanes) = self.form.beside();
        let strips = self.strips(sizes);
        let each = if values == 0 {
            1
        } else {
            // So many that the partial sums stay small beside x.
            let of_channel = sizes.samples * sizes.places;
            (strips * SHARE * values)
                .div_ceil(lanes * of_channel)
                .clamp(1, strips)
        };
        let blocks = strips.div_ceil(each).div_ceil(lanes);
        program.number(&format!("strips_each_{key}"), each);
        program.number(&format!("strip_blocks_{key}"), blocks);
        if values > 0 {
            program.region(
                Buffer::Scratch,
                &format!("{key}_parts"),
                values * sizes.channels * blocks,
            );
        }
        let units = sizes.channels / self.form.unit();
        let text = self.kernel(
            task,
            &if values > 0 {
                self.put(task)
            } else {
                String::new()
            },
        );
        program.stage(key, units.div_ceil(parts) * blocks, &[], buffers, &text);
    }

    /// The sum of a value's partial sums for channel `c`.
    fn partial(&self, task: Task, into: &str, value: &str, c: &str) -> String {
        let key = Self::key(task);
        let term = format!(
            "scratch[u.{key}_parts + ({value} * u.channels + {c}) * u.strip_blocks_{key} + k]"
        );
        sum(into, &format!("u.strip_blocks_{key}"), &term)
    }
}

impl Frelu {
    pub(in super::super) fn on_gpu(&self, form: &Form) -> Result<Program, Error> {
        let images = &form.images;
        let sizes = Sizes::new(images)?;
        let parameters = self.parameters(images)?;
        let mut form = *form;
        // Here a word must lie in one row.
        if form.is_nchw() && !sizes.width.is_multiple_of(4) {
            form.access = Access::Scalar;
        }
        let windows = self.windows();
        let most = |f: fn(&Window) -> usize| windows.iter().map(f).max().unwrap_or(1) / 2;
        let reach = [most(|window| window.height), most(|window| window.width)];
        let width = if form.is_nchw() {
            form.word() as usize
        } else {
            1
        };
        let walk = Walk {
            layer: self,
            form,
            windows,
            reach,
            width,
        };
        let count = sizes.samples * sizes.places;
        if walk.trains() && count == 1 {
            return Err(too_few(images));
        }
        let mut program = Program::new(&form, &parameters);
        program.number("channels", sizes.channels);
        program.number("height", sizes.height);
        program.number("width", sizes.width);
        program.number("places", sizes.places);
        program.number("units", sizes.channels / form.unit());
        program.number("strips", walk.strips(sizes));
        program.number("across", sizes.width / width as u64);
        program.number("chunks", sizes.height.div_ceil(ROWS));
        program.float("share", 1.0 / count as f64);
        program.float("unbiased", count as f64 / (count as f64 - 1.0).max(1.0));
        if let Some(norm) = &self.norm {
            program.float("eps", norm.eps);
            program.float("momentum", norm.momentum);
        }
        if walk.trains() {
            for Window { mark, .. } in &walk.windows {
                program.region(Buffer::Saved, &format!("mean{mark}"), sizes.channels);
                program.region(Buffer::Saved, &format!("inverse{mark}"), sizes.channels);
            }
        }
        let saved = walk.trains().then_some((Buffer::Saved, false));
        match form.pass {
            Pass::Forward => {
                if walk.trains() {
                    let buffers = [
                        (Buffer::X, false),
                        (Buffer::Parameters, false),
                        (Buffer::Scratch, true),
                    ];
                    walk.stage(&mut program, sizes, Task::Statistics, &buffers);
                    self.statistics(&mut program, &walk, sizes);
                }
                let mut buffers = vec![
                    (Buffer::X, false),
                    (Buffer::Y, true),
                    (Buffer::Parameters, false),
                ];
                buffers.extend(saved);
                walk.stage(&mut program, sizes, Task::Forward, &buffers);
            }
            _ => {
                let mut reads = vec![
                    (Buffer::X, false),
                    (Buffer::Dy, false),
                    (Buffer::Parameters, false),
                ];
                reads.extend(saved);
                let with = |more: &[(Buffer, bool)]| [&reads[..], more].concat();
                let mut needs = Vec::new();
                if walk.trains() {
                    let buffers = with(&[(Buffer::Scratch, true)]);
                    walk.stage(&mut program, sizes, Task::Norm, &buffers);
                    let mut phase = Phase::default();
                    self.norm_gradients(&walk, Task::Norm, 0, sizes, &mut phase);
                    let buffers = [(Buffer::Scratch, false), (Buffer::Gradients, true)];
                    phases(
                        &mut program,
                        "norm gradients",
                        u64::MAX,
                        &[],
                        &buffers,
                        &[phase],
                    );
                    needs.push((Buffer::Gradients, false));
                }
                let buffers = with(&[&needs[..], &[(Buffer::Scratch, true)]].concat());
                walk.stage(&mut program, sizes, Task::Sums, &buffers);
                let mut phase = Phase::default();
                self.window_gradients(&walk, sizes, &mut phase);
                let buffers = [
                    (Buffer::Parameters, false),
                    (Buffer::Gradients, true),
                    (Buffer::Scratch, false),
                ];
                phases(&mut program, "gradients", u64::MAX, &[], &buffers, &[phase]);
                let buffers = with(&[&needs[..], &[(Buffer::Dx, true)]].concat());
                walk.stage(&mut program, sizes, Task::Dx, &buffers);
            }
        }
        Ok(program.finish())
    }

    /// The dispatch that joins statistics and renews the running ones.
    fn statistics(&self, program: &mut Program, walk: &Walk<'_>, sizes: Sizes) {
        let mut phase = Phase::default();
        for (index, Window { mark, .. }) in walk.windows.iter().enumerate() {
            let at = |value: usize| {
                format!(
                    "scratch[u.statistics_parts + ({}u * u.channels + i) * u.strip_blocks_statistics + k]",
                    index * 3 + value
                )
            };
            let bias = if self.bias {
                format!(" + parameters[u.bias{mark} + i]")
            } else {
                String::new()
            };
            let body = format!(
                "    let base = scratch[u.statistics_parts + ({}u * u.channels + i) * u.strip_blocks_statistics];
{}    let mean = base + off * u.share;
{}    let variance = spread * u.share;
    saved[u.mean{mark} + i] = mean;
    saved[u.inverse{mark} + i] = 1.0 / sqrt(variance + u.eps);
    let old_mean = parameters[u.running_mean{mark} + i];
    let old_var = parameters[u.running_var{mark} + i];
    parameters[u.running_mean{mark} + i] = old_mean + u.momentum * ((mean{bias}) - old_mean);
    parameters[u.running_var{mark} + i] = old_var + u.momentum * (variance * u.unbiased - old_var);
",
                index * 3 + 1,
                sum("off", "u.strip_blocks_statistics", &format!("({} - base) * {}", at(1), at(0))),
                sum(
                    "spread",
                    "u.strip_blocks_statistics",
                    &format!("({} + ({m} - mean) * ({m} - mean) * {})", at(2), at(0), m = at(1))
                ),
            );
            phase.each(sizes.channels, body);
        }
        let buffers = [
            (Buffer::Parameters, true),
            (Buffer::Saved, true),
            (Buffer::Scratch, false),
        ];
        phases(
            program,
            "joined statistics",
            u64::MAX,
            &[],
            &buffers,
            &[phase],
        );
    }

    /// Sums up the norm's gradients, which begin at value `first`.
    fn norm_gradients(
        &self,
        walk: &Walk<'_>,
        task: Task,
        first: u64,
        sizes: Sizes,
        phase: &mut Phase,
    ) {
        for (index, Window { mark, .. }) in walk.windows.iter().enumerate() {
            let mut body = walk.partial(task, "plain", &format!("{first}u"), "i");
            body += &walk.partial(
                task,
                "scaled",
                &format!("{}u", first + 1 + index as u64),
                "i",
            );
            if self.norm.is_some() {
                body += &format!(
                    "    gradients[u.d_bn{mark}_bias + i] = plain;\n    gradients[u.d_bn{mark}_weight + i] = scaled;\n"
                );
            }
            if self.bias {
                // A bias before a norm that trains moves nothing.
                let value = match &self.norm {
                    Some(norm) if norm.training => "0.0".to_owned(),
                    Some(_) => format!(
                        "plain * parameters[u.bn{mark}_weight + i] / sqrt(parameters[u.running_var{mark} + i] + u.eps)"
                    ),
                    None => "plain".to_owned(),
                };
                body += &format!("    gradients[u.d_bias{mark} + i] = {value};\n");
            }
            if self.norm.is_some() || self.bias {
                phase.each(sizes.channels, body);
            }
        }
    }

    fn window_gradients(&self, walk: &Walk<'_>, sizes: Sizes, phase: &mut Phase) {
        let mut first = 0;
        for window in &walk.windows {
            let size = (window.height * window.width) as u64;
            let mut body = format!("    let c = i / {size}u;\n");
            body += &walk.partial(
                Task::Sums,
                "total",
                &format!("({first}u + i % {size}u)"),
                "c",
            );
            body += &format!("    gradients[u.d_weight{} + i] = total;\n", window.mark);
            phase.each(sizes.channels * size, body);
            first += size;
        }
        if !walk.trains() {
            self.norm_gradients(walk, Task::Sums, first, sizes, phase);
        }
    }
}
