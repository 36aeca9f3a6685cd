//! Chains write over what nobody else holds, and over nothing else; and they keep y for backward where that says enough.

use crate::common::{Result, Trials, host, multiplies, near, tensor, values};
use burn::backend::DispatchDevice;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_cubecl::cubecl::MemoryScope;
use nonlin_burn::modules::MetaAconConfig;
use nonlin_burn::{Fused, functions};
use std::sync::mpsc;
use std::thread;

const SHAPE: [usize; 2] = [64, 128];
const LEN: usize = SHAPE[0] * SHAPE[1];

/// Bytes that tensors have on the device, as CubeCL counts them, once all that is queued has run.
fn in_use(device: &Device) -> Result<u64> {
    device.sync()?;
    let mut dispatch = device.as_dispatch();
    while let DispatchDevice::Autodiff(inner) = dispatch {
        dispatch = inner;
    }
    let DispatchDevice::Cube(cube) = dispatch else {
        return Err("another backend".into());
    };
    let report = cube.client().memory_report(MemoryScope::CurrentStream);
    let streams = report.streams.iter();
    Ok(streams
        .map(|stream| stream.pools.usage().bytes_in_use)
        .sum())
}

/// A tensor that burn has computed, and its elements.
fn computed(seed: u64, device: &Device) -> (Tensor<2>, Vec<f32>) {
    let some = values(LEN, seed);
    let x: Tensor<2> = tensor(&some, SHAPE, device);
    (x * 2.0, some.iter().map(|v| v * 2.0).collect())
}

fn relu(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| v.max(0.0)).collect()
}

/// Whoever holds x, or a part of it, in whatever way, finds it as it was.
fn others_see_nothing(device: &Device) -> Result {
    let same = |what: &str, got: Tensor<2>, want: &[f32]| near(what, &host(got)?, want, 0.0);
    let (x, was) = computed(1, device);
    let y = functions::relu(x.clone());
    same("a clone", x, &was)?;
    same("y of a clone", y, &relu(&was))?;

    // Views that begin where the tensor does, behind its beginning, and turned.
    for rows in [0..32, 32..64] {
        let (x, was) = computed(2, device);
        let y = functions::relu(x.clone().slice([rows.clone(), 0..128]));
        let part = &was[rows.start * 128..rows.end * 128];
        same("x of a view", x, &was)?;
        same("y of a view", y, &relu(part))?;
    }
    let (x, was) = computed(3, device);
    let y = functions::relu(x.clone().transpose());
    same("x of a transpose", x, &was)?;
    same("y of a transpose", y.transpose(), &relu(&was))?;
    let (x, was) = computed(4, device);
    let y = functions::relu(x.clone().reshape([LEN / 2, 2]));
    same("x of another shape", x, &was)?;
    same("y of another shape", y, &relu(&was))?;

    // A view that is all that is left, and one whose elements are several times the same.
    let (x, was) = computed(5, device);
    let y = functions::relu(x.slice([0..32, 0..128]));
    same("a part", y, &relu(&was[..LEN / 2]))?;
    let row = Tensor::<2>::ones([1, 128], device) * -3.0;
    let wide = row.clone().expand(SHAPE);
    same("expanded", functions::abs(wide), &[3.0; LEN])?;
    same("x expanded", row, &[-3.0; 128])?;

    // x is its own gate.
    let (x, was) = computed(6, device);
    let squared: Vec<f32> = was.iter().map(|v| v.max(0.0) * v).collect();
    let fused = Fused::new("relu | gate(@g)".parse()?).operand("g", x.clone());
    same("its own gate", fused.forward(x)?, &squared)
}

