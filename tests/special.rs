//! What special values become: NaN that a step makes of numbers stays, as it does between separate dispatches; where a
//! function is constant no gradient passes, not even an infinite one.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "common/digits.rs"]
mod digits;

use common::{Share, verdict};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::half::{bf16, f16};
use nonlin::{Activation, Chain, DType, Element, Gpu, Layout, Step, Values};

/// Values that sums, products and bends make something of.
const SPECIAL: [f32; 21] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    3.0,
    -3.0,
    6.0,
    9.0,
    -9.0,
    -200.0,
    200.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-3,
    -1e-3,
];

/// Each of three operands' values with each of the others'.
fn all<T: Element>() -> [Vec<T>; 3] {
    let n = SPECIAL.len();
    let pick = |by: usize| -> Vec<T> {
        let values = (0..n * n * n).map(|i| SPECIAL[i / by % n]);
        values.map(|v| T::from_f64(v.into())).collect()
    };
    [pick(1), pick(n), pick(n * n)]
}

/// Both passes of a chain, whose operands are as long as x, and the gradients of what can be learned.
struct Passes<T> {
    y: Vec<T>,
    dx: Vec<T>,
    gradients: Vec<(String, Vec<f32>)>,
}

fn values<T: Element>(chain: &Chain, operand: &[T]) -> Values {
    let names = chain.operands().into_iter();
    names.fold(Values::new(), |values, name| values.arg(name, operand))
}

fn fused<T: Element>(
    gpu: &Gpu,
    chain: &Chain,
    [x, r, dy]: &[Vec<T>; 3],
) -> Result<Passes<T>, Failed> {
    let values = values(chain, r);
    let learned = chain.learnable();
    let y = gpu.forward_with(chain, x, &values)?;
    let (dx, gradients) = gpu.backward_with(chain, x, dy, &values, &learned)?;
    let names = learned.into_iter().map(str::to_owned);
    Ok(Passes {
        y,
        dx,
        gradients: names.zip(gradients).collect(),
    })
}

/// The same as a dispatch for each step, in f32.
fn unfused(gpu: &Gpu, chain: &Chain, [x, r, dy]: &[Vec<f32>; 3]) -> Result<Passes<f32>, Failed> {
    let steps: Vec<Chain> = chain.steps().iter().cloned().map(Chain::from).collect();
    let mut inputs = vec![x.clone()];
    for step in &steps {
        let next = gpu.forward_with(step, &inputs[inputs.len() - 1], &values(step, r))?;
        inputs.push(next);
    }
    let y = inputs.pop().unwrap_or_default();
    let (mut dx, mut gradients) = (dy.clone(), Vec::new());
    for (step, x) in steps.iter().zip(&inputs).rev() {
        let found = fused(gpu, step, &[x.clone(), r.clone(), dx])?;
        dx = found.dx;
        gradients.extend(found.gradients);
    }
    Ok(Passes { y, dx, gradients })
}

/// Whether the two are both NaN, or the same infinity, or near each other.
fn are_alike(a: f32, b: f32) -> bool {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => (a - b).abs() <= 1e-5 * a.abs().max(b.abs()) + f32::MIN_POSITIVE,
        // The last step may round up to infinity.
        (true, false) => b.abs() == f32::INFINITY && a.abs() > 3.4e38 && a * b > 0.0,
        (false, true) => are_alike(b, a),
        (false, false) => a == b || (a.is_nan() && b.is_nan()),
    }
}

fn must_be_alike(what: &str, inputs: &[Vec<f32>; 3], a: &[f32], b: &[f32]) -> Result<(), Failed> {
    let wrong = a.iter().zip(b).position(|(a, b)| !are_alike(*a, *b));
    match wrong {
        None => Ok(()),
        Some(at) => {
            let [x, r, dy] = inputs.each_ref().map(|values| values[at]);
            let (a, b) = (a[at], b[at]);
            let text = format!("{what} at x = {x}, operand = {r}, dy = {dy}: {a}, unfused {b}");
            Err(text.into())
        }
    }
}

