//! The activations. Each has a room: `shaders/act/<name>.wgsl` holds its f32 functions,
//! `src/act/<name>.rs` its f64 definition, and one line below makes it known to everything else.

/// What the library must know of an activation beside its WGSL.
///
/// Functions take the parameters in the order of the list below, and are written from the
/// mathematical definition, not from the shader's formula.
pub(crate) struct Room {
    /// Where the definition stands: a paper or a specification.
    pub(crate) source: &'static str,
    /// Whether parameters may be infinite: they are bounds.
    pub(crate) takes_infinity: bool,
    /// What the parameters must be besides.
    pub(crate) domain: &'static [Domain],
    /// The value.
    pub(crate) y: fn(x: f64, p: &[f64]) -> f64,
    /// The derivative.
    pub(crate) dx: fn(x: f64, p: &[f64]) -> f64,
    /// The error allowed to the shader's value and derivative, in ULP.
    pub(crate) budget: f64,
    /// The error that a walk over all inputs found in each, up to the next half ULP: docs/ACCURACY.md. None if the kernel is
    /// newer than its walk.
    pub(crate) walked: Option<[f64; 2]>,
    /// The inputs where the formula changes.
    pub(crate) knots: fn(p: &[f64]) -> Vec<f64>,
    /// The zeros of the derivative around which it has no relative accuracy, in units of x times
    /// the parameter that `product` names.
    pub(crate) roots: &'static [f64],
    /// Where parameters decide whether terms of the value cancel, and at which x: the sum of the
    /// terms' magnitudes. The value's ULP are measured there, for near a root no sum in f32 has
    /// relative accuracy; where no terms cancel it is the value itself.
    pub(crate) y_terms: fn(x: f64, p: &[f64]) -> f64,
    /// The same of the derivative's terms.
    pub(crate) dx_terms: fn(x: f64, p: &[f64]) -> f64,
    /// The parameter, by index, that multiplies x before anything else. That product is rounded to
    /// f32, which the checker allows for.
    pub(crate) product: Option<usize>,
    /// How often that product is rounded: once for each operation that it takes.
    pub(crate) roundings: f64,
    /// Whether the function is constant in some region: where its derivative is exactly zero, it lets no gradient pass,
    /// not even an infinite one.
    pub(crate) is_flat: bool,
    /// Whether it goes on turning with x times the first parameter: then it has no limit, and an infinite input gives NaN.
    pub(crate) turns: Option<Turns>,
    /// Whether f32 has the values and derivatives of all 16-bit inputs without rounding anything.
    pub(crate) is_exact_in_f32: bool,
    /// Where terms of the value and of the derivative, with dy, cancel: their magnitude in f32, as WGSL.
    pub(crate) wgsl_terms: [&'static str; 2],
    /// The second derivative, if it is here.
    pub(crate) second: Second,
    /// Whether the derivative can be had from the value.
    pub(crate) from_y: FromY,
    /// The parameters that can be learned, with the value's derivative with respect to each.
    pub(crate) gradients: &'static [Gradient],
}

/// How far the sines in a function swing to either side.
pub(crate) struct Turns {
    /// In the value.
    pub(crate) y: fn(p: &[f64]) -> f64,
    /// In the derivative.
    pub(crate) dx: fn(p: &[f64]) -> f64,
}

/// What a parameter must be for the function to have a meaning.
pub(crate) struct Domain {
    pub(crate) parameter: &'static str,
    /// The values of other parameters that stand in operands are NaN.
    pub(crate) holds: fn(p: &[f64]) -> bool,
    /// The same in words.
    pub(crate) needs: &'static str,
}

impl Domain {
    /// Of a factor, the parameter of this index: beyond, products leave the range of f32 before results do.
    const fn factor<const INDEX: usize>(parameter: &'static str) -> Domain {
        Domain {
            parameter,
            holds: |p| p[INDEX] == 0.0 || is_moderate(p[INDEX]),
            needs: "0, or a number whose magnitude is from 1e-20 to 1e20",
        }
    }