/// Another thread, with a stream of its own, holds what this one hands on.
fn other_threads_see_nothing(device: &Device) -> Result {
    for seed in 0..20 {
        let (x, was) = computed(seed, device);
        let (send, receive) = mpsc::channel::<Tensor<2>>();
        let theirs = thread::spawn(move || {
            let x = receive.recv().map_err(|error| error.to_string())?;
            let y = functions::relu(functions::relu(x) - 1.0);
            host(y).map_err(|error| error.message().unwrap_or_default().to_owned())
        });
        _ = send.send(x.clone());
        let own = functions::relu(x.clone() - 1.0);
        let theirs = theirs.join().map_err(|_| "the thread panicked")??;
        let less = |values: Vec<f32>| -> Vec<f32> { values.iter().map(|v| v - 1.0).collect() };
        near("x", &host(x)?, &was, 0.0)?;
        near("own", &host(own)?, &relu(&less(was.clone())), 0.0)?;
        near("theirs", &theirs, &relu(&less(relu(&was))), 0.0)?;
    }
    Ok(())
}

/// What autodiff keeps of x for other operations stays, and gradients that two have stay.
fn graphs_see_nothing(device: &Device) -> Result {
    let run = |device: &Device, relu: fn(Tensor<2>) -> Tensor<2>| -> Result<[Vec<f32>; 3]> {
        let device = device.clone().autodiff();
        let leaf = |seed| tensor::<2>(&values(LEN, seed), SHAPE, &device).require_grad();
        let (a, b) = (leaf(1), leaf(2));
        // The square keeps x; the sums hand one gradient to both of what they add.
        let x = a.clone() * 3.0;
        let square = x.clone() * x.clone();
        let sum = b.clone() + relu(x);
        let y = relu(sum) + relu(square - 1.0);
        let gradients = (y.clone() * leaf(3)).sum().backward();
        let of = |x: &Tensor<2>| host(x.grad(&gradients).ok_or("a gradient is missing")?);
        Ok([host(y.inner())?, of(&a)?, of(&b)?])
    };
    let got = run(device, functions::relu)?;
    let want = run(&Device::flex(), burn::tensor::activation::relu)?;
    for (name, (got, want)) in ["y", "da", "db"].iter().zip(got.iter().zip(&want)) {
        near(name, got, want, 1e-6)?;
    }
    Ok(())
}

/// A chain of what nobody else holds takes no memory; of what somebody holds, as much as x.
fn takes_no_memory(device: &Device) -> Result {
    let bytes = 4 * LEN as u64;
    for (held, wanted) in [(false, 0), (true, bytes)] {
        let (x, _) = computed(1, device);
        let before = in_use(device)?;
        let holder = held.then(|| x.clone());
        let y = functions::silu(x);
        let after = in_use(device)?;
        drop((holder, y));
        if after - before != wanted {
            return Err(format!("held: {held}; {before} bytes, then {after}").into());
        }
    }
    Ok(())
}

/// A layer keeps its parameters as it has put them together.
fn layers_keep_parameters(device: &Device) -> Result {
    for device in [device.clone(), device.clone().autodiff()] {
        let module = MetaAconConfig::new(16).with_norm(false).init(&device);
        let x: Tensor<4> = tensor(&values(512, 1), [2, 16, 4, 4], &device);
        let parameters = module.num_params() as u64;
        // Parameters are made when they are first looked at.
        _ = (module.p1.val(), module.p2.val());
        for linear in [&module.fc1, &module.fc2] {
            _ = (linear.weight.val(), linear.bias.as_ref().map(|b| b.val()));
        }
        let before = in_use(&device)?;
        let mut kept = Vec::new();
        for _ in 0..5 {
            drop(module.forward(x.clone()));
            kept.push(in_use(&device)? - before);
        }
        // A graph that nobody walks back is let go of later, with what the layer had saved in it.
        let is_as_large = |kept: &u64| match device.is_autodiff() {
            true => *kept >= 4 * parameters,
            false => *kept == 4 * parameters,
        };
        if !kept.iter().all(is_as_large) {
            return Err(format!("{kept:?} bytes for {parameters} parameters").into());
        }
    }
    Ok(())
}