/// Fused as unfused.
fn as_unfused(gpu: &Gpu, chain: &Chain) -> Result<(), Failed> {
    let inputs = all::<f32>();
    let (one, two) = (fused(gpu, chain, &inputs)?, unfused(gpu, chain, &inputs)?);
    must_be_alike("y", &inputs, &one.y, &two.y)?;
    // NaN in x or an operand is NaN in all gradients of a fused chain, needed or not.
    let is_known = |i: &usize| !inputs[0][*i].is_nan() && !inputs[1][*i].is_nan();
    let known: Vec<usize> = (0..inputs[0].len()).filter(is_known).collect();
    let only = |values: &[f32]| -> Vec<f32> { known.iter().map(|i| values[*i]).collect() };
    let inputs = inputs.each_ref().map(|values| only(values));
    must_be_alike("dx", &inputs, &only(&one.dx), &only(&two.dx))?;
    for (name, found) in &one.gradients {
        let other = two.gradients.iter().find(|(other, _)| other == name);
        let (_, other) = other.ok_or("a gradient is missing")?;
        must_be_alike(&format!("d_{name}"), &inputs, &only(found), &only(other))?;
    }
    Ok(())
}

/// Both passes, and gradients for each element and summed, are what the reference says.
fn as_reference<T: Element>(gpu: &Gpu, chain: &Chain) -> Result<(), Failed> {
    let inputs = all::<T>();
    let Passes { y, dx, gradients } = fused(gpu, chain, &inputs)?;
    let [x, r, dy] = &inputs;
    let values = values(chain, r);
    verdict(&Expected::forward_with(chain, x, &values)?.compare(&y)?)?;
    verdict(&Expected::backward_with(chain, x, dy, &values)?.compare(&dx)?)?;
    for (name, found) in &gradients {
        verdict(&check::gradient(chain, x, dy, &values, name, found)?)?;
    }
    Ok(())
}

/// What makes NaN of numbers, before what would make numbers of NaN.
fn chains(activation: Step) -> impl Iterator<Item = Chain> {
    [
        "residual(@r)",
        "gate(@r)",
        "scale(0)",
        "gate(@r) | dropout(0.5)",
    ]
    .into_iter()
    .map(move |text| {
        let before: Chain = text.parse().expect("a chain");
        before.step(activation.clone())
    })
}

fn trials_of(gpu: &Gpu, activation: Activation) -> Result<(), Failed> {
    // Kernels of its own: those of all trials together would take gigabytes.
    let gpu = &Gpu::from_device(gpu.device().clone(), gpu.queue().clone());
    for chain in chains(activation.into()) {
        let of = |result: Result<(), Failed>, dtype| {
            result.map_err(|e| {
                let text = e.message().unwrap_or_default();
                Failed::from(format!("{chain} {dtype}: {text}"))
            })
        };
        // Dropout draws by a step's own number in the chain, and so others by itself.
        if !chain.is_random() {
            of(as_unfused(gpu, &chain), DType::F32)?;
        }
        of(as_reference::<f32>(gpu, &chain), DType::F32)?;
    }
    let stored: Chain = Chain::new().residual("r").step(activation);
    as_reference::<f16>(gpu, &stored)
}

/// Zero, the ends of f32, powers of two, and bits at random, of both signs.
fn unusual() -> Vec<f32> {
    let named = [
        0.0,
        1e-45,
        1e-40,
        1e-38,
        1e-37,
        1e-10,
        0.1,
        0.3,
        0.999_999_94,
        1.0,
        1.000_000_1,
        1.5,
        3.0,
        6.0,
        17.0,
        20.0,
        88.9,
        250.0,
        1e10,
        3e38,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
    ];
    let powers = (-126..=127).step_by(7).map(|k| 2f32.powi(k));
    let mut state = 1u32;
    let random = (0..90).map(|_| {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        f32::from_bits(state)
    });
    let both = named.into_iter().chain(powers).flat_map(|v| [v, -v]);
    both.chain(random).filter(|v| !v.is_nan()).collect()
}

/// An activation with unusual values for one of its parameters at a time: what is in the domain is right in both passes
/// from x.
fn unusual_parameters(gpu: &Gpu, activation: Activation) -> Result<(), Failed> {
    for parameter in activation.parameters() {
        let mut tried = 0;
        for value in unusual() {
            let step = Step::from(activation).with(parameter, value)?;
            let chain = Chain::from(step);
            // Outside of the domain.
            if chain.validate().is_err() {
                continue;
            }
            tried += 1;
            let mut x = check::inputs(&chain, 100);
            x.extend([f32::INFINITY, f32::NEG_INFINITY]);
            let told =
                |e: Failed| Failed::from(format!("{chain}: {}", e.message().unwrap_or_default()));
            common::agrees(gpu, &chain, &x, &vec![1.0; x.len()]).map_err(told)?;
        }
        if tried < 50 {
            return Err(format!("{parameter} of {activation} has {tried} values").into());
        }
    }
    Ok(())
}

