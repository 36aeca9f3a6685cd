//! Double backward on adapters: chains with operands of all kinds, dtypes, places and special values against the reference,
//! and kernels with a mistake, which must be rejected.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::{download, submit, upload, verdict};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::{
    Chain, Custom, DType, DTypes, Element, Gpu, Layout, Operand, Operands, Pass, Values, half,
};

const CHAINS: [&str; 14] = [
    "scale(0.5) | silu | scale(2)",
    "tanh | scale(-3) | sigmoid",
    "bias(0.25) | sine(3) | bias(1) | softplus",
    "relu | tanh",
    "gelu | gelu",
    "elu(0.5) | mish | squareplus(0.5)",
    "exp | softsign",
    "scale(0) | tanh",
    "leaky_relu(0.2) | scale(3) | hardtanh",
    "round(bf16) | tanh",
    "scale(@c) | bias(@s) | tanh",
    "swish(beta=@c) | gate(@e) | celu(2)",
    "sine(omega=@s) | residual(@e | erf) | selu",
    "tanh | dropout(0.25) | sigmoid | rrelu",
];

const LAYOUT: Layout = Layout {
    outer: 5,
    channels: 12,
    inner: 20,
};

/// Numbers from -1 to 1.
fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 32) as f64 / 2f64.powi(31) - 1.0
    })
}

/// Values up to so large, and among them now and then what is not a number like others.
fn drawn<T: Element>(seed: u64, count: usize, most: f64) -> Vec<T> {
    let special = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        0.0,
        -0.0,
        1e-40,
        60.0,
        -60.0,
    ];
    let all = noise(seed).take(count).enumerate();
    all.map(|(i, v)| match i % 41 {
        7 => T::from_f64(special[(i / 41 + seed as usize) % special.len()]),
        _ => T::from_f64(v * most),
    })
    .collect()
}

fn values<T: Element>(chain: &Chain, len: usize) -> Values {
    let mut values = Values::new().layout(LAYOUT).random(7, 3);
    for (name, count) in [("s", 1), ("c", LAYOUT.channels as usize), ("e", len)] {
        if chain.operands().contains(&name) {
            let data: Vec<T> = noise(count as u64 + 9)
                .take(count)
                .map(T::from_f64)
                .collect();
            values = values.arg(name, &data);
        }
    }
    values
}

fn agrees<T: Element>(gpu: &Gpu, chain: &Chain, seed: u64) -> Result<(), Failed> {
    let len = (LAYOUT.outer * LAYOUT.channels * LAYOUT.inner) as usize;
    let x = drawn::<T>(seed, len, 4.0);
    let [dy, ddx] = [1, 2].map(|n| drawn::<T>(seed + n, len, 2.0));
    let values = values::<T>(chain, len);
    let both = gpu.double_backward_with(chain, &x, &dy, &ddx, &values)?;
    let expected = Expected::double_backward_with(chain, &x, &dy, &ddx, &values)?;
    for (expected, got) in expected.iter().zip(&both) {
        verdict(&expected.compare(got)?)?;
    }
    Ok(())
}

/// The same bits wherever the operands are: at odd places, and in each other's.
fn places<T: Element + PartialEq>(gpu: &Gpu, text: &str) -> Result<(), Failed> {
    const LEN: usize = 1003;
    let chain: Chain = text.parse()?;
    let inputs = [1, 2, 3].map(|seed| {
        noise(seed)
            .take(LEN)
            .map(|v| T::from_f64(2.0 * v))
            .collect::<Vec<_>>()
    });
    let [x, dy, ddx] = &inputs;
    let want = gpu.double_backward(&chain, x, dy, ddx)?;
    let plan = gpu.kernels().plan(&chain, Pass::DoubleBackward, T::DTYPE)?;
    let padded = |first: usize, data: &[T]| {
        let mut all = vec![T::from_f64(0.0); first];
        all.extend_from_slice(data);
        all.resize((first + LEN).next_multiple_of(8), T::from_f64(0.0));
        upload(gpu, &bytemuck::pod_collect_to_vec::<T, u32>(&all))
    };
    // Where each begins; and whether ddy takes the place of ddx, and dx that of x.
    for (firsts, in_place) in [
        ([0; 5], false),
        ([0; 5], true),
        ([1, 0, 3, 2, 5], false),
        ([3; 5], true),
    ] {
        let [a, b, c, d, e] = firsts;
        let buffers = [
            padded(a, x),
            padded(b, dy),
            padded(c, ddx),
            padded(d, &[]),
            padded(e, &[]),
        ];
        let at = |index: usize| {
            Operand::new(
                &buffers[index],
                firsts[index] as u64 * T::DTYPE.size(),
                LEN as u64,
            )
        };
        let [of_dy, of_x] = if in_place { [2, 0] } else { [3, 4] };
        let operands = Operands::new().x(at(0)).dy(at(1)).ddx(at(2));
        let bound = plan.bind(operands.ddy(at(of_dy)).dx(at(of_x)));
        let is_odd = in_place && T::DTYPE.size() == 2 && firsts[0] % 2 == 1;
        if is_odd {
            assert!(
                bound.is_err(),
                "two results in the places of inputs cannot be written one by one"
            );
            continue;
        }
        let bound = bound?;
        submit(gpu, |pass| bound.record(pass));
        for (index, want) in [of_dy, of_x].into_iter().zip(&want) {
            let all: Vec<T> = bytemuck::pod_collect_to_vec(&download(gpu, &buffers[index]));
            let got = &all[firsts[index]..firsts[index] + LEN];
            if got != want.as_slice() {
                return Err(format!("{text}: other bits at {firsts:?}, {in_place}").into());
            }
        }
    }
    Ok(())
}

