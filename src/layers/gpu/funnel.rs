//! FReLU: which of shaders/layers/frelu a kernel is made of, and how images are cut.
//!
//! Kernels' lanes walk down strips of an image, with the rows that a window needs in registers. What differs between
//! memory orders, numbers of windows and norms are files with the same names in them.

use super::super::Frelu;
use super::super::frelu::Window;
use super::super::parts::too_few;
use super::Sizes;
use super::phases::{Phase, phases};
use super::program::{Buffer, Form, Program};
use crate::error::Error;
use crate::pass::Pass;
use crate::wgsl::{Access, Text, WORKGROUP};

/// Rows that a lane walks down at most before it begins a new running sum.
const ROWS: u64 = 64;

/// What of x's size partial sums may take, if they can: a 128th.
const SHARE: u64 = 128;

/// What in the files of a window, its norm and its bias stands for the light form's second.
const SECOND: [(&str, &str); 11] = [
    ("window", "window2"),
    ("weight", "weight2"),
    ("bias", "bias2"),
    ("bn", "bn2"),
    ("running_mean", "running_mean2"),
    ("running_var", "running_var2"),
    ("mean", "mean2"),
    ("inverse", "inverse2"),
    ("d_weight", "d_weight2"),
    ("d_bias", "d_bias2"),
    ("d_bn", "d_bn2"),
];

/// What a walk is for, and its name in labels and numbers.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    /// The convolutions' mean and spread.
    Moments,
    Forward,
    /// The gradients of a batch norm in training.
    Norm,
    /// The windows' gradients and, where no norm trains, those of norms and biases.
    Sums,
    /// dx. It has a kernel of its own: with the sums' barriers in it, some drivers take minutes to compile it.
    Dx,
}

impl Task {
    fn key(self) -> &'static str {
        match self {
            Task::Moments => "moments",
            Task::Forward => "forward",
            Task::Norm => "norm",
            Task::Sums => "sums",
            Task::Dx => "dx",
        }
    }

    fn is_backward(self) -> bool {
        matches!(self, Task::Norm | Task::Sums | Task::Dx)
    }
}

/// What the layer's norms are.
#[derive(Clone, Copy, PartialEq)]
enum Norm {
    None,
    Eval,
    Train,
}

/// A layer on images: what its kernels are made of.
struct Walk<'a> {
    layer: &'a Frelu,
    form: Form,
    sizes: Sizes,
    windows: Vec<Window>,
    norm: Norm,
}

