//! xIELU, as transformers has it: below zero the exponential sees min(x, eps), so
//! that the value jumps by alpha_n eps at zero, and the slope is beta - alpha_n between eps and zero.
//! alpha_p and alpha_n are the effective values, behind the softplus.

use super::{Counts, Domain, FromY, Gradient, Room};

pub(super) const ROOM: Room = Room {
    source: "Huang and Schlag 2024, arXiv:2411.13010; transformers.activations.XIELUActivation",
    domain: &[
        Domain::factor::<0>("alpha_p"),
        Domain::factor::<1>("alpha_n"),
        Domain::factor::<2>("beta"),
        Domain::factor::<3>("eps"),
    ],
    y: |x, p| {
        let u = x.min(p[3]);
        match x {
            _ if x > 0.0 => p[0] * x * x + p[2] * x,
            // In either form nothing cancels but what the parameters make cancel.
            _ if u < -1.0 => p[1] * u.exp_m1() + (p[2] - p[1]) * x,
            _ => p[1] * (bent(u) + (u - x)) + p[2] * x,
        }
    },
    dx: |x, p| {
        if x > 0.0 {
            return 2.0 * p[0] * x + p[2];
        }
        let inner = match x {
            _ if x < p[3] => x.exp_m1(),
            _ if x > p[3] => -1.0,
            _ => 0.5 * x.exp() - 1.0,
        };
        p[1] * inner + p[2]
    },
    knots: |p| vec![0.0, p[3]],
    y_terms: |x, p| {
        let u = x.min(p[3]);
        match x {
            _ if x > 0.0 => (p[0] * x * x).abs() + (p[2] * x).abs(),
            _ if u < -1.0 => (p[1] * u.exp_m1()).abs() + ((p[2] - p[1]) * x).abs(),
            _ => p[1].abs() * (bent(u) + (u - x).abs()) + (p[2] * x).abs(),
        }
    },
    dx_terms: |x, p| {
        if x > 0.0 {
            (2.0 * p[0] * x).abs() + p[2].abs()
        } else {
            (p[1] * x.exp_m1()).abs() + p[2].abs()
        }
    },
    from_y: FromY::No("x has no closed form in it"),
    gradients: &[
        Gradient {
            parameter: "alpha_p",
            is_flat: true,
            counts: Counts::AboveZero,
            d: |x, _| x.max(0.0).powi(2),
            terms: |_, _| 0.0,
        },
        Gradient {
            parameter: "alpha_n",
            is_flat: true,
            counts: Counts::UpToZero,
            d: |x, p| match x {
                _ if x > 0.0 => 0.0,
                _ if x > p[3] => kept(x, p).into_iter().sum(),
                _ => bent(x),
            },
            terms: |x, p| match x {
                _ if x > 0.0 => 0.0,
                _ if x > p[3] => kept(x, p).map(f64::abs).into_iter().sum(),
                _ => 0.0,
            },
        },
        Gradient {
            parameter: "beta",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, _| x,
            terms: |_, _| 0.0,
        },
    ],
    wgsl_terms: ["2.0 * abs(x)", "abs(dy)"],
    walked: Some([2.5, 1.0]),
    ..Room::PLAIN
};

/// e^u - 1 - u; where it cancels, by the exponential's Taylor series.
fn bent(u: f64) -> f64 {
    if u < -0.5 {
        return u.exp_m1() - u;
    }
    let series = (3..20)
        .rev()
        .fold(1.0, |sum, n| 1.0 + sum * u / f64::from(n));
    series * u * u / 2.0
}

/// The terms of e^eps - 1 - x, for x from eps to zero.
fn kept(x: f64, p: &[f64]) -> [f64; 2] {
    let eps = p[3];
    if eps < -1.0 {
        [eps.exp_m1(), -x]
    } else {
        [bent(eps), eps - x]
    }
}
