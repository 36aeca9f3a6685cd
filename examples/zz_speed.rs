#![allow(missing_docs, clippy::all)]
use nonlin::*;
use std::time::Instant;
fn main() {
    let text = std::env::args().nth(1).unwrap_or("llvmpipe".into());
    let wg: u32 = std::env::args().nth(2).map_or(256, |v| v.parse().unwrap());
    let words: u32 = std::env::args().nth(3).map_or(1, |v| v.parse().unwrap());
    let only = std::env::args().nth(4);
    let n = 16u64 << 20;
    let gpu = Gpu::with_adapter(&text)
        .unwrap()
        .with_shape(Shape {
            workgroup: wg,
            words,
        })
        .unwrap();
    let d = gpu.device();
    let buf = || {
        d.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: n * 4,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let (x, dy, y) = (buf(), buf(), buf());
    let data: Vec<f32> = (0..n)
        .map(|i| ((i.wrapping_mul(2654435761) % 1000003) as f32 / 1000003.0 - 0.5) * 16.0)
        .collect();
    gpu.queue().write_buffer(&x, 0, bytemuck::cast_slice(&data));
    gpu.queue()
        .write_buffer(&dy, 0, bytemuck::cast_slice(&data));
    let bind = |p: &Plan| {
        let o = |b| Operand::new(b, 0, n);
        p.bind(match p.pass() {
            Pass::Forward => Operands::new().x(o(&x)).y(o(&y)),
            Pass::Backward => Operands::new().x(o(&x)).dy(o(&dy)).dx(o(&y)),
        })
        .unwrap()
    };
    for pass in Pass::ALL {
        let mut v = vec![(
            "copy".to_string(),
            bind(&gpu.kernels().copy(pass, DType::F32).unwrap()),
        )];
        for a in Activation::ALL {
            if only.as_ref().is_none_or(|o| a.name() == o) {
                v.push((
                    a.name().into(),
                    bind(
                        &gpu.kernels()
                            .plan(&Chain::from(*a), pass, DType::F32)
                            .unwrap(),
                    ),
                ));
            }
        }
        if only.is_none() {
            let c: Chain = "scale(0.5)|silu|scale(2)".parse().unwrap();
            v.push((
                "s|silu|s".into(),
                bind(&gpu.kernels().plan(&c, pass, DType::F32).unwrap()),
            ));
        }
        let mut t: Vec<Vec<f64>> = vec![vec![]; v.len()];
        for round in 0..9 {
            for (i, (_, b)) in v.iter().enumerate() {
                let mut e = d.create_command_encoder(&Default::default());
                b.record(&mut e.begin_compute_pass(&Default::default()));
                let s = Instant::now();
                gpu.queue().submit([e.finish()]);
                d.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                if round > 0 {
                    t[i].push(s.elapsed().as_secs_f64() / n as f64 * 1e9);
                }
            }
        }
        let med = |v: &mut Vec<f64>| {
            v.sort_by(|a, b| a.total_cmp(b));
            (v[0], v[v.len() / 2])
        };
        let (cm, c) = med(&mut t[0]);
        for (i, (name, _)) in v.iter().enumerate() {
            let (lo, m) = med(&mut t[i]);
            println!(
                "{pass} {name:12} {m:.2} ns  x{:.2}  (min {lo:.2} x{:.2})",
                m / c,
                lo / cm
            );
        }
    }
}
