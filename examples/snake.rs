//! A residual block as vocoders have them, two matrix products between Snakes, learns a sine; and a PNG to look at. Twice as
//! long a time is drawn as it was trained on: outside, so small a block leaves the sine.
//!
//! Everything but the optimiser runs on the GPU: the products are the examples' own, `nonlin` adds bias and residual, turns the
//! Snakes, and in one sweep each leaves the gradients of biases and of alpha, one for each channel.
//!
//! Run it with `cargo run --example snake`; `-- 1000 out.png` trains 1000 steps and says where the picture goes.

mod products;

use nonlin::wgpu;
use nonlin::{Chain, DType, Layout, Operand, Operands, Pass};
use products::{Machine, Product, Result, Step};
use std::f32::consts::PI;

/// Channels, and samples of time.
const C: usize = 16;
const N: usize = 128;

/// What stands before, between and behind the block's products.
const CHAINS: [&str; 3] = [
    "bias(@b) | snake(alpha=@a)",
    "bias(@b) | snake(alpha=@a)",
    "residual(@z) | bias(@b) | snake(alpha=@a)",
];

/// What is learned: its name, and how many numbers it has.
const LEARNED: [(&str, usize); 10] = [
    ("w0", C),
    ("b0", C),
    ("a0", C),
    ("w1", C * C),
    ("b1", C),
    ("a1", C),
    ("w2", C * C),
    ("b2", C),
    ("a2", C),
    ("w3", C),
];

/// The network on a device: its parameters and their gradients, what it computes, and what it records to do so.
struct Network {
    machine: Machine,
    parameters: Vec<wgpu::Buffer>,
    gradients: Vec<wgpu::Buffer>,
    t: wgpu::Buffer,
    y: wgpu::Buffer,
    dy: wgpu::Buffer,
    forward: Vec<Step>,
    backward: Vec<Step>,
}

impl Network {
    fn new(machine: Machine) -> Result<Self> {
        let buffer = |len: usize| machine.empty(len);
        let of_parameters = || LEARNED.map(|(_, len)| buffer(len)).to_vec();
        let mut network = Network {
            parameters: of_parameters(),
            // The last one is what the residual passes to the first product's weights.
            gradients: of_parameters().into_iter().chain([buffer(C)]).collect(),
            t: buffer(N),
            y: buffer(N),
            dy: buffer(N),
            forward: Vec::new(),
            backward: Vec::new(),
            machine,
        };
        network.build()?;
        Ok(network)
    }

    /// Binds everything once: z = w0 t; s0, s1, s2 behind the chains; u = w1 s0; v = w2 s1; y = w3 s2.
    fn build(&mut self) -> Result<()> {
        let values: [_; 6] = std::array::from_fn(|_| self.machine.empty(C * N));
        let [z, s0, u, s1, v, s2] = &values;
        let gradients: [_; 7] = std::array::from_fn(|_| self.machine.empty(C * N));
        let [dz, ds0, du, ds1, dv, ds2, dz_residual] = &gradients;
        let [w0, b0, a0, w1, b1, a1, w2, b2, a2, w3] = &self.parameters[..] else {
            unreachable!("as many as are learned");
        };
        let [
            d_w0,
            d_b0,
            d_a0,
            d_w1,
            d_b1,
            d_a1,
            d_w2,
            d_b2,
            d_a2,
            d_w3,
            d_w0_residual,
        ] = &self.gradients[..]
        else {
            unreachable!("and one more");
        };
        let channels = |inner| Product([C, N, inner], [inner, 1], [N, 1]);
        let weights = || Product([C, C, N], [N, 1], [1, N]);
        let turned = || Product([C, N, C], [1, C], [N, 1]);
        let forward = vec![
            self.machine.product(channels(1), w0, &self.t, z),
            self.chain(0, Pass::Forward, [z, s0], [b0, a0], None)?,
            self.machine.product(channels(C), w1, s0, u),
            self.chain(1, Pass::Forward, [u, s1], [b1, a1], None)?,
            self.machine.product(channels(C), w2, s1, v),
            self.chain(2, Pass::Forward, [v, s2], [b2, a2], Some([z, z]))?,
            self.machine
                .product(Product([1, N, C], [C, 1], [N, 1]), w3, s2, &self.y),
        ];
        let to_time = || Product([C, 1, N], [N, 1], [1, 1]);
        let backward = vec![
            self.machine
                .product(Product([1, C, N], [N, 1], [1, N]), &self.dy, s2, d_w3),
            self.machine
                .product(Product([C, N, 1], [1, 1], [N, 1]), w3, &self.dy, ds2),
            self.learn(
                2,
                [v, ds2, dv],
                [b2, a2, d_b2, d_a2],
                Some([z, dz_residual]),
            )?,
            self.machine.product(weights(), dv, s1, d_w2),
            self.machine.product(turned(), w2, dv, ds1),
            self.learn(1, [u, ds1, du], [b1, a1, d_b1, d_a1], None)?,
            self.machine.product(weights(), du, s0, d_w1),
            self.machine.product(turned(), w1, du, ds0),
            self.learn(0, [z, ds0, dz], [b0, a0, d_b0, d_a0], None)?,
            self.machine.product(to_time(), dz, &self.t, d_w0),
            self.machine
                .product(to_time(), dz_residual, &self.t, d_w0_residual),
        ];
        (self.forward, self.backward) = (forward, backward);
        Ok(())
    }