    /// The same of what is divided by.
    const fn divisor<const INDEX: usize>(parameter: &'static str) -> Domain {
        Domain {
            parameter,
            holds: |p| is_moderate(p[INDEX]),
            needs: "a number whose magnitude is from 1e-20 to 1e20",
        }
    }
}

fn is_moderate(v: f64) -> bool {
    (f64::from(1e-20f32)..=f64::from(1e20f32)).contains(&v.abs())
}

/// A parameter's gradient; the shader has it as `act_<name>_d_<parameter>`.
pub(crate) struct Gradient {
    pub(crate) parameter: &'static str,
    /// The derivative of the value with respect to the parameter.
    pub(crate) d: fn(x: f64, p: &[f64]) -> f64,
    /// As `dx_terms`, of this derivative.
    pub(crate) terms: fn(x: f64, p: &[f64]) -> f64,
    /// Whether the value does not depend on the parameter in some region, as `Room::is_flat`.
    pub(crate) is_flat: bool,
    /// Where the parameter is used at all.
    pub(crate) counts: Counts,
}

/// The inputs for which a parameter is used: for others it may even be NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Counts {
    Everywhere,
    AboveZero,
    UpToZero,
}

/// An activation's second derivative.
pub(crate) enum Second {
    /// It has none here: why.
    No(&'static str),
    /// Zero wherever the function has one: it is linear from knot to knot. The shader has nothing for it.
    Zero,
    /// The shader has it as `act_<name>_d2x`.
    Is(Bend),
}

/// A second derivative that is a function of x.
pub(crate) struct Bend {
    pub(crate) d2x: fn(x: f64, p: &[f64]) -> f64,
    /// The error allowed to the shader's, in ULP.
    pub(crate) budget: f64,
    /// Its zeros around which it has no relative accuracy, as `Room::roots`.
    pub(crate) roots: &'static [f64],
    /// As `Room::dx_terms`.
    pub(crate) terms: fn(x: f64, p: &[f64]) -> f64,
    /// Whether the function is linear in some region: where this is exactly zero, it lets nothing pass, not even what is
    /// infinite.
    pub(crate) is_flat: bool,
}

impl Bend {
    /// Most of them: 8 ULP, twice what a derivative has, as it is made of twice as many operations; no roots.
    const fn new(d2x: fn(x: f64, p: &[f64]) -> f64) -> Bend {
        Bend {
            d2x,
            budget: 8.0,
            roots: &[],
            terms: |_, _| 0.0,
            is_flat: false,
        }
    }
}

/// Whether, and how, the derivative is a function of the value, so that a backward pass can keep y in
/// the place of x.
pub(crate) enum FromY {
    /// It is not, or no formula in f32 has digits enough: why.
    No(&'static str),
    /// The function, for every y that is a value; the shader has it as `act_<name>_dx_from_y`.
    Yes(fn(y: f64, p: &[f64]) -> f64),
    /// The same for parameters that meet a condition, which is said in words too.
    If {
        holds: fn(p: &[f64]) -> bool,
        needs: &'static str,
        dx: fn(y: f64, p: &[f64]) -> f64,
    },
}

impl Room {
    /// Most activations: 4 ULP, no knots, no roots, no terms, no product. `source`, `y` and `dx` are to be
    /// given.
    const PLAIN: Room = Room {
        source: "",
        takes_infinity: false,
        domain: &[],
        y: |x, _| x,
        dx: |_, _| 1.0,
        budget: 4.0,
        walked: None,
        knots: |_| Vec::new(),
        roots: &[],
        y_terms: |_, _| 0.0,
        dx_terms: |_, _| 0.0,
        product: None,
        roundings: 1.0,
        is_flat: false,
        turns: None,
        is_exact_in_f32: false,
        wgsl_terms: ["0.0"; 2],
        second: Second::No("nobody has written it yet"),
        from_y: FromY::No("nobody has looked for a formula yet"),
        gradients: &[],
    };
}

/// An activation as the list describes it.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) parameters: &'static [&'static str],
    pub(crate) formula: &'static str,
    pub(crate) wgsl: &'static str,
    pub(crate) room: &'static Room,
    pub(crate) build: fn(&[f32]) -> Activation,
}

macro_rules! activations {
    ($(
        $name:ident [$($alias:literal),*] = $variant:ident
        $({ $($parameter:ident: $default:literal),+ })?, $formula:literal;
    )+) => {
        $(mod $name;)+

        /// A scalar function with named parameters, and its derivative. Names, parameters and
        /// defaults are PyTorch's where it has them, and so is the derivative at a knot. A NaN
        /// gives NaN, an infinite input the limit.
        ///
        /// It parses from and prints to text, as a step of a [`Chain`](crate::Chain) does.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Activation {
            $(
                #[doc = concat!("`", stringify!($name), "`: ", $formula)]
                $variant $({ $(
                    #[doc = concat!("`", stringify!($parameter), "`, ", $default, " by default.")]
                    $parameter: f32
                ),+ })?,
            )+
        }

        impl Activation {
            /// Every activation, with its default parameters.
            #[expect(
                clippy::approx_constant,
                reason = "a default that is given with six digits"
            )]
            pub const ALL: &'static [Activation] = &[
                $(Activation::$variant $({ $($parameter: $default),+ })?,)+
            ];

            pub(crate) fn entry(&self) -> &'static Entry {
                match self {
                    $(Activation::$variant { .. } => {
                        const ENTRY: &Entry = &Entry {
                            name: stringify!($name),
                            aliases: &[$($alias),*],
                            parameters: &[$($(stringify!($parameter)),+)?],
                            formula: $formula,
                            wgsl: include_str!(concat!(
                                "../../shaders/act/",
                                stringify!($name),
                                ".wgsl"
                            )),
                            room: &$name::ROOM,
                            build: |_values| {
                                $(let [$($parameter),+] = _values else {
                                    unreachable!("as many values as parameters");
                                };)?
                                Activation::$variant $({ $($parameter: *$parameter),+ })?
                            },
                        };
                        ENTRY
                    })+
                }
            }

            /// The parameters' values, in the order of [`parameters`](Self::parameters).
            pub fn values(&self) -> Vec<f32> {
                match *self {
                    $(Activation::$variant $({ $($parameter),+ })? => vec![$($($parameter),+)?],)+
                }
            }
        }
    };
}

