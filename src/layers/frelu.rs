//! FReLU.

use super::parts::{Normalized, per_channel};
use super::{
    BatchNorm, Gradients, Images, Input, Outputs, Parameter, Parameters, Shape, bad_setting,
};
use crate::error::Error;

/// FReLU, the funnel activation: y = max(x, T(x)).
///
/// T is a depthwise convolution of kh x kw, of stride 1 and with a padding of zeros that keeps the image's size
/// (PyTorch's `Conv2d(C, C, (kh, kw), padding=(kh // 2, kw // 2), groups=C)`), then a batch norm:
///
/// T\[n, c, h, w\] = bn(bias\[c\] + Σ_ij weight\[c, 0, i, j\] x\[n, c, h + i - kh / 2, w + j - kw / 2\])
///
/// The light form has a 1 x kw and a kh x 1 convolution, each with its own norm, and T is their sum.
///
/// Where x = T, each of the two takes half of the gradient, as with `torch.maximum`.
///
/// Parameters: `weight` \[C, 1, kh, kw\] (light: \[C, 1, 1, kw\]); `bias` \[C\]; `bn_weight`, `bn_bias`,
/// `running_mean`, `running_var` \[C\]. The light form's second convolution has `weight2` \[C, 1, kh, 1\],
/// `bias2`, `bn2_weight`, `bn2_bias`, `running_mean2`, `running_var2`.
///
/// Ma, Zhang and Sun 2020, Funnel Activation for Visual Recognition, arXiv:2007.11824.
///
/// ```
/// use nonlin::layers::{Frelu, Images, Layer, Parameters};
///
/// // A window that copies x: x = T everywhere, and half the gradient goes each way.
/// let layer = Layer::from(Frelu { norm: None, ..Frelu::default() });
/// let mut window = [0.0f32; 9];
/// window[4] = 1.0;
/// let parameters = Parameters::new().with("weight", &window);
/// let (images, x, dy) = (Images::nchw(1, 1, 1, 2), [3.0f32, -5.0], [1.0f32, 1.0]);
/// assert_eq!(layer.forward(&images, &parameters, &x)?.y, [3.0, -5.0]);
/// let gradients = layer.backward(&images, &parameters, &x, &dy)?;
/// assert_eq!(gradients.dx, [1.0, 1.0]);
/// assert_eq!(gradients.parameters.get("weight").map(|dw| dw[4]), Some(-1.0));
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frelu {
    /// The window's height and width, odd and up to 7; (3, 3) by default.
    pub kernel: (u64, u64),
    /// Whether the convolution has a bias; by default not, since the norm behind it has one.
    pub bias: bool,
    /// The batch norm behind the convolution; by default there is one, in evaluation.
    pub norm: Option<BatchNorm>,
    /// Whether T is the sum of a row's and a column's convolution; by default not.
    pub light: bool,
}

impl Default for Frelu {
    fn default() -> Self {
        Frelu {
            kernel: (3, 3),
            bias: false,
            norm: Some(BatchNorm::default()),
            light: false,
        }
    }
}

