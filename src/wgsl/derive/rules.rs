//! The library's own functions whose derivatives are known: what they are in f64, and their derivatives in WGSL. Others are
//! gone through as the user's own are.

use super::graph::{Binary, Callee, Graph, Id, Kind, Op};
use super::tangent::{plus, times};

/// A function of shaders/math.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) takes: &'static [Kind],
    pub(super) gives: Kind,
    /// A line that stands in for it, where text that was derived calls it.
    pub(super) stub: &'static str,
    /// The file that has it.
    pub(super) file: &'static str,
    pub(super) value: fn(&[f64]) -> f64,
    /// The derivative with respect to one of what it takes.
    pub(super) partial: fn(&[f64], usize) -> f64,
    pub(super) tangent: Tangent,
}

/// The derivative in WGSL.
pub(super) enum Tangent {
    /// What it gives is no number, or goes in steps.
    None,
    /// Its own text's.
    OfText,
    /// It is a derivative itself, and its own is not known.
    Unknown,
    By(Derive),
}

/// Makes a derivative from what a function takes, its value, and the derivatives of what it takes.
type Derive = fn(&mut Graph, &[Id], Id, &[Option<Id>]) -> Option<Id>;

/// The place of a function among the rules.
pub(super) fn by_name(name: &str) -> Option<usize> {
    ALL.iter().position(|rule| rule.name == name)
}

/// A call of one of them.
pub(super) fn call(graph: &mut Graph, name: &str, takes: &[Id]) -> Id {
    let Some(rule) = by_name(name) else {
        unreachable!("{name} is among the rules");
    };
    let call = Op::Call(Callee::Library(rule), takes.to_vec());
    graph.add(call, ALL[rule].gives)
}

/// 1 / (1 + e^-z)
fn sigmoid(z: f64) -> f64 {
    match z < 0.0 {
        true => z.exp() / (1.0 + z.exp()),
        false => 1.0 / (1.0 + (-z).exp()),
    }
}

fn bell(z: f64) -> f64 {
    sigmoid(z) * sigmoid(-z)
}

/// a Q(a) e^(a^2 / 2), Q the upper tail of the normal distribution.
fn tail(a: f64) -> f64 {
    0.5 * a * libm::erfc(a * std::f64::consts::FRAC_1_SQRT_2) * (0.5 * a * a).exp()
}

/// What is left of its derivative times -e^(a^2 / 2).
fn tail_slope(a: f64) -> f64 {
    let density = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let scaled = libm::erfc(a * std::f64::consts::FRAC_1_SQRT_2) * (0.5 * a * a).exp();
    a * density - 0.5 * scaled
}

fn acon(of: &[f64]) -> f64 {
    let [x, p1, p2, beta] = *of else {
        return f64::NAN;
    };
    let z = beta * (p1 - p2) * x;
    x * (p1 * sigmoid(z) + p2 * sigmoid(-z))
}

fn acon_partial(of: &[f64], at: usize) -> f64 {
    let [x, p1, p2, beta] = *of else {
        return f64::NAN;
    };
    let (d, z) = (p1 - p2, beta * (p1 - p2) * x);
    let swish = |z: f64| sigmoid(z) + z * bell(z);
    match at {
        0 => p1 * sigmoid(z) + p2 * sigmoid(-z) + d * z * bell(z),
        1 => x * swish(z),
        2 => x * (1.0 - swish(z)),
        _ => (d * x) * (d * x) * bell(z),
    }
}

/// log(1 + q) / q
fn ratio(q: f64) -> f64 {
    match q == 0.0 {
        true => 1.0,
        false => q.ln_1p() / q,
    }
}

fn ratio_partial(q: f64) -> f64 {
    match q.abs() < 1e-3 {
        true => -0.5 + q * (2.0 / 3.0 - q * (0.75 - q * (0.8 - q * (5.0 / 6.0)))),
        false => (1.0 / (1.0 + q) - ratio(q)) / q,
    }
}

/// A gradient times a slope; where that is zero nothing passes.
pub(super) fn masked(gradient: f64, slope: f64) -> f64 {
    match gradient == 0.0 || slope == 0.0 {
        true => 0.0,
        false => gradient * slope,
    }
}

/// The swish derivative's: s (1 - s) (2 + z (1 - 2 s)).
fn bend(z: f64) -> f64 {
    bell(z) * (2.0 + z * (sigmoid(-z) - sigmoid(z)))
}