/// Bytes that a network of so many layers keeps for backward, and its gradients are those of burn's on the CPU.
fn network(
    device: &Device,
    activation: impl Fn(Tensor<2>) -> Tensor<2>,
    burns: fn(Tensor<2>) -> Tensor<2>,
) -> Result<u64> {
    const LAYERS: usize = 8;
    let forward = |device: &Device, activation: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let weights: Vec<f32> = values(128 * 128, 7).iter().map(|v| v / 32.0).collect();
        let weight: Tensor<2> = tensor(&weights, [128, 128], device).require_grad();
        let x: Tensor<2> = tensor(&values(LEN, 1), SHAPE, device);
        let y = (0..LAYERS).fold(x, |x, _| activation(x.matmul(weight.clone())));
        (weight, y)
    };
    let device = device.clone().autodiff();
    let before = in_use(&device)?;
    let (weight, y) = forward(&device, &activation);
    let kept = in_use(&device)? - before;
    let gradients = (y.clone() * y).sum().backward();
    let got = host(weight.grad(&gradients).ok_or("the weight has a gradient")?)?;
    let (weight, y) = forward(&Device::flex().autodiff(), &burns);
    let gradients = (y.clone() * y).sum().backward();
    let want = host(weight.grad(&gradients).ok_or("the weight has a gradient")?)?;
    near("d_weight", &got, &want, 1e-4)?;
    Ok(kept / (4 * LEN as u64))
}

/// Where y is kept, a layer keeps one tensor of x's size; where x is, two. The weight is as large as two, and y and x are one
/// each.
fn deep_networks(device: &Device) -> Result {
    use burn::tensor::activation;
    let tanh = || "tanh".parse::<nonlin::Chain>();
    let keeping = tanh()?;
    let relu = network(device, functions::relu, activation::relu)?;
    let tanh_y = network(
        device,
        |x| {
            Fused::new(keeping.clone())
                .keep_y()
                .forward(x)
                .expect("tanh")
        },
        activation::tanh,
    )?;
    let tanh_x = network(device, functions::tanh, activation::tanh)?;
    println!("tensors kept by 8 layers: relu {relu}, tanh of y {tanh_y}, tanh of x {tanh_x}");
    if relu > 8 + 4 || tanh_y > 8 + 4 || tanh_x < 16 {
        return Err(format!("relu {relu}, tanh of y {tanh_y}, tanh of x {tanh_x}").into());
    }
    Ok(())
}

/// A derivative that y does not say is refused; what y says is as near as y is.
fn keeping_y(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let x: Tensor<2> = tensor(&values(LEN, 1), SHAPE, &device).require_grad();
    let silu = Fused::new("silu".parse()?).keep_y().forward(x.clone());
    match silu {
        Err(nonlin_burn::Error::Nonlin(nonlin::Error::Chain(nonlin::ChainError::NeedsInput {
            name,
            ..
        }))) if name == "silu" => {}
        other => return Err(format!("{other:?}").into()),
    }
    for chain in [
        "tanh",
        "sigmoid",
        "softmax",
        "leaky_relu(0.25)",
        "scale(0.5) | tanh",
    ] {
        let gradient = |keeps: bool| -> Result<Vec<f32>> {
            let fused = Fused::new(chain.parse()?);
            let fused = if keeps { fused.keep_y() } else { fused };
            let y = fused.forward(x.clone())?;
            let gradients = (y * tensor(&values(LEN, 2), SHAPE, &device))
                .sum()
                .backward();
            host(x.grad(&gradients).ok_or("x has a gradient")?)
        };
        near(chain, &gradient(true)?, &gradient(false)?, 1e-6)?;
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    on.add("in_place::others_see_nothing", others_see_nothing);
    on.add(
        "in_place::other_threads_see_nothing",
        other_threads_see_nothing,
    );
    on.add("in_place::graphs_see_nothing", graphs_see_nothing);
    on.add("in_place::takes_no_memory", takes_no_memory);
    on.add("in_place::layers_keep_parameters", layers_keep_parameters);
    if multiplies(on.adapter()) {
        on.add("in_place::deep_networks", deep_networks);
    }
    on.add("in_place::keeping_y", keeping_y);
}