    fn operands<'a>([b, a]: [&'a wgpu::Buffer; 2], z: Option<&'a wgpu::Buffer>) -> Operands<'a> {
        let each = |buffer| Operand::new(buffer, 0, C as u64);
        let operands = Operands::new()
            .arg("b", each(b), DType::F32)
            .arg("a", each(a), DType::F32)
            .layout(Layout {
                outer: 1,
                channels: C as u64,
                inner: N as u64,
            });
        match z {
            Some(z) => operands.arg("z", Self::whole(z), DType::F32),
            None => operands,
        }
    }

    fn whole(buffer: &wgpu::Buffer) -> Operand<'_> {
        Operand::new(buffer, 0, (C * N) as u64)
    }

    fn chain(
        &self,
        index: usize,
        pass: Pass,
        [x, y]: [&wgpu::Buffer; 2],
        learned: [&wgpu::Buffer; 2],
        z: Option<[&wgpu::Buffer; 2]>,
    ) -> Result<Step> {
        let chain: Chain = CHAINS[index].parse()?;
        let plan = self.machine.gpu.kernels().plan(&chain, pass, DType::F32)?;
        let operands = Self::operands(learned, z.map(|[z, _]| z));
        let bound = plan.bind(operands.x(Self::whole(x)).y(Self::whole(y)))?;
        Ok(Step::Chain(bound))
    }

    /// The backward pass of a chain, with the gradients of its operands.
    fn learn(
        &self,
        index: usize,
        [x, dy, dx]: [&wgpu::Buffer; 3],
        [b, a, d_b, d_a]: [&wgpu::Buffer; 4],
        z: Option<[&wgpu::Buffer; 2]>,
    ) -> Result<Step> {
        let chain: Chain = CHAINS[index].parse()?;
        let plan = self
            .machine
            .gpu
            .kernels()
            .plan(&chain, Pass::Backward, DType::F32)?;
        let each = |buffer| Operand::new(buffer, 0, C as u64);
        let mut operands = Self::operands([b, a], z.map(|[z, _]| z))
            .x(Self::whole(x))
            .dy(Self::whole(dy))
            .dx(Self::whole(dx))
            .grad("b", each(d_b), DType::F32)
            .grad("a", each(d_a), DType::F32);
        if let Some([_, dz]) = z {
            operands = operands.grad("z", Self::whole(dz), DType::F32);
        }
        Ok(Step::Chain(plan.bind(operands)?))
    }

    /// What the network makes of these times.
    fn values(&self, times: &[f32]) -> Result<Vec<f32>> {
        self.machine.write(&self.t, times);
        self.machine.run(&self.forward);
        Ok(self.machine.read(&[&self.y])?.remove(0))
    }
}

/// Times from -end to end.
fn times(end: f32) -> Vec<f32> {
    (0..N)
        .map(|i| end * (2.0 * i as f32 / (N - 1) as f32 - 1.0))
        .collect()
}

/// Parameters to begin with: small numbers, biases of zero, and an alpha of 0.5.
fn initial() -> Vec<Vec<f32>> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let parameter = |(name, len): (&str, usize)| {
        let value = |_| match name.as_bytes()[0] {
            b'a' => 0.5,
            b'b' => 0.0,
            _ => next() * (3.0 / (len as f32).sqrt()).min(1.0),
        };
        (0..len).map(value).collect()
    };
    LEARNED.map(parameter).to_vec()
}

