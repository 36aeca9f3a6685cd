//! A block of attention that learns to look back: products of the examples' own, and between them scale, a learned bias of
//! positions, the causal mask, softmax and dropout as one dispatch forward and one sweep backward.
//!
//! The task: of every token, say the one before it. Gradients are compared with differences of the loss in f64 first; then it
//! trains, with the loss' gradient and the steps along it on the GPU too.
//!
//! Run it with `cargo run --example attention`.

mod products;

use nonlin::wgpu;
use nonlin::{Chain, DType, Layout, Operand, Operands, Pass, Values, reference};
use products::{Machine, Product, Result, Step};

const TOKENS: usize = 24;
const WIDTH: usize = 16;
const SCORES: usize = TOKENS * TOKENS;
const STEPS: u64 = 300;
const RATE: f32 = 4.0;

/// 1 / the root of WIDTH; position biases; the tokens ahead are masked.
const ATTENTION: &str = "scale(0.25) | residual(@p) | causal(0) | softmax | dropout(0.1)";

/// q = x Wq, k = x Wk, scores = q k^T, out = weights x; and their gradients.
const PROJECTED: Product = Product([TOKENS, WIDTH, WIDTH], [WIDTH, 1], [WIDTH, 1]);
const SCORED: Product = Product([TOKENS, TOKENS, WIDTH], [WIDTH, 1], [1, WIDTH]);
const MIXED: Product = Product([TOKENS, WIDTH, TOKENS], [TOKENS, 1], [WIDTH, 1]);
const D_WEIGHTS: Product = SCORED;
const D_Q: Product = MIXED;
const D_K: Product = Product([TOKENS, WIDTH, TOKENS], [1, TOKENS], [WIDTH, 1]);
const D_PROJECTION: Product = Product([WIDTH, WIDTH, TOKENS], [1, WIDTH], [WIDTH, 1]);

/// Rows of the attention matrix.
const ROWS: Layout = Layout {
    outer: TOKENS as u64,
    channels: TOKENS as u64,
    inner: 1,
};

/// Reproducible numbers between -size and size.
fn numbers(count: usize, seed: u64, size: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    (0..count).map(|_| next()).collect()
}

/// Tokens, and for each the one before; of the first itself, since there is none.
fn task(seed: u64) -> [Vec<f32>; 2] {
    let x = numbers(TOKENS * WIDTH, seed, 1.7);
    let wanted = [&x[..WIDTH], &x[..(TOKENS - 1) * WIDTH]].concat();
    [x, wanted]
}

/// What is learned.
#[derive(Clone)]
struct Learned {
    wq: Vec<f32>,
    wk: Vec<f32>,
    p: Vec<f32>,
}

impl Learned {
    fn begin() -> Self {
        Learned {
            wq: numbers(WIDTH * WIDTH, 1, 0.3),
            wk: numbers(WIDTH * WIDTH, 2, 0.3),
            p: numbers(SCORES, 3, 0.1),
        }
    }

    fn all(&mut self) -> [&mut Vec<f32>; 3] {
        [&mut self.wq, &mut self.wk, &mut self.p]
    }
}

/// A product in f64.
fn multiplied(by: Product, a: &[f64], b: &[f64]) -> Vec<f64> {
    let Product([rows, columns, inner], [a_row, a_inner], [b_inner, b_column]) = by;
    let at = |row: usize, column: usize| -> f64 {
        (0..inner)
            .map(|k| a[row * a_row + k * a_inner] * b[k * b_inner + column * b_column])
            .sum()
    };
    (0..rows * columns)
        .map(|i| at(i / columns, i % columns))
        .collect()
}

