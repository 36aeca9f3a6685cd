//! The MLP of gpt-oss: two matrix products of the examples' own, and between them its clamped SwiGLU with the bias of the
//! first product, as one dispatch forward and one sweep backward.
//!
//! The first product's columns alternate, gate and up, gate and up. They are read where they lie, and both gradients are
//! written where they belong: nobody takes the tensor apart. What comes out is compared with the same in f64.
//!
//! Run it with `cargo run --example gpt_oss_mlp`.

mod products;

use nonlin::wgpu;
use nonlin::{Chain, DType, Layout, Operand, Operands, Pass, Rows, Values, reference};
use products::{Machine, Product, Result, Step};

const TOKENS: usize = 48;
const HIDDEN: usize = 40;
const INNER: usize = 72;

/// swiglu_oai(limit = 7, alpha = 1.702), with the first product's bias on either half before it.
const ACTIVATION: &str = "bias(@b_gate) | clip(max=7) | swish(1.702) \
                          | gate(@up | bias(@b_up) | clip(-7, 7) | bias(1))";

/// z = x W1^T and y = act W2^T, weights of outputs x inputs as in PyTorch; and their gradients.
const Z: Product = Product([TOKENS, 2 * INNER, HIDDEN], [HIDDEN, 1], [1, HIDDEN]);
const Y: Product = Product([TOKENS, HIDDEN, INNER], [INNER, 1], [1, INNER]);
const D_ACT: Product = Product([TOKENS, INNER, HIDDEN], [HIDDEN, 1], [INNER, 1]);
const D_W2: Product = Product([HIDDEN, INNER, TOKENS], [1, HIDDEN], [INNER, 1]);
const D_X: Product = Product([TOKENS, HIDDEN, 2 * INNER], [2 * INNER, 1], [HIDDEN, 1]);
const D_W1: Product = Product([2 * INNER, HIDDEN, TOKENS], [1, 2 * INNER], [HIDDEN, 1]);

/// A product in f64.
fn multiplied(by: Product, a: &[f64], b: &[f64]) -> Vec<f64> {
    let Product([rows, columns, inner], [a_row, a_inner], [b_inner, b_column]) = by;
    let mut c = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let terms = (0..inner)
                .map(|k| a[row * a_row + k * a_inner] * b[k * b_inner + column * b_column]);
            c.push(terms.sum());
        }
    }
    c
}

/// What is given, and the gradient that comes back.
struct Given {
    x: Vec<f32>,
    w1: Vec<f32>,
    b_gate: Vec<f32>,
    b_up: Vec<f32>,
    w2: Vec<f32>,
    dy: Vec<f32>,
}

/// Results, by name.
type Results<T> = Vec<(&'static str, Vec<T>)>;

/// One element of every pair, from the first or the second on.
fn half(buffer: &wgpu::Buffer, second: bool) -> Operand<'_> {
    let rows = Rows { len: 1, stride: 2 };
    Operand::new(buffer, 4 * u64::from(second), (TOKENS * INNER) as u64).rows(rows)
}

fn on_gpu(machine: &Machine, chain: &Chain, given: &Given) -> Result<Results<f32>> {
    let kernels = machine.gpu.kernels();
    let [x, w1, b_gate, b_up, w2, dy] = [
        &given.x,
        &given.w1,
        &given.b_gate,
        &given.b_up,
        &given.w2,
        &given.dy,
    ]
    .map(|data| {
        let buffer = machine.empty(data.len());
        machine.write(&buffer, data);
        buffer
    });
    let [act, d_act] = [(); 2].map(|()| machine.empty(TOKENS * INNER));
    let [z, dz] = [(); 2].map(|()| machine.empty(2 * TOKENS * INNER));
    let [y, dx] = [(); 2].map(|()| machine.empty(TOKENS * HIDDEN));
    let [db_gate, db_up] = [(); 2].map(|()| machine.empty(INNER));
    let (d_w1, d_w2) = (
        machine.empty(2 * INNER * HIDDEN),
        machine.empty(INNER * HIDDEN),
    );
    let of_channels = |buffer| Operand::new(buffer, 0, INNER as u64);
    let all = |buffer| Operand::new(buffer, 0, (TOKENS * INNER) as u64);
    let operands = Operands::new()
        .x(half(&z, false))
        .arg("up", half(&z, true), DType::F32)
        .arg("b_gate", of_channels(&b_gate), DType::F32)
        .arg("b_up", of_channels(&b_up), DType::F32)
        .layout(Layout {
            outer: TOKENS as u64,
            channels: INNER as u64,
            inner: 1,
        });
    let forward = kernels.plan(chain, Pass::Forward, DType::F32)?;
    let forward = forward.bind(operands.clone().y(all(&act)))?;
    let backward = kernels.plan(chain, Pass::Backward, DType::F32)?;
    let backward = backward.bind(
        operands
            .dy(all(&d_act))
            .dx(half(&dz, false))
            .grad("up", half(&dz, true), DType::F32)
            .grad("b_gate", of_channels(&db_gate), DType::F32)
            .grad("b_up", of_channels(&db_up), DType::F32),
    )?;
    println!(
        "activation: {} dispatch forward, {} backward with all gradients (the second adds up partial sums)",
        forward.dispatches(),
        backward.dispatches()
    );
    machine.run(&[
        machine.product(Z, &x, &w1, &z),
        Step::Chain(forward),
        machine.product(Y, &act, &w2, &y),
        machine.product(D_ACT, &dy, &w2, &d_act),
        machine.product(D_W2, &dy, &act, &d_w2),
        Step::Chain(backward),
        machine.product(D_X, &dz, &w1, &dx),
        machine.product(D_W1, &dz, &x, &d_w1),
    ]);
    let names = ["y", "dx", "dW1", "db_gate", "db_up", "dW2"];
    let results = machine.read(&[&y, &dx, &d_w1, &db_gate, &db_up, &d_w2])?;
    Ok(names.into_iter().zip(results).collect())
}