/// Trains with Adam; gives the mean square of the last errors.
fn train(network: &Network, steps: i32) -> Result<f32> {
    let (t, mut learned) = (times(2.0 * PI), initial());
    let mut moments: Vec<Vec<[f32; 2]>> = learned.iter().map(|p| vec![[0.0; 2]; p.len()]).collect();
    let mut loss = f32::INFINITY;
    for step in 1..=steps {
        for (buffer, data) in network.parameters.iter().zip(&learned) {
            network.machine.write(buffer, data);
        }
        let y = network.values(&t)?;
        let off: Vec<f32> = y.iter().zip(&t).map(|(y, t)| y - t.sin()).collect();
        loss = off.iter().map(|off| off * off).sum::<f32>() / N as f32;
        if step % 100 == 0 || step == 1 {
            println!("step {step}: mean square error {loss:.2e}");
        }
        let dy: Vec<f32> = off.iter().map(|off| 2.0 * off / N as f32).collect();
        network.machine.write(&network.dy, &dy);
        network.machine.run(&network.backward);
        let mut gradients = network
            .machine
            .read(&network.gradients.iter().collect::<Vec<_>>())?;
        let by_residual = gradients.pop().unwrap_or_default();
        gradients[0]
            .iter_mut()
            .zip(by_residual)
            .for_each(|(sum, more)| *sum += more);
        let rate = 0.01 * (1.0 - 0.9 * step as f32 / steps as f32);
        let bias = [1.0 - 0.9f32.powi(step), 1.0 - 0.99f32.powi(step)];
        for ((values, moments), gradients) in learned.iter_mut().zip(&mut moments).zip(gradients) {
            for ((value, [mean, square]), gradient) in values.iter_mut().zip(moments).zip(gradients)
            {
                *mean += 0.1 * (gradient - *mean);
                *square += 0.01 * (gradient * gradient - *square);
                *value -= rate * (*mean / bias[0]) / ((*square / bias[1]).sqrt() + 1e-8);
            }
        }
    }
    Ok(loss)
}

/// A picture: where it was trained is lighter; the sine is grey, what the network makes of it red.
fn draw(path: &str, truth: &[f32], learned: &[f32]) -> Result<()> {
    const SCALE: usize = 8;
    let (width, height) = (N * SCALE, 320);
    let mut pixels = vec![[0xf0u8; 3]; width * height];
    for row in pixels.chunks_mut(width) {
        row[width / 4..3 * width / 4].fill([0xff; 3]);
    }
    let row = |v: f32| ((1.6 - v.clamp(-1.6, 1.6)) / 3.2 * (height - 1) as f32) as usize;
    for (curve, color, thick) in [(truth, [0xb0; 3], 3), (learned, [0xc0, 0x28, 0x28], 1)] {
        for x in 0..(N - 1) * SCALE {
            let (i, part) = (x / SCALE, (x % SCALE) as f32 / SCALE as f32);
            let at = |part: f32| row(curve[i] + part * (curve[i + 1] - curve[i]));
            let (from, to) = (at(part), at(part + 1.0 / SCALE as f32));
            let (top, bottom) = (from.min(to).saturating_sub(thick), from.max(to) + thick);
            for y in top..=bottom.min(height - 1) {
                pixels[y * width + x] = color;
            }
        }
    }
    let mut encoder = png::Encoder::new(std::fs::File::create(path)?, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    Ok(encoder
        .write_header()?
        .write_image_data(pixels.as_flattened())?)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let steps = arguments.next().unwrap_or_else(|| "400".into()).parse()?;
    let path = arguments
        .next()
        .unwrap_or_else(|| "target/snake.png".into());
    let network = Network::new(Machine::new()?)?;
    let loss = train(&network, steps)?;
    // Twice as far as it was trained.
    let far = times(4.0 * PI);
    let truth: Vec<f32> = far.iter().map(|t| t.sin()).collect();
    draw(&path, &truth, &network.values(&far)?)?;
    println!("{path}: a sine, grey, and what was learned of it in the middle half, red");
    match loss < 0.01 {
        true => Ok(()),
        false => Err(format!("the sine was not learned: mean square error {loss}").into()),
    }
}
