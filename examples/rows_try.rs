use nonlin::{Chain, Gpu, Layout, Values, reference};

fn main() {
    let gpu = Gpu::new().unwrap();
    let mut seed = 1u64;
    let mut next = || { seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); ((seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 8.0 };
    for (outer, n, inner) in [(3u64, 8u64, 1u64), (5, 7, 1), (2, 100, 3), (3, 4096, 1), (2, 9000, 1), (300, 2, 1), (17, 64, 1), (4,33,5)] {
        if let Ok(only) = std::env::var("ONLY") { if only != format!("{outer}x{n}x{inner}") { continue; } }
        let len = (outer * n * inner) as usize;
        let x: Vec<f32> = (0..len).map(|_| next()).collect();
        let dy: Vec<f32> = (0..len).map(|_| next()).collect();
        for text in ["softmax", "log_softmax", "hardmax", "rms_norm", "layer_norm", "scale(0.5) | causal(0) | softmax | dropout(0.3)", "scale(@s) | softmax(sink=@k) | scale(@w) | bias(@b)", "residual(@r) | layer_norm | scale(@w) | gate(@g | silu)"] {
            if let Ok(c) = std::env::var("CHAIN") { if c != text { continue; } }
            let chain: Chain = text.parse().unwrap();
            let mut v = Values::new().layout(Layout { outer, channels: n, inner });
            for name in chain.operands() {
                let count = match name { "s" | "k" => 1, "w" | "b" => n as usize, _ => len };
                let values: Vec<f32> = (0..count).map(|_| next()).collect();
                v = v.arg(name, &values);
            }
            let worst = |a: &[f32], b: &[f64]| a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            let t0 = std::time::Instant::now();
            let y = gpu.forward_with(&chain, &x, &v).unwrap();
            let w = reference::forward_with(&chain, &x, &v).unwrap();
            let mut line = format!("{outer}x{n}x{inner} {text}: y {:e}", worst(&y, &w));
            if text != "hardmax" {
                let names = chain.operands();
                eprintln!("forward {:?}", t0.elapsed());
                let (dx, g) = gpu.backward_with(&chain, &x, &dy, &v, &names).unwrap();
                eprintln!("both {:?}", t0.elapsed());
                let w = reference::backward_with(&chain, &x, &dy, &v).unwrap();
                line += &format!(" dx {:e}", worst(&dx, &w));
                for (name, g) in names.iter().zip(g) {
                    let w = reference::gradient(&chain, &x, &dy, &v, name).unwrap();
                    line += &format!(" d_{name} {:e}", worst(&g, &w));
                }
                if text.ends_with("softmax") {
                    let dx = gpu.backward_from_y_with(&chain, &y, &dy, &v).unwrap();
                    line += &format!(" from y {:e}", worst(&dx, &w));
                }
            }
            println!("{line}");
        }
    }
}