/// f16 in, f32 out, and the other way.
fn mixed(gpu: &Gpu) -> Result<(), Failed> {
    const LEN: usize = 512;
    let chain: Chain = "scale(2) | silu".parse()?;
    let x: Vec<half::f16> = noise(1).take(LEN).map(half::f16::from_f64).collect();
    let dy: Vec<half::bf16> = noise(2).take(LEN).map(half::bf16::from_f64).collect();
    let ddx: Vec<f32> = noise(3).take(LEN).map(|v| v as f32).collect();
    let dtypes = DTypes {
        x: DType::F16,
        y: DType::F32,
        dy: DType::BF16,
        dx: DType::F32,
    };
    let plan = gpu.kernels().plan(&chain, Pass::DoubleBackward, dtypes)?;
    let buffers = [
        upload(gpu, &bytemuck::pod_collect_to_vec::<_, u32>(&x)),
        upload(gpu, &bytemuck::pod_collect_to_vec::<_, u32>(&dy)),
        upload(gpu, &bytemuck::pod_collect_to_vec::<_, u32>(&ddx)),
        upload(gpu, &[0; LEN / 2]),
        upload(gpu, &[0; LEN]),
    ];
    let at = |index: usize| Operand::new(&buffers[index], 0, LEN as u64);
    let operands = Operands::new().x(at(0)).dy(at(1)).ddx(at(2));
    let bound = plan.bind(operands.ddy(at(3)).dx(at(4)))?;
    submit(gpu, |pass| bound.record(pass));
    let ddy: Vec<half::bf16> = bytemuck::pod_collect_to_vec(&download(gpu, &buffers[3]));
    let dx: Vec<f32> = bytemuck::pod_collect_to_vec(&download(gpu, &buffers[4]));
    let [of_dy, of_x] = Expected::double_backward(&chain, &x, &dy, &ddx)?;
    verdict(&of_dy.compare(&ddy)?)?;
    verdict(&of_x.compare(&dx)?)
}

/// A chain's kernel with one mistake: what is `right` becomes `wrong`. Which of the results are wrong then: ddy, dx.
const MISTAKES: [(&str, &str, &str, [bool; 2]); 9] = [
    (
        "tanh",
        "m_sigmoid_bend(8.0,",
        "m_sigmoid_bend(4.0,",
        [false, true],
    ),
    (
        "silu",
        "(2.0 - a) + q * (2.0 + a)",
        "(2.0 - a) + q * (2.0 - a)",
        [false, true],
    ),
    (
        "gelu",
        "below * (1.41421356 + a)",
        "below * (1.41420 + a)",
        [false, true],
    ),
    ("sine", "-omega *", "omega *", [false, true]),
    (
        "scale(0.5) | tanh",
        "ddx * c.s1_factor",
        "ddx",
        [true, true],
    ),
    ("scale(0.5) | tanh", "h1 * c.s1_factor", "h1", [false, true]),
    (
        "tanh | exp",
        "h1 * act_tanh_dx(x) + act_tanh_d2x(x) * ddx * g1",
        "h1 * act_tanh_dx(x)",
        [false, true],
    ),
    (
        "elu",
        "m_bent(act_elu_d2x(x, c.s1_alpha), ddx, dy)",
        "act_elu_d2x(x, c.s1_alpha) * ddx * dy",
        [false, true],
    ),
    ("relu", "f32_is_nan(dy_bits) | ", "", [false, true]),
];