/// The list. It hands itself to a macro of that name, here and in packages that have a function for each.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_activation {
    ($then:ident) => {
        $then! {
            identity ["linear", "Identity"] = Identity, "x";
            relu ["ReLU", "Relu"] = Relu, "max(x, 0)";
            relu6 ["ReLU6"] = Relu6, "min(max(x, 0), 6)";
            leaky_relu ["leakyrelu", "LeakyReLU", "LeakyRelu"] = LeakyRelu { negative_slope: 0.01 }, "x if x > 0 else negative_slope * x";
            prelu ["PReLU", "PRelu"] = Prelu { weight: 0.25 }, "x if x > 0 else weight * x";
            relu_squared ["relu2", "squared_relu"] = ReluSquared, "max(x, 0)^2";
            threshold ["Threshold"] = Threshold { threshold: 0.0, value: 0.0 }, "x if x > threshold else value";
            thresholded_relu ["ThresholdedRelu"] = ThresholdedRelu { alpha: 1.0 }, "x if x > alpha else 0";
            elu ["ELU", "Elu"] = Elu { alpha: 1.0 }, "x if x > 0 else alpha * (exp(x) - 1)";
            selu ["SELU", "Selu"] = Selu,
                "1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (exp(x) - 1))";
            celu ["CELU", "Celu"] = Celu { alpha: 1.0 }, "x if x > 0 else alpha * (exp(x / alpha) - 1)";
            sigmoid ["logistic", "Sigmoid"] = Sigmoid, "1 / (1 + exp(-x))";
            logsigmoid ["log_sigmoid", "LogSigmoid"] = Logsigmoid, "log(sigmoid(x))";
            tanh ["Tanh"] = Tanh, "tanh(x)";
            silu ["SiLU"] = Silu, "x * sigmoid(x)";
            swish ["acon_a", "Swish"] = Swish { beta: 1.0 }, "x * sigmoid(beta * x)";
            quick_gelu ["gelu_quick", "quickgelu", "QuickGELU", "QuickGelu"] = QuickGelu, "x * sigmoid(1.702 * x)";
            gelu ["gelu_erf", "gelu_python", "GELU", "Gelu"] = Gelu, "x * (1 + erf(x / sqrt(2))) / 2";
            gelu_tanh [
                "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_new", "gelu_fast", "gelu_accurate",
                "gelu_approximate", "gelu-approximate"
            ] = GeluTanh,
                "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2";
            mish ["Mish"] = Mish, "x * tanh(softplus(x))";
            softplus ["Softplus"] = Softplus { beta: 1.0, threshold: 20.0 },
                "log(1 + exp(beta * x)) / beta if beta * x <= threshold else x";
            softsign ["soft_sign", "Softsign"] = Softsign, "x / (1 + |x|)";
            hardsigmoid ["hard_sigmoid", "Hardsigmoid"] = Hardsigmoid, "min(max(x + 3, 0), 6) / 6";
            onnx_hardsigmoid ["HardSigmoid"] = OnnxHardsigmoid { alpha: 0.2, beta: 0.5 },
                "min(max(alpha * x + beta, 0), 1)";
            hardswish ["hard_swish", "hard_silu", "Hardswish", "HardSwish"] = Hardswish, "x * min(max(x + 3, 0), 6) / 6";
            hardtanh ["hard_tanh", "Hardtanh"] = Hardtanh { min_val: -1.0, max_val: 1.0 }, "min(max(x, min_val), max_val)";
            hard_mish ["HardMish"] = HardMish, "x * min(max(x + 2, 0), 2) / 2";
            tanhshrink ["tanh_shrink", "Tanhshrink"] = Tanhshrink, "x - tanh(x)";
            softshrink ["soft_shrink", "Softshrink"] = Softshrink { lambd: 0.5 },
                "x - lambd if x > lambd else x + lambd if x < -lambd else 0";
            hardshrink ["hard_shrink", "Hardshrink"] = Hardshrink { lambd: 0.5 }, "0 if -lambd <= x <= lambd else x";
            shrink ["Shrink"] = Shrink { lambd: 0.5, bias: 0.0 },
                "x + bias if x < -lambd else x - bias if x > lambd else 0";
            sparse_plus [] = SparsePlus, "0 if x <= -1 else x if x >= 1 else (x + 1)^2 / 4";
            sparse_sigmoid [] = SparseSigmoid, "min(max(x + 1, 0), 2) / 2";
            squareplus [] = Squareplus { b: 4.0 }, "(x + sqrt(x^2 + b)) / 2";
            star_relu ["starrelu"] = StarRelu { scale: 0.894_427_2, bias: -0.447_213_6 },
                "scale * max(x, 0)^2 + bias";
            xielu [] = Xielu { alpha_p: 0.8, alpha_n: 0.8, beta: 0.5, eps: -1e-6 },
                "alpha_p * x^2 + beta * x if x > 0 else alpha_n * (exp(min(x, eps)) - 1 - x) + beta * x";
            acon_b [] = AconB { p: 0.25, beta: 1.0 },
                "(1 - p) * x * sigmoid(beta * (1 - p) * x) + p * x";
            acon_c [] = AconC { p1: 1.0, p2: 0.25, beta: 1.0 },
                "(p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x";
            abs ["Abs"] = Abs, "|x|";
            exp ["exponential", "Exp"] = Exp, "exp(x)";
            expm1 ["Expm1"] = Expm1, "exp(x) - 1";
            erf ["Erf"] = Erf, "erf(x)";
            sine ["sin", "Sin"] = Sine { omega: 1.0 }, "sin(omega * x)";
            snake ["Snake", "Snake1d"] = Snake { alpha: 1.0 }, "x + sin(alpha * x)^2 / alpha";
            snake_beta ["SnakeBeta"] = SnakeBeta { alpha: 1.0, beta: 1.0 }, "x + sin(alpha * x)^2 / beta";
            step ["heaviside"] = Step, "1 if x > 0 else 0";
            smelu ["SmeLU"] = Smelu { beta: 1.0 },
                "0 if x <= -beta else x if x >= beta else (x + beta)^2 / (4 * beta)";
            laplace ["LaplaceActivation"] = Laplace { mu: 0.707107, sigma: 0.282095 },
                "(1 + erf((x - mu) / (sigma * sqrt(2)))) / 2";
            sqrtsoftplus [] = Sqrtsoftplus, "sqrt(log(1 + exp(x)))";
            situ [] = Situ { beta: 1.0 }, "beta * tanh(x / beta) * sigmoid(x)";
            onednn_hardswish [] = OnednnHardswish { alpha: 0.166_666_67, beta: 0.5 },
                "x * min(max(alpha * x + beta, 0), 1)";
        }
    };
}