/// The slope at a subnormal number is that beside zero, and not that at zero.
fn beside_zero(gpu: &Gpu) -> Result<(), Failed> {
    let x = [1e-40f32, -1e-40, 1e-45, -1e-45];
    for (text, up, down) in [
        ("relu", 1.0, 0.0),
        ("relu6", 1.0, 0.0),
        ("leaky_relu(0.25)", 1.0, 0.25),
        ("prelu(0.25)", 1.0, 0.25),
        ("elu(2)", 1.0, 2.0),
        ("selu", 1.050_701, 1.758_099_3),
        ("xielu(1, 2, 0.5)", 0.5, -1.5),
        ("abs", 1.0, -1.0),
    ] {
        let dx = gpu.backward(&text.parse()?, &x, &[1.0f32; 4])?;
        if dx != [up, down, up, down] {
            return Err(format!("{text} at {x:?}: {dx:?}").into());
        }
    }
    Ok(())
}

/// With a rounding behind each step, a chain is the same as a dispatch for each, stored in between, bit for bit.
fn rounded_as_stored<T: Element + PartialEq>(gpu: &Gpu) -> Result<(), Failed> {
    let dtype = T::DTYPE;
    let steps = [
        "scale(0.3)",
        "bias(-0.1)",
        "silu",
        "gate(@g)",
        "residual(@r)",
        "gelu_tanh",
    ];
    let fused: Chain = steps.join(&format!(" | round({dtype}) | ")).parse()?;
    let wide = (0..3000).map(|i| (f64::from(i) - 1500.0) * 0.013_7);
    let [g, r]: [Vec<T>; 2] =
        [0.7, -1.3].map(|by| wide.clone().map(|v| T::from_f64(v * by)).collect());
    let x: Vec<T> = wide.map(T::from_f64).collect();
    let values = |chain: &Chain| {
        let given = [("g", &g), ("r", &r)].into_iter();
        let wanted = given.filter(|(name, _)| chain.operands().contains(name));
        wanted.fold(Values::new(), |values, (name, operand)| {
            values.arg(name, operand)
        })
    };
    let got = gpu.forward_with(&fused, &x, &values(&fused))?;
    let mut want = x.clone();
    for step in steps {
        let chain: Chain = step.parse()?;
        want = gpu.forward_with(&chain, &want, &values(&chain))?;
    }
    let same = got
        .iter()
        .zip(&want)
        .all(|(a, b)| a.to_f32().to_bits() == b.to_f32().to_bits());
    let plain: Chain = steps.join(" | ").parse()?;
    let once = gpu.forward_with(&plain, &x, &values(&plain))?;
    match (same, once == want) {
        (true, false) => Ok(()),
        (true, true) => Err("rounding once gives the same: nothing is tried".into()),
        (false, _) => Err(format!("{fused} differs from separate dispatches").into()),
    }
}

/// With a rounding behind each step, a chain is what PyTorch computes operation by operation in that dtype, bit for bit.
fn as_eager<T: Element + PartialEq + std::fmt::Debug>(gpu: &Gpu) -> Result<(), Failed> {
    let dtype = T::DTYPE;
    let arrays: Vec<f32> = digits::array(&format!("eager/{dtype}.npy"));
    let all: Vec<T> = arrays.iter().map(|v| T::from_f64(f64::from(*v))).collect();
    let [x, g, r, want, b] = all.chunks(1024).collect::<Vec<_>>()[..] else {
        return Err("five rows are needed".into());
    };
    let steps = ["bias(@b)", "silu", "gate(@g)", "residual(@r)"];
    let eager: Chain = steps.join(&format!(" | round({dtype}) | ")).parse()?;
    let once: Chain = steps.join(" | ").parse()?;
    let values = Values::new()
        .arg("b", &b[..64])
        .arg("g", g)
        .arg("r", r)
        .layout(Layout {
            outer: 16,
            channels: 64,
            inner: 1,
        });
    let y = gpu.forward_with(&eager, x, &values)?;
    let differ = |y: &[T]| y.iter().zip(want).filter(|(y, want)| y != want).count();
    if differ(&y) > 0 {
        return Err(format!("{} of 1024 values are not PyTorch's", differ(&y)).into());
    }
    match differ(&gpu.forward_with(&once, x, &values)?) {
        0 => Err("rounding once gives the same: nothing is tried".into()),
        _ => Ok(()),
    }
}