/// Half the mean square of what is off, in f64, with the numbers that dropout drew.
fn loss(chain: &Chain, learned: &Learned, seed: u64, random: u64) -> Result<f64> {
    let wide = |data: &[f32]| data.iter().copied().map(f64::from).collect::<Vec<_>>();
    let [x, wanted] = task(seed).map(|data| wide(&data));
    let q = multiplied(PROJECTED, &x, &wide(&learned.wq));
    let k = multiplied(PROJECTED, &x, &wide(&learned.wk));
    let scores: Vec<f32> = multiplied(SCORED, &q, &k)
        .iter()
        .map(|v| *v as f32)
        .collect();
    let values = Values::new()
        .arg("p", &learned.p)
        .layout(ROWS)
        .random(7, random);
    let weights = reference::forward_with(chain, &scores, &values)?;
    let out = multiplied(MIXED, &weights, &x);
    let squares = out.iter().zip(&wanted).map(|(a, b)| (a - b) * (a - b));
    Ok(0.5 * squares.sum::<f64>() / wanted.len() as f64)
}

/// The buffers of the block, and what is dispatched for one step of training.
struct Block<'m> {
    machine: &'m Machine,
    x: wgpu::Buffer,
    /// What is wanted, negative.
    less: wgpu::Buffer,
    out: wgpu::Buffer,
    learned: [wgpu::Buffer; 3],
    gradients: [wgpu::Buffer; 3],
    /// Forward, then backward.
    steps: Vec<Step>,
    /// The steps along the gradients.
    updates: Vec<Step>,
}

fn whole(buffer: &wgpu::Buffer) -> Operand<'_> {
    Operand::new(buffer, 0, buffer.size() / 4)
}

impl<'m> Block<'m> {
    fn new(machine: &'m Machine, chain: &Chain, learned: &Learned) -> Result<Self> {
        let kernels = machine.gpu.kernels();
        let tokens = || machine.empty(TOKENS * WIDTH);
        let (x, less, out, d_out) = (tokens(), tokens(), tokens(), tokens());
        let (q, k, d_q, d_k) = (tokens(), tokens(), tokens(), tokens());
        let matrix = || machine.empty(SCORES);
        let (scores, weights, d_weights, d_scores) = (matrix(), matrix(), matrix(), matrix());
        let buffers = [&learned.wq, &learned.wk, &learned.p].map(|data| {
            let buffer = machine.empty(data.len());
            machine.write(&buffer, data);
            buffer
        });
        let gradients =
            [&learned.wq, &learned.wk, &learned.p].map(|data| machine.empty(data.len()));
        let [wq, wk, p] = &buffers;
        let [d_wq, d_wk, d_p] = &gradients;
        let operands = Operands::new()
            .x(whole(&scores))
            .arg("p", whole(p), DType::F32)
            .layout(ROWS);
        let forward = kernels.plan(chain, Pass::Forward, DType::F32)?;
        let forward = forward.bind(operands.clone().y(whole(&weights)).random(7, 0))?;
        let backward = kernels.plan(chain, Pass::Backward, DType::F32)?;
        let backward = backward.bind(
            operands
                .dy(whole(&d_weights))
                .dx(whole(&d_scores))
                .grad("p", whole(d_p), DType::F32)
                .random(7, 0),
        )?;
        println!(
            "attention: {} dispatch forward, {} backward",
            forward.dispatches(),
            backward.dispatches()
        );
        // The loss' gradient: what is off, over how many there are.
        let share = 1.0 / (TOKENS * WIDTH) as f32;
        let off = Chain::new().residual("less").scale(share);
        let off = kernels.plan(&off, Pass::Forward, DType::F32)?.bind(
            Operands::new()
                .x(whole(&out))
                .arg("less", whole(&less), DType::F32)
                .y(whole(&d_out)),
        )?;
        let steps = vec![
            machine.product(PROJECTED, &x, wq, &q),
            machine.product(PROJECTED, &x, wk, &k),
            machine.product(SCORED, &q, &k, &scores),
            Step::Chain(forward),
            machine.product(MIXED, &weights, &x, &out),
            Step::Chain(off),
            machine.product(D_WEIGHTS, &d_out, &x, &d_weights),
            Step::Chain(backward),
            machine.product(D_Q, &d_scores, &k, &d_q),
            machine.product(D_K, &d_scores, &q, &d_k),
            machine.product(D_PROJECTION, &x, &d_q, d_wq),
            machine.product(D_PROJECTION, &x, &d_k, d_wk),
        ];
        let along = Chain::new().scale(-RATE).residual("w");
        let along = kernels.plan(&along, Pass::Forward, DType::F32)?;
        let mut updates = Vec::new();
        for (w, d_w) in buffers.iter().zip(&gradients) {
            // In the place of what it is added to.
            let operands = Operands::new().x(whole(d_w)).y(whole(w));
            updates.push(Step::Chain(along.bind(operands.arg(
                "w",
                whole(w),
                DType::F32,
            ))?));
        }
        Ok(Block {
            machine,
            x,
            less,
            out,
            learned: buffers,
            gradients,
            steps,
            updates,
        })
    }