/// One of the convolutions whose sum is T.
pub(super) struct Window {
    /// What stands behind its parameters' names.
    pub(super) mark: &'static str,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Window {
    /// Calls `tap(o, t, i)` wherever output o takes input i times the window's element t, o and i counted
    /// within a plane.
    fn taps(&self, shape: Shape, mut tap: impl FnMut(usize, usize, usize)) {
        let inside = |at: usize, offset: usize, kernel: usize, length: usize| {
            (at + offset)
                .checked_sub(kernel / 2)
                .filter(|from| *from < length)
        };
        for h in 0..shape.height {
            for w in 0..shape.width {
                for i in 0..self.height {
                    for j in 0..self.width {
                        let row = inside(h, i, self.height, shape.height);
                        let column = inside(w, j, self.width, shape.width);
                        if let (Some(row), Some(column)) = (row, column) {
                            let (output, from) = (h * shape.width + w, row * shape.width + column);
                            tap(output, i * self.width + j, from);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        self.height * self.width
    }

    /// The convolution of `x`.
    fn forward(&self, shape: Shape, weight: &[f64], bias: Option<&[f64]>, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        for (n, c) in shape.planes() {
            let plane = shape.plane(n, c);
            let weight = &weight[c * self.size()..][..self.size()];
            let (x, y) = (&x[plane.clone()], &mut y[plane]);
            y.fill(bias.map_or(0.0, |bias| bias[c]));
            self.taps(shape, |output, t, from| y[output] += weight[t] * x[from]);
        }
        y
    }

    /// The gradient of the weight, and, added to `dx`, that of x.
    fn backward(
        &self,
        shape: Shape,
        weight: &[f64],
        x: &[f64],
        dy: &[f64],
        dx: &mut [f64],
    ) -> Vec<f64> {
        let mut dweight = vec![0.0; weight.len()];
        for (n, c) in shape.planes() {
            let plane = shape.plane(n, c);
            let weight = &weight[c * self.size()..][..self.size()];
            let dweight = &mut dweight[c * self.size()..][..self.size()];
            let (x, dy, dx) = (&x[plane.clone()], &dy[plane.clone()], &mut dx[plane]);
            self.taps(shape, |output, t, from| {
                dweight[t] += dy[output] * x[from];
                dx[from] += dy[output] * weight[t];
            });
        }
        dweight
    }
}

/// What of the forward pass the backward pass takes.
struct Funnel {
    t: Vec<f64>,
    /// Each convolution, with its norm's work.
    windows: Vec<(Window, Option<Normalized>)>,
    running: Parameters,
}

impl Frelu {
    pub(super) fn windows(&self) -> Vec<Window> {
        // They have been found to be at most 7.
        let (height, width) = (self.kernel.0 as usize, self.kernel.1 as usize);
        let window = |mark, height, width| Window {
            mark,
            height,
            width,
        };
        if self.light {
            vec![window("", 1, width), window("2", height, 1)]
        } else {
            vec![window("", height, width)]
        }
    }

    fn funnel(&self, input: &Input<'_>) -> Result<Funnel, Error> {
        let mut funnel = Funnel {
            t: vec![0.0; input.shape.elements()],
            windows: Vec::new(),
            running: Parameters::new(),
        };
        for window in self.windows() {
            let mark = window.mark;
            let weight = input.parameter(&format!("weight{mark}"));
            let bias = self.bias.then(|| input.parameter(&format!("bias{mark}")));
            let mut part = window.forward(input.shape, weight, bias, &input.x);
            let mut normalized = None;
            if let Some(norm) = &self.norm {
                let forward = norm.forward(mark, input, input.shape, &part, &mut funnel.running)?;
                part.copy_from_slice(&forward.y);
                normalized = Some(forward);
            }
            for (t, part) in funnel.t.iter_mut().zip(part) {
                *t += part;
            }
            funnel.windows.push((window, normalized));
        }
        Ok(funnel)
    }
}

impl Frelu {
    pub(super) fn name(&self) -> &'static str {
        "frelu"
    }

    pub(super) fn parameters(&self, images: &Images) -> Result<Vec<Parameter>, Error> {
        images.elements()?;
        let fits = |length: u64| length % 2 == 1 && length <= 7;
        if !fits(self.kernel.0) || !fits(self.kernel.1) {
            let needs = "odd and at most 7 both ways";
            return Err(bad_setting(self.name(), "kernel", needs, self.kernel));
        }
        let channels = images.channels;
        let mut parameters = Vec::new();
        for window in self.windows() {
            let mark = window.mark;
            let shape = [channels, 1, window.height as u64, window.width as u64];
            parameters.push(Parameter::learned(format!("weight{mark}"), &shape));
            if self.bias {
                parameters.push(Parameter::learned(format!("bias{mark}"), &[channels]));
            }
            if let Some(norm) = &self.norm {
                norm.check(self.name())?;
                parameters.extend(BatchNorm::parameters(mark, channels));
            }
        }
        Ok(parameters)
    }

    pub(super) fn forward(&self, input: &Input<'_>) -> Result<Outputs, Error> {
        let funnel = self.funnel(input)?;
        // Not f64::max, which drops a NaN; one in x is one in T too.
        let larger = |(x, t): (&f64, &f64)| if x > t { *x } else { *t };
        let y: Vec<f64> = input.x.iter().zip(&funnel.t).map(larger).collect();
        Ok(Outputs {
            y: input.stored(&y),
            running: funnel.running,
        })
    }

    pub(super) fn backward(&self, input: &Input<'_>, dy: Vec<f64>) -> Result<Gradients, Error> {
        let funnel = self.funnel(input)?;
        let shape = input.shape;
        let (mut dx, mut dt) = (dy.clone(), dy);
        for (i, (x, t)) in input.x.iter().zip(&funnel.t).enumerate() {
            if x > t {
                dt[i] = 0.0;
            } else if x < t {
                dx[i] = 0.0;
            } else if x == t {
                dx[i] /= 2.0;
                dt[i] /= 2.0;
            }
        }
        let mut gradients = Parameters::new();
        for (window, normalized) in &funnel.windows {
            let mark = window.mark;
            let dconv = match (&self.norm, normalized) {
                (Some(norm), Some(forward)) => {
                    norm.backward(mark, input, shape, forward, &dt, &mut gradients)
                }
                _ => dt.clone(),
            };
            let name = format!("weight{mark}");
            let weight = input.parameter(&name);
            gradients.set(
                name,
                window.backward(shape, weight, &input.x, &dconv, &mut dx),
            );
            if self.bias {
                let dbias = per_channel(shape, |_, i| dconv[i]);
                gradients.set(format!("bias{mark}"), dbias);
            }
        }
        Ok(Gradients {
            dx: input.stored(&dx),
            parameters: gradients,
        })
    }
}