/// What PyTorch and JAX give, and separate dispatches.
fn by_name(gpu: &Gpu) -> Result<(), Failed> {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for name in [
        "relu", "relu6", "hardtanh", "sigmoid", "tanh", "gelu", "elu", "softsign",
    ] {
        let chain: Chain = format!("residual(@r) | {name}").parse()?;
        let values = Values::new().arg("r", &[-inf]);
        let y = gpu.forward_with(&chain, &[inf], &values)?;
        let (dx, dr) = gpu.backward_with(&chain, &[inf], &[1.0f32], &values, &["r"])?;
        if !(y[0].is_nan() && dx[0].is_nan() && dr[0][0].is_nan()) {
            return Err(format!("{chain} at inf - inf: {y:?} {dx:?} {dr:?}").into());
        }
    }
    let relu6 = "relu6".parse()?;
    let dx = gpu.backward(
        &relu6,
        &[-9.0f32, 0.0, 3.0, 9.0, -9.0],
        &[inf, inf, inf, inf, nan],
    )?;
    if dx[..4] != [0.0, 0.0, inf, 0.0] || !dx[4].is_nan() {
        return Err(format!("relu6 lets {dx:?} pass").into());
    }
    let prelu: Chain = "prelu(weight=@w)".parse()?;
    let values = Values::new().arg("w", &[nan, nan]);
    let y = gpu.forward_with(&prelu, &[2.0f32, -1.0], &values)?;
    let (dx, _) = gpu.backward_with(&prelu, &[2.0f32, -1.0], &[3.0f32; 2], &values, &[])?;
    if y[0] != 2.0 || !y[1].is_nan() || dx[0] != 3.0 || !dx[1].is_nan() {
        return Err(format!("prelu with a weight of NaN: {y:?}, {dx:?}").into());
    }
    let values = Values::new().arg("w", &[0.25f32, 0.25]);
    let (_, dw) = gpu.backward_with(&prelu, &[2.0f32, -2.0], &[inf, inf], &values, &["w"])?;
    match dw[0] == [0.0, -inf] {
        true => Ok(()),
        false => Err(format!("prelu's weight gets {dw:?}").into()),
    }
}

/// Numbers in the place of NaN, and NaN in the place of zero, are found.
fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "residual(@r) | relu6".parse()?;
    let inputs = all::<f32>();
    let [x, r, dy] = &inputs;
    let right = fused(gpu, &chain, &inputs)?;
    let values = values(&chain, r);
    let born = |i: &usize| x[*i] == f32::INFINITY && r[*i] == f32::NEG_INFINITY;
    let masked = |i: &usize| x[*i] == -9.0 && r[*i] == 1.0 && dy[*i] == f32::INFINITY;
    let at = |found: &dyn Fn(&usize) -> bool| (0..x.len()).find(|i| found(i)).ok_or("no case");
    let mut y = right.y.clone();
    y[at(&born)?] = 0.0;
    if Expected::forward_with(&chain, x, &values)?
        .compare(&y)?
        .passes()
    {
        return Err("a number in the place of NaN is accepted".into());
    }
    for (place, wrong) in [(at(&born)?, 0.0), (at(&masked)?, f32::NAN)] {
        let mut dx = right.dx.clone();
        dx[place] = wrong;
        if Expected::backward_with(&chain, x, dy, &values)?
            .compare(&dx)?
            .passes()
        {
            return Err(format!("dx = {wrong} is accepted").into());
        }
    }
    match must_be_alike("y", &inputs, &y, &right.y) {
        Ok(()) => Err("a number and NaN are taken to be alike".into()),
        Err(_) => Ok(()),
    }
}

fn main() -> ! {
    common::main(|trials| {
        trials.add("by_name", by_name);
        trials.add("teeth", teeth);
        trials.add("beside_zero", beside_zero);
        trials.add("rounded_as_stored::f16", rounded_as_stored::<f16>);
        trials.add("rounded_as_stored::bf16", rounded_as_stored::<bf16>);
        trials.add("as_eager::f16", as_eager::<f16>);
        trials.add("as_eager::bf16", as_eager::<bf16>);
        let share = Share::of(trials);
        for (number, activation) in Activation::ALL.iter().copied().enumerate() {
            if share.has(number) {
                trials.add(activation.name(), move |gpu| trials_of(gpu, activation));
            }
            // Where the other does not run.
            if share.has(number + 1) && !activation.parameters().is_empty() {
                trials.add(
                    format!("{}::unusual_parameters", activation.name()),
                    move |gpu| unusual_parameters(gpu, activation),
                );
            }
        }
        trials.add("bf16", |gpu| {
            let chains = chains(Activation::Relu6.into());
            chains
                .into_iter()
                .try_for_each(|chain| as_reference::<bf16>(gpu, &chain))
        });
    })
}