impl Walk<'_> {
    /// How far windows reach up and down, and to the sides.
    fn reach(&self) -> [usize; 2] {
        let most = |f: fn(&Window) -> usize| self.windows.iter().map(f).max().unwrap_or(1) / 2;
        [most(|window| window.height), most(|window| window.width)]
    }

    /// Columns of a strip.
    fn columns(&self) -> u64 {
        self.form.word() / self.form.unit()
    }

    fn chunks(&self) -> u64 {
        self.sizes.height.div_ceil(ROWS)
    }

    fn strips(&self) -> u64 {
        self.sizes.samples * self.chunks() * (self.sizes.width / self.columns())
    }

    fn taps(&self) -> u64 {
        let sizes = self.windows.iter().map(Window::size);
        sizes.sum::<usize>() as u64
    }

    /// Values that a workgroup leaves for each channel.
    fn values(&self, task: Task) -> u64 {
        let windows = self.windows.len() as u64;
        match task {
            Task::Forward | Task::Dx => 0,
            Task::Moments => 3 * windows,
            Task::Norm => 1 + windows,
            Task::Sums if self.norm == Norm::Train => self.taps(),
            Task::Sums => self.taps() + 1 + windows,
        }
    }

    /// The constants of kernels that use the windows.
    fn set_windows(&self, text: &mut Text, task: Task) {
        let mut first = 0;
        for (index, window) in self.windows.iter().enumerate() {
            let name = format!("WINDOW{}", window.mark);
            text.set(&format!("{name}_HEIGHT"), window.height);
            text.set(&format!("{name}_WIDTH"), window.width);
            text.set(&format!("{name}_SIZE"), format!("{}u", window.size()));
            text.set(&format!("{name}_FIRST"), format!("{first}u"));
            first += match task {
                Task::Moments => 3,
                _ => window.size(),
            };
            let norms = self.first_of_norms(task);
            let own = norms + 1 + index as u64;
            text.set(&format!("BN{}_FIRST", window.mark), format!("{own}u"));
            text.set("NORM_FIRST", format!("{norms}u"));
        }
    }

    /// The number of the norms' first sum among all sums of a task.
    fn first_of_norms(&self, task: Task) -> u64 {
        if task == Task::Sums { self.taps() } else { 0 }
    }

    /// The files of a window, as it, or as the second, stands in a kernel's text.
    fn file_of(text: &mut Text, name: &str, window: &Window) {
        let name = format!("layers/frelu/{name}.wgsl");
        let second: &[_] = if window.mark.is_empty() { &[] } else { &SECOND };
        text.file_as(&name, second);
    }

    /// How the images lie, and how their strips are loaded.
    fn images(&self, program: &Program, text: &mut Text, task: Task) {
        let [up, side] = self.reach();
        text.set("ROWS", format!("{ROWS}u"));
        text.set("HEIGHT", 2 * up + 1);
        text.set("UP", up);
        text.set("SIDE", side);
        text.set("X_HALO", if task == Task::Dx { 2 * side } else { side });
        text.set("DY_HALO", side);
        let nchw = self.form.is_nchw();
        text.file(&format!(
            "layers/frelu/{}.wgsl",
            if nchw { "nchw" } else { "nhwc" }
        ));
        let channels = if self.form.has_channel_words() {
            "four_channels"
        } else {
            "one_channel"
        };
        text.file(&format!("layers/frelu/{channels}.wgsl"));
        let sweep = [("sweep", task.key())];
        text.file_as("layers/frelu/strip.wgsl", &sweep);
        text.file_as("layers/frelu/lanes.wgsl", &sweep);
        let loads = if self.columns() == 4 {
            "load_words"
        } else {
            "load_columns"
        };
        let mut reads = vec![Buffer::X];
        if task.is_backward() {
            reads.push(Buffer::Dy);
        }
        for buffer in reads {
            program.image(text, buffer, false);
            let it = [("it", buffer.name())];
            text.file_as("layers/frelu/load.wgsl", &it);
            text.file_as(&format!("layers/frelu/{loads}.wgsl"), &it);
        }
    }

    /// The windows, and the norms and biases behind them.
    fn funnel(&self, text: &mut Text, task: Task) {
        self.set_windows(text, task);
        text.set("TRAINS", self.norm == Norm::Train);
        let norm = match self.norm {
            Norm::None => "norm_none",
            Norm::Eval => "norm_eval",
            Norm::Train => "norm_train",
        };
        for window in &self.windows {
            for name in ["window", "window_put", norm, self.bias()] {
                Walk::file_of(text, name, window);
            }
        }
        let windows = match self.windows.len() {
            1 => "one_window",
            _ => "two_windows",
        };
        text.file(&format!("layers/frelu/{windows}.wgsl"));
    }

    fn bias(&self) -> &'static str {
        if self.layer.bias { "bias" } else { "bias_none" }
    }

    fn kernel(&self, program: &Program, task: Task) -> Text {
        let mut text = Text::default();
        self.images(program, &mut text, task);
        self.funnel(&mut text, task);
        let trains = self.norm == Norm::Train;
        let slopes = if self.columns() == 4 {
            "slopes_of_words"
        } else {
            "slopes_of_columns"
        };
        let files = match task {
            Task::Moments => ["statistics", "moments"],
            Task::Forward => {
                program.image(&mut text, Buffer::Y, true);
                ["forward", "norm"]
            }
            Task::Norm => ["sums_of_norms", "sums"],
            Task::Sums if trains => ["sums_of_windows", "sums"],
            Task::Sums => ["sums_of_all", "sums"],
            Task::Dx => {
                program.image(&mut text, Buffer::Dx, true);
                [slopes, "dx"]
            }
        };
        for name in files {
            text.file(&format!("layers/frelu/{name}.wgsl"));
        }
        text
    }

    /// Adds a walk's dispatch.
    fn walk(&self, program: &mut Program, task: Task) {
        let (key, values) = (task.key(), self.values(task));
        let (beside, lanes) = self.form.beside();
        let strips = self.strips();
        let each = if values == 0 {
            1
        } else {
            // So many that the partial sums stay small beside x.
            let of_channel = self.sizes.samples * self.sizes.places;
            (strips * SHARE * values)
                .div_ceil(lanes * of_channel)
                .clamp(1, strips)
        };
        let blocks = strips.div_ceil(each).div_ceil(lanes);
        program.number(&format!("{key}_each"), each);
        program.number(&format!("{key}_blocks"), blocks);
        if values > 0 {
            let elements = values * self.sizes.channels * blocks;
            program.region(Buffer::Scratch, &format!("{key}_parts"), elements);
        }
        let units = self.sizes.channels / self.form.unit();
        let text = self.kernel(program, task);
        program.dispatch(key, units.div_ceil(beside) * blocks, &text);
    }

    /// Adds the dispatches that join statistics and renew the running ones.
    fn join_moments(&self, program: &mut Program) {
        for window in &self.windows {
            let mut text = Text::default();
            self.set_windows(&mut text, Task::Moments);
            text.file("layers/frelu/one_channel.wgsl");
            for name in [self.bias(), "join_moments"] {
                Walk::file_of(&mut text, name, window);
            }
            let groups = self.sizes.channels.div_ceil(WORKGROUP);
            program.dispatch(&format!("joined moments{}", window.mark), groups, &text);
        }
    }

    /// Adds the dispatches that sum up the gradients of norms that train, or of the windows and all others.
    fn gradients(&self, program: &mut Program, task: Task) {
        let trains = self.norm == Norm::Train;
        let with_norms = (task == Task::Norm) == trains;
        let mut text = Text::default();
        self.set_windows(&mut text, task);
        text.file_as("layers/frelu/channel_sum.wgsl", &[("sweep", task.key())]);
        let bn = match self.norm {
            Norm::Eval | Norm::Train if with_norms => "bn_gradients",
            _ => "bn_gradients_none",
        };
        let bias = match self.norm {
            _ if !self.layer.bias || !with_norms => "bias_gradient_none",
            Norm::None => "bias_gradient_plain",
            Norm::Eval => "bias_gradient_eval",
            Norm::Train => "bias_gradient_train",
        };
        let (label, step, file) = match task {
            Task::Norm => ("norm gradients", "bn", "norm_gradients"),
            _ => ("gradients", "window", "window_gradients"),
        };
        let mut phase = Phase::default();
        for window in &self.windows {
            for name in [bn, bias, file] {
                Walk::file_of(&mut text, name, window);
            }
            let elements = match task {
                Task::Norm => 1,
                _ => window.size() as u64,
            };
            let step = if window.mark.is_empty() {
                step
            } else {
                &format!("{step}2")
            };
            phase = phase.and(step, self.sizes.channels * elements);
        }
        phases(program, label, u64::MAX, &text, &[phase]);
    }

    /// The numbers of the dispatches.
    fn numbers(&self, program: &mut Program) {
        let sizes = self.sizes;
        let count = (sizes.samples * sizes.places) as f64;
        program.number("channels", sizes.channels);
        program.number("height", sizes.height);
        program.number("width", sizes.width);
        program.number("places", sizes.places);
        program.number("units", sizes.channels / self.form.unit());
        program.number("strips", self.strips());
        program.number("across", sizes.width / self.columns());
        program.number("chunks", self.chunks());
        program.float("share", 1.0 / count);
        program.float("unbiased", count / (count - 1.0).max(1.0));
        if let Some(norm) = &self.layer.norm {
            program.float("eps", norm.eps);
            program.float("momentum", norm.momentum);
        }
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
        let side = |window: &Window| window.height.max(window.width);
        // Four channels of what windows of 5 x 5 see are much for a lane's registers: lavapipe is a quarter faster with
        // one. With 7 x 7 it is somewhat slower, but FXC takes a fifth of the time.
        if form.has_channel_words() && windows.iter().map(side).max() >= Some(5) {
            form.access = Access::Scalar;
        }
        let norm = match &self.norm {
            None => Norm::None,
            Some(norm) if norm.training => Norm::Train,
            Some(_) => Norm::Eval,
        };
        let trains = norm == Norm::Train;
        if trains && sizes.samples * sizes.places == 1 {
            return Err(too_few(images));
        }
        let walk = Walk {
            layer: self,
            form,
            sizes,
            windows,
            norm,
        };
        let mut program = Program::new(&form, &parameters);
        walk.numbers(&mut program);
        if trains {
            for Window { mark, .. } in &walk.windows {
                program.region(Buffer::Saved, &format!("mean{mark}"), sizes.channels);
                program.region(Buffer::Saved, &format!("inverse{mark}"), sizes.channels);
            }
        }
        if form.pass == Pass::Forward {
            if trains {
                walk.walk(&mut program, Task::Moments);
                walk.join_moments(&mut program);
            }
            walk.walk(&mut program, Task::Forward);
        } else {
            if trains {
                walk.walk(&mut program, Task::Norm);
                walk.gradients(&mut program, Task::Norm);
            }
            walk.walk(&mut program, Task::Sums);
            walk.gradients(&mut program, Task::Sums);
            walk.walk(&mut program, Task::Dx);
        }
        Ok(program)
    }
}
