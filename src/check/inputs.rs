//! Inputs that try a chain.

use crate::act::Activation;
use crate::chain::Chain;
use crate::chain::step::{Argument, Function};

/// Inputs that try a chain: somewhat more than `count`, the same ones every time. Half of them step
/// through the bit patterns of all f32, NaN and infinities included; half lie densely where activations
/// bend and fade out; the rest lies around the knots and roots of each step's activation, seen through
/// the scales before it, and at the edges of the format.
pub fn inputs(chain: &Chain, count: usize) -> Vec<f32> {
    let half = count / 2 + 1;
    let mut x = Vec::with_capacity(count + 4096);
    let stride = (u32::MAX as usize / half).max(1) | 1;
    x.extend((0..=u32::MAX).step_by(stride).map(f32::from_bits));
    for i in 0..half {
        let at = (i as f32 + 0.37) / half as f32 * 2.0 - 1.0;
        x.push(at * if i % 2 == 0 { 12.0 } else { 120.0 });
    }
    let edges = [
        0.0,
        1.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::from_bits(1),
        1e-6,
        88.0,
    ];
    x.extend(edges.into_iter().flat_map(|v| [v, -v]));
    x.extend([
        f32::NAN,
        -f32::NAN,
        f32::from_bits(0x7f80_0001),
        f32::from_bits(0xffff_ffff),
    ]);
    let mut scale = 1.0;
    for step in chain.steps() {
        let constants: Option<Vec<f32>> = step
            .arguments()
            .iter()
            .map(|argument| match argument {
                Argument::Constant(value) => Some(*value),
                Argument::Operand(_) | Argument::Branch(_) => None,
            })
            .collect();
        match (step.function(), constants.as_deref()) {
            (Function::Scale, Some([factor])) => scale *= f64::from(*factor),
            (Function::Activation(activation), constants) => {
                let activation = constants.map_or(*activation, |c| activation.with_values(c));
                let points = special_points(&activation).into_iter();
                x.extend(points.flat_map(|v| around((v / scale) as f32)));
            }
            _ => {}
        }
    }
    x
}

fn special_points(activation: &Activation) -> Vec<f64> {
    let room = activation.entry().room;
    let unit = room
        .product
        .map_or(1.0, |index| activation.values_f64()[index]);
    let mut points = activation.knots();
    points.extend(room.roots.iter().map(|root| root / unit));
    points
}

/// The 129 f32 nearest to a value.
fn around(v: f32) -> impl Iterator<Item = f32> {
    let bits = i64::from(v.to_bits());
    (-64..=64).filter_map(move |step| u32::try_from(bits + step).ok().map(f32::from_bits))
}