fn must_be_seen(gpu: &Gpu, index: usize) -> Result<(), Failed> {
    let (text, right, wrong, bad) = MISTAKES[index];
    let chain: Chain = text.parse()?;
    let plan = gpu
        .kernels()
        .plan(&chain, Pass::DoubleBackward, DType::F32)?;
    let source = plan.wgsl();
    if !source.contains(right) {
        return Err(format!("the kernel of {chain} has no \"{right}\": {source}").into());
    }
    let x = drawn::<f32>(5, 4096, 3.0);
    let [dy, ddx] = [6, 7].map(|seed| drawn::<f32>(seed, 4096, 2.0));
    let words = |data: &[f32]| -> Vec<u32> { data.iter().map(|v| v.to_bits()).collect() };
    for (source, bad) in [
        (source.clone(), [false; 2]),
        (source.replace(right, wrong), bad),
    ] {
        let buffers = [
            words(&x),
            words(&dy),
            words(&ddx),
            vec![0; 4096],
            vec![0; 4096],
        ];
        let buffers = buffers.map(|words| upload(gpu, &words));
        let operands = buffers
            .each_ref()
            .map(|buffer| Operand::new(buffer, 0, 4096));
        common::run_text(gpu, &source, &chain.values(), &operands)?;
        let result = |index: usize| -> Vec<f32> {
            bytemuck::pod_collect_to_vec(&download(gpu, &buffers[index]))
        };
        let reports = check::double_backward(&chain, &x, &dy, &ddx, &result(3), &result(4))?;
        if reports.map(|report| !report.passes()) != bad {
            return Err(format!("{text}: not {bad:?} for {wrong}").into());
        }
    }
    Ok(())
}

/// An activation of the user's own, derived twice, with a budget.
fn derived(gpu: &Gpu) -> Result<(), Failed> {
    let hill = Custom::from_value(
        "hill",
        "fn act_hill(x: f32) -> f32 { return 1.0 / (1.0 + x * x); }",
    )?;
    let hill = hill.with_budget(32.0);
    let chain = Chain::new().scale(0.5).step(hill);
    let x: Vec<f32> = noise(3).take(4000).map(|v| 0.3 * v as f32).collect();
    let [dy, ddx] = [6, 7].map(|seed| drawn::<f32>(seed, x.len(), 2.0));
    let [ddy, dx] = gpu.double_backward(&chain, &x, &dy, &ddx)?;
    for report in check::double_backward(&chain, &x, &dy, &ddx, &ddy, &dx)? {
        verdict(&report)?;
    }
    Ok(())
}

/// Longer than what is on the device at one time, and nothing at all.
fn lengths(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "tanh".parse()?;
    for len in [0, 1, 5, 1003] {
        let x = vec![0.5f32; len];
        let [ddy, dx] = gpu.double_backward(&chain, &x, &x, &x)?;
        assert_eq!([ddy.len(), dx.len()], [len; 2]);
    }
    let short = gpu.double_backward(&chain, &[1.0f32; 4], &[1.0; 4], &[1.0; 3]);
    assert!(short.unwrap_err().to_string().contains("ddx"));
    Ok(())
}

fn main() -> ! {
    common::main(|trials| {
        for text in CHAINS {
            trials.add(format!("{text}::f32"), move |gpu| {
                agrees::<f32>(gpu, &text.parse()?, common::seed(gpu))
            });
        }
        for text in ["silu", "elu | tanh", "scale(@c) | sine(3)"] {
            trials.add(format!("{text}::f16"), move |gpu| {
                agrees::<half::f16>(gpu, &text.parse()?, common::seed(gpu))
            });
            trials.add(format!("{text}::bf16"), move |gpu| {
                agrees::<half::bf16>(gpu, &text.parse()?, common::seed(gpu))
            });
        }
        trials.add("places::f32", |gpu| places::<f32>(gpu, "scale(2) | tanh"));
        trials.add("places::f16", |gpu| places::<half::f16>(gpu, "silu"));
        trials.add("mixed", mixed);
        trials.add("derived", derived);
        trials.add("lengths", lengths);
        for (index, (text, _, wrong, _)) in MISTAKES.iter().enumerate() {
            trials.add(format!("mistake::{text}::{wrong}"), move |gpu| {
                must_be_seen(gpu, index)
            });
        }
    })
}