/// The same in f64, with the library's reference for the activation.
fn on_cpu(chain: &Chain, given: &Given) -> Result<Results<f64>> {
    let wide = |data: &[f32]| data.iter().copied().map(f64::from).collect::<Vec<_>>();
    let narrow = |data: &[f64]| data.iter().map(|v| *v as f32).collect::<Vec<_>>();
    let [x, w1, w2, dy] = [&given.x, &given.w1, &given.w2, &given.dy].map(|data| wide(data));
    let z = narrow(&multiplied(Z, &x, &w1));
    let part = |first: usize| z.iter().copied().skip(first).step_by(2).collect::<Vec<_>>();
    let (gate, up) = (part(0), part(1));
    let values = Values::new()
        .arg("up", &up)
        .arg("b_gate", &given.b_gate)
        .arg("b_up", &given.b_up)
        .layout(Layout {
            outer: TOKENS as u64,
            channels: INNER as u64,
            inner: 1,
        });
    let act = reference::forward_with(chain, &gate, &values)?;
    let d_act = narrow(&multiplied(D_ACT, &dy, &w2));
    let d_gate = reference::backward_with(chain, &gate, &d_act, &values)?;
    let gradient = |name| reference::gradient(chain, &gate, &d_act, &values, name);
    let d_up = gradient("up")?;
    let dz: Vec<f64> = d_gate
        .iter()
        .zip(&d_up)
        .flat_map(|(a, b)| [*a, *b])
        .collect();
    Ok(vec![
        ("y", multiplied(Y, &act, &w2)),
        ("dx", multiplied(D_X, &dz, &w1)),
        ("dW1", multiplied(D_W1, &dz, &x)),
        ("db_gate", gradient("b_gate")?),
        ("db_up", gradient("b_up")?),
        ("dW2", multiplied(D_W2, &dy, &act)),
    ])
}

/// Reproducible numbers between -size and size.
fn numbers(count: usize, seed: u32, size: f32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    (0..count).map(|_| next()).collect()
}

fn main() -> Result<()> {
    let chain: Chain = ACTIVATION.parse()?;
    let machine = Machine::new()?;
    println!("{TOKENS} tokens of {HIDDEN}, {INNER} inner: {chain}");
    let given = Given {
        x: numbers(TOKENS * HIDDEN, 1, 3.0),
        w1: numbers(2 * INNER * HIDDEN, 2, 0.6),
        b_gate: numbers(INNER, 3, 1.0),
        b_up: numbers(INNER, 4, 1.0),
        w2: numbers(HIDDEN * INNER, 5, 0.3),
        dy: numbers(TOKENS * HIDDEN, 6, 1.0),
    };
    let (got, want) = (on_gpu(&machine, &chain, &given)?, on_cpu(&chain, &given)?);
    for ((name, got), (_, want)) in got.iter().zip(&want) {
        let largest = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let off = got
            .iter()
            .zip(want)
            .map(|(got, want)| (f64::from(*got) - want).abs());
        let worst = off.fold(0.0, f64::max) / largest;
        println!(
            "{name}: {} values, off by at most {worst:.1e} of the largest",
            got.len()
        );
        if worst.is_nan() || worst > 1e-5 {
            return Err(format!("{name} is off by more than rounding explains").into());
        }
    }
    Ok(())
}