for_each_activation!(activations);

impl Activation {
    /// The name, as text chains spell it.
    pub fn name(&self) -> &'static str {
        self.entry().name
    }

    /// Other names under which it parses.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.entry().aliases
    }

    /// The parameters' names.
    pub fn parameters(&self) -> &'static [&'static str] {
        self.entry().parameters
    }

    /// The parameters that can be learned: those whose gradients the backward pass can have.
    pub fn learnable(&self) -> Vec<&'static str> {
        let gradients = self.entry().room.gradients.iter();
        gradients.map(|gradient| gradient.parameter).collect()
    }

    /// The definition, as a formula in x and the parameters.
    pub fn formula(&self) -> &'static str {
        self.entry().formula
    }

    /// The paper or specification that the definition is taken from.
    pub fn source(&self) -> &'static str {
        self.entry().room.source
    }

    /// The error allowed to the GPU's value and derivative, in ULP.
    pub fn budget(&self) -> f64 {
        self.entry().room.budget
    }

    /// The largest error of the GPU's value and derivative over all 2^32 inputs, with the default parameters, on the adapters of
    /// docs/ACCURACY.md: in ULP, up to the next half. None if nobody has walked over all inputs with this kernel. Other
    /// adapters, whose division may be off by more, and other parameters are held to [`budget`](Self::budget).
    pub fn walked(&self) -> Option<[f64; 2]> {
        self.entry().room.walked
    }

    /// The error allowed to the GPU's second derivative, in ULP; none where there is no such.
    ///
    /// ```
    /// use nonlin::Activation;
    ///
    /// assert_eq!(Activation::Relu.second_budget(), Some(0.0));
    /// assert_eq!(Activation::Step.second_budget(), Some(0.0));
    /// assert_eq!(Activation::Erf.second_budget(), None);
    /// ```
    pub fn second_budget(&self) -> Option<f64> {
        match &self.entry().room.second {
            Second::No(_) => None,
            Second::Zero => Some(0.0),
            Second::Is(bend) => Some(bend.budget),
        }
    }

    /// The inputs where the formula changes, for the parameters that this activation has.
    pub fn knots(&self) -> Vec<f64> {
        (self.entry().room.knots)(&self.values_f64())
    }

    /// The activation of that name or alias, with its default parameters.
    pub fn by_name(name: &str) -> Option<Activation> {
        let known = |a: &&Activation| a.name() == name || a.aliases().contains(&name);
        Self::ALL.iter().find(known).copied()
    }

    /// The same activation with other values for its parameters.
    pub(crate) fn with_values(&self, values: &[f32]) -> Activation {
        (self.entry().build)(values)
    }

    /// The same activation with its default parameters.
    pub(crate) fn plain(&self) -> Activation {
        Self::by_name(self.name()).unwrap_or(*self)
    }

    pub(crate) fn values_f64(&self) -> Vec<f64> {
        self.values().into_iter().map(f64::from).collect()
    }
}

/// A function that goes on turning; NaN for an infinite x, which is asked for by a point far beyond f32.
fn angle(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    if x.abs() < 1e99 { f(x) } else { f64::NAN }
}

/// The angle z = factor x, as far as its rounding, by up to 2^-24 |z|, may turn a sine; a factor of 1 rounds nothing.
fn turned(z: f64, factor: f64) -> f64 {
    if factor.abs() == 1.0 { 0.0 } else { z.abs() }
}

/// The logistic function in f64.
fn sigmoid64(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Its second derivative: s (1 - s) (1 - 2 s), where 2 s - 1 is tanh(x / 2).
fn sigmoid_bend64(x: f64) -> f64 {
    -sigmoid64(x) * sigmoid64(-x) * (x / 2.0).tanh()
}

/// The second derivative of x s(x): 2 s' + x s''.
fn swish_bend64(x: f64) -> f64 {
    sigmoid64(x) * sigmoid64(-x) * (2.0 - x * (x / 2.0).tanh())
}
