//! Steps that draw random numbers.

use crate::common::{download, submit, upload, verdict};
use crate::noise;
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::{Chain, DType, Gpu, Operand, Operands, Pass, Values, reference};

/// What dropout and rrelu do to ones and minus ones.
pub(crate) fn random_steps(gpu: &Gpu) -> Result<(), Failed> {
    let n = 1 << 20;
    let (p, x) = (0.3f32, vec![1.0f32; n]);
    let values = |seed| Values::new().random(seed, 5);
    let dropout: Chain = format!("dropout({p})").parse()?;
    let y = gpu.forward_with(&dropout, &x, &values(1))?;
    let zeros = y.iter().filter(|y| **y == 0.0).count() as f64;
    // Five standard deviations.
    let off = (zeros - n as f64 * f64::from(p)).abs() / (n as f64 * 0.21).sqrt();
    if off > 5.0 || y.iter().any(|y| *y != 0.0 && *y != 1.0 / (1.0 - p)) {
        return Err(format!("dropout drops {zeros} of {n}").into());
    }
    // The reference drops the same, bit for bit; backward does; another seed does not.
    let exact: Vec<f32> = reference::forward_with(&dropout, &x, &values(1))?
        .iter()
        .map(|v| *v as f32)
        .collect();
    let (dx, _) = gpu.backward_with(&dropout, &x, &x, &values(1), &[])?;
    if y != exact || dx != y || y == gpu.forward_with(&dropout, &x, &values(2))? {
        return Err("dropout does not draw the same numbers everywhere".into());
    }
    let x = vec![-1.0f32; n];
    let rrelu: Chain = "rrelu".parse()?;
    let y = gpu.forward_with(&rrelu, &x, &values(1))?;
    let slopes = y.iter().map(|y| f64::from(-y));
    let mean = slopes.clone().sum::<f64>() / n as f64;
    let inside = slopes.clone().all(|s| (0.125..=0.333_333_4).contains(&s));
    let deviation = (1.0 / 3.0 - 0.125) / 12f64.sqrt() / (n as f64).sqrt();
    if !inside || (mean - 0.229_166_667).abs() > 5.0 * deviation {
        return Err(format!("rrelu's slopes have a mean of {mean}").into());
    }
    let (dx, _) = gpu.backward_with(&rrelu, &x, &vec![-1.0; n], &values(1), &[])?;
    if dx != y {
        return Err("rrelu's backward draws other slopes".into());
    }
    // Two random steps of a chain draw independently.
    let both: Chain = "dropout(0.5) | dropout(0.5)".parse()?;
    let y = gpu.forward_with(&both, &vec![1.0f32; n], &values(1))?;
    let kept = y.iter().filter(|y| **y > 0.0).count() as f64;
    if (kept - n as f64 / 4.0).abs() > 5.0 * (n as f64 * 3.0 / 16.0).sqrt() {
        return Err(format!("two dropouts keep {kept} of {n}").into());
    }
    Ok(())
}

/// What is bound once draws other numbers when it is told to, forward and backward the same.
pub(crate) fn other_numbers(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "scale(@s) | rrelu | dropout(0.5)".parse()?;
    let len = 1001;
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let x: Vec<f32> = (0..len as usize).map(|i| noise(1, i)).collect();
    let (bx, bs) = (upload(gpu, &bits(x.clone())), upload(gpu, &bits(vec![2.0])));
    let [by, bdx, bds] = [len, len, 1].map(|n: u64| upload(gpu, &vec![0; n as usize]));
    let at = |buffer, len| Operand::new(buffer, 0, len);
    let operands = Operands::new().x(at(&bx, len));
    let operands = operands.arg("s", at(&bs, 1), DType::F32).random(1, 5);
    let plan = |pass| gpu.kernels().plan(&chain, pass, DType::F32);
    let forward = plan(Pass::Forward)?.bind(operands.clone().y(at(&by, len)))?;
    // Bound with the same numbers, and never told of others.
    let kept = upload(gpu, &vec![0; len as usize]);
    let bystander = plan(Pass::Forward)?.bind(operands.clone().y(at(&kept, len)))?;
    let backward = plan(Pass::Backward)?.bind(operands.dy(at(&bx, len)).dx(at(&bdx, len)).grad(
        "s",
        at(&bds, 1),
        DType::F32,
    ))?;
    let read = |buffer| -> Vec<f32> {
        let words = download(gpu, buffer);
        words.into_iter().map(f32::from_bits).collect()
    };
    let mut seen = Vec::new();
    for random in [[1, 5], [2, 5], [1, u64::MAX - 1], [1, 5]] {
        let [seed, offset] = random;
        if !seen.is_empty() {
            forward.set_random(gpu.queue(), seed, offset);
            backward.set_random(gpu.queue(), seed, offset);
        }
        submit(gpu, |pass| {
            forward.record(pass);
            backward.record(pass);
            bystander.record(pass);
        });
        let (y, dx, ds) = (read(&by), read(&bdx), read(&bds));
        let values = Values::new().arg("s", &[2.0f32]).random(seed, offset);
        verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y[..len as usize])?)?;
        let expected = Expected::backward_with(&chain, &x, &x, &values)?;
        verdict(&expected.compare(&dx[..len as usize])?)?;
        verdict(&check::gradient(&chain, &x, &x, &values, "s", &ds[..1])?)?;
        seen.push(bits(y));
        if bits(read(&kept)) != seen[0] {
            return Err("what was bound beside it draws other numbers as well".into());
        }
    }
    let [a, b, c, again] = [0, 1, 2, 3].map(|at: usize| &seen[at]);
    if a == b || a == c || b == c || a != again {
        return Err("seed and offset do not decide what is drawn".into());
    }
    Ok(())
}