    /// Forward and backward on a task, with other numbers for dropout.
    fn run(&self, seed: u64, random: u64) {
        let [x, wanted] = task(seed);
        self.machine.write(&self.x, &x);
        let less: Vec<f32> = wanted.iter().map(|v| -v).collect();
        self.machine.write(&self.less, &less);
        for step in &self.steps {
            if let Step::Chain(bound) = step {
                bound.set_random(self.machine.gpu.queue(), 7, random);
            }
        }
        self.machine.run(&self.steps);
    }
}

/// Some gradients of each tensor, beside differences of the loss.
fn check(chain: &Chain, block: &Block<'_>, learned: &Learned) -> Result<()> {
    let (seed, random) = (11, 5);
    block.run(seed, random);
    let [a, b, c] = &block.gradients;
    let gradients = block.machine.read(&[a, b, c])?;
    for (tensor, (name, gradient)) in ["Wq", "Wk", "p"].iter().zip(&gradients).enumerate() {
        let largest = gradient.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let mut worst = 0.0f64;
        for at in (0..gradient.len()).step_by(gradient.len() / 13) {
            let moved = |by: f32| {
                let mut moved = learned.clone();
                moved.all()[tensor][at] += by;
                loss(chain, &moved, seed, random)
            };
            let step = 1e-2;
            let slope = (moved(step)? - moved(-step)?) / (2.0 * f64::from(step));
            worst = worst.max((slope - f64::from(gradient[at])).abs() / f64::from(largest));
        }
        println!("d{name}: off from differences by at most {worst:.1e} of the largest");
        if worst.is_nan() || worst > 1e-2 {
            return Err(format!("d{name} is not the loss' gradient").into());
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let chain: Chain = ATTENTION.parse()?;
    let machine = Machine::new()?;
    println!("{TOKENS} tokens of {WIDTH}: {chain}");
    let mut learned = Learned::begin();
    let block = Block::new(&machine, &chain, &learned)?;
    check(&chain, &block, &learned)?;
    // As it is after training, without dropout, on tasks that it has not seen.
    let evaluated = chain.evaluation();
    let seen = |learned: &Learned| -> Result<f64> {
        let losses = (900..904).map(|seed| loss(&evaluated, learned, seed, 0));
        Ok(losses.sum::<Result<f64>>()? / 4.0)
    };
    let before = seen(&learned)?;
    for step in 0..STEPS {
        block.run(1000 + step, step);
        machine.run(&block.updates);
    }
    let [wq, wk, p] = &block.learned;
    let read = machine.read(&[wq, wk, p, &block.out])?;
    for (own, read) in learned.all().into_iter().zip(&read) {
        own.clone_from(read);
    }
    let after = seen(&learned)?;
    println!("loss {before:.4} before, {after:.4} after {STEPS} steps");
    if after.is_nan() || after > 0.2 * before {
        return Err("it has not learned to look back".into());
    }
    Ok(())
}