/// A function of one number, by the name of what its derivative is.
fn by_slope(graph: &mut Graph, slope: &str, of: &[Id], d: &[Option<Id>]) -> Option<Id> {
    let d = d[0]?;
    let slope = call(graph, slope, &of[..1]);
    Some(times(graph, slope, d))
}

/// Of e^t and of e^t - 1: the derivative of t, times e^t.
fn by_exp(graph: &mut Graph, of: &[Id], _: Id, d: &[Option<Id>]) -> Option<Id> {
    let d = d[0]?;
    Some(call(graph, "m_exp_times", &[of[0], d]))
}

const F: Kind = Kind::Float;

pub(super) const ALL: &[Rule] = &[
    Rule {
        name: "m_exp",
        takes: &[F, F],
        gives: Kind::Exp,
        stub: "fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); }",
        file: "math/exp.wgsl",
        value: |of| of[0] + of[1],
        partial: |_, _| 1.0,
        tangent: Tangent::By(|graph, _, _, d| plus(graph, d[0], d[1])),
    },
    Rule {
        name: "m_exp_times",
        takes: &[Kind::Exp, F],
        gives: F,
        stub: "fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; }",
        file: "math/exp.wgsl",
        value: |of| masked(of[1], of[0].exp()),
        partial: |of, at| match at {
            0 => masked(of[1], of[0].exp()),
            _ => of[0].exp(),
        },
        tangent: Tangent::By(|graph, of, _, d| {
            let of_exponent = d[0].map(|d| times(graph, of[1], d));
            let all = plus(graph, d[1], of_exponent)?;
            Some(call(graph, "m_exp_times", &[of[0], all]))
        }),
    },
    Rule {
        name: "m_exp_value",
        takes: &[Kind::Exp],
        gives: F,
        stub: "fn m_exp_value(e: Exp) -> f32 { return e.s; }",
        file: "math/exp.wgsl",
        value: |of| of[0].exp(),
        partial: |of, _| of[0].exp(),
        tangent: Tangent::By(by_exp),
    },
    Rule {
        name: "m_expm1",
        takes: &[Kind::Exp],
        gives: F,
        stub: "fn m_expm1(e: Exp) -> f32 { return e.s; }",
        file: "math/expm1.wgsl",
        value: |of| of[0].exp_m1(),
        partial: |of, _| of[0].exp(),
        tangent: Tangent::By(by_exp),
    },
    Rule {
        name: "m_ldexp",
        takes: &[F, Kind::Int],
        gives: F,
        stub: "fn m_ldexp(v: f32, k: i32) -> f32 { return v; }",
        file: "math/ldexp.wgsl",
        value: |of| of[0] * of[1].exp2(),
        partial: |of, _| of[1].exp2(),
        tangent: Tangent::By(|graph, of, _, d| {
            let d = d[0]?;
            Some(call(graph, "m_ldexp", &[d, of[1]]))
        }),
    },
    Rule {
        name: "m_log1p_ratio",
        takes: &[F],
        gives: F,
        stub: "fn m_log1p_ratio(q: f32) -> f32 { return q; }",
        file: "math/log1p.wgsl",
        value: |of| ratio(of[0]),
        partial: |of, _| ratio_partial(of[0]),
        tangent: Tangent::OfText,
    },
    Rule {
        name: "m_log_from_one",
        takes: &[F],
        gives: F,
        stub: "fn m_log_from_one(v: f32) -> f32 { return v; }",
        file: "math/log.wgsl",
        value: |of| of[0].ln(),
        partial: |of, _| of[0].recip(),
        tangent: Tangent::By(|graph, of, _, d| Some(graph.binary(Binary::Divide, d[0]?, of[0]))),
    },
    Rule {
        name: "m_normal_exp",
        takes: &[F],
        gives: Kind::Exp,
        stub: "fn m_normal_exp(a: f32) -> Exp { return Exp(a, 0); }",
        file: "math/normal.wgsl",
        value: |of| -0.5 * of[0] * of[0],
        partial: |of, _| -of[0],
        tangent: Tangent::By(|graph, of, _, d| {
            let down = graph.negate(of[0]);
            Some(times(graph, down, d[0]?))
        }),
    },
    Rule {
        name: "m_normal_tail",
        takes: &[F],
        gives: F,
        stub: "fn m_normal_tail(a: f32) -> f32 { return a; }",
        file: "math/normal.wgsl",
        value: |of| tail(of[0]),
        partial: |of, _| of[0] * tail(of[0]) - tail_slope(of[0]),
        tangent: Tangent::By(|graph, of, value, d| {
            let d = d[0]?;
            let slope = call(graph, "m_normal_tail_slope", &of[..1]);
            let product = graph.binary(Binary::Multiply, of[0], value);
            let slope = graph.binary(Binary::Subtract, product, slope);
            Some(times(graph, slope, d))
        }),
    },
    Rule {
        name: "m_normal_tail_slope",
        takes: &[F],
        gives: F,
        stub: "fn m_normal_tail_slope(a: f32) -> f32 { return a; }",
        file: "math/normal.wgsl",
        value: |of| tail_slope(of[0]),
        partial: |of, _| {
            let scaled = libm::erfc(of[0] * std::f64::consts::FRAC_1_SQRT_2);
            let density = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
            density - 0.5 * of[0] * scaled * (0.5 * of[0] * of[0]).exp()
        },
        tangent: Tangent::OfText,
    },
    Rule {
        name: "m_times_sigmoid",
        takes: &[F, F],
        gives: F,
        stub: "fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; }",
        file: "math/sigmoid.wgsl",
        value: |of| masked(of[0], sigmoid(of[1])),
        partial: |of, at| match at {
            0 => sigmoid(of[1]),
            _ => masked(of[0], bell(of[1])),
        },
        tangent: Tangent::By(|graph, of, _, d| {
            // Of x s(x) both are one.
            if of[0] == of[1] {
                return by_slope(graph, "m_swish_derivative", of, d);
            }
            // (dx + x (1 - s) dz) s, with 1 - s(z) = s(-z): of small numbers nothing is lost before the product is made.
            let second = d[1].map(|d| {
                let (product, down) = (times(graph, of[0], d), graph.negate(of[1]));
                call(graph, "m_times_sigmoid", &[product, down])
            });
            let sum = plus(graph, d[0], second)?;
            Some(call(graph, "m_times_sigmoid", &[sum, of[1]]))
        }),
    },
    Rule {
        name: "m_swish_derivative",
        takes: &[F],
        gives: F,
        stub: "fn m_swish_derivative(z: f32) -> f32 { return z; }",
        file: "math/sigmoid.wgsl",
        value: |of| sigmoid(of[0]) + masked(of[0], bell(of[0])),
        partial: |of, _| bend(of[0]),
        tangent: Tangent::By(|graph, of, _, d| {
            let d = d[0]?;
            let (one, two) = (graph.float(1.0), graph.float(2.0));
            let s = call(graph, "m_times_sigmoid", &[one, of[0]]);
            let bell = call(graph, "m_sigmoid_derivative", &of[..1]);
            let twice = graph.binary(Binary::Multiply, two, s);
            let rest = graph.binary(Binary::Subtract, one, twice);
            let product = graph.binary(Binary::Multiply, of[0], rest);
            let sum = graph.binary(Binary::Add, two, product);
            let slope = graph.binary(Binary::Multiply, bell, sum);
            Some(times(graph, slope, d))
        }),
    },
    Rule {
        name: "m_sigmoid_derivative",
        takes: &[F],
        gives: F,
        stub: "fn m_sigmoid_derivative(z: f32) -> f32 { return z; }",
        file: "math/sigmoid.wgsl",
        value: |of| bell(of[0]),
        partial: |of, _| bell(of[0]) * (sigmoid(-of[0]) - sigmoid(of[0])),
        tangent: Tangent::By(|graph, of, value, d| {
            let d = d[0]?;
            let (one, two) = (graph.float(1.0), graph.float(2.0));
            let s = call(graph, "m_times_sigmoid", &[one, of[0]]);
            let twice = graph.binary(Binary::Multiply, two, s);
            let rest = graph.binary(Binary::Subtract, one, twice);
            let slope = graph.binary(Binary::Multiply, value, rest);
            Some(times(graph, slope, d))
        }),
    },
    Rule {
        name: "m_acon",
        takes: &[F, F, F, F],
        gives: F,
        stub: "fn m_acon(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; }",
        file: "math/acon.wgsl",
        value: acon,
        partial: acon_partial,
        tangent: Tangent::By(|graph, of, _, d| {
            let slopes = [
                "m_acon_derivative",
                "m_acon_d_p1",
                "m_acon_d_p2",
                "m_acon_d_beta",
            ];
            let mut all = None;
            for (d, slope) in d.iter().zip(slopes) {
                let term = d.map(|d| {
                    let slope = call(graph, slope, of);
                    times(graph, slope, d)
                });
                all = plus(graph, all, term);
            }
            all
        }),
    },
    acon_slope(
        "m_acon_derivative",
        "fn m_acon_derivative(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; }",
        |of| acon_partial(of, 0),
    ),
    acon_slope(
        "m_acon_d_p1",
        "fn m_acon_d_p1(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; }",
        |of| acon_partial(of, 1),
    ),
    acon_slope(
        "m_acon_d_p2",
        "fn m_acon_d_p2(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; }",
        |of| acon_partial(of, 2),
    ),
    acon_slope(
        "m_acon_d_beta",
        "fn m_acon_d_beta(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; }",
        |of| acon_partial(of, 3),
    ),
    Rule {
        name: "m_turns",
        takes: &[F],
        gives: Kind::Turns,
        stub: "fn m_turns(z: f32) -> u32 { return 0u; }",
        file: "math/sin.wgsl",
        value: |of| of[0],
        partial: |_, _| 1.0,
        tangent: Tangent::By(|_, _, _, d| d[0]),
    },
    Rule {
        name: "m_sin",
        takes: &[F, Kind::Turns],
        gives: F,
        stub: "fn m_sin(z: f32, turns: u32) -> f32 { return z; }",
        file: "math/sin.wgsl",
        value: |of| of[0].sin(),
        // Both are one angle: it counts once.
        partial: |of, at| match at {
            0 => 0.0,
            _ => of[1].cos(),
        },
        tangent: Tangent::By(|graph, of, _, d| by_slope(graph, "m_cos", &of[1..], &d[1..])),
    },
    Rule {
        name: "m_sin_of_turns",
        takes: &[Kind::Turns],
        gives: F,
        stub: "fn m_sin_of_turns(turns: u32) -> f32 { return 0.0; }",
        file: "math/sin.wgsl",
        value: |of| of[0].sin(),
        partial: |of, _| of[0].cos(),
        tangent: Tangent::By(|graph, of, _, d| by_slope(graph, "m_cos", of, d)),
    },
    Rule {
        name: "m_cos",
        takes: &[Kind::Turns],
        gives: F,
        stub: "fn m_cos(turns: u32) -> f32 { return 1.0; }",
        file: "math/sin.wgsl",
        value: |of| of[0].cos(),
        partial: |of, _| -of[0].sin(),
        tangent: Tangent::By(|graph, of, _, d| {
            let slope = by_slope(graph, "m_sin_of_turns", of, d)?;
            Some(graph.negate(slope))
        }),
    },
    Rule {
        name: "m_if_finite",
        takes: &[F, F],
        gives: F,
        stub: "fn m_if_finite(v: f32, x: f32) -> f32 { return v; }",
        file: "math/sin.wgsl",
        value: |of| match of[1].abs() > f64::from(f32::MAX) {
            true => f64::NAN,
            false => of[0],
        },
        partial: |_, at| [1.0, 0.0][at],
        tangent: Tangent::By(|graph, of, _, d| {
            let d = d[0]?;
            Some(call(graph, "m_if_finite", &[d, of[1]]))
        }),
    },
    Rule {
        name: "m_is_above_zero",
        takes: &[F],
        gives: Kind::Bool,
        stub: "fn m_is_above_zero(x: f32) -> bool { return x > 0.0; }",
        file: "math/sign.wgsl",
        value: |of| f64::from(of[0] > 0.0),
        partial: |_, _| 0.0,
        tangent: Tangent::None,
    },
    Rule {
        name: "m_is_below_zero",
        takes: &[F],
        gives: Kind::Bool,
        stub: "fn m_is_below_zero(x: f32) -> bool { return x < 0.0; }",
        file: "math/sign.wgsl",
        value: |of| f64::from(of[0] < 0.0),
        partial: |_, _| 0.0,
        tangent: Tangent::None,
    },
    Rule {
        name: "m_masked",
        takes: &[F, F],
        gives: F,
        stub: "fn m_masked(gradient: f32, slope: f32) -> f32 { return gradient * slope; }",
        file: "math/nan.wgsl",
        value: |of| masked(of[0], of[1]),
        partial: |of, at| of[1 - at],
        tangent: Tangent::By(|graph, of, _, d| {
            let first = d[0].map(|d| times(graph, d, of[1]));
            let second = d[1].map(|d| times(graph, of[0], d));
            plus(graph, first, second)
        }),
    },
];

/// One of the derivatives of ACON-C: it has no derivative of its own here.
const fn acon_slope(name: &'static str, stub: &'static str, value: fn(&[f64]) -> f64) -> Rule {
    Rule {
        name,
        takes: &[F, F, F, F],
        gives: F,
        stub,
        file: "math/acon.wgsl",
        value,
        partial: |_, _| f64::NAN,
        tangent: Tangent::Unknown,
    }
}
